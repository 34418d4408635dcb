"""`queue redrive`: sends dead letters to their destination again."""

from datetime import datetime
from typing import Annotated

import typer

from gatehouse.aws.event_bus import EventBus
from gatehouse.cli.aws.ingest_queues import ingest_queues
from gatehouse.cli.aws.outcomes import OutcomesFunction
from gatehouse.cli.aws.verdict_stream import VerdictStream
from gatehouse.cli.aws.verdict_table import OperatorsVerdictTable
from gatehouse.cli.clock import Clock
from gatehouse.cli.errors import CommandError
from gatehouse.cli.invocation import DryRun, Invocation, about_deployment
from gatehouse.cli.key_prefix import KeyPrefix
from gatehouse.cli.output import Output
from gatehouse.cli.progress import progress
from gatehouse.cli.queue.dead_letters import DeadLetterInspection, QueueKind, StuckReason, chosen_queues, filled
from gatehouse.cli.queue.given_up_changes import ChangeRedrive
from gatehouse.cli.queue.message_queue import IN_FLIGHT_ADVICE, PARALLEL_COUNTS
from gatehouse.cli.queue.redrive_run import DeadLetterSelection, RedriveReport, RedriveRun
from gatehouse.cli.since import parse_since
from gatehouse.contracts.events_environment import region_of

CLOCK = Clock()


@about_deployment
def redrive(
    invocation: Invocation,
    lane: Annotated[str | None, typer.Option(metavar="NAME", help="Only from this lane's queues.")] = None,
    queue: Annotated[QueueKind | None, typer.Option(help="Only from these queues.")] = None,
    reason: Annotated[
        list[StuckReason] | None,
        typer.Option(metavar="REASON", help=f"Only these: {', '.join(StuckReason)}. May be given more than once."),
    ] = None,
    prefix: KeyPrefix = "",
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Put back at most this many.", show_default="all")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="With --queue changes: first announce what the table has of all changes since: 12h, 30d, or an ISO "
            "date (UTC); for changes that the stream forgot before anything could name them.",
            show_default=False,
        ),
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Put the messages of the dead-letter queues back, after the cause is gone. `queue show` says what is in them.

    A message about an upload is sent to the upload's current lane, an event to the bus, changes to Outcomes; then it is
    deleted from its queue. You can run the command again at any time: an upload that has a verdict or is being analyzed
    is recognized, and a flag or an event keeps its id. Changes that are no longer in the stream, after a day, are
    announced from their current state in the table. Exits with 1 if some were refused, or if somebody else holds the
    messages.
    """
    out, connection, found = invocation.out, invocation.connection, invocation.deployment
    if not dry_run:
        found.at_rest()
    client = connection.client("sqs", connections=PARALLEL_COUNTS)
    chosen = chosen_queues(client, found, lane, queue)
    inspection = DeadLetterInspection.of(connection, found)
    if since is not None and queue is not QueueKind.CHANGES:
        raise CommandError("--since is about changes; add --queue changes.")
    changes = _changes(invocation)
    if since is not None and not dry_run and not changes.announce_since(_moment(since)):
        raise CommandError(
            "Outcomes could not announce all changes; its log says why. Run the same command again then."
        )
    report = RedriveReport()
    try:
        with progress(out.progress) as tell:
            run = RedriveRun(
                inspection,
                ingest=ingest_queues(client, found),
                bus=_bus(invocation),
                changes=changes,
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
        out.say("These queues are empty.")
    raise typer.Exit(1 if report.refused or report.undeleted or report.in_flight else 0)


def _bus(invocation: Invocation) -> EventBus | None:
    events = invocation.deployment.events
    if events is None:
        return None
    return EventBus(invocation.connection.client("events", region=region_of(events.bus)), events.bus)


def _moment(since: str) -> datetime:
    return datetime.fromisoformat(parse_since(since, CLOCK.now()))


def _changes(invocation: Invocation) -> ChangeRedrive:
    connection, found = invocation.connection, invocation.deployment
    streams = connection.client("dynamodbstreams")
    return ChangeRedrive(
        lambda arn: VerdictStream(streams, arn, found.gate),
        OperatorsVerdictTable.of(connection, found),
        OutcomesFunction(connection.client("lambda"), found.outcomes),
        found.gate,
    )


def _show(out: Output, report: RedriveReport, dry_run: bool) -> None:
    would = "would be " if dry_run else ""
    for (lane, reason), count in sorted(report.put_back.items()):
        out.say(f"{count:,} {reason}: {would}{_where(lane, reason)}.", style="green")
    for reason, count in sorted(report.kept.items()):
        out.say(f"{count:,} {reason}: {'would stay' if dry_run else 'stay'} in their queue.")
    if report.refused:
        out.tell(f"Refused: {report.refused:,}, which stay in their queue; run the same command again later.")
    if report.in_flight:
        out.tell(f"In flight: {report.in_flight:,}. {IN_FLIGHT_ADVICE}")
    if report.undeleted:
        out.tell(
            f"SQS did not delete {report.undeleted:,} messages. Those that were put back are in both queues now, which "
            "is harmless; run the same command again later."
        )


def _where(lane: str, reason: StuckReason) -> str:
    if lane:
        return f"put back into the queue of lane {lane}"
    return "announced" if reason is StuckReason.GIVEN_UP else "sent to the event bus"
