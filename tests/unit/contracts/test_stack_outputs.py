"""What the stacks write into their outputs is what the command reads from them."""

import pytest

from gatehouse.contracts.stack_outputs import LaneOutput, PriorityOutput, policy_parameter_output
from gatehouse.contracts.texts import (
    days_text,
    is_on,
    lane_policies_text,
    on_off_text,
    read_days,
    read_lane_policies,
    read_statuses,
    statuses_text,
)
from gatehouse.moderation.lane import Lane, Priority
from gatehouse.moderation.status import Status


@pytest.mark.parametrize(
    ("lane", "name"), [("default", "IngestQueueUrl"), ("profile-pictures", "ProfilePicturesIngestQueueUrl")]
)
def test_a_lanes_output_has_the_lanes_name_in_front_but_for_the_default_lane(lane: str, name: str) -> None:
    assert LaneOutput.INGEST_QUEUE_URL.of(lane) == name


def test_a_prioritys_output_has_its_name_in_front_but_for_the_main_one() -> None:
    names = [PriorityOutput.CHUNK_QUEUE_URL.of(priority, main=Priority.LIVE) for priority in Priority]

    assert sorted(names) == ["BackfillChunkQueueUrl", "ChunkQueueUrl", "FastChunkQueueUrl"]
    assert PriorityOutput.CHUNK_QUEUE_URL.all_in([*names, "IngestQueueUrl"]) == names


def test_a_policys_output_has_its_name_in_front() -> None:
    assert policy_parameter_output("no-weapons") == "NoWeaponsPolicyParameterName"


@pytest.mark.parametrize("value", [True, False])
def test_yes_and_no_are_read_as_they_are_written(value: bool) -> None:
    assert is_on(on_off_text(value)) is value


@pytest.mark.parametrize("days", [None, 1, 36_500])
def test_days_are_read_as_they_are_written(days: int | None) -> None:
    assert read_days(days_text(days)) == days


@pytest.mark.parametrize("statuses", [(), (Status.REVIEW,), (Status.FAILED, Status.APPROVED)])
def test_statuses_are_read_as_they_are_written(statuses: tuple[Status, ...]) -> None:
    assert read_statuses(statuses_text(statuses)) == statuses


def test_the_lanes_policies_are_read_as_they_are_written() -> None:
    lanes = [
        Lane(name="default", policy_overrides=(("art/", "permissive"), ("kids/", "strict"))),
        Lane(name="chat", policy="strict", min_confidence=55),
    ]

    assert read_lane_policies(lane_policies_text(lanes)) == {lane.name: lane for lane in lanes}
