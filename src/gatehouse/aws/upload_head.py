"""The first bytes of an upload: what kind of picture it is, and whether it has more to show than one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from gatehouse.aws.image_moderation import CallFailedError, CallThrottledError
from gatehouse.moderation.analysis import ImageError
from gatehouse.moderation.image_errors import is_throttling, may_pass
from gatehouse.moderation.image_format import HEAD_BYTES, ImageFormat, format_of
from gatehouse.moderation.png_animation import PIECE_BYTES, unseen_frames
from gatehouse.moderation.upload import Upload

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True, slots=True)
class UploadHead:
    """What the first bytes of an upload say.

    Attributes:
        format: None if it is none of ours.
        has_unseen_frames: whether it is a PNG that one look may not see whole (`png_animation`).
    """

    format: ImageFormat | None
    has_unseen_frames: bool = False


class UploadHeads:
    """Reads them, of the version that was uploaded: one ranged GetObject, and a few more for some PNGs.

    Args:
        client: an S3 client.
    """

    def __init__(self, client: "S3Client") -> None:
        self._client = client

    def look(self, upload: Upload) -> UploadHead | None:
        """What kind of picture an upload is; None if S3 does not give it, which Rekognition then says as well.

        Raises:
            CallThrottledError, CallFailedError: S3 gave no answer yet.
        """
        return _answered(lambda: self._head(upload))

    def _head(self, upload: Upload) -> UploadHead:
        piece = self._read(upload, 0)
        frames = unseen_frames(piece, upload.size, lambda start: self._read(upload, start))
        return UploadHead(format_of(piece[:HEAD_BYTES]), frames is not None)

    def _read(self, upload: Upload, start: int) -> bytes:
        wanted = f"bytes={start}-{start + PIECE_BYTES - 1}"
        if upload.version_id is None:
            return self._client.get_object(Bucket=upload.bucket, Key=upload.key, Range=wanted)["Body"].read()
        return self._client.get_object(Bucket=upload.bucket, Key=upload.key, VersionId=upload.version_id, Range=wanted)[
            "Body"
        ].read()


def _answered(look: Callable[[], UploadHead]) -> UploadHead | None:
    """What a look finds. Whether an object is missing or may not be read makes no difference."""
    try:
        return look()
    except ClientError as failure:
        error = ImageError(failure.response["Error"]["Code"], failure.response["Error"].get("Message", ""))
        status = failure.response["ResponseMetadata"]["HTTPStatusCode"]
        if is_throttling(error.code, status):
            raise CallThrottledError(error.code) from failure
        if may_pass(error.code, status):
            raise CallFailedError(error) from failure
        return None
    except BotoCoreError as failure:
        raise CallFailedError(ImageError(type(failure).__name__, str(failure))) from failure
