"""Task tokens: their lifetime, their timeouts, and the answers of SendTask*.

AWS: a `.waitForTaskToken` task waits for SendTaskSuccess or SendTaskFailure, at most `TimeoutSeconds`
(`States.Timeout`) and at most `HeartbeatSeconds` since it began or since the last SendTaskHeartbeat
(`States.HeartbeatTimeout`; the description of `States.Timeout` covers it too, so either name in `ErrorEquals`
matches). Both can be JSONata expressions. Each attempt has its own token (Developer Guide, connect-to-resource.html). A
token is valid for one SendTaskSuccess or SendTaskFailure: after it, and after the end of the task, the iteration or the
execution, SendTask* return `TaskTimedOut`; `InvalidToken` if Step Functions never issued the token; `InvalidOutput` for
output that is not JSON. SendTask* require their permission on the task's state machine. If a task's call fails, the
task fails. The history has a `TaskSubmitted` event when the call is made, and `TaskTimedOut` instead of `TaskFailed`.
ministack 1.5.33: no heartbeat timeout; one token for all attempts; returns `TaskDoesNotExist` for everything that it
does not wait for, and success for a second SendTaskSuccess or for output that is not JSON; requires the permission on
`*`; keeps waiting after the execution's end; ignores the failure of a function that is invoked with a token; can't
evaluate expressions in `TimeoutSeconds`; has neither event.

The local cloud's time: waiting is scaled, work is not. While the message with a token waits in a queue, or nobody has
it, the two timeouts are scaled like the local cloud's other waits. While a Lambda function that was invoked with the
token runs, in real time, they also run in real time. If they were always scaled, they would end tasks in the middle of
work that takes as long here as on AWS; if they were always in real time, a lost task would be noticed after minutes.
For the same reason, the `TimeoutSeconds` of a task without a token, which only works, is in real time.

`TaskDoesNotExist` ("The activity does not exist") is returned if the state machine was deleted, which is inferred.
Activities are not changed.

Replaces `stepfunctions._invoke_with_callback`, wraps the three `_send_task_*`, `_execute_task`,
`_apply_jsonata_arguments`, `_apply_parameters`, `_error_matches` and `_add_event`, and
`iam_actions.extract_resource_arn`.
"""

import base64
import contextlib
import contextvars
import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from ministack.core import iam_actions
from ministack.core.responses import error_response_json, json_response
from ministack.services import stepfunctions

from localcloud.patches import clock
from localcloud.patches.execution_loop import PAYLOAD_LIMIT, ExecutionOverError, current_scope, ensure_running
from localcloud.patches.seam import Seam, check

_MODULE = "ministack.services.stepfunctions"
SEAMS = (
    Seam(_MODULE, "_invoke_with_callback", ("resource", "input_data", "token", "state_def")),
    Seam(_MODULE, "_invoke_resource", ("resource", "input_data")),
    Seam(_MODULE, "_execute_task", ("state_def", "raw_input", "execution", "ctx")),
    Seam(_MODULE, "_apply_jsonata_arguments", ("state_def", "raw_input", "ctx")),
    Seam(_MODULE, "_apply_parameters", ("state_def", "data", "ctx")),
    Seam(_MODULE, "_jsonata_state_field", ("state_def", "field", "expected", "raw_input", "ctx")),
    Seam(_MODULE, "_error_matches", ("error_equals", "error")),
    Seam(_MODULE, "_add_event", ("execution", "event_type", "details")),
    Seam(_MODULE, "_send_task_success", ("data",)),
    Seam(_MODULE, "_send_task_failure", ("data",)),
    Seam(_MODULE, "_send_task_heartbeat", ("data",)),
    Seam(_MODULE, "_task_tokens"),
    Seam(_MODULE, "_state_machines"),
    Seam(_MODULE, "_ExecutionError", ("error", "cause")),
    Seam(
        "ministack.core.iam_actions",
        "extract_resource_arn",
        ("service", "method", "path", "headers", "body", "query_params", "region", "account_id"),
    ),
)

_SUFFIX = ".waitForTaskToken"
# A token on AWS has a few hundred characters of Base64. Ours can be found in a text.
_PREFIX = "AQCEAAAAKgAAAAMAAAAAAAAAA"
_RANDOM_BYTES = 360
_TOKEN = re.compile(rf"{_PREFIX}[A-Za-z0-9+/]{{{_RANDOM_BYTES * 4 // 3}}}")
_TIMEOUTS = ("States.Timeout", "States.HeartbeatTimeout")
# API reference, SendTaskFailure.
_LONGEST_ERROR = 256
_LONGEST_CAUSE = 32_768


