"""Policies named on the command line, the documents that are kept, and the pointers to the active ones."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatehouse.cli.aws.policy_parameters import OperatorsPolicyParameters
from gatehouse.cli.aws.work_bucket import OperatorsWorkBucket
from gatehouse.cli.connection import Connection
from gatehouse.cli.deployment import Deployment
from gatehouse.cli.errors import CommandError
from gatehouse.cli.invocation import Invocation
from gatehouse.cli.output import Format, Output
from gatehouse.cli.policy.policy_source import PolicySources, read_policy_file, sources_of
from gatehouse.configuration.settings_section import SettingsError
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.policy_pointer import PolicyPointer, policy_key
from tests.cli.conftest import STANDARD, STRICT, WORK, Deployed, policy_of

V1 = policy_of(STANDARD)
V2 = policy_of(STANDARD.replace('"1"', '"2"'))


@pytest.fixture
def sources(deployed: Deployed) -> PolicySources:
    """The policies of the deployment."""
    return sources_of(Invocation(Connection(), None, Output.of(Format.TABLE)))


@pytest.fixture
def documents(deployed: Deployed) -> OperatorsWorkBucket:
    """The documents of the deployment."""
    return OperatorsWorkBucket(Connection().client("s3"), WORK)


@pytest.fixture
def pointers(deployed: Deployed) -> OperatorsPolicyParameters:
    """The pointers of the deployment."""
    connection = Connection()
    return OperatorsPolicyParameters(connection.client("ssm"), Deployment.find(connection).policy_parameters)


@pytest.mark.parametrize("name", ["draft.yaml", "folder/draft", "./draft", "draft.json"])
def test_a_path_is_read_as_a_file_without_asking_aws(here: Path, name: str) -> None:
    (here / name).parent.mkdir(exist_ok=True)
    (here / name).write_text(V1.to_text(), encoding="utf-8")

    assert read_policy_file(name) == V1


def test_a_file_that_is_not_there_is_not_taken_for_a_name(sources: PolicySources, deployed: Deployed) -> None:
    with pytest.raises(SettingsError, match=r"^standard\.yaml: can't be read"):
        sources.resolve("standard.yaml")
    assert not deployed.calls.made


def test_a_name_is_the_active_version(sources: PolicySources, deployed: Deployed) -> None:
    deployed.record(V2)
    deployed.point("standard", PolicyPointer.to_shipped(V1).moved_to(V2).to_text())

    assert sources.resolve("standard") == V2


def test_a_version_that_was_not_recorded_yet_is_found_among_the_files(sources: PolicySources, here: Path) -> None:
    (here / "policies").mkdir()
    (here / "policies" / "any.yaml").write_text(STANDARD, encoding="utf-8")

    assert sources.resolve("standard") == V1


def test_a_version_that_is_nowhere_is_told(sources: PolicySources) -> None:
    with pytest.raises(CommandError, match=r"standard 1 \(.{8}\) is active, but no batch has recorded it yet"):
        sources.resolve("standard")


@pytest.mark.parametrize("digits", [8, 12, 64])
def test_a_hash_is_a_recorded_policy(sources: PolicySources, deployed: Deployed, digits: int) -> None:
    deployed.record(V1)
    deployed.record(V2)

    assert sources.resolve(V1.hash[:digits]) == V1


MISTAKES = {
    "standart": "standart is not a policy of this deployment; did you mean standard?",
    "zzz": "zzz is not a policy of this deployment; the policies in use are standard, strict;",
    "0123456": "0123456 is not a policy of this deployment; write at least 8 digits of a policy's hash.",
    "01234567": "No policy whose hash begins with 01234567 is recorded; name its file instead.",
    "": " is not a policy of this deployment;",
}


@pytest.mark.parametrize("source", MISTAKES)
def test_what_names_no_policy_is_told(sources: PolicySources, source: str) -> None:
    with pytest.raises(CommandError) as caught:
        sources.resolve(source)

    assert str(caught.value).startswith(MISTAKES[source])


def test_a_name_behind_a_broken_pointer_is_told_to_be(sources: PolicySources, deployed: Deployed) -> None:
    deployed.point("standard", "broken")

    with pytest.raises(CommandError, match=r"a pointer can't be read: see `\./gatehouse policy status`"):
        sources.resolve("standard")


def test_digits_that_fit_several_policies_are_refused(documents: OperatorsWorkBucket, deployed: Deployed) -> None:
    for ending in ("a", "b"):
        deployed.s3.put_object(Bucket=WORK, Key=policy_key("0" * 63 + ending), Body=b"{}")

    with pytest.raises(CommandError, match=r"Several recorded policies begin with 00000000: .*; give more digits"):
        documents.find_recorded("00000000")


def test_a_policy_is_recorded_once(documents: OperatorsWorkBucket, deployed: Deployed) -> None:
    documents.record_policy(V1)
    documents.record_policy(V1)

    assert deployed.recorded() == {policy_key(V1.hash): V1.to_text()}
    assert deployed.calls.made["PutObject"] == 1
    assert documents.find_recorded(V1.hash) == V1
    assert documents.find_recorded(V2.hash) is None


def test_a_document_that_is_not_what_its_key_says_is_refused(
    documents: OperatorsWorkBucket, deployed: Deployed
) -> None:
    deployed.s3.put_object(Bucket=WORK, Key=policy_key(V1.hash), Body=V2.to_text().encode())

    with pytest.raises(CommandError, match=r"s3://work/policies/.*\.json can't be used: .* of another hash"):
        documents.find_recorded(V1.hash)


def test_a_missing_permission_does_not_look_like_a_missing_document(
    documents: OperatorsWorkBucket, deployed: Deployed
) -> None:
    refusal = {"Error": {"Code": "403", "Message": "Forbidden"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
    deployed.calls.answer_next("HeadObject", refusal, status=403)

    with pytest.raises(Exception, match="403"):
        documents.record_policy(V1)
    assert deployed.recorded() == {}


def test_pointers_are_read_by_name_and_moved(pointers: OperatorsPolicyParameters, deployed: Deployed) -> None:
    stored = pointers.look()[0]["standard"]

    pointers.move(stored, stored.pointer.moved_to(V2))

    moved = pointers.look()[0]["standard"]
    assert (stored.parameter, stored.pointer.is_live) == ("parameter-of-standard", False)
    assert moved.pointer == deployed.pointer("standard") == stored.pointer.moved_to(V2)
    assert moved.modified >= stored.modified
    assert {moved.modified.tzinfo, moved.now.tzinfo} == {UTC}


def test_a_dozen_pointers_are_read_in_two_calls(deployed: Deployed) -> None:
    names = [f"policy-{letter}" for letter in "abcdefghijkl"]
    for name in names:
        deployed.ship(policy_of(STRICT.replace("strict", name)))
    pointers = OperatorsPolicyParameters(Connection().client("ssm"), {name: f"parameter-of-{name}" for name in names})

    assert sorted(pointers.look()[0]) == sorted(names)
    assert deployed.calls.made["GetParameters"] == 2


def test_a_pointer_to_another_policy_is_not_taken_for_that_policys(
    pointers: OperatorsPolicyParameters, deployed: Deployed
) -> None:
    deployed.point("standard", PolicyPointer.to_shipped(policy_of(STRICT)).to_text())

    found, unreadable = pointers.look()

    assert found["strict"].parameter == "parameter-of-strict"
    assert [(pointer.policy, pointer.problem) for pointer in unreadable] == [("standard", "it points to policy strict")]


TEXTS = st.text() | st.recursive(
    st.none() | st.text() | st.integers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["name", "version", "hash", "deployed"]), inner),
).map(json.dumps)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXTS)
def test_whatever_a_parameter_holds_is_a_pointer_or_told(
    pointers: OperatorsPolicyParameters, deployed: Deployed, text: str
) -> None:
    held = {"Name": "parameter-of-standard", "Value": text, "LastModifiedDate": datetime.now(UTC)}
    answer: dict[str, Any] = {"Parameters": [held], "InvalidParameters": ["parameter-of-strict"]}
    deployed.calls.answer_next("GetParameters", answer)

    found, unreadable = pointers.look()

    assert {*found, *(pointer.policy for pointer in unreadable)} == {"standard", "strict"}


def test_recorded_policies_read_back_as_they_were(documents: OperatorsWorkBucket) -> None:
    policy = Policy.from_document(
        {
            "name": "art",
            "version": "ü 1",
            "default": "allow",
            "rules": {"Explicit": {"block": 80, "when": [{"content_types": {"Illustrated": 70}, "then": "allow"}]}},
        }
    )
    documents.record_policy(policy)

    assert documents.find_recorded(policy.hash[:8]) == policy
