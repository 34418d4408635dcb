"""GIFs and animated PNGs, block by block: with what Pillow's writers never write, and browsers show all the same."""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from tests.unit.pngs import SIGNATURE, chunk

SIDE = 96
WHOLE = (0, 0, SIDE, SIDE)
KEEP, CLEAR, RESTORE = 1, 2, 3

#: A transparent color's number in a GIF, and the others, which are greys.
NOTHING = 255
GREYS = bytes(value for n in range(255) for value in (n, n, n)) + bytes((255, 0, 255))


def silhouette(side: int = SIDE) -> bytes:
    """Pixels of a GIF: black, and a circle of nothing in it."""
    radius = side // 3
    middle = side // 2
    return bytes(
        NOTHING if (x - middle) ** 2 + (y - middle) ** 2 < radius**2 else 0 for y in range(side) for x in range(side)
    )


def plain(value: int, box: tuple[int, int, int, int] = WHOLE) -> bytes:
    return bytes([value]) * (box[2] * box[3])


@dataclass(frozen=True, slots=True)
class Shown:
    """A frame of a GIF.

    Attributes:
        pixels: numbers of colors.
        box: left, top, width, height.
        disposal: or None for a frame without a control extension.
    """

    pixels: bytes
    box: tuple[int, int, int, int] = WHOLE
    disposal: int | None = KEEP


