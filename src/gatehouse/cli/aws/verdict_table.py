"""The verdict table for operators: searches by object and by day, scans, and rewrites single decisions.

Limits: 1 MB a page of a Scan or a Query (DynamoDB API reference).
"""

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from heapq import merge
from typing import TYPE_CHECKING, Any, Literal

from boto3.dynamodb.types import TypeSerializer
from botocore.exceptions import ClientError

from gatehouse.aws.attribute_values import attribute_value
from gatehouse.aws.verdict_table import Identity, Item, VerdictTable, key_of, projection
from gatehouse.cli.aws.review_hold import ReviewHold
from gatehouse.cli.aws.verdict_change import VerdictChange
from gatehouse.cli.share import WHOLE, Share
from gatehouse.moderation.status import FLAGGED, Status
from gatehouse.moderation.upload import version_named
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import (
    ATTEMPT,
    BATCH_ID,
    CHANGE,
    CLAIMED_AT,
    DECISION_INDEX,
    DECISION_INDEX_PARTITION,
    EXPIRES_AT,
    GATE_ASKED_AT,
    HISTORY,
    INDEX,
    INDEX_PARTITION,
    INDEX_SORT,
    OBJECT,
    RECUSED,
    REVIEW_CLAIM,
    REVISION,
    SAMPLE,
    STATUS,
    VERSION,
)

if TYPE_CHECKING:
    from gatehouse.cli.connection import Connection
    from gatehouse.cli.deployment import Deployment

#: A page that is being read: its items, and the start key of the next page.
_Page = Future[tuple[list[Item], dict[str, Any]]]
#: A page of a Scan: its items, the start key of the next page, and how many items were read for it.
_ScannedPage = tuple[list[Item], dict[str, Any], int]

#: Days for which recent verdicts are read, including today.
DAYS = 8
#: Maximum number of recent verdicts.
MOST = 200

_DIGITS = range(10)
#: Objects are spread evenly over a day's partitions, so no partition has many more of the newest than its share.
_MOST_A_PARTITION = 40

#: Concurrent Queries, and the size of the client's connection pool.
PARALLEL_QUERIES = 20

#: Attributes for judging again: the claim, the analysis, and the current decision.
_NEEDED = (
    *(OBJECT, VERSION, STATUS, BATCH_ID, ATTEMPT, CLAIMED_AT),
    *("lane", "bucket", "key", "version_id", "etag", "size", "sequencer", "listed_after", "uploaded_at"),
    *("labels", "content_types", "model_version", "min_confidence", "adapter", "engine", "job_id"),
    *("reasons", "policy", "decided_at", "decided_by", "decided_by_name", "decision"),
    *(REVISION, CHANGE, HISTORY, RECUSED, REVIEW_CLAIM),
)

#: Attributes of a complete verdict.
WHOLE_VERDICT = (*_NEEDED, "error", INDEX_PARTITION)

#: Entries of an index's partition that one Query gives at most, where they are read as they are needed.
_ENTRIES_A_PAGE = 500

#: Pages of a partition of the index, a megabyte each, that are counted at most: some 20,000 entries.
_COUNTED_PAGES = 10
#: Names of attributes in the condition of such a Query.
_COUNTED_BY = frozenset({"#partition", "#sort"})

#: Refusals of a conditional write that say "not now, not like this": look at the item again. A conflict is with a
#: transaction on the same item, for example of Results (API reference, UpdateItem).
_LOST = frozenset({"ConditionalCheckFailedException", "TransactionConflictException"})

#: Bytes that a read unit reads where a read is eventually consistent (DynamoDB Developer Guide,
#: on-demand-capacity-mode.html). A Scan is rounded up for each page, not for each item.
_BYTES_A_UNIT = 8192


