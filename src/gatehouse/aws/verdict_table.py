"""The verdict table: conditional writes in transactions, and what a batch still holds.

Limits: 100 actions and 4 MB a transaction, 100 keys a BatchGetItem (DynamoDB API reference).
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import ClientError

from gatehouse.aws.attribute_values import attribute_value
from gatehouse.moderation.back_off import pause_seconds
from gatehouse.moderation.claim import Claim
from gatehouse.moderation.in_flight import in_flight
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import Upload
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import (
    BATCH_ID,
    CLAIMED_AT,
    HISTORY,
    OBJECT,
    REVIEW_CLAIM,
    STATUS,
    VERSION,
    claim_item,
    verdict_item,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]
Identity = tuple[str, str]

_Entry = TypeVar("_Entry")

ITEMS_A_CALL = 100

#: Reasons of a canceled transaction that another try may not meet again (API reference, TransactWriteItems).
_PASSING = frozenset({"None", "TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})
_TRIES = 8

#: That no reviewer holds a review claim at the moment `:now`.
NOT_HELD = f"(attribute_not_exists(#{REVIEW_CLAIM}) OR #{REVIEW_CLAIM}.#until <= :now)"

#: Attributes that conditions of puts name.
_CONDITIONED = (OBJECT, STATUS, BATCH_ID, CLAIMED_AT, HISTORY, REVIEW_CLAIM, "until")


class VerdictTableBusyError(RuntimeError):
    """The table kept refusing for conflicts or throttling. Nothing is lost: the caller's retry starts over."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A claim that lost because the upload is known: the item that stands in its way."""

    claim: Claim
    item: Item


@dataclass(frozen=True, slots=True)
class _Put:
    """A conditional write. Its item is in DynamoDB's form."""

    item: dict[str, Any]
    condition: str
    values: dict[str, Any]
    return_item: bool


