"""Rekognition reads and writes S3 with the permissions of whoever called it."""

import io
import json
from typing import Any

import pytest
from PIL import Image

from tests.localcloud.workbench import Statement, Workbench, error_code, eventually

_DETECT: Statement = ("rekognition:DetectModerationLabels", "*")
_JOBS: tuple[Statement, ...] = (("rekognition:StartMediaAnalysisJob", "*"), ("rekognition:GetMediaAnalysisJob", "*"))


@pytest.fixture(scope="module")
def image() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (80, 80), "white").save(buffer, "PNG")
    return buffer.getvalue()


def put_image(workbench: Workbench, image: bytes) -> tuple[str, str]:
    """Bucket and version of an image `a b/ü.png` whose metadata plants a label; the version was overwritten since."""
    bucket = workbench.bucket()
    s3 = workbench.client("s3")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    planted = 'moderation-labels/1 {"ModerationLabels": [{"Name": "Weapons", "Confidence": 91.5}]}'
    labeled = {"moderation-labels": planted}
    version = s3.put_object(Bucket=bucket, Key="a b/ü.png", Body=image, Metadata=labeled)["VersionId"]
    s3.put_object(Bucket=bucket, Key="a b/ü.png", Body=image)
    return bucket, str(version)


def detect(client: Any, bucket: str, version: str | None = None) -> list[str]:
    reference = {"Bucket": bucket, "Name": "a b/ü.png", **({"Version": version} if version else {})}
    answer = client.detect_moderation_labels(Image={"S3Object": reference})
    return [label["Name"] for label in answer["ModerationLabels"]]


def test_an_image_is_read_with_the_callers_permission_only(workbench: Workbench, image: bytes) -> None:
    bucket, _ = put_image(workbench, image)
    allowed = workbench.user_client("rekognition", _DETECT, ("s3:GetObject", f"arn:aws:s3:::{bucket}/a b/*"))
    refused = workbench.user_client("rekognition", _DETECT, ("s3:GetObject", f"arn:aws:s3:::{bucket}/b/*"))
    assert detect(allowed, bucket) == []
    assert error_code(lambda: detect(refused, bucket)) == "InvalidS3ObjectException"


def test_a_version_is_read_with_the_permission_to_read_versions(workbench: Workbench, image: bytes) -> None:
    bucket, version = put_image(workbench, image)
    allowed = workbench.user_client("rekognition", _DETECT, ("s3:GetObjectVersion", f"arn:aws:s3:::{bucket}/*"))
    refused = workbench.user_client("rekognition", _DETECT, ("s3:GetObject", f"arn:aws:s3:::{bucket}/*"))
    assert "Weapons" in detect(allowed, bucket, version)
    assert error_code(lambda: detect(refused, bucket, version)) == "InvalidS3ObjectException"


@pytest.mark.parametrize("missing", ["bucket", "key", "version", "nonsensical version", "deleted"])
@pytest.mark.parametrize("may_list", [True, False])
def test_an_object_that_is_not_there_is_invalid(
    workbench: Workbench, image: bytes, missing: str, may_list: bool
) -> None:
    bucket, version = put_image(workbench, image)
    s3 = workbench.client("s3")
    listing: list[Statement] = [("s3:ListBucket", "*"), ("s3:ListBucketVersions", "*")] if may_list else []
    client = workbench.user_client(
        "rekognition", _DETECT, ("s3:GetObject", "*"), ("s3:GetObjectVersion", "*"), *listing
    )
    reference = {"Bucket": bucket, "Name": "a b/ü.png"}
    if missing == "bucket":
        reference["Bucket"] = f"{bucket}-not"
    elif missing == "key":
        reference["Name"] = "none.png"
    elif missing == "version":
        s3.delete_object(Bucket=bucket, Key="a b/ü.png", VersionId=version)
        reference["Version"] = version
    elif missing == "nonsensical version":
        reference["Version"] = "nonsense"
    else:
        s3.delete_object(Bucket=bucket, Key="a b/ü.png")
    code = error_code(lambda: client.detect_moderation_labels(Image={"S3Object": reference}))
    assert code == "InvalidS3ObjectException"


