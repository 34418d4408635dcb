"""Every format is decoded as a browser shows it, frame by frame."""

import io
import struct
import zlib
from typing import Any

import pytest
from PIL import AvifImagePlugin, Image, ImageCms, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

from gatehouse.contracts.render_call import MOST_JPEG_BYTES, RenderAnswer
from gatehouse.moderation.image_format import ImageFormat
from gatehouse.moderation.rendition import Background, Description, JudgedFrame, RefusalCode, RefusedError
from lambdas.renderer.decoder import Decoder
from localcloud.rekognition.images import MOST_BYTES_IN_A_REQUEST, open_image
from tests.unit.lambdas.color_profiles import COMMON, HOSTILE
from tests.unit.lambdas.drawn_pictures import (
    BLACK,
    BLUE,
    GREEN,
    RED,
    STILL,
    WHITE,
    animated,
    drawn,
    frames,
    gif_of,
    heic,
    tiff_of,
    written,
)
from tests.unit.pngs import END, SIGNATURE, chunk

BOTH = (Background.WHITE, Background.BLACK)
Color = tuple[int, int, int]


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    decoder = Decoder(heic=True)
    decoder.prepare()
    return decoder


def describe(decoder: Decoder, body: bytes, most: int = 8) -> Description:
    description = decoder.describe(body, most).description
    assert description is not None
    return description


def picture(answer: RenderAnswer) -> Image.Image:
    """The rendition, which has to be one that Rekognition takes."""
    found = open_image(answer.jpeg, MOST_BYTES_IN_A_REQUEST)
    opened = Image.open(io.BytesIO(answer.jpeg), formats=["JPEG"])
    opened.load()
    assert (found.width, found.height) == opened.size
    assert (found.texts, opened.mode, len(answer.jpeg) <= MOST_JPEG_BYTES) == ((), "RGB", True)
    return opened


def color_at(image: Image.Image, x: float, y: float) -> Color:
    """At a place in parts of width and height."""
    value = image.getpixel((int(x * image.width), int(y * image.height)))
    assert isinstance(value, tuple)
    return value  # type: ignore[return-value]


def assert_color(image: Image.Image, x: float, y: float, expected: Color, tolerance: int = 12) -> None:
    found = color_at(image, x, y)
    assert max(abs(a - b) for a, b in zip(found, expected, strict=True)) <= tolerance, f"{found}, not {expected}"


def assert_drawn(image: Image.Image, corner: Color = RED, tolerance: int = 12) -> None:
    assert_color(image, 0.25, 0.25, corner, tolerance)
    assert_color(image, 0.75, 0.25, WHITE, tolerance)
    assert_color(image, 0.25, 0.75, WHITE, tolerance)
    assert_color(image, 0.75, 0.75, BLUE, tolerance)


@pytest.mark.parametrize("name", STILL)
def test_a_still_picture_is_described_and_rendered(decoder: Decoder, name: str) -> None:
    answer = decoder.describe(STILL[name], 8)

    assert answer.description == Description(ImageFormat(name), 128, 96, 1, 1, 1, (JudgedFrame(0),))
    assert_drawn(picture(answer))
    assert decoder.render(STILL[name], 0, Background.WHITE).jpeg == answer.jpeg


@pytest.mark.parametrize(
    ("name", "mode", "options"),
    [
        ("PNG", "P", {}),
        ("PNG", "RGBA", {}),
        ("BMP", "P", {}),
        ("BMP", "RGBA", {}),
        ("GIF", "P", {"interlace": 1}),
        ("JPEG", "CMYK", {}),
        ("JPEG", "RGB", {"progressive": True}),
        ("TIFF", "CMYK", {}),
        ("TIFF", "P", {}),
        ("TIFF", "LAB", {}),
        ("TIFF", "YCbCr", {}),
        *(("TIFF", "RGB", {"compression": name}) for name in ("tiff_lzw", "jpeg", "packbits", "tiff_deflate", "zstd")),
        ("WEBP", "RGB", {"lossless": True}),
        ("WEBP", "RGBA", {}),
        ("AVIF", "RGBA", {}),
    ],
    ids=str,
)
def test_a_kind_of_color_looks_as_it_was_drawn(decoder: Decoder, name: str, mode: str, options: dict[str, Any]) -> None:
    assert_drawn(picture(decoder.describe(written(drawn().convert(mode), name, **options), 8)), tolerance=40)


