"""Pictures that are drawn, in every format that Pillow writes; HEIC, which it does not, from files drawn once.

The files in `pictures` were drawn with Pillow and written by x265 through pillow-heif 1.1.1: `drawn.heic` is `drawn()`,
`two.heic` has a green picture of the same size behind it; `turned.heic` got a box `irot`, a quarter turn, by hand.
"""

import io
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from tests.unit.pngs import SIGNATURE, chunk

PICTURES = Path(__file__).parent / "pictures"

RED, BLUE, GREEN, WHITE, BLACK = (220, 30, 30), (30, 30, 220), (30, 200, 30), (255, 255, 255), (0, 0, 0)


def drawn(size: tuple[int, int] = (128, 96), corner: tuple[int, int, int] = RED) -> Image.Image:
    """White, with the upper left quarter in a color and a blue ellipse in the lower right one."""
    width, height = size
    picture = Image.new("RGB", size, WHITE)
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 0, width // 2 - 1, height // 2 - 1), fill=corner)
    pen.ellipse((width * 0.55, height * 0.55, width * 0.95, height * 0.95), fill=BLUE)
    return picture


def frames(count: int, size: tuple[int, int] = (120, 90)) -> list[Image.Image]:
    """Pictures that all differ: a bar moves over them."""
    found = []
    for n in range(count):
        frame = drawn(size)
        left = n * size[0] // count
        ImageDraw.Draw(frame).rectangle((left, 0, left + size[0] // 10, size[1]), fill=(40, 100 + n % 100, n % 256))
        found.append(frame)
    return found


def written(picture: Image.Image, name: str, **options: Any) -> bytes:
    """The file of a picture in one of Pillow's formats."""
    file = io.BytesIO()
    picture.save(file, name, **options)
    return file.getvalue()


def animated(name: str, pictures: Sequence[Image.Image], **options: Any) -> bytes:
    """The file of several pictures."""
    return written(pictures[0], name, save_all=True, append_images=pictures[1:], **options)


def heic(name: str = "drawn") -> bytes:
    return (PICTURES / f"{name}.heic").read_bytes()


def header_only_png(width: int, height: int) -> bytes:
    """A PNG that says it is so large, with pixels for one line."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return SIGNATURE + header + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND")


def _large_jpeg(width: int, height: int) -> bytes:
    file = written(drawn(), "JPEG")
    size = file.index(b"\xff\xc0") + 5
    return file[:size] + struct.pack(">HH", height, width) + file[size + 4 :]


def _large_gif(width: int, height: int) -> bytes:
    file = written(drawn(), "GIF")
    return file[:6] + struct.pack("<HH", width, height) + file[10:]


def _large_webp(width: int, height: int) -> bytes:
    extended = b"VP8X" + struct.pack("<I", 10) + bytes(4)
    extended += (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBP" + extended + written(drawn(), "WEBP")[12:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _large_bmp(width: int, height: int) -> bytes:
    file = written(drawn(), "BMP")
    return file[:18] + struct.pack("<ii", width, height) + file[26:]


def _large_tiff(width: int, height: int) -> bytes:
    return _large_tags(written(drawn(), "TIFF"), {256: width, 257: height})


def _large_tags(file: bytes, values: Mapping[int, int]) -> bytes:
    """A little-endian TIFF with other values in its first directory."""
    changed = bytearray(file)
    directory = int.from_bytes(file[4:8], "little")
    for n in range(int.from_bytes(file[directory : directory + 2], "little")):
        entry = directory + 2 + 12 * n
        tag = int.from_bytes(file[entry : entry + 2], "little")
        if tag in values:
            changed[entry + 2 : entry + 12] = struct.pack("<HII", 4, 1, values[tag])
    return bytes(changed)


def _large_box(file: bytes, width: int, height: int) -> bytes:
    """An AVIF or HEIC whose property `ispe` says another size."""
    size = file.index(b"ispe") + 8
    return file[:size] + struct.pack(">II", width, height) + file[size + 8 :]


#: Format -> a small file that says it is a picture of this size.
BOMBS: Mapping[str, Callable[[int, int], bytes]] = {
    "JPEG": _large_jpeg,
    "PNG": header_only_png,
    "GIF": _large_gif,
    "WEBP": _large_webp,
    "BMP": _large_bmp,
    "TIFF": _large_tiff,
    "AVIF": lambda width, height: _large_box(written(drawn(), "AVIF"), width, height),
    "HEIC": lambda width, height: _large_box(heic(), width, height),
}


def gif_of(count: int) -> bytes:
    """A GIF of so many frames of one pixel, as small as they get."""
    frame = b",\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0"
    return b"GIF89a\x01\0\x01\0\x80\0\0" + bytes(3) + b"\xff" * 3 + frame * count + b";"


def tiff_of(count: int) -> bytes:
    """A TIFF of so many pages of one pixel that share it."""
    entries = [
        *((256, 3, 1), (257, 3, 1), (258, 3, 8), (259, 3, 1), (262, 3, 1)),
        *((273, 4, 8), (277, 3, 1), (278, 3, 1), (279, 4, 1)),
    ]
    size = 2 + 12 * len(entries) + 4
    page = struct.pack("<H", len(entries))
    page += b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    following = [*(12 + (n + 1) * size for n in range(count - 1)), 0]
    return b"II*\0" + struct.pack("<I", 12) + bytes(4) + b"".join(page + struct.pack("<I", at) for at in following)


#: Every format that is read, as one still picture.
STILL: Mapping[str, bytes] = {
    **{name: written(drawn(), name) for name in ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF", "BMP")},
    "HEIC": heic(),
}
