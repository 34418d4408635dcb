import io
import zlib

import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localcloud.rekognition import png
from localcloud.rekognition.errors import DamagedImageError, ErrorName, ServiceError
from localcloud.rekognition.images import MOST_BYTES_IN_A_REQUEST, MOST_BYTES_OF_AN_OBJECT, ImageFormat, open_image
from tests.localcloud.rekognition import pictures

OPENED_OR_DECLARED = {None, ErrorName.INVALID_IMAGE_FORMAT, ErrorName.IMAGE_TOO_LARGE, ErrorName.INVALID_PARAMETER}


def refusal(body: bytes, most_bytes: int = MOST_BYTES_OF_AN_OBJECT) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        open_image(body, most_bytes)
    return caught.value


def outcome(body: bytes) -> ErrorName | None:
    """None if the image opens, else the error's name. Any other exception is a failure of the test."""
    try:
        open_image(body, MOST_BYTES_OF_AN_OBJECT)
    except ServiceError as error:
        return error.name
    return None


@given(st.integers(80, 300), st.integers(80, 300), st.sampled_from(list(ImageFormat)), st.booleans())
@settings(max_examples=40)
def test_format_and_dimensions_come_from_the_bytes(
    width: int, height: int, image_format: ImageFormat, progressive: bool
) -> None:
    body = (
        pictures.jpeg(width, height, progressive) if image_format is ImageFormat.JPEG else pictures.png(width, height)
    )

    image = open_image(body, MOST_BYTES_OF_AN_OBJECT)

    assert (image.format, image.width, image.height) == (image_format, width, height)


@pytest.mark.parametrize("name", ["GIF", "WEBP", "TIFF", "BMP"])
def test_other_formats_are_refused(name: str) -> None:
    error = refusal(pictures.in_format(name))

    assert error.name is ErrorName.INVALID_IMAGE_FORMAT
    assert error.message.startswith("Request has invalid image format")


@pytest.mark.parametrize("body", [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"<html>"])
def test_bytes_without_a_picture_are_refused(body: bytes) -> None:
    assert refusal(body).name is ErrorName.INVALID_IMAGE_FORMAT


def test_a_whole_file_without_picture_data_is_refused() -> None:
    jpeg_up_to_its_scan = pictures.jpeg()[: pictures.jpeg().index(b"\xff\xda")] + b"\xff\xd9"
    png_header_and_end = pictures.png()[: 8 + 12 + 13] + pictures.chunk(b"IEND", b"")

    for body in (jpeg_up_to_its_scan, png_header_and_end):
        assert "no picture" in refusal(body).message


@given(st.data(), st.sampled_from([pictures.jpeg(), pictures.jpeg(progressive=True), pictures.png()]))
def test_a_truncated_picture_is_refused(data: st.DataObject, picture: bytes) -> None:
    length = data.draw(st.integers(0, len(picture) - 1))

    assert refusal(picture[:length]).name is ErrorName.INVALID_IMAGE_FORMAT


@given(st.binary(max_size=64), st.sampled_from([pictures.jpeg(), pictures.png()]))
def test_what_follows_the_picture_does_not_matter(rest: bytes, picture: bytes) -> None:
    assert open_image(picture + rest, MOST_BYTES_OF_AN_OBJECT).width == 80


@given(st.sampled_from([b"", b"\xff\xd8\xff", b"\xff\xd8", png.SIGNATURE]), st.binary(max_size=400))
@settings(max_examples=300)
def test_hostile_bytes_raise_declared_errors_only(start: bytes, rest: bytes) -> None:
    assert outcome(start + rest) in OPENED_OR_DECLARED


@given(
    st.sampled_from([pictures.jpeg(), pictures.jpeg(progressive=True), pictures.png()]),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=8),
)
@settings(max_examples=300)
def test_a_picture_with_changed_bytes_raises_declared_errors_only(
    picture: bytes, changes: list[tuple[int, int]]
) -> None:
    body = bytearray(picture)
    for position, value in changes:
        body[position % len(body)] = value

    assert outcome(bytes(body)) in OPENED_OR_DECLARED


@given(st.lists(st.tuples(st.sampled_from([b"tEXt", b"zTXt", b"iTXt"]), st.binary(max_size=60)), max_size=4))
def test_hostile_text_chunks_raise_declared_errors_only(chunks: list[tuple[bytes, bytes]]) -> None:
    body = pictures.png_with(*(pictures.chunk(kind, data) for kind, data in chunks))

    assert outcome(body) in (None, ErrorName.INVALID_IMAGE_FORMAT)


def test_a_compressed_text_does_not_grow_without_bound() -> None:
    bomb = pictures.chunk(b"zTXt", b"Comment\x00\x00" + zlib.compress(b"A" * 50_000_000))

    (text,) = open_image(pictures.png_with(bomb), MOST_BYTES_OF_AN_OBJECT).texts

    assert len(text) == png.LONGEST_TEXT


