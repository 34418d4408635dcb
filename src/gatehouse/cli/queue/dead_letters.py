"""Finds out why a message is in a dead-letter queue, and whether it can be put back."""

import json
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
from gatehouse.cli.queue.given_up_changes import explanation
from gatehouse.cli.queue.message_queue import Look, MessageQueue, QueuedMessage, counted
from gatehouse.moderation.document import MISSHAPEN, optional_text, text, whole
from gatehouse.moderation.listed_version import ListedVersion
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import FIRST, SEQUENCER_DIGITS, UnreadableUploadError, Upload
from gatehouse.moderation.upload_event import MalformedMessageError, UploadEvent, parse_event
from gatehouse.moderation.verdict_item import BATCH_ID, CLAIMED_AT, OBJECT, STATUS, VERSION

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from gatehouse.cli.connection import Connection

#: The attributes of an upload's item that explain its dead letter.
_ATTRIBUTES = (OBJECT, VERSION, STATUS, BATCH_ID, CLAIMED_AT, "decided_at", "error")


class QueueKind(StrEnum):
    """A kind of dead-letter queue: a lane has two, and one of its backfill where objects from before are moderated;
    events and changes have one each per deployment."""

    DEAD_LETTER = "dead-letter"
    UNDELIVERED = "undelivered"
    BACKFILL = "backfill"
    EVENTS = "events"
    CHANGES = "changes"


def lane_queue_url(kind: QueueKind, queues: LaneQueues) -> str:
    """The URL of one of a lane's two dead-letter queues."""
    return queues.dead_letter if kind is QueueKind.DEAD_LETTER else queues.undelivered


class StuckReason(StrEnum):
    """Why a message is in its queue, by the current state."""

    UNDELIVERED = "undelivered"
    MALFORMED = "malformed"
    UNREADABLE = "unreadable"
    NO_LANE = "no-lane"
    NEVER_CLAIMED = "never-claimed"
    RUNNING = "running"
    STALLED = "stalled"
    DECIDED = "decided"
    NOT_SENT = "not-sent"
    GIVEN_UP = "given-up"


#: Putting such a message back does not help: a batcher can't read it, or drops it because it belongs to no lane.
_STAYS = frozenset({StuckReason.MALFORMED, StuckReason.UNREADABLE, StuckReason.NO_LANE})

