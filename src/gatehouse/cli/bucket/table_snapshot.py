"""What a Scan found in the verdict table, in a file, so that memory stays bounded for a table of any size."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from gatehouse.aws.verdict_table import Item
from gatehouse.cli.errors import CommandError
from gatehouse.moderation.verdict_item import OBJECT, VERSION

#: Of the file, in memory; in units of 1,024 bytes, which a minus sign says (SQLite, PRAGMA cache_size).
_CACHE = -65_536


class TableSnapshot:
    """Items by object. A temporary file of SQLite, which is gone when the process ends, however it ends.

    Attributes:
        items: how many there are.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)  # the empty name is that of a temporary file
        self.items = 0
        for statement in (
            f"PRAGMA cache_size = {_CACHE}",
            "PRAGMA journal_mode = OFF",
            "CREATE TABLE items (object TEXT, version TEXT, item TEXT)",
            "BEGIN",
        ):
            self._database.execute(statement)

    def add(self, items: Iterable[Item]) -> None:
        """Add a page of a Scan.

        Raises:
            CommandError: the disk is full.
        """
        rows = [(item[OBJECT], item[VERSION], json.dumps(item, default=_plain)) for item in items]
        with _room():
            self._database.executemany("INSERT INTO items VALUES (?, ?, ?)", rows)
        self.items += len(rows)

    def complete(self) -> None:
        """Make it searchable. Sorted once at the end, which is faster than to keep all in order meanwhile.

        Raises:
            CommandError: the disk is full.
        """
        with _room():
            self._database.execute("CREATE INDEX by_object ON items (object, version)")

    def items_of(self, object_uri: str) -> list[Item]:
        """The items of an object's uploads, newest first."""
        found = self._database.execute("SELECT item FROM items WHERE object = ? ORDER BY version DESC", (object_uri,))
        return [json.loads(item) for (item,) in found]

    def close(self) -> None:
        """Delete the file."""
        self._database.close()


def _plain(value: Any) -> int | str:
    """What JSON does not have: DynamoDB's numbers, and what no item of ours has."""
    return int(value) if isinstance(value, Decimal) and value == value.to_integral_value() else str(value)


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise CommandError(
            f"What the table has can't be kept in a temporary file ({error}); set TMPDIR to a folder with more room."
        ) from error
