"""Reads a fault's JSON document, field by field."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from gatehouse.moderation.document import shown

Document = Mapping[str, Any]
#: Raises `FaultError` if a field can't have this value.
Check = Callable[[str, object], None]


class FaultError(ValueError):
    """A fault can't be armed. The message says what to send instead."""


def read(
    document: Document, checks: Mapping[str, Check], known: Collection[str], required: Collection[str], what: str
) -> dict[str, Any]:
    """The fields of a document, with lists as tuples.

    Args:
        checks: the fields' checks, by name; all `known` fields have one.
        known: the allowed fields.
        required: the required fields.
        what: the document's name in errors.

    Raises:
        FaultError: a field is unknown, missing, or can't have its value.
    """
    if unknown := sorted(set(document) - set(known)):
        raise FaultError(f"Unknown: {', '.join(unknown)}. {what} has {', '.join(sorted(known))}.")
    if missing := sorted(set(required) - set(document)):
        raise FaultError(f"Missing: {', '.join(missing)}. {what} needs {', '.join(sorted(required))}.")
    for name, value in document.items():
        checks[name](name, value)
    return {name: tuple(value) if isinstance(value, list) else value for name, value in document.items()}


def text(name: str, value: object) -> None:
    """A string that is not empty."""
    if not isinstance(value, str) or not value:
        raise FaultError(f"{name} must be a string that is not empty, not {shown(value)}.")


def count(name: str, value: object, least: int = 1) -> None:
    """A whole number."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise FaultError(f"{name} must be a whole number from {least}, not {shown(value)}.")


def seconds(name: str, value: object) -> None:
    """A duration, at most a day."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 86_400:
        raise FaultError(f"{name} must be a number of seconds from 0 to 86400, not {shown(value)}.")


def one_of(choices: Iterable[str]) -> Check:
    """One of some strings."""
    known = tuple(choices)

    def check(name: str, value: object) -> None:
        if not isinstance(value, str) or value not in known:
            raise FaultError(f"{name} must be one of {', '.join(known)}, not {shown(value)}.")

    return check


def list_of(check_element: Check) -> Check:
    """A list that is not empty."""

    def check(name: str, value: object) -> None:
        if not isinstance(value, list) or not value:
            raise FaultError(f"{name} must be a list that is not empty, not {shown(value)}.")
        for element in value:
            check_element(f"Each of {name}", element)

    return check
