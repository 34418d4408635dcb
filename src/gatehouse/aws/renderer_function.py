"""The renderer: a function that has no permission to read a picture, and is given a URL of it instead."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from gatehouse.aws.image_moderation import CallFailedError, CallThrottledError
from gatehouse.moderation.analysis import ImageError
from gatehouse.moderation.image_errors import is_throttling

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_lambda import LambdaClient


@dataclass(frozen=True, slots=True)
class RendererFunction:
    """Calls the renderer.

    Attributes:
        client: a Lambda client that does not retry: whoever asks has their own tries.
        name: of the function.
    """

    client: "LambdaClient"
    name: str

    def ask(self, request: "Mapping[str, Any]", most_bytes: int) -> bytes:
        """The renderer's answer, which is not to be believed without a look (`contracts/render_call.py`).

        Args:
            most_bytes: of an answer; of a longer one there is one byte more, and no other.

        Raises:
            CallThrottledError: the account has no concurrency left for it.
            CallFailedError: there is no answer: Lambda failed, or the function did.
        """
        try:
            payload = json.dumps(request).encode()
            answer = self.client.invoke(FunctionName=self.name, Payload=payload)
            body = answer["Payload"].read(most_bytes + 1)
        except ClientError as failure:
            error = ImageError(failure.response["Error"]["Code"], failure.response["Error"].get("Message", ""))
            if is_throttling(error.code, failure.response["ResponseMetadata"]["HTTPStatusCode"]):
                raise CallThrottledError(error.code) from failure
            raise CallFailedError(error) from failure
        except BotoCoreError as failure:  # no connection, timeout, no credentials
            raise CallFailedError(ImageError(type(failure).__name__, str(failure))) from failure
        if "FunctionError" in answer:
            raise CallFailedError(ImageError("RendererFailed", "the renderer ended without an answer; see its log"))
        return bytes(body)
