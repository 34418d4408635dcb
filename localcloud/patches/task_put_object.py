"""`aws-sdk:s3:putObject` tasks.

AWS: writes `Body` as JSON, even a string: with quotes around it and escaped line breaks (seen in public reports, not
documented). So a task can write a JSON document, but not JSON Lines. The result has the headers as fields.
ministack 1.5.33: does not implement it.

Adds `PutObject` to `stepfunctions._S3_OP_SPECS`, which also names the permission it needs, and wraps
`stepfunctions._invoke_aws_sdk_integration`.
"""

import json
from collections.abc import Mapping
from typing import Any

from ministack import app
from ministack.core.responses import get_region
from ministack.services import stepfunctions

from localcloud.patches import task_get_object
from localcloud.patches.seam import Seam, check

SEAMS = (
    Seam("ministack.services.stepfunctions", "_S3_OP_SPECS"),
    Seam("ministack.services.stepfunctions", "_invoke_aws_sdk_integration", ("resource", "input_data")),
    Seam("ministack.app", "SERVICE_HANDLERS"),
    Seam(
        "ministack.app",
        "call_service_handler_sync",
        ("handler", "method", "path", "headers", "body", "query_params", "timeout"),
    ),
)

_RESOURCE = "arn:aws:states:::aws-sdk:s3:putObject"
_SPECIFICATION = {"method": "PUT", "path": "/{Bucket}/{Key+}"}
_HEADERS = {"ContentType": "content-type", "IfNoneMatch": "if-none-match", "IfMatch": "if-match"}
_FIELDS = {"etag": "ETag", "x-amz-version-id": "VersionId", "x-amz-server-side-encryption": "ServerSideEncryption"}


def install() -> None:
    """Add `aws-sdk:s3:putObject`."""
    check(SEAMS)
    stepfunctions._S3_OP_SPECS["PutObject"] = _SPECIFICATION
    invoke = stepfunctions._invoke_aws_sdk_integration

    def invoke_aws_sdk_integration(resource: str, input_data: Any) -> Any:
        return _put_object(input_data) if resource == _RESOURCE else invoke(resource, input_data)

    stepfunctions._invoke_aws_sdk_integration = invoke_aws_sdk_integration


def _put_object(arguments: Mapping[str, Any]) -> dict[str, Any]:
    bucket, key = arguments["Bucket"], arguments["Key"]
    document = json.dumps(arguments["Body"], ensure_ascii=False, separators=(",", ":")) if "Body" in arguments else ""
    body = document.encode()
    headers = {
        "host": f"s3.{get_region()}.amazonaws.com",
        # The role's permissions were checked before; the call itself is the administrator's.
        "authorization": f"AWS4-HMAC-SHA256 Credential=test/20260101/{get_region()}/s3/aws4_request",
        "content-length": str(len(body)),
        **{header: str(arguments[name]) for name, header in _HEADERS.items() if name in arguments},
        **{f"x-amz-meta-{name}": str(value) for name, value in arguments.get("Metadata", {}).items()},
    }
    status, raw_headers, answer = app.call_service_handler_sync(
        app.SERVICE_HANDLERS["s3"], "PUT", f"/{bucket}/{key}", headers, body, {}
    )
    if status >= 400:
        raise stepfunctions._ExecutionError(*task_get_object.failure(bucket, status, answer))
    answered = {name.lower(): value for name, value in raw_headers.items()}
    return {field: answered[name] for name, field in _FIELDS.items() if name in answered}
