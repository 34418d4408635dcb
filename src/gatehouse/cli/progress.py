"""Shows the progress of a long command: one changing line on a terminal, occasional lines elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer
from typing import TYPE_CHECKING

from rich.text import Text

from gatehouse.cli.ago import duration_words

if TYPE_CHECKING:
    from rich.console import Console

#: Seconds between two lines if lines can't be replaced, such as in a log.
_BETWEEN_LINES = 10.0


#: A speed that was measured for fewer seconds says little.
_MEASURED = 2.0


class Countdown:
    """Says how long the rest of a command takes, at the speed that it had so far.

    Args:
        total: what there is to do.
    """

    def __init__(self, total: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._total, self._monotonic, self._began = total, monotonic, monotonic()

    def after(self, done: int) -> str:
        """The end of a sentence about the progress; empty while nobody knows."""
        seconds = self._monotonic() - self._began
        if not 0 < done < self._total or seconds < _MEASURED:
            return ""
        return f", about {duration_words(seconds * (self._total - done) / done)} left"


@contextmanager
def progress(
    console: "Console", monotonic: Callable[[], float] = time.monotonic, *, first: str = "", after: float = 0.0
) -> Iterator[Callable[[str], None]]:
    """A function that shows a sentence about the progress.

    Args:
        first: what a terminal shows until there is something to say.
        after: seconds before which a terminal shows nothing, for a command that is mostly done by then.
    """
    if console.is_terminal:
        status = console.status(Text(first))
        waiting = Timer(after, status.start)
        if after:
            waiting.start()
        else:
            status.start()
        try:
            yield lambda line: status.update(Text(line))
        finally:
            if after:
                waiting.cancel()
                waiting.join()
            status.stop()
        return
    said_at = monotonic()  # a command that finishes earlier prints only its result

    def say(line: str) -> None:
        nonlocal said_at
        if monotonic() - said_at >= _BETWEEN_LINES:
            said_at = monotonic()
            console.print(Text(line), soft_wrap=True)

    yield say
