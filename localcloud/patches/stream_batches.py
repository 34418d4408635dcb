"""Decides what happens with a batch of a stream's records after its function was invoked.

AWS, for DynamoDB Streams:

- An error lets the batch be retried until `MaximumRetryAttempts` are used up or its records are too old. With
  `BisectBatchOnFunctionError` it is split in two first, and splitting uses up no attempt
  (services-dynamodb-errors.html).
- With `ReportBatchItemFailures` a response names failed records. All before the one with the lowest sequence number is
  done; the rest is retried, or with bisecting, the batch is split there. An empty or null response or list is a
  success; an empty or null identifier and one under a wrong key fail the whole batch
  (services-ddb-batchfailurereporting.html).

Not documented, and assumed here: an identifier from another batch, or a response that is not an object, fails the whole
batch. Without bisecting, a partial failure uses up an attempt, so the records behind one that always fails are
discarded with it. With bisecting, a batch whose first record fails is split in two.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """Records that wait for an invocation.

    Attributes:
        invocations: the number of invocations with these records.
        failures: how many of those used up an attempt.
    """

    records: Sequence[Record]
    invocations: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class RetryRules:
    """A mapping's settings.

    Attributes:
        most_retries: `MaximumRetryAttempts`; None for no limit.
        bisects: `BisectBatchOnFunctionError`.
    """

    most_retries: int | None
    bisects: bool

    @classmethod
    def of(cls, mapping: Mapping[str, Any]) -> "RetryRules":
        """Read the settings; -1 is no limit (services-ddb-params.html)."""
        retries = int(mapping.get("MaximumRetryAttempts", -1))
        bisects = str(mapping.get("BisectBatchOnFunctionError", False)).lower() == "true"
        return cls(None if retries < 0 else retries, bisects)

    def after_failure(self, batch: Batch, first_failed: int) -> list[Batch]:
        """The batches to send next, in order."""
        rest = replace(batch, records=batch.records[first_failed:], invocations=batch.invocations + 1)
        if self.bisects and first_failed:
            return [rest]
        if self.bisects and len(rest.records) > 1:
            middle = len(rest.records) // 2
            return [replace(rest, records=rest.records[:middle]), replace(rest, records=rest.records[middle:])]
        return [replace(rest, failures=batch.failures + 1)]

    def is_exhausted(self, batch: Batch) -> bool:
        """Whether a batch must be discarded."""
        return self.most_retries is not None and batch.failures > self.most_retries


def first_failed(response: Any, batch: Batch) -> int | None:
    """The first record that a response reports as failed; None if none is."""
    if response is None:
        return None
    if not isinstance(response, dict):
        return 0
    items = response.get("batchItemFailures") or []
    if not isinstance(items, list):
        return 0
    places = {record["dynamodb"]["SequenceNumber"]: place for place, record in enumerate(batch.records)}
    named = [item.get("itemIdentifier") if isinstance(item, dict) else None for item in items]
    return min((places.get(name, 0) if isinstance(name, str) else 0 for name in named), default=None)


def discarded_record(
    batch: Batch,
    *,
    condition: str,
    request_id: str,
    function_arn: str,
    version: str,
    stream_arn: str,
    shard_id: str,
    has_error: bool,
) -> dict[str, Any]:
    """The message to an on-failure destination about a batch: the position of its records, without the records.

    It has the format of the example in services-dynamodb-errors.html. `RetryAttemptsExhausted` is documented.
    `RecordAgeExceeded` is from memory, and so is that a batch that was never sent has no response.
    """
    first, last = batch.records[0]["dynamodb"], batch.records[-1]["dynamodb"]
    response: dict[str, Any] = {"statusCode": 200, "executedVersion": version}
    if has_error:
        response["functionError"] = "Unhandled"
    return {
        "requestContext": {
            "requestId": request_id,
            "functionArn": function_arn,
            "condition": condition,
            "approximateInvokeCount": batch.invocations,
        },
        **({"responseContext": response} if batch.invocations else {}),
        "version": "1.0",
        "timestamp": _time(datetime.now(UTC), "milliseconds"),
        "DDBStreamBatchInfo": {
            "shardId": shard_id,
            "startSequenceNumber": first["SequenceNumber"],
            "endSequenceNumber": last["SequenceNumber"],
            "approximateArrivalOfFirstRecord": _time(_created(first), "seconds"),
            "approximateArrivalOfLastRecord": _time(_created(last), "seconds"),
            "batchSize": len(batch.records),
            "streamArn": stream_arn,
        },
    }


def _created(record: Mapping[str, Any]) -> datetime:
    return datetime.fromtimestamp(record["ApproximateCreationDateTime"], UTC)


def _time(moment: datetime, precision: str) -> str:
    return moment.isoformat(timespec=precision).replace("+00:00", "Z")
