"""Checks values in documents that one part of the pipeline writes for another: a wrong type raises immediately."""

from decimal import Decimal
from typing import TypeGuard, TypeVar

_Kind = TypeVar("_Kind")

#: The exceptions that reading a malformed document can raise: it does not parse, a member is missing or has the wrong
#: type.
MISSHAPEN = (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError)

_TOO_LARGE = 2**63


def is_text(value: object) -> TypeGuard[str]:
    """Whether it is a string that UTF-8, and so DynamoDB, can encode: JSON can escape half of a surrogate pair."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def text(value: object) -> str:
    """The value, if it is text.

    Raises:
        TypeError: it is not, or UTF-8 can't encode it.
    """
    if not is_text(value):
        raise TypeError(f"a {type(value).__name__} where text is expected")
    return value


def optional_text(value: object) -> str | None:
    """The value, if it is text or None.

    Raises:
        TypeError: it is neither.
    """
    return None if value is None else text(value)


def whole(value: object) -> int:
    """The value, if it is a whole number from 0. JSONata may write a decimal point, and DynamoDB returns a Decimal.

    Raises:
        TypeError: it is not.
    """
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float | Decimal)
        or not 0 <= value < _TOO_LARGE  # NaN compares false
        or value != int(value)
    ):
        raise TypeError(f"{shown(value)} where a whole number from 0 is expected")
    return int(value)


def is_confidence(value: object) -> TypeGuard[float]:
    """Whether it is a number from 0 to 100, the range of Rekognition's confidences."""
    return not isinstance(value, bool) and isinstance(value, int | float) and 0 <= value <= 100  # NaN compares false


def confidence(value: object) -> float:
    """The value, if it is a number from 0 to 100.

    Raises:
        TypeError: it is not.
    """
    if not is_confidence(value):
        raise TypeError(f"{shown(value)} where a number from 0 to 100 is expected")
    return float(value)


def share(value: object) -> float:
    """The value, if it is a number from 0 to 1.

    Raises:
        TypeError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:  # NaN compares false
        raise TypeError(f"{shown(value)} where a number from 0 to 1 is expected")
    return float(value)


def of_kind(value: object, kind: type[_Kind]) -> _Kind:
    """The value, if it is an instance of this type.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(value, kind):
        raise TypeError(f"a {type(value).__name__} where a {kind.__name__} is expected")
    return value


def shown(value: object, longest: int = 60) -> str:
    """A value for an error message: shortened, and without raising an error itself."""
    try:
        written = repr(value)
    except (RecursionError, ValueError):  # nested as deeply as JSON allows, or a number of thousands of digits
        return f"a {type(value).__name__}"
    return written if len(written) <= longest else f"{written[: longest - 3]}..."
