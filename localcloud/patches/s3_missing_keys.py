"""A missing key looks forbidden to callers that can't list the bucket.

AWS: GetObject and HeadObject of a key that does not exist return 404 to a caller with `s3:ListBucket`, and 403 to one
without it (API reference, GetObject, "Permissions").
ministack 1.5.33: returns 404 to both.

Wraps the entry `s3` of `app.SERVICE_HANDLERS`.
"""

from collections.abc import Mapping
from typing import Any

from ministack import app
from ministack.core.iam_actions import access_denied_response
from ministack.core.router import extract_access_key_id
from ministack.services import s3

from localcloud.patches import authorization
from localcloud.patches.seam import Seam, check

SEAMS = (
    *authorization.SEAMS,
    Seam("ministack.app", "SERVICE_HANDLERS"),
    Seam("ministack.core.router", "extract_access_key_id", ("headers", "query_params")),
    Seam("ministack.services.s3", "_bucket_owner_account", ("name",)),
    Seam(
        "ministack.core.iam_actions",
        "access_denied_response",
        (
            "service",
            "action",
            "principal_arn",
            "request_id",
            "error_code",
            "message",
            "headers",
            "resource_arn",
            "explicit_deny",
            "resource_policy_arn",
        ),
    ),
)


def install() -> None:
    """Answer 403 for missing keys to callers without `s3:ListBucket`."""
    check(SEAMS)
    handle = app.SERVICE_HANDLERS["s3"]

    async def handle_request(
        method: str, path: str, headers: Mapping[str, str], body: bytes, query_params: Mapping[str, list[str]]
    ) -> Any:
        answer = await handle(method, path, headers, body, query_params)
        if answer[0] != 404 or method not in ("GET", "HEAD"):
            return answer
        bucket, _, key = path.lstrip("/").partition("/")
        if not key or s3._bucket_owner_account(bucket) is None:
            return answer
        access_key = extract_access_key_id(headers, query_params)
        resource = f"arn:aws:s3:::{bucket}"
        refused = authorization.denial(access_key, "s3:ListBucket", resource) if access_key else None
        if refused is None:
            return answer
        request_id = answer[1].get("x-amz-request-id", "")
        return access_denied_response(
            "s3", "s3:ListBucket", refused.principal_arn, request_id, headers=headers, resource_arn=resource
        )

    app.SERVICE_HANDLERS["s3"] = handle_request
