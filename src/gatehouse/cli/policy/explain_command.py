"""`policy explain`: shows why an upload has its verdict, and what would have led to another one."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import typer

from gatehouse.cli.aws.verdict_table import OperatorsVerdictTable
from gatehouse.cli.clock import Clock
from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.deployment import Deployment
from gatehouse.cli.errors import CommandError
from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.cli.object_uri import no_verdict, object_uri
from gatehouse.cli.output import Output
from gatehouse.cli.policy.explanation_report import explanation_document, policy_words, reason_line, show_explanation
from gatehouse.cli.policy.policy_source import POLICIES_FOLDER, SOURCE_HELP, PolicySources, sources_of
from gatehouse.cli.review.verdict_report import (
    decision_document,
    decision_lines,
    rendition_document,
    rendition_lines,
    show_history,
)
from gatehouse.cli.verdict.stored_upload import find_item
from gatehouse.moderation.change import Cause
from gatehouse.moderation.claim import Claim
from gatehouse.moderation.document import MISSHAPEN
from gatehouse.moderation.policy.explanation import Explanation
from gatehouse.moderation.policy.explanation import explain as explanation_of
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.replay import is_replayable, replay
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import BY_POLICY, Verdict
from gatehouse.moderation.verdict_item import STATUS, claim_from_item, verdict_from_item

CLOCK = Clock()

#: Sentences for people's acts.
_BY_PEOPLE = {
    Cause.APPEAL: "Its owner appealed, and a person has to decide",
    Cause.REPORT: "Somebody reported it, and a person has to decide",
    Cause.DECISION: "A person decided this",
}


@about_deployment
def explain(
    invocation: Invocation,
    upload: Annotated[
        str, typer.Argument(metavar="OBJECT", help="s3://bucket/key, or a key of the deployment's uploads bucket.")
    ],
    version: Annotated[
        str | None,
        typer.Option(
            metavar="VALUE", help="Explain this upload: the `version` in its flag.", show_default="the newest upload"
        ),
    ] = None,
    version_id: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Explain the upload that made this version of the object (S3 versioning)."),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            metavar="POLICY",
            help=f"Explain by this policy: {SOURCE_HELP}.",
            show_default="the one that judged it",
        ),
    ] = None,
) -> None:
    """Explain an upload's verdict: which rule matched which label, and what would have led to another verdict.

    Also shows what people decided, why, and what was done before that.
    """
    out = invocation.out
    found = invocation.deployment
    item = _item(OperatorsVerdictTable.of(invocation.connection, found), found, upload, version, version_id)
    try:
        claim = claim_from_item(item)
        verdict = None if item[STATUS] == Status.PENDING else verdict_from_item(item)
    except MISSHAPEN as error:
        message = f"The verdict of {upload} was written by another version of Gatehouse or by hand ({error!r})."
        raise CommandError(f"{message} Use the version that wrote it.") from error
    if verdict is None:
        _tell_pending(out, claim)
        return
    chosen = _policy(sources_of(invocation), verdict, policy)
    explanation = explanation_of(verdict.analysis, chosen) if verdict.analysis and chosen else None
    notes = _notes(verdict, chosen, explanation)
    out.document(_document(verdict, chosen, explanation, notes))
    _show_verdict(out, verdict)
    for note in notes:
        out.say(note)
    if chosen and explanation:
        if chosen.hash != (verdict.policy and verdict.policy.hash):
            out.say()
            out.say(f"{explanation.judgment.status} under {policy_words(chosen)}", style="bold")
            for reason in explanation.judgment.reasons:
                out.say(f"  {reason_line(reason)}")
        out.say()
        if _is_peoples(verdict):
            out.say(
                f"What {policy_words(chosen)} makes of its labels: {explanation.judgment.status}. It did not decide "
                "the status above, and no change of it would:",
                style="bold",
            )
            show_explanation(out, explanation, subject="The policy's result")
        else:
            show_explanation(out, explanation)
    if verdict.history:
        out.say()
        show_history(out, verdict.history)


def _item(
    table: OperatorsVerdictTable, deployment: Deployment, upload: str, version: str | None, version_id: str | None
) -> Mapping[str, Any]:
    uri = object_uri(upload, deployment.upload_bucket)
    item = find_item(table, uri, version, version_id)
    if item is None:
        which = f" (version {version})" if version else f" (version id {version_id})" if version_id else ""
        raise CommandError(no_verdict(uri, which))
    return item


def _policy(sources: PolicySources, verdict: Verdict, named: str | None) -> Policy | None:
    if named:
        return sources.resolve(named)
    return sources.by_hash(verdict.policy.hash) if verdict.policy else None


def _notes(verdict: Verdict, policy: Policy | None, explanation: Explanation | None) -> list[str]:
    """Sentences with further information."""
    notes = []
    if _is_peoples(verdict):
        cause = verdict.change.cause if verdict.change else Cause.DECISION
        notes.append(f"{_BY_PEOPLE[cause]}; no policy, and no replay, changes it.")
    if verdict.analysis is None:
        notes.append("It has no labels, so no policy could judge it.")
    elif policy is None and verdict.policy is None:
        notes.append("No policy judged it; choose one with --policy.")
    elif policy is None and verdict.policy:
        notes.append(
            f"{policy_words(verdict.policy)} is neither recorded nor in ./{POLICIES_FOLDER}, so only the stored "
            "reasons can be shown; name its file with --policy."
        )
    if policy and explanation and is_replayable(verdict.status, verdict.decided_by):
        replayed = replay(verdict, policy)
        if replayed.adapter_ignored:
            notes.append("The answer is not from the lane's adapter, so no policy can approve this analysis.")
        if replayed.unknowable:
            notes.append(
                f"{policy_words(policy)} also judges labels below {verdict.min_confidence or 0:g}, which were not "
                "requested from Rekognition: they could have made the verdict stricter."
            )
    return notes


def _is_peoples(verdict: Verdict) -> bool:
    """Whether the status is from a person's act."""
    return verdict.decided_by not in (None, BY_POLICY)