class _Task:
    """A task that waits for SendTaskSuccess or SendTaskFailure with its token."""

    def __init__(self, machine: str) -> None:
        self.machine = machine
        self._changed = threading.Condition()
        self._result: Any = None
        self._failure: Exception | None = None
        self._is_closed = False
        self._holders = 0
        # Both are in AWS's seconds since the task began.
        self._now = 0.0
        self._heard_at = 0.0
        self._counted_at = time.monotonic()

    def hold(self) -> None:
        """A function that got the token has started."""
        with self._changed:
            self._count()
            self._holders += 1
            self._changed.notify_all()

    def let_go(self) -> None:
        """A function that got the token has ended."""
        with self._changed:
            self._count()
            self._holders -= 1
            self._changed.notify_all()

    def hear(self) -> bool:
        """Accept a heartbeat; returns whether the task is open."""
        with self._changed:
            self._count()
            self._heard_at = self._now
            self._changed.notify_all()
            return not self._is_closed

    def succeed(self, result: Any) -> bool:
        """Accept the result; returns whether the task was open."""
        return self._close(result, None)

    def fail(self, failure: Exception) -> bool:
        """Accept the failure; returns whether the task was open."""
        return self._close(None, failure)

    def close(self) -> None:
        """End the task without a result."""
        self._close(None, ExecutionOverError())

    def wait(self, timeout: float | None, heartbeat: float | None) -> Any:
        """The task's result.

        Raises:
            ministack's `_ExecutionError`: it failed, or exceeded its timeout or heartbeat timeout, in AWS's seconds.
            ExecutionOverError: it was closed.
        """
        with self._changed:
            while not self._is_closed:
                self._count()
                left = []
                if timeout is not None:
                    left.append(timeout - self._now)
                    if left[-1] <= 0:
                        self._is_closed = True
                        raise stepfunctions._ExecutionError("States.Timeout", "")
                if heartbeat is not None:
                    left.append(self._heard_at + heartbeat - self._now)
                    if left[-1] <= 0:
                        self._is_closed = True
                        raise stepfunctions._ExecutionError("States.HeartbeatTimeout", "")
                self._changed.wait(min(left) / self._pace() if left else None)
            if self._failure is not None:
                raise self._failure
            result, self._result = self._result, None  # frees memory: the task is kept by its token
            return result

    def _close(self, result: Any, failure: Exception | None) -> bool:
        with self._changed:
            if self._is_closed:
                return False
            self._result, self._failure, self._is_closed = result, failure, True
            self._changed.notify_all()
            return True

    def _pace(self) -> float:
        """AWS's seconds per real second."""
        return 1.0 if self._holders else 1 / clock.scaled(1)

    def _count(self) -> None:
        now = time.monotonic()
        self._now += (now - self._counted_at) * self._pace()
        self._counted_at = now


