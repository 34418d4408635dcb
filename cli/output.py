"""What a command prints: for people, or one JSON document for scripts."""

import json
import sys
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.table import Table

from local.report import console_for, printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType


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
        """Print a line for people, as it stands; control characters are spelled out, and nothing is broken or cut."""
        if not self.json:
            self.results.print(printable(line), style=style, soft_wrap=True)

    def show(self, content: "RenderableType") -> None:
        """Print a table for people."""
        if not self.json:
            self.results.print(content)

    def tell(self, line: str) -> None:
        """Say how far it is, on stderr."""
        self.progress.print(printable(line), soft_wrap=True)

    def table(self, title: str, *columns: str) -> Table:
        """An empty table; fill it with `printable` cells and pass it to `show`."""
        drawn = box.ROUNDED if self.results.is_terminal else box.ASCII2
        table = Table(title=title, title_justify="left", box=drawn)
        for column in columns:
            table.add_column(column, overflow="fold")
        return table