#: Characters shown of the body of a message that can't be read.
_BODY_SHOWN = 200


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message and what is known about it.

    Attributes:
        explanation: the reason in words.
        upload: the upload it is about; None if that can't be read.
        owner: the upload's current lane; empty if there is none, or if the message does not go to a lane.
    """

    message: QueuedMessage
    reason: StuckReason
    explanation: str
    upload: Upload | None = None
    owner: str = ""

    @property
    def may_go_back(self) -> bool:
        """Whether putting it back can help."""
        return self.reason not in _STAYS

    @property
    def excerpt(self) -> str | None:
        """The beginning of the body; None if the body could be read."""
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
    """Finds the reasons of messages, with one BatchGetItem for each hundred and DescribeExecution for each batch."""

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
        """The reason, if the message itself is enough to find it."""
        if kind is QueueKind.EVENTS:
            return _unsent_event(message)
        if kind is QueueKind.CHANGES:
            return _given_up(message)
        try:
            event = parse_event(message.body)
        except UnreadableUploadError as error:
            return DeadLetter(message, StuckReason.UNREADABLE, str(error))
        except MalformedMessageError as error:
            return DeadLetter(message, StuckReason.MALFORMED, str(error))
        if event is None:
            return DeadLetter(message, StuckReason.MALFORMED, "the event is not about an upload")
        upload = event.after(FIRST) if isinstance(event, ListedVersion) else event.upload
        owner = self.lanes.owner(upload.key, upload.size)
        if owner is None:
            return DeadLetter(message, StuckReason.NO_LANE, "no lane accepts this key and size any longer", upload)
        if kind is QueueKind.UNDELIVERED:
            return DeadLetter(message, StuckReason.UNDELIVERED, _delivery_problem(message), upload, owner)
        if isinstance(event, ListedVersion):
            problem = "an object that `moderate` listed, which no batcher has claimed"
            return DeadLetter(message, StuckReason.NEVER_CLAIMED, problem, upload, owner)
        return _Addressed(message, event, owner)

    def _known(self, entry: "_Addressed", item: Item | None) -> DeadLetter:
        reason, explanation = self._by_item(item, entry.event.resubmit_of)
        return DeadLetter(entry.message, reason, explanation, entry.event.upload, entry.owner)

    def _by_item(self, item: Item | None, resubmitted: str | None) -> tuple[StuckReason, str]:
        if item is None:
            return StuckReason.NEVER_CLAIMED, "not in the verdict table: no batcher has claimed it"
        status = item.get(STATUS)
        if status == Status.FAILED and item[BATCH_ID] == resubmitted:
            return (
                StuckReason.STALLED,
                f"FAILED in batch {resubmitted}, and no batcher has resubmitted it",
            )
        if status != Status.PENDING:
            error = f" ({item['error']['code']})" if item.get("error") else ""
            return StuckReason.DECIDED, f"{status}{error} since {item.get('decided_at')}"
        batch_id = item[BATCH_ID]
        claim = f"PENDING in batch {batch_id} since {item[CLAIMED_AT]}"
        execution = self.executions.find(batch_id)
        if execution is None:
            return StuckReason.STALLED, f"{claim}, whose execution does not exist or has expired"
        reason = StuckReason.RUNNING if execution.is_running else StuckReason.STALLED
        return reason, f"{claim}, whose execution is {execution.outcome}"


class Looked(Protocol):
    """The counts that every report of queues has.

    Attributes:
        looked_at: messages received.
        in_flight: messages that somebody else holds, in queues where no message could be received.
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
    """Handle a queue's messages with their reasons, a few at a time, while `left` allows more.

    At the end, messages that were not deleted become visible to others again, even if `handle` raises.
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
    """A message about an upload that belongs to a lane."""

    message: QueuedMessage
    event: UploadEvent
    owner: str


def chosen_queues(
    client: "SQSClient", deployment: Deployment, lane: str | None, kind: QueueKind | None
) -> list[tuple[str | None, QueueKind, MessageQueue]]:
    """The selected dead-letter queues, with lane and kind; all of them if nothing is selected.

    The queues of events and of changes do not belong to a lane.

    Raises:
        CommandError: there is no such lane, or no such queue.
    """
    if lane is not None and lane not in deployment.lanes:
        raise CommandError(f"There is no lane {lane}; write --lane {' or '.join(sorted(deployment.lanes))}.")
    if kind in (QueueKind.EVENTS, QueueKind.CHANGES) and lane is not None:
        raise CommandError(f"{kind.capitalize()} are kept for all lanes together; omit --lane {lane}.")
    if kind is QueueKind.EVENTS and deployment.events is None:
        raise CommandError(f"{deployment.name} sends no events: its setting events.bus names no bus.")
    if kind is QueueKind.BACKFILL and deployment.backfill is None:
        raise CommandError(f"{deployment.name} has no backfill queues: its setting existing_objects is off.")
    lanes = sorted(deployment.lanes) if lane is None else [lane]
    found: list[tuple[str | None, QueueKind, MessageQueue]] = [
        (name, chosen, MessageQueue(client, lane_queue_url(chosen, deployment.queues[name])))
        for name in lanes
        for chosen in (QueueKind.DEAD_LETTER, QueueKind.UNDELIVERED)
        if kind in (None, chosen)
    ]
    if deployment.backfill and kind in (None, QueueKind.BACKFILL):
        found += [
            (name, QueueKind.BACKFILL, MessageQueue(client, deployment.backfill.dead_letters[name])) for name in lanes
        ]
    if deployment.events and lane is None and kind in (None, QueueKind.EVENTS):
        found.append((None, QueueKind.EVENTS, MessageQueue(client, deployment.events.dead_letter)))
    if lane is None and kind in (None, QueueKind.CHANGES):
        found.append((None, QueueKind.CHANGES, MessageQueue(client, deployment.change_failures)))
    return found


def filled(chosen: Sequence[tuple[str | None, QueueKind, MessageQueue]]) -> Iterator[tuple[QueueKind, MessageQueue]]:
    """The queues that have messages, with their kinds. Reading an empty queue takes a second."""
    counts = counted(messages for _, _, messages in chosen)
    return ((kind, messages) for (_, kind, messages), count in zip(chosen, counts, strict=True) if count.total)


def _given_up(message: QueuedMessage) -> DeadLetter:
    """A message in the queue of changes, which names their position in the stream."""
    try:
        return DeadLetter(message, StuckReason.GIVEN_UP, explanation(message.body))
    except MISSHAPEN as error:
        return DeadLetter(message, StuckReason.MALFORMED, f"the message is not about changes of verdicts: {error!r}")


def _unsent_event(message: QueuedMessage) -> DeadLetter:
    """A message in the queue of events, which is the document of an event that the bus did not accept."""
    try:
        document = json.loads(message.body)
        stored = document["object"]
        upload = Upload(
            bucket=text(stored["bucket"]),
            key=text(stored["key"]),
            version_id=optional_text(stored["version_id"]),
            etag=text(stored["etag"]),
            size=whole(stored["size"]),
            uploaded_at=text(document["uploaded_at"]),
            **_order(text(document["version"])),
        )
        status, since = Status(document["status"]), text(document["decided_at"])
    except MISSHAPEN as error:
        return DeadLetter(message, StuckReason.MALFORMED, f"the message is not an event about a verdict: {error!r}")
    return DeadLetter(message, StuckReason.NOT_SENT, f"the bus did not accept it: {status} since {since}", upload)


def _order(version: str) -> dict[str, str | None]:
    """What an upload has in place of its `version`."""
    if "~" in version:
        return {"sequencer": None, "listed_after": version[:SEQUENCER_DIGITS]}
    return {"sequencer": version}


def _delivery_problem(message: QueuedMessage) -> str:
    """The delivery error that EventBridge recorded (EventBridge User Guide, eb-rule-dlq.html)."""
    sent = message.attributes
    problem = f"{sent.get('ERROR_CODE', 'no error code')}: {sent.get('ERROR_MESSAGE', 'no message')}"
    return f"{problem} (retried {retries} times)" if (retries := sent.get("RETRY_ATTEMPTS")) else problem
