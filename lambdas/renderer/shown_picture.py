"""A decoded frame as a browser shows it, and the JPEG of it that Rekognition takes."""

import io
from functools import cache
from math import sqrt
from typing import Final

from PIL import Image, ImageCms, JpegImagePlugin

from gatehouse.contracts.render_call import MOST_JPEG_BYTES
from gatehouse.moderation.rendition import Background, RefusalCode, RefusedError
from lambdas.renderer.color_profile import ColorSpace, color_space_of

#: Of a side, for DetectModerationLabels (Rekognition Developer Guide, limits.html).
MOST_SIDE: Final = 10_000
LEAST_SIDE: Final = 80

#: A JPEG of a photo takes about two bits a pixel at our quality: more pixels rarely fit into `MOST_JPEG_BYTES`.
_MOST_PIXELS: Final = 16_000_000

#: Tried in turn; then the picture is made smaller until it fits.
_QUALITIES: Final = (90, 75)
_SHRINKING: Final = 0.7

#: Cells that a frame is divided into, in each direction, to see where it is transparent, and the mean opacity of 255
#: below which a cell shows what is behind it: 2 % less than all. A picture that hides in transparency may be drawn in
#: thin lines, or faint.
_CELLS: Final = 64
_SHOWS_BACKGROUND: Final = 250

_COLORS: Final = {Background.WHITE: (255, 255, 255), Background.BLACK: (0, 0, 0)}

#: Values beyond 8 bits have no agreed way of being shown.
_UNSHOWABLE: Final = frozenset({"I", "F"})
#: 16 bits of grey: 65,535 is white.
_DEEP_GREY: Final = frozenset({"I;16", "I;16L", "I;16B", "I;16N"})
_GREY: Final = _DEEP_GREY | {"1", "L", "LA"}

#: Exif's tag for how the camera was held (TIFF 6.0), and how each orientation but the first is undone.
ORIENTATION: Final = 274
_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def in_color(frame: Image.Image) -> Image.Image:
    """The frame in grey, RGB, RGBA or CMYK, of 8 bits each; RGBA if something of it may be transparent.

    Raises:
        RefusedError: its values have no agreed look (`UnsupportedFormat`).
    """
    if frame.mode in _DEEP_GREY and "transparency" not in frame.info:
        return frame.convert("I").point(lambda value: value * (255 / 65_535) + 0.5).convert("L")
    if frame.mode in _UNSHOWABLE | _DEEP_GREY:
        raise RefusedError(RefusalCode.UNSUPPORTED_FORMAT, f"pixels of a kind that is not shown alike ({frame.mode})")
    if frame.has_transparency_data:
        return frame if frame.mode == "RGBA" else frame.convert("RGBA")
    if frame.mode == "1":
        return frame.convert("L")
    return frame if frame.mode in ("L", "RGB", "CMYK") else frame.convert("RGB")


def exif_orientation(frame: Image.Image) -> int:
    """How the frame has to be turned, by its Exif alone: what XMP says of it is nothing to a browser."""
    data = frame.info.get("exif")
    if not isinstance(data, bytes):
        return 1
    exif = Image.Exif()
    try:
        exif.load(data)
        return known_orientation(exif.get(ORIENTATION))
    except Exception:  # a damaged one is passed over, and Pillow raises errors of many kinds
        return 1


def known_orientation(value: object) -> int:
    """The orientation, or 1 if it is none that is defined."""
    return value if isinstance(value, int) and value in _UPRIGHT else 1


