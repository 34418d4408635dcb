import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.analyzer.pace import Pace
from tests.unit.clock import Clock

FOREVER = float("inf")

#: Floating point adds up a little differently from one turn to the next.
TOLERANCE = 1e-6

RATES = st.sampled_from([0.1, 0.75, 1.0, 4.0, 5.0, 7.3, 50.0])
IDLE = st.lists(st.sampled_from([0.0, 0.0, 0.001, 0.1, 0.3, 1.0, 40.0]), min_size=1, max_size=40)


def _turns(calls_per_second: float, idle: Sequence[float], start: float = 0.0) -> list[float]:
    """When a pace hands out turns to a caller who does something else for these times before each."""
    clock = Clock(start)
    pace = Pace(calls_per_second, clock.monotonic, clock.sleep)
    turns = []
    for seconds in idle:
        clock.sleep(seconds)
        assert pace.take_turn(FOREVER)
        turns.append(clock.monotonic())
    return turns


def test_the_first_turn_comes_at_once_and_the_others_evenly() -> None:
    turns = _turns(4.0, [0.0] * 5, start=100.0)

    assert turns == [100.0, 100.25, 100.5, 100.75, 101.0]


def test_a_caller_slower_than_the_pace_never_waits() -> None:
    assert _turns(4.0, [0.0, 0.25, 0.5, 10.0]) == [0.0, 0.25, 0.75, 10.75]


def test_turns_that_nobody_took_are_not_saved_up() -> None:
    turns = _turns(4.0, [0.0, 1000.0, 0.0, 0.0])

    assert turns == [0.0, 1000.0, 1000.25, 1000.5]


@given(rate=RATES, workers=st.lists(st.tuples(st.floats(0, 5), IDLE), min_size=1, max_size=6))
def test_workers_together_keep_the_rate_over_any_window_beyond_one_call_each(
    rate: float, workers: list[tuple[float, list[float]]]
) -> None:
    share = rate / len(workers)
    turns = sorted(turn for start, idle in workers for turn in _turns(share, idle, start))

    for first, begin in enumerate(turns):
        for last in range(first, len(turns)):
            calls, window = last - first + 1, turns[last] - begin
            assert calls <= len(workers) + rate * window + TOLERANCE


@pytest.mark.parametrize("threads", [1, 8, 32])
def test_threads_share_one_pace(threads: int) -> None:
    """However threads are scheduled, no two get the same turn: on a clock that stands still each waits longer."""
    waits: list[float] = []
    pace = Pace(8.0, lambda: 0.0, waits.append)

    with ThreadPoolExecutor(threads) as pool:
        assert all(pool.map(lambda _: pace.take_turn(FOREVER), range(64)))

    assert sorted(waits) == [n / 8 for n in range(1, 64)]  # the first waits for nobody


def test_a_thread_that_waits_for_its_turn_keeps_no_other_from_asking() -> None:
    """Whoever asks while another waits is given the turn after that one's."""
    waits: list[float] = []

    def ask_meanwhile(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) < 5:
            thread = threading.Thread(target=pace.take_turn, args=[FOREVER], daemon=True)
            thread.start()
            thread.join(timeout=10)
            assert not thread.is_alive(), "it waits for the one that waits"

    pace = Pace(4.0, lambda: 0.0, ask_meanwhile)
    pace.take_turn(FOREVER)
    pace.take_turn(FOREVER)

    assert waits == [0.25, 0.5, 0.75, 1.0, 1.25]


class _Stage:
    """Threads that wait for turns, woken by hand, in any order, at any time."""

    def __init__(self, calls_per_second: float, threads: int, until: float = FOREVER) -> None:
        self.now = 0.0
        self.taken: list[float] = []
        self.refused = 0
        self._asleep: list[tuple[float, threading.Event]] = []
        self._changed = threading.Condition()
        self._until = until
        self._threads = threads
        self._over = 0
        pace = Pace(calls_per_second, lambda: self.now, self._pause)
        for started in range(threads):
            threading.Thread(target=self._take, args=[pace], daemon=True).start()
            self._settle(started + 1)

    def wake(self, at: float) -> None:
        """Wake all whose time is over, one after another, when the clock says this."""
        self.now = at
        while due := sorted((entry for entry in self._asleep if entry[0] <= at), key=lambda entry: entry[0]):
            with self._changed:
                self._asleep.remove(due[0])
            due[0][1].set()
            self._settle(self._threads)

    def _take(self, pace: Pace) -> None:
        is_taken = pace.take_turn(self._until)
        with self._changed:
            self._over += 1
            if is_taken:
                self.taken.append(self.now)
            else:
                self.refused += 1
            self._changed.notify_all()

    def _pause(self, seconds: float) -> None:
        event = threading.Event()
        with self._changed:
            self._asleep.append((self.now + seconds, event))
            self._changed.notify_all()
        assert event.wait(10)

    def _settle(self, threads: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._asleep) + self._over >= threads, timeout=10)


def test_turns_that_a_standstill_slept_through_are_not_made_up_for() -> None:
    stage = _Stage(4.0, threads=8)

    for quarter in range(1, 3):
        stage.wake(quarter / 4)
    stage.wake(10.0)  # nothing ran since; four turns are over by then
    assert stage.taken == [0.0, 0.25, 0.5, 10.0]

    for quarter in range(1, 5):
        stage.wake(10 + quarter / 4)
    assert stage.taken == [0.0, 0.25, 0.5, 10.0, 10.25, 10.5, 10.75, 11.0]


def test_a_thread_that_wakes_a_little_late_delays_no_other() -> None:
    stage = _Stage(4.0, threads=4)

    for turn in (0.375, 0.5, 0.75):
        stage.wake(turn)

    assert stage.taken == [0.0, 0.375, 0.5, 0.75]


def test_a_turn_that_a_standstill_moves_beyond_its_time_is_not_taken() -> None:
    stage = _Stage(4.0, threads=4, until=10.1)

    stage.wake(10.0)
    stage.wake(11.0)

    assert (stage.taken, stage.refused) == ([0.0, 10.0], 2)


def test_a_turn_that_comes_too_late_is_not_taken() -> None:
    clock = Clock(0.0)
    pace = Pace(4.0, clock.monotonic, clock.sleep)

    assert [pace.take_turn(0.5) for _ in range(5)] == [True, True, True, False, False]
    assert clock.monotonic() == 0.5

    assert pace.take_turn(0.75)  # the turns that were refused are still there
    assert clock.monotonic() == 0.75


def test_no_turn_is_taken_once_the_time_is_up() -> None:
    clock = Clock(10.0)

    assert not Pace(4.0, clock.monotonic, clock.sleep).take_turn(9.0)
    assert clock.monotonic() == 10.0
