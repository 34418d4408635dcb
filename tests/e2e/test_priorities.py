"""Lanes of different priorities do not starve each other."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

import pytest

from demo.pipeline import DemoUpload
from gatehouse.moderation.status import Status
from tests.e2e.images import BLOCKED, CLEAN
from tests.e2e.pipeline import Pipeline

#: Backfill batches that may be under way.
TURNS = 4

#: Few calls a second, so that a backfill takes long. It has two lanes, and meets both engines.
SETTINGS = f"""
image_engine: {{calls_per_second: 10}}
backfill_batches: {TURNS}
lanes:
  default: {{prefixes: [live/], engine: bulk}}
  fast: {{prefixes: [fast/], priority: fast}}
  images: {{prefixes: [images/], priority: backfill, engine: image}}
  jobs: {{prefixes: [jobs/], priority: backfill, engine: bulk, batch_size: 2}}
"""

BACKFILL = "BackfillStateMachineArn"


@pytest.fixture(scope="module")
def settings() -> str:
    """Lanes of all three priorities."""
    return SETTINGS


def jobs_started(pipeline: Pipeline) -> list[str]:
    """The batches that jobs were started for, in that order."""
    newest_first = pipeline.cloud.client("rekognition").list_media_analysis_jobs(MaxResults=100)["MediaAnalysisJobs"]
    return [job["Input"]["S3Object"]["Name"].split("/")[1] for job in reversed(newest_first)]


def refusals(pipeline: Pipeline) -> int:
    """How often a job could not be started for lack of a slot."""
    calls: dict[str, int] = pipeline.cloud.rekognition_counters()["calls"].get("StartMediaAnalysisJob", {})
    return calls.get("LimitExceededException", 0)


def time_under_way(pipeline: Pipeline, execution: str) -> tuple[datetime, datetime]:
    """When it was an execution's turn, and when it ended."""
    pages = (
        pipeline.cloud.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=execution)
    )
    events = [event for page in pages for event in page["events"]]
    states = [(event, event.get("stateEnteredEventDetails", {}).get("name")) for event in events]
    (turn,) = [event["timestamp"] for event, name in states if name == "Which engine?"]
    return turn, events[-1]["timestamp"]


def upload_batch(pipeline: Pipeline, prefix: str) -> None:
    """Two uploads, which are a batch of the lane for jobs."""
    pipeline.upload_many(DemoUpload(f"{prefix}{n}.jpg", CLEAN) for n in range(2))


def most_at_a_time(times: Sequence[tuple[datetime, datetime]]) -> int:
    """The largest number of intervals that overlap."""
    return max(sum(began <= moment < ended for began, ended in times) for moment, _ in times)


def test_a_fast_upload_is_judged_while_a_backfill_runs(pipeline: Pipeline) -> None:
    with pipeline.gathered():
        pipeline.upload_many(DemoUpload(f"images/{n:03}.jpg", CLEAN) for n in range(300))
    pipeline.wait_until(lambda: len(pipeline.analyzed("images/")) > 4, why="the backfill to run")

    pipeline.upload("fast/picture.jpg", BLOCKED)
    (verdict,) = pipeline.wait_for_verdicts(1, "fast/")

    assert verdict["status"] == Status.BLOCKED
    assert len(pipeline.wait_for_flags(1, "fast/")) == 1
    assert len(pipeline.analyzed("images/")) < 150, "the fast upload waited for the backfill"
    pipeline.stop_executions(BACKFILL)  # the next test need not wait for them


def test_live_batches_get_the_slots_that_backfill_batches_have_waited_for_longer(pipeline: Pipeline) -> None:
    pipeline.cloud.rekognition(concurrent_jobs=1, hold_jobs=True)
    for batch in range(2 * TURNS):
        upload_batch(pipeline, f"jobs/{batch}/")
    pipeline.wait_until(lambda: refusals(pipeline) >= TURNS - 1, why="all batches but one to be without a slot")
    for key in ("live/a.jpg", "live/b.jpg"):
        pipeline.upload(key, BLOCKED)
        pipeline.wait_until(partial(pipeline.pending, key), why="its claim")
    before = refusals(pipeline)
    pipeline.wait_until(lambda: refusals(pipeline) >= before + 2 * TURNS, why="the live batches to ask for a slot")

    pipeline.cloud.rekognition(hold_jobs=False)
    live = {item["batch_id"] for item in pipeline.wait_for_verdicts(2, "live/")}

    # All ask at random times, so a backfill batch may be lucky once. The first job was there before.
    assert len(live) == 2
    assert live <= set(jobs_started(pipeline)[1:4])
    pipeline.stop_executions(BACKFILL)  # the next test need not wait for them


def test_only_so_many_backfill_batches_are_under_way_at_a_time(pipeline: Pipeline) -> None:
    pipeline.cloud.rekognition(hold_jobs=True)
    for batch in range(3 * TURNS):
        upload_batch(pipeline, f"jobs/turns {batch}/")
    pipeline.wait_until(lambda: len(pipeline.executions("RUNNING", BACKFILL)) == 3 * TURNS, why="all batches to wait")

    pipeline.cloud.rekognition(hold_jobs=False)
    verdicts = pipeline.wait_for_verdicts(6 * TURNS, "jobs/turns ")
    pipeline.wait_until(lambda: not pipeline.executions("RUNNING", BACKFILL), why="the executions to end")

    batches = {item["batch_id"] for item in verdicts}
    times = [
        time_under_way(pipeline, execution["executionArn"])
        for execution in pipeline.executions(machine=BACKFILL)
        if execution["name"] in batches
    ]
    assert len(times) == 3 * TURNS
    assert most_at_a_time(times) == TURNS
