"""Backfill's turn: only a few of its batches are analyzed at a time, oldest first."""

from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from stacks.constructs.workflow.workflow_states import NULL, condition, retry

#: Executions per page. An entry has some 500 bytes, and a task's result 256 KiB at most.
_PAGE = 300

#: Variables: the number of earlier batches of the workflow that still run, or -1 until our own entry is found; the
#: list's next token, or null; and how often the list was read.
VARIABLES: Mapping[str, Any] = {"ahead": -1, "more": NULL, "looks": 0}


class TurnStates(Construct):
    """Let a batch proceed once fewer than `batches` older ones are running.

    The batch lists the running executions, so no counter can be wrong, and waiting work is safe as an execution. The
    list may be slightly out of date, so occasionally one batch too many runs.

    Args:
        batches: how many may run at the same time.
    """

    def __init__(self, scope: Construct, id: str, *, batches: int) -> None:
        super().__init__(scope, id)
        self._batches = batches
        self.start = self._count_batches_ahead()
        wait = self._wait()
        self._choice = sfn.Choice.jsonata(self, "Its turn?")
        self._choice.when(condition(f"$ahead >= {batches}"), wait)
        self._choice.when(condition("$more != null"), self.start)
        self._choice.otherwise(wait)  # the list is too old to contain our own entry
        self.start.next(self._choice)
        self.start.add_catch(wait, errors=["States.ALL"])
        wait.next(self.start)

    def next(self, following: sfn.IChainable) -> None:
        """Set the state that follows once it is the batch's turn."""
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
        # The pause grows with the distance and with the time waited, so that waiting, which may last as long as the
        # batch's files are kept, uses up neither ListExecutions' quota nor the execution's history.
        distance = f"$max([1, $ahead - {self._batches - 1}])"
        pause = f"($min([3600, 120 * {distance}]) + $min([3600, 30 * $looks])) * (0.5 + $random())"
        return sfn.Wait.jsonata(
            self,
            "Wait for turn",
            time=sfn.WaitTime.seconds(f"{{% $ceil({pause}) %}}"),
            assign={**VARIABLES, "looks": "{% $looks + 1 %}"},
        )
