import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.policy_pointer import (
    PolicyPointer,
    PolicyPointerError,
    PolicyVersion,
    policy_key,
    read_recorded_policy,
)
from tests.unit.builders import POLICY_DOCUMENT, a_policy
from tests.unit.moderation.test_upload import JSON

SHIPPED = PolicyPointer("test", "1", "a" * 64)
LIVE = PolicyPointer("test", "2", "b" * 64, PolicyVersion("1", "a" * 64))
NAMES = st.text(min_size=1)
VERSIONS = st.builds(PolicyVersion, NAMES, NAMES)
POINTERS = st.builds(PolicyPointer, NAMES, NAMES, NAMES, st.none() | VERSIONS)


def _version(version: str) -> Policy:
    return Policy.from_document({**POLICY_DOCUMENT, "version": version})


def test_a_deploys_pointer_is_compact_and_sorted() -> None:
    assert SHIPPED.to_text() == f'{{"hash":"{"a" * 64}","name":"test","version":"1"}}'


def test_a_live_change_remembers_what_was_deployed() -> None:
    assert json.loads(LIVE.to_text()) == {
        "name": "test",
        "version": "2",
        "hash": "b" * 64,
        "deployed": {"version": "1", "hash": "a" * 64},
    }


def test_a_pointer_knows_whether_it_is_live_and_what_was_shipped() -> None:
    assert (SHIPPED.is_live, SHIPPED.shipped) == (False, PolicyVersion("1", "a" * 64))
    assert (LIVE.is_live, LIVE.shipped) == (True, PolicyVersion("1", "a" * 64))


@given(pointer=POINTERS)
def test_a_pointer_survives_its_text(pointer: PolicyPointer) -> None:
    assert PolicyPointer.from_text(pointer.to_text()) == pointer


@given(
    text=st.text()
    | JSON.map(json.dumps)
    | JSON.map(lambda value: json.dumps({"name": "p", "version": "1", "hash": "h", "deployed": value}))
)
def test_any_text_is_a_pointer_or_a_pointer_error(text: str) -> None:
    with suppress(PolicyPointerError):
        pointer = PolicyPointer.from_text(text)
        assert PolicyPointer.from_text(pointer.to_text()) == pointer


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the pointer is not JSON"),
        ("standard", "the pointer is not JSON"),
        ("[" * 100_000, "the pointer is not JSON"),
        ("[]", "the pointer has no name"),
        ("{}", "the pointer has no name"),
        ('{"name": "", "version": "1", "hash": "h"}', "the pointer has no name"),
        ('{"name": "p", "version": 1, "hash": "h"}', "the pointer has no version"),
        ('{"name": "p", "version": "1"}', "the pointer has no hash"),
        ('{"name": "p", "version": "1", "hash": "h", "deployed": {}}', "the pointer has no version"),
        ('{"name": "p", "version": "1", "hash": "h", "deployed": []}', "the pointer has no version"),
        ('{"name": "p", "version": "1", "hash": "h", "deployed": ""}', "the pointer has no version"),
        ('{"name": "p", "version": "1", "hash": "h", "deployed": {"version": "1"}}', "the pointer has no hash"),
    ],
)
def test_what_is_no_pointer_is_an_error_and_never_a_guess(text: str, message: str) -> None:
    with pytest.raises(PolicyPointerError, match=message):
        PolicyPointer.from_text(text)


def test_a_deploy_points_to_what_it_ships() -> None:
    policy = a_policy()

    assert PolicyPointer.to_shipped(policy) == PolicyPointer("test", "1", policy.hash)


def test_a_pointer_moved_to_another_version_is_a_live_change() -> None:
    shipped = PolicyPointer.to_shipped(_version("1"))

    moved = shipped.moved_to(_version("2"))

    assert moved == PolicyPointer("test", "2", _version("2").hash, PolicyVersion("1", _version("1").hash))


def test_a_live_change_of_a_live_change_still_knows_the_deploys_version() -> None:
    moved = PolicyPointer.to_shipped(_version("1")).moved_to(_version("2")).moved_to(_version("3"))

    assert (moved.version, moved.shipped) == ("3", PolicyVersion("1", _version("1").hash))


def test_a_pointer_moved_back_is_the_deploys_own_again() -> None:
    shipped = PolicyPointer.to_shipped(_version("1"))

    assert shipped.moved_to(_version("2")).moved_to(_version("1")) == shipped
    assert shipped.moved_to(_version("1")) == shipped


def test_other_rules_under_the_deployed_versions_name_are_a_live_change() -> None:
    shipped = PolicyPointer.to_shipped(a_policy())
    edited = a_policy(default="allow")

    assert shipped.moved_to(edited) == PolicyPointer("test", "1", edited.hash, shipped.shipped)


def test_a_pointer_is_not_moved_to_another_policy() -> None:
    other = Policy.from_document({**POLICY_DOCUMENT, "name": "other"})

    with pytest.raises(PolicyPointerError, match="the pointer is of policy test, not of other"):
        PolicyPointer.to_shipped(a_policy()).moved_to(other)


def test_policies_lie_together_by_hash() -> None:
    assert policy_key("abc") == "policies/abc.json"


def test_a_recorded_policy_is_read_back() -> None:
    policy = a_policy()

    assert read_recorded_policy(policy.to_text(), policy.hash) == policy
    assert read_recorded_policy(policy.to_text().encode(), policy.hash) == policy


@pytest.mark.parametrize("change", [{"version": "2"}, {"default": "allow"}, {"name": "other"}])
def test_a_document_that_was_exchanged_is_noticed(change: dict[str, Any]) -> None:
    expected = a_policy().hash
    exchanged = Policy.from_document({**POLICY_DOCUMENT, **change})

    with pytest.raises(PolicyPointerError) as caught:
        read_recorded_policy(exchanged.to_text(), expected)

    assert str(caught.value) == f"policies/{expected}.json holds a policy of another hash, {exchanged.hash}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON: "),
        (b"\xff", "not JSON: "),
        ("[" * 100_000, "not JSON: "),
        ("[]", "the policy is not a mapping; write name, version, default and rules"),
        ('{"name": "p", "version": "1", "default": "deny"}', "default: not a rule;"),
    ],
)
def test_a_document_that_is_no_policy_is_told_with_its_key(text: str | bytes, reason: str) -> None:
    with pytest.raises(PolicyPointerError) as caught:
        read_recorded_policy(text, "abc")

    assert str(caught.value).startswith(f"policies/abc.json is no policy: {reason}")
