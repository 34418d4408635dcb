"""The structure of a JPEG file (ITU-T T.81, annex B): its segments, dimensions and comments; no pixel is decoded."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from localcloud.rekognition.errors import DamagedImageError

SIGNATURE = b"\xff\xd8\xff"

_START_OF_IMAGE = 0xD8
_END_OF_IMAGE = 0xD9
_START_OF_SCAN = 0xDA
_COMMENT = 0xFE
_APPLICATION = range(0xE0, 0xF0)
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a length: TEM and the restarts
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # those three are tables, not frames
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # in a scan, FF 00 is data and restarts belong to the scan
#: Any number of FF may stand before a marker's own; and decoders skip what else does, with a warning (libjpeg,
#: jdmarker.c, JWRN_EXTRANEOUS_DATA).
_ANY_MARKER = re.compile(rb"\xff[^\x00\xff]")
_MOST_SEGMENTS = 10_000  # a photo has some dozens; the bound keeps a hostile file from costing seconds
_LONGEST_COMMENT = 0xFFFF - 2


@dataclass(frozen=True, slots=True)
class _Segment:
    marker: int
    start: int  # offset of the marker's FF, or of what decoders skip before it
    payload: int  # offset behind the length
    end: int


def read(body: bytes) -> tuple[int, int, tuple[str, ...]]:
    """Width and height in pixels, and the texts of the comment segments in order; what is not UTF-8 is replaced.

    Raises:
        DamagedImageError: the file does not hold together up to its end marker, or has no frame or no scan.
    """
    size: tuple[int, int] | None = None
    texts = []
    scanned = False
    for segment in _segments(body):
        if segment.marker in _START_OF_FRAME and size is None:
            if segment.end - segment.payload < 6:
                raise DamagedImageError("the JPEG's frame header is too short")
            height = int.from_bytes(body[segment.payload + 1 : segment.payload + 3], "big")
            width = int.from_bytes(body[segment.payload + 3 : segment.payload + 5], "big")
            size = (width, height)
        scanned = scanned or segment.marker == _START_OF_SCAN
        if segment.marker == _COMMENT:
            texts.append(_text(body, segment))
    if size is None or not scanned:
        raise DamagedImageError("the JPEG has no picture in it")
    if 0 in size:
        raise DamagedImageError("the JPEG's frame header gives no width or height")
    return *size, tuple(texts)


def replace_comments(body: bytes, text: str, replaced: Callable[[str], bool]) -> bytes:
    """The same picture with a comment `text`, without the comments for which `replaced` is true.

    Raises:
        DamagedImageError: as for `read`.
        ValueError: the text is longer than the 65,533 bytes of a segment.
    """
    payload = text.encode()
    if len(payload) > _LONGEST_COMMENT:
        raise ValueError(f"a JPEG comment holds {_LONGEST_COMMENT} bytes, not {len(payload)}")
    comment = bytes((0xFF, _COMMENT)) + (len(payload) + 2).to_bytes(2, "big") + payload
    segments = list(_segments(body))
    insert_at = 2
    for segment in segments:  # JFIF's and Exif's segments have to come first
        if segment.marker not in _APPLICATION:
            break
        insert_at = segment.end
    parts = [body[:insert_at], comment]
    position = insert_at
    for segment in segments:
        if segment.marker == _COMMENT and replaced(_text(body, segment)):
            parts.append(body[position : segment.start])
            position = segment.end
    parts.append(body[position:])
    return b"".join(parts)


def _text(body: bytes, segment: _Segment) -> str:
    return body[segment.payload : segment.end].rstrip(b"\x00").decode("utf-8", errors="replace")


def _segments(body: bytes) -> Iterator[_Segment]:
    """Every segment between start and end of the image. What follows the end marker is no part of the picture."""
    position = 2
    for _ in range(_MOST_SEGMENTS):
        start = position
        found = _ANY_MARKER.search(body, position)
        if found is None:
            raise DamagedImageError("the JPEG is cut off")
        position = found.start()
        marker = body[position + 1]
        if marker == _START_OF_IMAGE:
            raise DamagedImageError(f"the JPEG begins once more at byte {position}")
        if marker == _END_OF_IMAGE:
            return
        payload = end = position + 2
        if marker not in _STANDALONE:
            payload = position + 4
            end = position + 2 + int.from_bytes(body[position + 2 : payload], "big")
            if end < payload or end > len(body):
                raise DamagedImageError(f"the JPEG's segment at byte {position} does not fit into the file")
        yield _Segment(marker, start, payload, end)
        position = end
        if marker == _START_OF_SCAN:
            following = _NEXT_MARKER.search(body, end)
            if following is None:
                raise DamagedImageError("the JPEG is cut off")
            position = following.start()
    raise DamagedImageError(f"the JPEG has more than {_MOST_SEGMENTS} segments")
