"""The ingest queues of a deployment's lanes."""

from typing import TYPE_CHECKING

from gatehouse.aws.queue_sender import QueueSender

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from gatehouse.cli.deployment import Deployment


def ingest_queues(client: "SQSClient", deployment: "Deployment") -> dict[str, QueueSender]:
    """Each lane's queue, by the lane's name."""
    return {lane: QueueSender(client, queues.ingest) for lane, queues in deployment.queues.items()}
