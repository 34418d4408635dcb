"""Match a batch: match result lines with uploads, so that verdicts add up to the uploads whatever came back."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from gatehouse.moderation.analysis import Analysis, ResultLineError, parse_result_line
from gatehouse.moderation.batch import BatchSettings, BatchUpload
from gatehouse.moderation.confirmation import DEFINITE_CODES, SUPERSEDED
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.failure import Failure
from gatehouse.moderation.image_errors import is_unsupported
from gatehouse.moderation.png_animation import UNSUPPORTED_CODES
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import BY_POLICY, Verdict

UNREADABLE = "UnreadableResult"
CONTRADICTORY = Failure("ContradictoryResults", "two results for this upload disagree")
NOT_ANALYZED = Failure("NotAnalyzed", "the analysis ended without a result for this upload")
OLDER_UPLOAD = Failure("NotAnalyzed", "a newer upload of the same object was analyzed in the same batch")
OVERWRITTEN = Failure(SUPERSEDED, "the object was overwritten; the upload that did it is in the same batch")

#: An expired adapter is ignored in silence and the base model answers (Developer Guide, managing-adapters.html). What
#: it flags is flagged; what it finds nothing in was not looked at the way the lane asks.
ADAPTER_IGNORED = Failure("AdapterIgnored", "the answer is not from the adapter the lane asks for; has it expired?")

#: What another analysis would not change. An answer without its adapter is one: asking again is ignored again.
_DEFINITE = frozenset({ADAPTER_IGNORED.code, *DEFINITE_CODES})


class Answers(Protocol):
    """What an engine said about a batch's uploads."""

    @property
    def engine(self) -> Engine:
        """Which one it was."""
        ...

    @property
    def job_id(self) -> str | None:
        """The media analysis job, if it was one."""
        ...

    @property
    def unreadable_lines(self) -> int:
        """Result lines that can't be trusted."""
        ...

    def unmatched(self, uploads: Iterable[BatchUpload]) -> int:
        """How many analyses have no upload of their own among the batch's."""
        ...

    def answer(self, entry: BatchUpload) -> Analysis | Failure:
        """What it said about one upload, or why it said nothing."""
        ...

    def may_come_later(self, entry: BatchUpload, verdict: Verdict) -> bool:
        """Whether the image engine may give the upload of this verdict an answer if it is asked again."""
        ...


@dataclass(slots=True)
class BulkAnswers:
    """What a media analysis job gave, by `s3://bucket/key`: a manifest can't tell versions apart.

    Attributes:
        job_id: None if none was started.
        job_failure: set if the job as a whole failed; every upload it was to analyze ends with it.
        unreadable_lines: result lines that can't be trusted.
        repeated_lines: analyses of images that had one already.
    """

    job_id: str | None = None
    job_failure: Failure | None = None
    analyses: dict[str, Analysis] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    unreadable_lines: int = 0
    repeated_lines: int = 0

    @property
    def engine(self) -> Engine:
        """Bulk Analysis."""
        return Engine.BULK

    def answer(self, entry: BatchUpload) -> Analysis | Failure:
        """The analysis of the upload's object, if only the upload is the object's newest in the batch."""
        if self.job_failure:
            return self.job_failure
        if not entry.in_manifest:
            return OLDER_UPLOAD
        source = entry.claim.upload.object
        return self.failures.get(source) or self.analyses.get(source) or NOT_ANALYZED

    def may_come_later(self, entry: BatchUpload, verdict: Verdict) -> bool:  # noqa: ARG002 - the other engine's
        """Whether the upload is a leftover. None is, if the job failed as a whole."""
        return self.job_failure is None and is_leftover(verdict)

    def add_results(self, lines: Iterable[str | bytes]) -> None:
        """Read a result file. Two lines that disagree on one image leave it without an analysis."""
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
        """Read a manifest summary for the errors of single images.

        The file is a help, not an authority: one that is absent, malformed or names images by line only costs the
        error's code and message. Line numbers are not used, since whether they start at 0 or 1 is not documented.
        """
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            return
        errors = document.get("errors") if isinstance(document, dict) else None
        for error in errors if isinstance(errors, list) else ():
            if isinstance(error, dict) and isinstance(error.get("source-ref"), str):
                code, message = _text(error, "code", "NotAnalyzed"), _text(error, "message", NOT_ANALYZED.message)
                self.failures.setdefault(error["source-ref"], Failure.reported(code, message))

    def unmatched(self, uploads: Iterable[BatchUpload]) -> int:
        """How many analyses have no upload of their own: keys are written another way, or lines came twice."""
        asked = {entry.claim.upload.object for entry in uploads if entry.in_manifest}
        return len(self.analyses.keys() - asked) + self.repeated_lines


