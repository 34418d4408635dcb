"""Task tokens: what a step of a workflow waits for."""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


class TaskTokens:
    """Gives steps back to their workflows.

    A step may be over before it is given back: its heartbeat was missed, its execution stopped, or another worker was
    faster. Step Functions then answers TaskTimedOut, TaskDoesNotExist or InvalidToken, and nobody waits any more.

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
        """Whether the step still waits; if it does, this is its heartbeat."""
        return self._was_awaited(lambda: self._client.send_task_heartbeat(taskToken=token))

    def succeed(self, token: str, output: Mapping[str, Any]) -> bool:
        """End the step well. Returns whether it was still waiting."""
        return self._was_awaited(lambda: self._client.send_task_success(taskToken=token, output=json.dumps(output)))

    def fail(self, token: str, error: str, cause: str) -> bool:
        """End the step with an error. Returns whether it was still waiting."""
        return self._was_awaited(lambda: self._client.send_task_failure(taskToken=token, error=error, cause=cause))

    def _was_awaited(self, call: Callable[[], object]) -> bool:
        try:
            call()
        except self._over:
            return False
        return True
