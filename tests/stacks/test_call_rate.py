"""The account's calls are shared out so that all workers together never make more, and no chunk outlasts a run."""

import math
from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gatehouse.configuration.call_rate import (
    DEFAULT_CALLS_PER_SECOND,
    LARGE_REGION_CALLS_PER_SECOND,
    LARGE_REGIONS,
    LEAST_CHUNK,
    MAX_CHUNK,
    CallRate,
    share_of,
)
from gatehouse.configuration.settings import ImageEngineSettings
from gatehouse.moderation.lane import Priority
from lambdas.analyzer.chunk_analysis import CLOSING_SECONDS
from lambdas.analyzer.image_analysis import parallel_renderings
from stacks.constructs.image_analyzer import memory_size
from stacks.constructs.regional_rate import AccountRate
from tests.stacks.conftest import Assembly, only

#: Of the settings: 1 to 250 calls, and the least part of them that shares allow.
LEAST = 5 / (5 + 100 + 100)
RATES = st.floats(LEAST, 250)
SHARES = st.fixed_dictionaries({priority: st.integers(5, 100) for priority in Priority})
USED = st.sets(st.sampled_from(list(Priority)), min_size=1)

#: An event source mapping's MaximumConcurrency is 2 at least (Lambda API reference, ScalingConfig), and an inline Map
#: has 40 iterations under way at most (Step Functions Developer Guide, state-map-inline.html).
LEAST_WORKERS, MOST_WORKERS = 2, 40


#: Seconds of a run in which the Analyzer makes calls: its timeout, less some for the last answers and to write it down.
CALL_SECONDS = 85


@given(calls_per_second=RATES)
def test_all_workers_together_make_the_calls_of_the_rate_and_no_more(calls_per_second: float) -> None:
    rate = CallRate(calls_per_second)

    made = rate.workers * rate.calls_per_worker

    assert made == pytest.approx(calls_per_second, rel=1e-4)
    assert made <= calls_per_second  # figures are rounded, and never up


@given(calls_per_second=RATES)
def test_there_are_as_many_workers_as_lambda_and_a_map_allow(calls_per_second: float) -> None:
    assert LEAST_WORKERS <= CallRate(calls_per_second).workers <= MOST_WORKERS


@given(calls_per_second=RATES)
def test_a_chunk_is_done_within_a_run(calls_per_second: float) -> None:
    rate = CallRate(calls_per_second)

    assert rate.chunk_size <= MAX_CHUNK
    assert rate.chunk_size / rate.calls_per_worker <= CALL_SECONDS - 15  # the first heartbeat and reads take some


def test_a_rate_is_enough_if_each_worker_can_do_the_smallest_chunk_in_a_run() -> None:
    assert CallRate(0.715).is_enough
    assert CallRate(0.715).chunk_size == LEAST_CHUNK
    assert not CallRate(0.71).is_enough


def test_a_run_makes_calls_for_as_long_as_that(elaborate: Assembly) -> None:
    for priority in ("Fast", "Live", "Backfill"):
        timeout = only(elaborate.pipeline, "AWS::Lambda::Function", f"{priority}Images")["Properties"]["Timeout"]

        assert timeout - CLOSING_SECONDS == CALL_SECONDS


#: Of a rendition of 4 MB: as the renderer's answer, in its text, in Rekognition's call, and between them, in MB.
A_RENDITION = 27
#: Of the function itself.
ITSELF = 160


@given(calls_per_second=RATES, priority=st.sampled_from(Priority))
def test_an_analyzer_has_room_for_the_renditions_that_its_calls_need(
    calls_per_second: float, priority: Priority
) -> None:
    rate = CallRate(calls_per_second)
    renderings = parallel_renderings(rate.calls_per_worker)

    assert renderings >= max(4, 0.8 * rate.calls_per_worker)
    assert ITSELF + renderings * A_RENDITION <= memory_size(priority, rate) <= 1024


@given(lower=RATES, higher=RATES)
def test_a_higher_rate_has_no_fewer_workers(lower: float, higher: float) -> None:
    assume(lower < higher)

    assert CallRate(lower).workers <= CallRate(higher).workers


@pytest.mark.parametrize(
    ("calls_per_second", "workers", "calls_per_worker", "chunk_size"),
    [
        (DEFAULT_CALLS_PER_SECOND, 2, 2.5, 100),
        (LARGE_REGION_CALLS_PER_SECOND, 2, 25, 500),
        (1, 2, 0.5, 35),
        (20, 2, 10, 200),
        (50.1, 3, 16.7, 334),
        (250, 10, 25, 500),
    ],
)
def test_the_figures_that_the_documentation_gives(
    calls_per_second: float, workers: int, calls_per_worker: float, chunk_size: int
) -> None:
    rate = CallRate(calls_per_second)

    assert (rate.workers, rate.calls_per_worker, rate.chunk_size) == (workers, calls_per_worker, chunk_size)


