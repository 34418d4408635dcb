"""A Step Functions execution runs as its role, can be stopped and timed out at any time, and records its position.

AWS: tasks act as the execution's role; StopExecution and the machine's `TimeoutSeconds` end an execution even in the
middle of a wait or a retry pause; a running or redriven execution keeps the definition it started with; each event in
the history names the previous one in its branch (`previousEventId`); a state's output above 262,144 bytes fails the
execution with `States.DataLimitExceeded`.
ministack 1.5.33: has no identity, checks StopExecution only between two states (a task in a retry pause is called
again after the stop), ignores `TimeoutSeconds`, reads the definition again, can't resume from a state in the middle,
gives two events of concurrent iterations the same id, and does not record previous ones.

Replaces `stepfunctions._run_execution` (without its fixed 0.15 s delay) and `_scaled_sleep`, wraps `_stop_execution`
and `_add_event`. Keeps its notes in the execution's record under keys with an underscore. `TimeoutSeconds` is scaled
like all waits.
"""

import contextvars
import copy
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import now_iso
from ministack.services import stepfunctions
from ministack.services.sts import _sessions

from localcloud.patches import authorization, clock
from localcloud.patches.seam import Seam, check

_MODULE = "ministack.services.stepfunctions"
SEAMS = (
    *authorization.SEAMS,
    Seam(_MODULE, "_run_execution", ("exec_arn",)),
    Seam(_MODULE, "_stop_execution", ("data",)),
    Seam(_MODULE, "_scaled_sleep", ("seconds",)),
    Seam(_MODULE, "_SFN_WAIT_SCALE"),
    Seam(_MODULE, "_executions"),
    Seam(_MODULE, "_state_machines"),
    Seam(_MODULE, "_add_event", ("execution", "event_type", "details")),
    Seam(_MODULE, "_emit_execution_status_event", ("execution",)),
    Seam(_MODULE, "_ExecutionError", ("error", "cause")),
    Seam(_MODULE, "_execute_pass", ("state_def", "raw_input", "ctx")),
    Seam(_MODULE, "_execute_choice", ("state_def", "raw_input", "ctx")),
    Seam(_MODULE, "_execute_wait", ("state_def", "raw_input", "ctx")),
    Seam(_MODULE, "_execute_task", ("state_def", "raw_input", "execution", "ctx")),
    Seam(_MODULE, "_execute_parallel", ("state_def", "raw_input", "execution", "ctx")),
    Seam(_MODULE, "_execute_map", ("state_def", "raw_input", "execution", "ctx")),
    Seam(_MODULE, "_fail_state_error", ("state_def", "raw_input", "ctx")),
    Seam(_MODULE, "_apply_input_path", ("state_def", "data", "ctx")),
    Seam(_MODULE, "_apply_output_path", ("state_def", "data", "ctx")),
    Seam(_MODULE, "_apply_jsonata_output", ("state_def", "raw_input", "ctx", "result", "error_output", "default")),
    Seam("ministack.core.iam_evaluator", "_request_caller_arn"),
)

PAYLOAD_LIMIT = 262_144  # bytes; Step Functions quotas, "Maximum input or output size"

_log = logging.getLogger("gatehouse.executions")


class ExecutionOverError(Exception):
    """This run of an execution was stopped, timed out or superseded; it must have no further effect."""


class Scope:
    """Work that ends together: a run of an execution, or inside it the iterations of a Map. Thread safe."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._callbacks: dict[object, Callable[[], None]] = {}

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._over.is_set()

    def end(self) -> None:
        """End the work, and everything that ends with it."""
        with self._lock:
            self._over.set()
            callbacks, self._callbacks = self._callbacks, {}
        for callback in callbacks.values():
            callback()

    def wait(self, seconds: float) -> bool:
        """Wait for the end; returns whether it was in time. `seconds` are real ones."""
        return self._over.wait(seconds)

    def call_at_end(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` at the end, or immediately if the work has ended. Returns a function that cancels this."""
        key = object()
        with self._lock:
            if not self.is_over:
                self._callbacks[key] = callback
                return lambda: self._forget(key)
        callback()
        return lambda: None

    def _forget(self, key: object) -> None:
        with self._lock:
            self._callbacks.pop(key, None)


@dataclass(eq=False, slots=True)
class _Run:
    """One run of an execution: from its start, or from a redrive, to its end."""

    execution: dict[str, Any]
    scope: Scope = field(default_factory=Scope)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def end(self, status: str, event: str, *, error: str | None = None, cause: str | None = None) -> bool:
        """Set the execution's final status, unless it already has one; returns whether it was set."""
        with self.lock:
            if self.scope.is_over:
                return False
            self.scope.end()
            execution = self.execution
            execution["status"] = status
            execution["stopDate"] = now_iso()
            details: dict[str, Any] = {}
            if status == "SUCCEEDED":
                details = {"output": execution["output"]}
            else:
                execution["error"], execution["cause"] = error, cause
                details = {"error": error, "cause": cause}
            stepfunctions._add_event(execution, event, {f"{event[0].lower()}{event[1:]}EventDetails": details})
        stepfunctions._emit_execution_status_event(execution)
        return True


