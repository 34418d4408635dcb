"""How many common animations a person has to look at because not every frame was analyzed.

    python -m tests.benchmarks.animations [--count 200]

draws animations as people share them (`KINDS`), describes each as the renderer does, and prints the table of
docs/engines.md. No survey is behind the kinds: they are what we take for common, with the frames that such files have.
"""

import argparse
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from PIL import Image, ImageDraw

from lambdas.renderer.decoder import Decoder

_SIZE: Final = (120, 90)

#: Frames that are looked at: the default, and what else a lane may say.
MOST_JUDGED: Final = (8, 16, 32, 100)


@dataclass(frozen=True, slots=True)
class AnimationKind:
    """A kind of animation.

    Attributes:
        share: of all, in percent.
        frames: the fewest and the most.
        changing: part of its frames that differ from the one before.
    """

    name: str
    share: int
    frames: tuple[int, int]
    changing: float


KINDS: Final = (
    AnimationKind("sticker or emoji", 30, (2, 12), 1.0),
    AnimationKind("loading spinner", 10, (8, 30), 1.0),
    AnimationKind("slide show", 10, (3, 8), 1.0),
    AnimationKind("reaction, cut from a film", 35, (15, 90), 0.95),
    AnimationKind("recording of a screen", 15, (60, 300), 0.15),
)


def animations(count: int, seed: int = 1) -> Iterator[tuple[AnimationKind, bytes]]:
    """So many of them, of each kind as many as its share says, as GIF, WebP or animated PNG."""
    random = Random(seed)
    for kind in KINDS:
        for _ in range(count * kind.share // 100):
            frames = list(_frames(kind, random))
            file = io.BytesIO()
            frames[0].save(file, random.choice(("GIF", "GIF", "WEBP", "PNG")), save_all=True, append_images=frames[1:])
            yield kind, file.getvalue()


def _frames(kind: AnimationKind, random: Random) -> Iterator[Image.Image]:
    place = 0
    for number in range(random.randint(*kind.frames)):
        if number == 0 or random.random() < kind.changing:
            place += 1
        frame = Image.new("RGB", _SIZE, (240, 240, 240))
        left, top = place * 7 % _SIZE[0], place * 11 % _SIZE[1]
        ImageDraw.Draw(frame).rectangle((left, top, left + 20, top + 15), fill=(place % 256, place // 256 * 40, 90))
        yield frame


def unseen(count: int) -> Mapping[str, Sequence[int]]:
    """Kind -> how many have more frames than are looked at, for each of these numbers; last, how many there are."""
    decoder = Decoder()
    decoder.prepare()
    found = {kind.name: [0] * (len(MOST_JUDGED) + 1) for kind in KINDS}
    for kind, body in animations(count):
        description = decoder.describe(body, max(MOST_JUDGED)).description
        assert description is not None
        for n, most in enumerate(MOST_JUDGED):
            found[kind.name][n] += description.distinct_frames > most
        found[kind.name][-1] += 1
    return found


def table(count: int) -> str:
    """The page's table, in Markdown."""
    found = unseen(count)
    lines = [
        "| of these animations, for a person | " + " | ".join(f"`max_frames: {most}`" for most in MOST_JUDGED) + " |",
        "| --- |" + " ---: |" * len(MOST_JUDGED),
    ]
    for name, numbers in found.items():
        lines.append(f"| {numbers[-1]} of the kind: {name} | " + " | ".join(map(str, numbers[:-1])) + " |")
    totals = [sum(numbers[n] for numbers in found.values()) for n in range(len(MOST_JUDGED) + 1)]
    lines.append(f"| {totals[-1]} in all | " + " | ".join(f"{n / totals[-1]:.0%}" for n in totals[:-1]) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.animations", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="how many (default: %(default)s)")
    print(table(parser.parse_args().count))
