"""Uploads that can't be analyzed and messages that can't be read: each ends by itself and harms nothing else."""

from collections.abc import Iterator

import pytest

from demo.pipeline import DemoUpload
from gatehouse.moderation.rendition import MOST_FILE_BYTES
from gatehouse.moderation.status import Status
from tests.e2e.conftest import Deploy
from tests.e2e.events import created_event
from tests.e2e.images import BLOCKED, CLEAN
from tests.e2e.pipeline import Pipeline


@pytest.fixture(scope="module")
def pipeline(deployed: Deploy) -> Iterator[Pipeline]:
    """On a faster clock: a message is received ten times before it is given up."""
    with deployed(time_scale=0.002) as pipeline:
        yield pipeline


def test_one_bad_image_among_good_ones_fails_alone(pipeline: Pipeline, prefix: str) -> None:
    bodies = {"good.jpg": CLEAN, "flagged.jpg": BLOCKED, "text.jpg": b"not an image", "cut.jpg": CLEAN[:40]}
    pipeline.upload_many(DemoUpload(prefix + name, body) for name, body in bodies.items())

    statuses = {item["key"].removeprefix(prefix): item["status"] for item in pipeline.wait_for_verdicts(4, prefix)}

    assert statuses["good.jpg"] == Status.APPROVED
    assert statuses["flagged.jpg"] == Status.BLOCKED
    assert statuses["text.jpg"] in (Status.UNSUPPORTED, Status.FAILED)
    assert statuses["cut.jpg"] in (Status.UNSUPPORTED, Status.FAILED)


@pytest.mark.parametrize(("name", "size"), [("empty.jpg", 0), ("large.jpg", MOST_FILE_BYTES + 1)])
def test_an_upload_that_cannot_be_analyzed_costs_nothing(pipeline: Pipeline, prefix: str, name: str, size: int) -> None:
    before = pipeline.cloud.rekognition_counters()
    pipeline.upload(prefix + name, b"\0" * size)

    (verdict,) = pipeline.wait_for_verdicts(1, prefix)

    assert verdict["status"] == Status.UNSUPPORTED
    assert verdict["error"]["code"]
    assert pipeline.cloud.rekognition_counters() == before


def test_a_malformed_message_ends_in_the_dead_letter_queue_and_the_rest_goes_on(
    pipeline: Pipeline, prefix: str
) -> None:
    pipeline.upload(f"{prefix}before.jpg", CLEAN)
    (item,) = pipeline.wait_for_verdicts(1, prefix)
    event = created_event(item)
    deleted = {**event, "detail-type": "Object Deleted"}
    broken = {**event, "detail": {"bucket": event["detail"]["bucket"]}}

    pipeline.send(["not json", broken, deleted, {"Service": "Amazon S3", "Event": "s3:TestEvent"}])
    pipeline.upload(f"{prefix}after.jpg", BLOCKED)

    assert {verdict["status"] for verdict in pipeline.wait_for_verdicts(2, prefix)} == {
        Status.APPROVED,
        Status.BLOCKED,
    }
    pipeline.wait_until(lambda: len(pipeline.dead_letters()) == 2, 120, "two dead letters")
    assert "not json" in pipeline.dead_letters()
    assert pipeline.queued() == 0
