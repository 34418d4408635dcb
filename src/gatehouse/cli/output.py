"""What a command prints: for people, or one JSON document for scripts."""

import json
import re
import sys
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.cells import cell_len
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from gatehouse.console import columns_given, console_for, printable

if TYPE_CHECKING:
    from rich.console import Console

#: What is never broken in two, with the blanks behind it: a command in backticks, which somebody may copy, or a word.
_UNBREAKABLE = re.compile(r"(?:[^\s`]*`[^`]*`\S*|\S+)\s*")
#: Columns; no table is as wide.
_UNBOUNDED = 1_000_000

#: What stands in front of a line's first word.
_START = re.compile(r"\s*(?:- )?")


class Format(StrEnum):
    """Who reads it."""

    TABLE = "table"
    JSON = "json"


OutputFormat = Annotated[Format, typer.Option("--output", help="For people, or one JSON document for scripts.")]


@dataclass(frozen=True, slots=True)
class Output:
    """The two streams of a command: results on stdout, progress on stderr.

    With `json`, stdout holds one JSON document and nothing else: `say` and `show` do nothing.
    """

    json: bool
    results: "Console"
    progress: "Console"

    @classmethod
    def of(cls, output_format: Format) -> "Output":
        """The streams of this process."""
        return cls(output_format is Format.JSON, console_for(sys.stdout), console_for(sys.stderr))

    def document(self, document: Any) -> None:
        """Print the JSON document, in ASCII: no terminal and no encoding can fail on it."""
        if self.json:
            self.results.out(json.dumps(document, indent=2), highlight=False)

    def say(self, line: str = "", style: str = "") -> None:
        """Print a line for people; control characters are spelled out, and nothing is cut."""
        if not self.json:
            say(self.results, line, style)

    def show(self, table: Table) -> None:
        """Print a table for people; where its columns do not fit side by side, a line for each cell."""
        if self.json:
            return
        say(self.results, str(table.title))
        table.title = None  # Rich would break it at the table's width
        unbounded = self.results.options.update(max_width=_UNBOUNDED)
        if Measurement.get(self.results, unbounded, table).minimum <= self.results.width:
            self.results.print(table)
            return
        for cells in zip(*(column.cells for column in table.columns), strict=True):
            for column, cell in zip(table.columns, cells, strict=True):
                for line in str(cell).splitlines():
                    say(self.results, f"  {column.header}: {line}")
            self.results.print()

    def confirm(self, question: str = "Go on?") -> None:
        """Ask on stderr before something is changed.

        Raises:
            typer.Exit: the answer was no.
        """
        if not typer.confirm(question, err=True):
            self.tell("Nothing was changed.")
            raise typer.Exit(1)

    def tell(self, line: str) -> None:
        """Say how far it is, on stderr."""
        say(self.progress, line)

    def table(self, title: str, *columns: str, sentences: Collection[str] = ()) -> Table:
        """An empty table; fill it with `printable` cells and pass it to `show`.

        Args:
            sentences: the columns that may be broken, at blanks; times, numbers, names and keys stay in one piece.
        """
        drawn = box.ROUNDED if self.results.is_terminal else box.ASCII2
        table = Table(title=title, box=drawn)
        for column in columns:
            table.add_column(column, overflow="fold", no_wrap=column not in sentences)
        return table


def say(console: "Console", line: str, style: str = "") -> None:
    """Print a line for people: broken at blanks where somebody reads it at a certain width, and whole for a pipe."""
    text = printable(line)
    if console.is_terminal or columns_given():
        text = Text("\n").join(map(Text, _broken(text.plain, console.width)))
    console.print(text, style=style, soft_wrap=True)


def _broken(line: str, width: int) -> Iterator[str]:
    """Lines of `width` at most, unless one word or command is longer; later ones are indented as far as the first."""
    start = "".join(_START.findall(line)[:1])
    current = start
    for word in _UNBREAKABLE.findall(line[len(start) :]):
        if current.strip(" -") and cell_len(f"{current}{word}".rstrip()) > width:
            yield current.rstrip()
            current = " " * len(start)
        current += word
    yield current
