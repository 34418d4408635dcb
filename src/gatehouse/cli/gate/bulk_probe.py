"""Has one picture analyzed in bulk, as a lane would, to see that Rekognition may read what nobody else may.

A batch is written as a lane's batcher writes it, with the engine named, and started in the lane's workflow: so the job
has the pipeline's role. No claim stands behind it, so Results gives it no verdict.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from gatehouse.aws.executions import Executions, Progress
from gatehouse.aws.verdict_table import Item
from gatehouse.aws.work_bucket import WorkBucket
from gatehouse.cli.aws.analysis_jobs import AnalysisJobs
from gatehouse.cli.clock import Clock
from gatehouse.cli.errors import CommandError
from gatehouse.moderation.batch import Batch, new_batch_id
from gatehouse.moderation.claim import Claim
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.lane import Lane
from gatehouse.moderation.moment import iso
from gatehouse.moderation.upload import Upload
from gatehouse.moderation.verdict_item import BATCH_ID

if TYPE_CHECKING:
    from gatehouse.cli.connection import Connection
    from gatehouse.cli.deployment import Deployment

#: How far back to look for a job: longer than one is waited for, however clocks differ.
_BEFORE = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class BulkProbe:
    """The batches of a check.

    Attributes:
        executions: of each state machine.
    """

    work: WorkBucket
    executions: Sequence[Executions]
    jobs: AnalysisJobs
    clock: Clock

    @classmethod
    def of(cls, connection: "Connection", deployment: "Deployment", clock: Clock) -> "BulkProbe":
        """Those of a deployment."""
        client: Any = connection.client("stepfunctions")
        return cls(
            WorkBucket(connection.client("s3"), deployment.work_bucket),
            [Executions(client, machine) for machine in deployment.state_machines],
            AnalysisJobs.of(connection, deployment),
            clock,
        )

    def closed_because(self) -> str | None:
        """Why the account has no Bulk Analysis; None if it has."""
        try:
            next(self.jobs.listed(iso(self.clock.now())), None)
        except CommandError as error:
            return str(error)
        return None

    def begin(self, lane: Lane, item: Item) -> str:
        """Start a batch of an upload alone, by the policies of the batch that gave it its verdict. Returns its id.

        Raises:
            ClientError: a call was refused.
        """
        judged_in, batch_id, now = item[BATCH_ID], new_batch_id(), iso(self.clock.now())
        claim = Claim(Upload.from_document(item), batch_id, now, lane.name)
        policies = self.work.read_terms(judged_in).policies
        executions = next(each for each in self.executions if each.look(judged_in) is not Progress.ABSENT)
        self.work.write(Batch.of(batch_id, replace(lane, engine=Engine.BULK), policies, now, [claim]))
        executions.ensure_started(batch_id)
        return batch_id

    def has_ended(self, batch_id: str) -> bool | None:
        """True once the batch has ended; None before.

        An execution that was just started may not be shown yet (API reference, DescribeExecution).
        """
        ended = any(each.look(batch_id) in (Progress.SUCCEEDED, Progress.STOPPED) for each in self.executions)
        return True if ended else None

    def problem(self, batch_id: str) -> str | None:
        """Why the job of a batch that has ended has no analysis of the picture; None if it has."""
        since = iso(self.clock.now() - _BEFORE)
        job = next((job for job in self.jobs.listed(since) if job.batch_id == batch_id), None)
        if job is None:
            return "no job could be started"
        if any(line.analysis for line in self.jobs.results_of(job)):
            return None
        summary = self.jobs.summary_of(job)
        errors = [(error.code, error.message) for error in summary.errors] if summary else []
        code, message = job.failure or next(iter(errors), ("no answer", None))
        return f"{code}{f', {message}' if message else ''}"
