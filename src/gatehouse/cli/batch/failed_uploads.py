"""Finds uploads that ended FAILED, using the index `by_status` instead of reading the whole table."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from gatehouse.aws.verdict_table import ITEMS_A_CALL, Identity, Item, identity_of
from gatehouse.cli.aws.verdict_table import PARALLEL_QUERIES, OperatorsVerdictTable
from gatehouse.moderation.document import MISSHAPEN
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import Upload
from gatehouse.moderation.verdict import BY_POLICY
from gatehouse.moderation.verdict_item import BATCH_ID, OBJECT, STATUS, VERSION

if TYPE_CHECKING:
    from gatehouse.cli.clock import Clock
    from gatehouse.cli.connection import Connection
    from gatehouse.cli.deployment import Deployment

#: The attributes needed to resubmit an upload and to report why it failed.
_ATTRIBUTES = (
    *(OBJECT, VERSION, STATUS, BATCH_ID, "error", "decided_at", "decided_by"),
    *("bucket", "key", "version_id", "etag", "size", "sequencer", "listed_after", "uploaded_at"),
)


@dataclass(frozen=True, slots=True)
class FailedUpload:
    """An upload that is FAILED now.

    Attributes:
        batch_id: the batch that gave it this verdict.
        code: its error code.
        failed_at: ISO 8601, UTC.
        decided_by: the person who decided it; None if no person did.
    """

    upload: Upload
    batch_id: str
    code: str
    failed_at: str
    decided_by: str | None

    @classmethod
    def of(cls, item: Item) -> "FailedUpload":
        """Read an item.

        Raises:
            one of `MISSHAPEN`: the item is malformed.
        """
        decided_by = item.get("decided_by")
        return cls(
            upload=Upload.from_document(item),
            batch_id=item[BATCH_ID],
            code=failure_code(item),
            failed_at=item["decided_at"],
            decided_by=None if decided_by == BY_POLICY else decided_by,
        )


@dataclass(frozen=True, slots=True)
class FailedSelection:
    """Selects FAILED uploads.

    Attributes:
        since: only those that failed at this time or later; ISO 8601, UTC.
        lane: only those in this lane.
        prefix: only those with keys that start with this.
    """

    since: str
    lane: str | None = None
    prefix: str = ""

    def takes(self, entry: Item) -> bool:
        """Whether an entry of the index is selected. A bucket's name contains no slash."""
        key = str(entry[OBJECT]).split("/", 3)[-1]
        return self.lane in (None, entry.get("lane")) and key.startswith(self.prefix)


@dataclass(frozen=True, slots=True)
class FailedUploads:
    """Finds FAILED uploads: ten Queries for each day, and one BatchGetItem for each hundred uploads."""

    table: OperatorsVerdictTable

    @classmethod
    def of(cls, connection: "Connection", deployment: "Deployment", clock: "Clock") -> "FailedUploads":
        """The uploads of a deployment."""
        return cls(OperatorsVerdictTable.of(connection, deployment, PARALLEL_QUERIES, pause=clock.pause))

    def find(
        self, selection: FailedSelection, today: date, tell: Callable[[str], None] = lambda _: None
    ) -> list[FailedUpload]:
        """The selected uploads that are still FAILED; malformed items are omitted.

        Args:
            tell: shows a sentence about the progress.

        Raises:
            VerdictTableBusyError, ClientError: the table could not be read.
        """
        found: list[FailedUpload] = []
        seen: set[Identity] = set()
        with ThreadPoolExecutor(PARALLEL_QUERIES) as threads:
            for entries in self.table.decided_since(Status.FAILED, selection.since, today):
                identities = {identity_of(entry) for entry in entries if selection.takes(entry)} - seen
                seen |= identities
                for some in threads.map(self._read, _hundreds(sorted(identities))):
                    found += some
                    tell(f"Found {len(found):,} FAILED uploads")
        return found

    def _read(self, identities: Sequence[Identity]) -> list[FailedUpload]:
        items = [item for page in self.table.read(identities, _ATTRIBUTES) for item in page]
        return list(_failed(items))


@dataclass(slots=True)
class FailedBatch:
    """The failed uploads of a batch.

    Attributes:
        codes: the number of uploads by error code.
        failed_at: when the last one failed; ISO 8601, UTC.
    """

    codes: Counter[str] = field(default_factory=Counter)
    failed_at: str = ""

    def add(self, failed: FailedUpload) -> None:
        """Add an upload to the counts."""
        self.codes[failed.code] += 1
        self.failed_at = max(self.failed_at, failed.failed_at)


def by_batch(uploads: Iterable[FailedUpload]) -> dict[str, FailedBatch]:
    """The failed uploads by batch, without those that a person decided; the most recent batch first."""
    batches: dict[str, FailedBatch] = {}
    for failed in uploads:
        if failed.decided_by is None:
            batches.setdefault(failed.batch_id, FailedBatch()).add(failed)
    return dict(sorted(batches.items(), key=lambda entry: entry[1].failed_at, reverse=True))


def failure_code(item: Item) -> str:
    """The error code of a FAILED item."""
    return str(item["error"]["code"]) if "error" in item else "without a code"


def code_words(codes: Counter[str]) -> str:
    """Codes with their counts, the most frequent first."""
    return ", ".join(f"{code} {count:,}" for code, count in codes.most_common())


def _failed(items: Iterable[Item]) -> Iterator[FailedUpload]:
    for item in items:
        if item.get(STATUS) == Status.FAILED:  # the index is eventually consistent
            try:
                yield FailedUpload.of(item)
            except MISSHAPEN:
                continue


def _hundreds(identities: Sequence[Identity]) -> list[Sequence[Any]]:
    return [identities[start : start + ITEMS_A_CALL] for start in range(0, len(identities), ITEMS_A_CALL)]