@pytest.mark.parametrize(("name", "mode"), [("PNG", "1"), ("PNG", "L"), ("TIFF", "1"), ("TIFF", "L"), ("BMP", "1")])
def test_grey_and_black_and_white_are_shown_as_they_are(decoder: Decoder, name: str, mode: str) -> None:
    shown = picture(decoder.describe(written(Image.linear_gradient("L").convert(mode, dither=None), name), 8))

    assert_color(shown, 0.5, 0.02, BLACK)
    assert_color(shown, 0.5, 0.98, WHITE)


@pytest.mark.parametrize("name", ["PNG", "TIFF"])
def test_16_bits_of_grey_are_not_cut_off(decoder: Decoder, name: str) -> None:
    deep = Image.new("I;16", (100, 100), 0x8080)
    deep.paste(0xFFFF, (0, 0, 50, 100))

    shown = picture(decoder.describe(written(deep, name), 8))

    assert_color(shown, 0.2, 0.5, WHITE)
    assert_color(shown, 0.8, 0.5, (128, 128, 128), 3)


@pytest.mark.parametrize("mode", ["I", "F"])
def test_values_without_an_agreed_look_are_refused(decoder: Decoder, mode: str) -> None:
    assert refusal(decoder, written(Image.new(mode, (100, 100)), "TIFF")) is RefusalCode.UNSUPPORTED_FORMAT


def refusal(decoder: Decoder, body: bytes) -> RefusalCode:
    with pytest.raises(RefusedError) as refused:
        decoder.describe(body, 8)
    return refused.value.code


def test_one_transparent_value_of_16_bits_hides_no_picture(decoder: Decoder) -> None:
    deep = written(Image.new("I;16", (100, 100), 500), "PNG")
    header = 8 + 12 + 13

    hiding = deep[:header] + chunk(b"tRNS", struct.pack(">H", 500)) + deep[header:]

    assert refusal(decoder, hiding) is RefusalCode.UNSUPPORTED_FORMAT


@pytest.mark.parametrize("name", ["GIF", "WEBP", "AVIF", "PNG", "TIFF"])
def test_every_frame_of_an_animation_can_be_had(decoder: Decoder, name: str) -> None:
    body = animated(name, [drawn(corner=corner) for corner in (RED, GREEN, BLUE)])

    description = describe(decoder, body)

    assert (description.frames, description.distinct_frames) == (3, 3)
    assert description.judged == (JudgedFrame(0), JudgedFrame(1), JudgedFrame(2))
    for n, corner in enumerate((RED, GREEN, BLUE)):
        assert_drawn(picture(decoder.render(body, n, Background.WHITE)), corner, 45)
    with pytest.raises(RefusedError) as refused:
        decoder.render(body, 3, Background.WHITE)
    assert refused.value.code is RefusalCode.NO_SUCH_FRAME


@pytest.mark.parametrize(("name", "options"), [("GIF", {}), ("WEBP", {"lossless": True}), ("PNG", {}), ("TIFF", {})])
def test_equal_frames_count_once(decoder: Decoder, name: str, options: dict[str, Any]) -> None:
    red, green, blue = (drawn(corner=corner) for corner in (RED, GREEN, BLUE))

    description = describe(decoder, animated(name, [red, green, red, blue, green, red], **options))

    assert (description.frames, description.distinct_frames) == (6, 3)
    assert [frame.number for frame in description.judged] == [0, 1, 3]
    assert description.is_seen_whole


def test_of_300_frames_the_first_the_last_and_some_between_them_are_judged(decoder: Decoder) -> None:
    description = describe(decoder, animated("GIF", frames(300, (300, 90))))

    assert (description.frames, description.distinct_frames) == (300, 300)
    assert [frame.number for frame in description.judged] == [0, 43, 85, 128, 171, 214, 256, 299]
    assert not description.is_seen_whole


