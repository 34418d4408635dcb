"""`queue redrive`: put dead letters back into the queue of the lane that takes them now."""

from typing import Annotated

import typer

from gatehouse.cli.aws.ingest_queues import ingest_queues
from gatehouse.cli.invocation import DryRun, Invocation, about_deployment
from gatehouse.cli.key_prefix import KeyPrefix
from gatehouse.cli.output import Output
from gatehouse.cli.progress import progress
from gatehouse.cli.queue.dead_letters import DeadLetterInspection, QueueKind, StuckReason, chosen_queues, filled
from gatehouse.cli.queue.message_queue import IN_FLIGHT_ADVICE, PARALLEL_COUNTS
from gatehouse.cli.queue.redrive_run import DeadLetterSelection, RedriveReport, RedriveRun


@about_deployment
def redrive(
    invocation: Invocation,
    lane: Annotated[str | None, typer.Option(metavar="NAME", help="Only from this lane's queues.")] = None,
    queue: Annotated[QueueKind | None, typer.Option(help="Only from these queues.")] = None,
    reason: Annotated[
        list[StuckReason] | None,
        typer.Option(metavar="REASON", help=f"Only for this: {', '.join(StuckReason)}. May be given more than once."),
    ] = None,
    prefix: KeyPrefix = "",
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Put back this many at most.", show_default="all")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Put the messages of the dead-letter queues back, once the cause is gone. `queue show` says what is in them.

    Each message is sent to the lane that takes its upload now, and then deleted where it was. It may be run again at
    any time: an upload that has a verdict or is being analyzed is recognized. Exits with 1 if SQS refused some, or
    somebody else holds those there are.
    """
    out, connection, found = invocation.out, invocation.connection, invocation.deployment
    if not dry_run:
        found.at_rest()
    client = connection.client("sqs", connections=PARALLEL_COUNTS)
    chosen = chosen_queues(client, found, lane, queue)
    inspection = DeadLetterInspection.of(connection, found)
    report = RedriveReport()
    try:
        with progress(out.progress) as tell:
            run = RedriveRun(
                inspection,
                ingest=ingest_queues(client, found),
                selection=DeadLetterSelection(frozenset(reason or ()), prefix),
                limit=limit,
                dry_run=dry_run,
                before_deleting=lambda: found.ensure_unchanged(connection),
                tell=tell,
                report=report,
            )
            for kind, messages in filled(chosen):
                run.drain(messages, kind)
    finally:  # report what was done, whatever ended it
        out.document({"dry_run": dry_run, **report.to_document()})
        _show(out, report, dry_run)
    if not report.looked_at and not report.in_flight:
        out.say("There was nothing in these queues.")
    raise typer.Exit(1 if report.refused or report.undeleted or report.in_flight else 0)


def _show(out: Output, report: RedriveReport, dry_run: bool) -> None:
    would = "would be " if dry_run else ""
    for (lane, reason), count in sorted(report.put_back.items()):
        out.say(f"{count:,} {reason}: {would}put back into the queue of lane {lane}.", style="green")
    for reason, count in sorted(report.kept.items()):
        out.say(f"{count:,} {reason}: {'would stay' if dry_run else 'stay'} where they are.")
    if report.refused:
        out.tell(
            f"SQS refused {report.refused:,} of them, which stay where they are; run the same command again later."
        )
    if report.in_flight:
        out.tell(f"In flight: {report.in_flight:,}. {IN_FLIGHT_ADVICE}")
    if report.undeleted:
        out.tell(
            f"SQS did not delete {report.undeleted:,} messages. Those that were put back are in both queues now, which "
            "is harmless; run the same command again later."
        )