class _RefusalError(Exception):
    """An error answer of SendTask*."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


# All issued tokens, to distinguish a late SendTaskSuccess from one with an invalid token.
_tasks: dict[str, _Task] = {}
# The execution whose task this thread runs.
_execution: contextvars.ContextVar[dict[str, Any]] = contextvars.ContextVar("gatehouse_task_execution")


def install() -> None:
    """Issue and accept tokens as AWS does."""
    check(SEAMS)
    execute = stepfunctions._execute_task
    apply_arguments = stepfunctions._apply_jsonata_arguments
    apply_parameters = stepfunctions._apply_parameters
    matches = stepfunctions._error_matches
    add = stepfunctions._add_event
    extract = iam_actions.extract_resource_arn

    def execute_task(state: dict[str, Any], data: Any, execution: dict[str, Any], context: dict[str, Any]) -> Any:
        limits = {
            field: stepfunctions._jsonata_state_field(state, field, "number", data, context)
            for field in ("TimeoutSeconds", "HeartbeatSeconds")
            if isinstance(state.get(field), str)
        }
        _execution.set(execution)
        return execute({**state, **limits}, data, execution, context)

    def add_event(execution: dict[str, Any], event_type: str, details: dict[str, Any] | None = None) -> Any:
        failure = (details or {}).get("taskFailedEventDetails", {})
        if failure.get("error") in _TIMEOUTS:
            event_type, details = "TaskTimedOut", {"taskTimedOutEventDetails": failure}
        return add(execution, event_type, details)

    def apply_jsonata_arguments(state: dict[str, Any], data: Any, context: dict[str, Any] | None = None) -> Any:
        _give_out_token(state, context)
        return apply_arguments(state, data, context)

    def apply_parameters_with_token(state: dict[str, Any], data: Any, context: dict[str, Any] | None = None) -> Any:
        _give_out_token(state, context)
        return apply_parameters(state, data, context)

    def error_matches(error_equals: Sequence[str], error: str) -> bool:
        if error == "States.HeartbeatTimeout":
            return bool({"States.ALL", "States.Timeout", error} & set(error_equals))
        return bool(matches(error_equals, error))

    def extract_resource_arn(
        service: str,
        method: str,
        path: str,
        headers: Any,
        body: Any,
        query_params: Any,
        region: str,
        account_id: str,
    ) -> Any:
        if service == "states" and ".SendTask" in headers.get("x-amz-target", ""):
            task = _tasks.get(_token(body))
            return task.machine if task else "*"
        return extract(service, method, path, headers, body, query_params, region, account_id)

    stepfunctions._execute_task = execute_task
    stepfunctions._add_event = add_event
    stepfunctions._apply_jsonata_arguments = apply_jsonata_arguments
    stepfunctions._apply_parameters = apply_parameters_with_token
    stepfunctions._error_matches = error_matches
    stepfunctions._invoke_with_callback = _invoke_with_token
    for name, operation in (("success", _succeed), ("failure", _fail), ("heartbeat", _hear)):
        answer_activity = getattr(stepfunctions, f"_send_task_{name}")
        setattr(stepfunctions, f"_send_task_{name}", partial(_answered, operation, answer_activity))
    iam_actions.extract_resource_arn = extract_resource_arn


@contextlib.contextmanager
def held(texts: Iterable[str]) -> Iterator[None]:
    """While the block runs, a running Lambda function has the tokens in `texts`."""
    tasks = [_tasks[token] for text in texts for token in set(_TOKEN.findall(text)) if token in _tasks]
    for task in tasks:
        task.hold()
    try:
        yield
    finally:
        for task in tasks:
            task.let_go()


def _give_out_token(state: Mapping[str, Any], context: dict[str, Any] | None) -> None:
    """Issue a new token. Every attempt begins with evaluating its arguments, and has its own token."""
    if context is None or not str(state.get("Resource", "")).endswith(_SUFFIX):
        return
    token = _PREFIX + base64.b64encode(secrets.token_bytes(_RANDOM_BYTES)).decode()
    _tasks[token] = _Task(str(context.get("StateMachine", {}).get("Id", "")))
    context["Task"] = {"Token": token}


def _invoke_with_token(resource: str, input_data: Any, token: str, state_def: Mapping[str, Any]) -> Any:
    """Make the call, then wait for the token."""
    task = _tasks[token]
    take_back = current_scope().call_at_end(task.close)
    try:
        with held([token]):
            answer = stepfunctions._invoke_resource(resource.removesuffix(_SUFFIX), input_data)
        submitted = {"resource": resource, "output": json.dumps(answer)}
        stepfunctions._add_event(_execution.get(), "TaskSubmitted", {"taskSubmittedEventDetails": submitted})
        result = task.wait(state_def.get("TimeoutSeconds"), state_def.get("HeartbeatSeconds"))
        ensure_running()
        return result
    finally:
        take_back()
        task.close()


def _answered(operation: Callable[[Any], None], answer_activity: Callable[[Any], Any], data: dict[str, Any]) -> Any:
    """The answer to a SendTask* call. ministack handles the tokens of activities."""
    if data.get("taskToken") in stepfunctions._task_tokens:
        return answer_activity(data)
    try:
        operation(data)
    except _RefusalError as refusal:
        return error_response_json(refusal.code, refusal.message, 400)
    return json_response({})


def _succeed(data: Mapping[str, Any]) -> None:
    task = _open_task(data)
    output = data.get("output")
    if not isinstance(output, str) or len(output.encode()) > PAYLOAD_LIMIT:
        raise _RefusalError("ValidationException", f"The output must be a string of at most {PAYLOAD_LIMIT} bytes.")
    try:
        result = json.loads(output)
    except ValueError as error:
        raise _RefusalError("InvalidOutput", f"Invalid Output: '{error}'") from error
    if not task.succeed(result):
        raise _closed()


def _fail(data: Mapping[str, Any]) -> None:
    task = _open_task(data)
    error, cause = str(data.get("error") or ""), str(data.get("cause") or "")
    if len(error) > _LONGEST_ERROR or len(cause) > _LONGEST_CAUSE:
        raise _RefusalError(
            "ValidationException", f"At most {_LONGEST_ERROR} characters of error, {_LONGEST_CAUSE} of cause"
        )
    if not task.fail(stepfunctions._ExecutionError(error, cause)):
        raise _closed()


def _hear(data: Mapping[str, Any]) -> None:
    if not _open_task(data).hear():
        raise _closed()


def _open_task(data: Mapping[str, Any]) -> _Task:
    task = _tasks.get(str(data.get("taskToken")))
    if task is None:
        raise _RefusalError("InvalidToken", "Invalid Token: 'Invalid token'")
    if task.machine not in stepfunctions._state_machines:
        raise _RefusalError("TaskDoesNotExist", "Task does not exist: its state machine was deleted")
    return task


def _closed() -> _RefusalError:
    return _RefusalError("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")


def _token(body: Any) -> str:
    try:
        document = json.loads(body)
    except ValueError:
        return ""
    return str(document.get("taskToken", "")) if isinstance(document, dict) else ""
