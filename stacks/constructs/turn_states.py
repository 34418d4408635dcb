"""Backfill's turn: few of its batches are analysed at the same time, the oldest ones."""

from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from stacks.constructs.workflow_states import NULL, condition, retry

#: Executions on a page of the list. An entry has some 500 bytes, and a result 256 KiB at most.
_PAGE = 300

#: Variables: batches of the same workflow that were started before and still run; where their list goes on, or null.
VARIABLES: Mapping[str, Any] = {"ahead": 0, "more": NULL}


class TurnStates(Construct):
    """Let a batch on once fewer than so many older ones are under way.

    Step Functions is asked which executions run: nothing is counted by us, so nothing can be counted wrong, and the
    work that waits is safe as an execution. The list may be a little old, so now and then a batch too many is under
    way.

    Args:
        batches: that may be under way at the same time.
    """

    def __init__(self, scope: Construct, id: str, *, batches: int) -> None:
        super().__init__(scope, id)
        self.start = sfn.CustomState(
            self,
            "Count batches ahead",
            state_json={
                "Type": "Task",
                "Resource": f"arn:{cdk.Aws.PARTITION}:states:::aws-sdk:sfn:listExecutions",
                "Arguments": (
                    "{% $merge([{'StateMachineArn': $states.context.StateMachine.Id, 'StatusFilter': 'RUNNING',"
                    f" 'MaxResults': {_PAGE}}}, $more ? {{'NextToken': $more}} : {{}}]) %}}"
                ),
                # Newest first: what comes after our own entry is older; without one, so is all that was listed.
                "Assign": {
                    "ahead": (
                        "{% $reduce($append([], $states.result.Executions.Name),"
                        " function($count, $name) { $name = $batchId ? 0 : $count + 1 }, $ahead) %}"
                    ),
                    "more": "{% $exists($states.result.NextToken) ? $states.result.NextToken : null %}",
                },
                "Output": {},
            },
        )
        retry(self.start, ["States.TaskFailed"], interval=5, longest=300, attempts=100)
        # The further back, the longer: a thousand batches ask not much more often than a few.
        pause = f"$min([3600, 120 * ($ahead - {batches - 1})]) * (0.5 + $random())"
        wait = sfn.Wait.jsonata(
            self, "Wait for turn", time=sfn.WaitTime.seconds(f"{{% $ceil({pause}) %}}"), assign=dict(VARIABLES)
        )
        self._choice = sfn.Choice.jsonata(self, "Its turn?")
        self._is_next = condition(f"$ahead < {batches}")
        self._choice.when(condition("$more != null"), self.start)
        self.start.next(self._choice)
        wait.next(self.start)
        self._choice.otherwise(wait)

    def next(self, following: sfn.IChainable) -> None:
        """What comes once it is the batch's turn."""
        self._choice.when(self._is_next, following)
