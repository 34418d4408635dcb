"""Reconcile a batch: match result lines with uploads, so that verdicts add up to the uploads whatever came back."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from lambdas.moderation.analysis import Analysis, ResultLineError, parse_result_line
from lambdas.moderation.batch import BatchSettings, BatchUpload
from lambdas.moderation.verdict import BY_POLICY, Claim, Failure, Status, Verdict

#: DetectModerationLabels' exceptions that speak of the image and not of us (API reference). The codes of a bulk job's
#: manifest summary are not documented; one that is none of these ends as FAILED.
UNSUPPORTED_CODES = frozenset({"InvalidImageFormatException", "ImageTooLargeException"})

NOT_ANALYZED = Failure("NotAnalyzed", "the analysis ended without a result for this upload")
OLDER_UPLOAD = Failure("NotAnalyzed", "a newer upload of the same object was analysed in the same batch")

#: An expired adapter is ignored in silence and the base model answers (Developer Guide, managing-adapters.html). What
#: it flags is flagged; what it finds nothing in was not looked at the way the lane asks.
ADAPTER_IGNORED = Failure("AdapterIgnored", "the answer is not from the adapter the lane asks for; has it expired?")


@dataclass(slots=True)
class Answers:
    """What came back for a batch, by `s3://bucket/key`.

    Attributes:
        unreadable_lines: result lines that can't be trusted and do not even say whom they speak of.
    """

    analyses: dict[str, Analysis] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    unreadable_lines: int = 0

    def add_results(self, lines: Iterable[str | bytes]) -> None:
        """Read a result file. Two lines that disagree on one image leave it without an analysis."""
        for line in lines:
            if not line.strip():
                continue
            try:
                result = parse_result_line(line)
            except ResultLineError as error:
                if error.source is None:
                    self.unreadable_lines += 1
                else:
                    self._fail(error.source, Failure.reported("UnreadableResult", str(error)))
                continue
            if result.analysis is None:
                self._fail(result.source, NOT_ANALYZED)
            elif self.analyses.setdefault(result.source, result.analysis) != result.analysis:
                self._fail(result.source, Failure("ContradictoryResults", "two results for this upload disagree"))

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

    def _fail(self, source: str, failure: Failure) -> None:
        self.failures[source] = failure

    def unmatched(self, uploads: Iterable[BatchUpload]) -> int:
        """How many analyses speak of no upload in the manifest: a sign that keys are written another way."""
        return len(self.analyses.keys() - {entry.claim.upload.object for entry in uploads if entry.in_manifest})


@dataclass(frozen=True, slots=True)
class Judgement:
    """An upload's verdict so far, and the labels in its analysis that the taxonomy does not have.

    An approval on an unpinned analysis is not final yet: see `confirmation` and `withdraw`.
    """

    verdict: Verdict
    unknown_labels: tuple[str, ...] = ()


def judge(
    settings: BatchSettings,
    uploads: Iterable[BatchUpload],
    answers: Answers,
    decided_at: str,
    job_id: str | None = None,
    job_failure: Failure | None = None,
) -> Iterator[Judgement]:
    """Give each upload of a batch its judgement, in order; every path that lacks an analysis ends unapproved.

    Args:
        settings: the batch's own, as they were when it was claimed.
        uploads: those still pending under this batch.
        answers: what came back.
        decided_at: ISO 8601, UTC.
        job_id: of the media analysis job.
        job_failure: set if the job as a whole failed; every upload it was to analyse ends FAILED with it.
    """
    for entry in uploads:
        source = entry.claim.upload.object
        analysis = answers.analyses.get(source)
        if entry.refusal:
            yield Judgement(Verdict(entry.claim, entry.refusal.status, decided_at, failure=entry.refusal.failure))
            continue
        failure = job_failure or (answers.failures.get(source) if entry.in_manifest else OLDER_UPLOAD)
        if failure is not None or analysis is None:
            yield Judgement(_failed(entry.claim, failure or NOT_ANALYZED, decided_at, job_id))
            continue
        policy = settings.policy_for(entry.claim.upload.key)
        decision = policy.judge(analysis)
        if decision.status is Status.APPROVED and settings.adapter and analysis.adapter != settings.adapter:
            yield Judgement(_failed(entry.claim, ADAPTER_IGNORED, decided_at, job_id), decision.unknown_labels)
            continue
        yield Judgement(
            Verdict(
                entry.claim,
                decision.status,
                decided_at,
                reasons=decision.reasons,
                analysis=analysis,
                policy=policy.reference,
                engine="bulk",
                job_id=job_id,
                min_confidence=settings.min_confidence,
                adapter_asked=settings.adapter,
                decided_by=BY_POLICY,
            ),
            decision.unknown_labels,
        )


def withdraw(verdict: Verdict, doubt: Failure | None) -> Verdict:
    """The verdict, or, where its analysis may speak of other bytes, the failure that takes its place."""
    if doubt is None:
        return verdict
    return _failed(verdict.claim, doubt, verdict.decided_at, verdict.job_id)


def _failed(claim: Claim, failure: Failure, decided_at: str, job_id: str | None) -> Verdict:
    status = Status.UNSUPPORTED if failure.code in UNSUPPORTED_CODES else Status.FAILED
    return Verdict(claim, status, decided_at, failure=failure, engine="bulk", job_id=job_id)


def _text(fields: dict[str, Any], name: str, default: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) and value else default
