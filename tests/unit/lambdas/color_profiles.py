"""Color profiles as cameras, screens and editors write them, and some that nobody should believe (ICC.1:2022)."""

import struct
from collections.abc import Mapping, Sequence

from PIL import ImageCms

#: Colorants of red, green and blue, for the white of D50.
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.7141))
DISPLAY_P3 = ((0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407))
ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
PROPHOTO = ((0.79767, 0.28804, 0.0), (0.13519, 0.71188, 0.0), (0.03134, 0.00009, 0.82491))

#: Curves.
GAMMA_2_2 = b"curv" + bytes(4) + struct.pack(">IH", 1, round(2.19921875 * 256)) + bytes(2)
GAMMA_1_8 = b"curv" + bytes(4) + struct.pack(">IH", 1, round(1.8 * 256)) + bytes(2)
LINEAR = b"curv" + bytes(4) + struct.pack(">I", 0)


def parametric(kind: int, *values: float) -> bytes:
    numbers = [round(value * 65_536) for value in values]
    return b"para" + bytes(4) + struct.pack(f">HH{len(values)}i", kind, 0, *numbers)


def table(values: Sequence[int]) -> bytes:
    return b"curv" + bytes(4) + struct.pack(f">I{len(values)}H", len(values), *values)


def xyz(values: Sequence[float]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65_536) for value in values))


