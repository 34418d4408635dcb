"""S3's listing of versions for operators: all current objects under a prefix, or all versions."""

from collections.abc import Iterator
from dataclasses import dataclass

from gatehouse.aws.version_listing import VersionListing
from gatehouse.moderation.listed_version import ListedVersion
from gatehouse.moderation.moment import iso
from gatehouse.moderation.upload import version_named


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A version of an object, and no delete marker.

    Attributes:
        version_id: None for what was uploaded without versioning.
        etag: without quotes.
        modified_at: ISO 8601, UTC.
    """

    key: str
    version_id: str | None
    etag: str
    size: int
    modified_at: str
    is_latest: bool


class OperatorsVersionListing(VersionListing):
    """Lists what is in the bucket."""

    def current(self, bucket: str, prefix: str, after: str = "") -> Iterator[ListedVersion]:
        """The current objects under a prefix, a page at a time.

        The listing also has old versions, which are skipped. An object without a version has the version id `null`.

        Args:
            after: only keys behind this one; empty for all.
        """
        for page in self._pages(bucket, prefix, after):
            for version in page.get("Versions", []):
                if version["IsLatest"]:
                    yield ListedVersion(
                        bucket=bucket,
                        key=version["Key"],
                        version_id=version_named(version["VersionId"]),
                        etag=version["ETag"].strip('"'),
                        size=version["Size"],
                        modified_at=iso(version["LastModified"]),
                    )

    def all(self, bucket: str, prefix: str, after: str = "") -> Iterator[StoredVersion]:
        """All versions of the objects under a prefix, in the order of their keys, a page at a time.

        Args:
            after: only keys behind this one; empty for all.
        """
        for page in self._pages(bucket, prefix, after):
            for version in page.get("Versions", []):
                yield StoredVersion(
                    key=version["Key"],
                    version_id=version_named(version["VersionId"]),
                    etag=version["ETag"].strip('"'),
                    size=version["Size"],
                    modified_at=iso(version["LastModified"]),
                    is_latest=version["IsLatest"],
                )
