"""From a file's bytes to what the network and the eye for drawings look at."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from localcloud.rekognition.errors import INVALID_IMAGE_FORMAT, ErrorName, ServiceError
from localcloud.rekognition.images import MOST_PIXELS_A_SIDE
from localcloud.rekognition.small_model.network import SIDE
from localcloud.rekognition.small_model.weights import Array

_WIDE_GRAY = ("I;16", "I;16B", "I;16L", "I;16N", "I")
_LARGEST_OF_16_BITS = 65_535

# `open_image` has checked the sides; Pillow's own limit would refuse some of what Rekognition takes.
Image.MAX_IMAGE_PIXELS = MOST_PIXELS_A_SIDE**2


def decode(body: bytes) -> Image.Image:
    """The first frame as a browser shows it: upright, in RGB, over white where it is transparent.

    Raises:
        ServiceError: InvalidImageFormatException if no decoder can read it.
    """
    try:
        with Image.open(io.BytesIO(body)) as opened:
            return _over_white(ImageOps.exif_transpose(opened))
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise ServiceError(ErrorName.INVALID_IMAGE_FORMAT, f"{INVALID_IMAGE_FORMAT}: {error}") from error


def network_input(picture: Image.Image) -> Array:
    """224 x 224 x 3, of 0 to 1, resized as tfjs' resizeBilinear does with alignCorners.

    Pillow's own bilinear filter averages what it scales down, and the network was not trained on that.
    """
    values = np.asarray(picture)
    rows_before, rows_after, row_weights = _neighbors(values.shape[0])
    columns_before, columns_after, column_weights = _neighbors(values.shape[1])
    weights = column_weights[None, :, None]

    def row(numbers: NDArray[np.intp]) -> Array:
        chosen = (values[numbers] / 255).astype(np.float32)
        return (chosen[:, columns_before] * (1 - weights) + chosen[:, columns_after] * weights).astype(np.float32)

    mixed = row(rows_before) * (1 - row_weights[:, None, None]) + row(rows_after) * row_weights[:, None, None]
    return mixed.astype(np.float32)


def _neighbors(length: int) -> tuple[NDArray[np.intp], NDArray[np.intp], Array]:
    places = np.linspace(0, length - 1, SIDE, dtype=np.float32)
    before = np.floor(places).astype(np.intp)
    return before, np.minimum(before + 1, length - 1), (places - before).astype(np.float32)


def _over_white(picture: Image.Image) -> Image.Image:
    if picture.mode in _WIDE_GRAY:
        wide = np.asarray(picture).astype(np.float32).clip(0, _LARGEST_OF_16_BITS)
        return Image.fromarray((wide / 257).astype(np.uint8)).convert("RGB")
    if "transparency" not in picture.info and picture.mode not in ("RGBA", "LA", "PA"):
        return picture.convert("RGB")
    transparent = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", transparent.size, "white"), transparent).convert("RGB")
