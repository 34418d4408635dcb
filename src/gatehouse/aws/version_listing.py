"""S3's listing of the versions of a bucket's objects."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gatehouse.moderation.confirmation import StoredObject
from gatehouse.moderation.moment import iso
from gatehouse.moderation.upload import version_named

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListObjectVersionsOutputTypeDef


class VersionListing:
    """Lists versions with ListObjectVersions, because ListObjectsV2 does not return version ids.

    Args:
        client: an S3 client.
    """

    def __init__(self, client: "S3Client") -> None:
        self._client = client

    def order(self, bucket: str, key: str) -> list[str | None]:
        """Version ids of an object's versions, the newest first; at most the 1,000 newest. One call.

        Of the keys with a prefix, the prefix itself comes first (API reference: keys are in lexicographic order).
        """
        page = next(self._pages(bucket, key))
        return [version_named(version["VersionId"]) for version in page.get("Versions", []) if version["Key"] == key]

    def without_id(self, bucket: str, key: str) -> StoredObject | None:
        """What was uploaded to a key without versioning, or None if it is gone. Needs no permission to read it."""
        for page in self._pages(bucket, key):
            for version in page.get("Versions", []):
                if version["Key"] != key:
                    return None
                if version_named(version["VersionId"]) is None:
                    return StoredObject(None, version["ETag"].strip('"'), iso(version["LastModified"]))
        return None

    def _pages(self, bucket: str, prefix: str, after: str = "") -> Iterator["ListObjectVersionsOutputTypeDef"]:
        paginator = self._client.get_paginator("list_object_versions")
        if after:
            yield from paginator.paginate(Bucket=bucket, Prefix=prefix, KeyMarker=after)  # type: ignore[call-arg]
        else:
            yield from paginator.paginate(Bucket=bucket, Prefix=prefix)
