"""`review show`: shows an upload, its verdict, people's acts, and the object's other uploads."""

from collections.abc import Iterator
from itertools import islice

from gatehouse.aws.verdict_table import Item, identity_of
from gatehouse.cli.aws.verdict_table import OperatorsVerdictTable
from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.errors import CommandError
from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.cli.output import Output
from gatehouse.cli.policy.explanation_report import policy_words, reason_line
from gatehouse.cli.review.named_upload import NamedUpload, UploadName
from gatehouse.cli.review.verdict_report import (
    decision_lines,
    rendition_lines,
    replay_lines,
    show_history,
    verdict_document,
)
from gatehouse.console import printable
from gatehouse.moderation.document import MISSHAPEN
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import (
    BATCH_ID,
    CLAIMED_AT,
    OBJECT,
    STATUS,
    VERSION,
    history_document,
    verdict_from_item,
)

#: Maximum number of an object's other uploads.
_OTHERS = 20


@about_deployment
def show(invocation: Invocation, upload: UploadName) -> None:
    """Show an upload: its status, labels, the rule that matched, what people did about it, and other versions.

    `policy explain` says which thresholds would have led to another status.
    """
    out, found = invocation.out, invocation.deployment
    table = OperatorsVerdictTable.of(invocation.connection, found)
    item = found_item(table, NamedUpload.parse(upload, found.upload_bucket))
    verdict = decided_verdict(item)
    of_object = table.of_object(item[OBJECT])
    others = list(islice((other for other in of_object if identity_of(other) != identity_of(item)), _OTHERS + 1))
    documents = [_other_document(other) for other in others[:_OTHERS]]
    out.document(
        {
            **verdict_document(verdict),
            "history": history_document(verdict.history),
            "others": documents,
            "more_others": len(others) > _OTHERS,
        }
    )
    for line in _lines(verdict):
        out.say(line)
    _show_labels(out, verdict)
    if verdict.history:
        show_history(out, verdict.history)
    for line in replay_lines(verdict):
        out.say(line)
    if documents:
        _show_others(out, documents, more=len(others) > _OTHERS)


def found_item(table: OperatorsVerdictTable, named: NamedUpload) -> Item:
    """The item of an upload.

    Raises:
        CommandError: it has none.
    """
    item = named.find(table)
    if item is None:
        raise CommandError(named.missing)
    return item


def decided_verdict(item: Item) -> Verdict:
    """The verdict of an item.

    Raises:
        CommandError: there is none yet, or none that this version can read.
    """
    name = "@".join(identity_of(item))
    if item.get(STATUS) == Status.PENDING:
        batch = item.get(BATCH_ID)
        raise CommandError(
            f"{name} is not judged yet: batch {batch} claimed it at {item.get(CLAIMED_AT)}. `{COMMAND} batch show "
            f"{batch}` shows the batch's state."
        )
    try:
        return verdict_from_item(item)
    except MISSHAPEN as error:
        raise CommandError(
            f"The verdict of {name} was written by another version of Gatehouse or by hand ({error!r}). Use the "
            "version that wrote it."
        ) from error


def _lines(verdict: Verdict) -> Iterator[str]:
    upload, claim = verdict.upload, verdict.claim
    version_id = f" (version id {upload.version_id})" if upload.version_id else ""
    yield f"{upload.object}@{upload.version}{version_id}"
    yield f"  uploaded {upload.uploaded_at}, {upload.size:,} bytes, lane {claim.lane}"
    by = f" by {verdict.decided_by}" if verdict.decided_by else ""
    yield f"{verdict.status}{by} since {verdict.decided_at}, revision {verdict.revision}"
    for line in decision_lines(verdict):
        yield f"  {line}"
    for reason in verdict.reasons:
        yield f"  {reason_line(reason)}"
    if verdict.failure:
        yield f"  {verdict.failure.code}: {verdict.failure.message}"
    if verdict.policy:
        yield f"  judged by {policy_words(verdict.policy)}"
    for line in rendition_lines(verdict):
        yield f"  {line}"
    if claim_held := verdict.review_claim:
        yield f"  claimed for review by {claim_held.by} until {claim_held.until}"


def _show_labels(out: Output, verdict: Verdict) -> None:
    if verdict.analysis is None or not verdict.analysis.labels:
        out.say("No labels.")
        return
    table = out.table("Labels", "Label", "Confidence", "Under")
    for label in verdict.analysis.labels:
        table.add_row(printable(label.name), f"{label.confidence:g}", printable(label.parent))
    out.show(table)
    for kind in verdict.analysis.content_types:
        out.say(f"Content type: {kind.name} {kind.confidence:g}")


def _other_document(item: Item) -> dict[str, str | None]:
    """Another upload of the object, with the fields that can be read."""
    names = (VERSION, "version_id", STATUS, "uploaded_at", "decided_at", "decided_by")
    return {name: str(item[name]) if name in item else None for name in names}


def _show_others(out: Output, documents: list[dict[str, str | None]], *, more: bool) -> None:
    table = out.table("Other versions of the object, the newest first", "Version", "Status", "Uploaded")
    for other in documents:
        table.add_row(*(printable(other[name] or "") for name in (VERSION, STATUS, "uploaded_at")))
    out.show(table)
    if more:
        out.say(f"There are more than these {_OTHERS}.")
