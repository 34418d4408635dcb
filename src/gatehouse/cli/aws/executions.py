"""Executions with the details that operators need, from all of a deployment's state machines."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from gatehouse.aws.executions import Executions
from gatehouse.cli.aws.batch_execution import BatchExecution, ExecutionEnding, ListedExecution
from gatehouse.cli.aws.execution_history import ExecutionHistory

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

_EVENTS_A_CALL = 1000


class OperatorsExecutions(Executions):
    """Reads the details of one state machine's executions."""

    def find(self, batch_id: str) -> BatchExecution | None:
        """The execution of a batch; None if it does not exist or has expired."""
        try:
            return BatchExecution.of(self._describe(batch_id))
        except self._client.exceptions.ExecutionDoesNotExist:
            return None

    def listed(self, endings: Iterable[ExecutionEnding]) -> Iterator[ListedExecution]:
        """The executions with these endings: one ListExecutions call for each status and each hundred."""
        for status in (status for ending in endings for status in ending.statuses):
            yield from map(ListedExecution.of, self._listed(status))


class DeployedExecutions:
    """Looks up a deployment's executions, each once. A batch's execution is in one of the state machines.

    Args:
        client: a Step Functions client.
        state_machines: ARNs of the state machines that may have run a batch.
    """

    def __init__(self, client: "SFNClient", state_machines: Sequence[str]) -> None:
        self._client = client
        self._machines = [OperatorsExecutions(client, state_machine) for state_machine in state_machines]
        self._found: dict[str, BatchExecution | None] = {}

    def find(self, batch_id: str) -> BatchExecution | None:
        """The execution of a batch: at most one DescribeExecution for each state machine.

        None if it does not exist or has expired: Step Functions keeps executions for 90 days after their end (quotas).
        """
        if batch_id not in self._found:
            found = (machine.find(batch_id) for machine in self._machines)
            self._found[batch_id] = next((execution for execution in found if execution is not None), None)
        return self._found[batch_id]

    def listed(self, endings: Sequence[ExecutionEnding]) -> Iterator[ListedExecution]:
        """The executions of all state machines with these endings."""
        for machine in self._machines:
            yield from machine.listed(endings)

    def history(self, execution: BatchExecution) -> ExecutionHistory:
        """A summary of an execution's history.

        The history is read from the end: for an ended execution back to the state that it entered last, for a running
        one completely. That is 25 calls at most (API reference, GetExecutionHistory; 25,000 events, quotas).
        """
        pages = self._client.get_paginator("get_execution_history").paginate(
            executionArn=execution.arn,
            reverseOrder=True,
            includeExecutionData=False,
            PaginationConfig={"PageSize": _EVENTS_A_CALL},
        )
        events = (event for page in pages for event in page["events"])
        if execution.is_running:
            return ExecutionHistory.of(events)
        entered = (event.get("stateEnteredEventDetails") for event in events)
        return ExecutionHistory(next((details["name"] for details in entered if details), None), ())
