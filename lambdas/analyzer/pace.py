"""Pace: spreads calls evenly over time, however many threads make them."""

import threading
from collections.abc import Callable

#: A thread may wake this many seconds after its turn without delaying the turns that follow.
_LATE = 0.2


class Pace:
    """Hands out turns, `calls_per_second` of them. Thread safe; lives as long as the function instance.

    With N instances that each have an N-th of a rate, the rate is kept without a shared counter; the event source
    mapping limits the number of instances (MaximumConcurrency). An unused turn is not saved, so there are no bursts,
    which Rekognition throttles even below the quota (Developer Guide, limits.html). Nor are turns made up for that a
    standstill of the whole process slept through: all that follow are delayed by it.

    Args:
        clock: seconds, monotonic.
        pause: waits the given number of seconds.
    """

    def __init__(self, calls_per_second: float, clock: Callable[[], float], pause: Callable[[float], None]) -> None:
        self._interval = 1 / calls_per_second
        self._clock = clock
        self._pause = pause
        self._lock = threading.Lock()
        self._next = float("-inf")
        self._delay = 0.0  # of all turns so far

    def take_turn(self, until: float) -> bool:
        """Wait for the next turn. Returns False, as soon as that is known, if it is after `until` (same clock)."""
        with self._lock:
            now = self._clock()
            turn = max(now, self._next)
            if turn > until:
                return False
            self._next = turn + self._interval
            delay = self._delay
        wait = turn - now
        while wait > 0:
            self._pause(wait)
            with self._lock:
                now, moved, delay = self._clock(), self._delay - delay, self._delay
                turn += moved
                late = now - turn
                if late > _LATE:
                    self._delay, self._next, turn = delay + late, self._next + late, now
            if turn > until:
                return False
            wait = turn - now if moved else 0.0
        return True
