"""Changes that Outcomes could not announce, as a command finds them: a queue, a stream and a function."""

import io
import json
from collections.abc import Mapping
from typing import Any

from tests.cli.operated import Operated

STREAM = "arn:aws:dynamodb:us-east-1:123456789012:table/verdicts/stream/2026-11-22T00:00:00.000"


def image(number: int) -> dict[str, Any]:
    """Of an item that changed; every fifth record is about something else."""
    return {"change": {"M": {"announce": {"BOOL": True}}}} if number % 5 else {"status": {"S": "PENDING"}}


def message(first: int = 1, last: int = 3, **changed: Any) -> str:
    """What Lambda sends (Lambda Developer Guide, services-dynamodb-errors.html)."""
    batch = {
        "shardId": "shardId-00000001573689847184-864758bb",
        "startSequenceNumber": f"{first:021}",
        "endSequenceNumber": f"{last:021}",
        "approximateArrivalOfFirstRecord": "2026-11-23T09:00:00Z",
        "approximateArrivalOfLastRecord": "2026-11-23T09:00:10Z",
        "batchSize": last - first + 1,
        "streamArn": STREAM,
    }
    return json.dumps(
        {
            "requestContext": {"requestId": "r", "condition": "RetryAttemptsExhausted", "approximateInvokeCount": 21},
            "version": "1.0",
            "timestamp": "2026-11-23T09:05:00.000Z",
            "DDBStreamBatchInfo": batch | changed,
        }
    )


class Outcomes:
    """The stream and the function, as a command finds them."""

    def __init__(self, operated: Operated, pages: list[list[int]]) -> None:
        self.invoked: list[list[str]] = []
        self.images: list[dict[str, Any]] = []
        self.answer: dict[str, Any] = {"batchItemFailures": []}
        self._pages = pages
        calls = operated.deployed.calls
        calls.answer_always("GetShardIterator", lambda _: {"ShardIterator": "0"})
        calls.answer_always("GetRecords", self._records)
        calls.answer_always("Invoke", self._invoke)

    def _records(self, request: Mapping[str, Any]) -> dict[str, Any]:
        page = int(json.loads(request["body"])["ShardIterator"])
        records = [
            {"eventName": "MODIFY", "dynamodb": {"SequenceNumber": f"{number:021}", "NewImage": image(number)}}
            for number in self._pages[page]
        ]
        following = {"NextShardIterator": str(page + 1)} if page + 1 < len(self._pages) else {}
        return {"Records": records, **following}

    def _invoke(self, request: Mapping[str, Any]) -> dict[str, Any]:
        records = json.loads(request["body"])["Records"]
        self.invoked.append([record["dynamodb"]["SequenceNumber"].lstrip("0") for record in records])
        self.images += [record["dynamodb"]["NewImage"] for record in records]
        return {"Payload": io.BytesIO(json.dumps(self.answer).encode())}
