"""Uploads that ended FAILED, found by the index `by_status`: nobody reads the whole table for them."""

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

#: What it takes to put an upload back, and to say why it failed.
_ATTRIBUTES = (
    *(OBJECT, VERSION, STATUS, BATCH_ID, "error", "decided_at", "decided_by"),
    *("bucket", "key", "version_id", "etag", "size", "sequencer", "uploaded_at"),
)


@dataclass(frozen=True, slots=True)
class FailedUpload:
    """An upload that is FAILED now.

    Attributes:
        batch_id: the batch whose verdict that is.
        code: what it failed with.
        failed_at: ISO 8601, UTC.
        decided_by: the person who decided it; None where no person did.
    """

    upload: Upload
    batch_id: str
    code: str
    failed_at: str
    decided_by: str | None

    @classmethod
    def of(cls, item: Item) -> "FailedUpload":
        """The upload of an item.

        Raises:
            one of `MISSHAPEN`: the item is not one of ours.
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
    """Which uploads to look for.

    Attributes:
        since: that failed at this time or later; ISO 8601, UTC.
        lane: in this lane only.
        prefix: with keys that start with this only.
    """

    since: str
    lane: str | None = None
    prefix: str = ""

    def takes(self, entry: Item) -> bool:
        """Whether the upload of an entry of the index is meant. A bucket's name has no slash."""
        key = str(entry[OBJECT]).split("/", 3)[-1]
        return self.lane in (None, entry.get("lane")) and key.startswith(self.prefix)


@dataclass(frozen=True, slots=True)
class FailedUploads:
    """Finds them: ten Queries for each day, and a BatchGetItem for each hundred."""

    table: OperatorsVerdictTable

    @classmethod
    def of(cls, connection: "Connection", deployment: "Deployment", clock: "Clock") -> "FailedUploads":
        """Those of a deployment."""
        return cls(OperatorsVerdictTable.of(connection, deployment, PARALLEL_QUERIES, pause=clock.pause))

    def find(
        self, selection: FailedSelection, today: date, tell: Callable[[str], None] = lambda _: None
    ) -> list[FailedUpload]:
        """The uploads that failed and still are FAILED; items that are not ours are left out.

        Args:
            tell: shows a sentence about how far it is.

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
    """What failed in a batch.

    Attributes:
        codes: uploads by what they failed with.
        failed_at: when the last one did; ISO 8601, UTC.
    """

    codes: Counter[str] = field(default_factory=Counter)
    failed_at: str = ""

    def add(self, failed: FailedUpload) -> None:
        """Count an upload."""
        self.codes[failed.code] += 1
        self.failed_at = max(self.failed_at, failed.failed_at)


def by_batch(uploads: Iterable[FailedUpload]) -> dict[str, FailedBatch]:
    """What failed in which batch, but for what a person decided; the latest first."""
    batches: dict[str, FailedBatch] = {}
    for failed in uploads:
        if failed.decided_by is None:
            batches.setdefault(failed.batch_id, FailedBatch()).add(failed)
    return dict(sorted(batches.items(), key=lambda entry: entry[1].failed_at, reverse=True))


def failure_code(item: Item) -> str:
    """What a FAILED item failed with."""
    return str(item["error"]["code"]) if "error" in item else "without a code"


def code_words(codes: Counter[str]) -> str:
    """Codes with their counts, the most frequent first."""
    return ", ".join(f"{code} {count:,}" for code, count in codes.most_common())


def _failed(items: Iterable[Item]) -> Iterator[FailedUpload]:
    for item in items:
        if item.get(STATUS) == Status.FAILED:  # the index follows the table within moments
            try:
                yield FailedUpload.of(item)
            except MISSHAPEN:
                continue


def _hundreds(identities: Sequence[Identity]) -> list[Sequence[Any]]:
    return [identities[start : start + ITEMS_A_CALL] for start in range(0, len(identities), ITEMS_A_CALL)]
