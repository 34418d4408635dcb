"""What a command prints: for people, or one JSON document for scripts."""

import json
import re
import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich import box
from rich.cells import cell_len
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from gatehouse.cli.ago import ago
from gatehouse.cli.command_name import with_options
from gatehouse.cli.errors import INTERRUPTED, CommandError
from gatehouse.console import columns_given, console_for, printable
from gatehouse.moderation.status import Status

if TYPE_CHECKING:
    from rich.console import Console

#: What is never broken in two, with the blanks behind it: a command in backticks, which somebody may copy, or a word.
_UNBREAKABLE = re.compile(r"(?:[^\s`]*`[^`]*`\S*|\S+)\s*")
#: Columns; no table is as wide.
_UNBOUNDED = 1_000_000

#: Where colors are shown, statuses have theirs everywhere.
_STATUS_STYLES: Final = {
    Status.PENDING.value: "cyan",
    Status.APPROVED.value: "green",
    Status.REVIEW.value: "yellow",
    Status.BLOCKED.value: "red",
    Status.UNSUPPORTED.value: "magenta",
    Status.FAILED.value: "bright_red",
}
#: A status that is a word of its own, and no part of a key.
_STATUSES = {name: re.compile(rf"(?<![\w/.@-]){name}(?![\w/@-]|\.\w)") for name in _STATUS_STYLES}

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

    def entries(self, documents: Iterable[Any]) -> None:
        """Print a JSON list as its entries come: each on a line of its own, in ASCII."""
        if not self.json:
            return
        separator = "["
        for document in documents:
            self.results.out(f"{separator}{json.dumps(document)}", highlight=False, end="")
            separator = ",\n"
        self.results.out("[]" if separator == "[" else "]", highlight=False)

    def say(self, line: str = "", style: str = "") -> None:
        """Print a line for people; control characters are spelled out, and nothing is cut."""
        if not self.json:
            say(self.results, line, style)

    def paste(self, line: str) -> None:
        """Print a command for people to paste: it is never broken."""
        if not self.json:
            say(self.results, line, is_whole=True)

    def show(self, table: Table) -> None:
        """Print a table for people; where its columns do not fit side by side, a line for each cell."""
        if self.json:
            return
        say(self.results, str(table.title))
        table.title = None  # Rich would break it at the table's width
        for column in table.columns:
            if column.no_wrap:  # Rich measures it by its longest word, and would break or cut the rest
                lines = (line for cell in column.cells for line in str(cell).splitlines())
                column.min_width = max(map(cell_len, lines), default=0)
        unbounded = self.results.options.update(max_width=_UNBOUNDED)
        if Measurement.get(self.results, unbounded, table).minimum <= self.results.width:
            self.results.print(table)
            return
        for cells in zip(*(column.cells for column in table.columns), strict=True):
            for column, cell in zip(table.columns, cells, strict=True):
                for line in str(cell).splitlines():
                    say(self.results, f"  {column.header}: {line}", is_whole=column.no_wrap)
            self.results.print()

    def ensure_answerable(self, *, yes: bool) -> None:
        """That a question can be answered, before any work is done for it.

        Args:
            yes: whether it will not be asked.

        Raises:
            CommandError: nobody could answer.
        """
        if not (yes or can_ask()):
            raise CommandError(
                "There is no terminal to ask at, so nothing was done; give --yes to go on without a question."
            )

    def confirm(self, question: str = "Go on?", if_not: str = "Nothing was changed.") -> None:
        """Ask on stderr before something is changed.

        Args:
            if_not: what to say where the answer is no, or Ctrl-C.

        Raises:
            typer.Exit: the answer was no, or Ctrl-C.
            CommandError: there is no terminal, so nobody could answer.
        """
        if not can_ask():
            raise CommandError(
                f"There is no terminal to answer at ({question}), so nothing was changed; give --yes to go on without "
                "being asked."
            )
        try:
            agreed = typer.confirm(question, err=True)
        except typer.Abort as interruption:
            self.tell("")
            self.tell(if_not)
            raise typer.Exit(INTERRUPTED) from interruption
        if not agreed:
            self.tell(if_not)
            raise typer.Exit(1)

    def tell(self, line: str) -> None:
        """Say how far it is, on stderr."""
        say(self.progress, line)

    def when(self, moment: str, now: datetime) -> str:
        """A time in ISO 8601: on a terminal how long ago it was, in a file or a pipe as it is."""
        return ago(moment, now) if self.results.is_terminal else moment

    def table(self, title: str, *columns: str, sentences: Collection[str] = ()) -> Table:
        """An empty table; fill it with `printable` cells and pass it to `show`.

        Args:
            sentences: the columns that may be broken, at blanks; times, numbers, names and keys stay in one piece.
        """
        drawn = box.ROUNDED if self.results.is_terminal else box.ASCII2
        table = _Table(title=title, box=drawn)
        for column in columns:
            table.add_column(column, overflow="fold", no_wrap=column not in sentences)
        return table


class _Table(Table):
    """A table whose cells have the color of the status that they name."""

    def add_row(self, *cells: Any, **options: Any) -> None:
        """Add a row, as Rich's table does."""
        styled = (Text(str(cell), _STATUS_STYLES[str(cell)]) if str(cell) in _STATUS_STYLES else cell for cell in cells)
        super().add_row(*styled, **options)


def can_ask() -> bool:
    """Whether somebody can answer a question."""
    return sys.stdin.isatty()


def say(console: "Console", line: str, style: str = "", *, is_whole: bool = False) -> None:
    """Print a line for people: broken at blanks where somebody reads it at a certain width, and whole for a pipe.

    Args:
        is_whole: never break it, so that it can be copied; a terminal shows the rest on its next row.
    """
    text = printable(with_options(line))
    if not is_whole and (console.is_terminal or columns_given()):
        text = Text("\n").join(map(Text, _broken(text.plain, console.width)))
    for status, pattern in _STATUSES.items():
        text.highlight_regex(pattern, _STATUS_STYLES[status])
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
