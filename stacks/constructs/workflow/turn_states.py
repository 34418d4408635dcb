"""Backfill's turn: few of its batches are analyzed at the same time, the oldest ones."""

from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from stacks.constructs.workflow.workflow_states import NULL, condition, retry

#: Executions on a page of the list. An entry has some 500 bytes, and a result 256 KiB at most.
_PAGE = 300

#: Variables: batches of the same workflow that were started before and still run, -1 while our own entry was not found;
#: where their list goes on, or null; how often it was read without finding our entry.
VARIABLES: Mapping[str, Any] = {"ahead": -1, "more": NULL, "looks": 0}


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
        self._batches = batches
        self.start = self._count_batches_ahead()
        wait = self._wait()
        self._choice = sfn.Choice.jsonata(self, "Its turn?")
        self._choice.when(condition(f"$ahead >= {batches}"), wait)
        self._choice.when(condition("$more != null"), self.start)
        self._choice.otherwise(wait)  # a list so old that our own entry is not in it
        self.start.next(self._choice)
        self.start.add_catch(wait, errors=["States.ALL"])
        wait.next(self.start)

    def next(self, following: sfn.IChainable) -> None:
        """What comes once it is the batch's turn."""
        self._choice.when(condition("$ahead >= 0"), following)

    def _count_batches_ahead(self) -> sfn.CustomState:
        count = sfn.CustomState(
            self,
            "Count batches ahead",
            state_json={
                "Type": "Task",
                "Resource": f"arn:{cdk.Aws.PARTITION}:states:::aws-sdk:sfn:listExecutions",
                "Arguments": (
                    "{% $merge([{'StateMachineArn': $states.context.StateMachine.Id, 'StatusFilter': 'RUNNING',"
                    f" 'MaxResults': {_PAGE}}}, $more ? {{'NextToken': $more}} : {{}}]) %}}"
                ),
                # Newest first: what comes after our own entry is older.
                "Assign": {
                    "ahead": (
                        "{% $reduce($append([], $states.result.Executions.Name),"
                        " function($older, $name) { $name = $batchId ? 0 : $older < 0 ? -1 : $older + 1 }, $ahead) %}"
                    ),
                    "more": "{% $exists($states.result.NextToken) ? $states.result.NextToken : null %}",
                },
                "Output": {},
            },
        )
        retry(count, ["States.TaskFailed"], interval=5, longest=300, attempts=5)
        return count

    def _wait(self) -> sfn.Wait:
        # The further back and the longer already, the rarer: neither the quota of ListExecutions nor the history of an
        # execution is used up by waiting, which may take as long as the batch's files are kept.
        distance = f"$max([1, $ahead - {self._batches - 1}])"
        pause = f"($min([3600, 120 * {distance}]) + $min([3600, 30 * $looks])) * (0.5 + $random())"
        return sfn.Wait.jsonata(
            self,
            "Wait for turn",
            time=sfn.WaitTime.seconds(f"{{% $ceil({pause}) %}}"),
            assign={**VARIABLES, "looks": "{% $looks + 1 %}"},
        )
