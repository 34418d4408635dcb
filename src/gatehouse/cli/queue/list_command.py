"""`queue list`: how many messages each lane's queues have."""

from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.invocation import Invocation, about_deployment
from gatehouse.cli.queue.dead_letters import QueueKind
from gatehouse.cli.queue.message_queue import PARALLEL_COUNTS, MessageQueue, QueueCounts, counted
from gatehouse.console import printable

_INGEST = "ingest"


@about_deployment
def list_queues(invocation: Invocation) -> None:
    """Count the messages of every lane's queues: ingest, dead-letter (given up), undelivered (by EventBridge).

    The counts are SQS's own and follow within a minute. Changes nothing.
    """
    out, connection, found = invocation.out, invocation.connection, invocation.deployment
    client = connection.client("sqs", connections=PARALLEL_COUNTS)
    listed = [
        (lane, kind, MessageQueue(client, url))
        for lane, queues in sorted(found.queues.items())
        for kind, url in (
            (_INGEST, queues.ingest),
            (QueueKind.DEAD_LETTER.value, queues.dead_letter),
            (QueueKind.UNDELIVERED.value, queues.undelivered),
        )
    ]
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
        table.add_row(printable(lane), kind, f"{count.waiting:,}", f"{count.in_flight:,}", style=_style(kind, count))
    out.show(table)
    if any(kind != _INGEST and count.total for _, kind, count in counts):
        out.say(f"`{COMMAND} queue show` says what is in the dead-letter and undelivered queues, and why.")


def _style(kind: str, count: QueueCounts) -> str:
    return "yellow" if kind != _INGEST and count.total else ""
