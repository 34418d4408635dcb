"""What functions are told in their environment, and how much of it Lambda takes."""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from gatehouse.moderation.lane import Lane

#: Namespace of the metrics our code writes; their dimensions are `service` and `lane`.
METRICS_NAMESPACE: Final = "Gatehouse"

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


def function_environment(service: str, own: Mapping[str, str]) -> dict[str, str]:
    """A function's variables: those of Powertools, and its own."""
    return {
        "POWERTOOLS_SERVICE_NAME": service,
        "POWERTOOLS_METRICS_NAMESPACE": METRICS_NAMESPACE,
        "POWERTOOLS_LOG_LEVEL": "INFO",
        **own,
    }


def batcher_environment(
    lane: Lane,
    *,
    policy_parameters: str,
    verdict_table: str,
    work_bucket: str,
    state_machine_arn: str,
    other_state_machine_arns: Sequence[str],
) -> dict[str, str]:
    """A batcher's own variables, see `lambdas.batcher.environment`.

    Args:
        policy_parameters: the names of the policies' parameters, as JSON.
    """
    return {
        "LANE": json.dumps(lane.to_document(), sort_keys=True, separators=(",", ":")),
        "POLICY_PARAMETERS": policy_parameters,
        "VERDICT_TABLE": verdict_table,
        "WORK_BUCKET": work_bucket,
        "STATE_MACHINE_ARN": state_machine_arn,
        "OTHER_STATE_MACHINE_ARNS": ",".join(other_state_machine_arns),
    }


def environment_bytes(variables: Mapping[str, str]) -> int:
    """What an environment takes of `MAX_ENVIRONMENT_BYTES`."""
    return len(json.dumps(variables, separators=(",", ":"), ensure_ascii=False).encode())


def batcher_environment_bytes(lane: Lane, other_workflows: int) -> int:
    """What a lane's batcher takes at most, before anything has a name."""
    own = batcher_environment(
        lane,
        policy_parameters=json.dumps(dict.fromkeys(lane.policies, _PARAMETER)),
        verdict_table=_TABLE,
        work_bucket=_BUCKET,
        state_machine_arn=_STATE_MACHINE,
        other_state_machine_arns=[_STATE_MACHINE] * other_workflows,
    )
    return environment_bytes(function_environment("batcher", own))
