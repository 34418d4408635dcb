"""Matches the filter patterns of an event source mapping with a stream's records.

AWS: "Lambda supports the same set of syntax and rules as Amazon EventBridge"; a record must have all the fields that a
pattern names, and one of the values listed for each; a pattern that is not valid JSON is refused when the mapping is
created (Lambda Developer Guide, invocation-eventfiltering.html). The pattern is matched with DynamoDB's typed JSON
(with-ddb-filtering.html). EventBridge: `exists` works on leaves only; in a list, one element must match
(eb-event-patterns-content-based-filtering.html and eb-event-patterns-arrays.html, from memory).

DynamoDB's numbers are strings there (`{"N": "5"}`), so `numeric` does not match them (from memory). AWS documents that
a mapping of a stream filters only by `dynamodb`, but CDK's own examples filter by `eventName`: here both work.
"""

import json
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from operator import eq, ge, gt, le, lt
from typing import Any

#: Whether a record matches.
Matches = Callable[[Mapping[str, Any]], bool]
_Test = Callable[[Any], bool]

_COMPARISONS: Mapping[object, Callable[[float, float], bool]] = {"=": eq, ">": gt, ">=": ge, "<": lt, "<=": le}


class FilterError(ValueError):
    """A filter pattern that AWS refuses."""


@lru_cache(maxsize=256)
def compiled(pattern: str) -> Matches:
    """What a pattern matches.

    Raises:
        FilterError: it is not valid.
    """
    try:
        document = json.loads(pattern)
    except (TypeError, ValueError) as error:
        raise FilterError(f"not JSON: {error}") from error
    return _fields(document)


def _fields(pattern: object) -> Matches:
    if not isinstance(pattern, dict) or not pattern:
        raise FilterError("a pattern is an object with fields")
    tests = [_alternatives(rule) if name == "$or" else _field(name, rule) for name, rule in pattern.items()]
    return lambda record: all(test(record) for test in tests)


def _alternatives(patterns: object) -> Matches:
    if not isinstance(patterns, list) or len(patterns) < 2:
        raise FilterError("$or has a list of at least two patterns")
    tests = [_fields(pattern) for pattern in patterns]
    return lambda record: any(test(record) for test in tests)


def _field(name: str, rule: object) -> Matches:
    if isinstance(rule, dict):
        inner = _fields(rule)
        return lambda record: any(inner(child) for child in _children(record, name))
    if not isinstance(rule, list) or not rule:
        raise FilterError(f"{name} has a list of values, or an object")
    tests = [_value(value) for value in rule]
    return lambda record: any(test(_leaves(record, name)) for test in tests)


def _children(record: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """The objects in a field; an empty one if there is none, in which nothing exists."""
    return [child for child in _elements(record.get(name)) if isinstance(child, dict)] or [{}]


def _leaves(record: Mapping[str, Any], name: str) -> list[Any]:
    """The values in a field that are not objects."""
    if name not in record:
        return []
    return [leaf for leaf in _elements(record[name]) if not isinstance(leaf, dict)]


def _elements(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _value(rule: object) -> Callable[[list[Any]], bool]:
    """The test that a rule applies to the values in a field."""
    if isinstance(rule, dict) and set(rule) == {"exists"}:
        if not isinstance(rule["exists"], bool):
            raise FilterError("exists is true or false")
        return bool if rule["exists"] else lambda leaves: not leaves
    test = _comparison(rule)
    return lambda leaves: any(test(leaf) for leaf in leaves)


def _comparison(rule: object) -> _Test:
    if not isinstance(rule, dict):
        return partial(_equal, rule)
    if len(rule) != 1:
        raise FilterError("a rule has one operator")
    [(operator, operand)] = rule.items()
    if operator == "anything-but":
        return _anything_but(operand)
    if operator == "numeric":
        return _numeric(operand)
    return _text(operator, operand)


def _equal(wanted: object, leaf: object) -> bool:
    return type(wanted) is type(leaf) and wanted == leaf


def _anything_but(operand: object) -> _Test:
    refused = [_comparison(one) for one in (operand if isinstance(operand, list) else [operand])]
    return lambda leaf: not any(test(leaf) for test in refused)


def _numeric(operand: object) -> _Test:
    if not isinstance(operand, list) or not operand or len(operand) % 2:
        raise FilterError("numeric has pairs of a comparison and a number")
    bounds = []
    for sign, bound in zip(operand[::2], operand[1::2], strict=True):
        if sign not in _COMPARISONS or not _is_number(bound):
            raise FilterError("numeric has pairs of a comparison and a number")
        bounds.append((_COMPARISONS[sign], bound))
    return lambda leaf: _is_number(leaf) and all(compare(leaf, bound) for compare, bound in bounds)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(operator: str, operand: object) -> _Test:
    if not isinstance(operand, str):
        raise FilterError(f"{operator} has a text")
    if operator == "prefix":
        return lambda leaf: isinstance(leaf, str) and leaf.startswith(operand)
    if operator == "suffix":
        return lambda leaf: isinstance(leaf, str) and leaf.endswith(operand)
    if operator == "equals-ignore-case":
        return lambda leaf: isinstance(leaf, str) and leaf.casefold() == operand.casefold()
    raise FilterError(f"{operator} is not an operator")