def gif(*frames: Shown, screen: tuple[int, int] = (SIDE, SIDE), colors: bytes = GREYS, background: int = 0) -> bytes:
    """An animation that is played once. A color table has 2 to 256 colors."""
    size = (len(colors) // 3 - 1).bit_length() - 1
    head = b"GIF89a" + struct.pack("<HHBBB", *screen, 0xF0 | size if colors else 0x70, background, 0) + colors
    return head + b"".join(map(_gif_frame, frames)) + b";"


def _gif_frame(frame: Shown) -> bytes:
    control = b""
    if frame.disposal is not None:
        control = b"!\xf9\x04" + struct.pack("<BHBB", frame.disposal << 2 | 1, 4, NOTHING, 0)
    return control + b"," + struct.pack("<HHHHB", *frame.box, 0) + _uncompressed(frame.pixels)


def _uncompressed(pixels: bytes) -> bytes:
    """LZW that never uses a code for more than one pixel: it begins anew before codes become longer."""
    bits = number = 0
    for n, pixel in enumerate((*pixels, 257)):
        for code in (256, pixel) if n % 254 == 0 else (pixel,):
            number |= code << bits
            bits += 9
    data = number.to_bytes(bits // 8 + 1, "little")
    blocks = (data[start : start + 255] for start in range(0, len(data), 255))
    return b"\x08" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of an animated PNG."""

    picture: Image.Image
    at: tuple[int, int] = (0, 0)
    disposal: int = 0
    blend: int = 0


_KINDS = {"L": (8, 0), "RGB": (8, 2), "P": (8, 3), "RGBA": (8, 6)}


def apng(*frames: Frame, before: Sequence[bytes] = (), default: Image.Image | None = None) -> bytes:
    """An animation that is played once.

    Args:
        before: chunks between the header and what says that it is an animation.
        default: an image that is no part of it.
    """
    first = default or frames[0].picture
    depth, color = _KINDS[first.mode]
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", *first.size, depth, color, 0, 0, 0))
    parts = [SIGNATURE, header, *before, chunk(b"acTL", struct.pack(">II", len(frames), 1))]
    number = 0
    if default:
        parts.append(chunk(b"IDAT", _compressed(default)))
    for n, frame in enumerate(frames):
        size = frame.picture.size
        parts.append(
            chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, *size, *frame.at, 4, 100, frame.disposal, frame.blend))
        )
        number += 1
        data = _compressed(frame.picture)
        if n == 0 and not default:
            parts.append(chunk(b"IDAT", data))
        else:
            parts.append(chunk(b"fdAT", struct.pack(">I", number) + data))
            number += 1
    return b"".join([*parts, chunk(b"IEND")])


def _compressed(picture: Image.Image) -> bytes:
    row = picture.width * len(picture.getbands())
    pixels = picture.tobytes()
    return zlib.compress(b"".join(b"\0" + pixels[start : start + row] for start in range(0, len(pixels), row)))


def _with_hole(mode: str, hole: tuple[int, ...], around: tuple[int, ...]) -> Image.Image:
    return Image.composite(
        Image.new(mode, (SIDE, SIDE), hole),
        Image.new(mode, (SIDE, SIDE), around),
        Image.frombytes("L", (SIDE, SIDE), silhouette()).point(lambda value: 255 if value == NOTHING else 0),
    )


#: What a frame of a PNG shows with a transparent color, and with transparency of its own.
KEYED = _with_hole("RGB", (255, 0, 255), (0, 0, 0))
CLEAR_HOLE = _with_hole("RGBA", (0, 0, 0, 0), (0, 0, 0, 255))
GREY = Image.new("RGB", (SIDE, SIDE), (200, 200, 200))
_QUARTER = (SIDE // 4, SIDE // 4, SIDE // 2, SIDE // 2)

#: Animations that Pillow shows otherwise than browsers, and some for which they agree.
COMPOSED = {
    "cleared.gif": gif(Shown(plain(120), disposal=CLEAR), Shown(silhouette())),
    "kept after clearing.gif": gif(
        Shown(plain(NOTHING), disposal=CLEAR),
        Shown(plain(90, _QUARTER), _QUARTER, disposal=0),
        Shown(plain(180, (0, 0, 30, 30)), (0, 0, 30, 30), disposal=0),
    ),
    "without control.gif": gif(
        Shown(plain(NOTHING), disposal=CLEAR),
        Shown(plain(90, _QUARTER), _QUARTER, None),
        Shown(plain(200, (0, 0, 9, 9)), (0, 0, 9, 9)),
    ),
    "restored.gif": gif(
        Shown(plain(220)),
        Shown(plain(40, _QUARTER), _QUARTER, RESTORE),
        Shown(plain(99, (0, 0, 20, 20)), (0, 0, 20, 20)),
    ),
    "restored by 4.gif": gif(
        Shown(plain(220)), Shown(plain(40, _QUARTER), _QUARTER, 4), Shown(plain(99, (0, 0, 20, 20)), (0, 0, 20, 20))
    ),
    "beyond the canvas.gif": gif(Shown(plain(200)), Shown(plain(30, (48, 48, 300, 200)), (48, 48, 300, 200))),
    "first beyond the screen.gif": gif(Shown(plain(200)), Shown(plain(30, _QUARTER), _QUARTER), screen=(10, 10)),
    "first is small.gif": gif(Shown(b"\0", (0, 0, 1, 1)), Shown(silhouette())),
    "few colors.gif": gif(
        Shown(bytes(200 if n % SIDE < 40 else 1 for n in range(SIDE * SIDE)), disposal=None),
        colors=bytes(3) + b"\xff" * 3,
    ),
    "cleared.png": apng(
        Frame(GREY, disposal=1), Frame(KEYED, blend=1), before=[chunk(b"tRNS", struct.pack(">HHH", 255, 0, 255))]
    ),
    "default image.png": apng(Frame(CLEAR_HOLE, blend=1), default=Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, 255))),
    "first restored.png": apng(Frame(GREY.convert("RGBA"), disposal=2), Frame(CLEAR_HOLE, blend=1)),
    "restored.png": apng(
        Frame(GREY),
        Frame(Image.new("RGB", (40, 40), (9, 90, 9)), (20, 30), disposal=2),
        Frame(Image.new("RGB", (20, 20), (200, 9, 9)), (5, 5)),
    ),
    "replaced.png": apng(
        Frame(GREY.convert("RGBA")),
        Frame(Image.new("RGBA", (40, 40), (0, 0, 0, 60)), (20, 30)),
    ),
    "blended.png": apng(
        Frame(GREY.convert("RGBA")),
        Frame(Image.new("RGBA", (40, 40), (0, 0, 0, 128)), (20, 30), blend=1),
    ),
}
