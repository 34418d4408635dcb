"""The uploads bucket, ours or an existing one. It is only read, never written to."""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from gatehouse.moderation.back_off import pause_seconds
from gatehouse.moderation.confirmation import ARCHIVED, FORBIDDEN, GONE, REPLACED, StoredObject, aliases_of, doubt
from gatehouse.moderation.image_format import HEAD_BYTES, format_of
from gatehouse.moderation.moment import iso
from gatehouse.moderation.png_animation import PIECE_BYTES, unseen_frames
from gatehouse.moderation.upload import Upload, version_named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence, Set

    from mypy_boto3_s3 import S3Client

    from gatehouse.moderation.failure import Failure
    from gatehouse.moderation.image_format import ImageFormat
    from gatehouse.moderation.verdict import Verdict

#: Objects read in parallel; the client's connection pool has the same size.
PARALLEL_LOOKS = 32

#: HTTP statuses for an object that does not exist, is hidden by a delete marker, or has no bytes.
_ABSENT = 404
_WITHOUT_BYTES = frozenset({_ABSENT, 405, 416})
_UNREADABLE = 400
_REFUSED = 403

#: Retries for an object that S3 refuses while it returns others: a permission that was just granted takes time to
#: propagate.
_TRIES_OF_REFUSED = 3
#: Error for an object that must be restored before it can be read (API reference, GetObject).
_ARCHIVED = "InvalidObjectState"


class _ReplacedError(Exception):
    """The object was replaced after its first bytes were read."""


