"""Which color profiles are believed: those that every reader of them applies alike (ICC.1:2022).

A profile is a program that turns pixels into colors. One with two readings, or one whose curves go up and down, can
turn one picture into two: what lcms shows, and what a browser shows that does not read it, reads another part of it, or
makes the picture smaller first. Profiles of cameras, screens and editors are three curves and a matrix, or one curve
for grey; printers' are tables, which are taken for CMYK alone. All else is refused.
"""

import struct
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from itertools import accumulate
from typing import Final

from gatehouse.moderation.rendition import RefusalCode, RefusedError


class ColorSpace(StrEnum):
    """What a profile is for."""

    RGB = "RGB "
    GREY = "GRAY"
    CMYK = "CMYK"


#: Version at 8, class at 12, color space at 16, connection space at 20, signature at 36; then the tags.
_HEADER_BYTES: Final = 128
_MOST_VERSION: Final = 4
_CLASSES: Final = frozenset({b"mntr", b"scnr", b"prtr", b"spac"})
_TAG: Final = struct.Struct(">4sII")
_MOST_TAGS: Final = 100

_CURVES: Final = (b"rTRC", b"gTRC", b"bTRC")
_COLORANTS: Final = (b"rXYZ", b"gXYZ", b"bXYZ")
_GREY_CURVE: Final = b"kTRC"
_TABLES: Final = (b"A2B", b"D2B")
_TO_CONNECTION: Final = b"A2B0"
#: Code points that count more than curves to some readers. Transfers: BT.709, unspecified, BT.601, sRGB.
_CODE_POINTS: Final = b"cicp"
_TRANSFERS: Final = frozenset({1, 2, 6, 13})

#: Of a curve: places that are looked at; how far it may fall back, for some are measured; where it may begin, be in the
#: middle, and end. A gamma of 0.2 to 5 does that.
_PLACES: Final = 1_024
_FALL: Final = 0.005
_MOST_BLACK, _LEAST_WHITE = 0.1, 0.9
_MIDDLE: Final = (0.02, 0.9)

#: Numbers of parameters of a parametric curve, by its kind.
_PARAMETERS: Final = (1, 3, 4, 5, 7)

_Curve = Callable[[float], float]


def color_space_of(profile: bytes) -> ColorSpace:
    """What a profile is for, if it is one that is believed.

    Raises:
        RefusedError: it is none (`UnsupportedFormat`).
    """
    try:
        return _color_space(profile)
    except (ValueError, KeyError, ArithmeticError, struct.error) as error:
        raise RefusedError(RefusalCode.UNSUPPORTED_FORMAT, "a color profile that is not applied alike") from error


def _color_space(profile: bytes) -> ColorSpace:
    tags = _tags(profile)
    space = ColorSpace(profile[16:20].decode("latin-1"))
    connection = profile[20:24]
    tables = {tag for tag in tags if tag[:3] in _TABLES}
    if _CODE_POINTS in tags and tags[_CODE_POINTS][9] not in _TRANSFERS:
        raise ValueError
    if space is ColorSpace.CMYK:
        if _TO_CONNECTION not in tables or any(tag.startswith(b"D2B") for tag in tables):
            raise ValueError
        return space
    if tables:
        raise ValueError
    if space is ColorSpace.GREY:
        if connection not in (b"XYZ ", b"Lab "):
            raise ValueError
        _check_curve(_curve(tags[_GREY_CURVE]))
        return space
    if connection != b"XYZ ":
        raise ValueError
    for tag in _CURVES:
        _check_curve(_curve(tags[tag]))
    _check_matrix([_xyz(tags[tag]) for tag in _COLORANTS])
    return space


