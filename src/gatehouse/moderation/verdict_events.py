"""Sends verdicts as events to a bus, or keeps them for an operator. They never delay a verdict.

A flag is published before the verdict is final, and a topic that refuses it delays the verdict. An event is also sent
before the verdict is final, but if the bus does not accept it, it goes to a dead-letter queue and the verdict becomes
final anyway.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, Protocol

from gatehouse.moderation.flag import Flag
from gatehouse.moderation.flag_publisher import FlagPublisher, FlagSink
from gatehouse.moderation.status import Status

#: Seconds that a function may spend on a slow bus. A fast one accepts a thousand calls in less.
MAX_SECONDS: Final = 120.0

#: Attempts for the entries that a call refused. botocore retries calls that failed as a whole.
_TRIES: Final = 3


class EventSink(FlagSink, Protocol):
    """A destination of events."""

    def is_open(self) -> bool:
        """Whether sending can succeed."""
        ...


class DeadLetters(Protocol):
    """A destination for the documents of events that could not be sent."""

    def send(self, bodies: Iterable[str]) -> None:
        """Keep all of them.

        Raises:
            Exception: the adapter's own, if some are not kept.
        """
        ...


@dataclass(slots=True)
class Announcement:
    """The events of one run of a function.

    Attributes:
        sent: the number of events that the bus accepted.
        kept: the number of events that it did not accept, and that are in the dead-letter queue.
        problems: why it did not accept them.
    """

    _sink: EventSink
    _publisher: FlagPublisher
    _dead_letters: DeadLetters
    _clock: Callable[[], float]
    _seconds_left: float
    sent: int = 0
    kept: int = 0
    problems: set[str] = field(default_factory=set)
    _is_open: bool | None = None

    def announce(self, flags: Sequence[Flag]) -> None:
        """Send the events of flags in order, and put those that the bus does not accept into the dead-letter queue.

        If the bus does not exist, refuses a whole call of ten, or exceeds its time, this run does not call it again.

        Raises:
            Exception: the dead-letter queue's, if that fails as well. Events that were sent stay sent; sending them
                again does no harm.
        """
        if not flags:
            return
        refused = list(self._refused(flags))
        self.sent += len(flags) - len(refused)
        if refused:
            self._dead_letters.send(flag.body for flag in refused)
            self.kept += len(refused)

    def _refused(self, flags: Sequence[Flag]) -> Iterable[Flag]:
        began = self._clock()
        waiting = iter(flags)
        if self._may_send():
            for sent in self._publisher.publish(flags):
                yield from (flag for n, flag in enumerate(islice(waiting, sent.flags)) if n in sent.refused)
                if sent.error:
                    self.problems.add(str(sent.error))
                if sent.is_closed or self._clock() - began > self._seconds_left:
                    self._close("it refuses everything" if sent.is_closed else "it is too slow")
                    break
        self._seconds_left -= self._clock() - began
        yield from waiting

    def _may_send(self) -> bool:
        if self._is_open is None:
            self._is_open = self._sink.is_open()
            if not self._is_open:
                self._close("it is gone, or may not be looked at")
        return self._is_open

    def _close(self, why: str) -> None:
        self._is_open = False
        self.problems.add(f"the bus was given up: {why}")


@dataclass(frozen=True, slots=True)
class VerdictEvents:
    """Announces verdicts as events.

    Attributes:
        sink: the bus.
        dead_letters: keeps the events that the bus does not accept.
        statuses: the final statuses of first verdicts for which an event is sent.
        clock: a monotonic time in seconds.
        pause: waits the given number of seconds between attempts.
    """

    sink: EventSink
    dead_letters: DeadLetters
    statuses: AbstractSet[Status]
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep

    def begin(self, seconds: float = MAX_SECONDS) -> Announcement:
        """Start the announcement of one run.

        Args:
            seconds: the time that the run may spend on the bus. It waits for a call that is in progress.
        """
        publisher = FlagPublisher(self.sink, self.pause, tries=_TRIES)
        return Announcement(self.sink, publisher, self.dead_letters, self.clock, seconds)
