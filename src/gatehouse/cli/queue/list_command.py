"""`queue list`: counts the messages in each lane's queues."""

from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.cli.queue.dead_letters import QueueKind
from gatehouse.cli.queue.message_queue import PARALLEL_COUNTS, MessageQueue, QueueCounts, counted
from gatehouse.console import printable

_INGEST = "ingest"
_BACKFILL = "backfill"

#: Queues in which messages are no dead letters.
_AT_WORK = (_INGEST, _BACKFILL)


@about_deployment
def list_queues(invocation: Invocation) -> None:
    """Count the messages of every lane's queues: ingest, dead-letter (given up), undelivered (by EventBridge).

    Also in the queue of changes that could not be announced, and of events that could not be sent.

    The counts are SQS's own and up to a minute old. Changes nothing.
    """
    out, connection, found = invocation.out, invocation.connection, invocation.deployment
    client = connection.client("sqs", connections=PARALLEL_COUNTS)
    listed: list[tuple[str | None, str, MessageQueue]] = [
        (lane, kind, MessageQueue(client, url))
        for lane, queues in sorted(found.queues.items())
        for kind, url in (
            (_INGEST, queues.ingest),
            (QueueKind.DEAD_LETTER.value, queues.dead_letter),
            (QueueKind.UNDELIVERED.value, queues.undelivered),
        )
    ]
    if found.backfill:
        for name, url in sorted(found.backfill.queues.items()):
            listed.append((name, _BACKFILL, MessageQueue(client, url)))
            dead_letters = MessageQueue(client, found.backfill.dead_letters[name])
            listed.append((name, f"{_BACKFILL} {QueueKind.DEAD_LETTER}", dead_letters))
    listed.append((None, QueueKind.CHANGES.value, MessageQueue(client, found.change_failures)))
    if found.events:
        listed.append((None, QueueKind.EVENTS.value, MessageQueue(client, found.events.dead_letter)))
    queues = counted(messages for _, _, messages in listed)
    counts = [(lane, kind, count) for (lane, kind, _), count in zip(listed, queues, strict=True)]
    out.document(
        [
            {"lane": lane, "queue": kind, "waiting": count.waiting, "in_flight": count.in_flight}
            for lane, kind, count in counts
        ]
    )
    table = out.table("Messages, as SQS counts them", "Lane", "Queue", "Waiting", "In flight")
    for lane, kind, count in counts:
        table.add_row(
            printable(lane or "(all)"), kind, f"{count.waiting:,}", f"{count.in_flight:,}", style=_style(kind, count)
        )
    out.show(table)
    if any(kind not in _AT_WORK and count.total for _, kind, count in counts):
        out.say(f"`{COMMAND} queue show` says what is in the dead-letter queues, and why.")


def _style(kind: str, count: QueueCounts) -> str:
    return "yellow" if kind not in _AT_WORK and count.total else ""
