"""Frames are put together as browsers do it; tests/browser/test_composition.py shows that they do."""

import io

import pytest
from PIL import Image

from gatehouse.moderation.rendition import Background, JudgedFrame, RefusalCode, RefusedError
from lambdas.renderer.decoder import Decoder
from tests.unit.lambdas.animated_files import CLEAR, COMPOSED, SIDE, WHOLE, Frame, Shown, apng, gif, plain
from tests.unit.pngs import chunk

BOTH = (Background.WHITE, Background.BLACK)
MIDDLE, EDGE = (SIDE // 2, SIDE // 2), (2, 2)


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    decoder = Decoder()
    decoder.prepare()
    return decoder


def grey_at(decoder: Decoder, body: bytes, number: int, place: tuple[int, int], background: Background) -> int:
    picture = Image.open(io.BytesIO(decoder.render(body, number, background).jpeg)).convert("L")
    value = picture.getpixel(place)
    assert isinstance(value, int)
    return value


@pytest.mark.parametrize(
    ("name", "place", "over_white", "over_black"),
    [
        ("cleared.gif", MIDDLE, 255, 0),
        ("cleared.gif", EDGE, 0, 0),
        ("kept after clearing.gif", MIDDLE, 90, 90),
        ("without control.gif", MIDDLE, 90, 90),
        ("restored.gif", MIDDLE, 220, 220),
        ("restored by 4.gif", MIDDLE, 220, 220),
        ("first beyond the screen.gif", EDGE, 200, 200),
        ("few colors.gif", EDGE, 0, 0),
        ("cleared.png", MIDDLE, 255, 0),
        ("default image.png", MIDDLE, 255, 0),
        ("first restored.png", MIDDLE, 255, 0),
        ("restored.png", MIDDLE, 200, 200),
        ("replaced.png", (40, 50), 195, 0),
        ("blended.png", (40, 50), 100, 100),
    ],
)
def test_a_frame_is_shown_over_what_the_ones_before_left(
    decoder: Decoder, name: str, place: tuple[int, int], over_white: int, over_black: int
) -> None:
    body = COMPOSED[name]
    description = decoder.describe(body, 8).description
    assert description is not None

    for background, expected in zip(Background, (over_white, over_black), strict=True):
        assert abs(grey_at(decoder, body, description.frames - 1, place, background) - expected) < 12


@pytest.mark.parametrize("name", ["cleared.gif", "first is small.gif", "cleared.png", "default image.png"])
def test_what_was_cleared_away_is_judged_over_both(decoder: Decoder, name: str) -> None:
    description = decoder.describe(COMPOSED[name], 8).description

    assert description is not None
    assert description.judged[-1] == JudgedFrame(description.frames - 1, BOTH)


def test_what_reaches_beyond_the_canvas_does_not_make_a_picture_small(decoder: Decoder) -> None:
    beyond = (0, 0, 900, 900)
    body = gif(Shown(plain(200)), Shown(plain(30, beyond), beyond))

    rendition = Image.open(io.BytesIO(decoder.render(body, 1, Background.WHITE).jpeg))

    assert rendition.size == (SIDE, SIDE)
    assert rendition.convert("L").getextrema()[1] < 50  # type: ignore[operator]


def test_a_frame_that_lies_beside_the_canvas_shows_nothing_new(decoder: Decoder) -> None:
    beside = (SIDE + 5, SIDE + 5, 10, 10)
    description = decoder.describe(gif(Shown(plain(200)), Shown(plain(30, beside), beside)), 8).description

    assert description is not None
    assert (description.frames, description.distinct_frames) == (2, 1)


def test_pixels_beyond_the_canvas_are_counted_too(decoder: Decoder) -> None:
    wide = (0, 0, 65_000, 1_000)
    with pytest.raises(RefusedError) as refused:
        decoder.describe(gif(Shown(plain(200)), Shown(b"\1", wide)), 8)

    assert refused.value.code is RefusalCode.TOO_MANY_PIXELS


def test_a_profile_counts_for_all_frames_of_an_animation(decoder: Decoder) -> None:
    damaged = chunk(b"iCCP", b"name\0\0no profile")
    frames = [Frame(Image.new("RGB", (SIDE, SIDE), (n, 0, 0))) for n in (1, 99)]

    with pytest.raises(RefusedError) as refused:
        decoder.describe(apng(*frames, before=[damaged]), 8)

    assert refused.value.code is RefusalCode.UNSUPPORTED_FORMAT


@pytest.mark.parametrize(
    "body",
    [
        gif(Shown(plain(9)), colors=b""),
        gif(Shown(b"", (0, 0, 0, 5))),
        gif(Shown(plain(9))).replace(b"!\xf9\x04", b"!\xf9\x04\5\0\0\xff\0!\xf9\x04", 1),
        gif(Shown(plain(9))).replace(b"!\xf9\x04", b"!\xf9\x05\0", 1),
        gif(Shown(plain(9)[:500])),
    ],
    ids=["no colors", "no size", "two controls", "a longer control", "too few pixels"],
)
def test_a_gif_that_decoders_read_differently_is_refused(decoder: Decoder, body: bytes) -> None:
    with pytest.raises((RefusedError, OSError)):
        decoder.describe(body, 8)


def test_a_still_gif_is_as_large_as_its_screen(decoder: Decoder) -> None:
    small = (10, 10, 30, 30)
    description = decoder.describe(gif(Shown(plain(9, small), small, CLEAR)), 8).description

    assert description is not None
    assert (description.width, description.height) == WHOLE[2:]
    assert description.judged == (JudgedFrame(0, BOTH),)
