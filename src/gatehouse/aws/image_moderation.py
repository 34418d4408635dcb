"""DetectModerationLabels: one call per image, or per frame of one that is rendered."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from gatehouse.moderation.analysis import ImageError
from gatehouse.moderation.image_errors import is_throttling, may_pass
from gatehouse.moderation.upload import Upload

if TYPE_CHECKING:
    from mypy_boto3_rekognition import RekognitionClient


class CallThrottledError(RuntimeError):
    """The account's rate is used up: retry without limit."""


class CallFailedError(RuntimeError):
    """The call failed for a transient reason that is not the image: retry a limited number of times."""

    def __init__(self, error: ImageError) -> None:
        super().__init__(f"{error.code}: {error.message}")
        self.error = error


@dataclass(frozen=True, slots=True)
class ImageModeration:
    """Analyzes images in S3, and renditions.

    Attributes:
        client: a Rekognition client that does not retry: its retries would bypass the pace.
    """

    client: "RekognitionClient"

    def detect(self, upload: Upload, min_confidence: float, adapter: str | None) -> dict[str, Any] | ImageError:
        """Rekognition's answer for the version that was uploaded, or its error about this image.

        Raises:
            CallThrottledError, CallFailedError: there is no answer yet.
        """
        stored = {"Bucket": upload.bucket, "Name": upload.key}
        if upload.version_id is not None:
            stored["Version"] = upload.version_id
        return self._detect({"S3Object": stored}, min_confidence, adapter)

    def detect_rendition(self, jpeg: bytes, min_confidence: float, adapter: str | None) -> dict[str, Any] | ImageError:
        """Rekognition's answer for a JPEG of up to 5 MB, or its error about it.

        Raises:
            CallThrottledError, CallFailedError: there is no answer yet.
        """
        return self._detect({"Bytes": jpeg}, min_confidence, adapter)

    def _detect(self, image: Any, min_confidence: float, adapter: str | None) -> dict[str, Any] | ImageError:
        request: Any = {"Image": image, "MinConfidence": min_confidence}
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
        except ParamValidationError as failure:  # botocore refuses to send it
            return ImageError(type(failure).__name__, str(failure))
        except BotoCoreError as failure:  # no connection, timeout, no credentials
            raise CallFailedError(ImageError(type(failure).__name__, str(failure))) from failure
        return dict(answer)