def _tags(profile: bytes) -> Mapping[bytes, bytes]:
    said, count = int.from_bytes(profile[:4], "big"), int.from_bytes(profile[_HEADER_BYTES : _HEADER_BYTES + 4], "big")
    end = _HEADER_BYTES + 4 + count * _TAG.size
    if not end <= said <= len(profile) or count > _MOST_TAGS or profile[36:40] != b"acsp":
        raise ValueError
    if profile[8] > _MOST_VERSION or profile[12:16] not in _CLASSES:
        raise ValueError
    tags: dict[bytes, bytes] = {}
    for name, start, size in _TAG.iter_unpack(profile[_HEADER_BYTES + 4 : end]):
        if name in tags or start < end or start + size > said:
            raise ValueError
        tags[name] = profile[start : start + size]
    return tags


def _xyz(data: bytes) -> Sequence[float]:
    kind, *values = struct.unpack(">4s4x3i", data[:20])
    if kind != b"XYZ ":
        raise ValueError
    return [value / 65_536 for value in values]


def _check_matrix(columns: Sequence[Sequence[float]]) -> None:
    """Refuse a matrix that is not one of colors: white stays white, and no color is lost."""
    red, green, blue = columns
    determinant = (
        red[0] * (green[1] * blue[2] - green[2] * blue[1])
        - green[0] * (red[1] * blue[2] - red[2] * blue[1])
        + blue[0] * (red[1] * green[2] - red[2] * green[1])
    )
    white = [sum(values) for values in zip(*columns, strict=True)]
    is_white = 0.8 <= white[0] <= 1.1 and 0.9 <= white[1] <= 1.1 and 0.6 <= white[2] <= 1.3
    if not is_white or abs(determinant) < 0.01 or max(abs(value) for column in columns for value in column) > 2:
        raise ValueError


def _curve(data: bytes) -> _Curve:
    if data[:4] == b"curv":
        return _sampled(data)
    if data[:4] == b"para":
        return _parametric(data)
    raise ValueError


def _sampled(data: bytes) -> _Curve:
    (count,) = struct.unpack_from(">I", data, 8)
    if count > (len(data) - 12) // 2:
        raise ValueError
    if count == 0:
        return lambda x: x
    values = struct.unpack_from(f">{count}H", data, 12)
    if count == 1:
        return lambda x: float(x ** (values[0] / 256))
    if any(value < most - _FALL * 65_535 for value, most in zip(values, accumulate(values, max), strict=True)):
        raise ValueError
    return lambda x: _between(values, x * (count - 1)) / 65_535


def _between(values: Sequence[int], place: float) -> float:
    low = min(int(place), len(values) - 2)
    return values[low] + (values[low + 1] - values[low]) * (place - low)


def _parametric(data: bytes) -> _Curve:
    (kind,) = struct.unpack_from(">H", data, 8)
    if kind >= len(_PARAMETERS):
        raise ValueError
    said = [value / 65_536 for value in struct.unpack_from(f">{_PARAMETERS[kind]}i", data, 12)]
    g, a, b, c, d, e, f = (*said, 1, 0, 0, 0, 0, 0)[:7] if kind == 0 else (*said, 0, 0, 0, 0)[:7]
    if kind in (1, 2):  # below -b/a it is flat, at 0 or at what is added to all of it
        e, f, c, d = c, c, 0, -b / a
    elif kind == 3:
        e = f = 0
    if min(g, a) <= 0 or min(c, d, a * d + b) < -1e-4:
        raise ValueError  # browsers know no such curve
    return lambda x: float(max(a * x + b, 0) ** g + e if x >= d else c * x + f)


def _check_curve(curve: _Curve) -> None:
    """Refuse one that does not rise from black to white, or that makes nearly all values one."""
    values = [min(max(curve(n / (_PLACES - 1)), 0), 1) for n in range(_PLACES)]
    if any(value < most - _FALL for value, most in zip(values, accumulate(values, max), strict=True)):
        raise ValueError
    middle = values[_PLACES // 2]
    if values[0] > _MOST_BLACK or values[-1] < _LEAST_WHITE or not _MIDDLE[0] <= middle <= _MIDDLE[1]:
        raise ValueError
