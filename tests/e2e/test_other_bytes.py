"""I3 where an object is overwritten or deleted between its upload and the job that reads it.

A job reads whatever is current. What it could not answer for, the image engine reads by its version.
"""

from collections.abc import Iterator

import pytest

from gatehouse.moderation.status import Status
from tests.e2e.conftest import BULK
from tests.e2e.images import BLOCKED, CLEAN, REVIEW, image
from tests.e2e.pipeline import Pipeline


@pytest.fixture(scope="module")
def settings() -> str:
    """Only `bulk` is sure to start a job."""
    return BULK


@pytest.fixture
def held(pipeline: Pipeline) -> Iterator[Pipeline]:
    """A pipeline whose jobs do not read anything before they are released."""
    pipeline.cloud.rekognition(hold_jobs=True)
    yield pipeline
    pipeline.cloud.rekognition(hold_jobs=False)


def wait_for_job(pipeline: Pipeline, prefix: str, uploads: int) -> None:
    """Wait until `uploads` claims under `prefix` belong to batches with a job that was started."""

    def started() -> bool:
        pending = pipeline.pending(prefix)
        jobs = pipeline.cloud.client("rekognition").list_media_analysis_jobs()["MediaAnalysisJobs"]
        manifests = {job["Input"]["S3Object"]["Name"].split("/")[1] for job in jobs}
        return len(pending) == uploads and all(item["batch_id"] in manifests for item in pending)

    pipeline.wait_until(started, why=f"a job for {uploads} uploads under {prefix}")


def test_an_upload_is_judged_by_its_own_bytes_and_not_by_those_that_replaced_it(held: Pipeline, prefix: str) -> None:
    key = f"{prefix}picture.jpg"
    bad = held.upload(key, BLOCKED)
    wait_for_job(held, prefix, 1)
    good = held.upload(key, CLEAN)
    wait_for_job(held, prefix, 2)

    held.cloud.rekognition(hold_jobs=False)
    verdicts = {item["version_id"]: item for item in held.wait_for_verdicts(2, prefix)}

    assert (verdicts[bad]["status"], verdicts[bad]["engine"]) == (Status.BLOCKED, "image")
    assert (verdicts[good]["status"], verdicts[good]["engine"]) == (Status.APPROVED, "bulk")
    assert len(held.wait_for_flags(1, prefix)) == 1


def test_uploads_of_one_object_in_the_same_batch_are_each_judged_by_their_own_bytes(
    pipeline: Pipeline, prefix: str
) -> None:
    key = f"{prefix}picture.jpg"
    with pipeline.gathered():
        versions = [pipeline.upload(key, body) for body in (BLOCKED, image(shade=1), REVIEW, CLEAN)]

    verdicts = {item["version_id"]: item for item in pipeline.wait_for_verdicts(4, prefix)}

    assert [(verdicts[version]["status"], verdicts[version]["engine"]) for version in versions] == [
        (Status.BLOCKED, "image"),
        (Status.APPROVED, "image"),
        (Status.REVIEW, "image"),
        (Status.APPROVED, "bulk"),
    ]
    assert len({item["batch_id"] for item in verdicts.values()}) == 1
    assert pipeline.analyzed(prefix) == {key: 4}, "an upload was paid for twice, or another one's analysis was taken"


def test_an_upload_behind_a_delete_marker_is_judged_by_the_version_that_is_still_there(
    held: Pipeline, prefix: str
) -> None:
    for name, body in (("clean.jpg", CLEAN), ("blocked.jpg", BLOCKED)):
        held.upload(prefix + name, body)
    wait_for_job(held, prefix, 2)
    for name in ("clean.jpg", "blocked.jpg"):
        held.cloud.client("s3").delete_object(Bucket=held.upload_bucket, Key=prefix + name)

    held.cloud.rekognition(hold_jobs=False)
    blocked, clean = held.wait_for_verdicts(2, prefix)

    assert (blocked["status"], blocked["engine"]) == (Status.BLOCKED, "image")
    assert (clean["status"], clean["engine"]) == (Status.APPROVED, "image")


def test_an_upload_whose_version_is_deleted_is_never_approved(held: Pipeline, prefix: str) -> None:
    key = f"{prefix}picture.jpg"
    version = held.upload(key, CLEAN)
    wait_for_job(held, prefix, 1)
    held.cloud.client("s3").delete_object(Bucket=held.upload_bucket, Key=key, VersionId=version)

    held.cloud.rekognition(hold_jobs=False)
    (verdict,) = held.wait_for_verdicts(1, prefix)

    assert (verdict["status"], verdict["engine"]) == (Status.FAILED, "image")
    assert verdict["error"]["code"] == "InvalidS3ObjectException"


@pytest.mark.parametrize("name", ["a b+c.jpg", "x%41.jpg", 'quo"te\n.jpg', "é🎉?#.jpg", "a/" * 490 + "long.jpg"])
def test_an_awkward_key_gets_its_own_verdict(pipeline: Pipeline, name: str) -> None:
    flagged, clean = f"flagged/{name}", f"clean/{name}"
    pipeline.upload(flagged, BLOCKED)
    pipeline.upload(clean, CLEAN)

    pipeline.wait_for_verdicts(1, flagged)
    pipeline.wait_for_verdicts(1, clean)

    assert [item["status"] for item in pipeline.verdicts(flagged)] == [Status.BLOCKED]
    assert [item["status"] for item in pipeline.verdicts(clean)] == [Status.APPROVED]


def test_a_key_that_could_be_read_as_another_existing_object_is_not_approved_on_a_jobs_word(
    pipeline: Pipeline, prefix: str
) -> None:
    pipeline.upload(f"{prefix}A.jpg", CLEAN)
    pipeline.upload(f"{prefix}%41.jpg", CLEAN)

    pipeline.wait_for_verdicts(2, prefix)
    plain, ambiguous = pipeline.verdict(f"{prefix}A.jpg"), pipeline.verdict(f"{prefix}%41.jpg")

    assert plain is not None
    assert (plain["status"], plain["engine"]) == (Status.APPROVED, "bulk")
    assert ambiguous is not None
    assert (ambiguous["status"], ambiguous["engine"]) == (Status.APPROVED, "image")