class VerdictTable:
    """The table's operations, each as few calls as DynamoDB allows, of which a few are made at the same time.

    Args:
        client: a DynamoDB client with `IN_FLIGHT` connections or more.
        name: of the table.
        pause: waits the given number of seconds between tries.
    """

    #: Seconds before a second try, at most.
    _first_pause = 0.1

    def __init__(self, client: "DynamoDBClient", name: str, pause: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._name = name
        self._pause = pause
        self._deserialize = TypeDeserializer().deserialize

    def claim(self, claims: Sequence[Claim]) -> tuple[list[Claim], list[Taken]]:
        """Claim uploads nobody knows yet.

        Returns:
            The claims that hold now, and those whose upload has an item already.

        Raises:
            VerdictTableBusyError: try again later.
        """
        condition = f"attribute_not_exists(#{OBJECT})"
        puts = (_Put(_written(claim_item(claim)), condition, {}, return_item=True) for claim in claims)
        items = self._write(puts)
        taken = [Taken(claims[n], item or self._standing(claims[n].upload)) for n, item in items.items()]
        return [claim for n, claim in enumerate(claims) if n not in items], taken

    def reclaim(
        self,
        replacements: Sequence[tuple[Claim, Claim]],
        status: Literal[Status.PENDING, Status.FAILED] = Status.PENDING,
    ) -> list[Claim]:
        """Replace claims of batches that will never finish, or that ended FAILED.

        Args:
            replacements: pairs of the claim that stands and the one to put in its place.
            status: of the items with the claims that stand.

        Returns:
            The new claims that hold now; the others' uploads changed hands or became final meanwhile, or people have
            acted on them.
        """
        rejected = self._write(self._untouched(new, old, status) for old, new in replacements)
        return [new for n, (_, new) in enumerate(replacements) if n not in rejected]

    def pending(self, claims: Iterable[Claim]) -> set[Identity]:
        """Identities (object, version) of the uploads still PENDING under these claims' batches."""
        held = {claim.upload.identity: claim for claim in claims}
        return {
            identity_of(item)
            for items in self.read(held, (OBJECT, VERSION, STATUS, BATCH_ID))
            for item in items
            if (item[STATUS], item[BATCH_ID]) == (Status.PENDING.value, held[identity_of(item)].batch_id)
        }

    def finalize(self, verdicts: Sequence[Verdict], expires_at: int | None) -> list[Verdict]:
        """Write final verdicts over the claims they were reached under.

        Returns:
            The verdicts that now stand; the others' uploads were decided or claimed by someone else meanwhile.
        """
        rejected = self._write(self._held(verdict_item(verdict, expires_at), verdict.claim) for verdict in verdicts)
        return [verdict for n, verdict in enumerate(verdicts) if n not in rejected]

    def _held(self, item: dict[str, Any], claim: Claim, status: Status = Status.PENDING) -> _Put:
        condition = f"#{STATUS} = :status AND #{BATCH_ID} = :batch AND #{CLAIMED_AT} = :claimed"
        values = {":status": status.value, ":batch": claim.batch_id, ":claimed": claim.claimed_at}
        return _Put(_written(item), condition, values, return_item=False)

    def _untouched(self, new: Claim, old: Claim, status: Status) -> _Put:
        """The put of a claim over another one's item, which nobody has acted on, and nobody is looking at now."""
        put = self._held(claim_item(new), old, status)
        return replace(
            put,
            condition=f"{put.condition} AND attribute_not_exists(#{HISTORY}) AND {NOT_HELD}",
            values={**put.values, ":now": new.claimed_at},
        )

    def _write(self, puts: Iterable[_Put]) -> dict[int, dict[str, Any]]:
        """Write all that may be written; return the old items of those whose condition failed, by position."""
        rejected: dict[int, dict[str, Any]] = {}
        for _, failed in in_flight(self._write_together, _chunks(enumerate(puts))):
            rejected.update(failed)
        return rejected

    def _write_together(self, puts: list[tuple[int, _Put]]) -> dict[int, dict[str, Any]]:
        """Write what fits one transaction."""
        rejected: dict[int, dict[str, Any]] = {}
        left = puts
        for attempt in range(_TRIES):
            left, failed, busy = self._transact(left)
            rejected.update(failed)
            if not left:
                return rejected
            if busy:
                self._pause(pause_seconds(attempt, self._first_pause))
        raise VerdictTableBusyError(f"{len(left)} items could not be written after {_TRIES} tries")

    def _transact(self, puts: list[tuple[int, _Put]]) -> tuple[list[tuple[int, _Put]], dict[int, dict[str, Any]], bool]:
        """One transaction: what is left to send again, what was rejected, and whether a pause is due."""
        try:
            self._client.transact_write_items(TransactItems=[{"Put": self._request(put)} for _, put in puts])
        except ClientError as error:
            if error.response["Error"]["Code"] != "TransactionCanceledException":
                raise
            reasons: list[dict[str, Any]] = error.response.get("CancellationReasons", [])  # type: ignore[assignment]
            codes = [reason.get("Code", "None") for reason in reasons]
            if len(codes) != len(puts) or not set(codes) <= _PASSING | {"ConditionalCheckFailed"}:
                raise
            rejected = {
                n: self._python(reason.get("Item", {}))
                for (n, _), reason, code in zip(puts, reasons, codes, strict=True)
                if code == "ConditionalCheckFailed"
            }
            left = [(n, put) for n, put in puts if n not in rejected]
            return left, rejected, bool(set(codes) - {"None", "ConditionalCheckFailed"})
        return [], {}, False

    def _request(self, put: _Put) -> Any:
        names = {f"#{name}": name for name in _CONDITIONED if f"#{name}" in put.condition}
        request: dict[str, Any] = {
            "TableName": self._name,
            "Item": put.item,
            "ConditionExpression": put.condition,
            "ExpressionAttributeNames": names,
        }
        if put.values:
            request["ExpressionAttributeValues"] = {key: attribute_value(value) for key, value in put.values.items()}
        if put.return_item:
            request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        return request

    def read(self, identities: Iterable[Identity], attributes: Sequence[str]) -> Iterator[list[Item]]:
        """What these items are now, a hundred at a time, consistently; those that are gone are left out.

        Args:
            identities: without duplicates.
            attributes: the attributes to read.

        Raises:
            VerdictTableBusyError: the table repeatedly left some unprocessed.
            ClientError: a call failed, or was throttled repeatedly.
        """
        for _, items in in_flight(partial(self._batch_get, attributes), _chunks(identities)):
            yield items

    def _batch_get(self, attributes: Sequence[str], identities: Sequence[Identity]) -> list[Item]:
        found: list[Item] = []
        request: Any = {
            self._name: {
                "Keys": [key_of(*identity) for identity in identities],
                "ConsistentRead": True,
                **projection(attributes),
            }
        }
        for attempt in range(_TRIES):
            answer = self._client.batch_get_item(RequestItems=request)
            found += [self._python(item) for item in answer["Responses"].get(self._name, [])]
            request = answer.get("UnprocessedKeys")
            if not request:
                return found
            self._pause(pause_seconds(attempt, self._first_pause))
        raise VerdictTableBusyError(f"some of {len(identities)} items could not be read after {_TRIES} tries")

    def of_upload(self, object_uri: str, version: str) -> Item | None:
        """The item of this upload of an object, `version` as items and flags have it: one GetItem, consistent."""
        item = self._client.get_item(TableName=self._name, Key=key_of(object_uri, version), ConsistentRead=True).get(
            "Item"
        )
        return None if item is None else self._python(item)

    def items_of(self, object_uri: str, *, limit: int | None = None, attributes: Sequence[str] = ()) -> Iterator[Item]:
        """The items of an object's uploads, newest first, read consistently as they are needed.

        Args:
            limit: items of a Query at most.
            attributes: those to read; empty for all.
        """
        request: dict[str, Any] = {
            "TableName": self._name,
            "KeyConditionExpression": "#object = :object",
            "ExpressionAttributeNames": {},
            "ExpressionAttributeValues": {":object": {"S": object_uri}},
            "ScanIndexForward": False,
            "ConsistentRead": True,
            **(projection(attributes) if attributes else {}),
        }
        request["ExpressionAttributeNames"] = {**request["ExpressionAttributeNames"], "#object": OBJECT}
        if limit is not None:
            request["Limit"] = limit
        for page in self._client.get_paginator("query").paginate(**request):
            yield from (self._python(item) for item in page["Items"])

    def _standing(self, upload: Upload) -> Item:
        item = self.of_upload(*upload.identity)
        if item is None:
            raise VerdictTableBusyError(f"the item that kept {upload.object} from being claimed is gone; try again")
        return item

    def _python(self, item: Mapping[str, Any]) -> Item:
        return {name: self._deserialize(value) for name, value in item.items()}


def _written(item: Item) -> Item:
    return {name: attribute_value(value) for name, value in item.items()}


def identity_of(item: Item) -> Identity:
    """The item's key: object and version."""
    return item[OBJECT], item[VERSION]


def key_of(object_uri: str, version: str) -> dict[str, Any]:
    """The key of an upload's item, as DynamoDB's client takes it."""
    return {OBJECT: {"S": object_uri}, VERSION: {"S": version}}


def projection(attributes: Sequence[str]) -> dict[str, Any]:
    """What asks for these attributes of an item and for no others."""
    return {
        "ProjectionExpression": ", ".join(f"#{name}" for name in attributes),
        "ExpressionAttributeNames": {f"#{name}": name for name in attributes},
    }


def _chunks(entries: Iterable[_Entry]) -> Iterator[list[_Entry]]:
    """As many entries as fit a call at a time, and no sooner than they are asked for."""
    left = iter(entries)
    while chunk := list(islice(left, ITEMS_A_CALL)):
        yield chunk