# The position of an execution, or of an iteration: `state`, `input`, `variables`; inside a Map or Parallel state also
# its `items` and the places of its `parts`. A redrive marks it with `resuming`.
Place = dict[str, Any]

_runs: dict[str, _Run] = {}
_current: contextvars.ContextVar[_Run | None] = contextvars.ContextVar("gatehouse_execution_run", default=None)
_scope: contextvars.ContextVar[Scope | None] = contextvars.ContextVar("gatehouse_execution_scope", default=None)
_place: contextvars.ContextVar[Place | None] = contextvars.ContextVar("gatehouse_execution_place", default=None)
#: The id of the previous event in this run or iteration. Threads of iterations have their own context.
_last_event: contextvars.ContextVar[int] = contextvars.ContextVar("gatehouse_execution_event", default=0)
_events_lock = threading.Lock()


def install() -> None:
    """Run executions with an identity, interruptibly, and so that they can be resumed."""
    check(SEAMS)
    stop = stepfunctions._stop_execution

    def stop_execution(data: dict[str, Any]) -> Any:
        run = _runs.get(str(data.get("executionArn")))
        if run is None:
            return stop(data)
        with run.lock:
            answer = stop(data)
            if run.execution["status"] != "RUNNING":
                run.scope.end()
        return answer

    add = stepfunctions._add_event

    def add_event(execution: dict[str, Any], event_type: str, details: dict[str, Any] | None = None) -> Any:
        with _events_lock:
            event = add(execution, event_type, details)
            run = _current.get()
            if run is not None and run.execution is execution:  # and no request about another one
                event["previousEventId"] = _last_event.get()
                _last_event.set(event["id"])
            else:
                event["previousEventId"] = 0
        return event

    stepfunctions._stop_execution = stop_execution
    stepfunctions._add_event = add_event
    stepfunctions._scaled_sleep = pause
    stepfunctions._run_execution = _run_execution


def pause(seconds: float) -> None:
    """Wait, in the local cloud's time.

    Raises:
        ExecutionOverError: the execution, or the iteration, has ended.
    """
    scope = _scope.get()
    if scope is None:
        time.sleep(clock.scaled(seconds))
    elif scope.wait(clock.scaled(seconds)):
        raise ExecutionOverError


def current_role() -> str | None:
    """The role of the execution whose task, or task's call, runs in this thread; None outside of an execution."""
    run = _current.get()
    return None if run is None else str(run.execution["_role"])


def current_machine() -> str | None:
    """The name of the state machine whose task runs in this thread; None outside of an execution."""
    run = _current.get()
    return None if run is None else str(run.execution["stateMachineArn"]).rsplit(":", 1)[-1]


def current_scope() -> Scope:
    """The scope of this thread's work; outside of an execution, a scope that never ends."""
    return _scope.get() or Scope()


def current_place() -> Place:
    """The place of the state that runs in this thread."""
    place = _place.get()
    return {} if place is None else place


def enter_scope(scope: Scope) -> None:
    """Let this thread's work end with `scope`."""
    _scope.set(scope)


def ensure_running() -> None:
    """Raise `ExecutionOverError` if this thread's execution or iteration has ended."""
    scope = _scope.get()
    if scope is not None and scope.is_over:
        raise ExecutionOverError


def _run_execution(exec_arn: str) -> None:
    """Run an execution to its end: from `StartAt`, or from where a redrive resumes it."""
    execution = stepfunctions._executions.get(exec_arn)
    if execution is None:
        return
    run = _runs[exec_arn] = _Run(execution)
    if execution["status"] != "RUNNING":
        del _runs[exec_arn]
        return
    machine = stepfunctions._state_machines.get(execution["stateMachineArn"])
    if machine is None:
        run.end("FAILED", "ExecutionFailed", error="States.Runtime", cause="The state machine no longer exists.")
        return
    definition = json.loads(execution.setdefault("_definition", machine["definition"]))
    role_arn = execution.setdefault("_role", machine["roleArn"])
    timer = _start_timer(run, definition.get("TimeoutSeconds"))
    _current.set(run)
    _scope.set(run.scope)
    _last_event.set(0)
    # Policies of queues and topics also see the role, and not the caller that started the execution.
    session = _sessions[authorization.role_access_key(role_arn)]
    iam_evaluator._request_caller_arn.set(session["Arn"])
    try:
        output = _walk(execution, definition, machine["name"])
        execution["output"] = json.dumps(output)
        run.end("SUCCEEDED", "ExecutionSucceeded")
    except ExecutionOverError:
        pass
    except stepfunctions._ExecutionError as failure:
        run.end("FAILED", "ExecutionFailed", error=failure.error, cause=failure.cause)
    except Exception as failure:
        _log.exception("Execution %s broke", exec_arn)
        run.end("FAILED", "ExecutionFailed", error="States.Runtime", cause=str(failure))
    finally:
        if timer:
            timer.cancel()
        if _runs.get(exec_arn) is run:
            del _runs[exec_arn]


