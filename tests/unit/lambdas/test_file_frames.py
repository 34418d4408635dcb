"""Frames are counted along a file's blocks, and a file whose blocks do not hold together is refused."""

import struct

import pytest

from gatehouse.moderation.rendition import RefusalCode, RefusedError
from lambdas.renderer.file_frames import read_gif, read_png
from tests.unit.lambdas.drawn_pictures import animated as animated_file
from tests.unit.lambdas.drawn_pictures import drawn, frames, gif_of, written
from tests.unit.pngs import ANIMATION, END, HEADER, PIXELS, SIGNATURE, animated, chunk, png


def gif_frames(body: bytes, most: int) -> int:
    return len(read_gif(body, most).parts)


def png_frames(body: bytes, most: int) -> int:
    animation = read_png(body, most)
    return len(animation.parts) if animation else 1


def gif_refusal(body: bytes, most: int = 100) -> RefusalCode:
    with pytest.raises(RefusedError) as refused:
        gif_frames(body, most)
    return refused.value.code


def png_refusal(body: bytes, most: int = 100) -> RefusalCode:
    with pytest.raises(RefusedError) as refused:
        png_frames(body, most)
    return refused.value.code


@pytest.mark.parametrize("count", [1, 2, 7])
def test_the_frames_of_a_gif_are_counted(count: int) -> None:
    assert gif_frames(gif_of(count), 100) == count
    assert gif_frames(animated_file("GIF", frames(count), comment=b",;!" * 200), 100) == count


def test_a_gif_cut_off_anywhere_is_refused() -> None:
    body = animated_file("GIF", frames(3, (20, 20)), comment=b"a comment")

    for length in range(13, len(body) - 1):
        assert gif_refusal(body[:length]) is RefusalCode.UNREADABLE_IMAGE


def test_a_gif_may_have_anything_behind_its_end_and_zeros_between_its_blocks() -> None:
    body = gif_of(2)

    assert gif_frames(body + b",,,,", 100) == 2
    assert gif_frames(body[:-1] + b"\0\0;", 100) == 2
    assert gif_refusal(body[:-1] + b"x;") is RefusalCode.UNREADABLE_IMAGE


def test_a_gif_without_a_frame_is_refused() -> None:
    assert gif_refusal(gif_of(0)) is RefusalCode.UNREADABLE_IMAGE


def test_a_gif_of_a_hundred_thousand_frames_is_not_read_to_its_end() -> None:
    assert gif_refusal(gif_of(100_000)[:5_000]) is RefusalCode.TOO_MANY_FRAMES


def test_one_picture_is_one_frame() -> None:
    assert png_frames(png(), 100) == 1
    assert png_frames(png(behind=ANIMATION), 100) == 1, "no animation: it is said too late"


def test_the_frames_of_an_apng_are_counted_and_a_default_image_that_is_none_too() -> None:
    assert png_frames(animated(), 100) == 2
    assert png_frames(animated_file("PNG", frames(4)), 100) == 4
    assert png_frames(animated_file("PNG", frames(4), default_image=True), 100) == 4


def control(number: int) -> bytes:
    return chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, 90, 90, 0, 0, 1, 10, 0, 0))


@pytest.mark.parametrize(
    "body",
    [
        png(chunk(b"acTL", struct.pack(">II", 1, 0)), control(0), behind=control(1)),
        png(chunk(b"acTL", struct.pack(">II", 3, 0)), control(0), behind=control(1)),
        png(chunk(b"acTL", struct.pack(">II", 0, 0))),
        png(ANIMATION, ANIMATION, control(0), control(1)),
        png(chunk(b"acTL", bytes(7))),
    ],
    ids=["fewer said", "more said", "none said", "said twice", "said shortly"],
)
def test_an_apng_that_says_another_number_of_frames_than_it_has_is_refused(body: bytes) -> None:
    assert png_refusal(body) is RefusalCode.UNREADABLE_IMAGE


def test_an_apng_of_too_many_frames_is_refused() -> None:
    assert png_refusal(animated(), most=1) is RefusalCode.TOO_MANY_FRAMES


def test_a_png_cut_off_anywhere_is_refused() -> None:
    body = written(drawn((30, 30)), "PNG")

    for length in range(8, len(body)):
        assert png_refusal(body[:length]) is RefusalCode.UNREADABLE_IMAGE


def test_a_png_without_pixels_is_refused() -> None:
    assert png_refusal(SIGNATURE + HEADER + END) is RefusalCode.UNREADABLE_IMAGE
    assert (
        png_refusal(SIGNATURE + HEADER + PIXELS + struct.pack(">I", 2**32 - 1) + b"IEND")
        is RefusalCode.UNREADABLE_IMAGE
    )
