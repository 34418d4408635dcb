"""Reads records of the verdict table's stream in the form that Lambda passes on (Developer Guide, with-ddb.html)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from gatehouse.moderation.document import of_kind, text
from gatehouse.moderation.verdict_item import OBJECT, VERSION

_deserialize = TypeDeserializer().deserialize

#: The name of a deletion's record (DynamoDB Streams API reference, Record).
_REMOVED = "REMOVE"


@dataclass(frozen=True, slots=True)
class ItemChange:
    """One write of an item.

    Attributes:
        before: the item before the write; None if it is new, or if the record does not contain it.
        after: the item after the write; None if it was deleted.
    """

    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class UnreadableRecord:
    """A record whose images can't be read.

    Attributes:
        object, version: the item's key.
    """

    object: str
    version: str
    problem: str


def sequence_numbers(event: Mapping[str, Any]) -> list[str]:
    """The sequence number of each record in an invocation, in order.

    Raises:
        KeyError, TypeError: it is not an event from a stream.
    """
    return [text(record["dynamodb"]["SequenceNumber"]) for record in _records(event)]


def read_records(event: Mapping[str, Any]) -> list[ItemChange | UnreadableRecord]:
    """What each record of an invocation says, in order.

    Raises:
        KeyError, TypeError: it is not an event from a stream.
    """
    return [_change(record) for record in _records(event)]


def _records(event: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return of_kind(event["Records"], list)


def _change(record: Mapping[str, Any]) -> ItemChange | UnreadableRecord:
    change = record["dynamodb"]
    try:
        before, after = (change.get(image) for image in ("OldImage", "NewImage"))
        if after is None and record["eventName"] != _REMOVED:
            raise KeyError("NewImage")
        return ItemChange(*(None if image is None else _item(image) for image in (before, after)))
    except (KeyError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        object_uri, version = (text(change["Keys"][name]["S"]) for name in (OBJECT, VERSION))
        return UnreadableRecord(object_uri, version, f"not a record of a change: {error!r}")


def _item(image: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _deserialize(value) for name, value in image.items()}
