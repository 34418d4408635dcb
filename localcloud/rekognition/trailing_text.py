"""A text behind a picture of a format that has no comments: a box of free space, as the boxed formats have them.

AVIF and HEIC may have one anywhere between their boxes (ISO/IEC 14496-12, "Free Space Box"). Decoders of the others
read no further than the picture's end.
"""

from typing import Final

_TYPE: Final = b"free"
#: Before the text: the box's length and its type.
_HEADER_BYTES: Final = 8


def replace(body: bytes, text: str, prefix: str) -> bytes:
    """The same picture with a text behind it, instead of one there that begins with `prefix`."""
    content = text.encode()
    box = (_HEADER_BYTES + len(content)).to_bytes(4, "big") + _TYPE + content
    return body[: _start(body, prefix)] + box


def _start(body: bytes, prefix: str) -> int:
    """Where the last box with such a text begins, if nothing is behind it; else the end."""
    found = body.rfind(_TYPE + prefix.encode())
    start = found - 4
    if start >= 0 and start + int.from_bytes(body[start:found], "big") == len(body):
        return start
    return len(body)
