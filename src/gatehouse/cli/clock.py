"""The time, as something that can be given to a command."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time, by both clocks."""

    now: datetime
    monotonic: float


@dataclass(frozen=True, slots=True)
class Clock:
    """The time, and how to let it pass: `now` with a zone, `monotonic` and `pause` in seconds."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep

    def moment(self) -> Moment:
        """This moment."""
        return Moment(self.now(), self.monotonic())

    def seconds_since(self, moment: Moment) -> float:
        """What has passed by the clock that says more: one stands still while the machine sleeps, one is set back."""
        return max(self.monotonic() - moment.monotonic, (self.now() - moment.now).total_seconds())
