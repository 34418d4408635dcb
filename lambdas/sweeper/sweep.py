"""The sweep: find batches that have been open for too long, and restart those that nothing is processing.

It decides nothing about an upload. A stopped execution is redriven. If it can't be redriven, or there is none, the
events of the uploads that are still PENDING are put back into their lane's queue, and the batcher takes them over under
its usual conditions. So a sweep can't change a final verdict or a newer upload, does not pay again for what a running
execution is processing, and is safe to repeat or to run concurrently.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from gatehouse.aws.executions import Executions, Progress
from gatehouse.aws.queue_sender import MessageNotSentError, QueueSender
from gatehouse.aws.verdict_table import VerdictTable, VerdictTableBusyError
from gatehouse.aws.work_bucket import WorkBucket
from gatehouse.contracts.sweep_schedule import LaneRoute, Schedule
from gatehouse.moderation.open_batch import OpenBatch, open_key
from gatehouse.moderation.upload import Upload
from gatehouse.moderation.upload_event import readmission_message

#: A queue delivers a message for up to two hours before it becomes a dead letter (ten times, at most eleven minutes
#: apart). Events that are put back sooner would only be duplicates.
READMIT_AGAIN = timedelta(hours=2)

_OUTAGES = (BotoCoreError, ClientError, MessageNotSentError, VerdictTableBusyError)


@dataclass(slots=True)
class Swept:
    """The result of a sweep.

    Attributes:
        old: batches that were old enough to be checked.
        closed: those without PENDING uploads; their entries were removed.
        redriven: ids of batches whose stopped execution was resumed.
        readmitted: batch id -> uploads whose events were put into their lane's queue again.
        overdue: ids of batches that have been analyzed for longer than their lane allows.
        stuck: batch id -> uploads that are still PENDING after being put back, or that can't be put back.
        problems: batch id -> why it could not be processed.
        outages: errors of AWS during the sweep, which did not stop it.
        is_complete: False if time ran out before the last batch.
    """

    old: int = 0
    closed: int = 0
    redriven: list[str] = field(default_factory=list)
    readmitted: dict[str, int] = field(default_factory=dict)
    overdue: list[str] = field(default_factory=list)
    stuck: dict[str, int] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    outages: list[Exception] = field(default_factory=list)
    is_complete: bool = True


@dataclass(frozen=True, slots=True)
class Sweep:
    """Sweeps the lanes of a schedule.

    Attributes:
        machines: all of the deployment's, since a lane's priority may have changed after a batch was started.
        queue: of a lane, by its URL.
        now: the current time, with a zone.
        has_time: whether there is time for another batch.
    """

    schedule: Schedule
    table: VerdictTable
    work: WorkBucket
    machines: Sequence[Executions]
    queue: Callable[[str], QueueSender]
    now: Callable[[], datetime]
    has_time: Callable[[], bool]

    def sweep(self) -> Swept:
        """Check every batch that has been open for long. An error with one batch does not affect the others.

        Raises:
            ClientError: the register or the executions can't be listed.
        """
        batches = list(self.work.open_since(self.now() - self.schedule.min_age))
        random.shuffle(batches)  # a sweep that runs out of time skips other batches than the last one did
        swept = Swept(old=len(batches))
        running = {name: machine for machine in self.machines for name in machine.running()} if batches else {}
        for lane_name, batch_id, opened_at in batches:
            if not self.has_time():
                swept.is_complete = False
                break
            try:
                if batch_id in running:
                    self._note_overdue(swept, lane_name, batch_id, opened_at, running[batch_id])
                else:
                    self._see_to(swept, lane_name, batch_id, opened_at)
            except _OUTAGES as error:
                swept.outages.append(error)
                swept.problems[batch_id] = str(error)
        return swept

    def _note_overdue(
        self, swept: Swept, lane_name: str, batch_id: str, opened_at: datetime, machine: Executions | None
    ) -> None:
        lane, backfill = self.schedule.lanes.get(lane_name), self.schedule.backfill
        route = backfill if backfill and machine and machine.runs_on(backfill.state_machine_arn) else lane
        if route and self.now() - opened_at > timedelta(hours=route.overdue_hours):
            swept.overdue.append(batch_id)

    def _see_to(self, swept: Swept, lane_name: str, batch_id: str, opened_at: datetime) -> None:
        """Process a batch that is not listed as running. Its execution is described, since lists may be out of date."""
        machine, progress = self._find(batch_id)
        if progress is Progress.RUNNING:
            self._note_overdue(swept, lane_name, batch_id, opened_at, machine)
            return
        key = open_key(lane_name, batch_id)
        try:
            batch = self.work.read_open(key)
        except ValueError as error:
            swept.stuck[batch_id] = 1  # at least
            swept.problems[batch_id] = str(error)
            return
        if batch is None:  # settled in the meantime
            return
        pending = self._pending(batch)
        if not pending:
            self.work.close(key)
            swept.closed += 1
        elif machine and progress is Progress.STOPPED and _resumes(machine, batch_id):
            swept.redriven.append(batch_id)
        else:
            self._readmit(swept, batch, pending, self.schedule.lanes.get(lane_name))

    def _find(self, batch_id: str) -> tuple[Executions | None, Progress]:
        for machine in self.machines:
            progress = machine.look(batch_id)
            if progress is not Progress.ABSENT:
                return machine, progress
        return None, Progress.ABSENT

    def _readmit(self, swept: Swept, batch: OpenBatch, pending: Sequence[Upload], lane: LaneRoute | None) -> None:
        """Put the events back, unless those of the last time may still be in the queue."""
        if lane is None:
            swept.stuck[batch.batch_id] = len(pending)
            swept.problems[batch.batch_id] = f"lane {batch.lane} is no longer deployed: nothing admits its uploads"
            return
        now, last = self.now(), batch.readmitted_at
        is_due = last is None or now - datetime.fromisoformat(last) > READMIT_AGAIN
        if batch.readmissions > (0 if is_due else 1):
            swept.stuck[batch.batch_id] = len(pending)
        if is_due:
            backfill = lane.backfill_queue_url if pending[0].is_listed else None  # a batch has one kind or the other
            url = backfill or lane.queue_url
            self.queue(url).send(map(readmission_message, pending))
            self.work.open(batch.after_readmission(now))
            swept.readmitted[batch.batch_id] = len(pending)

    def _pending(self, batch: OpenBatch) -> list[Upload]:
        claims = batch.claims()
        held = self.table.pending(claims)
        return [claim.upload for claim in claims if claim.upload.identity in held]


def _resumes(machine: Executions, batch_id: str) -> bool:
    """Redrive a stopped execution. Returns whether it runs now."""
    return machine.redrive(batch_id) is Progress.RUNNING