def _tell_pending(out: Output, claim: Claim) -> None:
    def note(when: str) -> str:
        return (
            f"Not decided yet: the batch {claim.batch_id} claimed it {when} (attempt {claim.attempt}). "
            f"`{COMMAND} batch show {claim.batch_id}` shows the batch's state."
        )

    out.document({**_claim_document(claim, Status.PENDING), "notes": [note(claim.claimed_at)]})
    now = CLOCK.now()
    out.say(_title(out, claim, now), style="bold")
    out.say(f"{Status.PENDING}. {note(out.when(claim.claimed_at, now))}")


def _show_verdict(out: Output, verdict: Verdict) -> None:
    now = CLOCK.now()
    decided = f"decided {out.when(verdict.decided_at, now)}"
    out.say(_title(out, verdict.claim, now), style="bold")
    if _is_peoples(verdict):
        out.say(f"{verdict.status}, {decided} by {verdict.decided_by}", style="bold")
        for line in decision_lines(verdict):
            out.say(f"  {line}")
    elif verdict.policy:
        out.say(f"{verdict.status} by {policy_words(verdict.policy)}, {decided}", style="bold")
    else:
        out.say(f"{verdict.status}, {decided}", style="bold")
    judge = f"{policy_words(verdict.policy)}: " if _is_peoples(verdict) and verdict.policy else ""
    for reason in verdict.reasons:
        out.say(f"  {judge}{reason_line(reason)}")
    if verdict.failure:
        out.say(f"  {verdict.failure.code}: {verdict.failure.message}")
    elif not verdict.reasons:
        out.say(f"  {judge}{'no' if judge else 'No'} label reached a threshold.")
    for line in rendition_lines(verdict):
        out.say(f"  {line}")
    claim = verdict.claim
    where = [f"lane {claim.lane}", f"batch {claim.batch_id}", f"attempt {claim.attempt}"]
    if verdict.job_id:
        where.append(f"job {verdict.job_id}")
    if verdict.min_confidence is not None:
        where.append(f"labels requested from {verdict.min_confidence:g}")
    out.say(f"  {', '.join(where)}")


def _title(out: Output, claim: Claim, now: datetime) -> str:
    upload = claim.upload
    version = f" (version id {upload.version_id})" if upload.version_id else ""
    return f"{upload.object}{version}, uploaded {out.when(upload.uploaded_at, now)}"


def _claim_document(claim: Claim, status: Status) -> dict[str, Any]:
    upload = claim.upload
    return {
        "object": upload.object,
        "version": upload.version,
        "version_id": upload.version_id,
        "etag": upload.etag,
        "uploaded_at": upload.uploaded_at,
        "status": status.value,
        "lane": claim.lane,
        "batch_id": claim.batch_id,
        "attempt": claim.attempt,
        "claimed_at": claim.claimed_at,
    }


def _document(
    verdict: Verdict, policy: Policy | None, explanation: Explanation | None, notes: list[str]
) -> dict[str, Any]:
    return {
        **_claim_document(verdict.claim, verdict.status),
        "decided_at": verdict.decided_at,
        "decided_by": verdict.decided_by,
        **decision_document(verdict),
        "policy": verdict.policy and verdict.policy.to_document(),
        "reasons": [reason.to_document() for reason in verdict.reasons],
        "error": verdict.failure and verdict.failure.to_document(),
        **rendition_document(verdict),
        "engine": verdict.engine,
        "job_id": verdict.job_id,
        "min_confidence": verdict.min_confidence,
        "notes": notes,
        "explanation": explanation_document(explanation, policy) if explanation and policy else None,
    }
