"""Uploads by status, label, lane, time and prefix: from the index where it has them, else from the whole table."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import TYPE_CHECKING

from gatehouse.aws.verdict_table import ITEMS_A_CALL, Item
from gatehouse.cli.aws.verdict_table import PARALLEL_QUERIES, WHOLE_VERDICT, OperatorsVerdictTable, Selection
from gatehouse.cli.review.listed_uploads import ListedUploads
from gatehouse.moderation.document import MISSHAPEN
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import OBJECT, verdict_from_item

if TYPE_CHECKING:
    from gatehouse.cli.clock import Clock
    from gatehouse.cli.connection import Connection
    from gatehouse.cli.deployment import Deployment

#: Parts of the table that are read at once.
SEGMENTS = 8


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which uploads to find; what is None or empty selects nothing.

    Attributes:
        since: that came into their status at this time or later; ISO 8601, UTC.
        statuses: with one of these.
        label: with this label, whatever the policy made of it.
        lane: of this lane.
        prefix: with keys that start with this.
    """

    since: str
    statuses: tuple[Status, ...]
    label: str | None = None
    lane: str | None = None
    prefix: str = ""

    @property
    def needs_scan(self) -> bool:
        """Whether only the whole table tells: approvals are not in the index."""
        return Status.APPROVED in self.statuses

    def takes_entry(self, entry: Item) -> bool:
        """Whether the upload of an entry of the index may be one. A bucket's name has no slash."""
        key = str(entry[OBJECT]).split("/", 3)[-1]
        return self.lane in (None, entry.get("lane")) and key.startswith(self.prefix)

    def takes(self, verdict: Verdict) -> bool:
        """Whether a verdict has the label."""
        if self.label is None:
            return True
        labels = verdict.analysis.labels if verdict.analysis else ()
        return self.label.casefold() in {label.name.casefold() for label in labels}


@dataclass(frozen=True, slots=True)
class VerdictSearch:
    """Finds them, and holds a few pages at most, whatever they are."""

    table: OperatorsVerdictTable

    @classmethod
    def of(cls, connection: "Connection", deployment: "Deployment", clock: "Clock") -> "VerdictSearch":
        """In the table of a deployment."""
        return cls(OperatorsVerdictTable.of(connection, deployment, PARALLEL_QUERIES, pause=clock.pause))

    def find(self, wanted: Wanted, today: date) -> Iterator[Verdict]:
        """The uploads, newest first from the index, in no order from the table; those that are not ours are left out.

        Raises:
            VerdictTableBusyError, ClientError: the table could not be read.
        """
        found = self._scanned(wanted) if wanted.needs_scan else self._indexed(wanted, today)
        return (verdict for verdict in found if wanted.takes(verdict))

    def _indexed(self, wanted: Wanted, today: date) -> Iterator[Verdict]:
        listed = ListedUploads(self.table)
        with closing(self.table.newest_in(wanted.statuses, wanted.since, today)) as entries:
            chosen = (entry for entry in entries if wanted.takes_entry(entry))
            while some := list(islice(chosen, ITEMS_A_CALL)):
                yield from listed.standing(some)

    def _scanned(self, wanted: Wanted) -> Iterator[Verdict]:
        selection = Selection(
            lane=wanted.lane, prefix=wanted.prefix, statuses=wanted.statuses, decided_since=wanted.since
        )
        with closing(
            self.table.scan(selection, segments=SEGMENTS, consistent=False, attributes=WHOLE_VERDICT)
        ) as pages:
            for item in (item for page in pages for item in page):
                try:
                    yield verdict_from_item(item)
                except MISSHAPEN:
                    continue
