"""A dead-letter queue: counts, inspects and deletes messages.

Limits: 10 messages a call (SQS API reference).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from gatehouse.moderation.moment import iso

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_Entry = TypeVar("_Entry")

_MESSAGES_A_CALL = 10

#: Queues counted at the same time, and the size of the client's connection pool.
PARALLEL_COUNTS = 20

#: Visibility timeout in seconds, after which others can receive a message even if the command was killed.
_HIDDEN_SECONDS = 120
IN_FLIGHT_ADVICE = (
    f"Somebody else is inspecting them, or was recently; run the same command again in {_HIDDEN_SECONDS // 60} minutes."
)
#: Long polling queries all of SQS's servers, so an empty answer means that no message is available; short polling
#: queries only some of them (developer guide, short and long polling).
WAIT_SECONDS = 1
#: Consecutive answers without a new message after which an inspection ends: the first messages are then visible again.
_FRUITLESS = 5


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A received message.

    Attributes:
        sent_at: when it was first sent to a queue. Moving it to a dead-letter queue does not change this time, from
            which its expiration counts (developer guide, setting-up-dead-letter-queue-retention.html). ISO 8601, UTC.
        received: how many times it was received in all queues, including by inspections.
        attributes: its message attributes that are text.
    """

    message_id: str
    body: str
    sent_at: str
    received: int
    attributes: Mapping[str, str]
    receipt: str

    @classmethod
    def of(cls, message: Mapping[str, Any]) -> "QueuedMessage":
        """Read a message from an answer of ReceiveMessage."""
        system = message["Attributes"]
        return cls(
            message_id=message["MessageId"],
            body=message["Body"],
            sent_at=iso(datetime.fromtimestamp(int(system["SentTimestamp"]) / 1000, UTC)),
            received=int(system["ApproximateReceiveCount"]),
            attributes={
                name: value["StringValue"]
                for name, value in message.get("MessageAttributes", {}).items()
                if "StringValue" in value
            },
            receipt=message["ReceiptHandle"],
        )


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """The approximate number of messages in a queue.

    Attributes:
        waiting: messages that can be received.
        in_flight: messages that somebody has received, but neither deleted nor made visible again.
    """

    waiting: int
    in_flight: int

    @property
    def total(self) -> int:
        """All messages."""
        return self.waiting + self.in_flight


class Look:
    """The messages of a queue that are held during an inspection; see `MessageQueue.look`."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url
        self._seen: set[str] = set()
        self._held: dict[str, str] = {}

    @property
    def seen(self) -> int:
        """The number of messages received."""
        return len(self._seen)

    def messages(self) -> Iterator[list[QueuedMessage]]:
        """The messages, up to ten at a time, each once. Ends when nothing new arrives, so it may miss some.

        SQS returns messages in random order, and returns a message again after its visibility timeout.
        """
        fruitless = 0
        while fruitless < _FRUITLESS:
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=_MESSAGES_A_CALL,
                VisibilityTimeout=_HIDDEN_SECONDS,
                WaitTimeSeconds=WAIT_SECONDS,
                MessageSystemAttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
                MessageAttributeNames=["All"],
            )
            received = [QueuedMessage.of(message) for message in answer.get("Messages", [])]
            if not received:
                return
            new = [message for message in received if message.message_id not in self._seen]
            self._seen |= {message.message_id for message in received}
            self._held |= {message.message_id: message.receipt for message in received}
            fruitless = 0 if new else fruitless + 1
            if new:
                yield new

    def delete(self, messages: Iterable[QueuedMessage]) -> frozenset[str]:
        """Delete messages; returns the ids of those that SQS did not delete."""
        refused: set[str] = set()
        for some in _in_calls([message.message_id for message in messages]):
            answer = self._client.delete_message_batch(
                QueueUrl=self._url,
                Entries=[{"Id": str(n), "ReceiptHandle": self._held[identity]} for n, identity in enumerate(some)],
            )
            failed = {some[int(entry["Id"])] for entry in answer.get("Failed", [])}
            for identity in set(some) - failed:
                del self._held[identity]
            refused |= failed
        return frozenset(refused)

    def give_back(self) -> None:
        """Make all remaining messages visible to others again. If SQS refuses this for one, it is already visible."""
        for some in _in_calls(list(self._held.values())):
            self._client.change_message_visibility_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(n), "ReceiptHandle": receipt, "VisibilityTimeout": 0} for n, receipt in enumerate(some)
                ],
            )


class MessageQueue:
    """A queue.

    Args:
        client: an SQS client.
        url: of the queue.
    """

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def counts(self) -> QueueCounts:
        """The approximate number of messages; SQS's counts are up to a minute old (API reference)."""
        answer = self._client.get_queue_attributes(
            QueueUrl=self._url,
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )["Attributes"]
        return QueueCounts(
            int(answer["ApproximateNumberOfMessages"]), int(answer["ApproximateNumberOfMessagesNotVisible"])
        )

    @contextmanager
    def look(self) -> Iterator[Look]:
        """Inspect the messages. At the end, those that were not deleted become visible again, even after an error."""
        look = Look(self._client, self._url)
        try:
            yield look
        finally:
            look.give_back()


def counted(queues: Iterable[MessageQueue]) -> list[QueueCounts]:
    """The number of messages in each queue, requested concurrently."""
    with ThreadPoolExecutor(PARALLEL_COUNTS) as threads:
        return list(threads.map(MessageQueue.counts, queues))


def _in_calls(entries: Sequence[_Entry]) -> Iterator[Sequence[_Entry]]:
    for start in range(0, len(entries), _MESSAGES_A_CALL):
        yield entries[start : start + _MESSAGES_A_CALL]
