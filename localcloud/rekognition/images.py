"""Opening an image: its format from its bytes, its size limits, its dimensions and the texts in it.

The file's structure is read to its end (every JPEG segment, every PNG chunk and checksum), so a truncated or damaged
file is refused, but no pixel is decoded. A decoder such as Pillow would find damage inside the compressed data too; it
would also cost some milliseconds an image where a job has 10,000, and up to 400 MB for a legal 10,000 x 10,000 pixels.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from localcloud.rekognition import jpeg, png
from localcloud.rekognition.errors import (
    IMAGE_TOO_LARGE,
    INVALID_IMAGE_FORMAT,
    INVALID_PARAMETERS,
    DamagedImageError,
    ErrorName,
    ServiceError,
)

# Developer Guide, limits.html.
MOST_BYTES_OF_AN_OBJECT = 15 * 1024 * 1024
MOST_BYTES_IN_A_REQUEST = 5 * 1024 * 1024
MOST_PIXELS_A_SIDE = 10_000
LEAST_PIXELS_A_SIDE = 80


class ImageFormat(StrEnum):
    """What Rekognition reads. Nothing else: no GIF, WebP, HEIC or TIFF (Developer Guide, limits.html)."""

    JPEG = "JPEG"
    PNG = "PNG"


@dataclass(frozen=True, slots=True)
class Image:
    """An image a model may trust to be one.

    Attributes:
        width, height: in pixels.
        texts: JPEG comments, or the contents of PNG text chunks.
        metadata: the S3 object's user metadata; empty for bytes sent in a request.
    """

    body: bytes = field(repr=False)
    format: ImageFormat
    width: int
    height: int
    texts: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


def open_image(body: bytes, most_bytes: int, metadata: Mapping[str, str] | None = None) -> Image:
    """Check the limits and read the structure of an image.

    Raises:
        ServiceError: ImageTooLargeException over `most_bytes` or 10,000 pixels a side; InvalidImageFormatException if
            it is no JPEG or PNG or is damaged; InvalidParameterException under 80 pixels a side (as observed on AWS,
            boto/botocore issue 1366).
    """
    if len(body) > most_bytes:
        raise ServiceError(ErrorName.IMAGE_TOO_LARGE, f"{IMAGE_TOO_LARGE}: {len(body)} bytes of at most {most_bytes}")
    try:
        if body.startswith(jpeg.SIGNATURE):
            image_format = ImageFormat.JPEG
            width, height, texts = jpeg.read(body)
        elif body.startswith(png.SIGNATURE):
            image_format = ImageFormat.PNG
            width, height, texts = png.read(body)
        else:
            raise DamagedImageError("neither a JPEG nor a PNG")
    except DamagedImageError as error:
        raise ServiceError(ErrorName.INVALID_IMAGE_FORMAT, f"{INVALID_IMAGE_FORMAT}: {error}") from error
    if max(width, height) > MOST_PIXELS_A_SIDE:
        raise ServiceError(
            ErrorName.IMAGE_TOO_LARGE,
            f"Input image dimensions {width} x {height} exceed maximum dimension size of {MOST_PIXELS_A_SIDE} pixels",
        )
    if min(width, height) < LEAST_PIXELS_A_SIDE:
        raise ServiceError(
            ErrorName.INVALID_PARAMETER,
            f"{INVALID_PARAMETERS}: {width} x {height} pixels, where both have to be {LEAST_PIXELS_A_SIDE} or more",
        )
    return Image(body, image_format, width, height, texts, metadata or {})
