"""With a key of its own the pipeline works as without: verdicts and flags, by bulk jobs and image by image.

The local cloud checks no use of a key: who may use it stands in tests/stacks/test_encryption_key.py.
"""

from typing import Any

import pytest

from gatehouse.moderation.status import Status
from tests.e2e.images import BLOCKED, CLEAN
from tests.e2e.pipeline import Pipeline


@pytest.fixture(scope="module")
def settings() -> str:
    return """
encryption_key: create
image_engine: {calls_per_second: 250}
lanes:
  default: {engine: bulk}
  images: {prefixes: [images/], engine: image}
"""


def test_uploads_are_judged_and_flagged_and_jobs_and_queues_are_told_the_key(pipeline: Pipeline) -> None:
    key = pipeline.outputs["EncryptionKeyArn"]
    for lane in ("bulk/", "images/"):
        pipeline.upload(f"{lane}clean.jpg", CLEAN)
        pipeline.upload(f"{lane}blocked.jpg", BLOCKED)

    verdicts = {verdict["key"]: verdict for verdict in pipeline.wait_for_verdicts(4)}
    flags = pipeline.wait_for_flags(2)

    assert {name: verdict["status"] for name, verdict in verdicts.items()} == {
        f"{lane}{image}.jpg": status
        for lane in ("bulk/", "images/")
        for image, status in (("clean", Status.APPROVED), ("blocked", Status.BLOCKED))
    }
    assert {flag["object"]["key"] for flag in flags} == {"bulk/blocked.jpg", "images/blocked.jpg"}
    job = pipeline.cloud.client("rekognition").get_media_analysis_job(JobId=verdicts["bulk/clean.jpg"]["job_id"])
    assert job["KmsKeyId"] == key
    keys = {output: queue_key(pipeline, output) for output in pipeline.outputs if output.endswith("QueueUrl")}
    assert {keys.pop(output) for output in list(keys) if output.endswith("UndeliveredQueueUrl")} == {None}
    assert set(keys.values()) == {key}


def queue_key(pipeline: Pipeline, output: str) -> Any:
    queues = pipeline.cloud.client("sqs")
    url = pipeline.outputs[output]
    return queues.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"].get("KmsMasterKeyId")