def test_the_pages_of_a_tiff_are_frames_and_may_differ_in_size(decoder: Decoder) -> None:
    body = animated("TIFF", [drawn(), drawn((300, 200), GREEN)])

    assert (describe(decoder, body).width, describe(decoder, body).frames) == (128, 2)
    assert picture(decoder.render(body, 1, Background.WHITE)).size == (300, 200)


def test_a_default_image_that_is_no_frame_of_an_apng_is_judged_too(decoder: Decoder) -> None:
    body = animated("PNG", [drawn(corner=corner) for corner in (RED, GREEN, BLUE)], default_image=True)

    assert describe(decoder, body).frames == 3
    assert_drawn(picture(decoder.render(body, 0, Background.WHITE)), RED)
    assert_drawn(picture(decoder.render(body, 2, Background.WHITE)), BLUE)


def test_an_apng_frame_that_covers_a_part_is_shown_over_the_one_before(decoder: Decoder) -> None:
    second = drawn()
    second.paste(GREEN, (100, 2, 120, 14))

    shown = picture(decoder.render(animated("PNG", [drawn(), second]), 1, Background.WHITE))

    assert_drawn(shown)
    assert_color(shown, 110 / 128, 8 / 96, GREEN, 30)


def test_of_several_pictures_in_a_jpeg_the_one_that_browsers_show_is_judged(decoder: Decoder) -> None:
    body = animated("MPO", [drawn(corner=RED), drawn(corner=GREEN)])
    assert Image.open(io.BytesIO(body)).format == "MPO"

    answer = decoder.describe(body, 8)

    assert answer.description == Description(ImageFormat.JPEG, 128, 96, 1, 1, 1, (JudgedFrame(0),))
    assert_drawn(picture(answer))


def test_every_picture_of_a_heic_is_judged(decoder: Decoder) -> None:
    assert [frame.number for frame in describe(decoder, heic("two")).judged] == [0, 1]
    assert_color(picture(decoder.render(heic("two"), 1, Background.WHITE)), 0.5, 0.5, GREEN, 20)


def test_heic_is_refused_where_it_is_not_turned_on() -> None:
    assert refusal(Decoder(), heic()) is RefusalCode.UNSUPPORTED_FORMAT


def exif(orientation: int) -> Image.Exif:
    found = Image.Exif()
    found[274] = orientation
    return found


#: Where the red corner of `drawn` is shown for each orientation (TIFF 6.0, 274).
CORNERS = {1: (0, 0), 2: (1, 0), 3: (1, 1), 4: (0, 1), 5: (0, 0), 6: (1, 0), 7: (1, 1), 8: (0, 1)}


@pytest.mark.parametrize("orientation", CORNERS)
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_a_picture_is_turned_as_its_camera_was(decoder: Decoder, name: str, orientation: int) -> None:
    answer = decoder.describe(written(drawn(), name, exif=exif(orientation)), 8)
    shown = picture(answer)

    assert answer.description is not None
    assert answer.description.orientation == orientation
    assert shown.size == ((128, 96) if orientation < 5 else (96, 128))
    assert (answer.description.width, answer.description.height) == shown.size
    right, low = CORNERS[orientation]
    assert_color(shown, 0.25 + 0.5 * right, 0.25 + 0.5 * low, RED, 20)
    assert_color(shown, 0.75 - 0.5 * right, 0.75 - 0.5 * low, BLUE, 20)


def test_a_heic_is_turned_by_its_library(decoder: Decoder) -> None:
    shown = picture(decoder.describe(heic("turned"), 8))

    assert shown.size == (96, 128)
    assert_color(shown, 0.75, 0.25, RED, 20)


@pytest.mark.parametrize("value", [0, 9, 65_535])
def test_an_orientation_that_is_none_turns_nothing(decoder: Decoder, value: int) -> None:
    assert describe(decoder, written(drawn(), "JPEG", exif=exif(value))).orientation == 1


def test_what_xmp_says_turns_nothing(decoder: Decoder) -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="6"/></x:xmpmeta>'

    assert describe(decoder, written(drawn(), "JPEG", xmp=xmp)).orientation == 1


