"""The batcher's environment variables, as the template writes them and the function reads them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gatehouse.moderation.lane import Lane

#: The variable with the batcher's lane. No other function has it, so the command finds the batchers by it.
LANE_VARIABLE: Final = "LANE"

_BACKFILL_VARIABLE: Final = "BACKFILL_STATE_MACHINE_ARN"


@dataclass(frozen=True, slots=True)
class BatcherEnvironment:
    """The batcher's configuration. Each text may be a token that CloudFormation fills in.

    Attributes:
        policy_parameters: name of each of the lane's policies -> name of the parameter that points to its version.
        state_machine_arn: of the lane's priority.
        other_state_machine_arns: of other priorities: a batch may have been started before the lane's priority changed.
        backfill_state_machine_arn: what objects from a listing are analyzed by; one of the other two. None if they are
            not moderated.
    """

    lane: Lane
    policy_parameters: Mapping[str, str]
    verdict_table: str
    work_bucket: str
    state_machine_arn: str
    other_state_machine_arns: tuple[str, ...]
    backfill_state_machine_arn: str | None = None

    def to_variables(self) -> dict[str, str]:
        """The variables that `read` reads; tokens stay as they are."""
        backfill = self.backfill_state_machine_arn
        return {
            LANE_VARIABLE: json.dumps(self.lane.to_document(), sort_keys=True, separators=(",", ":")),
            "POLICY_PARAMETERS": json.dumps(dict(self.policy_parameters), separators=(",", ":")),
            "VERDICT_TABLE": self.verdict_table,
            "WORK_BUCKET": self.work_bucket,
            "STATE_MACHINE_ARN": self.state_machine_arn,
            "OTHER_STATE_MACHINE_ARNS": ",".join(self.other_state_machine_arns),
            **({} if backfill is None else {_BACKFILL_VARIABLE: backfill}),
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
            backfill_state_machine_arn=variables.get(_BACKFILL_VARIABLE),
        )
