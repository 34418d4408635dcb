"""A file's format stands in its first bytes."""

import pytest

from gatehouse.moderation.image_format import HEAD_BYTES, ImageFormat, format_of


def boxed(major: bytes, *compatible: bytes) -> bytes:
    body = b"ftyp" + major + bytes(4) + b"".join(compatible)
    return (len(body) + 4).to_bytes(4, "big") + body + b"\0\0\0\x08mdat"


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"\xff\xd8\xff\xe0", ImageFormat.JPEG),
        (b"\x89PNG\r\n\x1a\n", ImageFormat.PNG),
        (b"RIFF\x10\0\0\0WEBPVP8 ", ImageFormat.WEBP),
        (b"GIF87a", ImageFormat.GIF),
        (b"GIF89a", ImageFormat.GIF),
        (b"II*\0", ImageFormat.TIFF),
        (b"MM\0*", ImageFormat.TIFF),
        (b"BM\x36", ImageFormat.BMP),
        (boxed(b"avif", b"mif1"), ImageFormat.AVIF),
        (boxed(b"avis", b"msf1"), ImageFormat.AVIF),
        (boxed(b"mif1", b"miaf", b"avif"), ImageFormat.AVIF),
        (boxed(b"heic", b"mif1"), ImageFormat.HEIC),
        (boxed(b"msf1", b"hevc"), ImageFormat.HEIC),
        (boxed(b"mif1", b"miaf"), None),
        (boxed(b"isom", b"mp42"), None),
        (b"RIFF\x10\0\0\0WAVE", None),
        (b"GIF88a", None),
        (b"\xff\xd8", None),
        (b"", None),
    ],
)
def test_a_format_is_known_by_its_first_bytes(head: bytes, expected: ImageFormat | None) -> None:
    assert format_of(head) is expected


def test_what_stands_behind_the_brands_is_no_brand() -> None:
    assert format_of(boxed(b"mif1") + b"avif") is None


def test_no_more_than_the_first_bytes_count() -> None:
    brands = [b"xxxx"] * HEAD_BYTES
    assert format_of(boxed(b"mif1", *brands, b"avif")) is None
