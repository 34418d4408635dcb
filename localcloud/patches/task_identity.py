"""Step Functions tasks act as the state machine's role.

AWS: every call of a task is made with the execution role's permissions. A denial has the name of the SDK's exception:
`<Prefix>.AccessDeniedException` if the service's model has one, or else the SDK's base class (`S3.S3Exception`,
`DynamoDb.DynamoDbException`). The optimized Lambda integration returns `Lambda.AWSLambdaException`.
ministack 1.5.33: calls the services inside the process, with no identity and no check.

Wraps `stepfunctions._invoke_resource`, which tasks with a token also go through (`task_tokens`). `aws-sdk` tasks and
the optimized integrations of Lambda, SQS, SNS and DynamoDB are checked; other optimized ones are not.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ministack.core import iam_actions
from ministack.core.responses import _service_model, get_account_id, get_region
from ministack.services import stepfunctions

from localcloud.patches import authorization
from localcloud.patches.execution_loop import current_role, ensure_running
from localcloud.patches.seam import Seam, check

_STEP_FUNCTIONS = "ministack.services.stepfunctions"
_IAM_ACTIONS = "ministack.core.iam_actions"
SEAMS = (
    *authorization.SEAMS,
    Seam(_STEP_FUNCTIONS, "_invoke_resource", ("resource", "input_data")),
    Seam(_STEP_FUNCTIONS, "_ExecutionError", ("error", "cause")),
    Seam(_STEP_FUNCTIONS, "_AWS_SDK_SERVICE_MAP"),
    Seam(_STEP_FUNCTIONS, "_AWS_SDK_ERROR_PREFIX"),
    Seam(_STEP_FUNCTIONS, "_S3_OP_SPECS"),
    Seam(_STEP_FUNCTIONS, "_sdk_json_params", ("service_info", "service_key", "action", "input_data")),
    Seam(_STEP_FUNCTIONS, "_rest_xml_substitute_path", ("template", "input_data", "spec")),
    Seam(_IAM_ACTIONS, "SERVICE_TO_IAM_NAMESPACE"),
    Seam(_IAM_ACTIONS, "_s3_action", ("method", "path", "query_params")),
    Seam(_IAM_ACTIONS, "dynamodb_transaction_checks", ("iam_action", "body", "region", "account_id")),
    Seam(
        _IAM_ACTIONS,
        "extract_resource_arn",
        ("service", "method", "path", "headers", "body", "query_params", "region", "account_id"),
    ),
    Seam("ministack.core.responses", "_service_model", ("service",)),
)

_OPTIMIZED = "arn:aws:states:::"


@dataclass(frozen=True, slots=True)
class TaskCall:
    """A call of a task: the required permission, and the error's name if it is missing."""

    action: str
    resource: str
    refusal: str


def install() -> None:
    """Check every call of a task with the execution's role."""
    check(SEAMS)
    invoke = stepfunctions._invoke_resource

    def invoke_resource(resource: str, input_data: Any) -> Any:
        _authorize(resource, input_data)
        return invoke(resource, input_data)

    stepfunctions._invoke_resource = invoke_resource


def _authorize(resource: str, arguments: Any) -> None:
    ensure_running()
    role = current_role()
    if role is None:
        return
    access_key = authorization.role_access_key(role)
    for call in calls(resource, arguments if isinstance(arguments, Mapping) else {}):
        refused = authorization.denial(access_key, call.action, call.resource)
        if refused:
            raise stepfunctions._ExecutionError(call.refusal, refused.message)


