"""Settlement: turn a batch's answers into final verdicts and flags.

Publish, then finalize. An upload is PENDING until its flag is out, so a final and flagged verdict is a published one
whatever happens in between; a re-run finds what is left and sends the same ids.

Uploads that the image engine is to be asked about again (those that a media analysis job gave no definite answer for,
and those that only failed calls came back for) stay PENDING and are written down for its next pass. They hold up no
other upload, and there is a last pass.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from gatehouse.aws.upload_bucket import UploadBucket
from gatehouse.aws.verdict_table import ITEMS_A_CALL, VerdictTable
from gatehouse.aws.work_bucket import WorkBucket
from gatehouse.moderation.batch import BatchSettings, BatchUpload
from gatehouse.moderation.flag import Flag
from gatehouse.moderation.flag_publisher import FlagNotPublishedError, FlagPublisher
from gatehouse.moderation.image_pass import ImagePass
from gatehouse.moderation.matching import ADAPTER_IGNORED, NOT_ANALYZED, judge, withdraw
from gatehouse.moderation.moment import iso
from gatehouse.moderation.open_batch import open_key
from gatehouse.moderation.status import FLAGGED, Status
from gatehouse.moderation.verdict import Verdict
from lambdas.results.engine_run import EngineRun
from lambdas.results.request import Request


@dataclass(frozen=True, slots=True)
class Again:
    """The pass that the image engine is to make next.

    Attributes:
        uploads: that it has; they stay PENDING until then.
    """

    image_pass: ImagePass
    uploads: int

    def to_document(self) -> dict[str, Any]:
        """What the workflow needs to know of it."""
        return {
            "pass": self.image_pass.value,
            "uploads": self.uploads,
            "pause_seconds": self.image_pass.pause_seconds,
        }


@dataclass(slots=True)
class Settled:
    """What a run wrote.

    Attributes:
        uploads: of the batch, or of the later pass that ended.
        skipped: uploads that were final or in other hands already.
        again: what is to be asked about again, or None if the batch is done.
        verdicts: those that stand by this run.
        unmatched_lines: analyses of images that are not in the batch, and lines that name none.
        unanswered: uploads that an engine which leaves leftovers was to analyze and said nothing about.
        refusals: what was said to flags that were refused; their uploads are still PENDING.
    """

    lane: str
    uploads: int
    skipped: int = 0
    again: Again | None = None
    verdicts: list[Verdict] = field(default_factory=list)
    unmatched_lines: int = 0
    unanswered: int = 0
    refusals: list[FlagNotPublishedError] = field(default_factory=list)

    def counts(self) -> Counter[Status]:
        """Verdicts by status."""
        return Counter(verdict.status for verdict in self.verdicts)

    @property
    def flagged(self) -> int:
        """Verdicts that keep an upload from being shown because of its content."""
        return sum(verdict.status in FLAGGED for verdict in self.verdicts)

    @property
    def missing(self) -> int:
        """Uploads the engine gave neither a result nor an error for."""
        return sum(verdict.failure == NOT_ANALYZED for verdict in self.verdicts)

    @property
    def adapter_ignored(self) -> int:
        """Uploads whose answer does not name the adapter the lane asked for."""
        return sum(
            verdict.failure == ADAPTER_IGNORED
            or (verdict.analysis is not None and verdict.adapter_asked not in (None, verdict.analysis.adapter))
            for verdict in self.verdicts
        )

    @property
    def left(self) -> int:
        """Uploads that stay PENDING for the image engine's next pass."""
        return self.again.uploads if self.again else 0

    @property
    def leftovers(self) -> int:
        """Those of them that another engine gave no definite answer for."""
        return self.left if self.again and self.again.image_pass is ImagePass.LEFTOVERS else 0

    def to_document(self) -> dict[str, Any]:
        """What the workflow goes on with, and the execution's output."""
        counts = self.counts()
        by_status = {status.lower(): counts[status] for status in Status if status is not Status.PENDING}
        again = self.again.to_document() if self.again else None
        return {"uploads": self.uploads, **by_status, "skipped": self.skipped, "again": again}


