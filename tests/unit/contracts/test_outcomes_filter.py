"""Lambda's filter and the one that `queue redrive` reads the stream with let the same records through."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatehouse.contracts.outcomes_filter import is_for_outcomes, outcomes_filter
from gatehouse.moderation.gate import Gate, GateMode
from gatehouse.moderation.status import Status
from localcloud.patches.stream_filters import compiled

GATES = [
    Gate(mode=mode, mark_blocked=mark, trusted_replicators=trusted)
    for mode in GateMode
    for mark in (True, False)
    for trusted in ((), ("arn:aws:iam::123456789012:role/copier",))
]
images = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from([{"S": status.value} for status in Status]),
        "source": st.just({"S": "listing"}) | st.just({"S": "event"}),
        "gate_asked_at": st.just({"S": "2026-11-30T00:00:00.000Z"}),
        "change": st.booleans().map(lambda announce: {"M": {"announce": {"BOOL": announce}}}),
    },
)
records = st.fixed_dictionaries({}, optional={"NewImage": images, "OldImage": images}).map(
    lambda change: {"eventName": "MODIFY", "dynamodb": change}
)


def is_let_through(record: dict[str, Any], gate: Gate) -> bool:
    return any(compiled(json.dumps(pattern))(record) for pattern in outcomes_filter(gate))


@given(records, st.sampled_from(GATES))
def test_both_filters_agree(record: dict[str, Any], gate: Gate) -> None:
    assert is_for_outcomes(record, gate) == is_let_through(record, gate)


@pytest.mark.parametrize("gate", GATES)
def test_lambda_takes_that_many_patterns(gate: Gate) -> None:
    assert len(outcomes_filter(gate)) <= 5


def a_write(before: Status | None, after: Status | None, **more: Any) -> dict[str, Any]:
    images = {"OldImage": before, "NewImage": after}
    found: dict[str, Any] = {name: {"status": {"S": status.value}} for name, status in images.items() if status}
    found.get("NewImage", {}).update(more)
    return {"eventName": "MODIFY", "dynamodb": found}


@pytest.mark.parametrize("status", list(Status))
def test_what_was_or_becomes_approved_is_let_through(status: Status) -> None:
    gate = Gate(mode=GateMode.PREPARE)

    assert is_for_outcomes(a_write(status, Status.APPROVED), gate)
    assert is_for_outcomes(a_write(Status.APPROVED, status), gate)
    assert is_for_outcomes(a_write(Status.APPROVED, None), gate)


def test_without_a_gate_no_first_verdict_is() -> None:
    assert not any(is_for_outcomes(a_write(Status.PENDING, status), Gate()) for status in Status)


@pytest.mark.parametrize("status", [Status.REVIEW, Status.BLOCKED, Status.UNSUPPORTED, Status.FAILED])
def test_what_was_there_before_may_have_been_uploaded_with_the_tag(status: Status) -> None:
    gate = Gate(mode=GateMode.TAG)

    assert is_for_outcomes(a_write(Status.PENDING, status, source={"S": "listing"}), gate)
    assert not is_for_outcomes(a_write(Status.PENDING, status), gate)
    assert is_for_outcomes(a_write(status, status, gate_asked_at={"S": "now"}), gate)


def test_what_is_replicated_may_bring_the_tag_along() -> None:
    gate = Gate(mode=GateMode.TAG, trusted_replicators=("arn:aws:iam::123456789012:role/copier",))

    assert is_for_outcomes(a_write(Status.PENDING, Status.BLOCKED), gate)
