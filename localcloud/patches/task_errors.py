"""Errors of `aws-sdk` tasks have the same names as in Step Functions.

AWS: "<Prefix>.<ErrorName>" and always with the suffix `Exception`, even if the API's error has none
(`Rekognition.InternalServerErrorException`); an error that is not in the service's model has the name of the SDK's base
class (`Rekognition.RekognitionException`). The latter is inferred from the SDKs, not documented.
ministack 1.5.33: passes the error code of the response on.

Wraps `stepfunctions._prefix_sdk_error`.
"""

from functools import cache

from ministack.core.responses import _service_model
from ministack.services import stepfunctions

from localcloud.patches.seam import Seam, check

SEAMS = (
    Seam("ministack.services.stepfunctions", "_prefix_sdk_error", ("service_name", "error_code")),
    Seam("ministack.services.stepfunctions", "_AWS_SDK_SERVICE_MAP"),
    Seam("ministack.core.responses", "_service_model", ("service",)),
)


def install() -> None:
    """Name the errors of `aws-sdk` tasks."""
    check(SEAMS)
    prefixed = stepfunctions._prefix_sdk_error

    def prefix_sdk_error(service_name: str, error_code: str) -> str:
        code = error_code.rsplit("#", 1)[-1]
        if code.startswith("States."):
            return code
        modeled = _modeled_errors(service_name)
        if modeled and code not in modeled and code.removesuffix("Exception") not in modeled:
            base = prefixed(service_name, "Exception").partition(".")[0]
            return f"{base}.{base}Exception"
        name: str = prefixed(service_name, code)
        return name if name.endswith("Exception") else f"{name}Exception"

    stepfunctions._prefix_sdk_error = prefix_sdk_error


@cache
def _modeled_errors(service_name: str) -> frozenset[str]:
    """The error codes of a service's model; empty for query services, whose codes and shapes are named differently."""
    integration = stepfunctions._AWS_SDK_SERVICE_MAP.get(service_name, {})
    if integration.get("protocol") not in ("json", "rest-xml"):
        return frozenset()
    model = _service_model(integration.get("service_key", service_name))
    shapes = () if model is None else model.error_shapes
    # SQS's codes in the XML protocol differ from the names, which its JSON protocol returns.
    errors = frozenset(name for shape in shapes for name in (shape.error_code, shape.name))
    # Only S3's operation UpdateObjectEncryption models it; the others return the base class.
    return errors - {"AccessDenied"}
