"""Publishes flags through the port `FlagSink`, call by call."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Protocol

from gatehouse.moderation.back_off import pause_seconds
from gatehouse.moderation.flag import Flag
from gatehouse.moderation.in_flight import in_flight

_TRIES = 6


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a sink did not accept a flag.

    Attributes:
        code: the sink's error code.
        is_final: whether the flag itself is the cause, so that a retry does not help.
    """

    code: str
    is_final: bool


class FlagSink(Protocol):
    """A destination of flags."""

    @property
    def most_flags(self) -> int:
        """The maximum number of flags in one call."""
        ...

    @property
    def most_bytes(self) -> int:
        """The maximum size of one call, in bytes."""
        ...

    def size(self, flag: Flag) -> int:
        """The size of a flag in bytes, as the sink counts it."""
        ...

    def publish(self, flags: Sequence[Flag]) -> Mapping[int, Refusal]:
        """Make one call. Returns the positions of the flags that were refused; all others are published.

        Raises:
            Exception: the adapter's own, if the whole call was refused.
        """
        ...


class FlagNotPublishedError(RuntimeError):
    """Flags were refused. Their uploads stay PENDING, so that no final verdict goes unannounced.

    Attributes:
        refused: positions of the flags that were refused; all others of the call are published.
    """

    def __init__(self, message: str, refused: frozenset[int]) -> None:
        super().__init__(message)
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Sent:
    """The outcome of one call.

    Attributes:
        flags: the number of flags in the call.
        error: for the flags that were refused on every attempt; None if all are published.
        is_closed: whether the sink refused everything, so that no more is sent.
    """

    flags: int
    error: FlagNotPublishedError | None
    is_closed: bool

    @property
    def refused(self) -> frozenset[int]:
        """Positions, within the call, of the flags that were refused."""
        return self.error.refused if self.error else frozenset()


class FlagPublisher:
    """Publishes flags.

    Args:
        sink: where they are published.
        pause: waits the given number of seconds between attempts.
        tries: how many times a refused flag is sent in all.
        calls: how many are made at the same time. Flags arrive in order only if it is 1.
    """

    def __init__(
        self, sink: FlagSink, pause: Callable[[float], None] = time.sleep, tries: int = _TRIES, calls: int = 1
    ) -> None:
        self._sink = sink
        self._pause = pause
        self._tries = tries
        self._calls_at_once = calls

    def publish(self, flags: Iterable[Flag]) -> Iterator[Sent]:
        """Publish flags in as few calls as the sink allows, and yield the calls' outcomes in the order of the flags.

        A call is made when its outcome is requested, or that of a call before it if several are made at the same time.
        If the sink refuses all flags of a full call, no further call is made: the remaining flags have no outcome.

        Raises:
            Exception: the sink's own, if a whole call was refused.
        """
        is_closed = False
        groups = takewhile(lambda _: not is_closed, self._calls(flags))
        for group, refusals in in_flight(self._send, groups, self._calls_at_once):
            is_full_call_refused = len(refusals) == len(group) == self._sink.most_flags
            is_closed = is_closed or is_full_call_refused
            yield Sent(len(group), _error(len(group), refusals), is_full_call_refused)

    def _calls(self, flags: Iterable[Flag]) -> Iterator[Sequence[Flag]]:
        """Group flags, in order, so that each group fits one call."""
        group: list[Flag] = []
        size = 0
        for flag in flags:
            more = self._sink.size(flag)
            if group and (len(group) == self._sink.most_flags or size + more > self._sink.most_bytes):
                yield tuple(group)
                group, size = [], 0
            group.append(flag)
            size += more
        if group:
            yield tuple(group)

    def _send(self, flags: Sequence[Flag]) -> Mapping[int, Refusal]:
        """Send the flags of one call, and retry the refused ones as long as a retry can help."""
        left: Sequence[int] = range(len(flags))
        refusals: dict[int, Refusal] = {}
        for attempt in range(self._tries):
            answer = self._sink.publish([flags[n] for n in left])
            refusals = {left[n]: refusal for n, refusal in answer.items()}
            if all(refusal.is_final for refusal in refusals.values()) or attempt == self._tries - 1:
                break
            left = tuple(refusals)
            self._pause(pause_seconds(attempt, first=0.2))
        return refusals


def _error(flags: int, refusals: Mapping[int, Refusal]) -> FlagNotPublishedError | None:
    if not refusals:
        return None
    codes = ", ".join(sorted({refusal.code for refusal in refusals.values()}))
    return FlagNotPublishedError(f"{len(refusals)} of {flags} flags were refused: {codes}", frozenset(refusals))
