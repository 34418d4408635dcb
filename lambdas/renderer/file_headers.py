"""What the headers of some files say and Pillow does not heed: that pixels are transparent, or of other colors.

Browsers do heed it. So what is transparent has to be decoded so, and what changes colors is refused.
"""

import struct
from collections.abc import Iterator
from typing import Final

from gatehouse.moderation.rendition import RefusalCode, RefusedError

#: WebP Container Specification: flags of VP8X; of VP8L's header, the hint that some pixels are transparent.
_HEAD_BYTES: Final = 12
_HAS_ALPHA: Final = 0x10
_FRAME_BYTES: Final = 16
_LOSSLESS: Final = 0x2F
_HINT_AT: Final = 4

#: BMP: where the length of the second header stands, and in it the bits a pixel, the mask of transparency, and
#: the color space with its gammas.
_BMP_HEADER_AT: Final = 14
_BITS, _ALPHA_MASK, _SPACE, _GAMMAS = 14, 52, 56, 96
_HAS_MASK_BYTES: Final = 56
_HAS_SPACE_BYTES: Final = 108
_CALIBRATED: Final = 0
_PROFILES: Final = frozenset({int.from_bytes(b"MBED", "big"), int.from_bytes(b"LINK", "big")})
#: Exponents around 2.2, by which some programs mean 1/2.2; 0 is nothing said.
_LEAST_GAMMA, _MOST_GAMMA = 1.7, 2.7


def with_alpha_said(body: bytes) -> bytes:
    """A WebP whose headers say that it may be transparent, if any frame of it may be.

    What its pixels are does not depend on that. Browsers look at them; Pillow drops their transparency if the header of
    the file does not tell of it.
    """
    changes: list[tuple[int, int]] = []
    may_be = False
    for kind, start, end in _webp_chunks(body, _HEAD_BYTES, len(body)):
        if kind == b"VP8X" and end - start >= 1:
            changes.append((start, _HAS_ALPHA))
        inner = [(kind, start, end)]
        if kind == b"ANMF":
            inner = list(_webp_chunks(body, start + _FRAME_BYTES, end))
        for name, first, last in inner:
            if name == b"VP8L" and last - first > _HINT_AT and body[first] == _LOSSLESS:
                changes.append((first + _HINT_AT, _HAS_ALPHA))
                may_be = True
            may_be = may_be or name == b"ALPH"
    if not may_be or all(body[at] & bit for at, bit in changes):
        return body
    changed = bytearray(body)
    for at, bit in changes:
        changed[at] |= bit
    return bytes(changed)


def _webp_chunks(body: bytes, position: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Chunks as far as they hold together; libwebp judges the rest."""
    while position + 8 <= end:
        kind, length = struct.unpack_from("<4sI", body, position)
        start = position + 8
        if start + length > end:
            return
        yield kind, start, start + length
        position = start + length + length % 2


def check_bmp(body: bytes, mode: str) -> None:
    """Refuse a BMP whose header says colors or transparency that Pillow does not heed.

    Args:
        mode: Pillow's, of what it makes of the file.

    Raises:
        RefusedError: it is one (`UnsupportedFormat`).
    """
    header = body[_BMP_HEADER_AT:]
    length = int.from_bytes(header[:4], "little")
    if length in (_HAS_MASK_BYTES, _HAS_SPACE_BYTES, 124) and len(header) >= length:
        (mask,) = struct.unpack_from("<I", header, _ALPHA_MASK)
        if mask & _bits_of_a_pixel(header) and mode != "RGBA":
            raise RefusedError(RefusalCode.UNSUPPORTED_FORMAT, "a BMP with transparency of a kind that is not read")
    if length >= _HAS_SPACE_BYTES and len(header) >= _HAS_SPACE_BYTES:
        (space,) = struct.unpack_from("<I", header, _SPACE)
        gammas = struct.unpack_from("<III", header, _GAMMAS)
        is_other = space == _CALIBRATED and any(gamma and not _is_customary(gamma / 65_536) for gamma in gammas)
        if space in _PROFILES or is_other:
            raise RefusedError(RefusalCode.UNSUPPORTED_FORMAT, "a BMP with colors that are not shown alike")


def _is_customary(gamma: float) -> bool:
    return any(_LEAST_GAMMA <= one <= _MOST_GAMMA for one in (gamma, 1 / gamma))


def _bits_of_a_pixel(header: bytes) -> int:
    """All of them set; some programs write a mask for pixels that have no place for it, and palettes have none."""
    bits = int.from_bytes(header[_BITS : _BITS + 2], "little")
    return (1 << min(bits, 32)) - 1 if bits > 8 else 0
