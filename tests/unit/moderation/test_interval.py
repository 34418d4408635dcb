"""Shares with Wilson's confidence interval."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatehouse.moderation.interval import Share

COUNTS = st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [
        # Newcombe (1998), Statistics in Medicine 17, 857-872, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
        # What docs/quality.md says of 300 and 3,000 samples.
        (3, 300, 0.003, 0.029),
        (30, 3000, 0.007, 0.014),
        (0, 300, 0.0, 0.013),
    ],
)
def test_the_interval_is_wilsons(count: int, of: int, low: float, high: float) -> None:
    share = Share(count, of)

    assert [share.low, share.high] == pytest.approx([low, high], abs=0.0005)


@given(counts=COUNTS)
def test_the_share_is_inside_its_interval_and_that_is_inside_0_and_1(counts: tuple[int, int]) -> None:
    share = Share(*counts)

    assert share.value is not None
    assert 0 <= share.low <= share.value <= share.high <= 1
    opposite = Share(share.of - share.count, share.of)
    assert [opposite.low, opposite.high] == pytest.approx([1 - share.high, 1 - share.low])


@given(counts=COUNTS)
def test_more_of_the_same_narrows_it(counts: tuple[int, int]) -> None:
    share, more = Share(*counts), Share(*(4 * count for count in counts))

    assert more.high - more.low < share.high - share.low


def test_of_nothing_anything_may_be_true() -> None:
    nothing = Share(0, 0)

    assert (nothing.value, nothing.low, nothing.high) == (None, 0.0, 1.0)
