"""Output for people, to a terminal or a file, without control characters."""

import os
import sys
from typing import TextIO

from rich.console import Console
from rich.text import Text

_PLAIN_WIDTH = 150  # columns, where neither a terminal nor COLUMNS says how many


def console_for(stream: TextIO = sys.stdout) -> Console:
    """A console that writes to `stream`, and replaces characters that its encoding lacks."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")
    if stream.isatty() or columns_given():  # Rich reads both
        return Console(file=stream, highlight=False)
    return Console(file=stream, highlight=False, width=_PLAIN_WIDTH)


def columns_given() -> bool:
    """Whether COLUMNS sets the width, whatever the output is."""
    return os.environ.get("COLUMNS", "").isdecimal()


def printable(text: str) -> Text:
    """`text` with control characters escaped: keys may contain them, and a terminal would execute them."""
    return Text(spelled_out(text))


def spelled_out(text: str) -> str:
    """The same, as text for a cell or a sentence."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
