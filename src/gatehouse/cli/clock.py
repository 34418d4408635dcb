"""The clock that commands use; tests replace it."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time, on the wall clock and the monotonic clock."""

    now: datetime
    monotonic: float


@dataclass(frozen=True, slots=True)
class Clock:
    """The current time, with its zone, and pauses. `monotonic` and `pause` are in seconds."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep

    def moment(self) -> Moment:
        """The current moment."""
        return Moment(self.now(), self.monotonic())

    def seconds_since(self, moment: Moment) -> float:
        """Seconds since a moment, by the clock that shows more: one stops in sleep mode, the other may be set back."""
        return max(self.monotonic() - moment.monotonic, (self.now() - moment.now).total_seconds())
