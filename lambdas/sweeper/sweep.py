"""The sweep: find batches that are open for too long, and get those going again that nobody works on.

It decides nothing about an upload. A stopped execution is redriven where it stopped. Where that is refused, or there is
none, the events of the uploads that are still PENDING are put back into their lane's queue, and the batcher takes over
what may be taken over, by the usual conditions. So a sweep can't touch a final verdict or a newer upload, pays
for nothing that a running execution still works on, and may be repeated or run beside another one.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from gatehouse.aws.executions import Executions, Progress
from gatehouse.aws.ingest_queue import IngestQueue, MessageNotSentError
from gatehouse.aws.verdict_table import VerdictTable, VerdictTableBusyError
from gatehouse.aws.work_bucket import WorkBucket
from gatehouse.contracts.sweep_schedule import LaneRoute, Schedule
from gatehouse.moderation.open_batch import OpenBatch, open_key
from gatehouse.moderation.upload import Upload
from gatehouse.moderation.upload_event import readmission_message

#: A queue delivers a message for up to two hours before it is a dead letter (ten times, eleven minutes apart at most).
#: Events that are put back sooner would only wait beside their twins.
READMIT_AGAIN = timedelta(hours=2)

_OUTAGES = (BotoCoreError, ClientError, MessageNotSentError, VerdictTableBusyError)


@dataclass(slots=True)
class Swept:
    """What a sweep found and did.

    Attributes:
        old: batches that were old enough to be looked at.
        closed: those that held nothing more; their entries were left over.
        redriven: ids of batches whose stopped execution was resumed.
        readmitted: batch id -> uploads whose events were put into their lane's queue again.
        overdue: ids of batches that have been analyzed for longer than their lane allows.
        stuck: batch id -> uploads that putting them back did not get going, or that nobody can put back.
        problems: batch id -> what kept the sweep from seeing to it.
        outages: errors of AWS that it met, and that the batches after them did not suffer from.
        is_complete: False if the time was up before the last batch was looked at.
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
        machines: all of the deployment. A lane's priority may have changed since a batch was started.
        queue: of a lane, by its URL.
        now: the current time, with a zone.
        has_time: whether there is time for another batch.
    """

    schedule: Schedule
    table: VerdictTable
    work: WorkBucket
    machines: Sequence[Executions]
    queue: Callable[[str], IngestQueue]
    now: Callable[[], datetime]
    has_time: Callable[[], bool]

    def sweep(self) -> Swept:
        """Look at every batch that has been open for long. What goes wrong with one holds up no other one.

        Raises:
            ClientError: the register or the executions can't be listed.
        """
        batches = list(self.work.open_since(self.now() - self.schedule.min_age))
        random.shuffle(batches)  # a sweep that runs out of time leaves other batches than the last one did
        swept = Swept(old=len(batches))
        running = {name for machine in self.machines for name in machine.running()} if batches else set()
        for lane_name, batch_id, opened_at in batches:
            if not self.has_time():
                swept.is_complete = False
                break
            try:
                if batch_id in running:
                    self._note_overdue(swept, lane_name, batch_id, opened_at)
                else:
                    self._see_to(swept, lane_name, batch_id, opened_at)
            except _OUTAGES as error:
                swept.outages.append(error)
                swept.problems[batch_id] = str(error)
        return swept

    def _note_overdue(self, swept: Swept, lane_name: str, batch_id: str, opened_at: datetime) -> None:
        lane = self.schedule.lanes.get(lane_name)
        if lane and self.now() - opened_at > timedelta(hours=lane.overdue_hours):
            swept.overdue.append(batch_id)

    def _see_to(self, swept: Swept, lane_name: str, batch_id: str, opened_at: datetime) -> None:
        """See to a batch that is not listed as running. Lists may be out of date, so its machine is asked."""
        machine, progress = self._find(batch_id)
        if progress is Progress.RUNNING:
            self._note_overdue(swept, lane_name, batch_id, opened_at)
            return
        key = open_key(lane_name, batch_id)
        try:
            batch = self.work.read_open(key)
        except ValueError as error:
            swept.stuck[batch_id] = 1  # at least
            swept.problems[batch_id] = str(error)
            return
        if batch is None:  # settled meanwhile
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
        """Put the events back, unless those of the last time may still be under way."""
        if lane is None:
            swept.stuck[batch.batch_id] = len(pending)
            swept.problems[batch.batch_id] = f"lane {batch.lane} is not deployed any more, so nobody admits its uploads"
            return
        now, last = self.now(), batch.readmitted_at
        is_due = last is None or now - datetime.fromisoformat(last) > READMIT_AGAIN
        if batch.readmissions > (0 if is_due else 1):
            swept.stuck[batch.batch_id] = len(pending)
        if is_due:
            self.queue(lane.queue_url).send(map(readmission_message, pending))
            self.work.open(batch.after_readmission(now))
            swept.readmitted[batch.batch_id] = len(pending)

    def _pending(self, batch: OpenBatch) -> list[Upload]:
        claims = batch.claims()
        held = self.table.pending(claims)
        return [claim.upload for claim in claims if claim.upload.identity in held]


def _resumes(machine: Executions, batch_id: str) -> bool:
    """Redrive a stopped execution. Whether it runs now."""
    return machine.redrive(batch_id) is Progress.RUNNING
