"""A batch is judged by the policy its lane's pointers name at that moment, or there is no batch."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest
from botocore.exceptions import ClientError

from gatehouse.aws.policy_parameters import PolicyParameterMissingError, PolicyParameters
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.policy_pointer import PolicyPointer, PolicyPointerError, policy_key
from lambdas.batcher.active_policies import MAX_AGE, ActivePolicies
from tests.unit.builders import a_policy
from tests.unit.conftest import WORK, Storage

REFUSED = {"Error": {"Code": "AccessDeniedException", "Message": "no"}}


def a_version(name: str, review: float) -> Policy:
    """A version of a policy; another threshold makes another one."""
    return replace(a_policy(default={"review": review}), name=name)


@dataclass
class Deployment:
    """Parameters, what a function ships, the function's clock, and those who change policies."""

    storage: Storage
    shipped: dict[str, Policy]
    time: float = 1000.0
    parameters: dict[str, str] = field(default_factory=dict)

    def deploy(self, *policies: Policy) -> None:
        """A deployment writes the pointers of these policies; the functions come later."""
        for policy in policies:
            self.parameters[policy.name] = f"CFN-{policy.name}"
            self.write(policy.name, PolicyPointer.to_shipped(policy).to_text())

    def apply(self, policy: Policy) -> None:
        """Somebody changes a policy live: the document, then the pointer."""
        self.storage.work.record_policy(policy)
        self.write(policy.name, self.pointer(policy.name).moved_to(policy).to_text())

    def write(self, name: str, value: str) -> None:
        """Whatever it is, a parameter holds it now."""
        self.storage.ssm.put_parameter(Name=self.parameters[name], Value=value, Type="String", Overwrite=True)

    def pointer(self, name: str) -> PolicyPointer:
        """What a parameter holds."""
        answer = self.storage.ssm.get_parameters(Names=[self.parameters[name]])
        return PolicyPointer.from_text(answer["Parameters"][0]["Value"])

    def function(self) -> ActivePolicies:
        """A new function instance."""
        parameters = PolicyParameters(self.storage.ssm, self.parameters)
        return ActivePolicies(parameters, self.storage.work, self.shipped.__getitem__, lambda: self.time)

    def recorded(self) -> dict[str, Policy]:
        """Every document under `policies/`, by key."""
        entries = self.storage.s3.list_objects_v2(Bucket=WORK, Prefix="policies/").get("Contents", [])
        bodies = {entry["Key"]: self.storage.s3.get_object(Bucket=WORK, Key=entry["Key"])["Body"] for entry in entries}
        return {key: Policy.from_document(json.load(body)) for key, body in bodies.items()}


@pytest.fixture
def deployment(storage: Storage) -> Deployment:
    """Two policies, deployed and shipped."""
    shipped = {name: a_version(name, 60) for name in ("standard", "strict")}
    deployment = Deployment(storage, shipped)
    deployment.deploy(*shipped.values())
    storage.calls.made.clear()
    return deployment


def test_what_was_deployed_is_what_the_function_ships(deployment: Deployment) -> None:
    assert deployment.function().current() == deployment.shipped


def test_a_live_change_is_followed(deployment: Deployment) -> None:
    change = a_version("standard", 40)
    function = deployment.function()
    function.current()

    deployment.apply(change)
    deployment.time += MAX_AGE

    assert function.current() == {**deployment.shipped, "standard": change}


def test_pointers_are_looked_at_again_after_half_a_minute_and_not_before(deployment: Deployment) -> None:
    function = deployment.function()
    function.current()
    deployment.apply(a_version("standard", 40))

    deployment.time += MAX_AGE - 0.1
    assert function.current() == deployment.shipped
    deployment.time += 0.1
    assert function.current() != deployment.shipped


def test_a_clock_that_is_set_back_does_not_keep_an_old_policy(deployment: Deployment) -> None:
    function = deployment.function()
    function.current()
    deployment.apply(a_version("standard", 40))

    deployment.time -= 3600

    assert function.current() != deployment.shipped


def test_going_back_to_the_deployed_policy_is_followed_too(deployment: Deployment) -> None:
    deployment.apply(a_version("standard", 40))
    function = deployment.function()
    function.current()

    deployment.apply(deployment.shipped["standard"])
    deployment.time += MAX_AGE

    assert not deployment.pointer("standard").is_live
    assert function.current() == deployment.shipped


def test_a_function_that_a_deployment_has_not_reached_yet_runs_with_what_it_has(deployment: Deployment) -> None:
    coming = a_version("standard", 75)
    deployment.deploy(coming)
    function = deployment.function()

    assert function.current() == deployment.shipped
    assert function.unknown == {"standard": coming.hash}


def test_a_version_is_no_longer_unknown_once_it_is_recorded(deployment: Deployment) -> None:
    coming = a_version("standard", 75)
    deployment.deploy(coming)
    function = deployment.function()
    function.current()
    deployment.storage.work.record_policy(coming)
    deployment.time += MAX_AGE

    assert function.current()["standard"] == coming
    assert function.unknown == {}


