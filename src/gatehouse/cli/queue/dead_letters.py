"""Why a message is in one of a lane's two dead-letter queues, and whether it may go back."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from gatehouse.aws.verdict_table import Item, identity_of
from gatehouse.cli.aws.executions import DeployedExecutions
from gatehouse.cli.aws.verdict_table import OperatorsVerdictTable
from gatehouse.cli.deployed_lanes import DeployedLanes
from gatehouse.cli.deployment import Deployment, LaneQueues
from gatehouse.cli.errors import CommandError
from gatehouse.cli.queue.message_queue import Look, MessageQueue, QueuedMessage, counted
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import UnreadableUploadError, Upload
from gatehouse.moderation.upload_event import MalformedMessageError, UploadEvent, parse_event
from gatehouse.moderation.verdict_item import BATCH_ID, CLAIMED_AT, OBJECT, STATUS, VERSION

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from gatehouse.cli.connection import Connection

#: What the verdict table has to say about a dead letter.
_ATTRIBUTES = (OBJECT, VERSION, STATUS, BATCH_ID, CLAIMED_AT, "decided_at", "error")


class QueueKind(StrEnum):
    """Which of a lane's dead-letter queues."""

    DEAD_LETTER = "dead-letter"
    UNDELIVERED = "undelivered"

    def url(self, queues: LaneQueues) -> str:
        """The URL of this queue of a lane."""
        return queues.dead_letter if self is QueueKind.DEAD_LETTER else queues.undelivered


class StuckReason(StrEnum):
    """Why a message is there, by what is known now."""

    UNDELIVERED = "undelivered"
    MALFORMED = "malformed"
    UNREADABLE = "unreadable"
    NO_LANE = "no-lane"
    NEVER_CLAIMED = "never-claimed"
    RUNNING = "running"
    STALLED = "stalled"
    DECIDED = "decided"


#: Putting such a message back does not help: a batcher can't read it, or drops it as none of its own.
_STAYS = frozenset({StuckReason.MALFORMED, StuckReason.UNREADABLE, StuckReason.NO_LANE})

#: Of the body of a message that can't be read, so much is shown.
_BODY_SHOWN = 200


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message and what is known about it.

    Attributes:
        explanation: the reason in words.
        upload: what it speaks of; None if that can't be read.
        owner: the lane that takes the upload now; empty where none does.
    """

    message: QueuedMessage
    reason: StuckReason
    explanation: str
    upload: Upload | None = None
    owner: str = ""

    @property
    def may_go_back(self) -> bool:
        """Whether a batcher can do something about it."""
        return self.reason not in _STAYS

    @property
    def excerpt(self) -> str | None:
        """How the body begins; None where it could be read."""
        return None if self.upload else self.message.body[:_BODY_SHOWN]

    def to_document(self) -> dict[str, Any]:
        """The message for scripts."""
        return {
            "message_id": self.message.message_id,
            "object": self.upload and self.upload.object,
            "version_id": self.upload and self.upload.version_id,
            "uploaded_at": self.upload and self.upload.uploaded_at,
            "since": self.message.sent_at,
            "received": self.message.received,
            "reason": self.reason.value,
            "explanation": self.explanation,
            "body": self.excerpt,
            "goes_back_to": self.owner or None,
        }


@dataclass(frozen=True, slots=True)
class DeadLetterInspection:
    """Finds out about messages, for a BatchGetItem of each hundred and a DescribeExecution or more of each batch."""

    lanes: DeployedLanes
    table: OperatorsVerdictTable
    executions: DeployedExecutions

    @classmethod
    def of(cls, connection: "Connection", deployment: Deployment) -> "DeadLetterInspection":
        """An inspection of a deployment's messages.

        Raises:
            CommandError: see `DeployedLanes.find`.
        """
        return cls(
            DeployedLanes.find(connection, deployment),
            OperatorsVerdictTable.of(connection, deployment),
            DeployedExecutions(connection.client("stepfunctions"), deployment.state_machines),
        )

    def inspect(self, messages: Sequence[QueuedMessage], kind: QueueKind) -> list[DeadLetter]:
        """Each message's reason, in order."""
        read = [self._read(message, kind) for message in messages]
        unread = {entry.event.upload.identity for entry in read if isinstance(entry, _Addressed)}
        items = {identity_of(item): item for page in self.table.read(unread, _ATTRIBUTES) for item in page}
        return [
            self._known(entry, items.get(entry.event.upload.identity)) if isinstance(entry, _Addressed) else entry
            for entry in read
        ]

    def _read(self, message: QueuedMessage, kind: QueueKind) -> "DeadLetter | _Addressed":
        """What the message itself tells, if that is all there is to say."""
        try:
            event = parse_event(message.body)
        except UnreadableUploadError as error:
            return DeadLetter(message, StuckReason.UNREADABLE, str(error))
        except MalformedMessageError as error:
            return DeadLetter(message, StuckReason.MALFORMED, str(error))
        if event is None:
            return DeadLetter(message, StuckReason.MALFORMED, "the event is not about an upload")
        upload = event.upload
        owner = self.lanes.owner(upload.key, upload.size)
        if owner is None:
            return DeadLetter(message, StuckReason.NO_LANE, "no lane takes this key and size any more", upload)
        if kind is QueueKind.UNDELIVERED:
            return DeadLetter(message, StuckReason.UNDELIVERED, _delivery_problem(message), upload, owner)
        return _Addressed(message, event, owner)

    def _known(self, entry: "_Addressed", item: Item | None) -> DeadLetter:
        reason, explanation = self._by_item(item, entry.event.resubmit_of)
        return DeadLetter(entry.message, reason, explanation, entry.event.upload, entry.owner)

    def _by_item(self, item: Item | None, resubmitted: str | None) -> tuple[StuckReason, str]:
        if item is None:
            return StuckReason.NEVER_CLAIMED, "not in the verdict table: no batcher got as far as claiming it"
        status = item.get(STATUS)
        if status == Status.FAILED and item[BATCH_ID] == resubmitted:
            return (
                StuckReason.STALLED,
                f"FAILED in batch {resubmitted}, and no batcher got as far as resubmitting it",
            )
        if status != Status.PENDING:
            error = f" ({item['error']['code']})" if item.get("error") else ""
            return StuckReason.DECIDED, f"{status}{error} since {item.get('decided_at')}"
        batch_id = item[BATCH_ID]
        claim = f"PENDING in batch {batch_id} since {item[CLAIMED_AT]}"
        execution = self.executions.find(batch_id)
        if execution is None:
            return StuckReason.STALLED, f"{claim}, which has no execution (any more)"
        reason = StuckReason.RUNNING if execution.is_running else StuckReason.STALLED
        return reason, f"{claim}, whose execution is {execution.outcome}"


