"""A batch's uploads and their current items in the verdict table."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gatehouse.aws.verdict_table import Identity, Item, identity_of
from gatehouse.cli.aws.verdict_table import OperatorsVerdictTable
from gatehouse.cli.batch.failed_uploads import failure_code
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import Upload
from gatehouse.moderation.verdict import BY_POLICY
from gatehouse.moderation.verdict_item import BATCH_ID, OBJECT, STATUS, VERSION

_ATTRIBUTES = (OBJECT, VERSION, STATUS, BATCH_ID, "error", "decided_by")


@dataclass(frozen=True, slots=True)
class OpenUpload:
    """An upload that is PENDING or FAILED under its batch."""

    upload: Upload
    batch_id: str


@dataclass(slots=True)
class BatchUploads:
    """The uploads of one batch, grouped by their current state.

    Attributes:
        total: number of uploads in the batch.
        statuses: statuses of the uploads whose item belongs to this batch.
        failures: error codes of those that are FAILED.
        elsewhere: number of uploads that another batch has taken over.
        forgotten: number of uploads without an item, because their verdicts have expired.
        open: uploads that are PENDING or FAILED under this batch and can be resubmitted; without those that a person
            decided.
    """

    total: int = 0
    statuses: Counter[Status] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    elsewhere: int = 0
    forgotten: int = 0
    open: list[OpenUpload] = field(default_factory=list)

    @classmethod
    def read(cls, batch_id: str, listed: Iterable[Upload], table: OperatorsVerdictTable) -> "BatchUploads":
        """Look up the uploads of a batch: one BatchGetItem for each hundred."""
        uploads = {upload.identity: upload for upload in listed}
        items: Mapping[Identity, Item] = {
            identity_of(item): item for page in table.read(uploads, _ATTRIBUTES) for item in page
        }
        found = cls(len(uploads))
        for identity, upload in uploads.items():
            found._add(batch_id, upload, items.get(identity))
        return found

    def to_document(self) -> dict[str, Any]:
        """The counts for scripts."""
        return {
            "uploads": self.total,
            "statuses": {status.value: count for status, count in sorted(self.statuses.items())},
            "failures": dict(self.failures.most_common()),
            "in_another_batch": self.elsewhere,
            "without_item": self.forgotten,
        }

    def _add(self, batch_id: str, upload: Upload, item: Item | None) -> None:
        if item is None:
            self.forgotten += 1
        elif item.get(BATCH_ID) != batch_id:
            self.elsewhere += 1
        else:
            status = Status(item[STATUS])
            self.statuses[status] += 1
            if status is Status.FAILED:
                self.failures[failure_code(item)] += 1
            if status in (Status.PENDING, Status.FAILED) and item.get("decided_by") in (None, BY_POLICY):
                self.open.append(OpenUpload(upload, batch_id))
