"""`queue show`: shows the messages in the dead-letter queues, since when they are there, and why."""

from collections import Counter
from itertools import islice
from typing import Annotated

import typer

from gatehouse.cli.clock import Clock
from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.cli.output import Output
from gatehouse.cli.progress import progress
from gatehouse.cli.queue.dead_letters import DeadLetter, DeadLetterInspection, QueueKind, StuckReason, chosen_queues
from gatehouse.cli.queue.message_queue import PARALLEL_COUNTS, MessageQueue, counted
from gatehouse.console import printable

CLOCK = Clock()

_ADVICE = {
    StuckReason.UNDELIVERED: "fix why EventBridge was refused (the queue's policy or key), then put them back",
    StuckReason.MALFORMED: "they do not belong there: find out who sends them, then `queue drop --reason malformed`",
    StuckReason.UNREADABLE: (
        "they are about uploads, in a format that this version can't read. For older notifications, remove the "
        "notification that is sent here and turn on EventBridge for the bucket; for others, upgrade Gatehouse and put "
        f"them back. `{COMMAND} reconcile` finds uploads without a verdict, and `upload-again` moderates them"
    ),
    StuckReason.NO_LANE: "no lane accepts them now: widen one, or `queue drop --reason no-lane`",
    StuckReason.NEVER_CLAIMED: "fix the batcher's error, which is in its log, then put them back",
    StuckReason.RUNNING: "their batches continue by themselves; putting them back is harmless",
    StuckReason.STALLED: f"`{COMMAND} batch show` says what failed; then put them back",
    StuckReason.DECIDED: "they have their verdicts: putting them back removes them, and analyzes nothing again",
    StuckReason.NOT_SENT: "fix the event bus or its policy, then send them with `queue redrive --queue events`",
    StuckReason.GIVEN_UP: "fix Outcomes' error, which is in its log, then `queue redrive --queue changes`",
}


#: What the queues hold that are no lane's.
_HEADS = {
    QueueKind.EVENTS: "Events that were not sent",
    QueueKind.CHANGES: "Changes that could not be announced",
}


@about_deployment
def show(
    invocation: Invocation,
    lane: Annotated[str | None, typer.Option(metavar="NAME", help="Only this lane's queues.")] = None,
    queue: Annotated[QueueKind | None, typer.Option(help="Only these queues.")] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="Maximum number of messages to show per queue.")] = 100,
) -> None:
    """Show each message of the dead-letter queues: which upload, since when, how often received, and why it is there.

    Messages are hidden from others while this runs, for at most two minutes. Only their receive counts change.
    """
    out, connection, found = invocation.out, invocation.connection, invocation.deployment
    chosen = chosen_queues(connection.client("sqs", connections=PARALLEL_COUNTS), found, lane, queue)
    inspection = DeadLetterInspection.of(connection, found)
    counts = counted(messages for _, _, messages in chosen)
    looks = []
    with progress(out.progress, first="Looking into the queues") as tell:
        for (name, kind, messages), held in zip(chosen, counts, strict=True):
            tell(f"Looking into {kind}{f' of lane {name}' if name else ''}: about {held.total:,} messages")
            # Reading an empty queue takes a second.
            looks.append((name, kind, held.total, _look(messages, kind, inspection, limit) if held.total else []))
    out.document(
        [
            {"lane": name, "queue": kind.value, "messages": count, "shown": [letter.to_document() for letter in shown]}
            for name, kind, count, shown in looks
        ]
    )
    reasons: Counter[StuckReason] = Counter()
    for name, kind, count, shown in looks:
        reasons += Counter(letter.reason for letter in shown)
        _show(out, name, kind, count, shown)
    for reason in sorted(reasons):
        out.say(f"- {reasons[reason]:,} {reason}: {_ADVICE[reason]}.")


def _look(queue: MessageQueue, kind: QueueKind, inspection: DeadLetterInspection, limit: int) -> list[DeadLetter]:
    with queue.look() as look:
        letters = (letter for messages in look.messages() for letter in inspection.inspect(messages, kind))
        return sorted(islice(letters, limit), key=lambda letter: letter.message.sent_at)


def _show(out: Output, lane: str | None, kind: QueueKind, count: int, shown: list[DeadLetter]) -> None:
    where = f"Lane {lane}, {kind}" if lane else _HEADS[kind]
    if not shown:
        out.say(f"{where}: no messages{' (some are in flight)' if count else ''}.")
        return
    title = f"{where}: {len(shown):,} of about {max(count, len(shown)):,}"
    now = CLOCK.now()
    table = out.table(title, "Upload", "Since", "Received", "Reason", "Why", sentences={"Why"})
    for letter in shown:
        upload = letter.upload
        table.add_row(
            printable(upload.object if upload else f"message {letter.message.message_id}"),
            out.when(letter.message.sent_at, now),
            str(letter.message.received),
            letter.reason.value,
            printable(letter.explanation if letter.excerpt is None else f"{letter.explanation}: {letter.excerpt}"),
        )
    out.show(table)
