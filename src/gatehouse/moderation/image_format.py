"""What kind of picture a file is, by its first bytes; its name and its declared type are what the uploader chose."""

from enum import StrEnum
from typing import Final

#: First bytes of a file that `format_of` looks at.
HEAD_BYTES: Final = 64


class ImageFormat(StrEnum):
    """The formats that pictures are uploaded in. Rekognition reads the first two."""

    JPEG = "JPEG"
    PNG = "PNG"
    WEBP = "WEBP"
    AVIF = "AVIF"
    GIF = "GIF"
    TIFF = "TIFF"
    BMP = "BMP"
    HEIC = "HEIC"


#: What is rendered unless a lane says otherwise: whatever needs no second license (docs/decisions/0018-renderer.md).
DEFAULT_FORMATS: Final = tuple(sorted(set(ImageFormat) - {ImageFormat.HEIC}))

#: What Rekognition reads itself, if it is neither too large nor too small (Rekognition Developer Guide, limits.html).
READ_BY_REKOGNITION: Final = frozenset({ImageFormat.JPEG, ImageFormat.PNG})

_SIGNATURES: Final = (
    (b"\xff\xd8\xff", ImageFormat.JPEG),
    (b"\x89PNG\r\n\x1a\n", ImageFormat.PNG),
    (b"GIF87a", ImageFormat.GIF),
    (b"GIF89a", ImageFormat.GIF),
    (b"II*\0", ImageFormat.TIFF),
    (b"MM\0*", ImageFormat.TIFF),
    (b"BM", ImageFormat.BMP),
)

#: Brands of the boxed formats (AV1 Image File Format, 1.2.0; ISO/IEC 23008-12, annex B). `mif1` and `msf1` say only
#: that it is one of them.
_AVIF_BRANDS: Final = frozenset({b"avif", b"avis"})
_HEIC_BRANDS: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})


def format_of(head: bytes) -> ImageFormat | None:
    """The format that a file's first bytes are of, or None if it is none of ours.

    Args:
        head: the first `HEAD_BYTES`, or the whole file.
    """
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return ImageFormat.WEBP
    if head[4:8] == b"ftyp":
        return _boxed_format(head[:HEAD_BYTES])
    return next((image_format for signature, image_format in _SIGNATURES if head.startswith(signature)), None)


def _boxed_format(head: bytes) -> ImageFormat | None:
    """By the major brand, and where that says too little, by the first compatible one that says more."""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    for brand in (head[8:12], *(head[start : start + 4] for start in range(16, end - 3, 4))):
        if brand in _AVIF_BRANDS:
            return ImageFormat.AVIF
        if brand in _HEIC_BRANDS:
            return ImageFormat.HEIC
    return None
