"""Errors of Lambda functions have the same names as on AWS.

AWS: an exception ends an invocation with `errorType` = the exception's class, which Step Functions uses as the error
name that `Retry` and `Catch` match. A process that dies ends it with `Runtime.ExitError`.
ministack 1.5.33: both are `Runtime.HandlerError`, and a dead process has the message "Worker process died".

Extends the report of `lambda_runtime._PYTHON_WORKER_SCRIPT`, wraps `lambda_runtime.Worker.invoke` to keep it, and wraps
`lambda_svc._execute_function_warm` to return it.
"""

import re
import threading
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from localcloud.patches.seam import Seam, SeamMovedError, check

SEAMS = (
    Seam("ministack.core.lambda_runtime", "_PYTHON_WORKER_SCRIPT"),
    Seam(
        "ministack.core.lambda_runtime",
        "Worker.invoke",
        ("self", "event", "request_id", "trace_id", "depth", "durable", "invoked_function_arn"),
    ),
    Seam("ministack.services.lambda_svc", "_execute_function_warm", ("func", "event", "request_id")),
)

_REPORTED = '"trace": traceback.format_exc()}'
_REPORTED_WITH_TYPE = '"trace": traceback.format_exc(), "error_type": type(e).__name__}'
_TIMED_OUT = re.compile(r"Task timed out after .* seconds")

# An invocation runs on one thread from `_execute_function_warm` down to `Worker.invoke`.
_last = threading.local()


def install() -> None:
    """Name the errors of Lambda functions as AWS does."""
    check(SEAMS)
    script = lambda_runtime._PYTHON_WORKER_SCRIPT
    if script.count(_REPORTED) != 1:
        raise SeamMovedError(f"lambda_runtime._PYTHON_WORKER_SCRIPT no longer reports errors as {_REPORTED}")
    lambda_runtime._PYTHON_WORKER_SCRIPT = script.replace(_REPORTED, _REPORTED_WITH_TYPE)

    invoke = lambda_runtime.Worker.invoke
    execute = lambda_svc._execute_function_warm

    def invoke_keeping_the_error(
        self: Any,
        event: Any,
        request_id: str,
        *,
        trace_id: str | None = None,
        depth: Any = None,
        durable: dict[str, Any] | None = None,
        invoked_function_arn: str | None = None,
    ) -> Any:
        answer = invoke(
            self,
            event,
            request_id,
            trace_id=trace_id,
            depth=depth,
            durable=durable,
            invoked_function_arn=invoked_function_arn,
        )
        _last.error_type = _error_type(answer)
        return answer

    def execute_naming_the_error(func: dict[str, Any], event: Any, request_id: str) -> Any:
        _last.error_type = None
        result = execute(func, event, request_id)
        body = result.get("body")
        if result.get("error") and isinstance(body, dict) and _last.error_type:
            body["errorType"] = _last.error_type
            if _last.error_type == "Runtime.ExitError":
                body["errorMessage"] = f"RequestId: {request_id} Error: Runtime exited with error: signal: killed"
        return result

    lambda_runtime.Worker.invoke = invoke_keeping_the_error
    lambda_svc._execute_function_warm = execute_naming_the_error


def _error_type(answer: dict[str, Any]) -> str | None:
    if answer.get("status") != "error":
        return None
    if _TIMED_OUT.fullmatch(str(answer.get("error"))):
        return "Sandbox.Timedout"
    # A worker that is alive reports its error itself.
    return str(answer.get("error_type") or "Runtime.ExitError")
