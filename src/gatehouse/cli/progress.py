"""How far a long command is: one changing line on a terminal, a line now and then anywhere else."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console

#: Seconds between two lines where lines can't be replaced, such as in a log.
_BETWEEN_LINES = 10.0


@contextmanager
def progress(console: "Console", monotonic: Callable[[], float] = time.monotonic) -> Iterator[Callable[[str], None]]:
    """What to call with a sentence whenever there is something new to say."""
    if console.is_terminal:
        with console.status("") as status:
            yield lambda line: status.update(Text(line))
        return
    said_at = monotonic()  # of what is over before, only the result is worth a line

    def say(line: str) -> None:
        nonlocal said_at
        if monotonic() - said_at >= _BETWEEN_LINES:
            said_at = monotonic()
            console.print(Text(line), soft_wrap=True)

    yield say