def calls(resource: str, arguments: Mapping[str, Any]) -> list[TaskCall]:
    """The calls of a task with this `Resource` and these `Arguments`."""
    resource = resource.removesuffix(".waitForTaskToken").removesuffix(".sync")
    if resource.startswith(f"{_OPTIMIZED}aws-sdk:"):
        service, operation = resource.removeprefix(f"{_OPTIMIZED}aws-sdk:").split(":")[:2]
        return _sdk_calls(service.lower(), operation[0].upper() + operation[1:], arguments)
    account, region = get_account_id(), get_region()
    if resource.startswith(f"{_OPTIMIZED}lambda:invoke"):
        return [_lambda_call(str(arguments.get("FunctionName", "")))]
    if ":function:" in resource:
        return [_lambda_call(resource)]
    if resource.startswith(f"{_OPTIMIZED}sqs:sendMessage"):
        owner, name = str(arguments.get("QueueUrl", "")).rstrip("/").split("/")[-2:]
        return [TaskCall("sqs:SendMessage", f"arn:aws:sqs:{region}:{owner}:{name}", "SQS.AmazonSQSException")]
    if resource.startswith(f"{_OPTIMIZED}sns:publish"):
        return [TaskCall("sns:Publish", str(arguments.get("TopicArn", "*")), "SNS.AuthorizationErrorException")]
    if resource.startswith(f"{_OPTIMIZED}dynamodb:"):
        operation = resource.rsplit(":", 1)[-1]
        table = f"arn:aws:dynamodb:{region}:{account}:table/{arguments.get('TableName', '')}"
        action = f"dynamodb:{operation[0].upper()}{operation[1:]}"
        return [TaskCall(action, table, "DynamoDB.AmazonDynamoDBException")]
    return []


def _lambda_call(function: str) -> TaskCall:
    arn = function
    if not arn.startswith("arn:"):
        arn = f"arn:aws:lambda:{get_region()}:{get_account_id()}:function:{function}"
    return TaskCall("lambda:InvokeFunction", arn, "Lambda.AWSLambdaException")


def _sdk_calls(sdk_name: str, operation: str, arguments: Mapping[str, Any]) -> list[TaskCall]:
    integration = stepfunctions._AWS_SDK_SERVICE_MAP.get(sdk_name, {})
    service = integration.get("service_key", sdk_name)
    refusal = _refusal_name(sdk_name, service, operation)
    account, region = get_account_id(), get_region()
    method, path, query = "POST", "/", {name: [value] for name, value in arguments.items() if isinstance(value, str)}
    action = f"{iam_actions.SERVICE_TO_IAM_NAMESPACE.get(service, service)}:{operation}"
    # As the service would get them: in a task, the resource is named differently (StateMachineArn).
    body = json.dumps(stepfunctions._sdk_json_params(integration, service, operation, arguments)).encode()
    if service == "s3":
        # S3 authorizes by the request's shape: HeadObject needs s3:GetObject, a version s3:GetObjectVersion.
        specification = stepfunctions._S3_OP_SPECS.get(operation)
        if specification is None:
            return []
        method = specification["method"]
        path = stepfunctions._rest_xml_substitute_path(specification["path"], arguments, specification)
        names = specification.get("query_params", {})
        query = {names[name]: [str(value)] for name, value in arguments.items() if name in names}
        action = f"s3:{iam_actions._s3_action(method, path, query)}"
    elif service == "dynamodb":
        checks = iam_actions.dynamodb_transaction_checks(action, body, region, account)
        if checks:
            return [TaskCall(item_action, table, refusal) for item_action, table in checks]
    headers = {"x-amz-target": f"target.{operation}"}
    arn = iam_actions.extract_resource_arn(service, method, path, headers, body, query, region, account)
    return [TaskCall(action, arn, refusal)]


def _refusal_name(sdk_name: str, service: str, operation: str) -> str:
    prefix = stepfunctions._AWS_SDK_ERROR_PREFIX.get(sdk_name, sdk_name.capitalize())
    model = _service_model(service)
    if model is not None and operation in model.operation_names:
        modeled = {shape.name for shape in model.operation_model(operation).error_shapes}
        if "AccessDeniedException" in modeled:
            return f"{prefix}.AccessDeniedException"
    return f"{prefix}.{prefix}Exception"
