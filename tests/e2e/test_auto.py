"""`auto`: small batches to the image engine, large ones to Bulk Analysis, and back where that refuses or fails."""

from collections.abc import Iterator
from typing import Any

import pytest

from demo.pipeline import DemoUpload
from gatehouse.contracts.function_metrics import ResultsMetric
from gatehouse.moderation.status import Status
from localcloud.rekognition.refusal import BulkRefusal
from tests.e2e.conftest import Deploy
from tests.e2e.images import BLOCKED, CLEAN, REVIEW
from tests.e2e.pipeline import Pipeline

#: One call a second makes a minute's work of few uploads. Everything else is as shipped.
SETTINGS = "{image_engine: {calls_per_second: 1}, lanes: {default: {}}}"

#: More than can be done in a minute.
LARGE = 70

BODIES = {Status.APPROVED: CLEAN, Status.BLOCKED: BLOCKED, Status.REVIEW: REVIEW, Status.UNSUPPORTED: b"not an image"}


@pytest.fixture(scope="module")
def pipeline(deployed: Deploy) -> Iterator[Pipeline]:
    """Whose workflow counts on one call a second, while its Analyzer makes more: estimates take no time, calls do."""
    with deployed(SETTINGS) as pipeline:
        functions = pipeline.cloud.client("lambda")
        (analyzer,) = [each for each in functions.list_functions()["Functions"] if "Analyzer" in each["FunctionName"]]
        variables = analyzer["Environment"]["Variables"] | {"CALLS_PER_SECOND": "100"}
        functions.update_function_configuration(
            FunctionName=analyzer["FunctionName"], Environment={"Variables": variables}
        )
        yield pipeline


def upload(pipeline: Pipeline, prefix: str, uploads: int = LARGE) -> dict[str, Status]:
    """Put uploads into one batch; returns what each has to become."""
    statuses = list(BODIES)
    expected = {f"{prefix}{n:02}.jpg": statuses[n % len(statuses)] for n in range(uploads)}
    with pipeline.gathered():
        pipeline.upload_many(DemoUpload(key, BODIES[status]) for key, status in expected.items())
    return expected


def assert_settled(pipeline: Pipeline, prefix: str, expected: dict[str, Status]) -> dict[str, str]:
    """All verdicts and flags are there, and right; returns the engine of each."""
    verdicts = pipeline.wait_for_verdicts(len(expected), prefix)
    assert {item["key"]: item["status"] for item in verdicts} == expected
    assert len({item["batch_id"] for item in verdicts}) == 1
    flagged = {key for key, status in expected.items() if status in (Status.BLOCKED, Status.REVIEW)}
    flags = pipeline.wait_for_flags(len(flagged), prefix)
    assert {flag["object"]["key"] for flag in flags} == flagged
    return {item["key"]: item["engine"] for item in verdicts}


def jobs(pipeline: Pipeline) -> int:
    """How many media analysis jobs were started so far."""
    started: int = pipeline.cloud.rekognition_counters()["jobs_started"]
    return started


def metric(pipeline: Pipeline, name: str) -> float:
    """What a metric of Results adds up to so far."""
    return sum(sum(line.get(name, [])) for line in pipeline.logged("Results") if "_aws" in line)


def warnings(pipeline: Pipeline, prefix: str) -> list[dict[str, Any]]:
    """What Results warned of about the batch of the uploads under `prefix`."""
    (batch_id,) = {item["batch_id"] for item in pipeline.verdicts(prefix)}
    return [
        line
        for line in pipeline.logged("Results")
        if line.get("level") == "WARNING" and line.get("batch_id") == batch_id
    ]


def test_what_is_soon_done_image_by_image_starts_no_job(pipeline: Pipeline, prefix: str) -> None:
    before = jobs(pipeline)
    expected = upload(pipeline, prefix, 20)

    engines = assert_settled(pipeline, prefix, expected)

    assert set(engines.values()) == {"image"}
    assert jobs(pipeline) == before


def test_what_would_take_over_a_minute_becomes_a_job(pipeline: Pipeline, prefix: str) -> None:
    before = jobs(pipeline)
    expected = upload(pipeline, prefix)

    engines = assert_settled(pipeline, prefix, expected)

    # A job's error is taken for an answer where it says that the image itself is the reason.
    assert set(engines.values()) == {"bulk"}
    assert jobs(pipeline) == before + 1
    analyzable = {key for key, status in expected.items() if status is not Status.UNSUPPORTED}
    assert pipeline.analyzed(prefix) == dict.fromkeys(analyzable, 1)


@pytest.mark.parametrize("reading", list(BulkRefusal))
def test_however_bulk_is_refused_the_image_engine_gives_the_same_verdicts(
    pipeline: Pipeline, prefix: str, reading: BulkRefusal
) -> None:
    before, refused_before = jobs(pipeline), metric(pipeline, ResultsMetric.BULK_REFUSED)
    pipeline.cloud.rekognition(refuse_bulk=reading)

    expected = upload(pipeline, prefix)
    engines = assert_settled(pipeline, prefix, expected)

    assert set(engines.values()) == {"image"}
    assert jobs(pipeline) == before
    assert set(pipeline.analyzed(prefix).values()) == {1}
    pipeline.wait_until(lambda: metric(pipeline, ResultsMetric.BULK_REFUSED) == refused_before + 1, why="the metric")
    (warning,) = warnings(pipeline, prefix)
    assert "lacks a permission" in warning["problem"]
    assert "closed to this account" in warning["problem"]
    assert warning["error"]["code"]


def test_a_job_that_failed_for_good_is_made_up_for_by_the_image_engine(pipeline: Pipeline, prefix: str) -> None:
    before, failed_before, refused_before = (
        jobs(pipeline),
        metric(pipeline, ResultsMetric.BULK_FAILED),
        metric(pipeline, ResultsMetric.BULK_REFUSED),
    )
    pipeline.cloud.rekognition(fail_next_jobs=[{"code": "INVALID_MANIFEST", "message": "no"}])

    expected = upload(pipeline, prefix)
    engines = assert_settled(pipeline, prefix, expected)

    assert set(engines.values()) == {"image"}
    assert jobs(pipeline) == before + 1
    pipeline.wait_until(lambda: metric(pipeline, ResultsMetric.BULK_FAILED) == failed_before + 1, why="the metric")
    assert metric(pipeline, ResultsMetric.BULK_REFUSED) == refused_before
    (warning,) = warnings(pipeline, prefix)
    assert warning["error"] == {"code": "INVALID_MANIFEST", "message": "no"}


def test_what_a_job_left_out_is_analyzed_once_more_and_no_more(pipeline: Pipeline, prefix: str) -> None:
    left_before = metric(pipeline, ResultsMetric.LEFTOVERS)
    pipeline.cloud.rekognition(drop_result_lines=9)

    expected = upload(pipeline, prefix)
    engines = assert_settled(pipeline, prefix, expected)

    by_image = {key for key, engine in engines.items() if engine == "image"}
    assert len(by_image) == 9
    assert {key for key, count in pipeline.analyzed(prefix).items() if count == 2} == by_image
    assert set(pipeline.analyzed(prefix).values()) == {1, 2}
    pipeline.wait_until(lambda: metric(pipeline, ResultsMetric.LEFTOVERS) == left_before + 9, why="the metric")
