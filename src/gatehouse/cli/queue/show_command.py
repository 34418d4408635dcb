"""`queue show`: what is in the dead-letter queues, since when, and why."""

from collections import Counter
from itertools import islice
from typing import Annotated

import typer

from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.cli.output import Output
from gatehouse.cli.queue.dead_letters import (
    DeadLetter,
    DeadLetterInspection,
    QueueKind,
    StuckReason,
    chosen_queues,
)
from gatehouse.cli.queue.message_queue import PARALLEL_COUNTS, MessageQueue, counted
from gatehouse.console import printable

_ADVICE = {
    StuckReason.UNDELIVERED: "mend what EventBridge was refused for (the queue's policy or key), then put them back",
    StuckReason.MALFORMED: "they are no events about uploads: find out who sends them; `queue drop --reason malformed`",
    StuckReason.UNREADABLE: (
        "they are about uploads, in a form this version can't read. Older notifications: remove the one that is sent "
        f"here, turn on EventBridge for the bucket; others: upgrade Gatehouse, put them back. `{COMMAND} reconcile` "
        "finds the uploads that have no verdict, `upload-again` moderates them"
    ),
    StuckReason.NO_LANE: "no lane takes them now: widen one, or `queue drop --reason no-lane`",
    StuckReason.NEVER_CLAIMED: "mend what the batcher fails on (its log says it), then put them back",
    StuckReason.RUNNING: "their batches go on by themselves; putting them back is harmless",
    StuckReason.STALLED: f"`{COMMAND} batch show` says what failed; then put them back",
    StuckReason.DECIDED: "they have their verdicts: putting them back clears them away, and analyzes nothing again",
}


@about_deployment
def show(
    invocation: Invocation,
    lane: Annotated[str | None, typer.Option(metavar="NAME", help="Only this lane's queues.")] = None,
    queue: Annotated[QueueKind | None, typer.Option(help="Only these queues.")] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="Messages to show of each queue at most.")] = 100,
) -> None:
    """Show each message of the dead-letter queues: which upload, since when, how often received, and why it is there.

    Messages are hidden from others while this runs, two minutes at most. Nothing is changed but their receive counts.
    """
    out, connection, found = invocation.out, invocation.connection, invocation.deployment
    chosen = chosen_queues(connection.client("sqs", connections=PARALLEL_COUNTS), found, lane, queue)
    inspection = DeadLetterInspection.of(connection, found)
    counts = counted(messages for _, _, messages in chosen)
    looks = [
        # To look into an empty queue takes a second.
        (name, kind, count.total, _look(messages, kind, inspection, limit) if count.total else [])
        for (name, kind, messages), count in zip(chosen, counts, strict=True)
    ]
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


def _show(out: Output, lane: str, kind: QueueKind, count: int, shown: list[DeadLetter]) -> None:
    if not shown:
        out.say(f"Lane {lane}, {kind}: nothing to see{' (messages are in flight)' if count else ''}.")
        return
    title = f"Lane {lane}, {kind}: {len(shown):,} of about {max(count, len(shown)):,}"
    table = out.table(title, "Upload", "Since", "Received", "Reason", "Why", sentences={"Why"})
    for letter in shown:
        upload = letter.upload
        table.add_row(
            printable(upload.object if upload else f"message {letter.message.message_id}"),
            letter.message.sent_at,
            str(letter.message.received),
            letter.reason.value,
            printable(letter.explanation if letter.excerpt is None else f"{letter.explanation}: {letter.excerpt}"),
        )
    out.show(table)
