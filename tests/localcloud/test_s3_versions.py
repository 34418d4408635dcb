"""What S3 says of versions that have no id of their own, and parts of versions that have one."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localcloud.workbench import Workbench


def stored(workbench: Workbench, body: bytes, versioning: str | None = None, bucket: str | None = None) -> str:
    """The name of a new bucket, or of the given one, in which `key` was stored under this versioning."""
    s3 = workbench.client("s3")
    name = bucket or workbench.bucket()
    if versioning:
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": versioning})
    s3.put_object(Bucket=name, Key="key", Body=body)
    return name


def read(workbench: Workbench, bucket: str, **more: Any) -> tuple[bytes, str | None, str | None]:
    """The bytes of `key`, and the version ids that GetObject and HeadObject name."""
    s3 = workbench.client("s3")
    got, head = (call(Bucket=bucket, Key="key", **more) for call in (s3.get_object, s3.head_object))
    return got["Body"].read(), got.get("VersionId"), head.get("VersionId")


def test_a_bucket_that_never_had_versioning_names_no_version(workbench: Workbench) -> None:
    assert read(workbench, stored(workbench, b"x")) == (b"x", None, None)


@pytest.mark.parametrize("versioning", ["Enabled", "Suspended"])
def test_an_object_from_before_versioning_is_served_as_version_null(workbench: Workbench, versioning: str) -> None:
    bucket = stored(workbench, b"x")
    workbench.client("s3").put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": versioning})

    assert read(workbench, bucket) == (b"x", "null", "null")
    assert read(workbench, bucket, VersionId="null") == (b"x", "null", "null")


def test_an_object_that_is_stored_while_versioning_is_suspended_is_version_null_and_putting_it_does_not_say_so(
    workbench: Workbench,
) -> None:
    bucket = stored(workbench, b"first", "Enabled")
    stored(workbench, b"second", "Suspended", bucket)

    answer = workbench.client("s3").put_object(Bucket=bucket, Key="key", Body=b"third")

    assert "VersionId" not in answer
    assert read(workbench, bucket) == (b"third", "null", "null")
    listed = workbench.client("s3").list_object_versions(Bucket=bucket)["Versions"]
    assert [version["IsLatest"] for version in listed if version["VersionId"] == "null"] == [True]


def test_a_null_version_under_a_newer_one_is_still_named(workbench: Workbench) -> None:
    bucket = stored(workbench, b"first")
    stored(workbench, b"second", "Enabled", bucket)

    body, *named = read(workbench, bucket)
    assert (body, "null" in named, None in named) == (b"second", False, False)
    assert read(workbench, bucket, VersionId="null") == (b"first", "null", "null")


@pytest.mark.parametrize("ranged", ["bytes=2-4", "bytes=8-", "bytes=-3", "bytes=5-100"])
def test_a_version_is_read_in_part_like_what_is_current(workbench: Workbench, ranged: str) -> None:
    s3 = workbench.client("s3")
    bucket = stored(workbench, b"0123456789", "Enabled")
    version = s3.head_object(Bucket=bucket, Key="key")["VersionId"]

    current, named = (
        s3.get_object(Bucket=bucket, Key="key", Range=ranged, **more) for more in ({}, {"VersionId": version})
    )

    assert named["Body"].read() == current["Body"].read()
    for member in ("ContentRange", "ContentLength", "ETag", "LastModified", "VersionId"):
        assert named[member] == current[member], member


@pytest.mark.parametrize("named", [True, False])
def test_a_range_beyond_the_end_is_refused(workbench: Workbench, named: bool) -> None:
    s3 = workbench.client("s3")
    bucket = stored(workbench, b"0123456789", "Enabled")
    more = {"VersionId": s3.head_object(Bucket=bucket, Key="key")["VersionId"]} if named else {}

    with pytest.raises(ClientError, match="InvalidRange"):
        s3.get_object(Bucket=bucket, Key="key", Range="bytes=10-", **more)


def test_a_version_below_a_delete_marker_keeps_its_tags(workbench: Workbench) -> None:
    bucket, storage = workbench.bucket(), workbench.client("s3")
    storage.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = storage.put_object(Bucket=bucket, Key="cat.jpg", Body=b"x", Tagging="color=red")["VersionId"]
    marker = storage.delete_object(Bucket=bucket, Key="cat.jpg")["VersionId"]
    place = {"Bucket": bucket, "Key": "cat.jpg", "VersionId": version}

    assert storage.get_object_tagging(**place)["TagSet"] == [{"Key": "color", "Value": "red"}]
    storage.put_object_tagging(**place, Tagging={"TagSet": [{"Key": "color", "Value": "blue"}]})
    storage.delete_object(Bucket=bucket, Key="cat.jpg", VersionId=marker)
    assert storage.get_object_tagging(**place)["TagSet"] == [{"Key": "color", "Value": "blue"}]
    storage.delete_object(Bucket=bucket, Key="cat.jpg")
    storage.delete_object_tagging(**place)
    assert storage.get_object_tagging(**place)["TagSet"] == []
    with pytest.raises(ClientError, match="NoSuchKey"):
        storage.get_object_tagging(Bucket=bucket, Key="cat.jpg")
