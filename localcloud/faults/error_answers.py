"""Formats an error as the called service does, so that SDKs can read its code."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from xml.sax.saxutils import escape

#: Status, headers, body.
Answer = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True, slots=True)
class Error:
    """An error; `status` is the HTTP status."""

    code: str
    message: str
    status: int


def error_answer(error: Error, service: str, headers: Mapping[str, str]) -> Answer:
    """The answer to a request.

    JSON 1.0 and 1.1 (DynamoDB, Step Functions, Rekognition, Systems Manager, SQS), the query protocol (SNS), S3's XML,
    and JSON with the code in a header (Lambda). A HEAD request gets no body: clients read the status.

    Args:
        service: ministack's name for the service.
        headers: the request's headers, with names in lowercase.
    """
    request_id = str(uuid.uuid4())
    answered = {"x-amzn-RequestId": request_id}
    if service == "s3":
        answered["Content-Type"] = "application/xml"
        return error.status, answered, _xml("<Error>{}</Error>", _fields(error), request_id)
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        answered["Content-Type"] = "text/xml"
        kind = "Receiver" if error.status >= 500 else "Sender"
        fields = f"<Error><Type>{kind}</Type>{_fields(error)}</Error>"
        return error.status, answered, _xml("<ErrorResponse>{}</ErrorResponse>", fields, request_id)
    answered["Content-Type"] = headers.get("content-type", "application/json")
    answered["x-amzn-errortype"] = error.code
    return error.status, answered, json.dumps({"__type": error.code, "message": error.message}).encode()


def _fields(error: Error) -> str:
    return f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"


def _xml(envelope: str, fields: str, request_id: str) -> bytes:
    return envelope.format(f"{fields}<RequestId>{request_id}</RequestId>").encode()
