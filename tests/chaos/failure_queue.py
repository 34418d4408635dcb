"""The queue of what Outcomes' event source mapping has given up, and which changes of verdicts that are."""

import json
from collections.abc import Iterator
from typing import Any

from gatehouse.aws.verdict_stream import ItemChange, read_records
from gatehouse.cli.aws.verdict_stream import VerdictStream
from gatehouse.moderation.gate import Gate
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import verdict_from_item
from tests.chaos.strikes import OUTCOMES
from tests.e2e.pipeline import Pipeline


class FailureQueue:
    """Takes messages out as they come, and looks up in the stream what they name."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._queues = pipeline.cloud.client("sqs")
        mapping = mapping_of_stream(pipeline)
        queue = mapping["DestinationConfig"]["OnFailure"]["Destination"].rpartition(":")[2]
        self._url = self._queues.get_queue_url(QueueName=queue)["QueueUrl"]
        self._stream = VerdictStream(pipeline.cloud.client("dynamodbstreams"), mapping["EventSourceArn"], Gate())
        self._found: list[Verdict] = []

    def changes(self, prefixes: str | tuple[str, ...] = "") -> list[Verdict]:
        """What was given up so far of keys under the prefixes, as the changes left it."""
        while messages := self._queues.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                self._found += self._named(json.loads(message["Body"])["DDBStreamBatchInfo"])
                self._queues.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return [verdict for verdict in self._found if verdict.upload.key.startswith(prefixes)]

    def count(self) -> int:
        """Messages that wait."""
        name = "ApproximateNumberOfMessages"
        attributes = self._queues.get_queue_attributes(QueueUrl=self._url, AttributeNames=[name])["Attributes"]
        return int(attributes[name])

    def _named(self, batch: Any) -> Iterator[Verdict]:
        """The changes among the records between the two that a message names; others were never handed over."""
        records = self._stream.records(batch["shardId"], batch["startSequenceNumber"], batch["endSequenceNumber"])
        for change in read_records({"Records": list(records)}):
            assert isinstance(change, ItemChange), change
            assert change.after is not None
            yield verdict_from_item(change.after)


def mapping_of_stream(pipeline: Pipeline) -> dict[str, Any]:
    """The event source mapping between the verdict table's stream and Outcomes."""
    mappings = pipeline.cloud.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    (mapping,) = [each for each in mappings if OUTCOMES in each["FunctionArn"]]
    return dict(mapping)
