"""I1, I2 and I4 where messages come twice, late, out of order, or to two batchers at once."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from demo.pipeline import DemoUpload
from gatehouse.moderation.status import Status
from tests.e2e.conftest import QUICK
from tests.e2e.events import created_event, queue_event
from tests.e2e.images import BLOCKED, CLEAN, image
from tests.e2e.pipeline import Pipeline


@pytest.fixture(scope="module")
def settings() -> str:
    """Whichever engine it is."""
    return QUICK


def invoke_batcher(pipeline: Pipeline, events: list[dict[str, Any]]) -> dict[str, Any]:
    """Call the batcher as an event source mapping would, and return its partial batch response."""
    mappings = pipeline.cloud.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    (mapping,) = [mapping for mapping in mappings if "Batcher" in mapping["FunctionArn"]]
    answer = pipeline.cloud.client("lambda").invoke(
        FunctionName=mapping["FunctionArn"], Payload=json.dumps(queue_event(events, mapping["EventSourceArn"]))
    )
    assert "FunctionError" not in answer, answer["Payload"].read()
    response: dict[str, Any] = json.load(answer["Payload"])
    return response


def test_redelivered_events_change_nothing_and_are_not_analyzed_again(pipeline: Pipeline, prefix: str) -> None:
    keys = [f"{prefix}{n}.jpg" for n in range(20)]
    pipeline.upload_many(DemoUpload(key, BLOCKED if n % 2 else CLEAN) for n, key in enumerate(keys))
    before = pipeline.wait_for_verdicts(20, prefix)
    executions = len(pipeline.executions())

    pipeline.send([created_event(item) for item in reversed(before)] * 2)
    pipeline.wait_until(lambda: pipeline.queued() == 0, why="the queue to be empty")

    assert pipeline.verdicts(prefix) == before
    assert pipeline.analyzed(prefix) == dict.fromkeys(keys, 1)
    assert len(pipeline.executions()) == executions
    assert len(pipeline.wait_for_flags(10, prefix)) == 10


def test_an_older_uploads_late_event_never_hides_the_newer_verdict(pipeline: Pipeline, prefix: str) -> None:
    key = f"{prefix}picture.jpg"
    pipeline.upload(key, image(shade=10))
    pipeline.wait_for_verdicts(1, prefix)
    pipeline.upload(key, BLOCKED)
    first, second = pipeline.wait_for_verdicts(2, prefix)

    pipeline.send([created_event(first)])
    pipeline.wait_until(lambda: pipeline.queued() == 0, why="the queue to be empty")

    assert (first["status"], second["status"]) == (Status.APPROVED, Status.BLOCKED)
    assert pipeline.verdict(key) == second


def test_two_batchers_racing_for_the_same_uploads_analyze_each_once(pipeline: Pipeline, prefix: str) -> None:
    """The uploads' own events are moved to a prefix that no lane matches, so that only the race brings them in."""
    keys = [f"{prefix}{n}.jpg" for n in range(60)]
    pipeline.upload_many(DemoUpload(key, CLEAN) for key in keys)
    items = pipeline.wait_for_verdicts(60, prefix)
    table, executions = pipeline.outputs["VerdictTableName"], len(pipeline.executions())
    for item in items:  # as if they had just been uploaded, and the events had come to two batchers in opposite order
        pipeline.cloud.client("dynamodb").delete_item(
            TableName=table, Key={"object": {"S": item["object"]}, "version": {"S": item["version"]}}
        )
    events = [created_event(item) for item in items]
    with ThreadPoolExecutor(2) as batchers:
        responses = list(batchers.map(lambda order: invoke_batcher(pipeline, order), [events, events[::-1]]))

    verdicts = pipeline.wait_for_verdicts(60, prefix)
    assert all(verdict["status"] == Status.APPROVED for verdict in verdicts)
    assert pipeline.analyzed(prefix) == dict.fromkeys(keys, 2)  # once before the items were removed, once after
    assert len(pipeline.executions()) - executions <= 2
    # Whoever lost an upload whose batch was not written yet has asked for its message again.
    assert {frozenset(response) for response in responses} == {frozenset({"batchItemFailures"})}
