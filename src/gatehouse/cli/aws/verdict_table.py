"""The verdict table as operators need it: searched by object and by day, read whole, rewritten decision by decision.

Limits: 1 MB a page of a Scan or a Query (DynamoDB API reference).
"""

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from gatehouse.aws.verdict_table import Identity, Item, VerdictTable, projection
from gatehouse.moderation.status import FLAGGED, Status
from gatehouse.moderation.upload import version_named
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import (
    ATTEMPT,
    BATCH_ID,
    CLAIMED_AT,
    DECISION_ATTRIBUTES,
    INDEX,
    INDEX_PARTITION,
    INDEX_SORT,
    OBJECT,
    STATUS,
    VERSION,
    decision_item,
)

if TYPE_CHECKING:
    from gatehouse.cli.connection import Connection
    from gatehouse.cli.deployment import Deployment

#: A page being read: its items, and what the request for the next page has to say.
_Page = Future[tuple[list[Item], dict[str, Any]]]

#: How far back recent verdicts are looked for, today included.
DAYS = 8
#: Recent verdicts looked at, at most.
MOST = 200

_DIGITS = range(10)
#: Objects are spread evenly over a day's partitions: of the newest of all, no partition has many more than its share.
_MOST_A_PARTITION = 40

#: Queries in flight; the client's connection pool is as large.
PARALLEL_QUERIES = 20

#: What it takes to judge again: a claim, an analysis, and the decision that stands.
_NEEDED = (
    *(OBJECT, VERSION, STATUS, BATCH_ID, ATTEMPT, CLAIMED_AT),
    *("lane", "bucket", "key", "version_id", "etag", "size", "sequencer", "uploaded_at"),
    *("labels", "content_types", "model_version", "min_confidence", "adapter", "engine", "job_id"),
    *("reasons", "policy", "decided_at", "decided_by"),
)

#: Refusals of a conditional write that say "not now, not like this": look at the item again. A conflict is with a
#: transaction on the same item, for example of Results (API reference, UpdateItem).
_LOST = frozenset({"ConditionalCheckFailedException", "TransactionConflictException"})


@dataclass(frozen=True, slots=True)
class Selection:
    """Which uploads to look at; the default is all of them.

    Attributes:
        since: uploaded at this time or later; ISO 8601 in UTC with milliseconds, as items have it.
        lane: of this lane only.
        prefix: with keys that start with this only.
    """

    since: str | None = None
    lane: str | None = None
    prefix: str | None = None

    def to_filter(self) -> tuple[str, dict[str, str], dict[str, str]]:
        """Filter expression, names and values; the expression is empty where everything is selected."""
        conditions = {
            "uploaded_at": ("#uploaded_at >= :uploaded_at", self.since),
            "lane": ("#lane = :lane", self.lane),
            "key": ("begins_with(#key, :key)", self.prefix),
        }
        given = {name: (text, value) for name, (text, value) in conditions.items() if value}
        return (
            " AND ".join(text for text, _ in given.values()),
            {f"#{name}": name for name in given},
            {f":{name}": value for name, (_, value) in given.items()},
        )


