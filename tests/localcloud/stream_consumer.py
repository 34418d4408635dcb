"""A table with a stream and a function that says what it gets of it."""

import json
from typing import Any

from tests.localcloud.workbench import Workbench, eventually

# Writes the keys of each batch into an object's name, the batch into the object. An item says how often it fails, and
# how.
CONSUME = """
import boto3, json, os, time
def handler(event, context):
    s3, bucket = boto3.client("s3"), os.environ["BUCKET"]
    records = event["Records"]
    keys = ",".join(record["dynamodb"]["Keys"]["key"]["S"] for record in records)
    s3.put_object(Bucket=bucket, Key=f"{time.time_ns():020d}/{keys}", Body=json.dumps(records))
    batches = [one["Key"].split("/")[1].split(",") for one in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    failures = []
    for record in records:
        item = record["dynamodb"].get("NewImage", {})
        if sum(batch.count(item["key"]["S"]) for batch in batches) > int(item["fails"]["N"]):
            continue
        if item["how"]["S"] == "die":
            os._exit(1)
        if item["how"]["S"] == "raise":
            raise ValueError("as it says")
        failures.append({"itemIdentifier": record["dynamodb"]["SequenceNumber"]})
    return {"batchItemFailures": failures[::-1]}
"""
#: An item that always fails.
FOR_EVER = 1_000_000
#: What a role needs on a stream.
POLLER = ("GetRecords", "GetShardIterator", "DescribeStream", "ListStreams")


class Consumer:
    """A table with a stream, a function that says what it gets, and a queue for what is discarded."""

    def __init__(
        self, workbench: Workbench, source: str = CONSUME, *, actions: tuple[str, ...] = POLLER, may_send: bool = True
    ) -> None:
        self.workbench = workbench
        self.lambda_client = workbench.client("lambda")
        self.table, self.bucket = workbench.table(), workbench.bucket()
        specification = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
        table = workbench.client("dynamodb").update_table(TableName=self.table, StreamSpecification=specification)
        self.stream = table["TableDescription"]["LatestStreamArn"]
        self.queue, self.queue_arn = workbench.queue()
        self.function = workbench.function(
            source,
            *((f"dynamodb:{action}", self.stream) for action in actions),
            *([("sqs:SendMessage", self.queue_arn)] if may_send else []),
            ("s3:PutObject", f"arn:aws:s3:::{self.bucket}/*"),
            ("s3:ListBucket", f"arn:aws:s3:::{self.bucket}"),
            timeout=10,
            BUCKET=self.bucket,
        )
        self.mapping = ""

    def settings(self, **settings: Any) -> dict[str, Any]:
        return {
            "EventSourceArn": self.stream,
            "FunctionName": self.function,
            "StartingPosition": "TRIM_HORIZON",
            "DestinationConfig": {"OnFailure": {"Destination": self.queue_arn}},
            **settings,
        }

    def connect(self, **settings: Any) -> "Consumer":
        self.mapping = self.lambda_client.create_event_source_mapping(**self.settings(**settings))["UUID"]
        return self

    def disconnect(self) -> None:
        if self.mapping:
            self.lambda_client.delete_event_source_mapping(UUID=self.mapping)

    def write(self, *keys: str, fails: int = 0, how: str = "raise", **attributes: str) -> None:
        for key in keys:
            item: dict[str, Any] = {"key": {"S": key}, "fails": {"N": str(fails)}, "how": {"S": how}}
            item |= {name: {"S": value} for name, value in attributes.items()}
            self.workbench.client("dynamodb").put_item(TableName=self.table, Item=item)

    def batches(self) -> list[str]:
        """The keys of each batch so far."""
        return [name.split("/")[1] for name in self._objects()]

    def records(self) -> list[dict[str, Any]]:
        """The records so far."""
        s3 = self.workbench.client("s3")
        bodies = [s3.get_object(Bucket=self.bucket, Key=name)["Body"].read() for name in self._objects()]
        return [record for body in bodies for record in json.loads(body)]

    def _objects(self) -> list[str]:
        listed = self.workbench.client("s3").list_objects_v2(Bucket=self.bucket)
        return sorted(one["Key"] for one in listed.get("Contents", []))

    def come(self, *batches: str) -> None:
        """Wait for exactly these batches."""
        eventually(lambda: len(self.batches()) >= len(batches))
        assert self.batches() == list(batches)

    def discarded(self) -> dict[str, Any]:
        """The document about the one batch that was discarded."""
        [message] = eventually(lambda: self.workbench.messages(self.queue))
        document: dict[str, Any] = json.loads(message["Body"])
        return document

    def result(self) -> str:
        return str(self.lambda_client.get_event_source_mapping(UUID=self.mapping)["LastProcessingResult"])
