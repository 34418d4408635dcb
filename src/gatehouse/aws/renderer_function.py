"""The renderer: a function that has no permission to read a picture, and is given a URL of it instead."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from gatehouse.aws.image_moderation import CallFailedError, CallThrottledError
from gatehouse.contracts.render_call import MOST_ANSWER_BYTES, RenderAnswer, RenderRequest
from gatehouse.moderation.analysis import ImageError
from gatehouse.moderation.image_errors import is_throttling

if TYPE_CHECKING:
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

    def ask(self, request: RenderRequest) -> RenderAnswer:
        """The renderer's answer, of the shape that is expected; what it says is not to be believed without a look.

        Raises:
            CallThrottledError: the account has no concurrency left for it.
            CallFailedError: there is no answer: Lambda failed, or the function did, or it says something else.
            RefusedError: the renderer refused.
        """
        try:
            payload = json.dumps(request.to_document()).encode()
            answer = self.client.invoke(FunctionName=self.name, Payload=payload)
            told = answer["Payload"].read(MOST_ANSWER_BYTES + 1)
        except ClientError as failure:
            error = ImageError(failure.response["Error"]["Code"], failure.response["Error"].get("Message", ""))
            if is_throttling(error.code, failure.response["ResponseMetadata"]["HTTPStatusCode"]):
                raise CallThrottledError(error.code) from failure
            raise CallFailedError(error) from failure
        except BotoCoreError as failure:  # no connection, timeout, no credentials
            raise CallFailedError(ImageError(type(failure).__name__, str(failure))) from failure
        if "FunctionError" in answer:
            raise CallFailedError(ImageError("RendererFailed", "the renderer ended without an answer; see its log"))
        try:
            return RenderAnswer.read(told)
        except ValueError as failure:
            raise CallFailedError(ImageError("RendererFailed", str(failure))) from failure