class UploadBucket:
    """Reads objects, many in parallel.

    Args:
        client: an S3 client with `PARALLEL_LOOKS` connections.
        finds_animations: whether an approval also requires that the image has no frames that were not analyzed.
        pause: waits the given number of seconds before a refused object is read again.
    """

    def __init__(
        self, client: "S3Client", *, finds_animations: bool, pause: "Callable[[float], None]" = time.sleep
    ) -> None:
        self._client = client
        self._pause = pause
        self._finds_animations = finds_animations

    def doubts(
        self, verdicts: "Sequence[Verdict]", current: "Mapping[str, StoredObject | None]" = MappingProxyType({})
    ) -> "list[Failure | None]":
        """For each approval, the reason why it can't be given, or None: see `confirmation.doubt` and `png_animation`.

        Makes one ranged GetObject per approval, and a few more for some PNGs. Without the check for animations, it
        makes one HeadObject for each unpinned analysis of an object that is not in `current`. A manifest's line may be
        read as another key, which takes one more HeadObject per alias; the image engine gets the exact key.

        An object that S3 refuses while it returns others does not delay the batch. A key or a policy denies access to
        it, or its version is gone and S3 does not say so (it does only to callers who may list; whether that applies to
        versions is not documented).

        Args:
            current: `s3://bucket/key` -> what is current, or None if nothing is, where that was listed after the
                analysis. Of no use to the check for animations.

        Raises:
            ClientError: S3 refuses every object, or fails; that is our fault and not an upload's.
        """
        asked = [verdict for verdict in verdicts if self._finds_animations or not verdict.is_pinned]
        look = (
            self._doubt_about_image if self._finds_animations else partial(self._doubt_about_current, current=current)
        )
        with ThreadPoolExecutor(PARALLEL_LOOKS) as threads:
            looks = _looks(threads, look, asked)
            for attempt in range(_TRIES_OF_REFUSED):
                refused = self._refused(looks)
                if not refused:
                    break
                self._pause(pause_seconds(attempt, first=2.0))
                for n, one in zip(refused, _looks(threads, look, [asked[n] for n in refused]), strict=True):
                    looks[n] = one
        self._refused(looks)
        found = {
            id(verdict): FORBIDDEN if isinstance(one, ClientError) else one
            for verdict, one in zip(asked, looks, strict=True)
        }
        return [found.get(id(verdict)) for verdict in verdicts]

    def may_be_of(self, formats: "Set[ImageFormat]", uploads: "Sequence[Upload]") -> list[bool]:
        """For each upload, whether its first bytes are of one of the formats.

        Also true where the object can't be read or was replaced: the image engine will find out. Makes one ranged
        GetObject per upload, of what is current, which is also what a media analysis job reads.
        """
        with ThreadPoolExecutor(PARALLEL_LOOKS) as threads:
            return list(threads.map(partial(self._may_be_of, formats), uploads))

    def _may_be_of(self, formats: "Set[ImageFormat]", upload: Upload) -> bool:
        try:
            answer = self._client.get_object(Bucket=upload.bucket, Key=upload.key, Range=f"bytes=0-{HEAD_BYTES - 1}")
        except ClientError:
            return True
        return stored_object(answer).etag != upload.etag or format_of(answer["Body"].read()) in formats

    def _refused(self, looks: "Sequence[Failure | ClientError | None]") -> list[int]:
        """Positions of the objects that S3 refuses while it returns others.

        Raises:
            ClientError: S3 returns none, or failed.
        """
        errors = {n: one for n, one in enumerate(looks) if isinstance(one, ClientError)}
        for error in errors.values():
            if status_of(error) != _REFUSED or len(errors) == len(looks):
                raise error
        return list(errors)

    def _doubt_about_current(
        self, verdict: "Verdict", current: "Mapping[str, StoredObject | None]" = MappingProxyType({})
    ) -> "Failure | None":
        """Why what is current may not be what was analyzed."""
        upload = verdict.upload
        stored = current[upload.object] if upload.object in current else self._head(upload)
        return self._doubt_about_bytes(verdict, stored)

    def _doubt_about_image(self, verdict: "Verdict") -> "Failure | None":
        """Why what was analyzed may not be what is current, or all that it shows."""
        upload = verdict.upload
        try:
            first, piece = self._read(upload, upload.version_id if verdict.is_pinned else None, 0)
        except ClientError as error:
            return self._doubt_about_refused(verdict, error)
        if failure := self._doubt_about_bytes(verdict, first):
            return failure
        if verdict.analysis and verdict.analysis.rendition:
            return None  # its frames were counted, and the policy knows how many were looked at

        def read(start: int) -> bytes:
            stored, more = self._read(upload, upload.version_id, start)
            if stored != first:
                raise _ReplacedError
            return more

        try:
            return unseen_frames(piece, upload.size, read)
        except _ReplacedError:
            return REPLACED
        except ClientError as error:
            return self._doubt_about_refused(verdict, error)

    def _doubt_about_refused(self, verdict: "Verdict", error: ClientError) -> "Failure | None":
        """Why an object that S3 does not return can't be approved.

        A pinned version was readable when it was analyzed: it was deleted or archived since, or the fault is ours. An
        unpinned object may have been replaced by anything: an archived object, or one encrypted with a key that we may
        not use (400 or 403). HeadObject identifies it, so that a replaced object can't delay other uploads.

        Raises:
            ClientError: it is the upload's own object, and S3 should have returned it.
        """
        if status_of(error) in _WITHOUT_BYTES:
            return self._doubt_about_bytes(verdict, None)
        if not verdict.is_pinned and (failure := self._doubt_about_current(verdict)):
            return failure
        if error.response["Error"]["Code"] == _ARCHIVED:
            return ARCHIVED
        raise error

    def _doubt_about_bytes(self, verdict: "Verdict", stored: StoredObject | None) -> "Failure | None":
        """Why what is stored may not be what was analyzed."""
        if verdict.is_pinned:
            return GONE if stored is None else None
        upload = verdict.upload
        names = aliases_of(upload.key) if verdict.engine and verdict.engine.reads_manifest else ()
        return doubt(upload, verdict.claim.claimed_at, stored, self._existing(upload.bucket, names))

    def _existing(self, bucket: str, names: "Iterable[str]") -> dict[str, bool]:
        """For each name, whether an object of that name exists or once did."""
        return {name: self._may_have_existed(bucket, name) for name in names}

    def _may_have_existed(self, bucket: str, key: str) -> bool:
        """Whether an object of that name exists, or a delete marker shows that it did, or S3 does not tell."""
        try:
            self._client.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            answer = error.response["ResponseMetadata"]
            return answer["HTTPStatusCode"] != _ABSENT or answer["HTTPHeaders"].get("x-amz-delete-marker") == "true"
        return True

    def _head(self, upload: Upload) -> StoredObject | None:
        """The current version, or None if there is none to compare.

        For an object encrypted with a customer-provided key, S3 answers 400 unless the request has that key. Any other
        error, such as a missing permission, is our fault and not the upload's, and is raised.
        """
        try:
            answer = self._client.head_object(Bucket=upload.bucket, Key=upload.key)
        except ClientError as error:
            if status_of(error) in (_ABSENT, _UNREADABLE):
                return None
            raise
        return stored_object(answer)

    def _read(self, upload: Upload, version_id: str | None, start: int) -> tuple[StoredObject, bytes]:
        """A piece of a version, or of the current one, with the version's description."""
        wanted = f"bytes={start}-{start + PIECE_BYTES - 1}"
        if version_id is None:
            answer = self._client.get_object(Bucket=upload.bucket, Key=upload.key, Range=wanted)
        else:
            answer = self._client.get_object(Bucket=upload.bucket, Key=upload.key, VersionId=version_id, Range=wanted)
        return stored_object(answer), answer["Body"].read()


def _looks(
    threads: ThreadPoolExecutor, look: "Callable[[Verdict], Failure | None]", verdicts: "Sequence[Verdict]"
) -> "list[Failure | ClientError | None]":
    """A look for each verdict, in order. Each thread has its share: handing over one by one takes longer than many."""
    looks: list[Failure | ClientError | None] = [None] * len(verdicts)
    shares = [verdicts[n::PARALLEL_LOOKS] for n in range(PARALLEL_LOOKS)]
    for n, share in enumerate(threads.map(lambda share: [_tried(look, verdict) for verdict in share], shares)):
        looks[n::PARALLEL_LOOKS] = share
    return looks


def _tried(look: "Callable[[Verdict], Failure | None]", verdict: "Verdict") -> "Failure | ClientError | None":
    try:
        return look(verdict)
    except ClientError as error:
        return error


def status_of(error: ClientError) -> int:
    """The HTTP status of a refusal."""
    return error.response["ResponseMetadata"]["HTTPStatusCode"]


def stored_object(answer: Any) -> StoredObject:
    """The object that an answer of HeadObject or GetObject describes."""
    return StoredObject(version_named(answer.get("VersionId")), answer["ETag"].strip('"'), iso(answer["LastModified"]))
