"""Whoever is on call finds out what is wrong with the command, mends it, and nothing is lost."""

from pathlib import Path

import pytest

from demo.pipeline import DemoUpload
from gatehouse.moderation.status import Status
from tests.e2e.conftest import BULK
from tests.e2e.images import BLOCKED, CLEAN
from tests.e2e.pipeline import Pipeline
from tests.e2e.terminal import Terminal

UPLOADS = 12


@pytest.fixture(scope="module")
def settings() -> str:
    """Only `bulk` fails a whole batch at once."""
    return BULK


@pytest.fixture
def terminal(pipeline: Pipeline, tmp_path: Path) -> Terminal:
    return Terminal(pipeline, tmp_path)


def upload(pipeline: Pipeline, prefix: str) -> None:
    pipeline.upload_many(DemoUpload(f"{prefix}{n}.jpg", BLOCKED if n % 2 else CLEAN) for n in range(UPLOADS))


def give_up(pipeline: Pipeline, count: int) -> None:
    """Move messages of the lane's queue to its dead-letter queue, as SQS does with what nobody could handle."""
    queues = pipeline.cloud.client("sqs")
    for _ in range(count):
        (message,) = queues.receive_message(QueueUrl=pipeline.outputs["IngestQueueUrl"])["Messages"]
        queues.send_message(QueueUrl=pipeline.outputs["IngestDeadLetterQueueUrl"], MessageBody=message["Body"])
        queues.delete_message(QueueUrl=pipeline.outputs["IngestQueueUrl"], ReceiptHandle=message["ReceiptHandle"])


def test_dead_letters_are_shown_with_their_reason_and_put_back(
    pipeline: Pipeline, terminal: Terminal, prefix: str
) -> None:
    with pipeline.gathered():
        upload(pipeline, prefix)
        pipeline.send(["not json"])
        pipeline.wait_until(lambda: pipeline.queued() == UPLOADS + 1, why="the events to be queued")
        give_up(pipeline, UPLOADS + 1)
    missing = terminal.gatehouse("reconcile", "--prefix", prefix, "--min-age", "0", status=3)
    assert [(entry["standing"], entry["count"]) for entry in missing["standings"]] == [("unknown", UPLOADS)]

    (queue,) = terminal.gatehouse("queue", "show", "--queue", "dead-letter")
    assert sorted(letter["reason"] for letter in queue["shown"]) == ["malformed"] + ["never-claimed"] * UPLOADS
    report = terminal.gatehouse("queue", "redrive", "--queue", "dead-letter")

    assert report["put_back"] == [{"lane": "default", "reason": "never-claimed", "count": UPLOADS}]
    assert report["kept"] == {"malformed": 1}
    assert terminal.gatehouse("queue", "drop", "--reason", "malformed", "--yes")["dropped"] == 1
    verdicts = pipeline.wait_for_verdicts(UPLOADS, prefix)
    assert {verdict["status"] for verdict in verdicts} == {Status.APPROVED, Status.BLOCKED}
    assert set(pipeline.analyzed(prefix).values()) == {1}
    assert terminal.gatehouse("reconcile", "--prefix", prefix, "--min-age", "0")["without_verdict"] == 0


def test_uploads_whose_events_are_lost_are_found_and_judged(
    pipeline: Pipeline, terminal: Terminal, tmp_path: Path, prefix: str
) -> None:
    with pipeline.gathered():
        upload(pipeline, prefix)
        pipeline.wait_until(lambda: pipeline.queued() == UPLOADS, why="the events to be queued")
        pipeline.cloud.client("sqs").purge_queue(QueueUrl=pipeline.outputs["IngestQueueUrl"])
    listing = ("--prefix", prefix, "--min-age", "0")
    terminal.gatehouse("reconcile", *listing, "--report", str(tmp_path / "found.jsonl"), status=3)

    done = terminal.gatehouse("upload-again", "--report", str(tmp_path / "found.jsonl"), "--yes")

    assert done["copied"] == UPLOADS
    verdicts = pipeline.wait_for_verdicts(UPLOADS, prefix)
    assert {verdict["status"] for verdict in verdicts} == {Status.APPROVED, Status.BLOCKED}
    assert terminal.gatehouse("reconcile", *listing)["without_verdict"] == 0


def test_a_failed_batch_is_resubmitted_whole_and_paid_once_more(
    pipeline: Pipeline, terminal: Terminal, prefix: str
) -> None:
    pipeline.cloud.rekognition(fail_next_jobs=[{"code": "ACCESS_DENIED", "message": "the bucket's key"}])
    with pipeline.gathered():
        upload(pipeline, prefix)
        pipeline.wait_until(lambda: pipeline.queued() == UPLOADS, why="the events to be queued")
    failed = pipeline.wait_for_verdicts(UPLOADS, prefix)
    (batch_id,) = {verdict["batch_id"] for verdict in failed}
    pipeline.wait_until(lambda: pipeline.executions("FAILED"), why="the execution to fail")

    state = terminal.gatehouse("batch", "show", batch_id)
    assert (state["execution"]["error"], state["statuses"]) == ("ACCESS_DENIED", {"FAILED": UPLOADS})
    assert state["last_state"]
    assert batch_id in [entry["batch_id"] for entry in terminal.gatehouse("batch", "list", "--status", "failed")]
    before = pipeline.analyzed(prefix)
    for _ in range(2):  # once more changes nothing
        terminal.gatehouse("batch", "resubmit", batch_id, "--yes")

    def analyzed_again() -> bool:
        statuses = [verdict["status"] for verdict in pipeline.verdicts(prefix)]
        return sorted(statuses) == sorted([Status.APPROVED, Status.BLOCKED] * (UPLOADS // 2))

    pipeline.wait_until(analyzed_again, why="verdicts in the failures' place")
    pipeline.wait_until(lambda: pipeline.queued() == 0, why="the messages to be done with")
    assert pipeline.analyzed(prefix) == {
        f"{prefix}{n}.jpg": before.get(f"{prefix}{n}.jpg", 0) + 1 for n in range(UPLOADS)
    }
    assert terminal.gatehouse("batch", "show", batch_id)["in_another_batch"] == UPLOADS
