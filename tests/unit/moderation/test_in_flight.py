from collections.abc import Iterator
from threading import Barrier, Event

import pytest

from gatehouse.moderation.in_flight import in_flight


def test_results_come_in_order_with_their_entries() -> None:
    assert list(in_flight(str, range(10), most=3)) == [(n, str(n)) for n in range(10)]
    assert list(in_flight(str, [])) == []


def test_as_many_calls_as_allowed_are_made_at_the_same_time() -> None:
    together = Barrier(3, timeout=60)  # a call that is alone breaks it

    assert len([*in_flight(lambda _: together.wait(), range(6), most=3)]) == 6


def test_no_more_entries_are_taken_than_calls_can_begin() -> None:
    taken: list[int] = []

    def entries() -> Iterator[int]:
        for n in range(6):
            taken.append(n)
            yield n

    results = in_flight(str, entries(), most=2)
    assert next(results) == (0, "0")
    assert taken == [0, 1]
    assert len([*results]) == 5


def test_an_error_is_raised_in_its_turn_and_no_call_begins_after_it() -> None:
    made: list[int] = []
    second_is_made = Event()

    def call(n: int) -> int:
        made.append(n)
        if n == 1:
            second_is_made.set()
        elif n == 0:
            assert second_is_made.wait(60)
            raise ValueError(n)
        return n

    with pytest.raises(ValueError, match="0"):
        list(in_flight(call, range(6), most=2))
    assert sorted(made) == [0, 1]
