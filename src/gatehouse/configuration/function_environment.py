"""The functions' environment variables, and the limit on their size."""

import json
from collections.abc import Mapping
from typing import Final

from gatehouse.contracts.batcher_environment import BatcherEnvironment
from gatehouse.contracts.function_metrics import METRICS_NAMESPACE, Service
from gatehouse.moderation.lane import Lane

#: Maximum size of all variables together (Lambda Developer Guide, quotas). Lambda measures them as JSON with escaped
#: quotes.
MAX_ENVIRONMENT_BYTES: Final = 4096

#: The longest possible values of names that CloudFormation generates. A state machine's name has at most 80 characters,
#: and a bucket's 63 (API references, CreateStateMachine and CreateBucket). A table's name is its stack's name, its
#: logical id and 13 more characters. A parameter's name has 40 now (aws-cloudformation-resource-providers-ssm,
#: CreateHandler); earlier it had up to 80.
_STATE_MACHINE = "arn:aws-us-gov:states:ap-southeast-1:123456789012:stateMachine:" + "n" * 80
_TABLE = "n" * 85
_BUCKET = "n" * 63
_PARAMETER = "n" * 80


def function_environment(service: Service, own: Mapping[str, str]) -> dict[str, str]:
    """A function's variables: the ones for Powertools, and its own."""
    return {
        "POWERTOOLS_SERVICE_NAME": service.value,
        "POWERTOOLS_METRICS_NAMESPACE": METRICS_NAMESPACE,
        "POWERTOOLS_LOG_LEVEL": "INFO",
        **own,
    }


def environment_bytes(variables: Mapping[str, str]) -> int:
    """The size that Lambda compares with `MAX_ENVIRONMENT_BYTES`."""
    return len(json.dumps(variables, separators=(",", ":"), ensure_ascii=False).encode())


def batcher_environment_bytes(lane: Lane, other_workflows: int, *, existing_objects: bool = False) -> int:
    """The maximum size of a lane's batcher's environment, calculated before the resources have names."""
    own = BatcherEnvironment(
        lane=lane,
        policy_parameters=dict.fromkeys(lane.policies, _PARAMETER),
        verdict_table=_TABLE,
        work_bucket=_BUCKET,
        state_machine_arn=_STATE_MACHINE,
        other_state_machine_arns=(_STATE_MACHINE,) * other_workflows,
        backfill_state_machine_arn=_STATE_MACHINE if existing_objects else None,
    )
    return environment_bytes(function_environment(Service.BATCHER, own.to_variables()))
