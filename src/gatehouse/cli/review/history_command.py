"""`review history`: shows the acts on an upload since its first verdict."""

from gatehouse.cli.aws.verdict_table import OperatorsVerdictTable
from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.cli.review.named_upload import NamedUpload, UploadName
from gatehouse.cli.review.show_command import decided_verdict, found_item
from gatehouse.cli.review.verdict_report import replay_lines, show_history
from gatehouse.moderation.verdict_item import history_document


@about_deployment
def history(invocation: Invocation, upload: UploadName) -> None:
    """Show what people did about an upload, and the replays after that, oldest first: who, when, why.

    Of the replays before a person's first act, only the number is kept, and what the last one did.
    """
    out, found = invocation.out, invocation.deployment
    table = OperatorsVerdictTable.of(invocation.connection, found)
    verdict = decided_verdict(found_item(table, NamedUpload.parse(upload, found.upload_bucket)))
    out.document(
        {
            "object": verdict.upload.object,
            "version": verdict.upload.version,
            "status": verdict.status.value,
            "decided_at": verdict.decided_at,
            "decided_by": verdict.decided_by,
            "revision": verdict.revision,
            "change": verdict.change and verdict.change.to_document(),
            "history": history_document(verdict.history),
        }
    )
    out.say(f"{verdict.upload.object}@{verdict.upload.version}")
    out.say(f"{verdict.status} since {verdict.decided_at}, revision {verdict.revision}")
    if verdict.history:
        show_history(out, verdict.history)
    else:
        out.say("Nobody has acted on it.")
    for line in replay_lines(verdict):
        out.say(line)
