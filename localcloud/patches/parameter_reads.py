"""GetParameters is authorized for each parameter that it names, and accepts at most ten.

AWS: `ssm:GetParameters` is granted on parameters, and the call is refused if one of those it names is not granted
(service authorization reference, AWS Systems Manager). `Names` has at most ten members (API reference, GetParameters).
ministack 1.5.33: requires the permission on `*`, which a role for certain parameters does not have; and accepts any
number of names.

Replaces `iam_actions.extract_resource_arn` and wraps the entry `ssm` of `app.SERVICE_HANDLERS`.
"""

import json
from collections.abc import Mapping
from typing import Any

from ministack import app
from ministack.core import iam_actions
from ministack.core.responses import error_response_json, get_account_id, get_region
from ministack.core.router import extract_access_key_id

from localcloud.patches import authorization
from localcloud.patches.seam import Seam, check

SEAMS = (
    *authorization.SEAMS,
    Seam("ministack.app", "SERVICE_HANDLERS"),
    Seam("ministack.core.router", "extract_access_key_id", ("headers", "query_params")),
    Seam(
        "ministack.core.responses",
        "error_response_json",
        ("code", "message", "status", "extra", "message_key", "content_type"),
    ),
    authorization.RESOURCE_SEAM,
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

_ACTION = "ssm:GetParameters"
_MOST_NAMES = 10


def install() -> None:
    """Authorize GetParameters name by name."""
    check(SEAMS)
    handle = app.SERVICE_HANDLERS["ssm"]

    async def handle_request(
        method: str, path: str, headers: Mapping[str, str], body: bytes, query_params: Mapping[str, list[str]]
    ) -> Any:
        names = _names(headers, body)
        if len(names) > _MOST_NAMES:
            problem = f"Member must have length less than or equal to {_MOST_NAMES}"
            message = f"1 validation error detected: Value at 'names' failed to satisfy constraint: {problem}"
            return error_response_json("ValidationException", message, 400)
        access_key = extract_access_key_id(headers, query_params)
        for name in names[1:] if access_key else ():
            resource = _arn(name, get_region(), get_account_id())
            if refused := authorization.denial(access_key, _ACTION, resource):
                return iam_actions.access_denied_response(
                    "ssm", _ACTION, refused.principal_arn, "", headers=headers, resource_arn=resource
                )
        return await handle(method, path, headers, body, query_params)

    authorization.authorize_on("ssm", _first_parameter)
    app.SERVICE_HANDLERS["ssm"] = handle_request


def _first_parameter(headers: Mapping[str, str], body: bytes, region: str, account_id: str) -> str | None:
    names = _names(headers, body)
    return _arn(names[0], region, account_id) if names else None


def _names(headers: Mapping[str, str], body: bytes) -> list[str]:
    """The names in a GetParameters call; none for any other call, or one that the service will refuse."""
    if not headers.get("x-amz-target", "").endswith(".GetParameters"):
        return []
    try:
        names = json.loads(body)["Names"]
    except (ValueError, KeyError, TypeError):
        return []
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _arn(name: str, region: str, account: str) -> str:
    return f"arn:aws:ssm:{region}:{account}:parameter/{name.removeprefix('/')}"
