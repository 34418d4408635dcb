"""Which tag a version has, whatever other tools' tags are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatehouse.moderation.gate import TAG, Gate, GateMode, tag_for, tag_in, with_tag
from gatehouse.moderation.status import Status

SPELLINGS = [TAG, TAG.upper(), "Gatehouse-Status"]
tags = st.dictionaries(st.sampled_from([*SPELLINGS, "a", "b"]) | st.text(max_size=9), st.text(max_size=9), max_size=10)
values = st.sampled_from([None, "APPROVED", "BLOCKED"])


@pytest.mark.parametrize("status", [None, *Status])
@pytest.mark.parametrize("mark_blocked", [True, False])
def test_only_what_is_approved_is_open(status: Status | None, mark_blocked: bool) -> None:
    tag = tag_for(status, mark_blocked=mark_blocked)

    assert (tag == "APPROVED") == (status is Status.APPROVED)
    assert (tag == "BLOCKED") == (mark_blocked and status is Status.BLOCKED)
    assert tag in (None, "APPROVED", "BLOCKED")


@given(tags, values)
def test_a_tag_that_is_set_is_read_again_and_others_stay(before: dict[str, str], value: str | None) -> None:
    after = with_tag(before, value)

    assert tag_in(after) == value
    assert with_tag(after, value) == after
    others = {key: text for key, text in before.items() if key.casefold() != TAG}
    assert {key: text for key, text in after.items() if key.casefold() != TAG} == others


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_key_in_another_spelling_counts_and_is_removed(spelling: str) -> None:
    assert tag_in({spelling: "APPROVED"}) == "APPROVED"
    assert with_tag({spelling: "APPROVED", "a": "b"}, None) == {"a": "b"}


def test_of_two_spellings_the_one_that_would_open_counts() -> None:
    assert tag_in({TAG: "BLOCKED", TAG.upper(): "APPROVED"}) == "APPROVED"


@pytest.mark.parametrize(
    ("mode", "sets", "closes"), [("none", False, False), ("prepare", True, False), ("tag", True, True)]
)
def test_a_gate_is_prepared_before_it_closes(mode: str, sets: bool, closes: bool) -> None:
    gate = Gate(mode=GateMode(mode))

    assert (gate.sets_tags, gate.closes) == (sets, closes)