@dataclass(slots=True)
class ImageAnswers:
    """What the image engine gave, by the uploads' numbers.

    Attributes:
        stragglers: uploads that only failed calls came back for; `failures` says what the last one said.
        unreadable_lines: result lines that can't be trusted and do not even say whom they speak of.
    """

    analyses: dict[int, tuple[str, Analysis]] = field(default_factory=dict)
    failures: dict[int, Failure] = field(default_factory=dict)
    stragglers: set[int] = field(default_factory=set)
    unreadable_lines: int = 0

    @property
    def engine(self) -> Engine:
        """The image engine."""
        return Engine.IMAGE

    @property
    def job_id(self) -> str | None:
        """It knows no jobs."""
        return None

    def unmatched(self, uploads: Iterable[BatchUpload]) -> int:  # noqa: ARG002 - numbers say whose a line is
        """None has: a line says which upload it is about."""
        return 0

    def answer(self, entry: BatchUpload) -> Analysis | Failure:
        """The analysis of the upload. A line of another object under the same number is not believed."""
        if (found := self.analyses.get(entry.n)) and found[0] == entry.claim.upload.object:
            return found[1]
        return self.failures.get(entry.n, NOT_ANALYZED)

    def may_come_later(self, entry: BatchUpload, verdict: Verdict) -> bool:
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
        """A chunk was given up; what was analyzed before counts all the same."""
        for entry in uploads:
            self.failures.setdefault(entry.n, failure)


def judge(
    settings: BatchSettings, uploads: Iterable[BatchUpload], answers: Answers, decided_at: str
) -> Iterator[Verdict]:
    """Give each upload of a batch its verdict, in order; every path that lacks an analysis ends unapproved.

    An approval on an unpinned analysis is not final yet: see `confirmation` and `withdraw`.

    Args:
        settings: the batch's own, as they were when it was claimed.
        uploads: those still pending under this batch.
        answers: what came back.
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
            min_confidence=settings.min_confidence,
            adapter_asked=settings.adapter,
        )
        if isinstance(found, Failure):
            yield _failed(verdict, found)
            continue
        policy = settings.policy_for(entry.claim.upload.key)
        decision = policy.judge(found)
        if decision.status is Status.APPROVED and settings.adapter and found.adapter != settings.adapter:
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
    """The verdict, or, where its analysis may speak of other bytes or not of the whole image, the failure instead."""
    return verdict if doubt is None else _failed(verdict, doubt)


def is_leftover(verdict: Verdict) -> bool:
    """Whether another analysis, image by image, may give the upload a definite answer.

    It may where the engine did not answer for the upload's own bytes, whatever the reason. It can't where the image
    itself is the reason, the bytes are gone, or nobody could tell them from others.
    """
    if verdict.status is not Status.FAILED or verdict.engine is None or verdict.failure is None:
        return False
    return verdict.engine.leaves_leftovers and verdict.failure.code not in _DEFINITE


def _failed(verdict: Verdict, failure: Failure) -> Verdict:
    unsupported = failure.code in UNSUPPORTED_CODES or is_unsupported(
        failure.code, failure.message, verdict.adapter_asked
    )
    return Verdict(
        verdict.claim,
        Status.UNSUPPORTED if unsupported else Status.FAILED,
        verdict.decided_at,
        failure=failure,
        engine=verdict.engine,
        job_id=verdict.job_id,
        adapter_asked=verdict.adapter_asked,
    )


def _text(fields: dict[str, Any], name: str, default: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) and value else default
