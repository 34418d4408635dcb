"""I10: the local Rekognition approves an animation by its first frame, as AWS's does, and Gatehouse does not.

In lanes that render nothing; tests/e2e/test_formats.py has those that do.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from gatehouse.moderation.png_animation import PIECE_BYTES
from gatehouse.moderation.status import Status
from tests.docs.test_reader_contract import may_show
from tests.e2e.conftest import Deploy
from tests.e2e.images import ANIMATED
from tests.e2e.pipeline import Pipeline
from tests.unit.pngs import animated, chunk, png

LANES = """
image_engine: {calls_per_second: 250}
lanes:
  default: {engine: bulk, formats: []}
  image: {prefixes: [image/], engine: image, formats: []}
"""
LONG = chunk(b"prVt", bytes(3 * PIECE_BYTES))
PICTURES = {
    "moving.png": (ANIMATED, Status.UNSUPPORTED),
    "slow.png": (animated(LONG, LONG), Status.UNSUPPORTED),
    "still.png": (png(), Status.APPROVED),
    "large.png": (png(LONG, LONG), Status.APPROVED),
}


@pytest.fixture(scope="module")
def settings() -> str:
    return LANES


@pytest.fixture(params=["Enabled", "Suspended"])
def versioning(pipeline: Pipeline, request: pytest.FixtureRequest) -> Iterator[str]:
    """Whether uploads get versions of their own meanwhile."""
    s3, bucket = pipeline.cloud.client("s3"), pipeline.upload_bucket
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": request.param})
    yield str(request.param)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})


@pytest.mark.parametrize("engine", ["bulk", "image"])
def test_an_animation_is_refused_and_a_picture_is_shown_with_versions_and_without(
    pipeline: Pipeline, engine: str, versioning: str
) -> None:
    prefix = f"{engine}/{versioning}/"
    s3, bucket = pipeline.cloud.client("s3"), pipeline.upload_bucket
    for name, (body, _) in PICTURES.items():
        s3.put_object(Bucket=bucket, Key=prefix + name, Body=body)

    items = {item["key"].removeprefix(prefix): item for item in pipeline.wait_for_verdicts(len(PICTURES), prefix)}

    assert {name: item["status"] for name, item in items.items()} == {
        name: status for name, (_, status) in PICTURES.items()
    }
    assert {item["engine"] for item in items.values()} == {engine}
    assert {item["error"]["code"] for item in items.values() if "error" in item} == {"Animated"}
    assert pipeline.analyzed(prefix) == {prefix + name: 1 for name in PICTURES}
    for name, item in items.items():
        served: dict[str, Any] = s3.get_object(Bucket=bucket, Key=prefix + name)
        etag = served["ETag"].strip('"')
        assert ("version_id" in item) is (versioning == "Enabled")
        assert (served["VersionId"] == "null") is (versioning == "Suspended")
        assert may_show(item, served["VersionId"], etag, served["LastModified"]) is (item["status"] == Status.APPROVED)


def test_a_deployment_may_approve_animations_by_their_first_frame(deployed: Deploy) -> None:
    with deployed(f"animation_check: false\n{LANES}") as pipeline:
        for engine in ("bulk", "image"):
            pipeline.upload(f"{engine}/moving.png", ANIMATED)
        items = pipeline.wait_for_verdicts(2)

    assert {item["status"] for item in items} == {Status.APPROVED}
