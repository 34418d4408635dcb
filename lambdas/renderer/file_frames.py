"""The frames of a GIF or a PNG, along its blocks: before a decoder looks, and to see each of them alone.

Decoders and browsers differ in how they read on after damage, and in what they make of a block that is not where it
belongs. A file whose blocks do not hold together up to the end is refused, and so is one that has such a block, so that
nobody sees a frame or a color that was not counted.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from gatehouse.moderation.rendition import RefusalCode, RefusedError
from lambdas.renderer.composition import Afterwards, Animation, Part

_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
#: Of a chunk: the length of its data and its type stand before the data, a checksum behind it.
_CHUNK: Final = struct.Struct(">I4s")
_CHECKSUM_BYTES: Final = 4

#: Logical screen, and before each frame its place and size, and the flags of a color table (GIF89a, 18 and 20).
_SCREEN: Final = struct.Struct("<6sHHBBB")
_IMAGE: Final = struct.Struct("<BHHHHB")
_HAS_COLORS: Final = 0x80
#: A color table of 256. What a smaller one does not have is black in browsers; with Pillow it may be grey.
_ALL_COLORS: Final = 0x87
_TABLE_BYTES: Final = 3 * 256
_IS_INTERLACED: Final = 0x40
#: Graphic Control Extension (GIF89a, 23): label, length, flags, delay, transparent color, end.
_CONTROL: Final = struct.Struct("<BBBHBB")
_CONTROL_LABEL: Final = 0xF9
_TEXT_LABEL: Final = 0x01
_IS_TRANSPARENT: Final = 0x01
#: Some programs write 4 for 3, and browsers take it for that; other numbers mean nothing.
_GIF_AFTERWARDS: Final = {2: Afterwards.CLEARED, 3: Afterwards.RESTORED, 4: Afterwards.RESTORED}


def read_gif(body: bytes, most: int) -> Animation:
    """The frames of a GIF, animated or not. The first one makes the canvas as large as itself; later ones are cut.

    Raises:
        RefusedError: the file is damaged or cut off, shows nothing, or has more frames than `most`.
    """
    try:
        return _gif(body, most)
    except (IndexError, struct.error):
        raise _damaged("GIF") from None


def _gif(body: bytes, most: int) -> Animation:
    _, width, height, flags, _, _ = _SCREEN.unpack_from(body)
    colors = _Colors(flags, _SCREEN.size)
    position = colors.end
    parts: list[Part] = []
    control: bytes | None = None
    while (kind := body[position]) != ord(";"):
        if kind == ord(","):
            if len(parts) == most:
                raise _too_many(most)
            part, position = _gif_part(body, position, colors, control)
            parts.append(part)
            control = None
        elif kind == ord("!"):
            label = body[position + 1]
            if label in (_CONTROL_LABEL, _TEXT_LABEL) and control is not None:
                raise _damaged("GIF")  # it is said nowhere which frame it speaks of
            if label == _CONTROL_LABEL:
                control = body[position + 1 : position + 1 + _CONTROL.size]
                if len(control) < _CONTROL.size or (control[1], control[-1]) != (4, 0):
                    raise _damaged("GIF")
            position = _end_of_blocks(body, position + 2)
        elif kind == 0:  # an end too many, which some programs write
            position += 1
        else:
            raise _damaged("GIF")
    if not parts:
        raise _damaged("GIF")
    first = parts[0]
    return Animation(max(width, first.left + first.width), max(height, first.top + first.height), tuple(parts))


@dataclass(frozen=True, slots=True)
class _Colors:
    """A color table of a GIF: the flags that tell its size, and where it begins."""

    flags: int
    start: int

    @property
    def end(self) -> int:
        return self.start + (3 << ((self.flags & 7) + 1) if self.flags & _HAS_COLORS else 0)


def _gif_part(body: bytes, position: int, common: _Colors, control: bytes | None) -> tuple[Part, int]:
    """A frame, and where it ends."""
    _, left, top, width, height, flags = _IMAGE.unpack_from(body, position)
    own = _Colors(flags, position + _IMAGE.size)
    start = own.end
    end = _end_of_blocks(body, start + 1)
    colors = own if own.flags & _HAS_COLORS else common
    if not (width and height and colors.flags & _HAS_COLORS):  # nobody says what color it is
        raise _damaged("GIF")
    said, transparent = (control[2], control[5]) if control else (0, 0)
    extension = b""
    if said & _IS_TRANSPARENT:
        extension = b"!" + _CONTROL.pack(_CONTROL_LABEL, 4, _IS_TRANSPARENT, 0, transparent, 0)

    def file() -> bytes:
        return b"".join(
            (
                _SCREEN.pack(b"GIF89a", width, height, _ALL_COLORS, 0, 0),
                body[colors.start : colors.end].ljust(_TABLE_BYTES, b"\0"),
                extension,
                _IMAGE.pack(ord(","), 0, 0, width, height, flags & _IS_INTERLACED),
                body[start:end],
                b";",
            )
        )

    return Part(left, top, width, height, file, _GIF_AFTERWARDS.get(said >> 2 & 7, Afterwards.KEPT)), end


def _end_of_blocks(body: bytes, position: int) -> int:
    while length := body[position]:
        position += 1 + length
    return position + 1


#: Kinds of color of a PNG, and what its chunk of a transparent color has then (PNG Specification, tRNS).
_GREY, _RGB, _PALETTE = 0, 2, 3

#: Chunks that say how pixels are shown, once, and before the first of them.
_SAYS_COLORS: Final = frozenset({b"PLTE", b"tRNS", b"iCCP", b"gAMA", b"cHRM", b"sRGB", b"cICP"})

#: Those, and the one that turns the picture, which may stand anywhere, that a frame's own file needs.
_COPIED: Final = frozenset({b"PLTE", b"tRNS", b"iCCP", b"eXIf"})

#: Of what an encoder assumed, in 100,000ths: 1/2.2, and what was customary before, which changes a picture little.
_GAMMAS: Final = range(41_000, 56_001)

#: White point, red, green and blue of sRGB, and how far others may be away: Display P3 and Adobe RGB are not as far.
_CHROMATICITIES: Final = (31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000)
_NEAR: Final = 12_000

#: ITU-T H.273: primaries and transfer of BT.709 and sRGB; RGB, and all of its range.
_PRIMARIES: Final = 1
_TRANSFERS: Final = frozenset({1, 6, 13})

_AFTERWARDS: Final = (Afterwards.KEPT, Afterwards.CLEARED, Afterwards.RESTORED)
_HEADER: Final = struct.Struct(">IIBBBBB")
_FRAME: Final = struct.Struct(">IIIIIHHBB")


@dataclass(slots=True)
class _Frame:
    """A frame of an animated PNG: what its chunk says, and where its data is."""

    control: tuple[int, ...]
    pieces: list[tuple[int, int]] = field(default_factory=list)


def read_png(body: bytes, most: int) -> Animation | None:
    """The frames of an animated PNG (PNG Specification, third edition, "APNG: frame-based animation"), or None.

    A default image that is no part of the animation is a frame here: programs that know no animation show it.

    Raises:
        RefusedError: the chunks do not hold together up to the last one, the file says another number of frames than it
            has, or more than `most`; or it says colors that browsers do not show alike (`UnsupportedFormat`).
    """
    try:
        return _Png(body, most).read()
    except struct.error:
        raise _damaged("PNG") from None


@dataclass(slots=True)
class _Png:
    body: bytes
    most: int
    said: int | None = None
    was_early: bool = False
    sequence: int = 0
    default: list[tuple[int, int]] = field(default_factory=list)
    frames: list[_Frame] = field(default_factory=list)
    colors: dict[bytes, bytes] = field(default_factory=dict)

    def read(self) -> Animation | None:
        for kind, start, end in _chunks(self.body):
            if kind == b"acTL" and not self.has_pixels:
                if self.said is not None or self.was_early or end - start != 8:
                    raise _damaged("PNG")
                self.said = int.from_bytes(self.body[start : start + 4], "big")
                if self.said > self.most:
                    raise _too_many(self.most)
            elif kind in (b"fcTL", b"fdAT"):
                self._animate(kind, start, end)
            elif kind == b"IDAT":
                if len(self.frames) > 1 or (self.frames and self.default):
                    raise _damaged("PNG")
                (self.frames[0].pieces if self.frames else self.default).append((start, end))
            elif kind in _SAYS_COLORS or kind in (b"IHDR", b"eXIf"):
                self._color(kind, start, end)
        if not self.has_pixels or b"IHDR" not in self.colors:
            raise _damaged("PNG")
        _check_transparency(self.colors)
        _check_colors(self.colors)
        if self.said is None:
            return None
        if self.said == 0 or self.said != len(self.frames):
            raise RefusedError(RefusalCode.UNREADABLE_IMAGE, "the PNG says another number of frames than it has")
        return self._animation()

    def _color(self, kind: bytes, start: int, end: int) -> None:
        if kind in self.colors or (self.has_pixels and kind != b"eXIf"):
            raise _damaged("PNG")  # decoders differ in which of them they believe, and whether they do
        if kind == b"tRNS" and b"PLTE" not in self.colors and self._header[3] == _PALETTE:
            raise _damaged("PNG")
        if kind == b"IHDR" and (end - start != _HEADER.size or self.colors):
            raise _damaged("PNG")
        self.colors[kind] = self.body[start:end]

    @property
    def has_pixels(self) -> bool:
        """Whether some were seen already."""
        return bool(self.default or (self.frames and self.frames[0].pieces))

    @property
    def _header(self) -> tuple[int, ...]:
        return _HEADER.unpack(self.colors.get(b"IHDR", b""))

    def _animate(self, kind: bytes, start: int, end: int) -> None:
        if self.said is None:
            self.was_early = True
            return  # no animation, and to browsers chunks that they do not know
        if int.from_bytes(self.body[start : start + 4], "big") != self.sequence:
            raise _damaged("PNG")
        self.sequence += 1
        if kind == b"fcTL":
            if self.frames and not self.frames[-1].pieces:
                raise _damaged("PNG")
            if len(self.frames) == self.said:
                raise RefusedError(RefusalCode.UNREADABLE_IMAGE, "the PNG says another number of frames than it has")
            self.frames.append(_Frame(_FRAME.unpack(self.body[start:end])))
        else:
            is_first = len(self.frames) == 1 and not self.default
            if not self.frames or is_first or end - start < 4:
                raise _damaged("PNG")
            self.frames[-1].pieces.append((start + 4, end))

    def _animation(self) -> Animation:
        width, height = self._header[:2]
        parts = []
        if self.default:
            parts.append(Part(0, 0, width, height, partial(self._file, width, height, self.default), is_alone=True))
        for number, frame in enumerate(self.frames):
            _, wide, high, left, top, _, _, afterwards, blending = frame.control
            is_whole = (wide, high, left, top) == (width, height, 0, 0)
            is_inside = 0 < wide <= width - left and 0 < high <= height - top
            if not (frame.pieces and is_inside and afterwards < 3 and blending < 2):
                raise _damaged("PNG")
            if number == 0 and not self.default and not is_whole:
                raise _damaged("PNG")
            file = partial(self._file, wide, high, frame.pieces)
            parts.append(Part(left, top, wide, high, file, _AFTERWARDS[afterwards], bool(blending)))
        return Animation(width, height, tuple(parts))

    def _file(self, width: int, height: int, pieces: Sequence[tuple[int, int]]) -> bytes:
        header = struct.pack(">II", width, height) + self.colors[b"IHDR"][8:]
        return b"".join(
            (
                _PNG_SIGNATURE,
                _chunk(b"IHDR", header),
                *(_chunk(kind, data) for kind, data in self.colors.items() if kind in _COPIED),
                _chunk(b"IDAT", b"".join(self.body[start:end] for start, end in pieces)),
                _chunk(b"IEND", b""),
            )
        )


def _chunks(body: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Each chunk's type, and where its data begins and ends. Checksums of animations and colors have to be right."""
    position, is_animated = len(_PNG_SIGNATURE), False
    view = memoryview(body)
    while True:
        if position + _CHUNK.size + _CHECKSUM_BYTES > len(body):
            raise _damaged("PNG")
        length, kind = _CHUNK.unpack_from(body, position)
        start, end = position + _CHUNK.size, position + _CHUNK.size + length
        position = end + _CHECKSUM_BYTES
        if position > len(body):
            raise _damaged("PNG")
        is_animated = is_animated or kind == b"acTL"
        if is_animated or kind in _SAYS_COLORS:
            checksum = int.from_bytes(body[end:position], "big")
            if zlib.crc32(view[start - 4 : end]) != checksum:
                raise _damaged("PNG")
        if kind == b"IEND":
            return
        yield kind, start, end


