"""Publishing flags: the port they leave by, and the one way through it, call by call."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gatehouse.moderation.back_off import pause_seconds
from gatehouse.moderation.flag import Flag

_TRIES = 6


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a sink did not take a flag.

    Attributes:
        code: the sink's word for it.
        is_final: whether it is the flag's fault, so that asking again does not help.
    """

    code: str
    is_final: bool


class FlagSink(Protocol):
    """Where flags go."""

    @property
    def most_flags(self) -> int:
        """That it takes in one call."""
        ...

    @property
    def most_bytes(self) -> int:
        """That it takes in one call."""
        ...

    def size(self, flag: Flag) -> int:
        """The bytes of a flag, as it counts them."""
        ...

    def publish(self, flags: Sequence[Flag]) -> Mapping[int, Refusal]:
        """Make one call. Returns the positions of the flags that were refused; all others are published.

        Raises:
            ClientError: the call as a whole was refused.
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
    """What became of the flags of one call.

    Attributes:
        flags: how many they are.
        error: about those that were refused however often they were sent; None if all are published.
        is_closed: whether the sink takes nothing at all now. No more is sent.
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
        sink: where they go.
        pause: waits the given number of seconds between tries.
    """

    def __init__(self, sink: FlagSink, pause: Callable[[float], None] = time.sleep) -> None:
        self._sink = sink
        self._pause = pause

    def publish(self, flags: Iterable[Flag], before_call: Callable[[], None] = lambda: None) -> Iterator[Sent]:
        """Publish flags in order, in as few calls as the sink allows, each made when its answer is asked for.

        A sink that refuses all flags of a full call is given up: what is left then is not sent, and not answered.

        Args:
            before_call: raises what is to keep a call from being made.

        Raises:
            ClientError: a call as a whole was refused.
        """
        for group in self._calls(flags):
            before_call()
            refusals = self._send(group)
            is_closed = len(refusals) == len(group) == self._sink.most_flags
            yield Sent(len(group), _error(len(group), refusals), is_closed)
            if is_closed:
                return

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
        """Send the flags of one call, and those that were refused again for as long as it may help."""
        left: Sequence[int] = range(len(flags))
        refusals: dict[int, Refusal] = {}
        for attempt in range(_TRIES):
            answer = self._sink.publish([flags[n] for n in left])
            refusals = {left[n]: refusal for n, refusal in answer.items()}
            if all(refusal.is_final for refusal in refusals.values()):
                break
            left = tuple(refusals)
            self._pause(pause_seconds(attempt, first=0.2))
        return refusals


def _error(flags: int, refusals: Mapping[int, Refusal]) -> FlagNotPublishedError | None:
    if not refusals:
        return None
    codes = ", ".join(sorted({refusal.code for refusal in refusals.values()}))
    return FlagNotPublishedError(f"{len(refusals)} of {flags} flags were refused: {codes}", frozenset(refusals))
