"""Executions of the analysis workflow: one per batch, named after it."""

import json
from collections.abc import Iterator
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_stepfunctions.literals import ExecutionStatusType
    from mypy_boto3_stepfunctions.type_defs import DescribeExecutionOutputTypeDef, ExecutionListItemTypeDef


#: Redrives after which an execution is considered hopeless. It retries for hours before it stops.
MAX_REDRIVES = 10


class Progress(Enum):
    """The state of a batch's execution."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    STOPPED = "stopped"  # failed, timed out or aborted: it may be redriven
    ABSENT = "absent"  # never started, or expired: Step Functions keeps an execution for 90 days


class Executions:
    """Starts, watches and redrives executions.

    Args:
        client: a Step Functions client.
        state_machine_arn: of the analysis workflow.
    """

    def __init__(self, client: "SFNClient", state_machine_arn: str) -> None:
        self._client = client
        self._state_machine_arn = state_machine_arn

    def runs_on(self, state_machine_arn: str) -> bool:
        """Whether these are executions of this state machine."""
        return self._state_machine_arn == state_machine_arn

    def ensure_started(self, batch_id: str) -> Progress:
        """Start a batch's execution, or return the state of the existing one.

        The input is always the same, so starting a running execution again succeeds; for one that has ended, Step
        Functions returns ExecutionAlreadyExists for 90 days (API reference, StartExecution).
        """
        try:
            self._client.start_execution(
                stateMachineArn=self._state_machine_arn, name=batch_id, input=json.dumps({"batch_id": batch_id})
            )
        except self._client.exceptions.ExecutionAlreadyExists:
            return progress_of(self._describe(batch_id)["status"])
        return Progress.RUNNING

    def redrive(self, batch_id: str) -> Progress:
        """Resume a stopped execution where it stopped.

        A redriven execution keeps the definition it was started with (API reference, RedriveExecution), so one that
        keeps stopping may never succeed, whatever was fixed, and has to be replaced.

        Returns:
            RUNNING, also if someone else redrove it first; or its final state, if it was redriven too often or can no
            longer be redriven (Step Functions allows it for 14 days).
        """
        execution = self._describe(batch_id)
        if execution.get("redriveCount", 0) >= MAX_REDRIVES:
            return progress_of(execution["status"])
        try:
            self._client.redrive_execution(executionArn=self._arn(batch_id))
        except self._client.exceptions.ExecutionNotRedrivable:
            return progress_of(self._describe(batch_id)["status"])
        return Progress.RUNNING

    def running(self) -> set[str]:
        """Batch ids of the running executions that Step Functions lists (eventually consistent; 1,000 per call)."""
        return {execution["name"] for execution in self._listed("RUNNING")}

    def look(self, batch_id: str) -> Progress:
        """The state of a batch's execution."""
        try:
            return progress_of(self._describe(batch_id)["status"])
        except self._client.exceptions.ExecutionDoesNotExist:
            return Progress.ABSENT

    def _describe(self, batch_id: str) -> "DescribeExecutionOutputTypeDef":
        return self._client.describe_execution(executionArn=self._arn(batch_id))

    def _listed(self, status: "ExecutionStatusType") -> Iterator["ExecutionListItemTypeDef"]:
        pages = self._client.get_paginator("list_executions").paginate(
            stateMachineArn=self._state_machine_arn, statusFilter=status, PaginationConfig={"PageSize": 1000}
        )
        return (execution for page in pages for execution in page["executions"])

    def _arn(self, batch_id: str) -> str:
        return f"{self._state_machine_arn.replace(':stateMachine:', ':execution:')}:{batch_id}"


def progress_of(status: str) -> Progress:
    """The state for an execution status of Step Functions."""
    if status in ("RUNNING", "PENDING_REDRIVE"):
        return Progress.RUNNING
    return Progress.SUCCEEDED if status == "SUCCEEDED" else Progress.STOPPED
