"""The uploads bucket for reviewers: shows uploads, and checks that one still exists before it is approved."""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from gatehouse.aws.upload_bucket import UploadBucket, status_of, stored_object
from gatehouse.moderation.confirmation import StoredObject, speaks_of
from gatehouse.moderation.image_format import HEAD_BYTES, format_of
from gatehouse.moderation.moment import iso
from gatehouse.moderation.upload import Upload, version_named

#: HTTP status of a write whose condition does not hold.
_CONDITION_FAILED = 412

#: HTTP statuses of HeadObject, and what each one means for an upload.
_ABSENCES = {
    400: "S3 does not say whether it still exists (400); it may be encrypted with its uploader's key",
    403: (
        "S3 does not let you check whether it still exists (403), which an approval requires: ask for "
        "s3:GetObjectVersion on it, or without versioning for s3:GetObject, and for kms:Decrypt if the bucket has a key"
    ),
    404: "it was deleted: there is nothing to approve",
    405: "S3 has only a delete marker for it: there is nothing to approve",
    412: "the object was overwritten; the upload that replaced it has its own verdict",
}


#: The same, where the picture is to be looked at.
_NOT_SHOWN = {
    400: "S3 does not return it (400); it may be encrypted with its uploader's key.",
    403: (
        "S3 does not let you read it (403): ask for s3:GetObjectVersion, or without versioning for s3:GetObject, and "
        "for kms:Decrypt if the bucket has a key."
    ),
    404: "It was deleted.",
    405: "It was deleted: S3 has only a delete marker for it.",
    412: "The object was overwritten; the upload that replaced it has its own verdict.",
}

_PICTURE_CHUNK = 64 * 1024


class PictureNotShownError(Exception):
    """An upload can't be looked at: one sentence that says why."""


@dataclass(frozen=True, slots=True)
class StoredPicture:
    """The bytes of an upload.

    Attributes:
        content_type: from its first bytes, whatever its uploader said.
        size: bytes.
        chunks: all of them, in order; they can be read once.
    """

    content_type: str
    size: int
    chunks: Iterator[bytes]


@dataclass(frozen=True, slots=True)
class StoredSize:
    """An object as it is now.

    Attributes:
        size: bytes.
        modified_at: ISO 8601, UTC.
        identity: what tells its bytes from others of this name.
    """

    size: int
    modified_at: str
    identity: StoredObject


@dataclass(frozen=True, slots=True)
class PutObject:
    """What S3 calls the bytes that it was given."""

    etag: str
    version_id: str | None


class OperatorsUploadBucket(UploadBucket):
    """Checks whether an upload exists that a person wants to approve or asks about."""

    def size(self, bucket: str, key: str) -> StoredSize | None:
        """An object as it is now; None if there is none. One HeadObject.

        Raises:
            ClientError: S3 failed, or does not let you see it.
        """
        try:
            answer = self._client.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if status_of(error) in (404, 405):
                return None
            raise
        return StoredSize(answer["ContentLength"], iso(answer["LastModified"]), stored_object(answer))

    def put(self, bucket: str, key: str, file: Path, content_type: str, *, overwrite: bool) -> PutObject | None:
        """Upload a file in one part, with its SHA-256; None if there is an object of this name, which stays.

        Raises:
            ClientError: S3 refused.
            OSError: the file can't be read.
        """
        condition: Any = {} if overwrite else {"IfNoneMatch": "*"}  # API reference, PutObject
        with file.open("rb") as body:
            try:
                answer = self._client.put_object(
                    Bucket=bucket, Key=key, Body=body, ContentType=content_type, ChecksumAlgorithm="SHA256", **condition
                )
            except ClientError as error:
                if status_of(error) == _CONDITION_FAILED:
                    return None
                raise
        return PutObject(answer["ETag"].strip('"'), version_named(answer.get("VersionId")))

    def same(self, bucket: str, key: str, file: Path) -> StoredObject | None:
        """The object of this name, if it has the file's bytes, by its SHA-256 or its MD5; else None. One HeadObject.

        Raises:
            ClientError: S3 failed, or does not let you see it.
            OSError: the file can't be read.
        """
        try:
            answer = self._client.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
        except ClientError as error:
            if status_of(error) in (404, 405):
                return None
            raise
        if answer["ContentLength"] != file.stat().st_size:
            return None
        with file.open("rb") as body:
            if checksum := answer.get("ChecksumSHA256"):  # of a multipart upload it is one of its parts' checksums
                found, wanted = base64.b64encode(hashlib.file_digest(body, "sha256").digest()).decode(), checksum
            else:
                found = hashlib.file_digest(body, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
                wanted = answer["ETag"].strip('"')
        return stored_object(answer) if found == wanted else None

    def picture(self, upload: Upload) -> "StoredPicture":
        """The bytes of an upload, and of no other version of its object. One GetObject.

        Raises:
            PictureNotShownError: it is gone, can't be read, or is no picture that a browser may be given.
            ClientError: S3 failed.
        """
        which: Any = {"VersionId": upload.version_id} if upload.version_id else {"IfMatch": f'"{upload.etag}"'}
        try:
            answer = self._client.get_object(Bucket=upload.bucket, Key=upload.key, **which)
        except ClientError as error:
            if error.response["Error"]["Code"] == "InvalidObjectState":  # API reference, GetObject
                raise PictureNotShownError("It was archived; restore it to look at it.") from error
            if sentence := _NOT_SHOWN.get(status_of(error)):
                raise PictureNotShownError(sentence) from error
            raise
        body = answer["Body"]
        if upload.version_id is None and not speaks_of(upload, stored_object(answer)):
            body.close()
            raise PictureNotShownError(_NOT_SHOWN[412])
        first = body.read(HEAD_BYTES)
        image_format = format_of(first)
        if image_format is None:
            body.close()
            raise PictureNotShownError("Its first bytes are not those of a picture.")
        return StoredPicture(
            f"image/{image_format.lower()}", answer["ContentLength"], chain([first], body.iter_chunks(_PICTURE_CHUNK))
        )

    def absence(self, upload: Upload) -> str | None:
        """Why the upload can't be approved, in a sentence without a period; None if S3 has its bytes.

        One HeadObject: of the upload's version, or without versioning of the current object, which must be the upload.

        Raises:
            ClientError: S3 failed.
        """
        try:
            if upload.version_id is not None:
                self._client.head_object(Bucket=upload.bucket, Key=upload.key, VersionId=upload.version_id)
                return None
            answer = self._client.head_object(Bucket=upload.bucket, Key=upload.key, IfMatch=f'"{upload.etag}"')
        except ClientError as error:
            if sentence := _ABSENCES.get(status_of(error)):
                return sentence
            raise
        return None if speaks_of(upload, stored_object(answer)) else _ABSENCES[412]
