"""Time that passes only where somebody waits."""

import threading


class Clock:
    """A monotonic clock and a sleep that turns it, in place of the module `time`. Thread safe.

    Sleeps of several threads follow one another here, so time passes faster than for real sleepers; it never stands
    still while somebody waits.
    """

    def __init__(self, start: float = 1000.0) -> None:
        self._now = start
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        """Seconds."""
        with self._lock:
            return self._now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        assert seconds >= 0, "time.sleep refuses negative times"
        with self._lock:
            self._now += seconds
