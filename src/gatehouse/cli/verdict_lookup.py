"""Single verdicts of an object, and the newest flagged ones, for as many calls however large the table is."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from gatehouse.cli.throttling import patiently
from gatehouse.cli.verdict_store import Item, python_item
from gatehouse.moderation.status import FLAGGED, Status
from gatehouse.moderation.upload import version_named
from gatehouse.moderation.verdict_item import INDEX, INDEX_PARTITION, INDEX_SORT, OBJECT, VERSION

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: How far back recent verdicts are looked for, today included.
DAYS = 8
#: Recent verdicts looked at, at most.
MOST = 200

_DIGITS = range(10)
#: Objects are spread evenly over a day's partitions: of the newest of all, no partition has many more than its share.
_MOST_A_PARTITION = 40

#: Queries in flight; the client's connection pool is as large.
PARALLEL_QUERIES = 20


class VerdictLookup:
    """Queries of the verdict table and its index.

    Args:
        client: a DynamoDB client with `PARALLEL_QUERIES` connections.
        table: name of the verdict table.
        pause: waits the given number of seconds between tries.
    """

    def __init__(self, client: "DynamoDBClient", table: str, pause: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._table = table
        self._pause = pause

    def newest(self, object_uri: str) -> Item | None:
        """The verdict of an object's newest upload: one Query of one item."""
        return next(self._of_object(object_uri, limit=1), None)

    def of_upload(self, object_uri: str, version: str) -> Item | None:
        """The verdict of this upload of an object, `version` as items and flags have it: one GetItem."""
        key = {OBJECT: {"S": object_uri}, VERSION: {"S": version}}
        item = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        return None if item is None else python_item(item)

    def of_version_id(self, object_uri: str, version_id: str) -> Item | None:
        """The verdict of the upload that made this version of an object; of the newest where several did.

        `null` asks for an upload that no version names, as S3 does.
        """
        wanted = version_named(version_id)
        return next(
            (item for item in self._of_object(object_uri) if version_named(item.get("version_id")) == wanted), None
        )

    def of_object(self, object_uri: str) -> Iterator[Item]:
        """The verdicts of an object's uploads, newest first; the first costs one Query of one item."""
        newest = self.newest(object_uri)
        if newest is not None:
            yield newest
            yield from (item for item in self._of_object(object_uri) if item[VERSION] != newest[VERSION])

    def newest_flagged(self, today: date) -> list[tuple[str, str]]:
        """Object and version of the newest flagged verdicts, `MOST` at most, newest first; from the index.

        The index follows the table within moments. Approvals are not in it.
        """
        found: list[Item] = []
        with ThreadPoolExecutor(PARALLEL_QUERIES) as threads:
            for day in (today - timedelta(days=ago) for ago in range(DAYS)):
                partitions = [partition for status in sorted(FLAGGED) for partition in _partitions(status, day)]
                found += [item for items in threads.map(self._of_partition, partitions) for item in items]
                if len(found) >= MOST:
                    break
        newest = sorted(found, key=lambda item: str(item[INDEX_SORT]), reverse=True)[:MOST]
        return [(item[OBJECT], item[VERSION]) for item in newest]

    def decided_since(self, status: Status, since: str, today: date) -> Iterator[list[Item]]:
        """Object, version and lane of the uploads that ended in this status since then: a list for each day.

        Ten Queries a day, and one more for each megabyte of the index. It follows the table within moments, and
        approvals are not in it.

        Args:
            since: as items have times; ISO 8601, UTC.
            today: the last day.
        """
        with ThreadPoolExecutor(PARALLEL_QUERIES) as threads:
            for day in _days(today, date.fromisoformat(since[:10])):
                found = threads.map(lambda partition: self._partition_since(partition, since), _partitions(status, day))
                yield [item for items in found for item in items]

    def _of_partition(self, partition: str) -> list[Item]:
        answer = self._client.query(**self._in_partition(partition), ScanIndexForward=False, Limit=_MOST_A_PARTITION)
        return [python_item(item) for item in answer["Items"]]

    def _partition_since(self, partition: str, since: str) -> list[Item]:
        request = self._in_partition(partition)
        request["KeyConditionExpression"] += " AND #sort >= :since"
        request["ExpressionAttributeValues"][":since"] = {"S": since}  # of equal times, what has more behind is greater
        found: list[Item] = []
        while True:
            answer = patiently(partial(self._client.query, **request), self._pause)
            found += map(python_item, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return found
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _in_partition(self, partition: str) -> dict[str, Any]:
        """A Query of one partition of the index."""
        return {
            "TableName": self._table,
            "IndexName": INDEX,
            "KeyConditionExpression": "#partition = :partition",
            "ProjectionExpression": "#object, #version, #sort, #lane",
            "ExpressionAttributeNames": {
                "#partition": INDEX_PARTITION,
                "#object": OBJECT,
                "#version": VERSION,
                "#sort": INDEX_SORT,
                "#lane": "lane",
            },
            "ExpressionAttributeValues": {":partition": {"S": partition}},
        }

    def _of_object(self, object_uri: str, limit: int | None = None) -> Iterator[Item]:
        """The object's items, newest first."""
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "#object = :object",
            "ExpressionAttributeNames": {"#object": OBJECT},
            "ExpressionAttributeValues": {":object": {"S": object_uri}},
            "ScanIndexForward": False,
            "ConsistentRead": True,
        }
        if limit is not None:
            request["Limit"] = limit
        for page in self._client.get_paginator("query").paginate(**request):
            yield from (python_item(item) for item in page["Items"])


def _partitions(status: Status, day: date) -> list[str]:
    """A day's partitions of the index for this status; see `index_partition`."""
    return [f"{status}#{day.isoformat()}#{digit}" for digit in _DIGITS]


def _days(last: date, first: date) -> Iterator[date]:
    """The days from the last back to the first."""
    for ago in range((last - first).days + 1):
        yield last - timedelta(days=ago)
