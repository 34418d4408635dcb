"""Iterations of an inline Map, and branches of a Parallel state, run and end as in Step Functions.

AWS: an inline Map needs a JSON array and runs at most 40 iterations at a time, and at most `MaxConcurrency`. Its output
is the array of their outputs in the items' order. A failing iteration fails the Map with its error, and the others
stop; the same is true for a Parallel state's branches (Developer Guide, state-map-inline.html, state-parallel.html).
Inner states can read the outer variables, and their own variables are discarded. Their events are in the execution's
history. A redrive runs only the iterations and branches that did not succeed (API reference, RedriveExecution).
`ToleratedFailure*` is only for a distributed Map.
ministack 1.5.33: runs any number at a time, waits for all of them before it fails (forever, if one waits for a task
token), treats a value that is not an array as an array of one, repeats a Map as a whole, lets branches write each
other's variables, does not support `Output`, `Assign` and `Arguments` of a Parallel state in JSONata, and records no
events.

Replaces `stepfunctions._run_map_items` (not for distributed Maps) and `_run_parallel_branches`.
"""

import contextvars
import copy
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ministack.services import stepfunctions

from localcloud.patches.execution_loop import (
    ExecutionOverError,
    Place,
    Scope,
    current_place,
    current_scope,
    ensure_running,
    enter_scope,
    walk,
)
from localcloud.patches.seam import Seam, check

_MODULE = "ministack.services.stepfunctions"
SEAMS = (
    Seam(_MODULE, "_run_map_items", ("state_def", "raw_input", "execution", "ctx")),
    Seam(_MODULE, "_run_parallel_branches", ("state_def", "raw_input", "execution", "ctx")),
    Seam(_MODULE, "_with_retry_and_catch", ("state_def", "raw_input", "ctx", "attempt")),
    Seam(_MODULE, "_add_event", ("execution", "event_type", "details")),
    Seam(_MODULE, "_state_query_language", ("state_def", "ctx")),
    Seam(_MODULE, "_jsonata_state_field", ("state_def", "field", "expected", "raw_input", "ctx")),
    Seam(_MODULE, "_json_type", ("value",)),
    Seam(_MODULE, "_apply_jsonata_template", ("value", "raw_input", "ctx", "result", "error_output")),
    Seam(_MODULE, "_apply_jsonata_arguments", ("state_def", "raw_input", "ctx")),
    Seam(_MODULE, "_apply_jsonata_output", ("state_def", "raw_input", "ctx", "result", "error_output", "default")),
    Seam(_MODULE, "_apply_state_assign", ("state_def", "raw_input", "ctx", "result", "error_output")),
    Seam(_MODULE, "_apply_input_path", ("state_def", "data", "ctx")),
    Seam(_MODULE, "_apply_parameters", ("state_def", "data", "ctx")),
    Seam(_MODULE, "_apply_result_selector", ("state_def", "data")),
    Seam(_MODULE, "_apply_result_path", ("state_def", "original", "result")),
    Seam(_MODULE, "_apply_output_path", ("state_def", "data", "ctx")),
    Seam(_MODULE, "_resolve_path_or_ctx", ("path", "data", "ctx")),
    Seam(_MODULE, "_resolve_params_obj", ("template", "data", "ctx")),
    Seam(_MODULE, "_next_or_end", ("state_def",)),
    Seam(_MODULE, "_ExecutionError", ("error", "cause")),
)

MOST_ITERATIONS_AT_A_TIME = 40  # Developer Guide, state-map-inline.html


@dataclass(frozen=True, slots=True)
class _Part:
    """An iteration or a branch.

    Attributes:
        machine: its `StartAt` and `States`.
        prepared: makes its input and its own context object.
        event: the prefix and the details of its events; None if it has no events.
    """

    machine: Mapping[str, Any]
    prepared: Callable[[], tuple[Any, dict[str, Any]]]
    event: tuple[str, dict[str, Any]] | None = None


