"""AVIFs and HEICs with other boxes than their writers give them."""

import struct
from collections.abc import Iterator, Sequence

Path = Sequence[bytes]


def box(kind: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def clap(width: int, height: int) -> bytes:
    return box(b"clap", struct.pack(">8I", width, 1, height, 1, 0, 1, 0, 1))


def nclx(transfer: int) -> bytes:
    return box(b"colr", b"nclx" + struct.pack(">HHHB", 1, transfer, 6, 0x80))


def _inside(file: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    while start < end:
        size, kind = struct.unpack_from(">I4s", file, start)
        yield kind, start, start + size
        start += size


def place(file: bytes, path: Path) -> list[int]:
    """Where the boxes along the path begin."""
    found: list[int] = []
    start, end = 0, len(file)
    for kind in path:
        start, end = next((first, last) for name, first, last in _inside(file, start, end) if name == kind)
        found.append(start)
        start += {b"meta": 12, b"stsd": 16, b"av01": 86}.get(kind, 8)
    return found


def with_box(file: bytes, path: Path, content: bytes) -> bytes:
    """The file with more at the end of the box at the path. The picture of an AVIF is found where it is moved to."""
    changed = bytearray(file)
    along = place(file, path)
    for start in along:
        (size,) = struct.unpack_from(">I", file, start)
        struct.pack_into(">I", changed, start, size + len(content))
    (size,) = struct.unpack_from(">I", file, along[-1])
    end = along[-1] + size
    if path[0] == b"meta" and file[8:12] in (b"avif", b"avis"):
        where = place(file, (b"meta", b"iloc"))[-1] + _EXTENT_AT
        struct.pack_into(">I", changed, where, struct.unpack_from(">I", file, where)[0] + len(content))
    return bytes(changed[:end] + content + changed[end:])


def with_brand(file: bytes, brand: bytes) -> bytes:
    return file[:8] + brand + file[12:]


def with_transfer(file: bytes, transfer: int) -> bytes:
    """All of its `nclx` say another transfer."""
    changed, at = bytearray(file), -1
    while (at := file.find(b"colrnclx", at + 1)) >= 0:
        struct.pack_into(">H", changed, at + 10, transfer)
    return bytes(changed)


def with_own_transfer(file: bytes, transfer: int) -> bytes:
    """An AVIF that says no transfer, and whose picture says this one, for one of libaom's writing.

    Its sequence header has the three numbers of its colors somewhere between its bits: primaries 1, transfer 13 and
    matrix 6 are looked for.
    """
    silent = file.replace(b"colrnclx", b"freenclx")
    start = silent.index(b"mdat") + 4
    number = int.from_bytes(silent[start : start + 24], "big")
    said = 1 << 16 | 13 << 8 | 6
    (shift,) = (n for n in range(168) if number >> n & 0xFFFFFF == said)
    number ^= (13 ^ transfer) << shift + 8
    return silent[:start] + number.to_bytes(24, "big") + silent[start + 24 :]


def with_primary_of(animation: bytes, still: bytes) -> bytes:
    """An animation whose picture beside it is that of another file, at its end."""
    _, where = place(still, (b"meta", b"iloc"))
    offset, length = _extent(still, where)
    changed = bytearray(animation + box(b"mdat", still[offset : offset + length]))
    _, where = place(animation, (b"meta", b"iloc"))
    struct.pack_into(">II", changed, where + _EXTENT_AT, len(animation) + 8, length)
    return bytes(changed)


#: In `iloc` of version 0 as libavif writes it: sizes of 4 bytes, one item, whose one extent stands last.
_EXTENT_AT = 8 + 4 + 2 + 2 + 2 + 2 + 2


def _extent(file: bytes, where: int) -> tuple[int, int]:
    offset, length = struct.unpack_from(">II", file, where + _EXTENT_AT)
    return offset, length
