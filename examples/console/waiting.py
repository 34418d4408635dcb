"""What waits for a person, and the short hold that gives one upload to one reviewer (docs/contracts/decision.md).

A page lists what waits, takes the upload that it shows, extends the hold while somebody looks, and releases it when
they go on without deciding. A decision ends the hold by itself.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

#: How long a hold lasts.
HOLD = timedelta(minutes=10)
#: Keys of a BatchGetItem.
BATCH = 100

LOST = ("ConditionalCheckFailedException", "TransactionConflictException")

#: Nobody else holds it now.
IS_FREE = "(attribute_not_exists(#review_claim) OR #review_claim.#until <= :now OR #review_claim.#by = :by)"


def waiting(dynamodb: Any, table: str, day: date) -> list[dict[str, Any]]:
    """What has waited since this day (UTC), oldest first, as the table has it now. Ask for the oldest day first.

    Args:
        dynamodb: boto3's resource.
    """
    entries = [entry for digit in range(10) for entry in _partition(dynamodb, table, f"REVIEW#{day}#{digit}")]
    entries.sort(key=lambda entry: str(entry["decided_order"]))
    keys = [{"object": entry["object"], "version": entry["version"]} for entry in entries]
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for start in range(0, len(keys), BATCH):
        asked: Any = {table: {"Keys": keys[start : start + BATCH], "ConsistentRead": True}}
        while asked:  # of items that are large, or in a busy table, some are left for the next call
            answer = dynamodb.batch_get_item(RequestItems=asked)
            found |= {(item["object"], item["version"]): item for item in answer["Responses"].get(table, [])}
            asked = answer.get("UnprocessedKeys")
    items = [found.get((key["object"], key["version"]), {}) for key in keys]
    return [item for item in items if item.get("status") == "REVIEW"]  # the index may be a moment behind


def _partition(dynamodb: Any, table: str, partition: str) -> Iterator[dict[str, Any]]:
    request: dict[str, Any] = {
        "IndexName": "by_status",
        "KeyConditionExpression": "#status_day = :partition",
        "ExpressionAttributeNames": {"#status_day": "status_day"},
        "ExpressionAttributeValues": {":partition": partition},
    }
    while True:
        answer = dynamodb.Table(table).query(**request)
        yield from answer["Items"]
        if "LastEvaluatedKey" not in answer:
            return
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def take(table: Any, item: dict[str, Any], person: str, now: datetime) -> bool:
    """Take the upload that was read, or extend the hold on it. Returns whether the person has it."""
    by = f"person:{person}"
    if item["status"] == "PENDING" or item.get("recused") == by:
        return False
    is_first = "revision" not in item
    revision = "attribute_not_exists(#revision)" if is_first else "#revision = :revision"
    return _written(
        table,
        Key={"object": item["object"], "version": item["version"]},
        UpdateExpression="SET #review_claim = :claim",
        ConditionExpression=f"#status = :status AND {revision} AND {IS_FREE}",
        ExpressionAttributeNames={f"#{name}": name for name in ("status", "revision", "review_claim", "until", "by")},
        ExpressionAttributeValues={
            ":claim": {"by": by, "until": _exact(now + HOLD)},
            ":status": item["status"],
            **({} if is_first else {":revision": item["revision"]}),
            ":now": _exact(now),
            ":by": by,
        },
    )


def release(table: Any, item: dict[str, Any], person: str) -> bool:
    """Give the upload back. Returns whether the person had it."""
    return _written(
        table,
        Key={"object": item["object"], "version": item["version"]},
        UpdateExpression="REMOVE #review_claim",
        ConditionExpression="#review_claim.#by = :by",
        ExpressionAttributeNames={"#review_claim": "review_claim", "#by": "by"},
        ExpressionAttributeValues={":by": f"person:{person}"},
    )


def _written(table: Any, **request: Any) -> bool:
    try:
        table.update_item(**request)
    except ClientError as error:
        if error.response["Error"]["Code"] in LOST:
            return False
        raise
    return True


def _exact(moment: datetime) -> str:
    """A time as items have it. It is compared as text, so any other form holds too long, or not at all."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
