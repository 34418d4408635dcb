"""S3's listing of the versions of a bucket's objects."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from gatehouse.moderation.confirmation import StoredObject
from gatehouse.moderation.moment import iso
from gatehouse.moderation.upload import Upload, version_named

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ListObjectVersionsOutputTypeDef, ObjectVersionTypeDef

#: What a page costs in HeadObjects: 5 against 0.40 USD a million (S3 pricing, us-east-1).
HEADS_A_PAGE: Final = 12.5

#: Versions and delete markers in a page, at most (API reference, ListObjectVersions).
_PAGE: Final = 1000


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
                    return _stored(version)
        return None

    def current_of(self, uploads: Iterable[Upload]) -> dict[str, StoredObject | None]:
        """What is current under the uploads' names, as far as pages tell it more cheaply than a HeadObject for each.

        Returns:
            `s3://bucket/key` -> its current version, or None where that is a delete marker. A name that no page shows
            is left out, whatever the reason: HeadObject knows.
        """
        names: dict[str, set[str]] = {}
        for upload in uploads:
            names.setdefault(upload.bucket, set()).add(upload.key)
        return {
            f"s3://{bucket}/{key}": stored
            for bucket, keys in names.items()
            for key, stored in self._current_of(bucket, sorted(keys)).items()
        }

    def _current_of(self, bucket: str, keys: Sequence[str]) -> dict[str, StoredObject | None]:
        """What pages show of these keys, which are in the listing's order: that of their UTF-8, and so of their text.

        A page begins just before the next key, and ends where its versions and other keys have filled it. If it showed
        too few keys for its price, as many keys are left out as a page could have shown, before another one is tried.
        """
        found: dict[str, StoredObject | None] = {}
        start = 0
        while len(keys) - start > HEADS_A_PAGE:
            # All that sorts between a key without its last character and the key has this beginning, too.
            marker = max(keys[start][:-1], keys[start - 1] if start else "")
            page = next(self._pages(bucket, "", marker))
            versions, markers = page.get("Versions", []), page.get("DeleteMarkers", [])
            shown: dict[str, StoredObject | None] = {entry["Key"]: None for entry in markers if entry["IsLatest"]}
            shown |= {version["Key"]: _stored(version) for version in versions if version["IsLatest"]}
            last = max((entry["Key"] for entry in (*versions, *markers)), default="")
            end = bisect_right(keys, last, start) if page["IsTruncated"] else len(keys)
            told = {key: shown[key] for key in keys[start:end] if key in shown}
            found |= told
            start = end if len(told) > HEADS_A_PAGE else max(end, start + _PAGE)
        return found

    def _pages(self, bucket: str, prefix: str, after: str = "") -> Iterator["ListObjectVersionsOutputTypeDef"]:
        paginator = self._client.get_paginator("list_object_versions")
        if after:
            yield from paginator.paginate(Bucket=bucket, Prefix=prefix, KeyMarker=after)  # type: ignore[call-arg]
        else:
            yield from paginator.paginate(Bucket=bucket, Prefix=prefix)


def _stored(version: "ObjectVersionTypeDef") -> StoredObject:
    return StoredObject(version_named(version["VersionId"]), version["ETag"].strip('"'), iso(version["LastModified"]))
