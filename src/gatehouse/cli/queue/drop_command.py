"""`queue drop`: deletes dead letters that can't be processed."""

from typing import Annotated

import typer

from gatehouse.cli.invocation import DryRun, Invocation, Yes, about_deployment
from gatehouse.cli.output import Output
from gatehouse.cli.progress import progress
from gatehouse.cli.queue.dead_letters import DeadLetterInspection, QueueKind, chosen_queues, filled
from gatehouse.cli.queue.drop_run import Droppable, DropReport, DropRun
from gatehouse.cli.queue.message_queue import IN_FLIGHT_ADVICE, PARALLEL_COUNTS


@about_deployment
def drop(
    invocation: Invocation,
    reason: Annotated[Droppable, typer.Option(help="Delete messages with this reason.")],
    lane: Annotated[str | None, typer.Option(metavar="NAME", help="Only from this lane's queues.")] = None,
    queue: Annotated[QueueKind | None, typer.Option(help="Only from these queues.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Drop at most this many.", show_default="all")
    ] = None,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Delete messages from the dead-letter queues permanently. `queue show` says what is in them.

    Only messages that do not belong in the queue, or about an upload that no lane accepts now. Exits with 1 if SQS did
    not delete some, or if somebody else holds the messages.
    """
    invocation.out.ensure_answerable(yes=yes or dry_run)
    out, connection, found = invocation.out, invocation.connection, invocation.deployment
    if not dry_run:
        found.at_rest()
    client = connection.client("sqs", connections=PARALLEL_COUNTS)
    chosen = chosen_queues(client, found, lane, queue)
    if not (yes or dry_run):
        out.confirm(f"Permanently delete the messages that are {reason}?")
    inspection = DeadLetterInspection.of(connection, found)
    report = DropReport()
    try:
        with progress(out.progress, first="Looking into the queues") as tell:
            run = DropRun(
                inspection,
                reason=reason,
                limit=limit,
                dry_run=dry_run,
                before_deleting=lambda: found.ensure_unchanged(connection),
                tell=tell,
                report=report,
            )
            for kind, messages in filled(chosen):
                run.drain(messages, kind)
    finally:  # report what was done, whatever ended it
        out.document({"dry_run": dry_run, "reason": reason.value, **report.to_document()})
        _show(out, report, reason, dry_run)
    raise typer.Exit(1 if report.undeleted or report.in_flight else 0)


def _show(out: Output, report: DropReport, reason: Droppable, dry_run: bool) -> None:
    out.say(f"{reason}: {report.dropped:,} of {report.looked_at:,}{' would be' if dry_run else ''} deleted.", "green")
    if report.undeleted:
        out.tell(f"Not deleted by SQS: {report.undeleted:,}; run the same command again later.")
    if report.in_flight:
        out.tell(f"In flight: {report.in_flight:,}. {IN_FLIGHT_ADVICE}")
