"""Matches result lines with a batch's uploads, so that every upload gets one verdict, whatever the results contain."""

from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field, replace
from typing import Protocol

from gatehouse.moderation import png_animation, rendition
from gatehouse.moderation.analysis import Analysis, ResultLineError, parse_result_line
from gatehouse.moderation.batch import BatchTerms, BatchUpload
from gatehouse.moderation.confirmation import DEFINITE_CODES, SUPERSEDED
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.failure import Failure
from gatehouse.moderation.image_errors import is_unsupported
from gatehouse.moderation.image_format import ImageFormat
from gatehouse.moderation.manifest_summary import parse_summary
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import BY_POLICY, Verdict

UNREADABLE = "UnreadableResult"
CONTRADICTORY = Failure("ContradictoryResults", "two results for this upload disagree")
NOT_ANALYZED = Failure("NotAnalyzed", "the analysis ended without a result for this upload")
OLDER_UPLOAD = Failure("NotAnalyzed", "a newer upload of the same object was analyzed in the same batch")
OVERWRITTEN = Failure(SUPERSEDED, "the object was overwritten; the upload that replaced it is in the same batch")

#: Rekognition silently ignores an expired adapter and uses the base model (Developer Guide, managing-adapters.html).
#: What the base model flags is flagged; but an approval requires the lane's adapter.
ADAPTER_IGNORED = Failure("AdapterIgnored", "the answer is not from the lane's adapter; has it expired?")

#: Failures that another analysis would not change. An ignored adapter would be ignored again.
_DEFINITE = frozenset({ADAPTER_IGNORED.code, *DEFINITE_CODES})

#: What nobody can judge, whatever an engine said about it.
_UNSUPPORTED = png_animation.UNSUPPORTED_CODES | rendition.UNSUPPORTED_CODES


class Answers(Protocol):
    """An engine's answers for a batch's uploads."""

    @property
    def engine(self) -> Engine:
        """The engine that gave them."""
        ...

    @property
    def job_id(self) -> str | None:
        """The media analysis job, if there was one."""
        ...

    @property
    def unreadable_lines(self) -> int:
        """Result lines that can't be trusted."""
        ...

    def unmatched(self, uploads: Iterable[BatchUpload]) -> int:
        """How many analyses do not match an upload of the batch."""
        ...

    def answer(self, entry: BatchUpload) -> Analysis | Failure:
        """The analysis of one upload, or why there is none."""
        ...

    def may_come_later(self, entry: BatchUpload, verdict: Verdict, terms: BatchTerms) -> bool:
        """Whether another pass of the image engine may have an answer for this verdict's upload."""
        ...


@dataclass(slots=True)
class BulkAnswers:
    """A media analysis job's answers by `s3://bucket/key`, because a manifest does not distinguish versions.

    Attributes:
        job_id: None if no job was started.
        job_failure: set if the whole job failed; then it is the answer for every upload in the manifest.
        unreadable_lines: result lines that can't be trusted.
        repeated_lines: additional analyses of an image that already has one.
    """

    job_id: str | None = None
    job_failure: Failure | None = None
    analyses: dict[str, Analysis] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    unreadable_lines: int = 0
    repeated_lines: int = 0

    @property
    def engine(self) -> Engine:
        """Always BULK."""
        return Engine.BULK

    def answer(self, entry: BatchUpload) -> Analysis | Failure:
        """The analysis of the upload's object, if the upload is the object's newest one in the batch."""
        if self.job_failure:
            return self.job_failure
        if not entry.in_manifest:
            return OLDER_UPLOAD
        source = entry.claim.upload.object
        return self.failures.get(source) or self.analyses.get(source) or NOT_ANALYZED

    def may_come_later(self, entry: BatchUpload, verdict: Verdict, terms: BatchTerms) -> bool:  # noqa: ARG002
        """Whether the upload is a leftover. If the whole job failed, there are no leftovers."""
        return self.job_failure is None and is_leftover(verdict, terms.formats)

    def add_results(self, lines: Iterable[str | bytes]) -> None:
        """Read a result file. If two lines disagree about an image, it has no analysis."""
        for line in lines:
            if not line.strip():
                continue
            try:
                result = parse_result_line(line)
            except ResultLineError as error:
                self.unreadable_lines += 1
                if error.source is not None:
                    self.failures[error.source] = Failure.reported(UNREADABLE, str(error))
                continue
            if result.analysis is None:
                self.failures[result.source] = NOT_ANALYZED
            elif (known := self.analyses.setdefault(result.source, result.analysis)) is not result.analysis:
                self.repeated_lines += 1
                if known != result.analysis:
                    self.failures[result.source] = CONTRADICTORY

    def add_summary(self, text: str | bytes) -> None:
        """Read the errors of single images from a manifest summary.

        The file only adds detail: if it is absent, malformed or names images by line only, the error's code and message
        are missing, and nothing else. Line numbers are not used, because AWS does not document whether they start at 0
        or 1.
        """
        try:
            summary = parse_summary(text)
        except ValueError:
            return
        for error in summary.errors:
            if error.source is not None:
                code, message = error.code or NOT_ANALYZED.code, error.message or NOT_ANALYZED.message
                self.failures.setdefault(error.source, Failure.reported(code, message))

    def unmatched(self, uploads: Iterable[BatchUpload]) -> int:
        """How many analyses do not match an upload: their keys are written differently, or their lines are repeated."""
        asked = {entry.claim.upload.object for entry in uploads if entry.in_manifest}
        return len(self.analyses.keys() - asked) + self.repeated_lines