def _start_timer(run: _Run, timeout_seconds: float | None) -> threading.Timer | None:
    if timeout_seconds is None:
        return None
    context = contextvars.copy_context()
    timer = threading.Timer(
        clock.scaled(timeout_seconds), context.run, args=(run.end, "TIMED_OUT", "ExecutionTimedOut")
    )
    timer.daemon = True
    timer.start()
    return timer


def _walk(execution: dict[str, Any], definition: dict[str, Any], machine_name: str) -> Any:
    """Run the machine. Returns its output."""
    context = {
        "QueryLanguage": definition.get("QueryLanguage", "JSONPath"),
        "Execution": {
            "Id": execution["executionArn"],
            "Input": json.loads(execution["input"]),
            "Name": execution["name"],
            "RoleArn": execution["_role"],
            "StartTime": execution["startDate"],
            "RedriveCount": execution.get("redriveCount", 0),
            **({"RedriveTime": execution["redriveDate"]} if execution.get("redriveDate") else {}),
        },
        "StateMachine": {"Id": execution["stateMachineArn"], "Name": machine_name},
        "variables": {},
    }
    place = execution["_position"] = execution.pop("_resume", None) or {}
    return walk(definition, json.loads(execution["input"]), execution, context, place)


def walk(
    machine: Mapping[str, Any], data: Any, execution: dict[str, Any], context: dict[str, Any], place: Place
) -> Any:
    """Run the states of a machine, or of a Map or Parallel state, one after the other.

    Args:
        machine: its `StartAt` and `States`.
        data: the first state's input.
        context: the context object, with the `variables`; this walk's own.
        place: the position to start from, if it is marked as resuming; it is updated.

    Returns:
        the last state's output.
    """
    name: str | None = machine["StartAt"]
    resuming = place.get("resuming", False)
    if resuming:
        name, data, context["variables"] = place["state"], place["input"], copy.deepcopy(place["variables"])
    _place.set(place)
    while name is not None:
        ensure_running()
        if not resuming:
            place.clear()
            place.update(state=name, input=copy.deepcopy(data), variables=copy.deepcopy(context["variables"]))
        resuming = False
        state = machine["States"].get(name)
        if state is None:
            raise stepfunctions._ExecutionError("States.Runtime", f"The state '{name}' does not exist.")
        context["State"] = {"Name": name, "EnteredTime": now_iso(), "RetryCount": 0}
        _add_state_event(execution, f"{state['Type']}StateEntered", "stateEnteredEventDetails", name, "input", data)
        data, following = _enter(state, data, execution, context)
        ensure_running()
        output_size = _add_state_event(
            execution, f"{state['Type']}StateExited", "stateExitedEventDetails", name, "output", data
        )
        check_size(f"state '{name}'", output_size)
        name = following
    return data


def check_size(origin: str, size: int) -> None:
    """Fail the execution if the result of a state or a task, in bytes, is above the limit."""
    if size > PAYLOAD_LIMIT:
        raise stepfunctions._ExecutionError(
            "States.DataLimitExceeded",
            f"The {origin} returned a result with a size exceeding the maximum number of bytes service limit.",
        )


def _enter(
    state: dict[str, Any], data: Any, execution: dict[str, Any], context: dict[str, Any]
) -> tuple[Any, str | None]:
    """Run one state. Returns its output and the next state's name, which is None at the end."""
    kind = state["Type"]
    # Looked up for every state, so that other patches of the same functions take effect.
    if kind in ("Task", "Parallel", "Map"):
        execute = getattr(stepfunctions, f"_execute_{kind.lower()}")
        output, following = execute(state, data, execution, context)
        return output, following
    if kind in ("Pass", "Choice", "Wait"):
        execute = getattr(stepfunctions, f"_execute_{kind.lower()}")
        output, following = execute(state, data, context)
        return output, following
    if kind == "Succeed":
        if state.get("QueryLanguage", context["QueryLanguage"]) == "JSONata":
            return stepfunctions._apply_jsonata_output(state, data, context, default=data), None
        data = stepfunctions._apply_input_path(state, data, context)
        return stepfunctions._apply_output_path(state, data, context), None
    if kind == "Fail":
        raise stepfunctions._ExecutionError(*stepfunctions._fail_state_error(state, data, context))
    raise stepfunctions._ExecutionError("States.Runtime", f"The state type '{kind}' does not exist.")


def _add_state_event(
    execution: dict[str, Any], event: str, details: str, name: str, payload_name: str, payload: Any
) -> int:
    """Add a history event about a state. Returns the payload's size in bytes."""
    encoded = json.dumps(payload, ensure_ascii=False)
    stepfunctions._add_event(execution, event, {details: {"name": name, payload_name: encoded}})
    return len(encoded.encode())
