"""Profiles of common pictures are applied, and those that could show two pictures in one are refused."""

import io

import pytest
from PIL import Image

from gatehouse.moderation.rendition import Background, RefusalCode, RefusedError
from lambdas.renderer.color_profile import ColorSpace, color_space_of
from lambdas.renderer.shown_picture import to_jpeg
from tests.unit.lambdas.color_profiles import ADOBE_RGB, COMMON, GREYS, HOSTILE, LINEAR, SRGB, cmyk, profile, tags_of


def shown(picture: Image.Image, icc_profile: bytes) -> Image.Image:
    picture.info["icc_profile"] = icc_profile
    return Image.open(io.BytesIO(to_jpeg(picture, Background.WHITE))).convert("RGB")


@pytest.mark.parametrize("name", COMMON)
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P"])
def test_a_common_profile_is_applied(name: str, mode: str) -> None:
    assert color_space_of(COMMON[name]) is ColorSpace.RGB

    grey = Image.new("RGB", (90, 90), (128, 128, 128))
    middle = shown(grey.quantize(2) if mode == "P" else grey.convert(mode), COMMON[name]).getpixel((45, 45))

    assert isinstance(middle, tuple)
    assert max(middle) - min(middle) < 12
    assert 100 < middle[1] < (200 if name == "linear" else 160)


@pytest.mark.parametrize("name", GREYS)
@pytest.mark.parametrize("mode", ["L", "LA", "1"])
def test_a_profile_of_grey_is_applied_to_grey(name: str, mode: str) -> None:
    assert color_space_of(GREYS[name]) is ColorSpace.GREY

    picture = shown(Image.linear_gradient("L").convert(mode), GREYS[name]).convert("L")

    least, most = picture.resize((1, 8), Image.Resampling.BOX).getextrema()
    assert isinstance(least, int | float)
    assert isinstance(most, int | float)
    assert least < 40 < 215 < most


def test_a_profile_for_ink_is_applied_to_ink() -> None:
    assert color_space_of(cmyk()) is ColorSpace.CMYK

    picture = shown(Image.new("CMYK", (90, 90), (0, 0, 0, 255)), cmyk())

    assert picture.getpixel((45, 45)) == (0, 0, 0)


def test_a_profile_is_applied_before_a_picture_is_made_smaller() -> None:
    """As browsers do it: of what is made smaller first the profile would make another grey."""
    lines = Image.new("L", (9_000, 2_000))
    for top in range(0, 2_000, 2):
        lines.paste(255, (0, top, 9_000, top + 1))

    picture = shown(lines, profile(tags_of(SRGB, LINEAR)))

    mean = picture.convert("L").resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    assert mean in range(125, 132)


def test_a_wider_color_is_not_shown_as_a_narrow_one() -> None:
    color = shown(Image.new("RGB", (90, 90), (200, 120, 120)), profile(tags_of(ADOBE_RGB, LINEAR))).getpixel((9, 9))

    assert isinstance(color, tuple)
    assert color[0] - color[1] > 30


@pytest.mark.parametrize("name", HOSTILE)
def test_a_profile_with_two_readings_is_refused(name: str) -> None:
    with pytest.raises(RefusedError) as refused:
        color_space_of(HOSTILE[name])

    assert refused.value.code is RefusalCode.UNSUPPORTED_FORMAT


@pytest.mark.parametrize(
    ("mode", "icc_profile"),
    [("RGB", GREYS["gamma 2.2"]), ("RGB", cmyk()), ("L", cmyk()), ("CMYK", COMMON["sRGB, version 4"])],
)
def test_a_profile_for_pixels_of_another_kind_is_refused(mode: str, icc_profile: bytes) -> None:
    with pytest.raises(RefusedError) as refused:
        shown(Image.new(mode, (90, 90)), icc_profile)

    assert refused.value.code is RefusalCode.UNSUPPORTED_FORMAT


def test_what_lcms_can_not_apply_is_refused() -> None:
    broken = cmyk().replace(b"mft1", b"mft9")

    with pytest.raises(RefusedError) as refused:
        shown(Image.new("CMYK", (90, 90)), broken)

    assert refused.value.code is RefusalCode.UNSUPPORTED_FORMAT