def upright_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Width and height of a picture once it is turned."""
    return size if orientation < 5 else size[::-1]


def shows_its_background(frame: Image.Image) -> bool:
    """Whether a part of the frame is so transparent that another background shows another picture."""
    picture = in_color(frame)
    if picture.mode != "RGBA":
        return False
    opacity = picture.getchannel("A")
    if opacity.getextrema()[0] == 255:
        return False
    cells = (min(_CELLS, opacity.width), min(_CELLS, opacity.height))
    return min(opacity.resize(cells, Image.Resampling.BOX).tobytes()) < _SHOWS_BACKGROUND


def fitted_size(size: tuple[int, int]) -> tuple[int, int]:
    """What a picture of this size is made larger or smaller to; its sides may still be short of `LEAST_SIDE`.

    Too small a picture is made larger, as whoever wants to see it does: Rekognition refuses one under 80 pixels.
    """
    width, height = size
    scale = min(1, MOST_SIDE / max(size), sqrt(_MOST_PIXELS / (width * height)))
    if min(size) * scale < LEAST_SIDE:
        scale = min(LEAST_SIDE / min(size), MOST_SIDE / max(size))
    return max(1, round(width * scale)), max(1, round(height * scale))


def to_jpeg(frame: Image.Image, background: Background, orientation: int = 1) -> bytes:
    """The frame as it is shown, over a background: a JPEG that DetectModerationLabels takes, without any metadata."""
    picture = _in_srgb(frame)
    if (size := fitted_size(picture.size)) != picture.size:
        picture = picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    if orientation in _UPRIGHT:
        picture = picture.transpose(_UPRIGHT[orientation])
    return _encode(_over(picture, _COLORS[background]))


def check_profile(frame: Image.Image) -> ColorSpace | None:
    """What the frame's color profile is for; None if it has none.

    Raises:
        RefusedError: it is not one that is shown alike, or for other pixels than these (`UnsupportedFormat`).
    """
    if "icc_profile" not in frame.info or frame.mode == "LAB":  # whose values are colors already
        return None
    profile = frame.info["icc_profile"]
    space = color_space_of(profile if isinstance(profile, bytes) else b"")  # of a damaged one Pillow says None
    is_cmyk, is_grey = frame.mode == "CMYK", frame.mode in _GREY
    if (space is ColorSpace.CMYK) != is_cmyk or (space is ColorSpace.GREY and not is_grey):
        raise RefusedError(RefusalCode.UNSUPPORTED_FORMAT, "a color profile for pixels of another kind")
    return space


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


#: Pillow's kinds of pixels that a profile of each color space is applied to.
_APPLIED_TO: Final = {ColorSpace.RGB: "RGB", ColorSpace.GREY: "L", ColorSpace.CMYK: "CMYK"}


def _in_srgb(frame: Image.Image) -> Image.Image:
    """The frame in RGB or RGBA, by its color profile, as browsers do it: before it is made smaller.

    Raises:
        RefusedError: the profile can't be applied (`UnsupportedFormat`).
    """
    picture = in_color(frame)
    mode = "RGBA" if picture.mode == "RGBA" else "RGB"
    space = check_profile(frame)
    if space is None:
        return picture.convert(mode)
    colors = picture if picture.mode == _APPLIED_TO[space] else picture.convert(_APPLIED_TO[space])
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(frame.info["icc_profile"]))
        shown = ImageCms.buildTransform(source, _srgb(), colors.mode, "RGB").apply(colors)
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError) as error:
        raise RefusedError(RefusalCode.UNSUPPORTED_FORMAT, "a color profile that can't be applied") from error
    if mode == "RGBA":
        shown.putalpha(picture.getchannel("A"))
    return shown


def _over(picture: Image.Image, color: tuple[int, int, int]) -> Image.Image:
    """The picture on a canvas of one color that is as large as it is, and no smaller than Rekognition takes."""
    size = max(picture.width, LEAST_SIDE), max(picture.height, LEAST_SIDE)
    canvas = Image.new("RGB", size, color)
    corner = (size[0] - picture.width) // 2, (size[1] - picture.height) // 2
    canvas.paste(picture, corner, picture if picture.mode == "RGBA" else None)
    return canvas


def _encode(picture: Image.Image) -> bytes:
    while True:
        for quality in _QUALITIES:
            file = io.BytesIO()
            picture.save(file, JpegImagePlugin.JpegImageFile.format, quality=quality)
            if file.tell() <= MOST_JPEG_BYTES:
                return file.getvalue()
        width, height = (max(LEAST_SIDE, round(side * _SHRINKING)) for side in picture.size)
        picture = picture.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0)
