"""Runs the analysis workflow's definition, with its tasks played by a test.

Knows the states and fields our definitions use, evaluates their JSONata with a port of the reference implementation,
and fails on anything else. It does not retry: a task that raises has used up its retries. A Map's items are done one
after the other.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from jsonata import Jsonata  # type: ignore[import-untyped]
from jsonata.utils import Utils  # type: ignore[import-untyped]

Task = Callable[[Mapping[str, Any]], Any]

STATE_MACHINE = "arn:aws:states:eu-west-1:111122223333:stateMachine:analysis"
_EXECUTION = "arn:aws:states:eu-west-1:111122223333:execution:analysis:"

#: States a run goes through at most; each leaves two events at least, and a history has 25,000.
_FOR_EVER = 12_500

_WAITS_FOR_TOKEN = ".waitForTaskToken"

#: Fields that are followed here, or that change nothing of the path.
_FOLLOWED = {
    "Task": {"Type", "QueryLanguage", "Resource", "Arguments", "Output", "Assign", "Retry", "Catch", "Next", "End"}
    | {"TimeoutSeconds", "HeartbeatSeconds"},
    "Map": {"Type", "Items", "ItemProcessor", "MaxConcurrency", "Output", "Assign", "Next", "End"},
    "Wait": {"Type", "Seconds", "Output", "Assign", "Next", "End"},
    "Choice": {"Type", "Choices", "Default"},
    "Pass": {"Type", "QueryLanguage", "Output", "Assign", "Next", "End"},
    "Fail": {"Type", "Error", "Cause"},
    "Succeed": {"Type"},
}
_FOLLOWED_CATCHER = {"ErrorEquals", "Output", "Assign", "Next"}
_FOLLOWED_RULE = {"Condition", "Output", "Assign", "Next"}
_FOLLOWED_PROCESSOR = {"ProcessorConfig", "StartAt", "States"}


@dataclass(frozen=True, slots=True)
class TaskError(Exception):
    """What a task ends with: the name Step Functions gives the error, and its cause, which may be missing."""

    error: str
    cause: str | None = None


@dataclass(slots=True)
class Run:
    """A finished run.

    Attributes:
        states: in order, without those inside a Map.
        iterations: the states of each item of a Map, in order.
        waits: seconds.
        calls: what was passed to each task.
        variables: at the end, without those inside a Map.
        failure: error and cause, or None if it ended well.
    """

    states: list[str] = field(default_factory=list)
    iterations: list[list[str]] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    calls: dict[str, list[Any]] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    failure: tuple[str, str] | None = None
    output: Any = None


def run_workflow(definition: Mapping[str, Any], tasks: Mapping[str, Task], execution_input: Mapping[str, Any]) -> Run:
    """Run to the end. `tasks` are by the state's name; one raises TaskError to fail."""
    run = Run()
    name = str(execution_input["batch_id"])
    context = {
        "Execution": {"Id": _EXECUTION + name, "Name": name, "Input": execution_input},
        "StateMachine": {"Id": STATE_MACHINE, "Name": "analysis"},
    }
    try:
        scope = _Scope(run, tasks, context, run.variables, run.states)
        run.output = scope.run(definition, execution_input)
    except _ExecutionFailedError as end:
        run.failure = end.failure
    return run


@dataclass(slots=True)
class _ExecutionFailedError(Exception):
    failure: tuple[str, str]


