"""The image engine: each version judged by its own bytes, nothing lost and little paid twice whatever dies."""

import io
import json
import random
from collections.abc import Iterator, Mapping

import pytest
from PIL import Image

from demo.pipeline import DemoUpload
from gatehouse.moderation.batch import uploads_key
from gatehouse.moderation.chunk import CHUNK_FAILED
from gatehouse.moderation.status import Status
from lambdas.analyzer.chunk_analysis import CLOSING_SECONDS, MAX_DELIVERIES, ChunkOutcome
from tests.e2e.conftest import Deploy
from tests.e2e.events import created_event
from tests.e2e.images import BLOCKED, CLEAN, REVIEW, image
from tests.e2e.pipeline import Pipeline

#: A quota so large that the pace costs the tests no time.
SETTINGS = """
image_engine: {calls_per_second: 250}
lanes: {default: {engine: image}}
"""

#: As many as the smallest chunk holds.
CHUNK = 25

#: Invocations of a function in one chain of requests that Lambda allows where loops are not allowed.
LOOP_LIMIT = 16

DETECT, WRITE, REPORT = "rekognition:DetectModerationLabels", "s3:PutObject", "states:SendTaskSuccess"


@pytest.fixture(scope="module")
def pipeline(deployed: Deploy) -> Iterator[Pipeline]:
    """On a faster clock: a dead Analyzer's message comes back after twelve minutes of AWS's."""
    with deployed(SETTINGS, time_scale=0.002) as pipeline:
        yield pipeline


@pytest.fixture(autouse=True)
def no_chunk_is_left(pipeline: Pipeline) -> Iterator[None]:
    """No message may outlive its step: what is left would be analyzed, or waited for, in vain."""
    yield
    pipeline.cloud.clear_faults()
    pipeline.wait_until(lambda: pipeline.queued("ChunkQueueUrl") == 0, why="an empty chunk queue")
    assert pipeline.cloud.rekognition_counters()["jobs_started"] == 0


def death(call: str, when: str, nth: int = 1, times: int = 1) -> dict[str, object]:
    return {"caller": "Analyzer", "call": call, "when": when, "nth": nth, "times": times, "action": "kill"}


def expected(prefix: str, uploads: int) -> dict[str, Status]:
    """Every other upload is flagged."""
    return {f"{prefix}{n:02}.jpg": Status.BLOCKED if n % 2 else Status.APPROVED for n in range(uploads)}


def upload(pipeline: Pipeline, prefix: str, uploads: int = CHUNK) -> None:
    """Put the uploads into one batch."""
    with pipeline.gathered():
        pipeline.upload_many(
            DemoUpload(key, BLOCKED if status is Status.BLOCKED else CLEAN)
            for key, status in expected(prefix, uploads).items()
        )


def assert_settled(pipeline: Pipeline, prefix: str, uploads: int = CHUNK) -> None:
    """All verdicts and flags are there, and right."""
    statuses = expected(prefix, uploads)
    verdicts = pipeline.wait_for_verdicts(uploads, prefix)
    assert {item["key"]: item["status"] for item in verdicts} == statuses
    assert {item["engine"] for item in verdicts} == {"image"}
    flagged = {key for key, status in statuses.items() if status is Status.BLOCKED}
    flags = pipeline.wait_for_flags(len(flagged), prefix)
    assert {flag["object"]["key"] for flag in flags} == flagged


def batch_order(pipeline: Pipeline, prefix: str) -> list[str]:
    """The keys under `prefix` as their batch lists them; all are in one."""
    (batch_id,) = {item["batch_id"] for item in pipeline.verdicts(prefix)}
    index = pipeline.work_object(uploads_key(batch_id)).splitlines()
    return [json.loads(line)["key"] for line in index]


def picture(size: int) -> bytes:
    """A square picture."""
    body = io.BytesIO()
    Image.new("L", (size, size), 200).save(body, "JPEG")
    return body.getvalue()