def install() -> None:
    """Run iterations and branches as AWS does."""
    check(SEAMS)
    run_distributed = stepfunctions._run_map_items

    def run_map_items(state: dict[str, Any], data: Any, execution: dict[str, Any], context: dict[str, Any]) -> Any:
        processor = state.get("ItemProcessor") or state.get("Iterator") or {}
        if (processor.get("ProcessorConfig") or {}).get("Mode") == "DISTRIBUTED":
            return run_distributed(state, data, execution, context)
        return _run_map(state, processor, data, execution, context)

    stepfunctions._run_map_items = run_map_items
    stepfunctions._run_parallel_branches = _run_parallel


def _run_map(
    state: dict[str, Any], processor: Mapping[str, Any], data: Any, execution: dict[str, Any], context: dict[str, Any]
) -> tuple[Any, str | None]:
    effective = stepfunctions._apply_input_path(state, data, context)
    is_jsonata = _is_jsonata(state, context)
    place = current_place()
    items = place["items"] if place.get("resuming") and "items" in place else _items(state, data, effective, context)
    place["items"] = items
    most = state.get("MaxConcurrency", 0)
    if is_jsonata and "MaxConcurrency" in state:
        most = stepfunctions._jsonata_state_field(state, "MaxConcurrency", "number", data, context)
    selector = state.get("ItemSelector") or state.get("Parameters")

    def prepared(index: int, item: Any) -> tuple[Any, dict[str, Any]]:
        own = copy.deepcopy(context)
        own["Map"] = {"Item": {"Index": index, "Value": item}}
        if not selector:
            return item, own
        if is_jsonata:
            return stepfunctions._apply_jsonata_template(selector, data, own), own
        return stepfunctions._resolve_params_obj(selector, effective, own), own

    name = context["State"]["Name"]
    parts = [
        _Part(processor, partial(prepared, index, item), ("MapIteration", {"name": name, "index": index}))
        for index, item in enumerate(items)
    ]
    most = min(int(most) or MOST_ITERATIONS_AT_A_TIME, MOST_ITERATIONS_AT_A_TIME)
    started = {"mapStateStartedEventDetails": {"length": len(items)}}
    results = _run_parts(parts, most, execution, "MapState", started)
    return _finished(state, data, context, results)


def _items(state: dict[str, Any], data: Any, effective: Any, context: dict[str, Any]) -> list[Any]:
    if not _is_jsonata(state, context):
        items = stepfunctions._resolve_path_or_ctx(state.get("ItemsPath", "$"), effective, context)
    elif "Items" in state:
        items = stepfunctions._jsonata_state_field(state, "Items", "array", data, context)
    else:
        items = data
    if not isinstance(items, list):
        error = "States.QueryEvaluationError" if _is_jsonata(state, context) else "States.Runtime"
        raise stepfunctions._ExecutionError(
            error, f"A Map state needs an array of items, but got: '{stepfunctions._json_type(items)}'"
        )
    return items


def _run_parallel(
    state: dict[str, Any], data: Any, execution: dict[str, Any], context: dict[str, Any]
) -> tuple[Any, str | None]:
    if _is_jsonata(state, context):
        effective = stepfunctions._apply_jsonata_arguments(state, data, context)
    else:
        effective = stepfunctions._apply_input_path(state, data, context)
        effective = stepfunctions._apply_parameters(state, effective, context)
    branches = state["Branches"]
    parts = [_Part(branch, lambda: (copy.deepcopy(effective), copy.deepcopy(context))) for branch in branches]
    results = _run_parts(parts, len(parts), execution, "ParallelState", {})
    return _finished(state, data, context, results)


def _finished(state: dict[str, Any], data: Any, context: dict[str, Any], results: Any) -> tuple[Any, str | None]:
    """The state's output, and the next state's name."""
    if _is_jsonata(state, context):
        output = stepfunctions._apply_jsonata_output(state, data, context, result=results, default=results)
        stepfunctions._apply_state_assign(state, data, context, result=results)
    else:
        output = stepfunctions._apply_result_selector(state, results)
        output = stepfunctions._apply_result_path(state, data, output)
        output = stepfunctions._apply_output_path(state, output, context)
    return output, stepfunctions._next_or_end(state)


