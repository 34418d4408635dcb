"""Uploads that everybody has forgotten are got going by the sweeper, with the event its schedule sends it."""

import json

import pytest

from demo.pipeline import DemoUpload
from gatehouse.moderation.open_batch import OPEN_PREFIX
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict_item import BATCH_ID, STATUS
from tests.e2e.conftest import BULK
from tests.e2e.images import BLOCKED, CLEAN
from tests.e2e.pipeline import Pipeline

UPLOADS = 12
EXPECTED = {f"{n}.jpg": Status.BLOCKED if n % 2 else Status.APPROVED for n in range(UPLOADS)}


@pytest.fixture(scope="module")
def settings() -> str:
    return BULK


@pytest.fixture(scope="module", autouse=True)
def _short_timeout(pipeline: Pipeline) -> None:
    pipeline.let_run("Batcher", seconds=8)


def upload(pipeline: Pipeline, prefix: str) -> None:
    pipeline.upload_many(DemoUpload(f"{prefix}{n}.jpg", BLOCKED if n % 2 else CLEAN) for n in range(UPLOADS))


def sweep(pipeline: Pipeline) -> None:
    """What the schedule does each quarter of an hour, but of batches of any age: S3 stamps them with the real time."""
    events = pipeline.cloud.client("events")
    (rule,) = (rule["Name"] for rule in events.list_rules()["Rules"] if "ScheduleExpression" in rule)
    (target,) = events.list_targets_by_rule(Rule=rule)["Targets"]
    event = json.loads(target["Input"]) | {"min_age_minutes": 0}
    answer = pipeline.cloud.client("lambda").invoke(FunctionName=target["Arn"], Payload=json.dumps(event).encode())
    assert "FunctionError" not in answer, answer["Payload"].read()


def assert_settled(pipeline: Pipeline, prefix: str) -> None:
    """Everything has its verdict, its flag and one analysis, and no batch is open."""
    verdicts = pipeline.wait_for_verdicts(UPLOADS, prefix, deadline=60)
    assert {item["key"].removeprefix(prefix): item[STATUS] for item in verdicts} == EXPECTED
    assert len({flag["id"] for flag in pipeline.wait_for_flags(UPLOADS // 2, prefix)}) == UPLOADS // 2
    assert pipeline.analyzed(prefix) == {f"{prefix}{name}": 1 for name in EXPECTED}
    pipeline.wait_until(lambda: not pipeline.executions("RUNNING"), why="the executions to end")
    sweep(pipeline)  # tidies entries of batches whose uploads another one took over
    assert open_batches(pipeline) == []


def open_batches(pipeline: Pipeline) -> list[str]:
    listed = pipeline.cloud.client("s3").list_objects_v2(Bucket=pipeline.outputs["WorkBucketName"], Prefix=OPEN_PREFIX)
    return [entry["Key"] for entry in listed.get("Contents", [])]


@pytest.mark.parametrize(
    ("call", "when"), [("dynamodb:TransactWriteItems", "after"), ("states:StartExecution", "before")]
)
def test_what_a_dead_batcher_held_is_admitted_though_its_messages_are_gone(
    pipeline: Pipeline, prefix: str, call: str, when: str
) -> None:
    pipeline.cloud.faults({"caller": "Batcher", "call": call, "when": when, "nth": 1, "action": "kill"})
    with pipeline.gathered():
        upload(pipeline, prefix)
    pipeline.wait_until(lambda: not pipeline.cloud.armed_faults(), why="the batcher to die")
    pipeline.cloud.clear_faults()
    pipeline.cloud.client("sqs").purge_queue(QueueUrl=pipeline.outputs["IngestQueueUrl"])
    assert len(pipeline.pending(prefix)) == UPLOADS

    sweep(pipeline)

    assert_settled(pipeline, prefix)


def test_an_execution_that_was_stopped_is_resumed_and_pays_once(pipeline: Pipeline, prefix: str) -> None:
    pipeline.cloud.rekognition(hold_jobs=True)
    with pipeline.gathered():
        upload(pipeline, prefix)
    pipeline.wait_until(lambda: pipeline.executions("RUNNING"), why="the batch to start")
    (execution,) = pipeline.executions("RUNNING")
    pipeline.cloud.client("stepfunctions").stop_execution(executionArn=execution["executionArn"])
    pipeline.cloud.rekognition(hold_jobs=False)

    sweep(pipeline)

    assert_settled(pipeline, prefix)
    assert {item[BATCH_ID] for item in pipeline.verdicts(prefix)} == {execution["name"]}


def test_a_sweep_of_what_is_under_way_changes_nothing(pipeline: Pipeline, prefix: str) -> None:
    pipeline.cloud.rekognition(hold_jobs=True)
    with pipeline.gathered():
        upload(pipeline, prefix)
    pipeline.wait_until(lambda: pipeline.executions("RUNNING"), why="the batch to start")
    before = pipeline.verdicts(prefix)

    sweep(pipeline)
    sweep(pipeline)

    assert pipeline.verdicts(prefix) == before
    assert pipeline.queued() == 0
    pipeline.cloud.rekognition(hold_jobs=False)
    assert_settled(pipeline, prefix)


def test_the_schedule_is_answered_with_nothing_to_do(pipeline: Pipeline) -> None:
    sweep(pipeline)

    counts = [line["counts"] for line in pipeline.logged("Sweeper") if line.get("message") == "swept"][-1]
    assert set(counts.values()) == {0}
