"""The verdict table as replay needs it: read whole, in parallel, and rewritten one decision at a time.

Limits: 1 MB a Scan page, 100 keys a BatchGetItem (DynamoDB API reference).
"""

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from gatehouse.cli.errors import CommandError
from gatehouse.cli.throttling import TRIES, is_throttled, patiently, pause_seconds
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import (
    ATTEMPT,
    BATCH_ID,
    CLAIMED_AT,
    DECISION_ATTRIBUTES,
    OBJECT,
    STATUS,
    VERSION,
    decision_item,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]
Identity = tuple[str, str]

#: A page being read: its items, and what the request for the next page has to say.
_Page = Future[tuple[list[Item], dict[str, Any]]]

KEYS_A_READ = 100

#: What it takes to judge again: a claim, an analysis, and the decision that stands.
_NEEDED = (
    OBJECT,
    VERSION,
    STATUS,
    BATCH_ID,
    ATTEMPT,
    CLAIMED_AT,
    "lane",
    "bucket",
    "key",
    "version_id",
    "etag",
    "size",
    "sequencer",
    "uploaded_at",
    "labels",
    "content_types",
    "model_version",
    "min_confidence",
    "adapter",
    "engine",
    "job_id",
    "reasons",
    "policy",
    "decided_at",
    "decided_by",
)

#: Refusals of a conditional write that say "not now, not like this": look at the item again. A conflict is with a
#: transaction on the same item, for example of Results (API reference, UpdateItem).
_LOST = frozenset({"ConditionalCheckFailedException", "TransactionConflictException"})
_DESERIALIZER = TypeDeserializer()


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


def python_item(item: Mapping[str, Any]) -> Item:
    """An item of DynamoDB's as plain Python values."""
    return {name: _DESERIALIZER.deserialize(value) for name, value in item.items()}


def identity_of(item: Item) -> Identity:
    """The item's key: object and version."""
    return item[OBJECT], item[VERSION]


class VerdictStore:
    """The table's items as plain Python values.

    Args:
        client: a DynamoDB client with as many connections as segments are scanned or items rewritten at once.
        table: name of the verdict table.
        pause: waits the given number of seconds between tries.
    """

    def __init__(self, client: "DynamoDBClient", table: str, pause: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._table = table
        self._pause = pause
        self._serialize = TypeSerializer().serialize

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
            "TableName": self._table,
            "TotalSegments": segments,
            "ConsistentRead": consistent,
            **_projection(_NEEDED, names),
        }
        if expression:
            request["FilterExpression"] = expression
            request["ExpressionAttributeValues"] = {name: {"S": value} for name, value in values.items()}

        def page(segment: int, start: dict[str, Any]) -> tuple[list[Item], dict[str, Any]]:
            answer = self._client.scan(**request, Segment=segment, **start)
            last = answer.get("LastEvaluatedKey")
            return [python_item(item) for item in answer["Items"]], {"ExclusiveStartKey": last} if last else {}

        with ThreadPoolExecutor(segments) as threads:
            reading: dict[_Page, tuple[int, dict[str, Any], int]] = {
                threads.submit(page, segment, {}): (segment, {}, 1) for segment in range(segments)
            }
            while reading:
                for future in wait(reading, return_when=FIRST_COMPLETED).done:
                    segment, start, tries = reading.pop(future)
                    try:
                        items, following = future.result()
                    except ClientError as error:
                        if not is_throttled(error, tries):
                            raise
                        # Here and not in the thread: the whole scan slows down, and Ctrl-C need not wait.
                        self._pause(pause_seconds(tries))
                        reading[threads.submit(page, segment, start)] = segment, start, tries + 1
                        continue
                    if following:
                        reading[threads.submit(page, segment, following)] = segment, following, 1
                    yield items

    def read(self, identities: Iterable[Identity], attributes: Sequence[str] = _NEEDED) -> Iterator[list[Item]]:
        """What these uploads' items are now, a hundred at a time, consistently; items that are gone are left out.

        Args:
            identities: each once.
            attributes: what to read of each item.

        Raises:
            CommandError: the table kept leaving some out.
            ClientError: it was refused, or throttled again and again.
        """
        remaining = iter(identities)
        while keys := list(islice(remaining, KEYS_A_READ)):
            yield self._read(keys, attributes)

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
                TableName=self._table,
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

    def _read(self, identities: Sequence[Identity], attributes: Sequence[str]) -> list[Item]:
        found: list[Item] = []
        request: Any = {
            self._table: {
                "Keys": [{OBJECT: {"S": object_}, VERSION: {"S": version}} for object_, version in identities],
                "ConsistentRead": True,
                **_projection(attributes),
            }
        }
        for tries in range(1, TRIES + 1):
            answer = patiently(partial(self._client.batch_get_item, RequestItems=request), self._pause)
            found += [python_item(item) for item in answer["Responses"].get(self._table, [])]
            request = answer.get("UnprocessedKeys")
            if not request:
                return found
            self._pause(pause_seconds(tries))
        raise CommandError("The verdict table is too busy to be read; run the same command again later.")


def _projection(attributes: Sequence[str], names: Mapping[str, str] | None = None) -> dict[str, Any]:
    return {
        "ProjectionExpression": ", ".join(f"#{name}" for name in attributes),
        "ExpressionAttributeNames": {**{f"#{name}": name for name in attributes}, **(names or {})},
    }
