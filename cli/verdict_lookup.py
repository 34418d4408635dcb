"""Single verdicts of an object, and the newest flagged ones, for as many calls however large the table is."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from cli.verdict_store import Item, python_item
from lambdas.moderation.upload import version_named
from lambdas.moderation.verdict import FLAGGED, INDEX, INDEX_PARTITION, INDEX_SORT, OBJECT, VERSION

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
    """

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

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
                partitions = [f"{status}#{day.isoformat()}#{digit}" for status in sorted(FLAGGED) for digit in _DIGITS]
                found += [item for items in threads.map(self._of_partition, partitions) for item in items]
                if len(found) >= MOST:
                    break
        newest = sorted(found, key=lambda item: str(item[INDEX_SORT]), reverse=True)[:MOST]
        return [(item[OBJECT], item[VERSION]) for item in newest]

    def _of_partition(self, partition: str) -> list[Item]:
        answer = self._client.query(
            TableName=self._table,
            IndexName=INDEX,
            KeyConditionExpression="#partition = :partition",
            ProjectionExpression="#object, #version, #sort",
            ExpressionAttributeNames={
                "#partition": INDEX_PARTITION,
                "#object": OBJECT,
                "#version": VERSION,
                "#sort": INDEX_SORT,
            },
            ExpressionAttributeValues={":partition": {"S": partition}},
            ScanIndexForward=False,
            Limit=_MOST_A_PARTITION,
        )
        return [python_item(item) for item in answer["Items"]]

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
