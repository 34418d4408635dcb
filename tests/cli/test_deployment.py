"""A deployment is found by its stacks' outputs."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gatehouse.cli.connection import Connection
from gatehouse.cli.deployment import Deployment
from gatehouse.cli.errors import CommandError
from gatehouse.moderation.decision import DEFAULT_REASONS
from tests.cli.conftest import Deployed


@pytest.mark.usefixtures("deployed")
def test_everything_commands_need_is_read_from_the_outputs(deployed: Deployed) -> None:
    found = Deployment.find(Connection())

    assert (found.name, found.upload_bucket, found.work_bucket) == ("gatehouse", "uploads", "work")
    assert (found.verdict_table, found.flag_topic_arn) == ("verdicts", deployed.topic_arn)
    assert found.decision_reasons == DEFAULT_REASONS
    assert found.policies == ("standard", "strict")
    assert found.policy_parameters == {"standard": "parameter-of-standard", "strict": "parameter-of-strict"}
    assert found.min_confidence_for("strict") == {"default": 30.0}
    assert found.min_confidence_for("other") == {}
    assert (found.verdict_retention_days, found.verdict_retention) == (None, None)


def test_a_key_is_judged_by_the_policy_of_its_longest_prefix(deployed: Deployed) -> None:
    overrides = {"kids/": "strict", "kids/art/": "art", "art/": "art"}
    deployed.stacks(lanes={"main": {"policy": "standard", "policy_overrides": overrides, "min_confidence": 30}})

    found = Deployment.find(Connection())

    assert found.policy_name_for("main", "cat.jpg") == "standard"
    assert found.policy_name_for("main", "kids/cat.jpg") == "strict"
    assert found.policy_name_for("main", "kids/art/cat.jpg") == "art"
    assert found.policy_name_for("gone", "cat.jpg") is None


def test_a_retention_of_verdicts_is_known(deployed: Deployed) -> None:
    deployed.stacks(VerdictRetentionDays="365")

    found = Deployment.find(Connection())

    assert (found.verdict_retention_days, found.verdict_retention) == (365, timedelta(days=365))


@pytest.mark.parametrize(("told", "is_on"), [("on", True), ("off", False)])
def test_whether_animations_are_looked_for_is_known(deployed: Deployed, told: str, is_on: bool) -> None:
    deployed.stacks(AnimationCheck=told)

    assert Deployment.find(Connection()).animation_check is is_on


def test_the_reasons_that_reviewers_choose_from_are_known_in_their_order(deployed: Deployed) -> None:
    deployed.stacks(DecisionReasons="spam,other,context")

    assert Deployment.find(Connection()).decision_reasons == ("spam", "other", "context")


@pytest.mark.parametrize("stack", ["gatehouse-storage", "gatehouse-pipeline"])
def test_a_deployment_that_was_updated_is_not_what_it_was(deployed: Deployed, stack: str) -> None:
    before = Deployment.find(Connection())
    assert Deployment.find(Connection()) == before

    deployed.stack_changes[stack] = {"LastUpdatedTime": datetime(2026, 11, 22, tzinfo=UTC)}

    assert Deployment.find(Connection()) != before


def test_a_deploy_has_ended_when_its_last_event_says_so(deployed: Deployed) -> None:
    ended = datetime(2026, 11, 22, 12, tzinfo=UTC)
    newest_first = [
        ("stack/1", "UPDATE_COMPLETE"),
        ("stack/1", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
        ("batcher", "UPDATE_COMPLETE"),
        ("batcher", "UPDATE_IN_PROGRESS"),
        ("stack/1", "UPDATE_IN_PROGRESS"),
        ("stack/1", "CREATE_COMPLETE"),
    ]
    events: list[dict[str, Any]] = [
        {
            "StackId": "stack/1",
            "PhysicalResourceId": resource,
            "ResourceStatus": status,
            "Timestamp": ended - timedelta(minutes=n),
        }
        for n, (resource, status) in enumerate(newest_first)
    ]
    found = Deployment.find(Connection())

    for latest, moment in ((0, ended), (1, ended - timedelta(minutes=5))):
        deployed.stack_events["gatehouse-pipeline"] = events[latest:]
        assert found.functions_deployed(Connection()) == moment


def test_a_deploy_that_nobody_remembers_has_ended_at_no_known_time(deployed: Deployed) -> None:
    assert Deployment.find(Connection()).functions_deployed(Connection()) is None
    assert deployed.calls.made["DescribeStackEvents"] == 1


@pytest.mark.usefixtures("deployed")
def test_a_deployment_that_is_not_there_is_told_with_the_region_looked_in() -> None:
    with pytest.raises(CommandError) as caught:
        Deployment.find(Connection(), "other")

    assert str(caught.value) == (
        "There is no stack other-storage in us-east-1; choose the deployment with --deployment and its Region with "
        "--region, or create one with `make deploy`."
    )


@pytest.mark.parametrize(
    "output", ["WorkBucketName", "LanePolicies", "DecisionReasons", "VerdictRetentionDays", "AnimationCheck"]
)
def test_stacks_of_another_version_are_told(deployed: Deployed, output: str) -> None:
    deployed.stacks(without=[output])

    with pytest.raises(CommandError, match=f"no output '{output}'. It was deployed by another version of Gatehouse"):
        Deployment.find(Connection())


def test_a_check_that_is_neither_on_nor_off_is_told(deployed: Deployed) -> None:
    deployed.stacks(AnimationCheck="maybe")

    with pytest.raises(CommandError, match="an output that can't be read: AnimationCheck is 'maybe'"):
        Deployment.find(Connection())


@pytest.mark.parametrize("lanes", ["", "[]", '{"default": {}}', '{"default": 1}', '{"default": {"policy": "a"}}'])
def test_lanes_that_cannot_be_read_are_told(deployed: Deployed, lanes: str) -> None:
    deployed.stacks(LanePolicies=lanes)

    with pytest.raises(CommandError, match="an output that can't be read: LanePolicies is "):
        Deployment.find(Connection())