def test_a_live_change_that_a_deployment_takes_over_holds_while_the_functions_are_still_old(
    deployment: Deployment,
) -> None:
    """Somebody tightens a policy and then writes the same into its file: nothing may be judged by the old one again."""
    change = a_version("standard", 40)
    deployment.apply(change)

    deployment.deploy(change)

    assert not deployment.pointer("standard").is_live
    assert deployment.function().current()["standard"] == change


def test_one_call_reads_the_pointers_of_all_policies(deployment: Deployment) -> None:
    deployment.function().current()

    assert deployment.storage.calls.made["GetParameters"] == 1


def test_more_than_ten_policies_take_a_call_for_each_ten(deployment: Deployment) -> None:
    deployment.shipped |= {f"p-{n}": a_version(f"p-{n}", n) for n in range(21)}
    deployment.deploy(*deployment.shipped.values())

    assert deployment.function().current() == deployment.shipped
    assert deployment.storage.calls.made["GetParameters"] == 3


def test_a_document_is_read_once_however_often_its_pointer_is(deployment: Deployment) -> None:
    deployment.apply(a_version("standard", 40))
    deployment.storage.calls.made.clear()
    function = deployment.function()

    for _ in range(3):
        function.current()
        deployment.time += MAX_AGE

    assert deployment.storage.calls.made["GetParameters"] == 3
    assert deployment.storage.calls.made["GetObject"] == 1


def test_every_policy_that_judges_is_recorded_under_its_hash(deployment: Deployment) -> None:
    deployment.function().current()

    assert deployment.recorded() == {policy_key(policy.hash): policy for policy in deployment.shipped.values()}


def test_a_policy_is_recorded_once(deployment: Deployment) -> None:
    function = deployment.function()
    for _ in range(3):
        function.current()
        deployment.time += MAX_AGE
    deployment.function().current()

    made = deployment.storage.calls.made
    assert (made["PutObject"], made["HeadObject"]) == (2, 4)


UNREADABLE: Mapping[str, str] = {
    "not JSON": "standard",
    "a list": "[]",
    "no hash": '{"name": "standard", "version": "1"}',
    "another policy's": PolicyPointer.to_shipped(a_version("strict", 60)).to_text(),
}


@pytest.mark.parametrize("value", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_parameter_that_holds_no_pointer_to_its_policy_is_an_error_that_names_it(
    deployment: Deployment, value: str
) -> None:
    deployment.write("standard", value)

    with pytest.raises(PolicyPointerError, match=r"parameter CFN-standard of policy standard"):
        deployment.function().current()


def test_a_parameter_that_is_gone_is_an_error_that_names_it(deployment: Deployment) -> None:
    deployment.storage.ssm.delete_parameter(Name="CFN-strict")

    with pytest.raises(PolicyParameterMissingError, match="CFN-strict"):
        deployment.function().current()


def test_a_live_change_without_its_document_is_an_error(deployment: Deployment) -> None:
    change = a_version("standard", 40)
    deployment.write("standard", deployment.pointer("standard").moved_to(change).to_text())

    with pytest.raises(
        PolicyPointerError, match=f"policy standard points to {policy_key(change.hash)}, which is absent"
    ):
        deployment.function().current()


@pytest.mark.parametrize("stored", ["", "{}", a_version("standard", 99).to_text()], ids=["empty", "no policy", "other"])
def test_a_document_that_is_not_what_its_hash_says_is_an_error(deployment: Deployment, stored: str) -> None:
    change = a_version("standard", 40)
    deployment.apply(change)
    deployment.storage.s3.put_object(Bucket=WORK, Key=policy_key(change.hash), Body=stored.encode())

    with pytest.raises(PolicyPointerError, match=change.hash):
        deployment.function().current()


def test_a_deployed_version_whose_record_is_damaged_is_an_error(deployment: Deployment) -> None:
    version = a_version("standard", 75)
    deployment.storage.s3.put_object(Bucket=WORK, Key=policy_key(version.hash), Body=b"{}")
    deployment.deploy(version)

    with pytest.raises(PolicyPointerError, match=version.hash):
        deployment.function().current()


def test_the_document_of_another_policy_is_an_error(deployment: Deployment) -> None:
    other = a_version("strict", 40)
    deployment.storage.work.record_policy(other)
    pointer = replace(deployment.pointer("standard").moved_to(a_version("standard", 40)), hash=other.hash)
    deployment.write("standard", pointer.to_text())

    with pytest.raises(PolicyPointerError, match="which is of policy strict"):
        deployment.function().current()


def test_what_was_read_before_does_not_stand_in_for_what_cannot_be_read_now(deployment: Deployment) -> None:
    function = deployment.function()
    function.current()
    deployment.storage.calls.answer_next("GetParameters", REFUSED, 400)
    deployment.time += MAX_AGE

    with pytest.raises(ClientError, match="AccessDenied"):
        function.current()
    assert function.current() == deployment.shipped


def test_a_policy_that_cannot_be_recorded_judges_nothing(deployment: Deployment) -> None:
    deployment.storage.calls.answer_next("HeadObject", {"Error": {"Code": "403", "Message": "Forbidden"}}, 403)

    with pytest.raises(ClientError):
        deployment.function().current()