class OperatorsVerdictTable(VerdictTable):
    """Reads what no function asks for, and rewrites decisions."""

    _first_pause = 0.5

    @classmethod
    def of(
        cls,
        connection: "Connection",
        deployment: "Deployment",
        connections: int = 10,
        *,
        is_patient: bool = True,
        pause: Callable[[float], None] = time.sleep,
    ) -> "OperatorsVerdictTable":
        """The table of a deployment.

        Args:
            connections: as many as threads will use the table at once.
            is_patient: see `Connection.client`.
            pause: waits the given number of seconds before what was left out is asked for again.
        """
        client = connection.client("dynamodb", connections, is_patient=is_patient)
        return cls(client, deployment.verdict_table, pause)

    def scan(self, selection: Selection, *, segments: int, consistent: bool) -> Generator[list[Item]]:
        """Pages of selected items, as they arrive, each item once; a page may be empty.

        While one page is worked on, the next of each segment is fetched, and no more: memory stays bounded however
        large the table is.

        Args:
            consistent: see everything written before, at twice the price.

        Raises:
            ClientError: a page was refused, or throttled again and again.
        """
        expression, names, values = selection.to_filter()
        request: dict[str, Any] = {
            "TableName": self._name,
            "TotalSegments": segments,
            "ConsistentRead": consistent,
            **projection(_NEEDED),
        }
        request["ExpressionAttributeNames"] |= names
        if expression:
            request["FilterExpression"] = expression
            request["ExpressionAttributeValues"] = {name: {"S": value} for name, value in values.items()}

        def page(segment: int, start: dict[str, Any]) -> tuple[list[Item], dict[str, Any]]:
            answer = self._client.scan(**request, Segment=segment, **start)
            last = answer.get("LastEvaluatedKey")
            return [self._python(item) for item in answer["Items"]], {"ExclusiveStartKey": last} if last else {}

        with ThreadPoolExecutor(segments) as threads:
            reading: dict[_Page, int] = {threads.submit(page, segment, {}): segment for segment in range(segments)}
            while reading:
                for future in wait(reading, return_when=FIRST_COMPLETED).done:
                    segment = reading.pop(future)
                    items, following = future.result()
                    if following:
                        reading[threads.submit(page, segment, following)] = segment
                    yield items

    def read(self, identities: Iterable[Identity], attributes: Sequence[str] = _NEEDED) -> Iterator[list[Item]]:
        """What these uploads' items are now, a hundred at a time, consistently; items that are gone are left out.

        Args:
            identities: each once.
            attributes: what to read of each item.

        Raises:
            VerdictTableBusyError: the table kept leaving some out.
            ClientError: it was refused, or throttled again and again.
        """
        return self._pages(identities, attributes)

    def rewrite(self, before: Verdict, after: Verdict) -> bool:
        """Put a new decision in the place of the one seen; everything else of the item stays as it is.

        Returns:
            False if the item no longer carries exactly the decision seen, or is part of somebody's transaction.
        """
        decision = decision_item(after)
        removed = [name for name in DECISION_ATTRIBUTES if name not in decision]
        update = "SET " + ", ".join(f"#{name} = :{name}" for name in decision)
        if removed:
            update += " REMOVE " + ", ".join(f"#{name}" for name in removed)
        seen = {
            f"#{STATUS}": before.status.value,
            "#decided_at": before.decided_at,
            "#decided_by": before.decided_by,
            "#policy.#hash": before.policy.hash if before.policy else None,
        }
        values = {f":{name}": value for name, value in decision.items()}
        values |= {f":seen{n}": value for n, value in enumerate(seen.values())}
        try:
            self._client.update_item(
                TableName=self._name,
                Key={OBJECT: {"S": before.upload.object}, VERSION: {"S": before.upload.version}},
                UpdateExpression=update,
                ConditionExpression=" AND ".join(f"{path} = :seen{n}" for n, path in enumerate(seen)),
                ExpressionAttributeNames={f"#{name}": name for name in (*DECISION_ATTRIBUTES, "hash")},
                ExpressionAttributeValues={name: self._serialize(value) for name, value in values.items()},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in _LOST:
                return False
            raise
        return True

    def newest(self, object_uri: str) -> Item | None:
        """The verdict of an object's newest upload: one Query of one item."""
        return next(self._of_object(object_uri, limit=1), None)

    def of_upload(self, object_uri: str, version: str) -> Item | None:
        """The verdict of this upload of an object, `version` as items and flags have it: one GetItem."""
        key = {OBJECT: {"S": object_uri}, VERSION: {"S": version}}
        item = self._client.get_item(TableName=self._name, Key=key, ConsistentRead=True).get("Item")
        return None if item is None else self._python(item)

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
        return [self._python(item) for item in answer["Items"]]

    def _partition_since(self, partition: str, since: str) -> list[Item]:
        request = self._in_partition(partition)
        request["KeyConditionExpression"] += " AND #sort >= :since"
        request["ExpressionAttributeValues"][":since"] = {"S": since}  # of equal times, what has more behind is greater
        found: list[Item] = []
        while True:
            answer = self._client.query(**request)
            found += map(self._python, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return found
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _in_partition(self, partition: str) -> dict[str, Any]:
        """A Query of one partition of the index."""
        return {
            "TableName": self._name,
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
            "TableName": self._name,
            "KeyConditionExpression": "#object = :object",
            "ExpressionAttributeNames": {"#object": OBJECT},
            "ExpressionAttributeValues": {":object": {"S": object_uri}},
            "ScanIndexForward": False,
            "ConsistentRead": True,
        }
        if limit is not None:
            request["Limit"] = limit
        for page in self._client.get_paginator("query").paginate(**request):
            yield from (self._python(item) for item in page["Items"])


def _partitions(status: Status, day: date) -> list[str]:
    """A day's partitions of the index for this status; see `index_partition`."""
    return [f"{status}#{day.isoformat()}#{digit}" for digit in _DIGITS]


def _days(last: date, first: date) -> Iterator[date]:
    """The days from the last back to the first."""
    for ago in range((last - first).days + 1):
        yield last - timedelta(days=ago)
