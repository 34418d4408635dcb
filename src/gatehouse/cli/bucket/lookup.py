"""Finds what the verdict table has for the objects of a listing, by the cheaper of two ways.

A Query for each object is a call and a read unit at least. A Scan reads the whole table, whatever is asked of it: half
a read unit for each 4 KB, and a call for each megabyte. So the Scan is taken as soon as there are more objects than it
costs read units. To know that, the listing is read ahead, into a temporary file.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass
from itertools import chain
from tempfile import SpooledTemporaryFile
from typing import IO, Final

from gatehouse.cli.aws.verdict_table import OperatorsVerdictTable, Selection
from gatehouse.cli.bucket.listed_objects import ListedObject
from gatehouse.cli.bucket.table_snapshot import TableSnapshot
from gatehouse.cli.table_reading import TableReading
from gatehouse.moderation.verdict_item import BATCH_ID, CLAIMED_AT, OBJECT, STATUS, VERSION

#: What tells which version an item is about, and what became of it.
_ATTRIBUTES: Final = (
    *(OBJECT, VERSION, STATUS, BATCH_ID, CLAIMED_AT),
    *("bucket", "key", "version_id", "etag", "size", "sequencer", "listed_after", "uploaded_at"),
)

#: Parts of the table that are read at once.
SEGMENTS: Final = 8

#: Bytes of a listing that is read ahead that stay in memory.
_IN_MEMORY: Final = 16 * 1024 * 1024
#: Objects between two sentences about the progress.
_SAID_EVERY: Final = 1_000


@dataclass(frozen=True, slots=True)
class Lookup:
    """The way that was chosen.

    Attributes:
        listed: all objects, those that were read ahead first.
        snapshot: what the Scan found; None to make a Query for each object.
        read_units: what the way costs: of the Scan all of it, of the Queries the least.
    """

    listed: Iterator[ListedObject]
    snapshot: TableSnapshot | None
    read_units: int

    def to_document(self) -> dict[str, str | int]:
        """The way for scripts."""
        return {"way": "query" if self.snapshot is None else "scan", "read_units": self.read_units}


@contextmanager
def cheapest_lookup(
    table: OperatorsVerdictTable,
    bucket: str,
    prefix: str,
    listed: Iterable[ListedObject],
    *,
    concerns: Callable[[ListedObject], bool],
    explain: Callable[[str], None],
    tell: Callable[[str], None],
) -> Iterator[Lookup]:
    """Choose between Queries and a Scan; with the Scan, make it.

    Args:
        prefix: of the keys of all objects.
        concerns: whether an object is one to look up.
        explain: shows the sentence that says which way was chosen, and why.
        tell: shows a sentence about the progress.

    Raises:
        ClientError: a call failed.
        CommandError: the disk is full.
    """
    size = table.size()
    most = None if size is None else size.scan_units
    objects = iter(listed)
    with SpooledTemporaryFile(_IN_MEMORY, "w+", encoding="ascii") as file:
        count = _read_ahead(objects, file, concerns, most, tell)
        file.seek(0)
        every = chain(_read_back(file), objects)
        if size is None:
            explain(
                "Each object is looked up by a Query: whether reading the table once is cheaper is not known, because "
                "dynamodb:DescribeTable is not allowed."
            )
        elif count > size.scan_units:
            explain(
                f"The table is read once, for {_units(size.scan_units)}: a Query for each object would cost more. "
                "(DynamoDB's size of the table, which may be six hours old.)"
            )
            with closing(TableSnapshot()) as snapshot:
                _scan(table, f"s3://{bucket}/{prefix}", snapshot, TableReading(size), tell)
                yield Lookup(every, snapshot, size.scan_units)
            return
        elif count:
            explain(
                f"Each of {count:,} objects is looked up by a Query, for {_units(count)} or more: to read the table "
                f"once would cost {size.scan_units:,}. (DynamoDB's size of the table, which may be six hours old.)"
            )
        yield Lookup(every, None, count)


def _read_ahead(
    objects: Iterator[ListedObject],
    file: IO[str],
    concerns: Callable[[ListedObject], bool],
    most: int | None,
    tell: Callable[[str], None],
) -> int:
    """Read a listing until more than `most` objects are to be looked up. Returns how many were found by then."""
    count = 0
    if most is None:
        return count
    for n, listed in enumerate(objects, start=1):
        file.write(f"{json.dumps(astuple(listed))}\n")
        count += concerns(listed)
        if count > most:
            break
        if n % _SAID_EVERY == 0:
            tell(f"Listing: {n:,} listed")
    return count


def _read_back(file: IO[str]) -> Iterator[ListedObject]:
    for line in file:
        yield ListedObject(*json.loads(line))


def _scan(
    table: OperatorsVerdictTable,
    objects: str,
    snapshot: TableSnapshot,
    reading: TableReading,
    tell: Callable[[str], None],
) -> None:
    pages = table.scan(
        Selection(objects=objects), segments=SEGMENTS, consistent=False, attributes=_ATTRIBUTES, read=reading.add
    )
    with closing(pages):
        for page in pages:
            snapshot.add(page)
            tell(f"Reading the table: {reading.words}")
    tell(f"Reading the table: {reading.words}; now they are sorted")
    snapshot.complete()


def _units(count: int) -> str:
    return f"{count:,} read unit{'' if count == 1 else 's'}"
