"""The batcher's environment variables, as the template writes them and the function reads them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gatehouse.moderation.lane import Lane

#: The variable with the batcher's lane, by which the command finds the batchers; no other function has one.
LANE_VARIABLE: Final = "LANE"


@dataclass(frozen=True, slots=True)
class BatcherEnvironment:
    """What the template tells the batcher. Each text may be a token that CloudFormation fills in.

    Attributes:
        policy_parameters: name of each of the lane's policies -> name of the parameter that points to its version.
        state_machine_arn: of the lane's priority.
        other_state_machine_arns: of other priorities: a batch may have been started before the lane's was changed.
    """

    lane: Lane
    policy_parameters: Mapping[str, str]
    verdict_table: str
    work_bucket: str
    state_machine_arn: str
    other_state_machine_arns: tuple[str, ...]

    def to_variables(self) -> dict[str, str]:
        """The variables that `read` reads; tokens stay as they are."""
        return {
            LANE_VARIABLE: json.dumps(self.lane.to_document(), sort_keys=True, separators=(",", ":")),
            "POLICY_PARAMETERS": json.dumps(dict(self.policy_parameters), separators=(",", ":")),
            "VERDICT_TABLE": self.verdict_table,
            "WORK_BUCKET": self.work_bucket,
            "STATE_MACHINE_ARN": self.state_machine_arn,
            "OTHER_STATE_MACHINE_ARNS": ",".join(self.other_state_machine_arns),
        }

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> "BatcherEnvironment":
        """Read the function's variables.

        Raises:
            KeyError: one is missing; the template and the code were not deployed together.
        """
        return cls(
            lane=Lane.from_document(json.loads(variables[LANE_VARIABLE])),
            policy_parameters=json.loads(variables["POLICY_PARAMETERS"]),
            verdict_table=variables["VERDICT_TABLE"],
            work_bucket=variables["WORK_BUCKET"],
            state_machine_arn=variables["STATE_MACHINE_ARN"],
            other_state_machine_arns=tuple(arn for arn in variables["OTHER_STATE_MACHINE_ARNS"].split(",") if arn),
        )
