"""The environment of functions, and how much of it Lambda takes."""

import json
from collections.abc import Mapping
from typing import Final

from gatehouse.contracts.batcher_environment import BatcherEnvironment
from gatehouse.contracts.function_metrics import METRICS_NAMESPACE, Service
from gatehouse.moderation.lane import Lane

#: Of all variables together (Lambda Developer Guide, quotas). Lambda measures them as JSON, quotes escaped.
MAX_ENVIRONMENT_BYTES: Final = 4096

#: The longest that names of a deployment get, and what CloudFormation makes of them. A state machine's name has at most
#: 80 characters and a bucket's 63 (API references, CreateStateMachine and CreateBucket). A table's is its stack's name,
#: its logical id and 13 more. A parameter's has 40 today (aws-cloudformation-resource-providers-ssm, CreateHandler),
#: and had up to twice as many.
_STATE_MACHINE = "arn:aws-us-gov:states:ap-southeast-1:123456789012:stateMachine:" + "n" * 80
_TABLE = "n" * 85
_BUCKET = "n" * 63
_PARAMETER = "n" * 80


def function_environment(service: Service, own: Mapping[str, str]) -> dict[str, str]:
    """A function's variables: those of Powertools, and its own."""
    return {
        "POWERTOOLS_SERVICE_NAME": service.value,
        "POWERTOOLS_METRICS_NAMESPACE": METRICS_NAMESPACE,
        "POWERTOOLS_LOG_LEVEL": "INFO",
        **own,
    }


def environment_bytes(variables: Mapping[str, str]) -> int:
    """What an environment takes of `MAX_ENVIRONMENT_BYTES`."""
    return len(json.dumps(variables, separators=(",", ":"), ensure_ascii=False).encode())


def batcher_environment_bytes(lane: Lane, other_workflows: int) -> int:
    """What a lane's batcher takes at most, before anything has a name."""
    own = BatcherEnvironment(
        lane=lane,
        policy_parameters=dict.fromkeys(lane.policies, _PARAMETER),
        verdict_table=_TABLE,
        work_bucket=_BUCKET,
        state_machine_arn=_STATE_MACHINE,
        other_state_machine_arns=(_STATE_MACHINE,) * other_workflows,
    )
    return environment_bytes(function_environment(Service.BATCHER, own.to_variables()))
