"""What the pipeline emits, held against the schemas in docs/contracts.

The published schemas are open: readers ignore members that they do not know. Here they are closed, so that nothing is
emitted that no schema describes.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "contracts"
FLAG, EVENT, ITEM = "flag", "event", "verdict-item"
NAMES = (FLAG, EVENT, ITEM)


def schema(name: str) -> dict[str, Any]:
    """A published schema."""
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.schema.json").read_text("utf-8"))
    return found


def problems(name: str, document: Any) -> list[str]:
    """Where a document does not keep to a schema, a line each."""
    errors = sorted(validator(name).iter_errors(document), key=lambda error: str(error.json_path))
    return [f"{error.json_path}: {error.message[:200]}" for error in errors]


def check_flag(text: str) -> None:
    """Fail where a flag's body breaks its schema."""
    _check(FLAG, json.loads(text))


def check_event(document: Mapping[str, Any]) -> None:
    """Fail where an event, as a rule's target gets it, breaks its schema."""
    _check(EVENT, document)


def check_items(items: Iterable[Mapping[str, Any]]) -> None:
    """Fail where items of the verdict table, as boto3 reads them, break their schema."""
    for item in items:
        _check(ITEM, plain(item))


def plain(value: Any) -> Any:
    """A value of an item as JSON has it."""
    match value:
        case Decimal():
            return int(value) if value == int(value) else float(value)
        case Mapping():
            return {name: plain(entry) for name, entry in value.items()}
        case list():
            return [plain(entry) for entry in value]
    return value


@cache
def validator(name: str, *, is_closed: bool = True) -> "Draft202012Validator":
    """Of a schema, which may refer to the others by their ids."""
    from jsonschema import Draft202012Validator  # takes a while to import
    from referencing import Registry, Resource

    schemas = {other: schema(other) for other in NAMES}
    if is_closed:
        schemas = {other: _closed(found) for other, found in schemas.items()}
    registry: Registry[Any] = [Resource.from_contents(found) for found in schemas.values()] @ Registry()
    return Draft202012Validator(schemas[name], registry=registry, format_checker=Draft202012Validator.FORMAT_CHECKER)


def _closed(part: Any) -> Any:
    """A schema with every object in it closed; the branches of conditions describe no object of their own."""
    if isinstance(part, Sequence) and not isinstance(part, str):
        return [_closed(entry) for entry in part]
    if not isinstance(part, Mapping):
        return part
    inner = {name: value if name == "allOf" else _closed(value) for name, value in part.items()}
    return {**inner, "additionalProperties": False} if part.get("type") == "object" and "properties" in part else inner


def _check(name: str, document: Any) -> None:
    found = problems(name, document)
    assert not found, f"breaks docs/contracts/{name}.schema.json: {'; '.join(found)}"