@dataclass(slots=True)
class _Scope:
    """States that see the same variables: those of the execution, or of one item of a Map."""

    run_so_far: Run
    tasks: Mapping[str, Task]
    context: Mapping[str, Any]
    variables: dict[str, Any]
    visited: list[str]

    def run(self, states: Mapping[str, Any], data: Any) -> Any:
        """Go from `StartAt` to an end. Returns its output."""
        name = states["StartAt"]
        while True:
            state = states["States"][name]
            _only(state, _FOLLOWED.get(state["Type"], set()), name)
            self.visited.append(name)
            assert len(self.visited) < _FOR_EVER, f"{self.visited[-9:]} and so on: this does not end"
            taken, known, result = self._take(name, state, data)
            # Assigned values are seen by the next state, not by this one's output (Developer Guide, workflow variables)
            assigned = render(taken.get("Assign", {}), self.variables, known)
            data = render(taken["Output"], self.variables, known) if "Output" in taken else result
            self.variables.update(assigned)
            if taken.get("End") or state["Type"] == "Succeed":
                return data
            name = taken["Next"]

    def _take(self, name: str, state: Mapping[str, Any], data: Any) -> tuple[Mapping[str, Any], dict[str, Any], Any]:
        """What says where to go on (the state, or a rule or catcher of it), `$states`, and the output by default."""
        known = {"input": data, "context": {**self.context, "State": {"Name": name}}}
        match state["Type"]:
            case "Task":
                return self._do_task(name, state, known)
            case "Map":
                known["result"] = self._map(state, known)
                return state, known, known["result"]
            case "Wait":
                self.run_so_far.waits.append(render(state["Seconds"], self.variables, known))
            case "Choice":
                for rule in state["Choices"]:
                    _only(rule, _FOLLOWED_RULE, name)
                rules = (rule for rule in state["Choices"] if _holds(rule["Condition"], self.variables, known))
                return next(rules, {"Next": state.get("Default")}), known, data
            case "Fail":
                error, cause = (render(state[part], self.variables, known) for part in ("Error", "Cause"))
                assert not error.startswith("States."), f"{name} ends with {error}, a name of Step Functions' own"
                raise _ExecutionFailedError((error, cause))
        return state, known, data

    def _do_task(
        self, name: str, state: Mapping[str, Any], known: dict[str, Any]
    ) -> tuple[Mapping[str, Any], dict[str, Any], Any]:
        calls = self.run_so_far.calls.setdefault(name, [])
        if state["Resource"].endswith(_WAITS_FOR_TOKEN):
            known["context"]["Task"] = {"Token": f"token-{len(calls)}"}
        arguments = render(state["Arguments"], self.variables, known)
        calls.append(arguments)
        try:
            known["result"] = self.tasks[name](arguments)
        except TaskError as error:
            catcher = _catcher(name, state, error)
            known["errorOutput"] = {"Error": error.error} | ({} if error.cause is None else {"Cause": error.cause})
            return catcher, known, known["errorOutput"]
        return state, known, known["result"]

    def _map(self, state: Mapping[str, Any], known: Mapping[str, Any]) -> list[Any]:
        processor = state["ItemProcessor"]
        _only(processor, _FOLLOWED_PROCESSOR, "ItemProcessor")
        assert processor["ProcessorConfig"] == {"Mode": "INLINE"}, "a distributed Map sees no variables"
        items = render(state["Items"], self.variables, known)
        assert isinstance(items, list), f"{state['Items']} gives {items!r}; a Map takes a list"
        results = []
        for index, item in enumerate(items):
            context = {**self.context, "Map": {"Item": {"Index": index, "Value": item}}}
            visited: list[str] = []
            self.run_so_far.iterations.append(visited)
            inner = _Scope(self.run_so_far, self.tasks, context, dict(self.variables), visited)
            results.append(inner.run(processor, item))
        return results


def matching(error: str) -> set[str]:
    """The names in `ErrorEquals` that take an error. A time that ran out, a heartbeat's too, is no failed task."""
    match error:
        case "States.Timeout":
            return {error, "States.ALL"}
        case "States.HeartbeatTimeout":
            return {error, "States.Timeout", "States.ALL"}
    return {error, "States.TaskFailed", "States.ALL"}


def _catcher(name: str, state: Mapping[str, Any], error: TaskError) -> Mapping[str, Any]:
    """The first catcher that takes an error."""
    names = matching(error.error)
    for catcher in state.get("Catch", ()):
        _only(catcher, _FOLLOWED_CATCHER, name)
        if names & set(catcher["ErrorEquals"]):
            found: Mapping[str, Any] = catcher
            return found
    raise _ExecutionFailedError((error.error, error.cause or ""))


def _only(fields: Mapping[str, Any], known: set[str], name: str) -> None:
    unknown = set(fields) - known
    assert not unknown, f"{name} has {unknown}, which is nothing this test knows"


def render(template: Any, variables: Mapping[str, Any], states: Mapping[str, Any]) -> Any:
    """A template with its `{% %}` expressions evaluated."""
    if isinstance(template, Mapping):
        return {key: render(value, variables, states) for key, value in template.items()}
    if isinstance(template, list):
        return [render(value, variables, states) for value in template]
    if not isinstance(template, str) or not template.startswith("{%"):
        return template
    assert template.endswith("%}"), f"{template} is no expression for Step Functions"
    expression = _expression(template.removeprefix("{%").removesuffix("%}"))
    frame = expression.create_frame()
    for name, value in {**variables, "states": states}.items():
        frame.bind(name, _with_nulls(value))
    value = expression.evaluate(None, frame)
    assert value is not None, f"{template} gives nothing; Step Functions ends with States.QueryEvaluationError"
    return _without_nulls(value)


@cache
def _expression(text: str) -> Jsonata:
    expression = Jsonata(text)
    expression.set_output_convert_nulls(False)
    expression.register_lambda("parse", lambda text: _with_nulls(json.loads(text)))
    return expression


def _with_nulls(value: Any) -> Any:
    """The port takes None for "undefined", and has a value of its own for null."""
    if isinstance(value, Mapping):
        return {key: _with_nulls(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_with_nulls(entry) for entry in value]
    return Utils.NULL_VALUE if value is None else value


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nulls(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_without_nulls(entry) for entry in value]
    return None if value is Utils.NULL_VALUE else value


def _holds(condition: str, variables: Mapping[str, Any], states: Mapping[str, Any]) -> bool:
    value = render(condition, variables, states)
    assert isinstance(value, bool), f"{condition} gives {value!r}; Step Functions takes true and false only"
    return value
