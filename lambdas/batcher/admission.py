"""Admission: claim a queue batch's uploads, write them down as a batch, start its execution.

Claim, write, start: a crash between any two of these leaves something the next delivery of the same messages finds and
finishes. No upload is lost by it, and none is analysed twice.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lambdas.aws.executions import Executions, Progress
from lambdas.aws.verdict_table import Taken, VerdictTable
from lambdas.aws.work_bucket import WorkBucket
from lambdas.moderation.batch import Batch, new_batch_id
from lambdas.moderation.lane import Lane
from lambdas.moderation.policy import Policy
from lambdas.moderation.upload import Upload, iso
from lambdas.moderation.verdict import STATUS, Claim, Status, claim_from_item

#: Clocks differ, and a function is not stopped to the millisecond.
_GRACE = timedelta(seconds=5)


@dataclass(slots=True)
class Admitted:
    """What became of the uploads.

    Attributes:
        batch: the batch that was started, or None if there was nothing new.
        come_back: identities of uploads another batcher is busy with: their messages must be delivered again.
        redriven: executions of earlier batches that had stopped and were resumed.
        reclaimed: uploads taken over from batches that will never finish.
        stuck_after_success: those of them whose batch had ended well and left them without a verdict.
    """

    batch: Batch | None = None
    come_back: set[tuple[str, str]] = field(default_factory=set)
    redriven: int = 0
    reclaimed: int = 0
    stuck_after_success: int = 0


@dataclass(frozen=True, slots=True)
class Admission:
    """Admits uploads of one lane.

    Attributes:
        policies: the lane's policies by name, as they hold at the moment of the call. Asked once uploads are held, so
            that whatever is claimed after a policy was changed is judged by the change.
        now: the current time, with a zone.
    """

    lane: Lane
    policies: Callable[[], Mapping[str, Policy]]
    table: VerdictTable
    work: WorkBucket
    executions: Executions
    now: Callable[[], datetime]

    def admit(self, uploads: Iterable[Upload], timeout: timedelta) -> Admitted:
        """Admit uploads; duplicates among them count once.

        Args:
            uploads: of this lane.
            timeout: how long a batcher may run. A claim older than this whose batch has no files belongs to a batcher
                that is dead.

        Raises:
            VerdictTableBusyError, ClientError, and whatever `policies` raises: deliver the messages again; what was
                done so far is found then.
        """
        batch_id, moment = new_batch_id(), iso(self.now())
        unique = {upload.identity: upload for upload in uploads}
        claims = [Claim(upload, batch_id, moment, self.lane.name) for upload in unique.values()]
        admitted = Admitted()
        held, taken = self.table.claim(claims)
        held += self._take_over(taken, iso(self.now() - timeout - _GRACE), admitted)
        if held:
            batch = Batch.of(batch_id, self.lane, self.policies(), moment, held)
            self.work.write(batch)
            self.executions.ensure_started(batch_id)
            admitted.batch = batch
        return admitted

    def _take_over(self, taken: Sequence[Taken], dead_before: str, admitted: Admitted) -> list[Claim]:
        """See to uploads that are known already; return those this batch holds now in another one's place."""
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
            progress = self._resume(batch_id, admitted)
            if progress is not Progress.RUNNING:
                replacements += [(old, _next_attempt(new, old.attempt + 1)) for old, new in pairs]
            if progress is Progress.SUCCEEDED:
                stuck |= {old.upload.identity for old, _ in pairs}
        reclaimed = self.table.reclaim(replacements)
        identities = {claim.upload.identity for claim in reclaimed}
        admitted.come_back |= {new.upload.identity for _, new in replacements} - identities
        admitted.reclaimed += len(reclaimed)
        admitted.stuck_after_success += len(stuck & identities)
        return reclaimed

    def _resume(self, batch_id: str, admitted: Admitted) -> Progress:
        progress = self.executions.ensure_started(batch_id)
        if progress is Progress.STOPPED:
            progress = self.executions.redrive(batch_id)
            admitted.redriven += progress is Progress.RUNNING
        return progress


def _abandoned(pairs: Sequence[tuple[Claim, Claim]], dead_before: str, admitted: Admitted) -> list[tuple[Claim, Claim]]:
    """Claims whose batcher died before it wrote their batch; a younger one may still be alive and is left alone."""
    admitted.come_back |= {new.upload.identity for old, new in pairs if old.claimed_at >= dead_before}
    return [(old, _next_attempt(new, old.attempt)) for old, new in pairs if old.claimed_at < dead_before]


def _next_attempt(claim: Claim, attempt: int) -> Claim:
    return Claim(claim.upload, claim.batch_id, claim.claimed_at, claim.lane, attempt)