SRGB_CURVE = parametric(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
#: As printers spread ink: a table that rises, unlike any gamma.
DOT_GAIN = table([round(65_535 * (n / 255) ** 1.75 * (0.9 + 0.1 * n / 255)) for n in range(256)])
#: Each value shown as its two lower bits: one picture in another.
SAW = table([round(65_535 * (n % 4) / 3) for n in range(256)])


def profile(
    tags: Mapping[bytes, bytes] | Sequence[tuple[bytes, bytes]],
    space: bytes = b"RGB ",
    connection: bytes = b"XYZ ",
    kind: bytes = b"mntr",
    version: int = 4,
) -> bytes:
    """A profile with these tags."""
    listed = list(tags.items()) if isinstance(tags, Mapping) else list(tags)
    start = 132 + 12 * len(listed)
    directory, data = b"", b""
    for name, content in listed:
        directory += name + struct.pack(">II", start + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    head = struct.pack(
        ">I4s4B4s4s4s12x4s", start + len(data), b"lcms", version, 0, 0, 0, kind, space, connection, b"acsp"
    )
    head += bytes(28) + xyz((0.9642, 1.0, 0.8249))[8:]
    return head.ljust(128, b"\0") + struct.pack(">I", len(listed)) + directory + data


def tags_of(colorants: Sequence[Sequence[float]], *curves: bytes) -> dict[bytes, bytes]:
    """Those of a profile of curves and a matrix."""
    three = curves if len(curves) == 3 else curves * 3
    named = zip((b"rXYZ", b"gXYZ", b"bXYZ"), map(xyz, colorants), strict=True)
    return (
        dict(named) | dict(zip((b"rTRC", b"gTRC", b"bTRC"), three, strict=True)) | {b"wtpt": xyz((0.9642, 1, 0.8249))}
    )


def grey(curve: bytes, connection: bytes = b"XYZ ") -> bytes:
    return profile({b"kTRC": curve, b"wtpt": xyz((0.9642, 1, 0.8249))}, b"GRAY", connection)


def of_lcms(name: str = "sRGB") -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(name)).tobytes()  # type: ignore[arg-type]


def cmyk() -> bytes:
    """Two entries a color: naive inks, as Lab."""
    corners = []
    for n in range(16):
        inks = [n >> shift & 1 for shift in (3, 2, 1, 0)]
        light = 0 if inks[3] else round(255 * (1 - sum(inks[:3]) / 3))
        corners += [light, 128, 128]
    lut = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + struct.pack(">9i", 65_536, 0, 0, 0, 65_536, 0, 0, 0, 65_536)
    ramp = bytes(range(256))
    return profile(
        {b"A2B0": lut + ramp * 4 + bytes(corners) + ramp * 3, b"wtpt": xyz((0.9642, 1, 0.8249))},
        b"CMYK",
        b"Lab ",
        b"prtr",
        2,
    )


#: What common pictures carry.
COMMON = {
    "sRGB of lcms": of_lcms(),
    "sRGB, version 2, a table": profile(
        tags_of(SRGB, table([round(65_535 * (n / 1023) ** 2.2) for n in range(1024)])), version=2
    ),
    "sRGB, version 4": profile(tags_of(SRGB, SRGB_CURVE)),
    "Display P3": profile(tags_of(DISPLAY_P3, SRGB_CURVE) | {b"chad": b"sf32" + bytes(40)}),
    "Adobe RGB": profile(tags_of(ADOBE_RGB, GAMMA_2_2), version=2),
    "ProPhoto": profile(tags_of(PROPHOTO, GAMMA_1_8), version=2),
    "ProPhoto, parametric": profile(tags_of(PROPHOTO, parametric(3, 1.8, 1, 0, 1 / 16, 1 / 32))),
    "BT.709": profile(tags_of(SRGB, parametric(3, 1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081))),
    "linear": profile(tags_of(SRGB, LINEAR)),
    "parametric 0": profile(tags_of(SRGB, parametric(0, 2.2))),
    "parametric 1": profile(tags_of(SRGB, parametric(1, 2.2, 1.05, -0.05))),
    "parametric 2": profile(tags_of(SRGB, parametric(2, 2.2, 1.03, -0.04, 0.01))),
    "parametric 4": profile(tags_of(SRGB, parametric(4, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045, 0.0, 0.0))),
    "a screen that was measured": profile(
        tags_of(
            SRGB,
            *(
                table([min(65_535, max(0, round(65_535 * (n / 255) ** gamma) + n % 3 * 60)) for n in range(256)])
                for gamma in (2.1, 2.2, 2.3)
            ),
        ),
        version=2,
    ),
    "code points of sRGB": profile(tags_of(SRGB, SRGB_CURVE) | {b"cicp": b"cicp" + bytes(4) + bytes((1, 13, 0, 1))}),
}
GREYS = {"gamma 2.2": grey(GAMMA_2_2), "dot gain": grey(DOT_GAIN), "dot gain, Lab": grey(DOT_GAIN, b"Lab ")}

_PLAIN = tags_of(SRGB, SRGB_CURVE)
#: What has two readings, or hides a picture in another.
HOSTILE = {
    "nothing": b"",
    "nonsense": b"nonsense" * 30,
    "a saw": profile(tags_of(SRGB, SAW)),
    "a saw of green": profile(tags_of(SRGB, SRGB_CURVE, SAW, SRGB_CURVE)),
    "falling": profile(tags_of(SRGB, table([65_535, 0]))),
    "black": profile(tags_of(SRGB, table([0] * 256))),
    "a step": profile(tags_of(SRGB, table([0] * 250 + [65_535] * 6))),
    "gamma 40": profile(tags_of(SRGB, parametric(0, 40.0))),
    "gamma 0": profile(tags_of(SRGB, parametric(0, 0.0))),
    "a parametric fall": profile(tags_of(SRGB, parametric(4, 1.0, 1.0, 0.0, 1.0, 0.5, -0.4, 0.0))),
    "a curve browsers do not know": profile(tags_of(SRGB, parametric(3, 2.4, -1.0, 1.0, 0.1, 0.04))),
    "an unknown kind of curve": profile(tags_of(SRGB, parametric(5, 2.4))),
    "tables to colors": profile(_PLAIN | {b"A2B0": b"mft2" + bytes(60)}),
    "tables of the second intent": profile(_PLAIN | {b"A2B1": b"mft2" + bytes(60)}),
    "floating tables": profile(_PLAIN | {b"D2B0": b"mpet" + bytes(60)}),
    "a tag twice": profile([*_PLAIN.items(), (b"rTRC", SAW)]),
    "any tag twice": profile([*_PLAIN.items(), (b"cprt", b"text"), (b"cprt", b"text")]),
    "many tags": profile(_PLAIN | {b"x%03d" % n: b"text" for n in range(120)}),
    "no green": profile({name: tag for name, tag in _PLAIN.items() if name != b"gTRC"}),
    "no matrix": profile({name: tag for name, tag in _PLAIN.items() if not name.endswith(b"XYZ")}),
    "a matrix without colors": profile(tags_of([(0.3214, 0.3333, 0.275)] * 3, SRGB_CURVE)),
    "a matrix without white": profile(tags_of([(0.1, 0.0, 0.0), (0.0, 0.1, 0.0), (0.0, 0.0, 0.1)], SRGB_CURVE)),
    "curves to Lab": profile(_PLAIN, connection=b"Lab "),
    "version 5": profile(_PLAIN, version=5),
    "a link": profile(_PLAIN, kind=b"link"),
    "named colors": profile(_PLAIN, kind=b"nmcl"),
    "for Lab": profile(_PLAIN, space=b"Lab "),
    "code points of PQ": profile(_PLAIN | {b"cicp": b"cicp" + bytes(4) + bytes((9, 16, 0, 1))}),
    "grey saw": grey(SAW),
    "grey by tables": profile({b"kTRC": GAMMA_2_2, b"A2B0": b"mft2" + bytes(60)}, b"GRAY"),
    "no ink": profile({b"wtpt": xyz((0.9642, 1, 0.8249))}, b"CMYK", b"Lab ", b"prtr"),
    "cut off": profile(_PLAIN)[:-30],
    "longer than it is": profile(_PLAIN)[:3] + b"\xff" + profile(_PLAIN)[4:],
}
