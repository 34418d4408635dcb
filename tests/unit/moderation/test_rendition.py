"""Which frames are judged."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gatehouse.moderation.rendition import RefusalCode, choose_frames

DISTINCT = st.lists(st.integers(0, 5_000), min_size=1, max_size=400, unique=True).map(sorted)


def test_few_frames_are_all_judged() -> None:
    assert choose_frames([0, 3, 4], 8) == (0, 3, 4)


def test_of_many_the_first_the_last_and_evenly_spaced_ones_are_judged() -> None:
    assert choose_frames(range(15), 8) == (0, 2, 4, 6, 8, 10, 12, 14)
    assert choose_frames([0, 10, 20, 30, 40], 3) == (0, 20, 40)
    assert choose_frames(range(100), 2) == (0, 99)
    assert choose_frames(range(100), 1) == (0,)


@given(DISTINCT, st.integers(2, 100))
def test_the_chosen_ones_are_distinct_and_no_gap_is_twice_another(distinct: list[int], most: int) -> None:
    chosen = choose_frames(distinct, most)

    assert len(chosen) == min(most, len(distinct))
    assert (chosen[0], chosen[-1]) == (distinct[0], distinct[-1])
    places = [distinct.index(number) for number in chosen]
    gaps = [right - left for left, right in pairwise(places)]
    assert all(gaps)
    assert max(gaps, default=0) - min(gaps, default=0) <= 1


def test_only_what_says_nothing_of_the_picture_is_about_the_call() -> None:
    about_the_call = {code for code in RefusalCode if code.is_about_the_call}

    assert about_the_call == {RefusalCode.NOT_FETCHED, RefusalCode.BAD_REQUEST}
