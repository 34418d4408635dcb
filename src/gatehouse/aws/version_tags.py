"""The tags of objects' versions. PutObjectTagging has no condition, so a tag is only set on a version that is named.

Sources: S3 API reference (GetObjectTagging, PutObjectTagging, DeleteObjectTagging) and S3 User Guide
(object-tagging.html: ten tags; PUT replaces the whole set).
"""

from typing import TYPE_CHECKING

from gatehouse.moderation.gate import Tags

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: What S3 calls the version of an object that was uploaded without versioning.
NULL_VERSION = "null"

_ENABLED = "Enabled"


class VersionTags:
    """Reads and replaces tags.

    Args:
        client: an S3 client.
    """

    def __init__(self, client: "S3Client") -> None:
        self._client = client

    def read(self, bucket: str, key: str, version_id: str | None) -> Tags:
        """A version's tags.

        Raises:
            ClientError: the version is gone (404, or 405 for a delete marker), or S3 refuses or fails.
        """
        answer = self._client.get_object_tagging(Bucket=bucket, Key=key, VersionId=version_id or NULL_VERSION)
        return {tag["Key"]: tag["Value"] for tag in answer["TagSet"]}

    def replace(self, bucket: str, key: str, version_id: str | None, tags: Tags) -> None:
        """Give a version these tags instead of those it has.

        Raises:
            ClientError: as `read`.
        """
        version = version_id or NULL_VERSION
        if tags:
            tag_set = [{"Key": name, "Value": value} for name, value in tags.items()]
            self._client.put_object_tagging(
                Bucket=bucket,
                Key=key,
                VersionId=version,
                Tagging={"TagSet": tag_set},  # type: ignore[typeddict-item]
            )
        else:
            self._client.delete_object_tagging(Bucket=bucket, Key=key, VersionId=version)

    def has_versioning(self, bucket: str) -> bool:
        """Whether what is uploaded now gets a version of its own, so that older ones stay what they are."""
        return self._client.get_bucket_versioning(Bucket=bucket).get("Status") == _ENABLED