def _chunk(kind: bytes, data: bytes) -> bytes:
    return _CHUNK.pack(len(data), kind) + data + zlib.crc32(data, zlib.crc32(kind)).to_bytes(4, "big")


def _check_transparency(chunks: dict[bytes, bytes]) -> None:
    """Refuse transparent colors that a browser finds in other pixels than Pillow."""
    _, _, depth, color, _, _, _ = _HEADER.unpack(chunks[b"IHDR"])
    if (data := chunks.get(b"tRNS")) is None:
        return
    if color == _PALETTE:
        if len(data) > len(chunks[b"PLTE"]) // 3:
            raise _damaged("PNG")
        return
    if color not in (_GREY, _RGB):
        raise _damaged("PNG")
    if len(data) != (2 if color == _GREY else 6):
        raise _damaged("PNG")
    values = struct.unpack(f">{len(data) // 2}H", data)
    # In one bit any odd number is white, which some programs write as 255.
    if any(bool(value) != value & 1 if depth == 1 else value >= 1 << depth for value in values):
        raise _damaged("PNG")
    if depth not in (1, 8):  # compared after the value's bits were dropped or added
        raise _other_colors("a transparent color in 2, 4 or 16 bits")


def _check_colors(chunks: dict[bytes, bytes]) -> None:
    """Refuse what is said of colors where browsers apply it and Pillow does not."""
    if said := chunks.get(b"cICP"):
        primaries, transfer, *rest = said
        if primaries != _PRIMARIES or transfer not in _TRANSFERS or rest != [0, 1]:
            raise _other_colors("cICP")
    if b"sRGB" in chunks or b"iCCP" in chunks or b"cICP" in chunks:
        return  # which count more than the two others
    if (gamma := chunks.get(b"gAMA")) is not None and int.from_bytes(gamma, "big") not in _GAMMAS:
        raise _other_colors("gAMA")
    if (points := chunks.get(b"cHRM")) is not None:
        found = struct.unpack(">8I", points)
        if any(abs(a - b) > _NEAR for a, b in zip(found, _CHROMATICITIES, strict=True)):
            raise _other_colors("cHRM")


def _other_colors(name: str) -> RefusedError:
    return RefusedError(RefusalCode.UNSUPPORTED_FORMAT, f"colors that are not shown alike ({name})")


def _damaged(name: str) -> RefusedError:
    return RefusedError(RefusalCode.UNREADABLE_IMAGE, f"the {name} is damaged or cut off")


def _too_many(most: int) -> RefusedError:
    return RefusedError(RefusalCode.TOO_MANY_FRAMES, f"more than {most} frames")
