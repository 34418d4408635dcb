"""A queue, as used to put messages into it: a lane's uploads, or events that were not sent."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

#: SendMessageBatch: at most ten messages, and 256 KiB for all of them (SQS API reference; since 2025 it takes more).
_MESSAGES_A_CALL = 10
_BYTES_A_CALL = 262_144


class MessageNotSentError(RuntimeError):
    """SQS refused messages. The others were sent; sending them again is harmless.

    Attributes:
        refused: positions of the messages that were not sent.
    """

    def __init__(self, message: str, refused: frozenset[int]) -> None:
        super().__init__(message)
        self.refused = refused


class QueueSender:
    """Sends messages, ten a call.

    Args:
        client: an SQS client.
        url: of the queue.
    """

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def send(self, bodies: Iterable[str]) -> None:
        """Send all messages.

        Raises:
            MessageNotSentError: SQS refused some of the messages, in an answer with status 200.
            ClientError: a call failed.
        """
        sent = 0
        refused: dict[int, str] = {}
        for batch in _batches(bodies):
            entries: list[Any] = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(batch)]
            answer = self._client.send_message_batch(QueueUrl=self._url, Entries=entries)
            refused |= {sent + int(entry["Id"]): entry.get("Code", "unknown") for entry in answer.get("Failed", [])}
            sent += len(batch)
        if refused:
            codes = ", ".join(sorted(set(refused.values())))
            raise MessageNotSentError(f"{len(refused)} of {sent} messages were refused: {codes}", frozenset(refused))


def _batches(bodies: Iterable[str]) -> Iterator[Sequence[str]]:
    batch: list[str] = []
    size = 0
    for body in bodies:
        length = len(body.encode())
        if batch and (len(batch) == _MESSAGES_A_CALL or size + length > _BYTES_A_CALL):
            yield batch
            batch, size = [], 0
        batch.append(body)
        size += length
    if batch:
        yield batch
