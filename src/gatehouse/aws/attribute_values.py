"""DynamoDB's attribute values, for items of thousands of uploads.

boto3's TypeSerializer refuses floats, and tries all kinds of values one after another, which takes several times as
long.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any


def attribute_value(value: Any) -> dict[str, Any]:
    """A value of an item in the form of DynamoDB's API: text, a number, a truth value, None, a list, or a mapping.

    Raises:
        TypeError: it is none of these.
    """
    if isinstance(value, str):
        return {"S": value}
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int | Decimal):
        return {"N": str(value)}
    if isinstance(value, float):
        return {"N": str(Decimal(repr(value)))}
    if isinstance(value, Mapping):
        return {"M": {name: attribute_value(entry) for name, entry in value.items()}}
    if isinstance(value, list | tuple):
        return {"L": [attribute_value(entry) for entry in value]}
    raise TypeError(f"an item can't hold a {type(value).__name__}")
