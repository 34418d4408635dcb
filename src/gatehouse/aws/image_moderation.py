"""DetectModerationLabels: one image, one call."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from gatehouse.moderation.analysis import ImageError
from gatehouse.moderation.image_errors import is_throttling, may_pass
from gatehouse.moderation.upload import Upload

if TYPE_CHECKING:
    from mypy_boto3_rekognition import RekognitionClient


class CallThrottledError(RuntimeError):
    """The account's rate is used up: wait, and ask again for as long as it takes."""


class CallFailedError(RuntimeError):
    """The call failed for a reason that is not the image's and may pass: ask again, a limited number of times."""

    def __init__(self, error: ImageError) -> None:
        super().__init__(f"{error.code}: {error.message}")
        self.error = error


@dataclass(frozen=True, slots=True)
class ImageModeration:
    """Analyzes images in S3.

    Attributes:
        client: a Rekognition client that does not retry by itself: its retries would run past the pace.
    """

    client: "RekognitionClient"

    def detect(self, upload: Upload, min_confidence: float, adapter: str | None) -> dict[str, Any] | ImageError:
        """Rekognition's answer for the very version that was uploaded, or its error about this image.

        Raises:
            CallThrottledError, CallFailedError: no answer yet.
        """
        stored: Any = {"Bucket": upload.bucket, "Name": upload.key}
        if upload.version_id is not None:
            stored["Version"] = upload.version_id
        request: Any = {"Image": {"S3Object": stored}, "MinConfidence": min_confidence}
        if adapter is not None:
            request["ProjectVersion"] = adapter
        try:
            answer: Any = self.client.detect_moderation_labels(**request)
        except ClientError as failure:
            error = ImageError(failure.response["Error"]["Code"], failure.response["Error"].get("Message", ""))
            status = failure.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if is_throttling(error.code, status):
                raise CallThrottledError(error.code) from failure
            if may_pass(error.code, status):
                raise CallFailedError(error) from failure
            return error
        except ParamValidationError as failure:  # botocore would not even send it
            return ImageError(type(failure).__name__, str(failure))
        except BotoCoreError as failure:  # no connection, no answer in time, no credentials
            raise CallFailedError(ImageError(type(failure).__name__, str(failure))) from failure
        return dict(answer)