def test_a_pinned_version_is_analyzed_after_its_object_was_deleted(workbench: Workbench, image: bytes) -> None:
    bucket, version = put_image(workbench, image)
    workbench.client("s3").delete_object(Bucket=bucket, Key="a b/ü.png")
    client = workbench.user_client("rekognition", _DETECT, ("s3:GetObjectVersion", "*"))
    assert "Weapons" in detect(client, bucket, version)


def test_a_caller_without_the_permission_to_detect_is_denied(workbench: Workbench, image: bytes) -> None:
    bucket, _ = put_image(workbench, image)
    client = workbench.user_client("rekognition", ("s3:GetObject", "*"))
    assert error_code(lambda: detect(client, bucket)) == "AccessDeniedException"


@pytest.mark.parametrize("effect", ["Allow", "Deny"])
def test_the_bucket_policy_counts(workbench: Workbench, image: bytes, effect: str) -> None:
    bucket, _ = put_image(workbench, image)
    permission = [("s3:GetObject", f"arn:aws:s3:::{bucket}/*")] if effect == "Deny" else []
    client = workbench.user_client("rekognition", _DETECT, *permission)
    statement = {"Effect": effect, "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    workbench.client("s3").delete_public_access_block(Bucket=bucket)
    workbench.client("s3").put_bucket_policy(Bucket=bucket, Policy=document)
    assert error_code(lambda: detect(client, bucket)) == ("" if effect == "Allow" else "InvalidS3ObjectException")


def job_machine(bucket: str) -> dict[str, Any]:
    """A machine that starts a job over `manifest.jsonl` with its results under `out`."""
    start = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:rekognition:startMediaAnalysisJob",
        "Arguments": {
            "OperationsConfig": {"DetectModerationLabels": {"MinConfidence": 30}},
            "Input": {"S3Object": {"Bucket": bucket, "Name": "manifest.jsonl"}},
            "OutputConfig": {"S3Bucket": bucket, "S3KeyPrefix": "out"},
        },
        "Output": "{% $states.result.JobId %}",
        "End": True,
    }
    return {"StartAt": "Start", "States": {"Start": start}}


@pytest.mark.parametrize("may_read_images", [True, False])
def test_a_job_of_an_execution_reads_and_writes_as_the_machines_role(
    workbench: Workbench, image: bytes, may_read_images: bool
) -> None:
    bucket, _ = put_image(workbench, image)
    line = json.dumps({"source-ref": f"s3://{bucket}/a b/ü.png"})
    workbench.client("s3").put_object(Bucket=bucket, Key="manifest.jsonl", Body=f"{line}\n".encode())
    images = [("s3:GetObject", f"arn:aws:s3:::{bucket}/a b/*")] if may_read_images else []
    ended = workbench.run(
        job_machine(bucket),
        *_JOBS,
        ("s3:GetObject", f"arn:aws:s3:::{bucket}/manifest.jsonl"),
        ("s3:PutObject", f"arn:aws:s3:::{bucket}/out/*"),
        *images,
    )
    assert ended["status"] == "SUCCEEDED", ended
    job_id = json.loads(ended["output"])
    rekognition = workbench.client("rekognition")

    def finished() -> Any:
        job = rekognition.get_media_analysis_job(JobId=job_id)
        return job if job["Status"] in ("SUCCEEDED", "FAILED") else None

    job = eventually(finished)
    results = job.get("Results", {}).get("S3Object", {}).get("Name")
    body = workbench.client("s3").get_object(Bucket=bucket, Key=results)["Body"].read() if results else b""
    assert (b"detect-moderation-labels" in body) is may_read_images


def test_a_job_is_not_started_by_a_role_that_may_not_read_the_manifest(workbench: Workbench, image: bytes) -> None:
    bucket, _ = put_image(workbench, image)
    workbench.client("s3").put_object(Bucket=bucket, Key="manifest.jsonl", Body=b"{}\n")
    ended = workbench.run(job_machine(bucket), *_JOBS)
    assert ended["status"] == "FAILED"
    assert ended["error"].startswith("Rekognition.Invalid")
