"""A deployed pipeline from a user's point of view: uploads objects, and reads verdicts and flags."""

import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from gatehouse.contracts.stack_outputs import StorageOutput
from gatehouse.moderation.status import FLAGGED, Status
from gatehouse.moderation.verdict_item import OBJECT, STATUS, VERSION
from localcloud.cloud import LocalCloud
from localcloud.deployer import Outputs

# The emulator has a single event loop, so more threads would only wait for each other.
_UPLOAD_THREADS = 8


@dataclass(frozen=True, slots=True)
class DemoUpload:
    """An object to upload: its key and bytes, and its user metadata without `x-amz-meta-`."""

    key: str
    body: bytes
    metadata: Mapping[str, str] = field(default_factory=dict)


class DeployedPipeline:
    """The resources named by the stacks' outputs, and a queue that receives the flags."""

    def __init__(self, cloud: LocalCloud, outputs: Outputs) -> None:
        """Subscribe a new queue to the flag topic. `outputs` are the ones that `LocalCloud.deploy` returned."""
        self.cloud = cloud
        self.outputs = {name: value for stack in outputs.values() for name, value in stack.items()}
        self._flag_queue_url = self.new_flag_queue({"status": sorted(FLAGGED)})
        self._flags: list[dict[str, Any]] = []

    @property
    def upload_bucket(self) -> str:
        """Name of the watched bucket."""
        return self.outputs[StorageOutput.UPLOAD_BUCKET_NAME]

    def new_flag_queue(self, filter_policy: Mapping[str, list[str]]) -> str:
        """Create a queue that receives the matching flags in raw form; returns its URL.

        `filter_policy` is an SNS filter policy, e.g. `{"status": ["BLOCKED"]}`.
        """
        queues, topics = self.cloud.client("sqs"), self.cloud.client("sns")
        topic = self.outputs[StorageOutput.FLAG_TOPIC_ARN]
        queue_url: str = queues.create_queue(QueueName=f"flags-{uuid.uuid4().hex}")["QueueUrl"]
        attributes = queues.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]
        allow_topic = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "sns.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": attributes["QueueArn"],
                    "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
                }
            ],
        }
        queues.set_queue_attributes(QueueUrl=queue_url, Attributes={"Policy": json.dumps(allow_topic)})
        topics.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=attributes["QueueArn"],
            Attributes={"RawMessageDelivery": "true", "FilterPolicy": json.dumps(filter_policy)},
        )
        return queue_url

    def upload(self, key: str, body: bytes, metadata: Mapping[str, str] | None = None) -> str:
        """Put one object into the watched bucket; returns its version id."""
        answer = self.cloud.client("s3", connections=_UPLOAD_THREADS).put_object(
            Bucket=self.upload_bucket, Key=key, Body=body, Metadata=dict(metadata or {})
        )
        version_id: str = answer["VersionId"]
        return version_id

    def upload_many(
        self, uploads: Iterable[DemoUpload], on_uploaded: Callable[[DemoUpload], None] | None = None
    ) -> dict[str, str]:
        """Put many objects, several at a time; returns key -> version id. `on_uploaded` is called after each."""

        def put(upload: DemoUpload) -> tuple[str, str]:
            version_id = self.upload(upload.key, upload.body, upload.metadata)
            if on_uploaded is not None:
                on_uploaded(upload)
            return upload.key, version_id

        with ThreadPoolExecutor(max_workers=_UPLOAD_THREADS) as threads:
            return dict(threads.map(put, uploads))

    def verdict(self, key: str) -> dict[str, Any] | None:
        """The newest verdict item of `key`, or None; read as the reader contract requires (one Query, newest first)."""
        answer = self.cloud.client("dynamodb").query(
            TableName=self.outputs[StorageOutput.VERDICT_TABLE_NAME],
            KeyConditionExpression="#object = :object",
            ExpressionAttributeNames={"#object": OBJECT},
            ExpressionAttributeValues={":object": {"S": f"s3://{self.upload_bucket}/{key}"}},
            ScanIndexForward=False,
            Limit=1,
            ConsistentRead=True,
        )
        return next((_plain_item(item) for item in answer["Items"]), None)

    def verdicts(self, prefix: str = "") -> list[dict[str, Any]]:
        """All verdict items whose key starts with `prefix`, of any status, sorted by object and version."""
        pages = (
            self.cloud.client("dynamodb")
            .get_paginator("scan")
            .paginate(
                TableName=self.outputs[StorageOutput.VERDICT_TABLE_NAME],
                ConsistentRead=True,
                FilterExpression="begins_with(#key, :prefix)",
                ExpressionAttributeNames={"#key": "key"},
                ExpressionAttributeValues={":prefix": {"S": prefix}},
            )
        )
        items = [_plain_item(item) for page in pages for item in page["Items"]]
        return sorted(items, key=lambda item: (item[OBJECT], item[VERSION]))

    def pending(self, prefix: str = "") -> list[dict[str, Any]]:
        """The items under `prefix` that have no final status yet."""
        return [item for item in self.verdicts(prefix) if item[STATUS] == Status.PENDING]

    def flags(self, prefix: str = "") -> list[dict[str, Any]]:
        """All flags received so far, including duplicates, for keys that start with `prefix`, in order of arrival."""
        self._flags += self.take_flags(self._flag_queue_url)
        return [flag for flag in self._flags if flag["object"]["key"].startswith(prefix)]

    def take_flags(self, queue_url: str) -> list[dict[str, Any]]:
        """Receive and delete the flags in a queue from `new_flag_queue`; returns them in order of arrival."""
        queues = self.cloud.client("sqs")
        found: list[dict[str, Any]] = []
        while messages := queues.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages"):
            found += [json.loads(message["Body"]) for message in messages]
            queues.delete_message_batch(
                QueueUrl=queue_url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                    for number, message in enumerate(messages)
                ],
            )
        return found


def _plain_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """A DynamoDB item as plain Python values; numbers stay Decimal."""
    return {name: _DESERIALIZER.deserialize(value) for name, value in item.items()}


_DESERIALIZER = TypeDeserializer()
