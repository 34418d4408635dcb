"""Whether a PNG has more to show than was looked at.

Rekognition analyzes one picture. A browser plays an animated PNG, whose other frames nobody has looked at: it is one by
an `acTL` chunk before its first `IDAT` (PNG Specification, third edition, "Animation Control Chunk"). So an approval of
a PNG needs its chunks up to there, which are read piece by piece.
"""

import struct
from collections.abc import Callable

from gatehouse.moderation.failure import Failure

#: What is read at a time. The chunks before a picture's pixels rarely take more, but for a color profile or a text.
PIECE_BYTES = 16 * 1024

#: Pieces that are read of one file. A picture that shows no pixel by then is not worth the calls.
MOST_PIECES = 8

ANIMATED = Failure(
    "Animated", "an animated PNG, of which only one picture is analyzed; upload its frames as pictures of their own"
)
UNREADABLE = Failure(
    "UnreadablePng", f"no pixels were found in a PNG within {MOST_PIECES} reads along its chunks; save it anew"
)

#: Codes of images that nobody can have looked at whole, whatever an engine said about them.
UNSUPPORTED_CODES = frozenset({ANIMATED.code, UNREADABLE.code})

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: Of a chunk: the length of its data and its type stand before the data, a checksum behind it.
_HEADER = struct.Struct(">I4s")
_CHECKSUM_BYTES = 4


def unseen_frames(piece: bytes, size: int, read: Callable[[int], bytes]) -> Failure | None:
    """Why a file can't be approved by one look at it, or None. Only PNGs can't, and only they need another read.

    Checksums are not verified: a reader that ignores a damaged `acTL` shows less than is refused here.

    Args:
        piece: the file's first bytes, `PIECE_BYTES` of them or the whole file.
        size: of the whole file, in bytes.
        read: gives as many bytes from a position on that lies in the file.
    """
    if not piece.startswith(_SIGNATURE):
        return None
    start, chunk, pieces = 0, len(_SIGNATURE), 1
    while chunk + _HEADER.size <= size:
        if chunk + _HEADER.size > start + len(piece):
            if pieces == MOST_PIECES:
                break
            start, piece, pieces = chunk, read(chunk), pieces + 1
            if len(piece) < _HEADER.size:
                break
        length, kind = _HEADER.unpack_from(piece, chunk - start)
        if kind == b"acTL":
            return ANIMATED
        if kind == b"IDAT":
            return None
        chunk += _HEADER.size + length + _CHECKSUM_BYTES
    return UNREADABLE
