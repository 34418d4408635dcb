"""`aws-sdk:s3:getObject` tasks.

AWS: the result has the object's text as `Body`, and the headers as fields. A missing key is `S3.NoSuchKeyException`.
ministack 1.5.33: does not implement it.

Adds `GetObject` to `stepfunctions._S3_OP_SPECS`, which also names the permission it needs, and wraps
`stepfunctions._invoke_aws_sdk_integration`.
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from typing import Any

from ministack import app
from ministack.core.responses import get_region
from ministack.services import stepfunctions

from localcloud.patches import authorization
from localcloud.patches.execution_loop import current_role
from localcloud.patches.seam import Seam, check

SEAMS = (
    Seam("ministack.services.stepfunctions", "_S3_OP_SPECS"),
    Seam("ministack.services.stepfunctions", "_invoke_aws_sdk_integration", ("resource", "input_data")),
    Seam("ministack.services.stepfunctions", "_prefix_sdk_error", ("service_name", "error_code")),
    Seam("ministack.app", "SERVICE_HANDLERS"),
    Seam(
        "ministack.app",
        "call_service_handler_sync",
        ("handler", "method", "path", "headers", "body", "query_params", "timeout"),
    ),
)

_RESOURCE = "arn:aws:states:::aws-sdk:s3:getObject"
_SPECIFICATION = {"method": "GET", "path": "/{Bucket}/{Key+}", "query_params": {"VersionId": "versionId"}}
_FIELDS = {
    "accept-ranges": "AcceptRanges",
    "content-encoding": "ContentEncoding",
    "content-type": "ContentType",
    "etag": "ETag",
    "last-modified": "LastModified",
    "x-amz-server-side-encryption": "ServerSideEncryption",
    "x-amz-version-id": "VersionId",
}
_METADATA_PREFIX = "x-amz-meta-"


def install() -> None:
    """Add `aws-sdk:s3:getObject`."""
    check(SEAMS)
    stepfunctions._S3_OP_SPECS["GetObject"] = _SPECIFICATION
    invoke = stepfunctions._invoke_aws_sdk_integration

    def invoke_aws_sdk_integration(resource: str, input_data: Any) -> Any:
        return _get_object(input_data) if resource == _RESOURCE else invoke(resource, input_data)

    stepfunctions._invoke_aws_sdk_integration = invoke_aws_sdk_integration


def _get_object(arguments: Mapping[str, str]) -> dict[str, Any]:
    bucket, key, version = arguments["Bucket"], arguments["Key"], arguments.get("VersionId")
    status, raw_headers, body = app.call_service_handler_sync(
        app.SERVICE_HANDLERS["s3"],
        "GET",
        f"/{bucket}/{key}",
        {
            "host": f"s3.{get_region()}.amazonaws.com",
            # The role's permissions were checked before; the call itself is the administrator's.
            "authorization": f"AWS4-HMAC-SHA256 Credential=test/20260101/{get_region()}/s3/aws4_request",
        },
        b"",
        {"versionId": [version]} if version else {},
    )
    if status >= 400:
        raise stepfunctions._ExecutionError(*failure(bucket, status, body))
    headers = {name.lower(): value for name, value in raw_headers.items()}
    result: dict[str, Any] = {field: headers[name] for name, field in _FIELDS.items() if name in headers}
    result["Body"] = body.decode("utf-8", "replace")
    result["ContentLength"] = len(body)
    result["Metadata"] = {
        name.removeprefix(_METADATA_PREFIX): value
        for name, value in headers.items()
        if name.startswith(_METADATA_PREFIX)
    }
    return result


def failure(bucket: str, status: int, body: bytes) -> tuple[str, str]:
    """The name and cause of a failed call."""
    document = ElementTree.fromstring(body)  # noqa: S314 - written by our own S3
    code, message = document.findtext("Code", "S3"), document.findtext("Message", "")
    role = current_role()
    if code == "NoSuchKey" and role:
        # S3 distinguishes a missing key from a forbidden one only for callers that can list the bucket.
        access_key = authorization.role_access_key(role)
        refused = authorization.denial(access_key, "s3:ListBucket", f"arn:aws:s3:::{bucket}")
        if refused:
            return "S3.S3Exception", f"Access Denied (Service: S3, Status Code: 403): {refused.message}"
    return stepfunctions._prefix_sdk_error("s3", code), f"{message} (Service: S3, Status Code: {status})"
