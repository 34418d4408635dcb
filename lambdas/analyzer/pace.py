"""Pace: spreads calls evenly over time, however many threads make them."""

import threading
from collections.abc import Callable


class Pace:
    """Hands out turns, `calls_per_second` of them. Thread safe; lives as long as the function instance.

    With N instances that each have an N-th of a rate, the rate is kept without a shared counter; the event source
    mapping limits the number of instances (MaximumConcurrency). An unused turn is not saved, so there are no bursts,
    which Rekognition throttles even below the quota (Developer Guide, limits.html).

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

    def take_turn(self, until: float) -> bool:
        """Wait for the next turn. Returns False, without waiting, if it is after `until` (by the same clock)."""
        with self._lock:
            now = self._clock()
            turn = max(now, self._next)
            if turn > until:
                return False
            self._next = turn + self._interval
        if turn > now:
            self._pause(turn - now)
        return True
