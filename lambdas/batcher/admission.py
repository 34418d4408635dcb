"""Admission: register a batch as open, claim its uploads, write them down, start its execution.

Register, claim, write, start: after a crash between any two of these, the next delivery of the same messages finds what
was left and finishes it. No upload is lost, and none is analyzed twice. If there is no next delivery, the sweeper finds
the batch in the register.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from gatehouse.aws.executions import Executions, Progress
from gatehouse.aws.verdict_table import Taken, VerdictTable
from gatehouse.aws.work_bucket import WorkBucket
from gatehouse.moderation.batch import Batch, new_batch_id
from gatehouse.moderation.claim import Claim
from gatehouse.moderation.flood import apart_from_flood
from gatehouse.moderation.lane import Lane
from gatehouse.moderation.moment import iso
from gatehouse.moderation.open_batch import OpenBatch
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import Upload
from gatehouse.moderation.verdict_item import BATCH_ID, STATUS, claim_from_item

#: Allows for clock differences, and for functions that are not stopped to the millisecond.
_GRACE = timedelta(seconds=5)


@dataclass(slots=True)
class Admitted:
    """The outcome for the uploads.

    Attributes:
        batches: those that were started; none if there was nothing new.
        come_back: identities of uploads that another batcher is processing: their messages must be delivered again.
        redriven: executions of earlier batches that had stopped and were resumed.
        reclaimed: uploads taken over from batches that will never finish.
        stuck_after_success: those of them whose batch had succeeded but left them without a verdict.
        resubmitted: uploads whose FAILED verdict this batch replaces, on request.
    """

    batches: list[Batch] = field(default_factory=list)
    come_back: set[tuple[str, str]] = field(default_factory=set)
    redriven: int = 0
    reclaimed: int = 0
    stuck_after_success: int = 0
    resubmitted: int = 0

    def add(self, other: "Admitted") -> None:
        """Add the outcome for other uploads."""
        self.batches += other.batches
        self.come_back |= other.come_back
        self.redriven += other.redriven
        self.reclaimed += other.reclaimed
        self.stuck_after_success += other.stuck_after_success
        self.resubmitted += other.resubmitted


@dataclass(frozen=True, slots=True)
class Admission:
    """Admits uploads of one lane.

    Attributes:
        policies: returns the lane's active policies by name. Called after uploads are claimed, so that uploads claimed
            after a policy change are judged by the new version.
        executions: of the lane's priority.
        other_executions: of the other priorities. A lane's priority may change while a batch runs, and the batch must
            not be started again under the new one.
        now: the current time, with a zone.
    """

    lane: Lane
    policies: Callable[[], Mapping[str, Policy]]
    table: VerdictTable
    work: WorkBucket
    executions: Executions
    other_executions: Sequence[Executions]
    now: Callable[[], datetime]

    def admit(
        self,
        uploads: Iterable[Upload],
        timeout: timedelta,
        resubmitted: Mapping[tuple[str, str], str] = MappingProxyType({}),
    ) -> Admitted:
        """Admit uploads, in more than one batch if there is a flood; duplicates are ignored.

        Args:
            uploads: of this lane.
            timeout: how long a batcher may run. If a claim is older than this and its batch has no files, its batcher
                has died.
            resubmitted: identity of an upload -> the batch it is to be taken from, FAILED or PENDING, to be analyzed
                anew. One that is still being analyzed is left where it is.

        Raises:
            VerdictTableBusyError, ClientError, and whatever `policies` raises: deliver the messages again; the next
                run continues from what was done.
        """
        unique = {upload.identity: upload for upload in uploads}
        admitted = Admitted()
        for part in apart_from_flood(list(unique.values())):
            if part:
                self._admit_batch(part, timeout, resubmitted, admitted)
        return admitted

    def _admit_batch(
        self,
        uploads: Sequence[Upload],
        timeout: timedelta,
        resubmitted: Mapping[tuple[str, str], str],
        admitted: Admitted,
    ) -> None:
        batch_id, moment = new_batch_id(), iso(self.now())
        opened = OpenBatch(self.lane.name, batch_id, moment, tuple(uploads))
        self.work.open(opened)
        claims = [Claim(upload, batch_id, moment, self.lane.name) for upload in uploads]
        held, taken = self.table.claim(claims)
        held += self._take_over(taken, iso(self.now() - timeout - _GRACE), resubmitted, admitted)
        held += self._resubmit(taken, resubmitted, admitted)
        if held:
            batch = Batch.of(batch_id, self.lane, self.policies(), moment, held)
            self.work.write(batch)
            self.executions.ensure_started(batch_id)
            admitted.batches.append(batch)
        else:
            self.work.close(opened.key)

    def _resubmit(
        self, taken: Sequence[Taken], resubmitted: Mapping[tuple[str, str], str], admitted: Admitted
    ) -> list[Claim]:
        """Claim uploads whose verdict is still FAILED, to analyze them again from the start."""
        failed = [
            (claim_from_item(entry.item), entry.claim)
            for entry in taken
            if entry.item[STATUS] == Status.FAILED.value
            and entry.item[BATCH_ID] == resubmitted.get(entry.claim.upload.identity)
        ]
        claimed = self.table.reclaim(failed, Status.FAILED)
        admitted.resubmitted += len(claimed)
        return claimed

    def _take_over(
        self, taken: Sequence[Taken], dead_before: str, resubmitted: Mapping[tuple[str, str], str], admitted: Admitted
    ) -> list[Claim]:
        """Handle uploads that are already known; return those that this batch took over."""
        by_batch: dict[str, list[tuple[Claim, Claim]]] = {}
        for entry in taken:
            if entry.item[STATUS] == Status.PENDING.value:
                standing = claim_from_item(entry.item)
                by_batch.setdefault(standing.batch_id, []).append((standing, entry.claim))
        replacements: list[tuple[Claim, Claim]] = []
        stuck: set[tuple[str, str]] = set()
        for batch_id, pairs in by_batch.items():
            if not self.work.has(batch_id):
                replacements += _abandoned(pairs, dead_before, admitted)
                continue
            asked = {old.upload.identity for old, _ in pairs if resubmitted.get(old.upload.identity) == batch_id}
            progress = self._resume(batch_id, admitted, is_resubmitted=bool(asked))
            if progress is not Progress.RUNNING:
                replacements += [
                    (old, _next_attempt(new, 1 if old.upload.identity in asked else old.attempt + 1))
                    for old, new in pairs
                ]
            if progress is Progress.SUCCEEDED:
                stuck |= {old.upload.identity for old, _ in pairs}
        reclaimed = self.table.reclaim(replacements)
        identities = {claim.upload.identity for claim in reclaimed}
        admitted.come_back |= {new.upload.identity for _, new in replacements} - identities
        admitted.reclaimed += len(reclaimed)
        admitted.stuck_after_success += len(stuck & identities)
        return reclaimed

    def _resume(self, batch_id: str, admitted: Admitted, *, is_resubmitted: bool) -> Progress:
        """Start or redrive an older batch's execution if possible; return its state."""
        for machine in self.other_executions:
            progress = machine.look(batch_id)
            if progress is not Progress.ABSENT:  # the lane had another priority
                return progress
        progress = self.executions.ensure_started(batch_id)
        if progress is Progress.STOPPED and not is_resubmitted:
            progress = self.executions.redrive(batch_id)
            admitted.redriven += progress is Progress.RUNNING
        return progress


def _abandoned(pairs: Sequence[tuple[Claim, Claim]], dead_before: str, admitted: Admitted) -> list[tuple[Claim, Claim]]:
    """Claims whose batcher died before it wrote their batch; for younger claims it may still be running."""
    admitted.come_back |= {new.upload.identity for old, new in pairs if old.claimed_at >= dead_before}
    return [(old, _next_attempt(new, old.attempt)) for old, new in pairs if old.claimed_at < dead_before]


def _next_attempt(claim: Claim, attempt: int) -> Claim:
    return Claim(claim.upload, claim.batch_id, claim.claimed_at, claim.lane, attempt)