class Looked(Protocol):
    """What a report counts of the queues that were gone through.

    Attributes:
        looked_at: messages seen.
        in_flight: messages that somebody else held, of queues in which none was to be seen.
    """

    looked_at: int
    in_flight: int


def go_through(
    queue: MessageQueue,
    inspect: Callable[[Sequence[QueuedMessage]], Sequence[DeadLetter]],
    handle: Callable[[Look, Sequence[DeadLetter]], object],
    report: Looked,
    left: Callable[[], int | None],
) -> None:
    """Handle a queue's messages with their reasons, some at a time, for as long as any are `left` to be found.

    Whatever is not deleted can be received by others at the end, also where `handle` raises.
    """
    if left() == 0:
        return
    with queue.look() as look:
        for messages in look.messages():
            report.looked_at += len(messages)
            handle(look, inspect(messages))
            if left() == 0:
                return
        if not look.seen:
            report.in_flight += queue.counts().in_flight


@dataclass(frozen=True, slots=True)
class _Addressed:
    """A message that speaks of an upload some lane takes."""

    message: QueuedMessage
    event: UploadEvent
    owner: str


def chosen_queues(
    client: "SQSClient", deployment: Deployment, lane: str | None, kind: QueueKind | None
) -> list[tuple[str, QueueKind, MessageQueue]]:
    """The dead-letter queues that somebody asked for, with lane and kind; all of them where nothing is chosen.

    Raises:
        CommandError: there is no such lane.
    """
    if lane is not None and lane not in deployment.lanes:
        raise CommandError(f"There is no lane {lane}; write --lane {' or '.join(sorted(deployment.lanes))}.")
    lanes = sorted(deployment.lanes) if lane is None else [lane]
    kinds = list(QueueKind) if kind is None else [kind]
    return [
        (name, chosen, MessageQueue(client, chosen.url(deployment.queues[name]))) for name in lanes for chosen in kinds
    ]


def filled(chosen: Sequence[tuple[str, QueueKind, MessageQueue]]) -> Iterator[tuple[QueueKind, MessageQueue]]:
    """The queues that have messages, with their kinds: to look into an empty one takes a second."""
    counts = counted(messages for _, _, messages in chosen)
    return ((kind, messages) for (_, kind, messages), count in zip(chosen, counts, strict=True) if count.total)


def _delivery_problem(message: QueuedMessage) -> str:
    """What EventBridge says about it (EventBridge User Guide, eb-rule-dlq.html)."""
    sent = message.attributes
    problem = f"{sent.get('ERROR_CODE', 'no error code')}: {sent.get('ERROR_MESSAGE', 'no message')}"
    return f"{problem} (tried again {retries} times)" if (retries := sent.get("RETRY_ATTEMPTS")) else problem
