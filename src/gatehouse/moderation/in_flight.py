"""Calls that wait for somebody else, a few at a time."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

#: Calls of one operation at the same time. More save little time, and on-demand capacity grows only step by step.
IN_FLIGHT: Final = 4

_Entry = TypeVar("_Entry")
_Result = TypeVar("_Result")


def in_flight(
    call: Callable[[_Entry], _Result], entries: Iterable[_Entry], most: int = IN_FLIGHT
) -> Iterator[tuple[_Entry, _Result]]:
    """Make a call for each entry, at most `most` at the same time, and yield entries and results in order.

    An entry is taken from `entries` only when its call can begin. If a call or `entries` raises, no further call
    begins, and those that are being made are waited for.
    """
    running: deque[tuple[_Entry, Future[_Result]]] = deque()
    with ThreadPoolExecutor(most) as threads:
        for entry in entries:
            running.append((entry, threads.submit(call, entry)))
            if len(running) == most:
                yield _done(running)
        while running:
            yield _done(running)


def _done(running: deque[tuple[_Entry, Future[_Result]]]) -> tuple[_Entry, _Result]:
    entry, future = running.popleft()
    return entry, future.result()
