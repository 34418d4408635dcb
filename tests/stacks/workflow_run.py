"""Runs the analysis workflow's definition, with its tasks played by a test.

Knows the states and fields our definition uses, evaluates their JSONata with a port of the reference implementation,
and fails on anything else. It does not retry: a task that raises has used up its retries.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jsonata import Jsonata  # type: ignore[import-untyped]
from jsonata.utils import Utils  # type: ignore[import-untyped]

Task = Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class TaskError(Exception):
    """What a task ends with: the name Step Functions gives the error, and its cause, which may be missing."""

    error: str
    cause: str | None = None


@dataclass(slots=True)
class Run:
    """A finished run: states in order, seconds waited, what was passed to each task, and how it ended."""

    states: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    calls: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    failure: tuple[str, str] | None = None
    output: Any = None


def run_workflow(definition: Mapping[str, Any], tasks: Mapping[str, Task], execution_input: Any) -> Run:
    """Run to the end. `tasks` are by the state's name; one raises TaskError to fail."""
    run, variables, data = Run(), dict[str, Any](), execution_input
    name = definition["StartAt"]
    while True:
        state = definition["States"][name]
        run.states.append(name)
        states: dict[str, Any] = {"input": data}
        match state["Type"]:
            case "Task":
                arguments = render(state["Arguments"], variables, states)
                run.calls.setdefault(name, []).append(arguments)
                try:
                    states["result"] = tasks[name](arguments)
                    taken = state
                except TaskError as error:
                    catchers = [
                        catcher
                        for catcher in state.get("Catch", ())
                        if {error.error, "States.ALL"} & set(catcher["ErrorEquals"])
                    ]
                    if not catchers:
                        run.failure = (error.error, error.cause or "")
                        return run
                    taken = catchers[0]
                    states["errorOutput"] = {"Error": error.error}
                    if error.cause is not None:
                        states["errorOutput"]["Cause"] = error.cause
            case "Wait":
                run.waits.append(render(state["Seconds"], variables, states))
                taken = state
            case "Choice":
                rules = (rule for rule in state["Choices"] if _holds(rule["Condition"], variables, states))
                taken = next(rules, {"Next": state["Default"]})
            case "Fail":
                run.failure = (render(state["Error"], variables, states), render(state["Cause"], variables, states))
                return run
            case "Succeed":
                run.output = data
                return run
            case kind:
                raise AssertionError(f"a {kind} state is nothing this test knows")
        # What is assigned is seen by the next state, not by this one's output (Developer Guide, workflow variables).
        assigned = render(taken.get("Assign", {}), variables, states)
        data = render(taken["Output"], variables, states) if "Output" in taken else states.get("result", data)
        variables.update(assigned)
        name = taken["Next"]


def render(template: Any, variables: Mapping[str, Any], states: Mapping[str, Any]) -> Any:
    """A template with its `{% %}` expressions evaluated."""
    if isinstance(template, Mapping):
        return {key: render(value, variables, states) for key, value in template.items()}
    if isinstance(template, list):
        return [render(value, variables, states) for value in template]
    if not isinstance(template, str) or not template.startswith("{%"):
        return template
    expression = Jsonata(template.removeprefix("{%").removesuffix("%}"))
    expression.set_output_convert_nulls(False)
    expression.register_lambda("parse", json.loads)
    frame = expression.create_frame()
    for name, value in {**variables, "states": states}.items():
        frame.bind(name, _with_nulls(value))
    value = expression.evaluate(None, frame)
    assert value is not None, f"{template} gives nothing; Step Functions ends with States.QueryEvaluationError"
    return _without_nulls(value)


def _with_nulls(value: Any) -> Any:
    """The port takes None for "undefined", and has a value of its own for null."""
    if isinstance(value, Mapping):
        return {key: _with_nulls(entry) for key, entry in value.items()}
    return Utils.NULL_VALUE if value is None else value


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nulls(entry) for key, entry in value.items()}
    return None if value is Utils.NULL_VALUE else value


def _holds(condition: str, variables: Mapping[str, Any], states: Mapping[str, Any]) -> bool:
    value = render(condition, variables, states)
    assert isinstance(value, bool), f"{condition} gives {value!r}; Step Functions takes true and false only"
    return value
