"""Settlement: turn a batch's answers into final verdicts and flags.

Publish, then finalize. An upload stays PENDING until its flag is published, so every final flagged verdict has been
published, whatever happens in between; a re-run processes the rest and sends the same flag ids. Events are sent in
between and delay no verdict: those that the bus does not accept are kept in a queue.

Uploads that the image engine has to analyze again (leftovers, for which a media analysis job had no definite answer,
and stragglers, whose every call failed) stay PENDING and are recorded for its next pass. They do not delay other
uploads, and the number of passes is limited.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from gatehouse.aws.upload_bucket import UploadBucket
from gatehouse.aws.verdict_table import ITEMS_A_CALL, VerdictTable
from gatehouse.aws.version_listing import VersionListing
from gatehouse.aws.work_bucket import WorkBucket
from gatehouse.moderation.batch import BatchTerms, BatchUpload
from gatehouse.moderation.flag import Flag
from gatehouse.moderation.flag_publisher import FlagNotPublishedError, FlagPublisher
from gatehouse.moderation.image_pass import ImagePass
from gatehouse.moderation.in_flight import in_flight
from gatehouse.moderation.matching import ADAPTER_IGNORED, NOT_ANALYZED, Answers, judge, withdraw
from gatehouse.moderation.moment import iso
from gatehouse.moderation.open_batch import open_key
from gatehouse.moderation.sample import draw
from gatehouse.moderation.status import FLAGGED, Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_events import Announcement, VerdictEvents
from gatehouse.moderation.verdict_item import expiry
from lambdas.results.engine_run import EngineRun
from lambdas.results.request import Request


@dataclass(frozen=True, slots=True)
class Again:
    """The image engine's next pass.

    Attributes:
        uploads: number of uploads in the pass; they stay PENDING until then.
    """

    image_pass: ImagePass
    uploads: int

    def to_document(self) -> dict[str, Any]:
        """The pass as the workflow reads it."""
        return {
            "pass": self.image_pass.value,
            "uploads": self.uploads,
            "pause_seconds": self.image_pass.pause_seconds,
        }


@dataclass(slots=True)
class Settled:
    """The result of a run.

    Attributes:
        uploads: of the batch, or of the later pass that ended.
        skipped: uploads that were already final or claimed by another batch.
        again: the next pass, or None if the batch is done.
        verdicts: those that this run wrote.
        unmatched_lines: analyses of images that are not in the batch, and lines that name no image.
        unanswered: uploads for which an engine that may leave leftovers returned nothing.
        refusals: errors of flags that were refused; their uploads are still PENDING.
        announcement: the events of the verdicts; None if no events are sent.
    """

    lane: str
    uploads: int
    skipped: int = 0
    again: Again | None = None
    verdicts: list[Verdict] = field(default_factory=list)
    unmatched_lines: int = 0
    unanswered: int = 0
    refusals: list[FlagNotPublishedError] = field(default_factory=list)
    announcement: Announcement | None = None

    def counts(self) -> Counter[Status]:
        """Verdicts by status."""
        return Counter(verdict.status for verdict in self.verdicts)

    @property
    def flagged(self) -> int:
        """Verdicts that keep an upload from being shown because of its content."""
        return sum(verdict.status in FLAGGED for verdict in self.verdicts)

    @property
    def missing(self) -> int:
        """Uploads for which the engine returned neither a result nor an error."""
        return sum(verdict.failure == NOT_ANALYZED for verdict in self.verdicts)

    @property
    def adapter_ignored(self) -> int:
        """Uploads whose answer does not name the lane's adapter."""
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
        """Those of them for which another engine had no definite answer."""
        return self.left if self.again and self.again.image_pass is ImagePass.LEFTOVERS else 0

    def to_document(self) -> dict[str, Any]:
        """The result for the workflow, which is also the execution's output."""
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
        events: sends verdicts' events; None where none are sent.
        versions: lists what is current before approvals are confirmed; None where each image is looked at.
    """

    table: VerdictTable
    work: WorkBucket
    uploads: UploadBucket
    flags: FlagPublisher
    notify: frozenset[Status]
    retention: timedelta | None
    now: Callable[[], datetime]
    events: VerdictEvents | None = None
    versions: VersionListing | None = None

    def settle(self, request: Request) -> Settled:
        """Judge, publish and finalize a batch's PENDING uploads. Safe to repeat.

        If a flag is refused, only its own upload stays PENDING.

        Raises:
            ClientError, VerdictTableBusyError, MessageNotSentError: final verdicts stay final; call again for the rest.
            ValueError: the batch's files can't be read, or lack some of its uploads. Nothing is decided then.
        """
        run, terms = request.analysis, self.work.read_terms(request.batch_id)
        index = self._index(terms, run)
        pending = self.table.pending(entry.claim for entry in index)
        held = [entry for entry in index if entry.claim.upload.identity in pending]
        settled = Settled(terms.lane, uploads=len(index), skipped=len(index) - len(held))
        settled.announcement = self.events.begin() if self.events else None
        if held:
            answers = run.answers(self.work, index)
            settled.unmatched_lines = answers.unmatched(index) + answers.unreadable_lines
            judged = list(judge(terms, held, answers, iso(self.now())))
            verdicts = [draw(verdict, terms.samples) for verdict in self._confirm(judged)]
            if run.engine.leaves_leftovers and not run.failure:
                settled.unanswered = sum(verdict.failure == NOT_ANALYZED for verdict in judged)
            if next_pass := run.next_pass(terms):
                later = self._later(terms, answers, list(zip(held, verdicts, strict=True)))
                settled.again = self._set_aside(request.batch_id, next_pass, list(later.values()))
                verdicts = [verdict for entry, verdict in zip(held, verdicts, strict=True) if entry.n not in later]
            settled.verdicts = self._publish_and_finalize(verdicts, settled)
            settled.skipped = len(index) - len(settled.verdicts) - settled.left
        return settled

    def close(self, batch_id: str, settled: Settled) -> None:
        """Remove a batch without PENDING uploads from the register of open batches.

        Raises:
            ClientError: call again, or leave it to the sweeper.
        """
        if not settled.again and not settled.refusals:
            self.work.close(open_key(settled.lane, batch_id))

    def _index(self, terms: BatchTerms, run: EngineRun) -> list[BatchUpload]:
        index, expected = list(self.work.read_index(terms, run.image_pass)), run.size(terms)
        if len(index) != expected:
            file = run.image_pass.index_key(terms.batch_id)
            raise ValueError(f"{file} has {len(index)} uploads instead of {expected}; resubmit the batch")
        return index

    def _later(
        self, terms: BatchTerms, answers: Answers, judged: Sequence[tuple[BatchUpload, Verdict]]
    ) -> dict[int, BatchUpload]:
        """Uploads, by number, that the image engine's next pass may have an answer for.

        A media analysis job does not say what format a file has that it refused; its first bytes do. A file of a format
        that is not rendered would be refused again.
        """
        later = {entry.n: entry for entry, verdict in judged if answers.may_come_later(entry, verdict, terms)}
        refused = [entry for entry, verdict in judged if entry.n in later and verdict.status is Status.UNSUPPORTED]
        may_be_rendered = self.uploads.may_be_of(terms.formats, [entry.claim.upload for entry in refused])
        for entry, may_be in zip(refused, may_be_rendered, strict=True):
            if not may_be:
                del later[entry.n]
        return later

    def _set_aside(self, batch_id: str, image_pass: ImagePass, uploads: Sequence[BatchUpload]) -> Again | None:
        """Record the uploads of the image engine's next pass.

        They stay PENDING until then, so a retry finds them again, and possibly more.
        """
        if not uploads:
            return None
        self.work.write_index(batch_id, image_pass, uploads)
        return Again(image_pass, len(uploads))

    def _confirm(self, verdicts: Sequence[Verdict]) -> list[Verdict]:
        """Withdraw approvals whose object is not, or may not be, the one that was analyzed."""
        approvals = [verdict for verdict in verdicts if verdict.status is Status.APPROVED]
        identities = [verdict.upload.identity for verdict in approvals]
        unpinned = [verdict.upload for verdict in approvals if not verdict.is_pinned]
        current = self.versions.current_of(unpinned) if self.versions else {}
        doubts = dict(zip(identities, self.uploads.doubts(approvals, current), strict=True))
        return [withdraw(verdict, doubts.get(verdict.upload.identity)) for verdict in verdicts]

    def _publish_and_finalize(self, verdicts: Sequence[Verdict], settled: Settled) -> list[Verdict]:
        final = in_flight(self._finalize, self._announced(verdicts, settled))
        return [verdict for _, standing in final for verdict in standing]

    def _announced(self, verdicts: Sequence[Verdict], settled: Settled) -> Iterator[list[Verdict]]:
        """Yield verdicts that may be finalized, as many as fit a call, once their flags and events are sent."""
        waiting: list[Verdict] = []
        for published in self._published(verdicts, settled.refusals):
            waiting += published
            while len(waiting) >= ITEMS_A_CALL:
                yield self._with_events(waiting[:ITEMS_A_CALL], settled.announcement)
                del waiting[:ITEMS_A_CALL]
        if waiting:
            yield self._with_events(waiting, settled.announcement)

    def _published(self, verdicts: Sequence[Verdict], refusals: list[FlagNotPublishedError]) -> Iterator[list[Verdict]]:
        """Yield verdicts that may be finalized: at once if they are not notified, else after publishing."""
        silent = [verdict for verdict in verdicts if verdict.status not in self.notify]
        notified = [verdict for verdict in verdicts if verdict.status in self.notify]
        yield silent
        queue = iter(notified)
        for sent in self.flags.publish(map(Flag.of, notified)):
            if sent.error:
                refusals.append(sent.error)
            yield [verdict for n, verdict in enumerate(islice(queue, sent.flags)) if n not in sent.refused]
        # If the topic accepts nothing at all, the retry continues from here.

    def _with_events(self, verdicts: list[Verdict], announcement: Announcement | None) -> list[Verdict]:
        if self.events and announcement:
            announced = [verdict for verdict in verdicts if verdict.status in self.events.statuses]
            announcement.announce([Flag.of(verdict) for verdict in announced])
        return verdicts

    def _finalize(self, verdicts: Sequence[Verdict]) -> list[Verdict]:
        return self.table.finalize(verdicts, expiry(self.now(), self.retention))
