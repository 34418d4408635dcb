"""Mappings of a table's stream are checked when they are created.

AWS: the defaults and limits of services-ddb-params.html; `StartingPosition` is required, TRIM_HORIZON or LATEST; up to
five filters, each valid (invocation-eventfiltering.html). The function's role needs `dynamodb:GetRecords`,
`GetShardIterator`, `DescribeStream` and `ListStreams` on the stream (DynamoDB Developer Guide,
iam-policy-example-lamda-process-dynamodb-streams.html) and `sqs:SendMessage` on the on-failure queue; without them a
mapping is refused (the wording of the errors is from memory).
ministack 1.5.33: accepts any mapping, and uses 10 as the default batch size.

Wraps `lambda_svc._create_esm` and `lambda_svc._update_esm`, and `create` and `update` of the mapping's entry in
`provisioners._RESOURCE_HANDLERS`.
"""

from collections.abc import Mapping
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import lambda_svc
from ministack.services.cloudformation import provisioners

from localcloud.patches import pollers
from localcloud.patches.seam import Seam, check
from localcloud.patches.stream_filters import FilterError, compiled

_LAMBDA = "ministack.services.lambda_svc"
_PROVISIONERS = "ministack.services.cloudformation.provisioners"
SEAMS = (
    *pollers.SEAMS,
    Seam(_LAMBDA, "_create_esm", ("data",)),
    Seam(_LAMBDA, "_update_esm", ("esm_id", "data")),
    Seam(_LAMBDA, "_esms"),
    Seam(_LAMBDA, "_functions"),
    Seam(_LAMBDA, "_resolve_name_and_qualifier", ("name_or_arn",)),
    Seam("ministack.core.responses", "error_response_json"),
    Seam(_PROVISIONERS, "_RESOURCE_HANDLERS"),
    Seam(_PROVISIONERS, "_lambda_esm_create", ("logical_id", "props", "stack_name")),
    Seam(_PROVISIONERS, "_lambda_esm_update", ("physical_id", "old_props", "new_props", "stack_name")),
)

#: The actions of Lambda's stream poller, with the function's role.
POLLER_ACTIONS = ("dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:DescribeStream", "dynamodb:ListStreams")

_DEFAULT_BATCH_SIZE = 100
_MOST_FILTERS = 5
_POSITIONS = ("TRIM_HORIZON", "LATEST")
# Setting -> its limits.
_LIMITS: Mapping[str, tuple[int, int]] = {
    "BatchSize": (1, 10_000),
    "MaximumBatchingWindowInSeconds": (0, 300),
    "MaximumRetryAttempts": (-1, 10_000),
    "MaximumRecordAgeInSeconds": (-1, 604_800),
    "ParallelizationFactor": (1, 10),
}


class _RefusedError(ValueError):
    """A mapping that AWS refuses."""


def install() -> None:
    """Check mappings of streams as AWS does."""
    check(SEAMS)
    create, update = lambda_svc._create_esm, lambda_svc._update_esm
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::EventSourceMapping"]
    create_resource, update_resource = handlers["create"], handlers["update"]

    def create_mapping(data: Mapping[str, Any]) -> Any:
        try:
            return create(_checked(data))
        except _RefusedError as error:
            return _refusal(error)

    def update_mapping(esm_id: str, data: Mapping[str, Any]) -> Any:
        try:
            _check({**lambda_svc._esms.get(esm_id, {}), **data})
        except _RefusedError as error:
            return _refusal(error)
        return update(esm_id, data)

    def create_of_template(logical_id: str, props: Mapping[str, Any], stack_name: str) -> Any:
        return create_resource(logical_id, _checked(props), stack_name)

    def update_of_template(
        physical_id: str, old_props: Mapping[str, Any], new_props: Mapping[str, Any], stack_name: str
    ) -> Any:
        return update_resource(physical_id, old_props, _checked(new_props), stack_name)

    lambda_svc._create_esm, lambda_svc._update_esm = create_mapping, update_mapping
    handlers["create"], handlers["update"] = create_of_template, update_of_template


def is_of_stream(source_arn: str) -> bool:
    """Whether an event source is a table's stream."""
    return ":dynamodb:" in source_arn and "/stream/" in source_arn


def failure_queue(mapping: Mapping[str, Any]) -> str | None:
    """The ARN of a mapping's on-failure destination."""
    destination = ((mapping.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")
    return str(destination) if destination else None


def patterns(mapping: Mapping[str, Any]) -> list[str]:
    """The filter patterns of a mapping."""
    filters = (mapping.get("FilterCriteria") or {}).get("Filters") or []
    return [str(one.get("Pattern", "")) for one in filters]


def _checked(properties: Mapping[str, Any]) -> dict[str, Any]:
    """A new mapping's properties, with the default that ministack lacks."""
    if not is_of_stream(str(properties.get("EventSourceArn", ""))):
        return dict(properties)
    _check(properties)
    return {"BatchSize": _DEFAULT_BATCH_SIZE, **properties}


def _check(mapping: Mapping[str, Any]) -> None:
    stream = str(mapping.get("EventSourceArn", ""))
    if not is_of_stream(stream):
        return
    if mapping.get("StartingPosition") not in _POSITIONS:
        raise _RefusedError("1 validation error detected: StartingPosition must be TRIM_HORIZON or LATEST.")
    for name, (least, most) in _LIMITS.items():
        if name in mapping and not least <= int(mapping[name]) <= most:
            raise _RefusedError(f"1 validation error detected: {name} must be from {least} to {most}.")
    _check_filters(patterns(mapping))
    _check_permissions(mapping, stream)


def _check_filters(filters: list[str]) -> None:
    if len(filters) > _MOST_FILTERS:
        raise _RefusedError(f"FilterCriteria can have at most {_MOST_FILTERS} filters.")
    for pattern in filters:
        try:
            compiled(pattern)
        except FilterError as error:
            raise _RefusedError(f"Invalid filter pattern definition: {error}.") from error


def _check_permissions(mapping: Mapping[str, Any], stream: str) -> None:
    name, qualifier = lambda_svc._resolve_name_and_qualifier(mapping.get("FunctionName", ""))
    if name not in lambda_svc._functions:
        return
    function = {"FunctionName": name, "Qualifier": qualifier}
    if pollers.denied_action(function, POLLER_ACTIONS, stream):
        raise _RefusedError(
            f"Cannot access stream {stream}. Please ensure the role can perform the GetRecords, GetShardIterator, "
            "DescribeStream, and ListStreams Actions on your stream in IAM."
        )
    queue = failure_queue(mapping)
    if queue and pollers.denied_action(function, ("sqs:SendMessage",), queue):
        raise _RefusedError("The provided execution role does not have permissions to call SendMessage on SQS")


def _refusal(error: _RefusedError) -> Any:
    return error_response_json("InvalidParameterValueException", str(error), 400)