def test_each_version_of_an_overwritten_object_gets_the_verdict_of_its_own_bytes(
    pipeline: Pipeline, prefix: str
) -> None:
    key = f"{prefix}picture.jpg"
    with pipeline.gathered():
        versions = [pipeline.upload(key, body) for body in (BLOCKED, CLEAN, REVIEW, image(shade=7))]
        pipeline.cloud.client("s3").delete_object(Bucket=pipeline.upload_bucket, Key=key)

    verdicts = {item["version_id"]: item["status"] for item in pipeline.wait_for_verdicts(4, prefix)}

    assert [verdicts[version] for version in versions] == [
        Status.BLOCKED,
        Status.APPROVED,
        Status.REVIEW,
        Status.APPROVED,
    ]
    assert pipeline.analyzed(prefix) == {key: 4}


def test_an_image_that_cannot_be_analyzed_ends_by_itself_with_what_rekognition_said(
    pipeline: Pipeline, prefix: str
) -> None:
    bodies = {"good": CLEAN, "flagged": BLOCKED, "text": b"not an image", "small": picture(79), "least": picture(80)}
    with pipeline.gathered():
        pipeline.upload_many(DemoUpload(prefix + name, body) for name, body in bodies.items())
        gone = pipeline.upload(f"{prefix}gone", CLEAN)
        pipeline.cloud.client("s3").delete_object(Bucket=pipeline.upload_bucket, Key=f"{prefix}gone", VersionId=gone)

    verdicts = {item["key"].removeprefix(prefix): item for item in pipeline.wait_for_verdicts(6, prefix)}

    assert {name: item["status"] for name, item in verdicts.items()} == {
        "good": Status.APPROVED,
        "flagged": Status.BLOCKED,
        "least": Status.APPROVED,
        "text": Status.UNSUPPORTED,
        "small": Status.APPROVED,  # as large a picture of it
        "gone": Status.FAILED,
    }
    errors: dict[str, Mapping[str, str]] = {name: item["error"] for name, item in verdicts.items() if "error" in item}
    assert {name: error["code"] for name, error in errors.items()} == {
        "text": "InvalidImageFormatException",
        "gone": "InvalidS3ObjectException",
    }
    assert all(error["message"] for error in errors.values())


def test_throttling_only_takes_time(pipeline: Pipeline, prefix: str) -> None:
    pipeline.cloud.rekognition(requests_per_second={"DetectModerationLabels": 8}, throttle_calls=20)
    before = pipeline.cloud.rekognition_counters()["calls"].get("DetectModerationLabels", {})

    upload(pipeline, prefix, 2 * CHUNK)
    assert_settled(pipeline, prefix, 2 * CHUNK)

    after = pipeline.cloud.rekognition_counters()["calls"]["DetectModerationLabels"]
    assert after["ThrottlingException"] - before.get("ThrottlingException", 0) > 0
    assert after["ProvisionedThroughputExceededException"] > 0
    assert after["OK"] - before.get("OK", 0) == 2 * CHUNK
    assert set(pipeline.analyzed(prefix).values()) == {1}


@pytest.fixture
def short_runs(pipeline: Pipeline) -> Iterator[None]:
    """Analyzers have a second for their calls, and with throttling put their chunk back after each."""
    functions = pipeline.cloud.client("lambda").list_functions()["Functions"]
    (deployed,) = (function["Timeout"] for function in functions if "Analyzer" in function["FunctionName"])
    pipeline.let_run("Analyzer", CLOSING_SECONDS + 1)
    yield
    pipeline.let_run("Analyzer", deployed)


@pytest.mark.usefixtures("short_runs")
def test_throttling_may_last_longer_than_lambda_lets_a_loop_go_on(pipeline: Pipeline, prefix: str) -> None:
    pipeline.cloud.rekognition(throttle_calls=1_000_000)
    upload(pipeline, prefix, 2)
    pipeline.wait_until(lambda: pipeline.pending(prefix), why="a batch")
    batch_id = pipeline.pending(prefix)[0]["batch_id"]

    def times_put_back() -> int:
        runs = [line for line in pipeline.logged("Analyzer") if line.get("batch_id") == batch_id]
        return sum(run["outcome"] == ChunkOutcome.PUT_BACK.value for run in runs)

    pipeline.wait_until(lambda: times_put_back() > LOOP_LIMIT + 1, why="a long loop")
    pipeline.cloud.rekognition(throttle_calls=0)

    assert_settled(pipeline, prefix, 2)


