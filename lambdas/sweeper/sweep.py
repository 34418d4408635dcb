"""The sweep: find batches that are open for too long, and get those going again that nobody works on.

It decides nothing about an upload. A stopped execution is redriven where it stopped. Where that is refused, or there is
none, the events of the uploads that are still PENDING are put back into their lane's queue, and the batcher takes over
what may be taken over, by the same conditions as ever. So a sweep can't pay twice for what a job has answered, can't
touch a final verdict or a newer upload, and may be repeated or run beside another one.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lambdas.aws.executions import Executions, Progress
from lambdas.aws.ingest_queue import IngestQueue
from lambdas.aws.verdict_table import VerdictTable
from lambdas.aws.work_bucket import WorkBucket
from lambdas.moderation.open_batch import OpenBatch, open_key
from lambdas.moderation.upload import Upload, readmission_message
from lambdas.sweeper.schedule import LaneRoute, Schedule

#: A claim older than this in a batch that nobody works on was swept several times before, to no avail.
STUCK_AGE = timedelta(hours=3)


@dataclass(slots=True)
class Swept:
    """What a sweep found and did.

    Attributes:
        open: batches that are old enough to be looked at.
        closed: those that held nothing more; their entries were left over.
        redriven: stopped executions that were resumed.
        readmitted: uploads whose events were put into their lane's queue again.
        overdue: ids of batches that have been analysed for longer than their lane allows.
        stuck: uploads that sweeps do not get going: nobody has worked on them for longer than `STUCK_AGE`.
        problems: batch id -> why nothing could be done about it.
        is_complete: False if the time was up before the last batch was looked at.
    """

    open: int = 0
    closed: int = 0
    redriven: int = 0
    readmitted: int = 0
    overdue: list[str] = field(default_factory=list)
    stuck: int = 0
    problems: dict[str, str] = field(default_factory=dict)
    is_complete: bool = True


@dataclass(frozen=True, slots=True)
class Sweep:
    """Sweeps the lanes of a schedule.

    Attributes:
        executions: of a state machine, by its ARN.
        queue: of a lane, by its URL.
        now: the current time, with a zone.
        has_time: whether there is time for another batch.
    """

    schedule: Schedule
    table: VerdictTable
    work: WorkBucket
    executions: Callable[[str], Executions]
    queue: Callable[[str], IngestQueue]
    now: Callable[[], datetime]
    has_time: Callable[[], bool]

    def sweep(self) -> Swept:
        """Look at every batch that has been open for long.

        Raises:
            MessageNotSentError, VerdictTableBusyError, ClientError: an outage; the next sweep starts over.
        """
        batches = list(self.work.open_since(self.now() - self.schedule.min_age))
        random.shuffle(batches)  # a sweep that runs out of time leaves other batches than the last one did
        swept = Swept(open=len(batches))
        running: dict[str, set[str]] = {}
        for lane_name, batch_id, opened_at in batches:
            if not self.has_time():
                swept.is_complete = False
                break
            lane = self.schedule.lanes.get(lane_name)
            progress = self._look(lane, batch_id, running) if lane else Progress.ABSENT
            if lane is None or progress is not Progress.RUNNING:
                self._get_going(swept, lane_name, batch_id, progress)
            elif lane.overdue_hours and self.now() - opened_at > timedelta(hours=lane.overdue_hours):
                swept.overdue.append(batch_id)
        return swept

    def _look(self, lane: LaneRoute, batch_id: str, running: dict[str, set[str]]) -> Progress:
        """Where a batch's execution stands. `running` remembers each machine's list, which may be out of date."""
        executions = self.executions(lane.state_machine_arn)
        if lane.state_machine_arn not in running:
            running[lane.state_machine_arn] = executions.running()
        return Progress.RUNNING if batch_id in running[lane.state_machine_arn] else executions.look(batch_id)

    def _get_going(self, swept: Swept, lane_name: str, batch_id: str, progress: Progress) -> None:
        key = open_key(lane_name, batch_id)
        try:
            batch = self.work.read_open(key)
        except ValueError as error:
            swept.stuck += 1
            swept.problems[batch_id] = str(error)
            return
        if batch is None:  # settled meanwhile
            return
        pending = self._pending(batch)
        if not pending:
            self.work.close(key)
            swept.closed += 1
            return
        if self.now() - datetime.fromisoformat(batch.claimed_at) > STUCK_AGE:
            swept.stuck += len(pending)
        lane = self.schedule.lanes.get(lane_name)
        if lane is None:
            swept.problems[batch_id] = f"lane {lane_name} is not deployed any more, so nobody admits its uploads"
            return
        if progress is Progress.STOPPED:
            progress = self.executions(lane.state_machine_arn).redrive(batch_id)
            swept.redriven += progress is Progress.RUNNING
        if progress is not Progress.RUNNING:
            self.queue(lane.queue_url).send(map(readmission_message, pending))
            swept.readmitted += len(pending)

    def _pending(self, batch: OpenBatch) -> list[Upload]:
        claims = batch.claims()
        held = self.table.pending(claims)
        return [claim.upload for claim in claims if claim.upload.identity in held]
