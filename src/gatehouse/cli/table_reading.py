"""Says how far a command is that reads the whole verdict table, and how long the rest takes."""

import time
from collections.abc import Callable

from gatehouse.cli.aws.verdict_table import OperatorsVerdictTable, TableSize
from gatehouse.cli.progress import Countdown


class TableReading:
    """One reading. Pass `add` to `OperatorsVerdictTable.scan`.

    Args:
        size: how large the table was up to six hours ago; None if that is not known.
    """

    def __init__(self, size: TableSize | None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._items = size.items if size else 0
        self._countdown = Countdown(self._items, monotonic)
        self._read = 0

    @classmethod
    def of(cls, table: OperatorsVerdictTable) -> "TableReading":
        """A reading that begins now. One DescribeTable."""
        return cls(table.size())

    def add(self, items: int) -> None:
        """Count items of a page."""
        self._read += items

    @property
    def words(self) -> str:
        """The end of a sentence about the progress."""
        of = f" of some {self._items:,}" if self._read < self._items else ""
        return f"{self._read:,}{of} verdicts read{self._countdown.after(self._read)}"