@dataclass(frozen=True, slots=True)
class Settlement:
    """Settles batches.

    Attributes:
        notify: the final statuses that are published.
        retention: how long a final verdict is kept, or None forever.
        now: the current time, with a zone.
    """

    table: VerdictTable
    work: WorkBucket
    uploads: UploadBucket
    flags: FlagPublisher
    notify: frozenset[Status]
    retention: timedelta | None
    now: Callable[[], datetime]

    def settle(self, request: Request) -> Settled:
        """Judge, publish and finalize what a batch still holds. Safe to repeat.

        A flag that is refused leaves its own upload PENDING and holds up no other one.

        Raises:
            ClientError, VerdictTableBusyError: what is final stays so; call again for the rest.
            ValueError: the batch's files can't be read, or lack some of its uploads. Nothing is decided then.
        """
        run, settings = request.analysis, self.work.read_settings(request.batch_id)
        index = self._index(settings, run)
        pending = self.table.pending(entry.claim for entry in index)
        held = [entry for entry in index if entry.claim.upload.identity in pending]
        settled = Settled(settings.lane, uploads=len(index), skipped=len(index) - len(held))
        if held:
            answers = run.answers(self.work, index)
            settled.unmatched_lines = answers.unmatched(index) + answers.unreadable_lines
            judged = list(judge(settings, held, answers, iso(self.now())))
            verdicts = self._confirm(judged)
            if run.engine.leaves_leftovers and not run.failure:
                settled.unanswered = sum(verdict.failure == NOT_ANALYZED for verdict in judged)
            if next_pass := run.next_pass(settings):
                later = {
                    entry.n: entry
                    for entry, verdict in zip(held, verdicts, strict=True)
                    if answers.may_come_later(entry, verdict)
                }
                settled.again = self._set_aside(request.batch_id, next_pass, list(later.values()))
                verdicts = [verdict for entry, verdict in zip(held, verdicts, strict=True) if entry.n not in later]
            settled.verdicts = self._publish_and_finalize(verdicts, settled.refusals)
            settled.skipped = len(index) - len(settled.verdicts) - settled.left
        return settled

    def close(self, batch_id: str, settled: Settled) -> None:
        """Take a batch that holds nothing more out of the register of open ones.

        Raises:
            ClientError: call again, or leave it to the sweeper.
        """
        if not settled.again and not settled.refusals:
            self.work.close(open_key(settled.lane, batch_id))

    def _index(self, settings: BatchSettings, run: EngineRun) -> list[BatchUpload]:
        index, expected = list(self.work.read_index(settings, run.image_pass)), run.size(settings)
        if len(index) != expected:
            file = run.image_pass.index_key(settings.batch_id)
            raise ValueError(f"{file} has {len(index)} uploads, where {expected} are expected; resubmit the batch")
        return index

    def _set_aside(self, batch_id: str, image_pass: ImagePass, uploads: Sequence[BatchUpload]) -> Again | None:
        """Write down what the image engine is to look at in its next pass.

        These uploads are PENDING until then, so a retry finds them again, and possibly more.
        """
        if not uploads:
            return None
        self.work.write_index(batch_id, image_pass, uploads)
        return Again(image_pass, len(uploads))

    def _confirm(self, verdicts: Sequence[Verdict]) -> list[Verdict]:
        """Withdraw the approvals whose object is no longer, or not surely, the one that was analyzed."""
        approvals = [verdict for verdict in verdicts if verdict.status is Status.APPROVED]
        identities = [verdict.upload.identity for verdict in approvals]
        doubts = dict(zip(identities, self.uploads.doubts(approvals), strict=True))
        return [withdraw(verdict, doubts.get(verdict.upload.identity)) for verdict in verdicts]

    def _publish_and_finalize(
        self, verdicts: Sequence[Verdict], refusals: list[FlagNotPublishedError]
    ) -> list[Verdict]:
        standing: list[Verdict] = []
        waiting: list[Verdict] = []
        for published in self._published(verdicts, refusals):
            waiting += published
            while len(waiting) >= ITEMS_A_CALL:
                standing += self._finalize(waiting[:ITEMS_A_CALL])
                del waiting[:ITEMS_A_CALL]
        return standing + self._finalize(waiting)

    def _published(self, verdicts: Sequence[Verdict], refusals: list[FlagNotPublishedError]) -> Iterator[list[Verdict]]:
        """Hand on verdicts that may be finalized: at once if nobody is to hear of them, else once published."""
        silent = [verdict for verdict in verdicts if verdict.status not in self.notify]
        notified = [verdict for verdict in verdicts if verdict.status in self.notify]
        yield silent
        queue = iter(notified)
        for sent in self.flags.publish(map(Flag.of, notified)):
            if sent.error:
                refusals.append(sent.error)
            yield [verdict for n, verdict in enumerate(islice(queue, sent.flags)) if n not in sent.refused]
        # Where nothing at all is taken now, the retry goes on from here.

    def _finalize(self, verdicts: Sequence[Verdict]) -> list[Verdict]:
        expires = int((self.now() + self.retention).timestamp()) if self.retention else None
        return self.table.finalize(verdicts, expires) if verdicts else []
