"""The uploads bucket, ours or an existing one: only ever asked what is stored now, never written to."""

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lambdas.moderation.confirmation import StoredObject, aliases_of, doubt
from lambdas.moderation.engine import Engine
from lambdas.moderation.upload import Upload, iso

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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

    def doubts(self, verdicts: "Sequence[Verdict]") -> "list[Failure | None]":
        """For each approval, why it can't be given, or None: see `confirmation.doubt`.

        An approval on a pinned analysis is certain and costs no call. Only a manifest's line can be taken for another
        key: the image engine is given the key as it is.
        """
        unpinned = [verdict for verdict in verdicts if not verdict.is_pinned]
        with ThreadPoolExecutor(PARALLEL_HEADS) as threads:
            found = dict(zip(map(id, unpinned), threads.map(self._doubt, unpinned), strict=True))
        return [found.get(id(verdict)) for verdict in verdicts]

    def _doubt(self, verdict: "Verdict") -> "Failure | None":
        upload = verdict.upload
        stored, aliases = self.current(upload, aliases_of(upload.key) if verdict.engine is Engine.BULK else ())
        return doubt(upload, verdict.claim.claimed_at, stored, aliases)

    def current(self, upload: Upload, names: "Iterable[str]") -> tuple[StoredObject | None, dict[str, bool]]:
        """What an upload's object is now, and which objects of other names exist or did."""
        aliases = {name: self._may_have_existed(upload.bucket, name) for name in names}
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
