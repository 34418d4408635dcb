"""Jobs that fail, are refused for lack of a slot, or whose execution dies and is redriven."""

from collections.abc import Iterator
from functools import partial

import pytest

from demo.pipeline import DemoUpload
from gatehouse.moderation.status import Status
from tests.e2e.conftest import BULK
from tests.e2e.events import created_event
from tests.e2e.images import BLOCKED, CLEAN
from tests.e2e.pipeline import Pipeline


@pytest.fixture(scope="module")
def settings() -> str:
    """Only `bulk` is sure to start a job."""
    return BULK


@pytest.fixture(autouse=True)
def _calm(pipeline: Pipeline) -> Iterator[None]:
    yield
    pipeline.cloud.clear_faults()
    pipeline.cloud.rekognition(concurrent_jobs=20, hold_jobs=False, fail_next_jobs=[])


def status_of(pipeline: Pipeline, item: dict[str, str]) -> str:
    """The status of the execution of an item's batch; STARTING between the claim and the start."""
    statuses = {execution["name"]: execution["status"] for execution in pipeline.executions()}
    return str(statuses.get(item["batch_id"], "STARTING"))


def test_a_job_that_failed_for_a_passing_reason_is_tried_again(pipeline: Pipeline, prefix: str) -> None:
    pipeline.cloud.rekognition(fail_next_jobs=[{"code": "INTERNAL_ERROR", "message": "try again"}] * 2)
    pipeline.upload(f"{prefix}picture.jpg", CLEAN)

    (verdict,) = pipeline.wait_for_verdicts(1, prefix)

    assert verdict["status"] == Status.APPROVED
    assert status_of(pipeline, verdict) in ("RUNNING", "SUCCEEDED")


def test_a_job_that_fails_three_times_ends_failed_with_its_code_and_message(pipeline: Pipeline, prefix: str) -> None:
    pipeline.cloud.rekognition(fail_next_jobs=[{"code": "THROTTLED", "message": "too much at once"}] * 3)
    pipeline.upload_many(DemoUpload(f"{prefix}{n}.jpg", CLEAN) for n in range(3))

    verdicts = pipeline.wait_for_verdicts(3, prefix)

    assert {verdict["status"] for verdict in verdicts} == {Status.FAILED}
    assert all(verdict["error"] == {"code": "THROTTLED", "message": "too much at once"} for verdict in verdicts)
    pipeline.wait_until(lambda: status_of(pipeline, verdicts[0]) == "FAILED", why="the execution to fail")


def test_a_job_that_failed_for_good_is_not_tried_again(pipeline: Pipeline, prefix: str) -> None:
    pipeline.cloud.rekognition(fail_next_jobs=[{"code": "INVALID_MANIFEST", "message": "no"}])
    pipeline.upload(f"{prefix}picture.jpg", CLEAN)

    (verdict,) = pipeline.wait_for_verdicts(1, prefix)

    assert (verdict["status"], verdict["error"]["code"]) == (Status.FAILED, "INVALID_MANIFEST")


def test_a_quota_of_one_job_only_makes_batches_wait(pipeline: Pipeline, prefix: str) -> None:
    pipeline.cloud.rekognition(concurrent_jobs=1, hold_jobs=True)
    for batch in range(4):
        key = f"{prefix}{batch}.jpg"
        pipeline.upload(key, BLOCKED)
        pipeline.wait_until(partial(pipeline.pending, key), why="its claim")
    assert len({item["batch_id"] for item in pipeline.pending(prefix)}) == 4

    pipeline.cloud.rekognition(hold_jobs=False)

    verdicts = pipeline.wait_for_verdicts(4, prefix, deadline=120)
    assert {verdict["status"] for verdict in verdicts} == {Status.BLOCKED}


def test_a_redriven_execution_resumes_without_a_second_job(pipeline: Pipeline, prefix: str) -> None:
    pipeline.cloud.faults(
        {"caller": "Results", "call": "sns:Publish", "when": "before", "nth": 1, "times": 1000, "action": "kill"}
    )
    pipeline.upload_many(DemoUpload(f"{prefix}{n}.jpg", BLOCKED) for n in range(12))
    pipeline.wait_until(lambda: len(pipeline.pending(prefix)) == 12, why="the claims")
    items = pipeline.pending(prefix)
    pipeline.wait_until(lambda: pipeline.cloud.armed_faults()[0]["fired"] > 0, why="Results to die")
    pipeline.stop_executions()
    jobs = pipeline.cloud.rekognition_counters()["jobs_started"]
    assert pipeline.flags(prefix) == []

    pipeline.cloud.clear_faults()
    pipeline.send([created_event(item) for item in items])

    verdicts = pipeline.wait_for_verdicts(12, prefix)
    assert {verdict["status"] for verdict in verdicts} == {Status.BLOCKED}
    assert len(pipeline.wait_for_flags(12, prefix)) == 12
    assert pipeline.cloud.rekognition_counters()["jobs_started"] == jobs
