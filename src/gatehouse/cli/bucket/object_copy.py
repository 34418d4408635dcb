"""Copies an object onto itself, so that S3 sends a new event: the only way to a verdict if the event was lost."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from gatehouse.moderation.moment import iso, second

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: An object's properties besides its bytes and tags, as HeadObject returns and CopyObject accepts them.
_KEPT = (
    *("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType", "Expires", "Metadata"),
    *("StorageClass", "WebsiteRedirectLocation", "ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled"),
)

#: Error codes of a condition on an etag: it differs, there is no object, or the object is being written right now.
_CHANGED = frozenset({"404", "NoSuchKey", "412", "PreconditionFailed", "ConditionalRequestConflict"})

#: The object can't be copied as it is: it is archived (InvalidObjectState), or above 5 GB.
_IMPOSSIBLE = frozenset({"InvalidObjectState", "InvalidRequest"})


#: Maximum size of an object for CopyObject, in bytes (API reference).
_MOST_BYTES = 5 * 1024**3


class Copied(StrEnum):
    """The outcome for one object."""

    COPIED = "copied"
    CHANGED = "changed"
    IMPOSSIBLE = "impossible"


def copy_onto_itself(
    client: "S3Client", bucket: str, key: str, modified_at: str | None = None, *, dry_run: bool = False
) -> Copied:
    """Copy an object's current version onto itself, unless it changes at the same time.

    S3 refuses a copy of an object onto itself that changes nothing, so the metadata is replaced by the same values (API
    reference, CopyObject, x-amz-metadata-directive). S3 copies the tags. An ACL is lost.

    Args:
        modified_at: copy the object only if it was last modified in this second; ISO 8601, UTC. A copy changes that
            time, so a repetition copies nothing twice.
        dry_run: only return what the outcome would be.

    Returns:
        COPIED; CHANGED if it is gone, or was replaced, which sends an event; IMPOSSIBLE if S3 can't copy it.

    Raises:
        ClientError: S3 refused for another reason.
    """
    try:
        found: Any = client.head_object(Bucket=bucket, Key=key)
        if modified_at is not None and second(iso(found["LastModified"])) != second(modified_at):
            return Copied.CHANGED
        if _is_archived(found) or found["ContentLength"] > _MOST_BYTES:
            return Copied.IMPOSSIBLE
        if dry_run:
            return Copied.COPIED
        client.copy_object(
            Bucket=bucket,
            Key=key,
            CopySource={"Bucket": bucket, "Key": key},
            CopySourceIfMatch=found["ETag"],
            IfMatch=found["ETag"],
            MetadataDirective="REPLACE",
            TaggingDirective="COPY",
            **{name: found[name] for name in _KEPT if name in found},
        )
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in _CHANGED:
            return Copied.CHANGED
        if code in _IMPOSSIBLE:
            return Copied.IMPOSSIBLE
        raise
    return Copied.COPIED


def _is_archived(found: Mapping[str, Any]) -> bool:
    """Whether an object has to be restored before it can be copied (API reference, HeadObject)."""
    is_restored = 'ongoing-request="false"' in found.get("Restore", "")
    return not is_restored and (found.get("StorageClass") in ("GLACIER", "DEEP_ARCHIVE") or "ArchiveStatus" in found)
