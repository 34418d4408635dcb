"""Which records of the verdict table's stream Outcomes gets: changes to be announced and, with a gate, versions to be
opened or closed.

The template filters by it, so that nothing is paid for the rest; `queue redrive` filters what it reads from the stream
itself.
"""

from collections.abc import Mapping
from typing import Any, Final

from gatehouse.moderation.gate import Gate
from gatehouse.moderation.status import FINAL, Status
from gatehouse.moderation.verdict_item import CHANGE, GATE_ASKED_AT, STATUS

Pattern = dict[str, Any]

_EXISTS: Final = {"exists": True}
_ANNOUNCED: Final[Pattern] = {"NewImage": {CHANGE: {"M": {"announce": {"BOOL": [True]}}}}}


def outcomes_filter(gate: Gate) -> list[Pattern]:
    """Patterns of Lambda's event filtering, which compares DynamoDB's typed form (Lambda Developer Guide,
    with-ddb-filtering.html). A record is passed on if it matches one of them; five are allowed (invocation-
    eventfiltering.html)."""
    images = [_ANNOUNCED, *(_gated(gate) if gate.sets_tags else ())]
    return [{"dynamodb": image} for image in images]


def _gated(gate: Gate) -> list[Pattern]:
    tagged = [Status.APPROVED.value, *([Status.BLOCKED.value] if gate.mark_blocked else [])]
    untagged = sorted(status.value for status in FINAL if status not in tagged)
    # What was there before the gate may have been uploaded with the tag, and what is replicated may bring it along.
    arrives_tagged = {} if gate.trusted_replicators else {"source": {"S": ["listing"]}}
    return [
        {"NewImage": {STATUS: {"S": tagged}}},
        {"OldImage": {STATUS: {"S": tagged}}},
        {"NewImage": {**arrives_tagged, STATUS: {"S": untagged}}},
        {"NewImage": {GATE_ASKED_AT: {"S": [_EXISTS]}}},
    ]


def is_for_outcomes(record: Mapping[str, Any], gate: Gate) -> bool:
    """Whether one of the patterns matches a record."""
    return any(_matches(pattern, record) for pattern in outcomes_filter(gate))


def is_announced(record: Mapping[str, Any]) -> bool:
    """Whether a record is of a change that is to be announced."""
    return _matches({"dynamodb": _ANNOUNCED}, record)


def _matches(pattern: Mapping[str, Any], document: Mapping[str, Any]) -> bool:
    """Whether a document has what the pattern names. Knows what the patterns above consist of, and no more."""
    for name, wanted in pattern.items():
        found = document.get(name)
        if isinstance(wanted, Mapping):
            if not isinstance(found, Mapping) or not _matches(wanted, found):
                return False
        elif (wanted != [_EXISTS] and found not in wanted) or found is None:
            return False
    return True
