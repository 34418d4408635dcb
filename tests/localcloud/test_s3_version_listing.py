"""Any key that S3 takes can be listed with its versions."""

import pytest

from tests.localcloud.workbench import Workbench

#: Keys that XML can't carry, or that an encoding has to keep apart.
KEYS = ["a\x01b", "a\x08b", "a\x1bb", "a\ufffeb", "a b+c%41", "ä/ö", "plain"]


@pytest.mark.parametrize("page", [1000, 1])
def test_keys_of_all_kinds_are_listed_as_they_are(workbench: Workbench, page: int) -> None:
    s3, bucket = workbench.client("s3"), workbench.bucket()
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for key in KEYS:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    s3.delete_object(Bucket=bucket, Key=KEYS[0])

    pages = list(s3.get_paginator("list_object_versions").paginate(Bucket=bucket, PaginationConfig={"PageSize": page}))

    assert sorted(each["Key"] for found in pages for each in found.get("Versions", ())) == sorted(KEYS)
    assert [each["Key"] for found in pages for each in found.get("DeleteMarkers", ())] == [KEYS[0]]


def test_a_prefix_and_a_group_of_keys_are_encoded_too(workbench: Workbench) -> None:
    s3, bucket = workbench.client("s3"), workbench.bucket()
    for key in ("a\x01/b/1", "a\x01/b/2", "a\x01/c"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"")

    found = s3.list_object_versions(Bucket=bucket, Prefix="a\x01/", Delimiter="/")

    assert found["Prefix"] == "a\x01/"
    assert [group["Prefix"] for group in found["CommonPrefixes"]] == ["a\x01/b/"]
    assert [each["Key"] for each in found["Versions"]] == ["a\x01/c"]
