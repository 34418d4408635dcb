"""Verdicts out of the table and into a stream, as they come."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TextIO

from gatehouse.cli.aws.verdict_table import WHOLE_VERDICT, OperatorsVerdictTable, Selection
from gatehouse.cli.errors import CommandError
from gatehouse.cli.export.export_row import csv_lines, json_lines
from gatehouse.cli.table_reading import TableReading
from gatehouse.console import spelled_out
from gatehouse.moderation.document import MISSHAPEN
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import verdict_from_item


class ExportFormat(StrEnum):
    """How a verdict is written."""

    JSONL = "jsonl"
    CSV = "csv"

    def lines(self, verdicts: Iterable[Verdict]) -> Iterator[str]:
        """The lines of an export."""
        return csv_lines(verdicts) if self is ExportFormat.CSV else json_lines(verdicts)


class ExportRun:
    """One export.

    Attributes:
        exported: verdicts written.
        unreadable: final items that this version can't read, which are left out.
    """

    def __init__(self, table: OperatorsVerdictTable, selection: Selection, segments: int) -> None:
        self._table = table
        self._selection = selection
        self._segments = segments
        self.exported = 0
        self.unreadable = 0

    def write(self, write: Callable[[str], object], written_as: ExportFormat, tell: Callable[[str], None]) -> None:
        """Write all that is selected, a page of each segment in memory at most.

        Args:
            write: takes a line with its end.

        Raises:
            ClientError: the table could not be read.
        """
        for line in written_as.lines(self._verdicts(tell)):
            write(line)

    def _verdicts(self, tell: Callable[[str], None]) -> Iterator[Verdict]:
        reading = TableReading.of(self._table)
        pages = self._table.scan(
            self._selection,
            segments=self._segments,
            consistent=False,
            attributes=WHOLE_VERDICT,
            read=reading.add,
        )
        with closing(pages):
            for page in pages:
                for item in page:
                    try:
                        verdict = verdict_from_item(item)
                    except MISSHAPEN:
                        self.unreadable += 1
                        continue
                    self.exported += 1
                    yield verdict
                tell(f"Exported {self.exported:,}: {reading.words}")


def to_stdout() -> Callable[[str], object]:
    """Writes lines to standard output: as UTF-8, whatever its encoding is, and for a terminal spelled out."""
    stream = sys.stdout
    if stream.isatty():
        encoding = stream.encoding or "utf-8"
        return lambda line: stream.write(
            spelled_out(line.rstrip("\r\n")).encode(encoding, "backslashreplace").decode(encoding) + "\n"
        )
    stream.flush()
    return lambda line: stream.buffer.write(line.encode())


def ensure_file(path: Path) -> None:
    """That a file of this name can be made, before anything is read for it.

    Raises:
        CommandError: it can't.
    """
    if path.is_dir():
        raise CommandError(f"{path} is a folder; name a file in it.")
    if not path.parent.is_dir():
        raise CommandError(f"{path} can't be written: there is no folder {path.parent}; create it first.")


@contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """A file that has its name only when all is written: what was interrupted is not taken for complete.

    Raises:
        CommandError: it can't be written.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as stream:
            yield stream
        os.replace(part, path)
    except OSError as error:
        raise CommandError(f"{path} can't be written: {error}.") from error
    finally:
        part.unlink(missing_ok=True)
