"""The queues that a deployment's lanes take their uploads from."""

from typing import TYPE_CHECKING

from gatehouse.aws.ingest_queue import IngestQueue

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

    from gatehouse.cli.deployment import Deployment


def ingest_queues(client: "SQSClient", deployment: "Deployment") -> dict[str, IngestQueue]:
    """Each lane's queue, by the lane's name."""
    return {lane: IngestQueue(client, queues.ingest) for lane, queues in deployment.queues.items()}
