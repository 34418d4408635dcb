"""What DynamoDB and SNS take: the bounds that whatever a fuzzed input makes must keep.

Sources: DynamoDB Developer Guide, Constraints.html (an item has at most 400 KB, a partition key 1 to 2,048 bytes, a
sort key 1 to 1,024, a number 38 digits and a magnitude from 1E-130 below 1E+126, nesting 32 levels); SNS API reference,
PublishBatch (262,144 bytes) and MessageAttributeValue (no empty value).
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import TypeSerializer

from gatehouse.aws.flag_topic import MAX_BYTES, message_attributes, message_size
from gatehouse.moderation.flag import Flag
from gatehouse.moderation.verdict_item import INDEX_PARTITION, INDEX_SORT, OBJECT, VERSION

_KEYS = {OBJECT: 2048, VERSION: 1024, INDEX_PARTITION: 2048, INDEX_SORT: 1024}
_ITEM_BYTES = 400 * 1024
_LEAST, _MOST = Decimal("1E-130"), Decimal("1E+126")

_serialize = TypeSerializer().serialize


def assert_storable(item: Mapping[str, Any]) -> None:
    """The table takes the item."""
    for name, longest in _KEYS.items():
        if name in item:
            assert 1 <= len(item[name].encode()) <= longest, f"{name} does not fit a key"
    size = sum(len(name.encode()) + _size(_serialize(value), 1) for name, value in item.items())
    assert size <= _ITEM_BYTES, f"an item of {size} bytes"


def assert_publishable(flag: Flag) -> None:
    """The topic takes the message, even if it is raw delivery to a queue that reads it."""
    assert flag.body.isascii()
    assert message_size(flag) <= MAX_BYTES, f"a flag of {message_size(flag)} bytes"
    assert len(flag.attributes) <= 10
    for name, _, value in message_attributes(flag):
        assert value.strip(), f"{name} is empty"
        assert value.isprintable(), f"{name} has a character that SQS refuses"


def _size(value: Mapping[str, Any], depth: int) -> int:
    """Bytes of a value as the wire has it, or a bit more."""
    assert depth <= 32, "nested too deep"
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        number = Decimal(content)
        assert len(number.as_tuple().digits) <= 38, f"{content} has more than 38 digits"
        assert number == 0 or _LEAST <= abs(number) < _MOST, f"{content} is out of range"
        return len(content) + 2
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + _size(one, depth + 1) for name, one in content.items())
    if kind == "L":
        return 3 + sum(1 + _size(one, depth + 1) for one in content)
    assert kind in ("BOOL", "NULL"), f"an attribute of kind {kind}"
    return 1
