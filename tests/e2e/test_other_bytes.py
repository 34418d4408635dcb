"""I3 where an object is overwritten or deleted between its upload and the job that reads it."""

from collections.abc import Iterator

import pytest

from lambdas.moderation.verdict import Status
from tests.e2e.images import BLOCKED, CLEAN, image
from tests.e2e.pipeline import Pipeline


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


def test_a_bad_upload_is_not_approved_on_the_bytes_that_replaced_it(held: Pipeline, prefix: str) -> None:
    key = f"{prefix}picture.jpg"
    bad = held.upload(key, BLOCKED)
    wait_for_job(held, prefix, 1)
    good = held.upload(key, CLEAN)
    wait_for_job(held, prefix, 2)

    held.cloud.rekognition(hold_jobs=False)
    verdicts = {item["version_id"]: item for item in held.wait_for_verdicts(2, prefix)}

    assert verdicts[bad]["status"] == Status.FAILED
    assert verdicts[bad]["error"]["code"] == "NotAnalyzed"
    assert verdicts[good]["status"] == Status.APPROVED


def test_a_bad_upload_is_not_approved_when_its_replacement_is_in_the_same_batch(held: Pipeline, prefix: str) -> None:
    key = f"{prefix}picture.jpg"
    versions = [held.upload(key, BLOCKED), held.upload(key, image(shade=1)), held.upload(key, CLEAN)]
    held.cloud.rekognition(hold_jobs=False)

    verdicts = {item["version_id"]: item["status"] for item in held.wait_for_verdicts(3, prefix)}

    assert [verdicts[version] for version in versions] == [Status.FAILED, Status.FAILED, Status.APPROVED]


def test_a_deleted_upload_is_never_approved(held: Pipeline, prefix: str) -> None:
    key = f"{prefix}picture.jpg"
    held.upload(key, CLEAN)
    wait_for_job(held, prefix, 1)
    held.cloud.client("s3").delete_object(Bucket=held.upload_bucket, Key=key)

    held.cloud.rekognition(hold_jobs=False)
    (verdict,) = held.wait_for_verdicts(1, prefix)

    assert verdict["status"] == Status.FAILED


@pytest.mark.parametrize("name", ["a b+c.jpg", "x%41.jpg", 'quo"te\n.jpg', "é🎉?#.jpg", "a/" * 490 + "long.jpg"])
def test_an_awkward_key_gets_its_own_verdict(pipeline: Pipeline, name: str) -> None:
    flagged, clean = f"flagged/{name}", f"clean/{name}"
    pipeline.upload(flagged, BLOCKED)
    pipeline.upload(clean, CLEAN)

    pipeline.wait_for_verdicts(1, flagged)
    pipeline.wait_for_verdicts(1, clean)

    assert [item["status"] for item in pipeline.verdicts(flagged)] == [Status.BLOCKED]
    assert [item["status"] for item in pipeline.verdicts(clean)] == [Status.APPROVED]


def test_a_key_that_could_be_read_as_another_existing_object_is_not_approved(pipeline: Pipeline, prefix: str) -> None:
    pipeline.upload(f"{prefix}A.jpg", CLEAN)
    pipeline.upload(f"{prefix}%41.jpg", CLEAN)

    pipeline.wait_for_verdicts(2, prefix)
    plain, ambiguous = pipeline.verdict(f"{prefix}A.jpg"), pipeline.verdict(f"{prefix}%41.jpg")

    assert plain is not None
    assert plain["status"] == Status.APPROVED
    assert ambiguous is not None
    assert ambiguous["status"] == Status.FAILED
