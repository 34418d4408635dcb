"""The batcher's environment variables, read once and typed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from gatehouse.moderation.lane import Lane


@dataclass(frozen=True, slots=True)
class Environment:
    """What the template tells the batcher.

    Attributes:
        policy_parameters: name of each of the lane's policies -> name of the parameter that points to its version.
    """

    lane: Lane
    policy_parameters: Mapping[str, str]
    verdict_table: str
    work_bucket: str
    state_machine_arn: str
    other_state_machine_arns: tuple[str, ...]

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> "Environment":
        """Read the function's variables.

        Raises:
            KeyError: one is missing; the template and the code were not deployed together.
        """
        return cls(
            lane=Lane.from_document(json.loads(variables["LANE"])),
            policy_parameters=json.loads(variables["POLICY_PARAMETERS"]),
            verdict_table=variables["VERDICT_TABLE"],
            work_bucket=variables["WORK_BUCKET"],
            state_machine_arn=variables["STATE_MACHINE_ARN"],
            other_state_machine_arns=tuple(arn for arn in variables["OTHER_STATE_MACHINE_ARNS"].split(",") if arn),
        )
