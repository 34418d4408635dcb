"""The state of a batch: its execution, its files, its uploads, and what an operator can do about it."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gatehouse.cli.aws.batch_execution import BatchExecution
from gatehouse.cli.aws.executions import DeployedExecutions
from gatehouse.cli.aws.verdict_table import OperatorsVerdictTable
from gatehouse.cli.aws.work_bucket import OperatorsWorkBucket
from gatehouse.cli.batch.batch_uploads import BatchUploads
from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.deployment import Deployment
from gatehouse.cli.errors import CommandError
from gatehouse.moderation.batch import batch_prefix, uploads_key
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import Upload

if TYPE_CHECKING:
    from gatehouse.cli.connection import Connection

#: The format of an execution's name, which is the batch's id (Step Functions API reference, StartExecution).
_BATCH_ID = re.compile(r"[0-9A-Za-z_-]{1,80}")


@dataclass(frozen=True, slots=True)
class BatchState:
    """The current state of a batch.

    Attributes:
        execution: None if it does not exist or has expired.
        files: keys in the work bucket.
        lane, created_at, engine: from batch.json; None without that file.
        uploads: None if neither the uploads index nor the register of open batches has them.
    """

    batch_id: str
    execution: BatchExecution | None
    files: tuple[str, ...]
    lane: str | None
    created_at: str | None
    engine: str | None
    uploads: BatchUploads | None

    @classmethod
    def find(cls, connection: "Connection", deployment: Deployment, batch_id: str) -> "BatchState":
        """Look a batch up.

        Raises:
            CommandError: there is no trace of it, or its files can't be read.
        """
        if not _BATCH_ID.fullmatch(batch_id):
            raise CommandError(f"{batch_id!r} is not a batch id; use the `batch_id` of a verdict or a log line.")
        work = OperatorsWorkBucket(connection.client("s3"), deployment.work_bucket)
        execution = DeployedExecutions(connection.client("stepfunctions"), deployment.state_machines).find(batch_id)
        files = work.files(batch_id)
        try:
            listed: Iterable[Upload] | None = work.uploads(batch_id)
            if uploads_key(batch_id) not in files:  # its batcher died before it wrote that
                listed = work.registered_uploads(batch_id)
            if execution is None and not files and listed is None:
                raise CommandError(
                    f"There is no trace of a batch {batch_id} in {deployment.name}: its files and its execution have "
                    f"expired, or it never existed; `{COMMAND} reconcile` finds uploads without a verdict."
                )
            terms = work.terms_document(batch_id)
            table = OperatorsVerdictTable.of(connection, deployment)
            uploads = None if listed is None else BatchUploads.read(batch_id, listed, table)
            lane, created_at, engine = (terms.get(name) for name in ("lane", "created_at", "engine"))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise CommandError(
                f"Files of batch {batch_id} can't be read ({error!r}); use the version of Gatehouse that wrote them."
            ) from error
        return cls(batch_id, execution, files, lane, created_at, engine, uploads)

    @property
    def is_running(self) -> bool:
        """Whether its execution is still running."""
        return self.execution is not None and self.execution.is_running

    @property
    def folders(self) -> Counter[str]:
        """The number of files by name; result files are counted by folder."""
        names = (key.removeprefix(batch_prefix(self.batch_id)) for key in self.files)
        return Counter(name if "/" not in name else "/".join(name.split("/")[:2]) + "/" for name in names)

    def advice(self) -> Iterator[str]:
        """Sentences that say what to do."""
        if self.is_running:
            yield "It is running: wait for its end. Nothing can be resubmitted until then."
        elif self.uploads is None:
            yield (
                "Its uploads index is gone (work_retention_days) or was never written, so it can't be resubmitted. "
                f"`{COMMAND} reconcile` finds uploads without a verdict, and says what to do."
            )
        elif not self.uploads.open:
            yield "Nothing to do: none of its uploads is PENDING or FAILED under it."
        else:
            yield from self._repair(self.uploads)

    def _repair(self, uploads: BatchUploads) -> Iterator[str]:
        resubmit = f"`{COMMAND} batch resubmit {self.batch_id}`"
        if pending := uploads.statuses[Status.PENDING]:
            yield f"PENDING: {pending:,}. {self._way_out(resubmit)}"
        if failed := uploads.statuses[Status.FAILED]:
            yield (
                f"FAILED: {failed:,}. Remove the cause (docs/operations.md lists the codes), then "
                f"{resubmit}: they are analyzed again, at a cost. `{COMMAND} retry --status FAILED` does so for all "
                "batches at once."
            )

    def _way_out(self, resubmit: str) -> str:
        """What to do so that the PENDING uploads get their verdicts."""
        if self.execution is not None and self.execution.is_redrivable:
            return (
                "Their execution can be redriven. Remove the cause: the sweeper redrives it within three quarters of "
                "an hour, it resumes where it stopped, and nothing is paid for twice. If it can no longer succeed, "
                f"{resubmit}: another batch takes them over immediately, and analyzes them again."
            )
        execution = (
            "They have no execution"
            if self.execution is None
            else f"Their execution can't be redriven ({self.execution.not_redrivable})"
        )
        return f"{execution}. Remove the cause, then {resubmit}: another batch takes them over."

    def to_document(self) -> dict[str, Any]:
        """The state for scripts."""
        return {
            "batch_id": self.batch_id,
            "lane": self.lane,
            "created_at": self.created_at,
            "engine": self.engine,
            "execution": self.execution and self.execution.to_document(),
            "files": dict(sorted(self.folders.items())),
            **(self.uploads.to_document() if self.uploads else {"uploads": None}),
            "advice": list(self.advice()),
        }
