"""The uploads bucket, ours or an existing one: only ever asked what is stored now, never written to."""

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lambdas.moderation.confirmation import StoredObject, aliases_of, doubt
from lambdas.moderation.upload import Upload, iso

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_s3 import S3Client

    from lambdas.moderation.verdict import Failure, Verdict

#: HeadObject calls in flight; the client's connection pool is as large.
PARALLEL_HEADS = 32

_ABSENT = 404  # also where a delete marker hides the object
_UNREADABLE = 400


class UploadBucket:
    """HeadObject, many at a time.

    Args:
        client: an S3 client with `PARALLEL_HEADS` connections.
    """

    def __init__(self, client: "S3Client") -> None:
        self._client = client

    def current(self, uploads: "Sequence[Upload]") -> list[tuple[StoredObject | None, dict[str, bool]]]:
        """For each upload, what its object is now, and which of its aliases exist: one call for a plain key."""
        with ThreadPoolExecutor(PARALLEL_HEADS) as threads:
            return list(threads.map(self._current, uploads))

    def doubts(self, verdicts: "Sequence[Verdict]") -> "list[Failure | None]":
        """For each approval on an unpinned analysis, why it can't be given, or None: see `confirmation.doubt`."""
        stored = self.current([verdict.upload for verdict in verdicts])
        return [
            doubt(verdict.upload, verdict.claim.claimed_at, current, aliases)
            for verdict, (current, aliases) in zip(verdicts, stored, strict=True)
        ]

    def _current(self, upload: Upload) -> tuple[StoredObject | None, dict[str, bool]]:
        aliases = {name: self._may_have_existed(upload.bucket, name) for name in aliases_of(upload.key)}
        stored = self._head(upload.bucket, upload.key)
        return (stored if isinstance(stored, StoredObject) else None), aliases

    def _may_have_existed(self, bucket: str, key: str) -> bool:
        """Whether an object of that name exists, or a delete marker shows that it did, or S3 does not say."""
        try:
            self._client.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            answer = error.response["ResponseMetadata"]
            return answer["HTTPStatusCode"] != _ABSENT or answer["HTTPHeaders"].get("x-amz-delete-marker") == "true"
        return True

    def _head(self, bucket: str, key: str) -> StoredObject | int:
        """The current version, or the HTTP status that says there is none for us to compare.

        An object encrypted with a customer's own key answers 400 to everyone who does not send that key. Anything
        else, such as a missing permission, is our fault and not the upload's: it is raised.
        """
        try:
            answer = self._client.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status in (_ABSENT, _UNREADABLE):
                return status
            raise
        return StoredObject(answer.get("VersionId"), answer["ETag"].strip('"'), iso(answer["LastModified"]))
