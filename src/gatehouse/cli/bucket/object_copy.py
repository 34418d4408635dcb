"""Copying an object onto itself, so that S3 sends its event again: the only way to a verdict where an event is lost."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from gatehouse.moderation.moment import iso, second

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: What an object has beside its bytes and tags, as HeadObject tells it and CopyObject takes it.
_KEPT = (
    *("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType", "Expires", "Metadata"),
    *("StorageClass", "WebsiteRedirectLocation", "ServerSideEncryption", "SSEKMSKeyId", "BucketKeyEnabled"),
)

#: Answers to a condition on an etag: it is another one, there is no object, or somebody writes it at this moment.
_CHANGED = frozenset({"404", "NoSuchKey", "412", "PreconditionFailed", "ConditionalRequestConflict"})

#: The object can't be copied as it is: it is archived (InvalidObjectState), or above 5 GB.
_IMPOSSIBLE = frozenset({"InvalidObjectState", "InvalidRequest"})


#: Bytes that CopyObject copies at most (API reference).
_MOST_BYTES = 5 * 1024**3


class Copied(StrEnum):
    """What became of an object."""

    COPIED = "copied"
    CHANGED = "changed"
    IMPOSSIBLE = "impossible"


def copy_onto_itself(
    client: "S3Client", bucket: str, key: str, modified_at: str | None = None, *, dry_run: bool = False
) -> Copied:
    """Copy an object's current version onto itself, unless it changes meanwhile.

    S3 refuses a copy onto itself that changes nothing, so the metadata is replaced: by what it was (API reference,
    CopyObject, x-amz-metadata-directive). Tags are copied by S3. What an ACL said is lost.

    Args:
        modified_at: copy only the object that was last modified then, to the second; ISO 8601, UTC. After a copy it is
            not that one any more, so repeating this copies nothing twice.
        dry_run: only say what would become of it.

    Returns:
        COPIED; CHANGED where it is gone or another one, whose event S3 has sent; IMPOSSIBLE where S3 would not copy it.

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
