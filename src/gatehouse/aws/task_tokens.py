"""Task tokens, which steps of a workflow wait for."""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


class TaskTokens:
    """Reports the results of steps to their workflows.

    A step may be over already: it missed its heartbeat, its execution was stopped, or another worker was faster. Step
    Functions then answers TaskTimedOut, TaskDoesNotExist or InvalidToken.

    Args:
        client: a Step Functions client.
    """

    def __init__(self, client: "SFNClient") -> None:
        self._client = client
        self._over = (
            client.exceptions.TaskTimedOut,
            client.exceptions.TaskDoesNotExist,
            client.exceptions.InvalidToken,
        )

    def is_awaited(self, token: str) -> bool:
        """Send a heartbeat. Returns whether the step is still waiting."""
        return self._was_awaited(lambda: self._client.send_task_heartbeat(taskToken=token))

    def succeed(self, token: str, output: Mapping[str, Any]) -> bool:
        """Complete the step. Returns whether it was still waiting."""
        return self._was_awaited(lambda: self._client.send_task_success(taskToken=token, output=json.dumps(output)))

    def fail(self, token: str, error: str, cause: str) -> bool:
        """Fail the step. Returns whether it was still waiting."""
        return self._was_awaited(lambda: self._client.send_task_failure(taskToken=token, error=error, cause=cause))

    def _was_awaited(self, call: Callable[[], object]) -> bool:
        try:
            call()
        except self._over:
            return False
        return True
