"""Without the setting there is not one resource more; with it each lane has a queue for objects from before."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from gatehouse.contracts.stack_outputs import BACKFILL_CALLS_PER_SECOND, BackfillOutput
from gatehouse.contracts.sweep_schedule import Schedule
from tests.permissions.granted import permissions, roles
from tests.permissions.needed import needs
from tests.stacks.conftest import EXISTING_OBJECTS, Assembly, only, resources

LANES = {"default": "DefaultLane", "chat": "ChatLane", "archive": "ArchiveLane"}


@pytest.fixture(scope="module")
def with_it(synthesized: Callable[[str], Assembly]) -> Assembly:
    return synthesized(EXISTING_OBJECTS)


@pytest.fixture(scope="module")
def without_it(synthesized: Callable[[str], Assembly]) -> Assembly:
    return synthesized(EXISTING_OBJECTS.replace("existing_objects: true", ""))


def test_each_lane_gets_two_queues_and_a_mapping_and_nothing_else(with_it: Assembly, without_it: Assembly) -> None:
    more = with_it.pipeline["Resources"].keys() - without_it.pipeline["Resources"].keys()
    kinds = sorted(with_it.pipeline["Resources"][name]["Type"].rpartition("::")[2] for name in more)

    assert kinds == sorted([*["Queue"] * 6, *["QueuePolicy"] * 6, *["EventSourceMapping"] * 3])
    assert not without_it.pipeline["Resources"].keys() - with_it.pipeline["Resources"].keys()


@pytest.mark.parametrize("lane", LANES)
def test_the_queue_feeds_the_lanes_batcher_beside_its_own(with_it: Assembly, lane: str) -> None:
    queue = only(with_it.pipeline, "AWS::SQS::Queue", f"{LANES[lane]}BackfillQueue")
    (mapping,) = [
        found["Properties"]
        for name, found in resources(with_it.pipeline, "AWS::Lambda::EventSourceMapping").items()
        if name.startswith(LANES[lane]) and "ListedObjects" in name
    ]

    assert f"{LANES[lane]}Batcher" in json.dumps(mapping["FunctionName"])
    assert "BackfillQueue" in json.dumps(mapping["EventSourceArn"])
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 2}
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert queue["Properties"]["VisibilityTimeout"] >= 6 * 60 + mapping["MaximumBatchingWindowInSeconds"]
    assert "BackfillDeadLetterQueue" in json.dumps(queue["Properties"]["RedrivePolicy"])
    assert BackfillOutput.QUEUE_URL.of(lane) in with_it.pipeline["Outputs"]


def test_the_backfills_calls_are_an_output(with_it: Assembly, without_it: Assembly) -> None:
    assert BACKFILL_CALLS_PER_SECOND in with_it.pipeline["Outputs"]
    assert BACKFILL_CALLS_PER_SECOND not in without_it.pipeline["Outputs"]


@pytest.mark.parametrize("lane", LANES)
def test_a_batcher_starts_the_backfills_workflow(with_it: Assembly, lane: str) -> None:
    function = only(with_it.pipeline, "AWS::Lambda::Function", f"{LANES[lane]}Batcher")
    variables = function["Properties"]["Environment"]["Variables"]

    assert "BackfillAnalysisStateMachine" in json.dumps(variables["BACKFILL_STATE_MACHINE_ARN"])


def test_no_batcher_has_the_variable_without_the_setting(without_it: Assembly) -> None:
    assert "BACKFILL_STATE_MACHINE_ARN" not in json.dumps(without_it.pipeline)


def test_every_role_has_what_its_calls_need_and_no_more(with_it: Assembly) -> None:
    for role, logical_id in roles(with_it.pipeline).items():
        granted = {(each.action, each.on) for each in permissions(with_it.pipeline, logical_id)}
        needed = set(needs(with_it.pipeline, logical_id))
        assert granted == needed, role


def test_the_sweeper_knows_the_queues_and_gives_the_backfill_its_time(with_it: Assembly) -> None:
    rule: Any = only(with_it.pipeline, "AWS::Events::Rule", "SweeperSchedule")
    schedule = Schedule.parse(json.loads(_plain(rule["Properties"]["Targets"][0]["Input"])))

    assert schedule.backfill
    assert "BackfillAnalysis" in schedule.backfill.state_machine_arn
    assert schedule.backfill.overdue_hours > 48
    assert all("BackfillQueue" in str(route.backfill_queue_url) for route in schedule.lanes.values())


def test_a_stopped_backfill_is_noticed_in_every_lane(with_it: Assembly, without_it: Assembly) -> None:
    def found(assembly: Assembly) -> list[str]:
        return [
            alarm["Properties"]["AlarmDescription"]
            for alarm in resources(assembly.monitoring, "AWS::CloudWatch::Alarm").values()
            if "backfill-stopped" in alarm["Properties"]["AlarmDescription"]
        ]

    assert len(found(with_it)) == 2 * len(LANES)
    assert found(without_it) == []


def _plain(joined: Any) -> str:
    """A text that CloudFormation joins, with names in the place of what it fills in."""
    if isinstance(joined, str):
        return joined
    return "".join(
        part if isinstance(part, str) else json.dumps(part).replace('"', "'") for part in joined["Fn::Join"][1]
    )
