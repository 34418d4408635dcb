"""What a browser would play is never taken for one picture, and one picture never for more."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatehouse.moderation.failure import Failure
from gatehouse.moderation.png_animation import ANIMATED, MOST_PIECES, PIECE_BYTES, UNREADABLE, unseen_frames
from tests.unit.pngs import ANIMATION, END, HEADER, PIXELS, SIGNATURE, animated, chunk, png

#: Types of chunks that may stand before the pixels and mean nothing here.
KINDS = st.sampled_from([b"gAMA", b"iCCP", b"iTXt", b"eXIf", b"fcTL", b"fdAT", b"acTl", b"PLTE", b"\0\0\0\0"])
DATA = st.binary(max_size=300) | st.integers(0, 2 * PIECE_BYTES).map(bytes)
CHUNKS = st.lists(st.builds(chunk, KINDS, DATA), max_size=5)


def reader(file: bytes, asked: list[int] | None = None) -> Callable[[int], bytes]:
    """Reads a file as S3 gives it; `asked` gets each position that was asked for."""

    def read(start: int) -> bytes:
        assert 0 <= start < len(file), "S3 answers 416"
        if asked is not None:
            asked.append(start)
        return file[start : start + PIECE_BYTES]

    return read


def look(file: bytes) -> tuple[Failure | None, int]:
    """What is found of a file, and how many pieces were read."""
    asked: list[int] = []
    read = reader(file, asked)
    return unseen_frames(read(0), len(file), read), len(asked)


@pytest.mark.parametrize("file", [b"x", b"\xff\xd8\xff\xe0 a JPEG " + ANIMATION, b"GIF89a" + ANIMATION, SIGNATURE[:7]])
def test_what_is_no_png_is_not_looked_at_any_further(file: bytes) -> None:
    assert look(file) == (None, 1)


def test_one_picture_is_one_picture() -> None:
    assert look(png()) == (None, 1)


def test_an_animation_is_one_even_if_its_pixels_are_no_frame_of_it() -> None:
    assert look(animated()) == (ANIMATED, 1)
    assert look(png(ANIMATION)) == (ANIMATED, 1)


def test_what_stands_behind_the_pixels_makes_no_animation() -> None:
    assert look(png(behind=ANIMATION)) == (None, 1)


def test_what_a_chunk_holds_is_not_taken_for_a_chunk() -> None:
    assert look(png(chunk(b"tEXt", ANIMATION))) == (None, 1)
    assert look(png(chunk(b"tEXt", PIXELS), ANIMATION)) == (ANIMATED, 1)


@given(before=CHUNKS, behind=CHUNKS)
def test_an_animation_is_found_behind_any_other_chunks(before: list[bytes], behind: list[bytes]) -> None:
    assert look(png(*before, ANIMATION, *behind))[0] is ANIMATED
    assert look(png(*before, *behind))[0] is None


@pytest.mark.parametrize("shift", range(-20, 9))
def test_a_chunk_on_the_edge_of_a_piece_is_read_whole(shift: int) -> None:
    filling = bytes(PIECE_BYTES - len(SIGNATURE + HEADER) - 12 + shift)

    assert look(png(chunk(b"tEXt", filling), ANIMATION))[0] is ANIMATED
    assert look(png(chunk(b"tEXt", filling)))[0] is None


@pytest.mark.parametrize("length", [PIECE_BYTES, 10 * PIECE_BYTES, 300 * PIECE_BYTES])
def test_a_long_chunk_costs_one_more_read(length: int) -> None:
    assert look(png(chunk(b"iCCP", bytes(length)))) == (None, 2)
    assert look(animated(chunk(b"iCCP", bytes(length)))) == (ANIMATED, 2)


def test_a_picture_may_have_seven_long_chunks_before_its_pixels_and_no_more() -> None:
    long = chunk(b"iTXt", bytes(PIECE_BYTES))

    assert look(png(*[long] * (MOST_PIECES - 1))) == (None, MOST_PIECES)
    assert look(animated(*[long] * (MOST_PIECES - 1))) == (ANIMATED, MOST_PIECES)
    assert look(png(*[long] * MOST_PIECES)) == (UNREADABLE, MOST_PIECES)


def test_a_file_of_nothing_but_tiny_chunks_is_given_up() -> None:
    assert look(png(chunk(b"tEXt") * MOST_PIECES * PIECE_BYTES)) == (UNREADABLE, MOST_PIECES)


@pytest.mark.parametrize("end", range(len(SIGNATURE), len(SIGNATURE + HEADER) + 8))
def test_a_file_that_is_cut_off_before_its_pixels_is_unreadable(end: int) -> None:
    assert look(png()[:end]) == (UNREADABLE, 1)


def test_a_picture_without_pixels_is_unreadable() -> None:
    assert look(SIGNATURE + HEADER + END) == (UNREADABLE, 1)


def test_a_chunk_that_reaches_beyond_the_file_is_unreadable() -> None:
    assert look(SIGNATURE + HEADER + b"\xff\xff\xff\xfftEXt" + PIXELS) == (UNREADABLE, 1)


def test_a_file_that_gives_less_than_it_has_is_unreadable() -> None:
    assert unseen_frames(png()[:20], 10_000, lambda _: b"") is UNREADABLE


@given(file=st.binary(max_size=200).map(lambda rest: SIGNATURE + rest))
def test_no_bytes_lead_to_an_error_or_to_more_reads_than_agreed(file: bytes) -> None:
    found, reads = look(file)

    assert found in (None, ANIMATED, UNREADABLE)
    assert reads <= MOST_PIECES
    assert found is not None or b"IDAT" in file