@given(shares=SHARES, used=USED)
def test_what_is_used_shares_all_there_is_in_the_parts_of_the_settings(
    shares: Mapping[Priority, int], used: set[Priority]
) -> None:
    parts = {priority: share_of(priority, shares, used) for priority in used}

    assert math.fsum(parts.values()) == pytest.approx(1)
    for one in used:
        for other in used:
            assert parts[one] * shares[other] == pytest.approx(parts[other] * shares[one])


@given(shares=SHARES, used=USED, calls_per_second=st.floats(1, 250))
def test_all_priorities_together_keep_the_accounts_rate(
    shares: Mapping[Priority, int], used: set[Priority], calls_per_second: float
) -> None:
    rates = [CallRate(calls_per_second * share_of(priority, shares, used)) for priority in used]

    made = math.fsum(rate.workers * rate.calls_per_worker for rate in rates)

    assert made == pytest.approx(calls_per_second, rel=1e-4)


def test_a_priority_alone_has_everything() -> None:
    assert share_of(Priority.LIVE, ImageEngineSettings().shares, [Priority.LIVE, Priority.LIVE]) == 1


# In a template


def figures(calls_per_second: float | None, part: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """What CloudFormation is given, and the conditions it decides by."""
    app = cdk.App()
    stack = cdk.Stack(app, "Stack")
    rate = AccountRate(stack, "Rate", calls_per_second=calls_per_second).share(part)
    resource = cdk.CfnResource(
        stack,
        "Figures",
        type="Test::Figures",
        properties={
            "CallsPerSecond": rate.calls_per_second,
            "CallsPerWorker": rate.calls_per_worker,
            "Workers": rate.workers,
            "MaxConcurrency": rate.max_concurrency,
            "ChunkSize": rate.chunk_size,
            "LeastChunk": rate.least_chunk,
        },
    )
    template = app.synth().get_stack_by_name("Stack").template
    found: dict[str, Any] = template["Resources"][stack.get_logical_id(resource)]["Properties"]
    return found, template.get("Conditions", {})


def either(large: Any, other: Any) -> dict[str, Any]:
    return {"Fn::If": ["IsLargeRegion", large, other]}


def test_without_a_setting_the_region_decides() -> None:
    found, conditions = figures(None, 0.2)

    assert found == {
        "CallsPerSecond": either("10", "1"),
        "CallsPerWorker": either("5", "0.5"),
        "Workers": "2",
        "MaxConcurrency": 2,
        "ChunkSize": either("100", "35"),
        "LeastChunk": either("5", "1"),
    }
    assert set(conditions) == {"IsLargeRegion"}


def test_without_a_setting_the_regions_with_the_large_quota_are_named() -> None:
    _, conditions = figures(None, 1)

    assert conditions["IsLargeRegion"] == {
        "Fn::Or": [{"Fn::Equals": [{"Ref": "AWS::Region"}, region]} for region in LARGE_REGIONS]
    }
    assert LARGE_REGIONS == ("us-east-1", "us-west-2", "eu-west-1")


def test_a_setting_gives_plain_figures_everywhere() -> None:
    found, conditions = figures(120, 0.5)

    assert found == {
        "CallsPerSecond": "60",
        "CallsPerWorker": "20",
        "Workers": "3",
        "MaxConcurrency": 3,
        "ChunkSize": "400",
        "LeastChunk": "20",
    }
    assert conditions == {}


def test_the_shipped_settings_leave_it_to_the_region(shipped: Assembly) -> None:
    mapping = only(shipped.pipeline, "AWS::Lambda::EventSourceMapping", "LiveImages")["Properties"]
    function = only(shipped.pipeline, "AWS::Lambda::Function", "LiveImages")["Properties"]

    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 2}
    assert function["Environment"]["Variables"]["CALLS_PER_SECOND"] == either("25", "2.5")
    assert function["MemorySize"] == either(1024, 384)
    assert set(shipped.pipeline["Conditions"]) >= {"IsLargeRegion"}


def test_settings_of_ones_own_leave_nothing_to_the_region(elaborate: Assembly) -> None:
    assert "IsLargeRegion" not in str(elaborate.pipeline)
