"""The chunk queue, as the Analyzer uses it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class ChunkQueue:
    """Puts a chunk back.

    Args:
        client: an SQS client.
        url: of the queue.
    """

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def put_back(self, body: str) -> None:
        """Send a chunk as a new message, whose receive count starts at zero: slow chunks use up no deliveries."""
        self._client.send_message(QueueUrl=self._url, MessageBody=body)
