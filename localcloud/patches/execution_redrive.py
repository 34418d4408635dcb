"""RedriveExecution.

AWS: restarts a failed, timed out or aborted execution of a Standard machine from the state it stopped at, with that
state's input and workflow variables, the definition it started with and new retry counters; a Fail state is run again.
In an inline Map or a Parallel state, only the iterations and branches that failed, were aborted or had not begun are
run, each from the state it stopped at; the others keep their results. The execution keeps its ARN and history, is
`RUNNING` again, increments `redriveCount`, and its timeout starts again. Other executions are refused with
`ExecutionNotRedrivable`. DescribeExecution and ListExecutions include this information.
ministack 1.5.33: has no RedriveExecution.

Wraps `stepfunctions.handle_request`, `_describe_execution` and `_list_executions`. Not modeled: the 14 days after
which an execution can't be redriven.
"""

import contextvars
import copy
import json
import threading
from collections.abc import Mapping
from typing import Any

from ministack.core.responses import error_response_json, json_response, now_iso
from ministack.services import stepfunctions

from localcloud.patches.execution_loop import Place
from localcloud.patches.seam import Seam, check

_MODULE = "ministack.services.stepfunctions"
SEAMS = (
    Seam(_MODULE, "handle_request", ("method", "path", "headers", "body", "query_params")),
    Seam(_MODULE, "_finalize_response", ("response",)),
    Seam(_MODULE, "_describe_execution", ("data",)),
    Seam(_MODULE, "_list_executions", ("data",)),
    Seam(_MODULE, "_executions"),
    Seam(_MODULE, "_run_execution", ("exec_arn",)),
    Seam(_MODULE, "_add_event", ("execution", "event_type", "details")),
    Seam(_MODULE, "_emit_execution_status_event", ("execution",)),
)

_REDRIVABLE = ("FAILED", "TIMED_OUT", "ABORTED")
_lock = threading.Lock()


def install() -> None:
    """Add RedriveExecution, and its fields in other operations."""
    check(SEAMS)
    handle = stepfunctions.handle_request
    describe = stepfunctions._describe_execution
    list_all = stepfunctions._list_executions

    async def handle_request(
        method: str, path: str, headers: Mapping[str, str], body: bytes, query_params: Mapping[str, list[str]]
    ) -> Any:
        if headers.get("x-amz-target", "").endswith(".RedriveExecution"):
            return stepfunctions._finalize_response(_redrive(json.loads(body)))
        return await handle(method, path, headers, body, query_params)

    def describe_execution(data: dict[str, Any]) -> Any:
        answer = describe(data)
        execution = stepfunctions._executions.get(data.get("executionArn"))
        if execution is None:
            return answer
        return json_response({**json.loads(answer[2]), **_about_redrives(execution)})

    def list_executions(data: dict[str, Any]) -> Any:
        answer = list_all(data)
        if answer[0] != 200:
            return answer
        page = json.loads(answer[2])
        for item in page["executions"]:
            execution = stepfunctions._executions.get(item["executionArn"])
            if execution and execution.get("redriveCount"):
                item.update(redriveCount=execution["redriveCount"], redriveDate=execution["redriveDate"])
        return json_response(page)

    stepfunctions.handle_request = handle_request
    stepfunctions._describe_execution = describe_execution
    stepfunctions._list_executions = list_executions


def _about_redrives(execution: dict[str, Any]) -> dict[str, Any]:
    redrivable = execution["status"] in _REDRIVABLE
    about: dict[str, Any] = {
        "redriveCount": execution.get("redriveCount", 0),
        "redriveStatus": "REDRIVABLE" if redrivable else "NOT_REDRIVABLE",
    }
    if not redrivable:
        about["redriveStatusReason"] = _reason(execution)
    if execution.get("redriveDate"):
        about["redriveDate"] = execution["redriveDate"]
    return about


def _reason(execution: dict[str, Any]) -> str:
    return f"Execution is {execution['status']} and cannot be redriven"


def _resuming(place: Place) -> Place:
    """A copy of a place to resume from. Threads of the ended run may still use the original."""
    if "state" not in place:
        return {}
    resumed = {name: copy.deepcopy(value) for name, value in place.items() if name != "parts"}
    parts = {index: part if "output" in part else _resuming(part) for index, part in place.get("parts", {}).items()}
    return {**resumed, "parts": parts, "resuming": True}


def _redrive(data: dict[str, Any]) -> Any:
    arn = data.get("executionArn", "")
    token = data.get("clientToken")
    with _lock:
        execution = stepfunctions._executions.get(arn)
        if execution is None:
            return error_response_json("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'", 400)
        if token and execution.get("_redrive_token") == token:
            return json_response({"redriveDate": execution["redriveDate"]})
        if execution["status"] not in _REDRIVABLE:
            return error_response_json("ExecutionNotRedrivable", _reason(execution), 400)
        execution["redriveCount"] = execution.get("redriveCount", 0) + 1
        execution["redriveDate"] = now_iso()
        execution["_redrive_token"] = token
        execution["_resume"] = _resuming(execution.get("_position") or {})
        execution["status"] = "RUNNING"
        execution.update(stopDate=None, error=None, cause=None, output=None)
        stepfunctions._add_event(
            execution,
            "ExecutionRedriven",
            {"executionRedrivenEventDetails": {"redriveCount": execution["redriveCount"]}},
        )
    stepfunctions._emit_execution_status_event(execution)
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(stepfunctions._run_execution, arn), daemon=True).start()
    return json_response({"redriveDate": execution["redriveDate"]})
