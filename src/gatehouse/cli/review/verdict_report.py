"""Shows a verdict to people and scripts: the status, who decided it and why, and what people did."""

from collections.abc import Iterator, Sequence
from typing import Any

from gatehouse.cli.output import Output
from gatehouse.cli.policy.explanation_report import policy_words
from gatehouse.console import printable
from gatehouse.moderation.analysis import content_types_document, labels_document
from gatehouse.moderation.change import Cause, HistoryEntry
from gatehouse.moderation.person import is_person
from gatehouse.moderation.reason import Reason
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import history_document

#: Words for the causes of changes.
DONE = {
    Cause.DECISION: "decided",
    Cause.CONFIRMATION: "confirmed",
    Cause.APPEAL: "appealed",
    Cause.REPORT: "reported",
    Cause.POLICY: "judged again",
}


def verdict_document(verdict: Verdict) -> dict[str, Any]:
    """An upload and its verdict for scripts, without the history."""
    claim, upload, analysis = verdict.claim, verdict.upload, verdict.analysis
    return {
        "object": upload.object,
        "version": upload.version,
        "version_id": upload.version_id,
        "etag": upload.etag,
        "size": upload.size,
        "lane": claim.lane,
        "uploaded_at": upload.uploaded_at,
        "status": verdict.status.value,
        "decided_at": verdict.decided_at,
        "decided_by": verdict.decided_by,
        "decided_by_name": verdict.decided_by_name,
        "decision": verdict.decision and verdict.decision.to_document(),
        "revision": verdict.revision,
        "change": verdict.change and verdict.change.to_document(),
        "sample": verdict.is_sample,
        "recused": verdict.recused,
        "review_claim": verdict.review_claim and verdict.review_claim.to_document(),
        "policy": verdict.policy and verdict.policy.to_document(),
        "reasons": [reason.to_document() for reason in verdict.reasons],
        "labels": labels_document(analysis) if analysis else [],
        "content_types": content_types_document(analysis) if analysis else [],
        **rendition_document(verdict),
        "error": verdict.failure and verdict.failure.to_document(),
    }


def rendition_document(verdict: Verdict) -> dict[str, Any]:
    """What Rekognition was shown in the file's place, for scripts; nulls if it was shown the file."""
    rendition = verdict.analysis.rendition if verdict.analysis else None
    return rendition.to_documents() if rendition else {"frames": None, "rendition": None}


def rendition_lines(verdict: Verdict) -> Iterator[str]:
    """What Rekognition was shown, if it was not the file."""
    if rendition := verdict.analysis.rendition if verdict.analysis else None:
        turned = "" if rendition.orientation == 1 else f", turned as Exif's orientation {rendition.orientation} says"
        yield f"rendered from {rendition.format}, {rendition.width} x {rendition.height}{turned}"
        if rendition.frames > 1:
            equal = ", equal ones counted once" if rendition.is_seen_whole else ": the others nobody looked at"
            yield f"{rendition.judged} of {rendition.frames} frames were judged{equal}"


def decision_document(verdict: Verdict) -> dict[str, Any]:
    """People's decision, for scripts."""
    return {
        "revision": verdict.revision,
        "decided_by_name": verdict.decided_by_name,
        "decision": verdict.decision and verdict.decision.to_document(),
        "history": history_document(verdict.history),
    }


def decision_lines(verdict: Verdict) -> Iterator[str]:
    """Why a person gave the current status, and who must not decide next."""
    decision = verdict.decision
    if is_person(verdict.decided_by) and decision is not None:
        done = DONE[verdict.change.cause] if verdict.change else DONE[Cause.DECISION]
        by = who(str(verdict.decided_by), verdict.decided_by_name)
        yield f"{done} by {by}: {_why(decision.reason, decision.note)}"
    act = verdict.last_act
    if act is not None and act.cause is Cause.CONFIRMATION:
        yield f"a sample, confirmed by {who(act.by, act.name)} at {act.at}; the verdict is still the policy's"
    if verdict.is_sample:
        yield "a sample, which nobody has looked at yet"
    if verdict.recused:
        yield f"{verdict.recused} can't decide, because their decision was appealed or reported"


def reason_words(reason: Reason) -> str:
    """A reason in a few words, for a cell."""
    by = f" (rule {reason.rule})" if reason.rule != reason.label else ""
    return f"{reason.label} {reason.confidence:g}{by}"


def why_words(verdict: Verdict) -> str:
    """Why an upload has its status, for a cell: a person's reason, the failure, or the first rule that matched."""
    decision, change = verdict.decision, verdict.change
    words = []
    if verdict.is_sample:
        words.append("sample")
    if decision is not None and change is not None and change.cause is not Cause.POLICY:
        words.append(f"{DONE[change.cause]}: {_why(decision.reason, decision.note)}")
    if verdict.failure:
        words.append(verdict.failure.code)
    elif verdict.reasons:
        words.append(reason_words(verdict.reasons[0]))
    return "; ".join(words)


def show_history(out: Output, history: Sequence[HistoryEntry]) -> None:
    """A table of what people did, and of the replays after that, oldest first."""
    columns = ("At", "What", "From", "To", "By", "Why")
    table = out.table("What was done since the first verdict, oldest first", *columns, sentences={"By", "Why"})
    for entry in history:
        cells = (
            *(entry.at, DONE[entry.cause], entry.before.value, entry.after.value),
            *(who(entry.by, entry.name), _why(entry.reason, entry.note)),
        )
        table.add_row(*(printable(cell) for cell in cells))
    out.show(table)


def replay_lines(verdict: Verdict) -> Iterator[str]:
    """What is known of the replays that its history does not have."""
    change, history = verdict.change, verdict.history
    if not verdict.revision or change is None:
        return
    unrecorded = verdict.revision - len(history)
    is_recorded = bool(history) and history[-1].at == verdict.decided_at
    if change.cause is Cause.POLICY and verdict.policy is not None and not is_recorded:
        announced = "announced" if change.announce else "not announced"
        yield (
            f"The last change: {DONE[Cause.POLICY]} by {policy_words(verdict.policy)} at {verdict.decided_at}, "
            f"{announced}."
        )
    if unrecorded > 0:
        yield f"Replays that are counted in the revision, without an entry of their own: {unrecorded:,}."


def who(by: str, name: str | None) -> str:
    """A person, with the name that they want to be shown under."""
    return f"{by} ({name})" if name else by


def _why(reason: str, note: str | None) -> str:
    return f"{reason}: {note}" if note else reason
