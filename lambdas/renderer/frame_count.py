"""How many frames a GIF or a PNG holds, along its blocks: before a decoder looks, and to see that it finds them all.

Decoders and browsers differ in how they read on after damage. A file whose blocks do not hold together up to the end is
refused, so that nobody sees a frame of it that was not counted.
"""

import struct
from typing import Final

from gatehouse.moderation.rendition import RefusalCode, RefusedError

_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
#: Of a chunk: the length of its data and its type stand before the data, a checksum behind it.
_CHUNK: Final = struct.Struct(">I4s")
_CHECKSUM_BYTES: Final = 4

#: Logical screen, and before each frame its place and size, and the flags of a color table (GIF89a, 18 and 20).
_SCREEN_BYTES: Final = 13
_IMAGE_BYTES: Final = 9
_HAS_COLORS: Final = 0x80


def count_gif_frames(body: bytes, most: int) -> int:
    """Image blocks up to the trailer.

    Raises:
        RefusedError: the file is damaged or cut off, shows nothing, or has more frames than `most`.
    """
    try:
        return _gif_frames(body, most)
    except IndexError:
        raise _damaged("GIF") from None


def _gif_frames(body: bytes, most: int) -> int:
    position = _SCREEN_BYTES + _colors_bytes(body[_SCREEN_BYTES - 3])
    frames = 0
    while (kind := body[position]) != ord(";"):
        if kind == ord(","):
            frames += 1
            if frames > most:
                raise _too_many(most)
            flags = body[position + _IMAGE_BYTES]
            position = _end_of_blocks(body, position + _IMAGE_BYTES + _colors_bytes(flags) + 2)
        elif kind == ord("!"):
            position = _end_of_blocks(body, position + 2)
        elif kind == 0:  # an end too many, which some programs write
            position += 1
        else:
            raise _damaged("GIF")
    if not frames:
        raise _damaged("GIF")
    return frames


def _colors_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & _HAS_COLORS else 0


def _end_of_blocks(body: bytes, position: int) -> int:
    while length := body[position]:
        position += 1 + length
    return position + 1


def count_png_frames(body: bytes, most: int) -> int:
    """Frames of an animated PNG (PNG Specification, third edition, "APNG: frame-based animation"); 1 if it is none.

    A default image that is no part of the animation is a frame here: programs that know no animation show it.

    Raises:
        RefusedError: the chunks do not hold together up to the last one, the file says another number of frames than it
            has, or more than `most`.
    """
    said: int | None = None
    frames, is_default_a_frame, has_pixels = 0, False, False
    position = len(_PNG_SIGNATURE)
    while True:
        if position + _CHUNK.size + _CHECKSUM_BYTES > len(body):
            raise _damaged("PNG")
        length, kind = _CHUNK.unpack_from(body, position)
        data = position + _CHUNK.size
        if kind == b"acTL" and not has_pixels:
            if said is not None or length != 8:
                raise _damaged("PNG")
            said = int.from_bytes(body[data : data + 4], "big")
        elif kind == b"fcTL":
            frames += 1
            is_default_a_frame = is_default_a_frame or not has_pixels
        elif kind == b"IDAT":
            has_pixels = True
        position = data + length + _CHECKSUM_BYTES
        if kind == b"IEND":
            break
    if position > len(body) or not has_pixels:
        raise _damaged("PNG")
    if said is None:
        return 1
    if said > most:
        raise _too_many(most)
    if said == 0 or said != frames:
        raise RefusedError(RefusalCode.UNREADABLE_IMAGE, "the PNG says another number of frames than it has")
    return frames + (not is_default_a_frame)


def _damaged(name: str) -> RefusedError:
    return RefusedError(RefusalCode.UNREADABLE_IMAGE, f"the {name} is damaged or cut off")


def _too_many(most: int) -> RefusedError:
    return RefusedError(RefusalCode.TOO_MANY_FRAMES, f"more than {most} frames")
