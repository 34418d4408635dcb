"""A function's environment has a size limit.

AWS: 4 KB for all variables together (Lambda Developer Guide, quotas), measured on the JSON of the map with escaped
quotes; a larger one is refused with InvalidParameterValueException and the measured JSON.
ministack 1.5.33: accepts any size.

Wraps `lambda_svc._create_function`, `lambda_svc._update_config`, which templates also use to update functions, and
`create` of functions in `provisioners._RESOURCE_HANDLERS`.
"""

import json
from collections.abc import Mapping
from typing import Any

from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners

from localcloud.patches.seam import Seam, check

SEAMS = (
    Seam("ministack.services.lambda_svc", "_create_function", ("data",)),
    Seam("ministack.services.lambda_svc", "_update_config", ("name", "data")),
    Seam(
        "ministack.services.lambda_svc",
        "error_response_json",
        ("code", "message", "status", "extra", "message_key", "content_type"),
    ),
    Seam("ministack.services.cloudformation.provisioners", "_RESOURCE_HANDLERS"),
    Seam("ministack.services.cloudformation.provisioners", "_lambda_create", ("logical_id", "props", "stack_name")),
)

_MAX_BYTES = 4096


def install() -> None:
    """Refuse the environments that Lambda refuses."""
    check(SEAMS)
    create, update = lambda_svc._create_function, lambda_svc._update_config
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    deploy = handlers["create"]

    def create_function(data: dict[str, Any]) -> Any:
        return _refusal(data) or create(data)

    def update_config(name: str, data: dict[str, Any]) -> Any:
        return _refusal(data) or update(name, data)

    def deploy_function(logical_id: str, props: Mapping[str, Any], stack_name: str) -> Any:
        if refusal := _refusal(props):
            raise ValueError(f"AWS::Lambda::Function: {refusal[2]!r}")
        return deploy(logical_id, props, stack_name)

    lambda_svc._create_function, lambda_svc._update_config = create_function, update_config
    handlers["create"] = deploy_function


def _refusal(data: Mapping[str, Any]) -> Any:
    """The answer to a request whose environment is too large, or None."""
    variables = (data.get("Environment") or {}).get("Variables") or {}
    measured = json.dumps(variables, separators=(",", ":"), ensure_ascii=False)
    if len(measured.encode()) <= _MAX_BYTES:
        return None
    message = (
        "Lambda was unable to configure your environment variables because the environment variables you have provided "
        f"exceeded the 4KB limit. String measured: {measured}"
    )
    return lambda_svc.error_response_json("InvalidParameterValueException", message, 400)
