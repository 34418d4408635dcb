"""Makes armed faults strike the calls of tasks.

AWS: a task's call can be throttled, fail or get no answer, and the error has a name from its service's SDK: for
`aws-sdk` tasks see `task_errors`; a call without an answer is `<Prefix>.SdkClientException` (in public reports for S3
and Systems Manager). For the optimized Lambda integration, `Lambda.TooManyRequestsException`,
`Lambda.ServiceException`, `Lambda.AWSLambdaException` and `Lambda.SdkClientException` are documented (Developer Guide,
bp-lambda-serviceexception.html). Inferred: a code without the suffix `Exception` has the name of the SDK's base class.
ministack 1.5.33: calls services inside the process, where nothing fails.

Wraps `stepfunctions._invoke_resource`, outside of `task_identity`: a throttled call is not authorized first. An answer
is enlarged further inside, by `task_padding`.
"""

import json
from collections.abc import Mapping
from typing import Any

from ministack.services import stepfunctions

from localcloud.faults import armed
from localcloud.faults.call_fault import OF_TASKS, Action, CallFault, When
from localcloud.patches import task_identity, task_padding
from localcloud.patches.execution_loop import ExecutionOverError, current_machine, current_scope
from localcloud.patches.seam import Seam, check

_STEP_FUNCTIONS = "ministack.services.stepfunctions"
SEAMS = (
    Seam(_STEP_FUNCTIONS, "_invoke_resource", ("resource", "input_data")),
    Seam(_STEP_FUNCTIONS, "_ExecutionError", ("error", "cause")),
    Seam(_STEP_FUNCTIONS, "_prefix_sdk_error", ("service_name", "error_code")),
    Seam(_STEP_FUNCTIONS, "_AWS_SDK_ERROR_PREFIX"),
)

_SDK = "arn:aws:states:::aws-sdk:"
# The base classes of the SDK that the optimized integrations are built with.
_UNKNOWN_ERRORS = {
    "Lambda": "AWSLambdaException",
    "SQS": "AmazonSQSException",
    "SNS": "AmazonSNSException",
    "DynamoDB": "AmazonDynamoDBException",
}
_PREFIXES = {"lambda": "Lambda", "sqs": "SQS", "sns": "SNS", "dynamodb": "DynamoDB"}


def install() -> None:
    """Let faults strike before and after the calls of tasks."""
    check(SEAMS)
    invoke = stepfunctions._invoke_resource

    def invoke_resource(resource: str, input_data: Any) -> Any:
        fault = _fault(resource, input_data)
        if fault is None:
            return invoke(resource, input_data)
        if fault.action is Action.ENLARGE:
            with task_padding.padded_to(fault.size):
                return invoke(resource, input_data)
        if fault.when is When.BEFORE:
            _strike(fault, resource)
            return invoke(resource, input_data)
        answer = invoke(resource, input_data)
        _strike(fault, resource)
        return answer

    stepfunctions._invoke_resource = invoke_resource


def _fault(resource: str, arguments: Any) -> CallFault | None:
    machine = current_machine() if armed.are_there() else None
    if machine is None or not armed.may_strike(machine):
        return None
    calls = task_identity.calls(resource, arguments if isinstance(arguments, Mapping) else {})
    names = frozenset(call.action for call in calls)
    return armed.at_call(machine, names, json.dumps(arguments, ensure_ascii=False), OF_TASKS)


def _strike(fault: CallFault, resource: str) -> None:
    if fault.action is Action.DELAY:
        if current_scope().wait(fault.seconds):
            raise ExecutionOverError
        return
    code = "SdkClientException" if fault.action is Action.DISCONNECT else fault.code
    cause = f"{fault.message} (Status Code: {fault.status})" if fault.action is Action.ERROR else "No answer."
    raise stepfunctions._ExecutionError(_error_name(resource, code), cause)


def _error_name(resource: str, code: str) -> str:
    """Step Functions' name for an error of a task's service."""
    if resource.startswith(_SDK):
        service = resource.removeprefix(_SDK).partition(":")[0].lower()
        if code == "SdkClientException":
            return f"{stepfunctions._AWS_SDK_ERROR_PREFIX.get(service, service.capitalize())}.{code}"
        return str(stepfunctions._prefix_sdk_error(service, code))
    service = "lambda" if ":function:" in resource else resource.split(":")[5]
    prefix = _PREFIXES.get(service, service.capitalize())
    name = code if code.endswith("Exception") else _UNKNOWN_ERRORS.get(prefix, f"{prefix}Exception")
    return f"{prefix}.{name}"
