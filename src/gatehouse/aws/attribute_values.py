"""DynamoDB's attribute values, for items of thousands of uploads.

boto3's TypeSerializer refuses floats, and tries all kinds of values one after another, which takes several times as
long.
"""

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

#: Texts and numbers whose values are shared: those of labels and rules come again and again.
_SHARED: Final = 2048


def attribute_value(value: Any) -> dict[str, Any]:
    """A value of an item in the form of DynamoDB's API: text, a number, a truth value, None, a list, or a mapping.

    Parts of it are shared with other values: do not change it.

    Raises:
        TypeError: it is none of these.
    """
    if isinstance(value, str):
        return _text(value)
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int | float | Decimal):
        return _number(value)
    if isinstance(value, Mapping):
        return {"M": {name: attribute_value(entry) for name, entry in value.items()}}
    if isinstance(value, list | tuple):
        return {"L": [attribute_value(entry) for entry in value]}
    raise TypeError(f"an item can't hold a {type(value).__name__}")


@lru_cache(_SHARED, typed=True)
def _text(value: str) -> dict[str, Any]:
    return {"S": value}


@lru_cache(_SHARED, typed=True)
def _number(value: float | Decimal) -> dict[str, Any]:
    return {"N": str(Decimal(repr(value)) if isinstance(value, float) else value)}
