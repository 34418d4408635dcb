"""An outage leaves FAILED uploads in many batches whose executions ended well; one command mends them all."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from demo.pipeline import DemoUpload
from gatehouse.moderation.status import Status
from tests.e2e.conftest import Deploy
from tests.e2e.images import BLOCKED, CLEAN
from tests.e2e.pipeline import Pipeline
from tests.e2e.terminal import Terminal

BATCHES = 3
UPLOADS = 4

SETTINGS = "{image_engine: {calls_per_second: 250}, lanes: {default: {engine: image}}}"

#: An hour of passes over stragglers takes some seconds.
TIME_SCALE = 0.002

#: What DetectModerationLabels answers where its role may not read the object, and where it may not be called.
REFUSALS = ("InvalidS3ObjectException", "AccessDeniedException")


@pytest.fixture(scope="module")
def pipeline(deployed: Deploy) -> Iterator[Pipeline]:
    with deployed(SETTINGS, time_scale=TIME_SCALE) as pipeline:
        yield pipeline


@pytest.mark.parametrize("refused", REFUSALS)
def test_after_an_hour_of_refusals_one_command_has_every_verdict_right(
    pipeline: Pipeline, tmp_path: Path, prefix: str, refused: str
) -> None:
    ended_well = len(pipeline.executions("SUCCEEDED"))
    terminal = Terminal(pipeline, tmp_path)
    expected = {
        f"{prefix}{batch}-{n}.jpg": Status.BLOCKED if n % 2 else Status.APPROVED
        for batch in range(BATCHES)
        for n in range(UPLOADS)
    }
    denied = {"operation": "DetectModerationLabels", "error": refused, "times": 10_000}
    pipeline.cloud.rekognition(fail_next_calls=[denied])
    for batch in range(BATCHES):
        with pipeline.gathered():
            pipeline.upload_many(
                DemoUpload(key, BLOCKED if status is Status.BLOCKED else CLEAN)
                for key, status in expected.items()
                if key.startswith(f"{prefix}{batch}-")
            )
        pipeline.wait_until(partial(_are_claimed, pipeline, f"{prefix}{batch}-"), why="a batch of its own")
    failed = pipeline.wait_for_verdicts(len(expected), prefix)
    assert {(verdict["status"], verdict["error"]["code"]) for verdict in failed} == {(Status.FAILED, refused)}
    batches = {verdict["batch_id"] for verdict in failed}
    assert len(batches) >= BATCHES
    pipeline.wait_until(
        lambda: len(pipeline.executions("SUCCEEDED")) >= ended_well + len(batches), why="the executions to end"
    )
    assert pipeline.executions("FAILED") == []
    pipeline.cloud.rekognition(fail_next_calls=[])

    listed = {entry["batch_id"]: entry["failed_uploads"] for entry in terminal.gatehouse("batch", "list")}
    assert set(listed) == batches
    assert sum(codes[refused] for codes in listed.values()) == len(expected)
    for _ in range(2):  # once more changes nothing
        terminal.gatehouse("retry", "--status", "FAILED", "--yes")

    def mended() -> bool:
        return {verdict["key"]: verdict["status"] for verdict in pipeline.verdicts(prefix)} == expected

    pipeline.wait_until(mended, why="verdicts in the failures' place")
    pipeline.wait_until(lambda: pipeline.queued() == 0, why="the messages to be done with")
    assert set(pipeline.analyzed(prefix).values()) == {1}
    flags = pipeline.wait_for_flags(BATCHES * UPLOADS // 2, prefix)
    assert len({flag["id"] for flag in flags}) == len(flags) == BATCHES * UPLOADS // 2
    assert terminal.gatehouse("batch", "list") == []
    assert terminal.gatehouse("retry", "--status", "FAILED", "--dry-run")["found"] == 0


def _are_claimed(pipeline: Pipeline, prefix: str) -> bool:
    return len(pipeline.verdicts(prefix)) == UPLOADS
