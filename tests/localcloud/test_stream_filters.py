"""Filter patterns of event source mappings, matched with records of a stream."""

import json
from typing import Any

import pytest

from localcloud.patches.stream_filters import FilterError, compiled

RECORD = {
    "eventName": "MODIFY",
    "dynamodb": {
        "Keys": {"key": {"S": "a/b.jpg"}},
        "NewImage": {
            "status": {"S": "REVIEW"},
            "revision": {"N": "5"},
            "shown": {"BOOL": True},
            "gone": {"NULL": True},
            "note": {"S": ""},
            "labels": {"L": [{"S": "Smoking"}, {"M": {"name": {"S": "Alcohol"}}}]},
            "tags": {"SS": ["x", "y"]},
        },
        "OldImage": {"status": {"S": "PENDING"}},
        "SizeBytes": 12,
    },
}


def new(name: str, rule: Any) -> dict[str, Any]:
    return {"dynamodb": {"NewImage": {name: rule}}}


MATCHING = [
    {"eventName": ["MODIFY"]},
    {"eventName": ["INSERT", "MODIFY"]},
    new("status", {"S": ["REVIEW"]}),
    new("status", {"S": [{"anything-but": ["PENDING", "BLOCKED"]}]}),
    new("status", {"S": [{"anything-but": "PENDING"}]}),
    new("status", {"S": [{"anything-but": {"prefix": "PEN"}}]}),
    new("status", {"S": [{"prefix": "RE"}]}),
    new("status", {"S": [{"suffix": "EW"}]}),
    new("status", {"S": [{"equals-ignore-case": "review"}]}),
    new("status", {"S": ["BLOCKED", {"exists": True}]}),
    new("revision", {"N": ["5"]}),
    new("revision", {"N": [{"exists": True}]}),
    new("shown", {"BOOL": [True]}),
    new("note", {"S": [""]}),
    new("labels", {"L": {"S": ["Smoking"]}}),
    new("labels", {"L": {"M": {"name": {"S": ["Alcohol"]}}}}),
    new("tags", {"SS": ["y"]}),
    new("other", {"S": [{"exists": False}]}),
    {"dynamodb": {"Nothing": {"at": {"S": [{"exists": False}]}}}},
    {"dynamodb": {"SizeBytes": [{"numeric": [">", 10, "<=", 12]}]}},
    {"dynamodb": {"SizeBytes": [{"numeric": ["=", 12]}]}},
    {"dynamodb": {"NewImage": {"status": {"S": ["REVIEW"]}}, "OldImage": {"status": {"S": ["PENDING"]}}}},
    {"$or": [{"eventName": ["REMOVE"]}, new("status", {"S": ["REVIEW"]})]},
]
OTHERS = [
    {"eventName": ["REMOVE"]},
    new("status", {"S": ["review"]}),
    new("status", {"S": [{"anything-but": ["REVIEW"]}]}),
    # A field has to be there to be anything but something.
    new("other", {"S": [{"anything-but": ["x"]}]}),
    new("other", {"S": [{"exists": True}]}),
    new("status", {"S": [{"exists": False}]}),
    # It works on leaves only.
    new("status", [{"exists": True}]),
    {"dynamodb": {"OldImage": [{"exists": True}]}},
    # A typed number is a string.
    new("revision", {"N": [5]}),
    new("revision", {"N": [{"numeric": [">=", 1]}]}),
    new("shown", {"BOOL": ["true"]}),
    new("shown", {"BOOL": [1]}),
    new("note", {"S": [None]}),
    {"dynamodb": {"SizeBytes": [{"numeric": [">", 12]}]}},
    {"dynamodb": {"NewImage": {"status": {"S": ["REVIEW"]}}, "OldImage": {"status": {"S": ["BLOCKED"]}}}},
    {"dynamodb": {"NewImage": {"other": {"S": ["x"]}}}},
    {"$or": [{"eventName": ["REMOVE"]}, {"eventName": ["INSERT"]}]},
]


@pytest.mark.parametrize("pattern", MATCHING, ids=json.dumps)
def test_a_pattern_matches(pattern: Any) -> None:
    assert compiled(json.dumps(pattern))(RECORD)


@pytest.mark.parametrize("pattern", OTHERS, ids=json.dumps)
def test_a_pattern_does_not_match(pattern: Any) -> None:
    assert not compiled(json.dumps(pattern))(RECORD)


@pytest.mark.parametrize(
    "pattern",
    [
        "no JSON",
        "{}",
        "[]",
        '{"a": "b"}',
        '{"a": []}',
        '{"a": {}}',
        '{"a": [{}]}',
        '{"a": [{"prefix": 1}]}',
        '{"a": [{"like": "x"}]}',
        '{"a": [{"exists": "yes"}]}',
        '{"a": [{"numeric": []}]}',
        '{"a": [{"numeric": ["=", "1"]}]}',
        '{"a": [{"numeric": ["=", 1, "<"]}]}',
        '{"a": [{"prefix": "x", "suffix": "y"}]}',
        '{"$or": [{"a": ["b"]}]}',
    ],
)
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(FilterError):
        compiled(pattern)