def test_damaged_exif_turns_nothing(decoder: Decoder) -> None:
    answer = decoder.describe(written(drawn(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff nonsense"), 8)

    assert_drawn(picture(answer))


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_a_color_profile_is_applied(decoder: Decoder, name: str) -> None:
    """A profile that takes red for green: unapplied, another picture would be judged than is shown."""
    swapped = swapped_profile()

    shown = picture(decoder.describe(written(drawn(), name, icc_profile=swapped), 8))

    found = color_at(shown, 0.25, 0.25)
    assert found[1] > 150 > found[0]


def swapped_profile() -> bytes:
    """sRGB with the columns of red and green exchanged."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = profile.index(b"rXYZ"), profile.index(b"gXYZ")
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(profile)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("profile", [b"nonsense", b"\0" * 200, HOSTILE["a saw"], HOSTILE["any tag twice"]])
def test_a_profile_that_is_not_applied_alike_is_refused(decoder: Decoder, name: str, profile: bytes) -> None:
    body = written(drawn(), name, icc_profile=profile)

    assert refusal(decoder, body) is RefusalCode.UNSUPPORTED_FORMAT


def test_a_profile_that_is_damaged_within_a_png_is_refused(decoder: Decoder) -> None:
    damaged = png_with(drawn(), chunk(b"iCCP", b"name\0\0no zlib"))

    assert refusal(decoder, damaged) is RefusalCode.UNSUPPORTED_FORMAT


@pytest.mark.parametrize("name", COMMON)
@pytest.mark.parametrize("file", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_a_common_profile_is_accepted(decoder: Decoder, file: str, name: str) -> None:
    assert describe(decoder, written(drawn(), file, icc_profile=COMMON[name])).is_seen_whole


def test_a_profile_of_all_colors_is_applied_to_grey(decoder: Decoder) -> None:
    grey = drawn().convert("L")

    assert picture(decoder.describe(written(grey, "PNG", icc_profile=swapped_profile()), 8)).mode == "RGB"


def test_pages_that_differ_in_what_is_said_of_them_are_not_equal(decoder: Decoder) -> None:
    """Their pixels are the same, but not what is shown: one's profile exchanges colors, and one is turned."""
    file = io.BytesIO()
    with TiffImagePlugin.AppendingTiffWriter(file) as writer:
        said: list[dict[str, Any]] = [{"icc_profile": swapped_profile()}, {}, {"exif": exif(3)}, {}]
        for options in said:
            drawn().save(writer, "TIFF", **options)
            writer.newFrame()
    body = file.getvalue()

    assert [frame.number for frame in describe(decoder, body).judged] == [0, 1, 2]
    assert_drawn(picture(decoder.render(body, 1, Background.WHITE)))
    assert color_at(picture(decoder.render(body, 0, Background.WHITE)), 0.25, 0.25)[1] > 150
    assert_color(picture(decoder.render(body, 2, Background.WHITE)), 0.75, 0.75, RED)


def png_with(picture: Image.Image, *chunks: bytes, **options: Any) -> bytes:
    """A PNG with these chunks behind its header."""
    body, header = written(picture, "PNG", **options), 8 + 12 + 13
    return body[:header] + b"".join(chunks) + body[header:]


SRGB_POINTS = (31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000)
SWAPPED_POINTS = (31_270, 32_900, 30_000, 60_000, 64_000, 33_000, 15_000, 6_000)
GAMMA, LINEAR_GAMMA = (chunk(b"gAMA", struct.pack(">I", value)) for value in (45_455, 100_000))
IS_SRGB = chunk(b"sRGB", b"\0")
PROFILE = chunk(b"iCCP", b"name\0\0" + zlib.compress(COMMON["Display P3"]))


@pytest.mark.parametrize(
    "chunks",
    [
        [GAMMA],
        [chunk(b"gAMA", struct.pack(">I", 55_556))],
        [GAMMA, chunk(b"cHRM", struct.pack(">8I", *SRGB_POINTS))],
        [IS_SRGB, LINEAR_GAMMA],
        [PROFILE, LINEAR_GAMMA],
        [PROFILE, IS_SRGB],
        [chunk(b"cICP", bytes((1, 13, 0, 1)))],
        [chunk(b"cICP", bytes((1, 1, 0, 1))), IS_SRGB],
    ],
)
def test_what_common_pngs_say_of_their_colors_is_accepted(decoder: Decoder, chunks: list[bytes]) -> None:
    assert_drawn(picture(decoder.describe(png_with(drawn(), *chunks), 8)), tolerance=50)


@pytest.mark.parametrize(
    "chunks",
    [
        [LINEAR_GAMMA],
        [chunk(b"gAMA", struct.pack(">I", 2_300))],
        [GAMMA, chunk(b"cHRM", struct.pack(">8I", *SWAPPED_POINTS))],
        [chunk(b"cICP", bytes((9, 16, 0, 1)))],
        [chunk(b"cICP", bytes((1, 8, 0, 1))), PROFILE],
        [chunk(b"cICP", bytes((1, 13, 0, 0)))],
    ],
)
def test_colors_that_only_browsers_apply_are_refused(decoder: Decoder, chunks: list[bytes]) -> None:
    assert refusal(decoder, png_with(drawn(), *chunks)) is RefusalCode.UNSUPPORTED_FORMAT


@pytest.mark.parametrize(
    "chunks",
    [[IS_SRGB, IS_SRGB], [PROFILE, PROFILE], [GAMMA, LINEAR_GAMMA], [chunk(b"gAMA", b"\0" * 4)[:-1] + b"x"]],
    ids=["sRGB twice", "profile twice", "gamma twice", "a wrong checksum"],
)
def test_chunks_that_decoders_do_not_all_believe_are_refused(decoder: Decoder, chunks: list[bytes]) -> None:
    assert refusal(decoder, png_with(drawn(), *chunks)) is RefusalCode.UNREADABLE_IMAGE


def test_colors_that_are_said_behind_the_pixels_are_refused(decoder: Decoder) -> None:
    body = written(drawn(), "PNG")

    assert refusal(decoder, body[:-12] + PROFILE + body[-12:]) is RefusalCode.UNREADABLE_IMAGE


def png_of(depth: int, color: int, row: bytes, *chunks: bytes) -> bytes:
    """90 rows of 90 pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 90, 90, depth, color, 0, 0, 0))
    return SIGNATURE + header + b"".join(chunks) + chunk(b"IDAT", zlib.compress((b"\0" + row) * 90)) + END


TWO_COLORS = chunk(b"PLTE", b"\xff\0\0\0\xff\0")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (png_of(16, 2, bytes(540), chunk(b"tRNS", bytes(6))), RefusalCode.UNSUPPORTED_FORMAT),
        (png_of(4, 0, bytes(45), chunk(b"tRNS", b"\0\5")), RefusalCode.UNSUPPORTED_FORMAT),
        (png_of(2, 0, bytes(23), chunk(b"tRNS", b"\0\1")), RefusalCode.UNSUPPORTED_FORMAT),
        (png_of(8, 0, bytes(90), chunk(b"tRNS", bytes(4))), RefusalCode.UNREADABLE_IMAGE),
        (png_of(8, 0, bytes(90), chunk(b"tRNS", b"\1\0")), RefusalCode.UNREADABLE_IMAGE),
        (png_of(8, 6, bytes(360), chunk(b"tRNS", bytes(6))), RefusalCode.UNREADABLE_IMAGE),
        (png_of(8, 3, bytes(90), TWO_COLORS, chunk(b"tRNS", bytes(3))), RefusalCode.UNREADABLE_IMAGE),
        (png_of(8, 3, bytes(90), chunk(b"tRNS", bytes(2)), TWO_COLORS), RefusalCode.UNREADABLE_IMAGE),
        (png_of(8, 3, b"\2" * 90, TWO_COLORS), RefusalCode.UNREADABLE_IMAGE),
        (png_of(8, 0, bytes(90), chunk(b"tRNS", bytes(2))), None),
        (png_of(1, 0, bytes(12), chunk(b"tRNS", b"\0\xff")), None),
        (png_of(8, 3, b"\1" * 90, TWO_COLORS, chunk(b"tRNS", bytes(2))), None),
    ],
    ids=[
        *("16 bits", "4 bits of grey", "2 bits of grey", "a long one", "a large one", "beside another"),
        *("more than colors", "before the colors", "no such color", "grey", "black and white", "a palette"),
    ],
)
def test_a_transparent_color_is_the_one_that_browsers_see(
    decoder: Decoder, body: bytes, code: RefusalCode | None
) -> None:
    if code:
        assert refusal(decoder, body) is code
    else:
        assert describe(decoder, body).frames == 1


@pytest.mark.parametrize("name", ["PNG", "WEBP", "AVIF", "TIFF", "GIF"])
def test_what_white_hides_is_shown_over_black_too(decoder: Decoder, name: str) -> None:
    hidden = Image.new("RGBA", (128, 96), (255, 255, 255, 0))
    hidden.paste((255, 255, 255, 255), (32, 24, 96, 72))
    body = written(hidden, name)

    assert describe(decoder, body).judged == (JudgedFrame(0, BOTH),)
    assert_color(picture(decoder.render(body, 0, Background.WHITE)), 0.05, 0.05, WHITE)
    black = picture(decoder.render(body, 0, Background.BLACK))
    assert_color(black, 0.05, 0.05, BLACK)
    assert_color(black, 0.5, 0.5, WHITE)


def test_a_palette_may_be_transparent_in_part(decoder: Decoder) -> None:
    palette = drawn().quantize(4)
    (white,) = [
        n for n, color in enumerate(zip(*[iter(palette.getpalette() or [])] * 3, strict=False)) if color == WHITE
    ]
    body = written(palette, "PNG", transparency=white)

    assert describe(decoder, body).judged == (JudgedFrame(0, BOTH),)
    assert_color(picture(decoder.render(body, 0, Background.BLACK)), 0.75, 0.25, BLACK)


def test_a_small_transparent_part_is_enough_to_hide_something(decoder: Decoder) -> None:
    picture_with_hole = drawn((1600, 1600)).convert("RGBA")
    picture_with_hole.paste((255, 255, 255, 0), (1000, 100, 1160, 260))

    assert describe(decoder, written(picture_with_hole, "WEBP", lossless=True)).judged == (JudgedFrame(0, BOTH),)


def test_soft_edges_and_opaque_alpha_are_judged_once(decoder: Decoder) -> None:
    soft = drawn((640, 480)).convert("RGBA")
    soft.paste((255, 255, 255, 230), (0, 0, 1, 480))

    assert describe(decoder, written(soft, "PNG")).judged == (JudgedFrame(0),)
    assert describe(decoder, written(drawn().convert("RGBA"), "PNG")).judged == (JudgedFrame(0),)


def test_thin_lines_and_what_is_faint_are_judged_over_both(decoder: Decoder) -> None:
    thin = drawn((1_600, 1_200)).convert("RGBA")
    thin.paste((255, 255, 255, 0), (400, 100, 401, 1_100))
    faint = drawn((640, 480)).convert("RGBA")
    faint.putalpha(Image.linear_gradient("L").resize(faint.size).point(lambda value: 242 + value // 20))

    for hiding in (thin, faint):
        assert describe(decoder, written(hiding, "WEBP", lossless=True)).judged == (JudgedFrame(0, BOTH),)


def test_only_the_frames_that_show_their_background_are_judged_twice(decoder: Decoder) -> None:
    clear = drawn().convert("RGBA")
    clear.putalpha(60)

    judged = describe(decoder, animated("WEBP", [drawn().convert("RGBA"), clear], lossless=True)).judged

    assert judged == (JudgedFrame(0), JudgedFrame(1, BOTH))


def test_a_large_picture_is_made_smaller(decoder: Decoder) -> None:
    large = drawn((12_000, 1_000))

    answer = decoder.describe(written(large, "PNG", compress_level=1), 8)

    assert answer.description is not None
    assert (answer.description.width, answer.description.height) == (12_000, 1_000)
    assert picture(answer).size == (10_000, 833)
    assert_drawn(picture(answer))


def test_a_large_jpeg_is_described_by_its_own_size(decoder: Decoder) -> None:
    answer = decoder.describe(written(drawn((12_000, 2_000)), "JPEG"), 8)

    assert answer.description is not None
    assert answer.description.width == 12_000
    assert max(picture(answer).size) <= 10_000
    assert_drawn(picture(answer))


def test_what_compresses_badly_is_made_to_fit(decoder: Decoder) -> None:
    noise = Image.effect_noise((3_000, 3_000), 120)

    answer = decoder.describe(written(noise, "PNG", compress_level=0), 8)

    assert 1_000 < picture(answer).width < 3_000


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        ((1, 1), (80, 80)),
        ((32, 16), (160, 80)),
        ((80, 80), (80, 80)),
        ((79, 500), (80, 506)),
        ((20, 5_000), (80, 10_000)),
    ],
)
def test_a_small_picture_is_made_as_large_as_rekognition_wants_it(
    decoder: Decoder, size: tuple[int, int], shown: tuple[int, int]
) -> None:
    answer = decoder.describe(written(Image.new("RGB", size, GREEN), "PNG"), 8)

    assert picture(answer).size == shown
    assert_color(picture(answer), 0.5, 0.5, GREEN)


def test_metadata_does_not_get_into_the_rendition(decoder: Decoder) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("comment", "a text")
    for body in (written(drawn(), "JPEG", comment=b"a text"), written(drawn(), "PNG", pnginfo=texts)):
        assert b"a text" in body
        assert b"a text" not in decoder.describe(body, 8).jpeg


@pytest.mark.parametrize("name", STILL)
def test_a_suffix_or_a_declared_type_means_nothing(decoder: Decoder, name: str) -> None:
    """The decoder is not even told them; only first bytes count, and they choose one plugin of Pillow's."""
    assert describe(decoder, STILL[name]).format is ImageFormat(name)


@pytest.mark.parametrize(
    "body",
    [
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n",
        b"%PDF-1.4\n",
        b"P6 100 100 255\n" + bytes(30_000),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\0\0\1\0\1\0" + bytes(100),
        b"8BPS\0\1" + bytes(100),
        b"x",
    ],
    ids=["eps", "pdf", "ppm", "svg", "ico", "psd", "nothing"],
)
def test_no_other_format_is_opened(decoder: Decoder, body: bytes) -> None:
    assert refusal(decoder, body) is RefusalCode.UNSUPPORTED_FORMAT


@pytest.mark.parametrize("body", [gif_of(1_001), tiff_of(1_001)], ids=["gif", "tiff"])
def test_too_many_frames_are_refused(decoder: Decoder, body: bytes) -> None:
    assert refusal(decoder, body) is RefusalCode.TOO_MANY_FRAMES


@pytest.mark.parametrize("body", [gif_of(1_000), tiff_of(1_000)], ids=["gif", "tiff"])
def test_many_frames_are_not(decoder: Decoder, body: bytes) -> None:
    description = describe(decoder, body)

    assert (description.frames, description.distinct_frames) == (1_000, 1)


@pytest.mark.parametrize("name", ["WEBP", "AVIF"])
def test_frames_that_the_file_announces_are_refused_before_they_are_decoded(name: str) -> None:
    body = animated(name, frames(5, (90, 90)))

    assert refusal(Decoder(most_frames=4), body) is RefusalCode.TOO_MANY_FRAMES
    assert describe(Decoder(most_frames=5), body).frames == 5


@pytest.mark.parametrize("name", ["GIF", "PNG", "WEBP", "AVIF", "TIFF"])
def test_the_pixels_of_all_frames_are_counted(name: str) -> None:
    body = animated(name, frames(5, (90, 90)))

    assert refusal(Decoder(most_in_all=5 * 90 * 90 - 1), body) is RefusalCode.TOO_MANY_PIXELS
    assert describe(Decoder(most_in_all=5 * 90 * 90), body).frames == 5


@pytest.mark.parametrize("name", ["GIF", "PNG", "WEBP", "AVIF"])
def test_the_pixels_of_all_frames_are_refused_before_they_are_decoded(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = animated(name, frames(5, (90, 90)))
    monkeypatch.setattr(Image.Image, "load", None)
    for plugin in (WebPImagePlugin.WebPImageFile, AvifImagePlugin.AvifImageFile):
        monkeypatch.setattr(plugin, "load", None)

    assert refusal(Decoder(most_in_all=1_000), body) is RefusalCode.TOO_MANY_PIXELS
