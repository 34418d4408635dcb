"""PNG files, chunk by chunk."""

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    """A chunk: length, type, data, checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


HEADER = chunk(b"IHDR", struct.pack(">IIBBBBB", 90, 90, 8, 0, 0, 0, 0))
PIXELS = chunk(b"IDAT", zlib.compress((b"\0" + bytes(90)) * 90))
END = chunk(b"IEND")
#: Two frames, played forever.
ANIMATION = chunk(b"acTL", struct.pack(">II", 2, 0))


def png(*before: bytes, behind: bytes = b"") -> bytes:
    """A PNG with these chunks between its header and its pixels, and these bytes behind the pixels."""
    return SIGNATURE + HEADER + b"".join(before) + PIXELS + behind + END


def animated(*before: bytes) -> bytes:
    """A PNG of two frames, of which the first is its pixels; these chunks come before what says so."""
    first, second = (chunk(b"fcTL", struct.pack(">IIIIIHHBB", n, 90, 90, 0, 0, 1, 10, 0, 0)) for n in (0, 1))
    frame = chunk(b"fdAT", struct.pack(">I", 2) + zlib.compress((b"\0" + b"\xff" * 90) * 90))
    return png(*before, ANIMATION, first, behind=second + frame)