def _is_jsonata(state: dict[str, Any], context: dict[str, Any]) -> bool:
    return bool(stepfunctions._state_query_language(state, context) == "JSONata")


def _run_parts(
    parts: Sequence[_Part], most_at_a_time: int, execution: dict[str, Any], event: str, started: dict[str, Any]
) -> list[Any]:
    """Run iterations or branches. Returns their outputs in order.

    Raises:
        ministack's `_ExecutionError`: one of them failed; what the others still do has no effect.
        ExecutionOverError: the execution has ended.
    """
    place = current_place()
    places: dict[int, Place] = place.get("parts", {}) if place.pop("resuming", False) else {}
    place["parts"] = places
    stepfunctions._add_event(execution, f"{event}Started", started)
    gathering = _Gathering(parts, places, execution)
    outer = current_scope()
    take_back = outer.call_at_end(gathering.scope.end)
    try:
        # Threads that wait for a Lambda function run until it returns; after a failure they are not waited for.
        gathering.run(most_at_a_time)
    finally:
        take_back()
        gathering.scope.end()
    if gathering.failure is not None:
        ensure_running()
        gathering.tell_aborted()
        stepfunctions._add_event(execution, f"{event}Failed")
        raise gathering.failure
    ensure_running()
    stepfunctions._add_event(execution, f"{event}Succeeded")
    return [places[index]["output"] for index in range(len(parts))]


class _Gathering:
    """The parts of a Map or Parallel state while they run."""

    def __init__(self, parts: Sequence[_Part], places: dict[int, Place], execution: dict[str, Any]) -> None:
        self.scope = Scope()
        self.failure: Exception | None = None
        self._parts = parts
        self._places = places
        self._execution = execution
        self._lock = threading.Lock()
        self._waiting = [index for index in range(len(parts)) if "output" not in places.get(index, {})]
        self._running: set[int] = set()
        self._open = len(self._waiting)
        self._finished = threading.Event()

    def run(self, most_at_a_time: int) -> None:
        """Run the parts until all have ended, one has failed, or the scope has ended."""
        self._waiting.reverse()  # taken from its end
        if not self._waiting:
            return
        self.scope.call_at_end(self._finished.set)
        for _ in range(min(most_at_a_time, len(self._waiting))):
            # Each thread has its own context, because two threads can't enter the same one.
            context = contextvars.copy_context()
            threading.Thread(target=context.run, args=(self._work,), daemon=True, name="gatehouse-iteration").start()
        self._finished.wait()

    def tell_aborted(self) -> None:
        """Add the events of the parts that stop because another failed."""
        with self._lock:
            aborted = sorted(self._running)
        for index in aborted:
            self._tell(index, "Aborted")

    def _work(self) -> None:
        enter_scope(self.scope)
        while True:
            with self._lock:
                if self.scope.is_over or not self._waiting:
                    return
                index = self._waiting.pop()
                self._running.add(index)
            try:
                self._run_part(index)
            except ExecutionOverError:
                return
            except Exception as failure:
                self._fail(index, failure)
                return
            with self._lock:
                self._running.discard(index)
                self._open -= 1
                if not self._open:
                    self._finished.set()

    def _run_part(self, index: int) -> None:
        part = self._parts[index]
        place = self._places.setdefault(index, {})
        self._tell(index, "Started")
        data, context = part.prepared()
        output = walk(part.machine, data, self._execution, context, place)
        self._places[index] = {"output": output}
        self._tell(index, "Succeeded")

    def _fail(self, index: int, failure: Exception) -> None:
        with self._lock:
            is_first = self.failure is None and not self.scope.is_over
            if is_first:
                self._running.discard(index)
                self.failure = (
                    failure
                    if isinstance(failure, stepfunctions._ExecutionError)
                    else stepfunctions._ExecutionError("States.Runtime", str(failure))
                )
        if is_first:
            self._tell(index, "Failed")
            self.scope.end()

    def _tell(self, index: int, what: str) -> None:
        event = self._parts[index].event
        if event:
            prefix, details = event
            stepfunctions._add_event(self._execution, f"{prefix}{what}", {f"mapIteration{what}EventDetails": details})