def test_an_error_that_passes_is_not_taken_for_the_answer(pipeline: Pipeline, prefix: str) -> None:
    failure = {"operation": "DetectModerationLabels", "error": "InternalServerError", "times": 2}
    pipeline.cloud.rekognition(fail_next_calls=[failure])
    pipeline.upload(f"{prefix}picture.jpg", BLOCKED)

    (verdict,) = pipeline.wait_for_verdicts(1, prefix)

    assert verdict["status"] == Status.BLOCKED


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", [DETECT, WRITE, REPORT])
def test_an_analyzer_that_dies_loses_nothing_and_costs_its_chunk_again_at_most(
    pipeline: Pipeline, prefix: str, call: str, when: str
) -> None:
    nth = random.randint(1, CHUNK) if call == DETECT else random.randint(1, 2)
    pipeline.cloud.faults(death(call, when, nth))

    upload(pipeline, prefix, 2 * CHUNK)
    assert_settled(pipeline, prefix, 2 * CHUNK)

    assert not pipeline.cloud.armed_faults(), f"nothing was killed at call {nth}"
    paid = pipeline.analyzed(prefix)
    again = [key for key, count in paid.items() if count > 1]
    known = (call, when) not in ((DETECT, "before"), (DETECT, "after"), (WRITE, "before"))
    assert set(paid.values()) <= {1, 2}, f"killed at call {nth}"
    assert len(again) <= (0 if known else CHUNK), f"killed at call {nth}"
    chunks = {place // CHUNK for place, key in enumerate(batch_order(pipeline, prefix)) if key in again}
    assert len(chunks) <= 1, "another chunk was analyzed again"


def test_a_redriven_execution_pays_for_nothing_again(pipeline: Pipeline, prefix: str) -> None:
    pipeline.cloud.faults(death(REPORT, "before", nth=2, times=1000))
    upload(pipeline, prefix, 3 * CHUNK)
    pipeline.wait_until(lambda: pipeline.cloud.armed_faults()[0]["fired"] > 1, why="two Analyzers to die")
    pipeline.wait_until(lambda: len(pipeline.analyzed(prefix)) == 3 * CHUNK, why="all analyses")
    items = pipeline.pending(prefix)
    assert len(items) == 3 * CHUNK
    (execution,) = pipeline.executions("RUNNING")
    pipeline.cloud.client("stepfunctions").stop_execution(executionArn=execution["executionArn"])
    pipeline.cloud.clear_faults()

    pipeline.send([created_event(item) for item in items])

    assert_settled(pipeline, prefix, 3 * CHUNK)
    (redriven,) = [each for each in pipeline.executions() if each["name"] == execution["name"]]
    assert redriven["redriveCount"] == 1
    assert pipeline.analyzed(prefix) == dict.fromkeys(expected(prefix, 3 * CHUNK), 1)


def test_a_chunk_that_kills_every_analyzer_is_given_up_and_its_uploads_fail(pipeline: Pipeline, prefix: str) -> None:
    pipeline.cloud.faults(death(DETECT, "before", times=1000))
    upload(pipeline, prefix, 3)

    verdicts = pipeline.wait_for_verdicts(3, prefix)

    assert {item["status"] for item in verdicts} == {Status.FAILED}
    assert {item["error"]["code"] for item in verdicts} == {CHUNK_FAILED}
    assert all(item["error"]["message"] for item in verdicts)
    # An Analyzer asks about several images at once, and each of these calls may strike before it is dead.
    assert MAX_DELIVERIES <= pipeline.cloud.armed_faults()[0]["fired"] <= 3 * MAX_DELIVERIES
    assert pipeline.analyzed(prefix) == {}
    name = verdicts[0]["batch_id"]
    pipeline.wait_until(
        lambda: (
            {"name": name, "status": "FAILED"}
            in [{"name": each["name"], "status": each["status"]} for each in pipeline.executions()]
        ),
        why="the execution to fail",
    )
