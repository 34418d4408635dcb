"""The boxes of an AVIF or a HEIC (ISO/IEC 14496-12, 23008-12): what they say of how it is shown that is not done here.

A file may hold an animation and a picture of its own beside it, and programs differ in which of them they show. It may
say that only a part is shown, or that its values are light as a television or a camera measures it.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from gatehouse.moderation.image_format import ImageFormat
from gatehouse.moderation.rendition import RefusalCode, RefusedError
from lambdas.renderer.av1_colors import transfer_of

_HEADER_BYTES: Final = 8
#: Boxes of a file that are looked at. A photo in tiles has some hundred.
_MOST_BOXES: Final = 10_000

_MAJOR_BRAND_AT: Final = 8
_ANIMATION: Final = b"avis"
_PICTURE: Final = b"avif"
#: Between the headers of a track's sample entry and its boxes.
_VISUAL_BYTES: Final = 78
_TRACK: Final = (b"trak", b"mdia", b"minf", b"stbl", b"stsd")

#: An item that says how another looks on brighter screens; its properties are not of what others show.
_TONE_MAPPED: Final = b"tmap"

#: Tables of where a track's samples lie, and the bytes of a number in them.
_OFFSETS: Final = {b"stco": 4, b"co64": 8}
_AV1: Final = b"av01"
#: Of a picture: in them it says its colors.
_HEAD_BYTES: Final = 256

#: ITU-T H.273: BT.709, unspecified, BT.601, sRGB.
_TRANSFERS: Final = frozenset({1, 2, 6, 13})


@dataclass(slots=True)
class _Walk:
    body: bytes
    boxes: int = 0

    def inside(self, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
        """Each box's type, and where its content begins and ends.

        Raises:
            RefusedError: they do not fit into one another.
        """
        while start < end:
            self.boxes += 1
            if self.boxes > _MOST_BOXES or start + _HEADER_BYTES > end:
                raise _damaged()
            size, kind = struct.unpack_from(">I4s", self.body, start)
            content = start + _HEADER_BYTES
            if size == 1:
                (size,) = struct.unpack_from(">Q", self.body, content)
                content += 8
            stop = end if size == 0 else start + size
            if not content <= stop <= end:
                raise _damaged()
            yield kind, content, stop
            start = stop


@dataclass(slots=True)
class _Meta:
    """What a file says of its items.

    Attributes:
        properties: in order; an association names them from 1.
        kinds: of the items.
        associated: number of a property -> items it belongs to.
        extents: item -> parts of the file that it consists of: where they begin, and their lengths.
        inside: the same for items that lie in the box `idat`, whose content begins at `data`.
    """

    has_primary: bool = False
    properties: list[tuple[bytes, bytes]] = field(default_factory=list)
    kinds: dict[int, bytes] = field(default_factory=dict)
    associated: dict[int, set[int]] = field(default_factory=dict)
    extents: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    inside: list[tuple[int, list[tuple[int, int]]]] = field(default_factory=list)
    data: int = 0

    def shown(self) -> Sequence[tuple[bytes, bytes]]:
        """Properties but those of tone-mapped items alone."""
        return [
            one
            for number, one in enumerate(self.properties, 1)
            if not (items := self.associated.get(number)) or any(self.kinds.get(item) != _TONE_MAPPED for item in items)
        ]


def has_two_pictures(body: bytes, image_format: ImageFormat) -> bool:
    """Whether an AVIF holds an animation and a picture of its own beside it, as animations should have.

    Raises:
        RefusedError: the boxes do not hold together (`UnreadableImage`), or say that something else is shown than is
            decoded here (`UnsupportedFormat`).
    """
    try:
        return _has_two_pictures(body, image_format)
    except (IndexError, struct.error):
        raise _damaged() from None


def _has_two_pictures(body: bytes, image_format: ImageFormat) -> bool:
    walk, meta, samples = _Walk(body), _Meta(), list[int]()
    entries: list[tuple[bytes, bytes]] = []
    seen: list[bytes] = []
    for kind, start, end in walk.inside(0, len(body)):
        seen.append(kind)
        if kind == b"meta":
            _read_meta(walk, meta, start + 4, end)
        elif kind == b"moov":
            for table, content in _of_tracks(walk, start, end):
                if table in _OFFSETS:
                    samples.append(int.from_bytes(content[8 : 8 + _OFFSETS[table]], "big"))
                else:
                    entries.append((table, content))
    if max(map(seen.count, (b"ftyp", b"meta", b"moov"))) > 1:
        raise _damaged()
    is_avif, has_animation = image_format is ImageFormat.AVIF, b"moov" in seen
    for kind, content in (*meta.shown(), *entries):
        if kind == b"colr" and content[:4] == b"nclx" and struct.unpack_from(">H", content, 6)[0] not in _TRANSFERS:
            raise _not_alike("colors of another transfer")
        if kind == b"clap" and is_avif:
            raise _not_alike("a part that is shown of more")
    if is_avif:
        _check_pictures(body, meta, samples)
    if not has_animation:
        return False
    brand = body[_MAJOR_BRAND_AT : _MAJOR_BRAND_AT + 4]
    if not is_avif or (meta.has_primary and brand not in (_ANIMATION, _PICTURE)):
        raise _not_alike("an animation that not all programs show")
    return meta.has_primary


def as_animation(body: bytes) -> bytes:
    """The same file, for a reader that shows the animation of an AVIF that has a picture beside it."""
    return body[:_MAJOR_BRAND_AT] + _ANIMATION + body[_MAJOR_BRAND_AT + 4 :]


def as_picture(body: bytes) -> bytes:
    """The same file, for a reader that shows the picture."""
    return body[:_MAJOR_BRAND_AT] + _PICTURE + body[_MAJOR_BRAND_AT + 4 :]


def _read_meta(walk: _Walk, meta: _Meta, start: int, end: int) -> None:
    for kind, content, stop in walk.inside(start, end):
        if kind == b"pitm":
            meta.has_primary = True
        elif kind == b"iloc":
            _read_places(walk.body[content:stop], meta)
        elif kind == b"idat":
            meta.data = content
        elif kind == b"iinf":
            count_bytes = 4 if walk.body[content] else 2
            for name, first, _ in walk.inside(content + 4 + count_bytes, stop):
                if name == b"infe":
                    _read_item(walk.body, meta, first)
        elif kind == b"iprp":
            for name, first, last in walk.inside(content, stop):
                if name == b"ipco":
                    found = [(one, walk.body[a:b]) for one, a, b in walk.inside(first, last)]
                    meta.properties += found
                elif name == b"ipma":
                    _read_associations(walk.body[first:last], meta)


def _read_item(body: bytes, meta: _Meta, start: int) -> None:
    version = body[start]
    if version >= 2:
        layout = ">H2x4s" if version == 2 else ">I2x4s"
        number, kind = struct.unpack_from(layout, body, start + 4)
        if number in meta.kinds:
            raise _damaged()
        meta.kinds[number] = kind


def _read_associations(data: bytes, meta: _Meta) -> None:
    version, is_wide = data[0], data[3] & 1
    (count,) = struct.unpack_from(">I", data, 4)
    position = 8
    for _ in range(count):
        item = int.from_bytes(data[position : position + (4 if version else 2)], "big")
        position += 4 if version else 2
        many = data[position]
        position += 1
        for _ in range(many):
            (said,) = struct.unpack_from(">H" if is_wide else ">B", data, position)
            meta.associated.setdefault(said & (0x7FFF if is_wide else 0x7F), set()).add(item)
            position += 1 + is_wide


def _read_places(data: bytes, meta: _Meta) -> None:
    version, sizes = data[0], int.from_bytes(data[4:6], "big")
    offset_bytes, length_bytes, base_bytes = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_bytes = sizes & 15 if version else 0
    number_bytes = 4 if version == 2 else 2
    position = 6

    def take(count: int) -> int:
        nonlocal position
        if position + count > len(data):
            raise IndexError
        position += count
        return int.from_bytes(data[position - count : position], "big")

    for _ in range(take(number_bytes)):
        item = take(number_bytes)
        method = take(2) & 15 if version else 0
        take(2)
        base = take(base_bytes)
        extents = []
        for _ in range(take(2)):
            take(index_bytes)
            offset, length = take(offset_bytes), take(length_bytes)
            extents.append((base + offset, length))
        if method:
            meta.inside.append((item, extents))
        else:
            meta.extents[item] = extents


def _check_pictures(body: bytes, meta: _Meta, samples: Sequence[int]) -> None:
    """Refuse a transfer that a picture says itself. It counts where the file says none."""
    places = dict(meta.extents)
    for item, extents in meta.inside:
        places[item] = [(meta.data + start, length) for start, length in extents]
    heads = []
    for item, kind in meta.kinds.items():
        if kind == _AV1:
            parts = (body[start : start + (length or _HEAD_BYTES)] for start, length in places.get(item, []))
            heads.append(b"".join(parts)[:_HEAD_BYTES])
    heads += [body[start : start + _HEAD_BYTES] for start in samples]
    try:
        transfers = set(map(transfer_of, heads))
    except ValueError:
        raise _damaged() from None
    if transfers - _TRANSFERS:
        raise _not_alike("colors of another transfer")


def _of_tracks(walk: _Walk, start: int, end: int, path: Sequence[bytes] = _TRACK) -> Iterator[tuple[bytes, bytes]]:
    """The boxes of the sample entries of all tracks of pictures, and of all tracks the tables of where samples are."""
    if not path:  # in `stsd`, whose entries are what is looked for
        for kind, content, stop in walk.inside(start + 8, end):
            if kind == _AV1:
                yield from ((one, walk.body[a:b]) for one, a, b in walk.inside(content + _VISUAL_BYTES, stop))
        return
    for kind, content, stop in walk.inside(start, end):
        if kind == path[0]:
            yield from _of_tracks(walk, content, stop, path[1:])
        elif kind in _OFFSETS and path == _TRACK[-1:]:
            yield kind, walk.body[content:stop]


def _not_alike(what: str) -> RefusedError:
    return RefusedError(RefusalCode.UNSUPPORTED_FORMAT, f"not shown alike: {what}")


def _damaged() -> RefusedError:
    return RefusedError(RefusalCode.UNREADABLE_IMAGE, "the file's boxes are damaged or cut off")
