"""Whether the renderer and the local Rekognition agree with Pillow about pictures that other people made.

    python -m tests.benchmarks.agreement FOLDER [--files 500]

reads pictures of the test suites of packages, which it does not fetch: unpack a source distribution, such as Pillow's
(`pip download --no-deps --no-binary pillow pillow==13.0.0`). Of each file it compares

- what the renderer says of it with what Pillow reads: frames, size, and the first frame's pixels;
- whether the local Rekognition opens it with whether Pillow decodes it, if it is a JPEG or a PNG of a size that
  Rekognition takes.

Prints how many agree, and each file that does not, by what is different. Exit status 1 if a file's rendition shows
something else than Pillow does, or has fewer frames; refusals are counted by their codes and are no failure.
"""

import argparse
import contextlib
import io
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pi_heif
from PIL import Image, ImageChops, ImageCms, ImageOps, ImageStat

from gatehouse.contracts.render_call import RenderAnswer, RenderRequest
from gatehouse.moderation.image_format import HEAD_BYTES, READ_BY_REKOGNITION, format_of
from gatehouse.moderation.rendition import RefusedError
from lambdas.renderer.decoder import Decoder
from lambdas.renderer.presigned_object import PresignedObject
from lambdas.renderer.rendering import Rendering
from localcloud.rekognition.errors import ServiceError
from localcloud.rekognition.images import MOST_BYTES_OF_AN_OBJECT, open_image

#: Mean difference of a color, of 255, that a JPEG and another way of making a picture smaller account for.
_MOST_DIFFERENCE: Final = 12.0
_COMPARED_SIZE: Final = (64, 64)
_TAKEN_SIDES: Final = range(80, 10_001)

#: Findings with which a picture could be approved that nobody saw as people do.
WRONG: Final = ("the picture looks different", "the renderer counts fewer frames")


@dataclass(frozen=True, slots=True)
class Reference:
    """What Pillow reads of a file.

    Attributes:
        size: of the first frame, as it is shown.
        shown: the first frame over white.
    """

    frames: int
    size: tuple[int, int]
    shown: Image.Image


def reference(body: bytes) -> Reference | None:
    """What Pillow reads of a file; None if it does not decode all of it."""
    try:
        with Image.open(io.BytesIO(body)) as opened:
            # Of a JPEG with more behind it browsers show the first picture, and of XMP's orientation they know nothing.
            frames = 1 if opened.format == "MPO" else int(getattr(opened, "n_frames", 1))
            for name in ("xmp", "XML:com.adobe.xmp"):
                opened.info.pop(name, None)
            for number in range(1, frames):
                opened.seek(number)
                opened.load()
            opened.seek(0)
            opened.load()
            upright = _in_srgb(ImageOps.exif_transpose(opened))
            shown = Image.new("RGBA", upright.size, "white")
            shown.alpha_composite(upright.convert("RGBA"))
            return Reference(frames, upright.size, shown.convert("RGB"))
    except Exception:
        return None


def _in_srgb(picture: Image.Image) -> Image.Image:
    """16 bits of grey scaled, and colors by their profile: Pillow cuts off the one and leaves the other to its user."""
    if picture.mode.startswith("I;16"):
        return picture.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    profile = picture.info.get("icc_profile")
    if not profile or picture.mode not in ("RGB", "CMYK", "L"):
        return picture
    with contextlib.suppress(ImageCms.PyCMSError):
        shown = ImageCms.profileToProfile(
            picture, io.BytesIO(profile), ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
        return shown or picture
    return picture


def findings(rendering: Rendering, body: bytes) -> Iterator[str]:
    """In what Pillow, the renderer and the local Rekognition do not agree about a file, a sentence each."""
    expected = reference(body)
    try:
        answer = rendering.decode(body, RenderRequest(""))
    except RefusedError as error:
        if expected:
            yield f"the renderer refuses what Pillow reads: {error.code}, {error.message}"
    else:
        yield from _differences(expected, answer)
    yield from _opened_otherwise(expected, body)


def _differences(expected: Reference | None, answer: RenderAnswer) -> Iterator[str]:
    description = answer.description
    assert description is not None
    if expected is None:
        yield "the renderer reads what Pillow refuses"
        return
    if description.frames != expected.frames:
        yield f"the renderer counts {'fewer' if description.frames < expected.frames else 'more'} frames"
    if (description.width, description.height) != expected.size:
        yield "another size"
    with Image.open(io.BytesIO(answer.jpeg), formats=["JPEG"]) as rendition:
        # A very narrow picture gets a margin, which Pillow's has not.
        if min(expected.size) >= _TAKEN_SIDES.start and _difference(rendition, expected.shown) > _MOST_DIFFERENCE:
            yield "the picture looks different"


def _difference(one: Image.Image, other: Image.Image) -> float:
    pictures = (picture.convert("RGB").resize(_COMPARED_SIZE, Image.Resampling.BOX) for picture in (one, other))
    return max(ImageStat.Stat(ImageChops.difference(*pictures)).mean)


def _opened_otherwise(expected: Reference | None, body: bytes) -> Iterator[str]:
    if format_of(body[:HEAD_BYTES]) not in READ_BY_REKOGNITION:
        return
    if expected and not all(side in _TAKEN_SIDES for side in expected.size):
        return
    try:
        open_image(body, MOST_BYTES_OF_AN_OBJECT)
    except ServiceError as error:
        if expected:
            yield f"the local Rekognition refuses what Pillow reads: {error.message}"
    else:
        if expected is None:
            yield "the local Rekognition opens what Pillow refuses: it reads a file's structure and decodes no pixel"


def pictures_in(folder: Path, most: int) -> list[Path]:
    """Files of formats that are rendered, by their first bytes, each content once; every n-th, so all sorts come."""
    found: dict[bytes, Path] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        body = path.read_bytes()
        if format_of(body[:HEAD_BYTES]):
            found.setdefault(body, path)
    paths = list(found.values())
    return paths[:: max(1, len(paths) // most)][:most]


def main() -> int:
    """Compare the files of a folder; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.agreement", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=int, default=500, help="at most (default: %(default)s)")
    options = parser.parse_args()
    pi_heif.register_heif_opener()
    decoder = Decoder(heic=True)
    decoder.prepare()
    rendering = Rendering(PresignedObject(), decoder)
    paths, by_finding = pictures_in(options.folder, options.files), defaultdict[str, list[str]](list)
    disagreeing = set()
    for path in paths:
        for finding in findings(rendering, path.read_bytes()):
            by_finding[finding].append(str(path.relative_to(options.folder)))
            disagreeing.add(path)
    print(f"{len(paths)} files, {len(paths) - len(disagreeing)} of which all agree about.")
    for finding, names in sorted(by_finding.items(), key=lambda item: (-len(item[1]), item[0])):
        print(f"\n{len(names)}: {finding}\n  " + "\n  ".join(names))
    return int(any(finding.startswith(WRONG) for finding in by_finding))


if __name__ == "__main__":
    sys.exit(main())
