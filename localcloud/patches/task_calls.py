"""`aws-sdk` tasks of SQS and S3 follow the services' models.

AWS: arguments and results of a task have the names and types of the API, in PascalCase: a list of names stays a list,
and numbers are numbers.
ministack 1.5.33: calls SQS with its old XML protocol and list arguments under names that SQS ignores, so
getQueueAttributes returns every attribute; the numbers in S3's XML are returned as text.

Changes the entry `sqs` of `stepfunctions._AWS_SDK_SERVICE_MAP` to the JSON protocol, which SQS also supports, and wraps
`stepfunctions._dispatch_aws_sdk_rest_xml`.
"""

from collections.abc import Mapping
from typing import Any

from botocore.model import ListShape, Shape, StructureShape
from ministack.core.responses import _service_model
from ministack.services import stepfunctions

from localcloud.patches.seam import Seam, check

_MODULE = "ministack.services.stepfunctions"
SEAMS = (
    Seam(_MODULE, "_AWS_SDK_SERVICE_MAP"),
    Seam(_MODULE, "_dispatch_aws_sdk_json", ("service_info", "service_name", "action", "input_data")),
    Seam(_MODULE, "_dispatch_aws_sdk_rest_xml", ("service_info", "service_name", "action", "input_data")),
    Seam("ministack.core.responses", "_service_model", ("service",)),
)


def install() -> None:
    """Call SQS and read S3's answers by their models."""
    check(SEAMS)
    stepfunctions._AWS_SDK_SERVICE_MAP["sqs"] = {"target_prefix": "AmazonSQS", "protocol": "json"}
    dispatch = stepfunctions._dispatch_aws_sdk_rest_xml

    def dispatch_rest_xml(service_info: Mapping[str, Any], service_name: str, action: str, input_data: Any) -> Any:
        result = dispatch(service_info, service_name, action, input_data)
        model = _service_model(service_info.get("service_key", service_name))
        operation = action[0].upper() + action[1:]
        shape = model.operation_model(operation).output_shape if operation in model.operation_names else None
        return result if shape is None else _typed(result, shape)

    stepfunctions._dispatch_aws_sdk_rest_xml = dispatch_rest_xml


def _typed(value: Any, shape: Shape) -> Any:
    """A value with text converted to numbers according to the model."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        members = shape.members
        return {name: _typed(one, members[name]) if name in members else one for name, one in value.items()}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_typed(one, shape.member) for one in value]
    if shape.type_name in ("integer", "long") and isinstance(value, str):
        return int(value)
    return value
