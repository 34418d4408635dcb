"""The structure of a PNG file (W3C PNG, third edition): its chunks, dimensions and texts; no pixel is decompressed.

An ancillary chunk that can't be read is passed over, as decoders do (section 13.2; libpng warns).
"""

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from localcloud.rekognition.errors import DamagedImageError

SIGNATURE = b"\x89PNG\r\n\x1a\n"

#: Only this much of a text is looked at, in bytes, so that a compressed one can't grow without bound.
LONGEST_TEXT = 65_536

#: All texts of an image together, in characters: a small file may have many that are large when decompressed.
MOST_TEXT = 16 * LONGEST_TEXT

_MOST_CHUNKS = 100_000  # 15 MB in IDAT chunks of 4 KB are 4,000; the bound keeps a hostile file from costing seconds
_ANCILLARY = 0x20  # the bit of a chunk type's first byte that makes it a small letter
_TEXT_TYPES = (b"tEXt", b"zTXt", b"iTXt")


@dataclass(frozen=True, slots=True)
class _Chunk:
    type: bytes
    start: int  # offset of the length field
    data: bytes
    end: int
    is_intact: bool  # its checksum fits; a critical chunk's always does

    @property
    def text(self) -> str | None:
        """What it says, if it is a text chunk that can be read."""
        if self.type not in _TEXT_TYPES or not self.is_intact:
            return None
        try:
            return _text(self)
        except ValueError:
            return None


def read(body: bytes) -> tuple[int, int, tuple[str, ...]]:
    """Width and height in pixels, and the texts of the tEXt, zTXt and iTXt chunks in order, without their keywords.

    A text is cut at `LONGEST_TEXT`; one that can't be read is left out.

    Raises:
        DamagedImageError: a chunk is cut off, or a critical one has a wrong checksum; header, data or end are missing;
            the texts have more than `MOST_TEXT` characters.
    """
    size: tuple[int, int] | None = None
    texts = []
    has_data = False
    length = 0
    for chunk in _chunks(body):
        if size is None:
            if chunk.type != b"IHDR" or len(chunk.data) != 13:
                raise DamagedImageError("the PNG does not begin with a header chunk")
            size = (int.from_bytes(chunk.data[:4], "big"), int.from_bytes(chunk.data[4:8], "big"))
        has_data = has_data or chunk.type == b"IDAT"
        if (text := chunk.text) is not None:
            texts.append(text)
            length += len(text)
            if length > MOST_TEXT:
                raise DamagedImageError(f"the PNG's texts have more than {MOST_TEXT} characters")
    if size is None or not has_data:
        raise DamagedImageError("the PNG has no picture in it")
    if 0 in size:
        raise DamagedImageError("the PNG's header gives no width or height")
    return *size, tuple(texts)


def replace_texts(body: bytes, keyword: str, text: str, replaced: Callable[[str], bool]) -> bytes:
    """The same picture with an uncompressed text chunk, without the text chunks for which `replaced` is true.

    Raises:
        DamagedImageError: as for `read`.
    """
    written = False
    parts = [SIGNATURE]
    end = len(SIGNATURE)
    for chunk in _chunks(body):
        if (known := chunk.text) is None or not replaced(known):
            parts.append(body[chunk.start : chunk.end])
        if not written:  # behind the header, which has to come first
            parts.append(_international_text_chunk(keyword, text))
            written = True
        end = chunk.end
    parts.append(body[end:])
    return b"".join(parts)


def _international_text_chunk(keyword: str, text: str) -> bytes:
    content = b"iTXt" + keyword.encode("latin-1") + b"\x00\x00\x00\x00\x00" + text.encode()
    return (len(content) - 4).to_bytes(4, "big") + content + zlib.crc32(content).to_bytes(4, "big")


def _text(chunk: _Chunk) -> str:
    """The text of a text chunk.

    Raises:
        ValueError: it is not of the shape of its type, or can't be decompressed.
    """
    keyword, separator, rest = chunk.data.partition(b"\x00")
    if not keyword or not separator:
        raise ValueError("no keyword")
    if chunk.type == b"tEXt":
        return rest[:LONGEST_TEXT].decode("latin-1")
    if chunk.type == b"zTXt":
        return _inflate(rest[:1], rest[1:]).decode("latin-1")
    _language, _, translated = rest[2:].partition(b"\x00")
    _keyword, separator, content = translated.partition(b"\x00")
    if len(rest) < 2 or not separator:
        raise ValueError("too short")
    if rest[0]:
        content = _inflate(rest[1:2], content)
    return content[:LONGEST_TEXT].decode("utf-8", errors="replace")


def _inflate(method: bytes, content: bytes) -> bytes:
    if method != b"\x00":
        raise ValueError("an unknown compression")
    try:
        return zlib.decompressobj().decompress(content, LONGEST_TEXT)
    except zlib.error as error:
        raise ValueError("can't be decompressed") from error


def _chunks(body: bytes) -> Iterator[_Chunk]:
    """Every chunk up to the end chunk, its checksum verified. What follows the end chunk is no part of the picture."""
    position = len(SIGNATURE)
    for _ in range(_MOST_CHUNKS):
        length = int.from_bytes(body[position : position + 4], "big")
        end = position + 12 + length
        if end > len(body):
            raise DamagedImageError("the PNG is cut off")
        content = memoryview(body)[position + 4 : end - 4]
        is_intact = zlib.crc32(content) == int.from_bytes(body[end - 4 : end], "big")
        is_critical = not content[0] & _ANCILLARY
        if is_critical and not is_intact:
            raise DamagedImageError(f"the PNG's chunk at byte {position} has a wrong checksum")
        chunk = _Chunk(bytes(content[:4]), position, bytes(content[4:]), end, is_intact)
        yield chunk
        if chunk.type == b"IEND":
            return
        position = end
    raise DamagedImageError(f"the PNG has more than {_MOST_CHUNKS} chunks")