@dataclass(frozen=True, slots=True)
class TableSize:
    """How large the table is, as DynamoDB counted up to six hours ago (API reference, TableDescription)."""

    items: int
    bytes: int

    @property
    def scan_units(self) -> int:
        """Read units of a Scan of the whole table, eventually consistent."""
        return -(-self.bytes // _BYTES_A_UNIT)


@dataclass(frozen=True, slots=True)
class Selection:
    """Selects uploads; the default is all of them.

    Attributes:
        since: uploaded at this time or later; ISO 8601 in UTC with milliseconds, as items have it.
        lane: of this lane only.
        prefix: with keys that start with this only.
        objects: of objects whose `s3://bucket/key` starts with this only, whatever else is in their items.
        statuses: with one of these only; empty takes all.
        decided_since, decided_until: that came into their status from then on, or before then; likewise. What is
            PENDING has not.
        gate_not_asked: that nobody has asked the gate about.
    """

    since: str | None = None
    lane: str | None = None
    prefix: str | None = None
    statuses: tuple[Status, ...] = ()
    decided_since: str | None = None
    decided_until: str | None = None
    gate_not_asked: bool = False
    objects: str | None = None

    def to_filter(self) -> tuple[str, dict[str, str], dict[str, str]]:
        """Filter expression, names and values; the expression is empty if everything is selected."""
        conditions = {
            "uploaded_at": ("#uploaded_at >= :uploaded_at", self.since),
            "lane": ("#lane = :lane", self.lane),
            "key": ("begins_with(#key, :key)", self.prefix),
            OBJECT: (f"begins_with(#{OBJECT}, :{OBJECT})", self.objects),
        }
        given = {name: (text, value) for name, (text, value) in conditions.items() if value}
        texts = [text for text, _ in given.values()]
        names = {f"#{name}": name for name in given}
        values = {f":{name}": str(value) for name, (_, value) in given.items()}
        if self.statuses:
            choices = {f":status{n}": status.value for n, status in enumerate(self.statuses)}
            texts.append(f"#{STATUS} IN ({', '.join(choices)})")
            names[f"#{STATUS}"] = STATUS
            values |= choices
        for sign, name, moment in ((">=", "from", self.decided_since), ("<", "until", self.decided_until)):
            if moment:
                texts.append(f"#decided_at {sign} :decided_{name}")
                names["#decided_at"] = "decided_at"
                values[f":decided_{name}"] = moment
        if self.gate_not_asked:
            texts.append(f"attribute_not_exists(#{GATE_ASKED_AT})")
            names[f"#{GATE_ASKED_AT}"] = GATE_ASKED_AT
        return " AND ".join(texts), names, values


class OperatorsVerdictTable(VerdictTable):
    """Reads that only commands need, and rewrites of decisions."""

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
            connections: the number of threads that use the table at the same time.
            is_patient: see `Connection.client`.
            pause: waits the given number of seconds before unprocessed keys are requested again.
        """
        client = connection.client("dynamodb", connections, is_patient=is_patient)
        return cls(client, deployment.verdict_table, pause)

    def size(self) -> TableSize | None:
        """How large the table is; None for those who may not ask, and do without it."""
        try:
            described = self._client.describe_table(TableName=self._name)["Table"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "AccessDeniedException":
                return None
            raise
        return TableSize(described["ItemCount"], described["TableSizeBytes"])

    def scan(
        self,
        selection: Selection,
        *,
        segments: int,
        consistent: bool,
        attributes: Sequence[str] = _NEEDED,
        share: Share = WHOLE,
        read: Callable[[int], object] = lambda _: None,
    ) -> Generator[list[Item]]:
        """Pages of selected items, as they arrive, each item once; a page may be empty.

        While a page is processed, only the next page of each segment is fetched, so that memory stays bounded for a
        table of any size.

        Args:
            consistent: see everything written before, at twice the price.
            attributes: what to read of each item.
            share: which of the segments; others are read elsewhere.
            read: called with the number of items that a page was read from, selected or not.

        Raises:
            ClientError: a page failed, or was throttled repeatedly.
        """
        expression, names, values = selection.to_filter()
        request: dict[str, Any] = {
            "TableName": self._name,
            "TotalSegments": segments,
            "ConsistentRead": consistent,
            **projection(attributes),
        }
        request["ExpressionAttributeNames"] |= names
        if expression:
            request["FilterExpression"] = expression
            request["ExpressionAttributeValues"] = {name: {"S": value} for name, value in values.items()}

        def page(segment: int, start: dict[str, Any]) -> _ScannedPage:
            answer = self._client.scan(**request, Segment=segment, **start)
            last = answer.get("LastEvaluatedKey")
            following = {"ExclusiveStartKey": last} if last else {}
            return [self._python(item) for item in answer["Items"]], following, answer["ScannedCount"]

        with ThreadPoolExecutor(segments) as threads:
            reading: dict[Future[_ScannedPage], int] = {
                threads.submit(page, segment, {}): segment for segment in share.of(segments)
            }
            while reading:
                for future in wait(reading, return_when=FIRST_COMPLETED).done:
                    segment = reading.pop(future)
                    items, following, scanned = future.result()
                    if following:
                        reading[threads.submit(page, segment, following)] = segment
                    read(scanned)
                    yield items

    def read(self, identities: Iterable[Identity], attributes: Sequence[str] = _NEEDED) -> Iterator[list[Item]]:
        """As the pipeline reads them; all that a verdict is made of, unless other attributes are named."""
        return super().read(identities, attributes)

    def typed(self, object_uri: str, version: str) -> Item | None:
        """An upload's item in DynamoDB's typed form, whatever is in it."""
        item = self.of_upload(object_uri, version)
        return None if item is None else {name: TypeSerializer().serialize(value) for name, value in item.items()}

    def changed_since(self, since: str) -> Iterator[list[Item]]:
        """Pages of items that were changed since then, after their first verdict, in DynamoDB's typed form.

        A Scan of the whole table, for changes that are not recorded anywhere else.

        Args:
            since: ISO 8601, UTC, as items have times.
        """
        pages = self._client.get_paginator("scan").paginate(
            TableName=self._name,
            FilterExpression="attribute_exists(#change) AND #decided_at >= :since",
            ExpressionAttributeNames={"#change": CHANGE, "#decided_at": "decided_at"},
            ExpressionAttributeValues={":since": {"S": since}},
        )
        for page in pages:
            yield list(page["Items"])

    def rewrite(self, before: Verdict, after: Verdict, expires_at: int | None) -> bool:
        """Replace a verdict by a later one. The item's other attributes do not change.

        Args:
            before, after, expires_at: see `VerdictChange.of`.

        Returns:
            False if the item is no longer the one seen, is held by another reviewer (and this is a decision), or is
            part of somebody's transaction. After a lost answer, the SDK's own second try returns False as well: look
            whether the change stands.
        """
        return self._update(before.upload.identity, VerdictChange.of(before, after, expires_at))

    def hold(self, verdict: Verdict, now: datetime) -> bool:
        """Take or extend a review claim.

        Args:
            verdict: with the claim that is wanted; see `gatehouse.moderation.review_hold.held`.

        Returns:
            False if the item is no longer the one seen, or if another reviewer holds it.
        """
        return self._update(verdict.upload.identity, ReviewHold.taken(verdict, now))

    def release(self, identity: Identity, by: str) -> bool:
        """Give an upload back. Returns whether `by`, a `person:<id>`, had it."""
        return self._update(identity, ReviewHold.released(by))

    def _update(self, identity: Identity, change: VerdictChange | ReviewHold) -> bool:
        """Make a conditional write; False if it was refused."""
        try:
            self._client.update_item(
                TableName=self._name,
                Key=key_of(*identity),
                UpdateExpression=change.update,
                ConditionExpression=change.condition,
                ExpressionAttributeNames=change.names,
                ExpressionAttributeValues={name: attribute_value(value) for name, value in change.values.items()},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in _LOST:
                return False
            raise
        return True

    def ask_gate(self, identity: Identity, now: str) -> bool:
        """Have Outcomes compare an upload's tag with its verdict. Returns whether there is such an item.

        The write leaves a record in the stream, in order with all others of the object. A verdict from before the gate
        may have been about to expire, which would close its version.
        """
        try:
            self._client.update_item(
                TableName=self._name,
                Key=key_of(*identity),
                UpdateExpression=f"SET #{GATE_ASKED_AT} = :now REMOVE #{EXPIRES_AT}",
                ConditionExpression=f"attribute_exists(#{STATUS})",
                ExpressionAttributeNames={f"#{name}": name for name in (GATE_ASKED_AT, STATUS, EXPIRES_AT)},
                ExpressionAttributeValues={":now": {"S": now}},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return False
            raise
        return True

    def delete_final(self, identity: Identity) -> bool:
        """Delete a verdict, unless a batch holds the upload. Returns whether it is gone."""
        try:
            self._client.delete_item(
                TableName=self._name,
                Key=key_of(*identity),
                ConditionExpression=f"attribute_not_exists(#{STATUS}) OR #{STATUS} <> :pending",
                ExpressionAttributeNames={f"#{STATUS}": STATUS},
                ExpressionAttributeValues={":pending": {"S": Status.PENDING.value}},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
                return False
            raise
        return True

    def newest(self, object_uri: str) -> Item | None:
        """The verdict of an object's newest upload: one Query of one item."""
        return next(self.items_of(object_uri, limit=1), None)

    def of_version_id(self, object_uri: str, version_id: str) -> Item | None:
        """The verdict of the upload with this version id; of the newest one if there are several.

        As in S3, `null` is for an upload without a version id.
        """
        wanted = version_named(version_id)
        return next(
            (item for item in self.items_of(object_uri) if version_named(item.get("version_id")) == wanted), None
        )

    def of_object(self, object_uri: str) -> Iterator[Item]:
        """The verdicts of an object's uploads, newest first; the first costs one Query of one item."""
        newest = self.newest(object_uri)
        if newest is not None:
            yield newest
            yield from (item for item in self.items_of(object_uri) if item[VERSION] != newest[VERSION])

    def newest_flagged(self, today: date) -> list[tuple[str, str]]:
        """Object and version of the newest flagged verdicts from the index, at most `MOST`, newest first.

        The index is eventually consistent. It does not contain approvals.
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
        """Object, version and lane of the uploads that got this status since then: a list for each day.

        Ten Queries a day, and one more for each megabyte of the index. The index is eventually consistent, and does not
        contain approvals.

        Args:
            since: in the form of items' times; ISO 8601, UTC.
            today: the last day.
        """
        with ThreadPoolExecutor(PARALLEL_QUERIES) as threads:
            for day in _days(today, date.fromisoformat(since[:10])):
                found = threads.map(lambda partition: self._partition_since(partition, since), _partitions(status, day))
                yield [item for items in found for item in items]

    def in_status(self, status: Status, since: str, today: date) -> Generator[Item]:
        """Object, version, lane and index key of the uploads that got this status since then, oldest first.

        At least ten Queries a day. The index is eventually consistent, and does not contain approvals.

        Args:
            since: in the form of items' times; ISO 8601, UTC.
            today: the last day.
        """
        return self._in_order(INDEX, INDEX_PARTITION, lambda day: _partitions(status, day), since, today)

    def samples(self, since: str, today: date) -> Generator[Item]:
        """The same of the samples that were approved since then, and that nobody has looked at yet."""
        return self._in_order(INDEX, INDEX_PARTITION, lambda day: _partitions(SAMPLE, day), since, today)

    def newest_in(self, statuses: Sequence[Status], since: str, today: date) -> Generator[Item]:
        """The same of several statuses, newest first."""

        def partitions(day: date) -> list[str]:
            return [partition for status in statuses for partition in _partitions(status, day)]

        return self._in_order(INDEX, INDEX_PARTITION, partitions, since, today, newest_first=True)

    def count_since(self, status: Status, since: str, today: date) -> tuple[int, bool]:
        """How many uploads came into this status since then and still have it, by the index.

        Ten Queries a day; of each partition some pages are counted, so that the calls stay bounded.

        Returns:
            The count, and whether it is all of them.
        """

        def count(partition: str) -> tuple[int, bool]:
            request = self._since(partition, since)
            del request["ProjectionExpression"]
            request["ExpressionAttributeNames"] = {
                name: value for name, value in request["ExpressionAttributeNames"].items() if name in _COUNTED_BY
            }
            counted = 0
            for _ in range(_COUNTED_PAGES):
                answer = self._client.query(**request, Select="COUNT")
                counted += answer["Count"]
                if "LastEvaluatedKey" not in answer:
                    return counted, True
                request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
            return counted, False

        days = _days(today, date.fromisoformat(since[:10]))
        with ThreadPoolExecutor(PARALLEL_QUERIES) as threads:
            counts = list(threads.map(count, (partition for day in days for partition in _partitions(status, day))))
        return sum(counted for counted, _ in counts), all(whole for _, whole in counts)

    def decided_by_people(self, since: str, today: date) -> Generator[Item]:
        """The same of the uploads that people decided since then and that stand so, whatever their status."""
        return self._in_order(DECISION_INDEX, DECISION_INDEX_PARTITION, _decision_partitions, since, today)

    def _in_order(
        self,
        index: str,
        key: str,
        partitions: Callable[[date], list[str]],
        since: str,
        today: date,
        *,
        newest_first: bool = False,
    ) -> Generator[Item]:
        """The entries of an index, day by day, with at most one page of each partition of two days in memory."""

        def page(partition: str, start: dict[str, Any]) -> tuple[list[Item], dict[str, Any]]:
            request = self._since(partition, since, index, key) | start
            answer = self._client.query(**request, Limit=_ENTRIES_A_PAGE, ScanIndexForward=not newest_first)
            last = answer.get("LastEvaluatedKey")
            return list(map(self._python, answer["Items"])), {"ExclusiveStartKey": last} if last else {}

        with ThreadPoolExecutor(PARALLEL_QUERIES) as threads:

            def entries(partition: str, reading: _Page) -> Iterator[Item]:
                while True:
                    items, following = reading.result()
                    yield from items
                    if not following:
                        return
                    reading = threads.submit(page, partition, following)

            def begun(day: date) -> list[Iterator[Item]]:
                return [entries(partition, threads.submit(page, partition, {})) for partition in partitions(day)]

            ahead: list[Iterator[Item]] = []
            days = list(_days(today, date.fromisoformat(since[:10])))
            for day in days if newest_first else reversed(days):
                current, ahead = ahead, begun(day)
                yield from merge(*current, key=_place, reverse=newest_first)
            yield from merge(*ahead, key=_place, reverse=newest_first)

    def _of_partition(self, partition: str) -> list[Item]:
        answer = self._client.query(**self._in_partition(partition), ScanIndexForward=False, Limit=_MOST_A_PARTITION)
        return [self._python(item) for item in answer["Items"]]

    def _partition_since(self, partition: str, since: str) -> list[Item]:
        request = self._since(partition, since)
        found: list[Item] = []
        while True:
            answer = self._client.query(**request)
            found += map(self._python, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return found
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def _since(self, partition: str, since: str, index: str = INDEX, key: str = INDEX_PARTITION) -> dict[str, Any]:
        """A Query of the entries that were added to one partition of an index since then."""
        request = self._in_partition(partition, index, key)
        request["KeyConditionExpression"] += " AND #sort >= :since"
        request["ExpressionAttributeValues"][":since"] = {"S": since}  # a key of the same time has a suffix: greater
        return request

    def _in_partition(self, partition: str, index: str = INDEX, key: str = INDEX_PARTITION) -> dict[str, Any]:
        """A Query of one partition of an index, by the names of the index and its partition key."""
        return {
            "TableName": self._name,
            "IndexName": index,
            "KeyConditionExpression": "#partition = :partition",
            "ProjectionExpression": "#object, #version, #sort, #lane",
            "ExpressionAttributeNames": {
                "#partition": key,
                "#object": OBJECT,
                "#version": VERSION,
                "#sort": INDEX_SORT,
                "#lane": "lane",
            },
            "ExpressionAttributeValues": {":partition": {"S": partition}},
        }


def _partitions(group: Status | Literal["SAMPLE"], day: date) -> list[str]:
    """A day's partitions of the status index for this status, or for samples; see `index_partition`."""
    return [f"{group}#{day.isoformat()}#{digit}" for digit in _DIGITS]


def _decision_partitions(day: date) -> list[str]:
    """A day's partitions of the index of decisions; see `decision_partition`."""
    return [f"{day.isoformat()}#{digit}" for digit in _DIGITS]


def _place(entry: Item) -> str:
    """An entry's sort key in its index, which begins with the time when it was added."""
    return str(entry[INDEX_SORT])


def _days(last: date, first: date) -> Iterator[date]:
    """The days from the last one back to the first."""
    for ago in range((last - first).days + 1):
        yield last - timedelta(days=ago)