def test_a_chunk_with_a_wrong_checksum_is_refused() -> None:
    body = bytearray(pictures.png())
    body[20] ^= 1  # inside the header chunk

    assert "checksum" in refusal(bytes(body)).message


def test_fill_bytes_before_a_marker_belong_to_the_file() -> None:
    body = pictures.jpeg()

    assert open_image(body[:2] + b"\xff" * 1_000_000 + body[2:], MOST_BYTES_OF_AN_OBJECT).width == 80
    assert "cut off" in refusal(b"\xff\xd8" + b"\xff" * 10_000_000).message


@pytest.mark.parametrize("extra", [b"\0", b"\xff\0", b"1234567", b"\xff\xff\0"])
def test_bytes_between_two_segments_are_passed_over_as_decoders_do(extra: bytes) -> None:
    body = pictures.commented_jpeg(b"hello")
    tables = body.index(b"\xff\xdb")

    image = open_image(body[:tables] + extra + body[tables:], MOST_BYTES_OF_AN_OBJECT)

    assert (image.width, image.height, image.texts) == (80, 80, ("hello",))


@pytest.mark.parametrize(
    "unreadable",
    [
        pictures.chunk(b"tEXt", b"no keyword here"),
        pictures.chunk(b"zTXt", b"Comment\0\0xyz"),
        pictures.chunk(b"zTXt", b"Comment\0\1xyz"),
        pictures.chunk(b"iTXt", b"Comment\0"),
        pictures.chunk(b"tEXt", b"Comment\0text")[:-1] + b"!",
        pictures.chunk(b"eXIf", b"anything")[:-1] + b"!",
    ],
)
def test_what_cannot_be_read_beside_a_picture_does_not_matter(unreadable: bytes) -> None:
    readable = pictures.chunk(b"tEXt", b"Comment\0hello")

    image = open_image(pictures.png_with(unreadable, readable), MOST_BYTES_OF_AN_OBJECT)

    assert (image.width, image.height, image.texts) == (80, 80, ("hello",))


def test_a_file_of_nothing_but_tiny_segments_is_given_up() -> None:
    assert "segments" in refusal(b"\xff\xd8" + b"\xff\xfe\x00\x02" * 200_000).message


def test_a_file_of_nothing_but_tiny_chunks_is_given_up() -> None:
    header = pictures.png()[: 8 + 12 + 13]

    assert "chunks" in refusal(header + pictures.chunk(b"prIV", b"") * 120_000).message


def png_of(width: int, height: int) -> bytes:
    """A PNG whose header claims these dimensions."""
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + pictures.png()[24:29]
    return pictures.png()[:8] + pictures.chunk(b"IHDR", header) + pictures.png()[8 + 12 + 13 :]


@pytest.mark.parametrize(("width", "height"), [(10_000, 80), (80, 10_000), (80, 80)])
def test_the_limits_of_the_dimensions_are_inclusive(width: int, height: int) -> None:
    assert open_image(png_of(width, height), MOST_BYTES_OF_AN_OBJECT).width == width


def test_more_than_10000_pixels_a_side_are_too_large() -> None:
    error = refusal(png_of(10_800, 5_400))

    assert error.name is ErrorName.IMAGE_TOO_LARGE
    assert error.message == "Input image dimensions 10800 x 5400 exceed maximum dimension size of 10000 pixels"


@pytest.mark.parametrize("body", [pictures.jpeg(79, 200), pictures.png(200, 79)])
def test_fewer_than_80_pixels_a_side_are_an_invalid_parameter(body: bytes) -> None:
    error = refusal(body)

    assert error.name is ErrorName.INVALID_PARAMETER
    assert error.message.startswith("Request has invalid parameters")


@pytest.mark.parametrize("most_bytes", [MOST_BYTES_OF_AN_OBJECT, MOST_BYTES_IN_A_REQUEST])
def test_the_limit_of_the_size_is_inclusive(most_bytes: int) -> None:
    largest = pictures.jpeg() + b"\x00" * (most_bytes - len(pictures.jpeg()))

    assert open_image(largest, most_bytes).format is ImageFormat.JPEG
    error = refusal(largest + b"\x00", most_bytes)
    assert error.name is ErrorName.IMAGE_TOO_LARGE
    assert error.message.startswith("Image size is too large")


def test_a_photograph_with_exif_and_profile_opens() -> None:
    picture = PIL.Image.new("RGB", (120, 90))
    exif = PIL.Image.Exif()
    exif[0x010E] = "a description"
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", exif=exif, icc_profile=b"\x00" * 200_000, restart_marker_blocks=2)

    image = open_image(buffer.getvalue(), MOST_BYTES_OF_AN_OBJECT)

    assert (image.width, image.height) == (120, 90)


def test_many_small_chunks_that_decompress_to_large_texts_are_refused() -> None:
    bomb = pictures.chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"\0" * 65_536))

    with pytest.raises(DamagedImageError, match="characters"):
        png.read(pictures.png_with(*[bomb] * 20))
