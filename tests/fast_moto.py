"""Moto's DynamoDB without work that grows with the square of an item, and one request at a time.

The test suite reads many items. Of moto 5: a projection converts the whole item once for each attribute it selects,
and each value of an item is looked up under all names that botocore's model of AttributeValue has, which are ten. And a
transaction copies tables, to be able to undo it, while other threads change them.
"""

from threading import RLock
from typing import Any

import pytest
from moto.core.botocore_stubber import BotocoreStubber
from moto.core.serialize import BaseJSONSerializer
from moto.dynamodb.models.dynamo_type import DynamoType, Item

_project = Item.project
_serialize = BaseJSONSerializer._serialize_type_structure
_process = BotocoreStubber.process_request
_one_at_a_time = RLock()


def make_fast(patch: pytest.MonkeyPatch) -> None:
    """Replace the slow functions; what they answer stays the same."""
    patch.setattr(Item, "project", _selected)
    patch.setattr(BaseJSONSerializer, "_serialize_type_structure", _as_it_is)
    patch.setattr(BotocoreStubber, "process_request", _alone)


def _alone(self: BotocoreStubber, request: Any) -> Any:
    with _one_at_a_time:
        return _process(self, request)


def _selected(item: Item, expressions: list[list[str]]) -> Item:
    if any(len(path) > 1 or "[" in path[0] for path in expressions):
        return _project(item, expressions)
    found = Item(item.hash_key, item.range_key, {})
    selected = {path[0]: item.attrs[path[0]] for path in expressions if path[0] in item.attrs}
    dict.update(found.attrs, selected)  # past the check of its size, which it has passed
    return found


def _as_it_is(self: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
    if shape.name == "AttributeValue" and isinstance(value, dict | DynamoType):
        serialized[key] = _plain(value)
    else:
        _serialize(self, serialized, value, shape, key)


def _plain(value: Any) -> Any:
    if isinstance(value, DynamoType):
        return _plain(value.to_regular_json())
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value
