"""An animation's frames as browsers show them: each is decoded alone, and laid on what the ones before it left.

Pillow has rules of its own for that, by which a file can show it another picture than browsers. So it sees one frame at
a time, as a file that holds nothing else. A frame that is cleared away leaves nothing, where Pillow may leave a color;
and what reaches beyond the canvas does not make it larger.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from PIL import Image

from lambdas.renderer import shown_picture


class Afterwards(Enum):
    """What becomes of a frame's place before the next one is shown."""

    KEPT = auto()
    CLEARED = auto()
    RESTORED = auto()


@dataclass(frozen=True, slots=True)
class Part:
    """A frame as a file has it.

    Attributes:
        left, top: where it begins on the canvas.
        file: makes a file of it alone.
        is_blended: whether what it covers shows through it; else it replaces that.
        is_alone: whether it is no part of the animation, and nothing lies below or above it.
    """

    left: int
    top: int
    width: int
    height: int
    file: Callable[[], bytes]
    afterwards: Afterwards = Afterwards.KEPT
    is_blended: bool = True
    is_alone: bool = False


@dataclass(frozen=True, slots=True)
class Animation:
    """A canvas, and what is shown on it in turn."""

    width: int
    height: int
    parts: tuple[Part, ...]

    @property
    def pixels(self) -> int:
        """Of all frames: those that are decoded or those that are shown, whichever are more."""
        return sum(max(part.width * part.height, self.width * self.height) for part in self.parts)

    @property
    def most_pixels(self) -> int:
        """Of one frame."""
        return max(self.width * self.height, *(part.width * part.height for part in self.parts))


#: What a frame's file says of all its pixels.
_SAID: Final = ("icc_profile", "exif")


def composed(animation: Animation, decoded: Callable[[bytes], Image.Image]) -> Iterator[Image.Image]:
    """Each frame in turn as it is shown, in RGBA. They are one object: use one before the next.

    Args:
        decoded: the one frame of a file.
    """
    canvas = Image.new("RGBA", (animation.width, animation.height))
    for part in animation.parts:
        picture = decoded(part.file())
        if part.is_alone:
            yield picture
            continue
        for name in _SAID:
            if name in picture.info:
                canvas.info[name] = picture.info[name]
        box = (
            min(part.left, canvas.width),
            min(part.top, canvas.height),
            min(part.left + part.width, canvas.width),
            min(part.top + part.height, canvas.height),
        )
        seen = shown_picture.in_color(picture).crop((0, 0, box[2] - box[0], box[3] - box[1]))
        before = canvas.crop(box) if part.afterwards is Afterwards.RESTORED else None
        if seen.width and seen.height:
            _lay(canvas, seen, box, is_blended=part.is_blended)
        yield canvas
        if part.afterwards is Afterwards.CLEARED:
            canvas.paste((0, 0, 0, 0), box)
        elif before:
            canvas.paste(before, box)


def _lay(canvas: Image.Image, seen: Image.Image, box: tuple[int, int, int, int], *, is_blended: bool) -> None:
    over = seen if seen.mode == "RGBA" else seen.convert("RGBA")
    if is_blended and seen.mode == "RGBA":
        canvas.alpha_composite(over, box[:2])
    else:
        canvas.paste(over, box)
