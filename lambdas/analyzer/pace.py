"""Pace: calls evenly spread over time, however many threads make them."""

import threading
from collections.abc import Callable


class Pace:
    """Hands out turns, `calls_per_second` of them. Thread safe; lives as long as the function instance.

    With N instances at N-th parts of a rate, the rate is kept without anybody counting: how many instances run at once
    is the event source mapping's business (MaximumConcurrency). A turn that nobody took is not saved up, so there are
    no bursts, which Rekognition throttles even below the quota (Developer Guide, limits.html).

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
        """Wait for the next turn. Returns False, and takes none, if it comes after `until` (by the same clock)."""
        with self._lock:
            now = self._clock()
            turn = max(now, self._next)
            if turn > until:
                return False
            self._next = turn + self._interval
        if turn > now:
            self._pause(turn - now)
        return True
