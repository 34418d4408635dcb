"""A dead-letter queue: counted, looked into without taking anything out, and deleted from.

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

#: Queues counted at the same time; the client's connection pool is as large.
PARALLEL_COUNTS = 20

#: Seconds a message stays hidden from others if whoever looks is killed and can't give it back.
_HIDDEN_SECONDS = 120
IN_FLIGHT_ADVICE = (
    f"Somebody else is looking at them, or was a moment ago; run the same command again in {_HIDDEN_SECONDS // 60} "
    "minutes."
)
#: Long polling asks all of SQS's servers, so an answer without messages means that there are none to be had; a short
#: poll asks some of them only (developer guide, short and long polling).
WAIT_SECONDS = 1
#: Answers in a row that bring nothing new before a look ends: those seen first are visible again by then.
_FRUITLESS = 5


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A message as it was received.

    Attributes:
        sent_at: when it first came into a queue; moving to a dead-letter queue does not change it, and it expires by it
            (developer guide, setting-up-dead-letter-queue-retention.html). ISO 8601, UTC.
        received: how often it was received, in all queues together; looking counts, too.
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
        """The message of an answer to ReceiveMessage."""
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
    """About how many messages a queue has.

    Attributes:
        waiting: those that can be received.
        in_flight: those that somebody has received and neither deleted nor given back.
    """

    waiting: int
    in_flight: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.waiting + self.in_flight


class Look:
    """What somebody holds of a queue while looking at it; see `MessageQueue.look`."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url
        self._seen: set[str] = set()
        self._held: dict[str, str] = {}

    @property
    def seen(self) -> int:
        """How many messages were seen."""
        return len(self._seen)

    def messages(self) -> Iterator[list[QueuedMessage]]:
        """The messages, up to ten at a time, each once; ends when nothing new comes, and so does not see all for sure.

        SQS hands out messages at random, and one that was seen long ago comes again.
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
        """Delete messages for good; returns the ids of those that SQS would not delete."""
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
        """Let others receive what is left of all that was seen. What SQS refuses is visible already."""
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
        """How many messages there are, as far as SQS knows: its counts follow within a minute (API reference)."""
        answer = self._client.get_queue_attributes(
            QueueUrl=self._url,
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )["Attributes"]
        return QueueCounts(
            int(answer["ApproximateNumberOfMessages"]), int(answer["ApproximateNumberOfMessagesNotVisible"])
        )

    @contextmanager
    def look(self) -> Iterator[Look]:
        """Look at the messages; those that were not deleted can be received again at the end, whatever happens."""
        look = Look(self._client, self._url)
        try:
            yield look
        finally:
            look.give_back()


def counted(queues: Iterable[MessageQueue]) -> list[QueueCounts]:
    """How many messages each has, all asked for at the same time."""
    with ThreadPoolExecutor(PARALLEL_COUNTS) as threads:
        return list(threads.map(MessageQueue.counts, queues))


def _in_calls(entries: Sequence[_Entry]) -> Iterator[Sequence[_Entry]]:
    for start in range(0, len(entries), _MESSAGES_A_CALL):
        yield entries[start : start + _MESSAGES_A_CALL]
