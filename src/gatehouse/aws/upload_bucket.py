"""The uploads bucket, ours or an existing one: only ever asked what is stored now, never written to."""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from gatehouse.moderation.back_off import pause_seconds
from gatehouse.moderation.confirmation import ARCHIVED, FORBIDDEN, GONE, REPLACED, StoredObject, aliases_of, doubt
from gatehouse.moderation.moment import iso
from gatehouse.moderation.png_animation import PIECE_BYTES, unseen_frames
from gatehouse.moderation.upload import Upload, version_named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mypy_boto3_s3 import S3Client

    from gatehouse.moderation.failure import Failure
    from gatehouse.moderation.verdict import Verdict

#: Objects looked at at the same time; the client's connection pool is as large.
PARALLEL_LOOKS = 32

#: HTTP statuses. There is no object, also where a delete marker hides it or is what was named, or it has no bytes.
_ABSENT = 404
_WITHOUT_BYTES = frozenset({_ABSENT, 405, 416})
_UNREADABLE = 400
_REFUSED = 403

#: Times that an object that was refused while others were given is asked for again: a permission that was just granted
#: is not known everywhere at once.
_TRIES_OF_REFUSED = 3
#: Error of an object that has to be restored before it can be read (API reference, GetObject).
_ARCHIVED = "InvalidObjectState"


class _ReplacedError(Exception):
    """The object is another one than when its first bytes were read."""


class UploadBucket:
    """Looks at objects, many at a time.

    Args:
        client: an S3 client with `PARALLEL_LOOKS` connections.
        finds_animations: whether an approval also needs that the image has no frames that nobody looked at.
        pause: waits the given number of seconds before an object that was refused is asked for again.
    """

    def __init__(
        self, client: "S3Client", *, finds_animations: bool, pause: "Callable[[float], None]" = time.sleep
    ) -> None:
        self._client = client
        self._pause = pause
        self._finds_animations = finds_animations

    def doubts(self, verdicts: "Sequence[Verdict]") -> "list[Failure | None]":
        """For each approval, why it can't be given, or None: see `confirmation.doubt` and `png_animation`.

        Costs a ranged GetObject an approval, for some PNGs a few more; where animations are not looked for, a
        HeadObject for each on an unpinned analysis. Only a manifest's line can be taken for another key, which costs a
        HeadObject for each other reading: the image engine is given the key as it is.

        An object that S3 refuses while it gives others holds up nobody: its key or a policy excludes us from it, or its
        version is gone and S3 does not say so (it says which only to those who may list; whether that goes for versions
        is not documented).

        Raises:
            ClientError: S3 does not let us look at any, or fails, which is our fault and not an upload's.
        """
        asked = [verdict for verdict in verdicts if self._finds_animations or not verdict.is_pinned]
        look = self._doubt_about_image if self._finds_animations else self._doubt_about_current
        with ThreadPoolExecutor(PARALLEL_LOOKS) as threads:
            looks = list(threads.map(partial(_tried, look), asked))
            for attempt in range(_TRIES_OF_REFUSED):
                refused = self._refused(looks)
                if not refused:
                    break
                self._pause(pause_seconds(attempt, first=2.0))
                for n, one in zip(
                    refused, threads.map(partial(_tried, look), [asked[n] for n in refused]), strict=True
                ):
                    looks[n] = one
        self._refused(looks)
        found = {
            id(verdict): FORBIDDEN if isinstance(one, ClientError) else one
            for verdict, one in zip(asked, looks, strict=True)
        }
        return [found.get(id(verdict)) for verdict in verdicts]

    def _refused(self, looks: "Sequence[Failure | ClientError | None]") -> list[int]:
        """Positions of the objects that S3 refuses while it gives others.

        Raises:
            ClientError: it gives none, or failed.
        """
        errors = {n: one for n, one in enumerate(looks) if isinstance(one, ClientError)}
        for error in errors.values():
            if _status(error) != _REFUSED or len(errors) == len(looks):
                raise error
        return list(errors)

    def _doubt_about_current(self, verdict: "Verdict") -> "Failure | None":
        """Why what is current may not be what was analyzed."""
        return self._doubt_about_bytes(verdict, self._head(verdict.upload))

    def _doubt_about_image(self, verdict: "Verdict") -> "Failure | None":
        """Why what was analyzed may not be what is current, or all that it shows."""
        upload = verdict.upload
        try:
            first, piece = self._read(upload, upload.version_id if verdict.is_pinned else None, 0)
        except ClientError as error:
            return self._doubt_about_refused(verdict, error)
        if failure := self._doubt_about_bytes(verdict, first):
            return failure

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
        """Why an object that S3 does not give can't be approved.

        A pinned version was readable when it was analyzed: it is deleted or archived by now, or the fault is ours. In
        place of an unpinned one there may be anything: archived, or encrypted with a key that is not for us (400 or
        403). HeadObject tells which object it is, so that no upload can hold up others by what replaced it.

        Raises:
            ClientError: it is the upload's own object, and S3 should have given it.
        """
        if _status(error) in _WITHOUT_BYTES:
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
        """For each name, whether an object of that name exists or did."""
        return {name: self._may_have_existed(bucket, name) for name in names}

    def _may_have_existed(self, bucket: str, key: str) -> bool:
        """Whether an object of that name exists, or a delete marker shows that it did, or S3 does not say."""
        try:
            self._client.head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            answer = error.response["ResponseMetadata"]
            return answer["HTTPStatusCode"] != _ABSENT or answer["HTTPHeaders"].get("x-amz-delete-marker") == "true"
        return True

    def _head(self, upload: Upload) -> StoredObject | None:
        """The current version, or None if there is none for us to compare.

        An object encrypted with a customer's own key answers 400 to everyone who does not send that key. Anything
        else, such as a missing permission, is our fault and not the upload's: it is raised.
        """
        try:
            answer = self._client.head_object(Bucket=upload.bucket, Key=upload.key)
        except ClientError as error:
            if _status(error) in (_ABSENT, _UNREADABLE):
                return None
            raise
        return _stored(answer)

    def _read(self, upload: Upload, version_id: str | None, start: int) -> tuple[StoredObject, bytes]:
        """A piece of a version, or of the current one, and which one it is of."""
        wanted = f"bytes={start}-{start + PIECE_BYTES - 1}"
        if version_id is None:
            answer = self._client.get_object(Bucket=upload.bucket, Key=upload.key, Range=wanted)
        else:
            answer = self._client.get_object(Bucket=upload.bucket, Key=upload.key, VersionId=version_id, Range=wanted)
        return _stored(answer), answer["Body"].read()


def _tried(look: "Callable[[Verdict], Failure | None]", verdict: "Verdict") -> "Failure | ClientError | None":
    try:
        return look(verdict)
    except ClientError as error:
        return error


def _status(error: ClientError) -> int:
    return error.response["ResponseMetadata"]["HTTPStatusCode"]


def _stored(answer: Any) -> StoredObject:
    """What HeadObject and GetObject say of the object they speak of."""
    return StoredObject(version_named(answer.get("VersionId")), answer["ETag"].strip('"'), iso(answer["LastModified"]))