@dataclass(slots=True)
class ImageAnswers:
    """The image engine's answers, by the uploads' numbers.

    Attributes:
        stragglers: uploads for which every call failed; `failures` has the last call's error.
        unreadable_lines: result lines that can't be trusted and do not say which upload they are about.
    """

    analyses: dict[int, tuple[str, Analysis]] = field(default_factory=dict)
    failures: dict[int, Failure] = field(default_factory=dict)
    stragglers: set[int] = field(default_factory=set)
    unreadable_lines: int = 0

    @property
    def engine(self) -> Engine:
        """Always IMAGE."""
        return Engine.IMAGE

    @property
    def job_id(self) -> str | None:
        """Always None: it has no jobs."""
        return None

    def unmatched(self, uploads: Iterable[BatchUpload]) -> int:  # noqa: ARG002 - numbers say whose a line is
        """Always 0: a line names its upload by number."""
        return 0

    def answer(self, entry: BatchUpload) -> Analysis | Failure:
        """The analysis of the upload. A line with the same number but another object is not used."""
        if (found := self.analyses.get(entry.n)) and found[0] == entry.claim.upload.object:
            return found[1]
        return self.failures.get(entry.n, NOT_ANALYZED)

    def may_come_later(self, entry: BatchUpload, verdict: Verdict, terms: BatchTerms) -> bool:  # noqa: ARG002
        """Whether the upload is a straggler."""
        return entry.n in self.stragglers and verdict.status is Status.FAILED

    def add_results(self, lines: Iterable[str | bytes]) -> None:
        """Read a chunk's result file."""
        for line in lines:
            try:
                result = parse_result_line(line)
            except ResultLineError:
                self.unreadable_lines += 1
                continue
            if result.n is None:
                self.unreadable_lines += 1
            elif result.analysis is not None:
                self.analyses[result.n] = result.source, result.analysis
            elif result.error is not None:
                self.failures[result.n] = Failure.reported(result.error.code, result.error.message)
                if result.failed_calls:
                    self.stragglers.add(result.n)

    def add_failure(self, uploads: Iterable[BatchUpload], failure: Failure) -> None:
        """Add the failure of a chunk. Uploads that were analyzed before it failed keep their analysis."""
        for entry in uploads:
            self.failures.setdefault(entry.n, failure)


def judge(terms: BatchTerms, uploads: Iterable[BatchUpload], answers: Answers, decided_at: str) -> Iterator[Verdict]:
    """Give each upload of a batch its verdict, in order. Without an analysis, none is approved.

    An approval that is based on an unpinned analysis is not final yet: see `confirmation` and `withdraw`.

    Args:
        terms: the batch's terms, from when it was claimed.
        uploads: those still pending under this batch.
        answers: the engine's answers.
        decided_at: ISO 8601, UTC.
    """
    for entry in uploads:
        if entry.refusal:
            yield Verdict(entry.claim, entry.refusal.status, decided_at, failure=entry.refusal.failure)
            continue
        found = OVERWRITTEN if entry.is_overwritten else answers.answer(entry)
        verdict = Verdict(
            entry.claim,
            Status.FAILED,
            decided_at,
            engine=answers.engine,
            job_id=answers.job_id,
            min_confidence=terms.min_confidence,
            adapter_asked=terms.adapter,
        )
        if isinstance(found, Failure):
            yield _failed(verdict, found)
            continue
        policy = terms.policy_for(entry.claim.upload.key)
        decision = policy.judge(found)
        if decision.status is Status.APPROVED and terms.adapter and found.adapter != terms.adapter:
            yield _failed(verdict, ADAPTER_IGNORED)
            continue
        yield replace(
            verdict,
            status=decision.status,
            reasons=decision.reasons,
            analysis=found,
            policy=policy.reference,
            decided_by=BY_POLICY,
        )


def withdraw(verdict: Verdict, doubt: Failure | None) -> Verdict:
    """The verdict, or a failure instead if its analysis may be about other bytes or only part of the image."""
    return verdict if doubt is None else _failed(verdict, doubt)


def is_leftover(verdict: Verdict, formats: Set[ImageFormat]) -> bool:
    """Whether an analysis by the image engine may give the upload a definite answer.

    It may if the engine did not answer for the upload's own bytes, for whatever reason; and if it did not read the
    image, or not the whole of it, and the image engine renders such images. It can't if the bytes are gone or can't be
    identified.

    Args:
        formats: that are rendered.
    """
    if verdict.engine is None or verdict.failure is None or not verdict.engine.leaves_leftovers:
        return False
    if verdict.status is Status.UNSUPPORTED:
        return ImageFormat.PNG in formats if verdict.failure.code in png_animation.UNSUPPORTED_CODES else bool(formats)
    return verdict.status is Status.FAILED and verdict.failure.code not in _DEFINITE


def _failed(verdict: Verdict, failure: Failure) -> Verdict:
    unsupported = failure.code in _UNSUPPORTED or is_unsupported(failure.code, failure.message, verdict.adapter_asked)
    return Verdict(
        verdict.claim,
        Status.UNSUPPORTED if unsupported else Status.FAILED,
        verdict.decided_at,
        failure=failure,
        engine=verdict.engine,
        job_id=verdict.job_id,
        adapter_asked=verdict.adapter_asked,
    )
