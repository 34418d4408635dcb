"""Recursive loops are stopped, whichever services they go through.

AWS: Lambda counts how many times a chain of requests through Lambda, SQS and SNS has invoked each function. The count
is in the trace header: a function gets it as `_X_AMZN_TRACE_ID`, AWS's SDKs add it to each request, SQS stores it as
the message's `AWSTraceHeader`, and SNS passes it on. After about 16 invocations the next one is refused, unless the
function has `RecursiveLoop: Allow`: the caller gets RecursiveInvocationException, the handler does not run, a queue's
message stays, is delivered again, and ends in the dead-letter queue if there is one; the metric
RecursiveInvocationsDropped counts it (Lambda Developer Guide, invocation-recursion.html; AWS Compute Blog, "Detecting
and stopping recursive loops in AWS Lambda functions"). A batch with messages from several chains is not documented.
ministack 1.5.33: counts only Invoke calls from function to function, regardless of which functions, in its own header,
and nothing through SQS and SNS. A template's `RecursiveLoop` is ignored.

The header's count is `Lineage=a87bd80c:1|68fd508a:5`: a hash of each function and its invocations, as documented
earlier in the X-Ray Developer Guide (xray-concepts.html); the meaning of the numbers in today's `25:a87bd80c:1` is not
documented. A batch has the highest count of its messages.

Wraps the entries of Lambda, SQS and SNS in `app.SERVICE_HANDLERS`, `lambda_svc._execute_function_dispatch`, which every
invocation passes once, `lambda_svc._recursive_loop_drop`, which still refuses and counts, and the functions that set an
SQS message's attributes. Replaces `lambda_svc._xray_trace_id_for_invocation`. Wraps `create` and `update` of functions
in `provisioners._RESOURCE_HANDLERS`.
"""

import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import unquote

from ministack import app
from ministack.services import lambda_svc, sqs
from ministack.services.cloudformation import provisioners

from localcloud.patches.seam import Seam, check

_LAMBDA = "ministack.services.lambda_svc"
_PROVISIONERS = "ministack.services.cloudformation.provisioners"
SEAMS = (
    Seam("ministack.app", "SERVICE_HANDLERS"),
    Seam(_LAMBDA, "_functions"),
    Seam(_LAMBDA, "_func_arn", ("name",)),
    Seam(_LAMBDA, "_execute_function_dispatch", ("func", "config", "event", "request_id", "started")),
    Seam(_LAMBDA, "_recursive_loop_drop", ("name", "func", "depth")),
    Seam(_LAMBDA, "_xray_trace_id_for_invocation", ("config", "inbound_trace_header")),
    Seam(_LAMBDA, "_put_function_recursion_config", ("func_name", "data")),
    Seam("ministack.services.sqs", "_build_send_sys_attrs", ("now", "sys_attrs_input")),
    Seam("ministack.services.sqs", "_ensure_msg_fields", ("m",)),
    Seam(_PROVISIONERS, "_RESOURCE_HANDLERS"),
    Seam(_PROVISIONERS, "_lambda_create", ("logical_id", "props", "stack_name")),
    Seam(_PROVISIONERS, "_lambda_update", ("physical_id", "old_props", "new_props", "stack_name", "logical_id")),
)

_HEADER = "x-amzn-trace-id"
_ATTRIBUTE = "AWSTraceHeader"
_LINEAGE = "Lineage"
_COUNT = re.compile(r"([0-9a-f]{8}):(\d{1,9})")

_Handler = Callable[[str, str, dict[str, str], Any, Any], Awaitable[tuple[int, dict[str, str], Any]]]

#: The trace header of the current request or invocation. ministack's threads inherit it.
_trace: ContextVar[str] = ContextVar("gatehouse_trace", default="")

#: Whether the current request is an asynchronous invocation, which is accepted before Lambda checks the chain.
_is_accepted: ContextVar[bool] = ContextVar("gatehouse_is_accepted", default=False)


@dataclass(frozen=True, slots=True)
class _Chain:
    """A chain of requests.

    Attributes:
        trace: its trace header without the counts; empty if it has none yet.
        invocations: how many times it has invoked each function, by the function's hash.
    """

    trace: str
    invocations: Mapping[str, int]

    @classmethod
    def of(cls, headers: Iterable[str]) -> "_Chain":
        """Read trace headers in any format; those of a batch form one chain."""
        trace = ""
        invocations: dict[str, int] = {}
        for header in headers:
            fields = [field for field in header.split(";") if field]
            trace = trace or ";".join(field for field in fields if not field.startswith(f"{_LINEAGE}="))
            for field in fields:
                if field.startswith(f"{_LINEAGE}="):
                    for function, count in _COUNT.findall(field):
                        invocations[function] = max(invocations.get(function, 0), int(count))
        return cls(trace, invocations)

    def invoking(self, function: str) -> "_Chain":
        """The chain with one more invocation of a function."""
        return _Chain(self.trace, {**self.invocations, _hash_of(function): self.invocations_of(function) + 1})

    def invocations_of(self, function: str) -> int:
        """How many times it has invoked a function."""
        return self.invocations.get(_hash_of(function), 0)

    def header(self, otherwise: str) -> str:
        """The trace header with the counts; `otherwise` with the counts if there was none."""
        lineage = "|".join(f"{function}:{count}" for function, count in self.invocations.items())
        return f"{self.trace or otherwise};{_LINEAGE}={lineage}"


def install() -> None:
    """Count invocations as Lambda does, and refuse those in a loop."""
    check(SEAMS)
    for service in ("lambda", "sqs", "sns"):
        app.SERVICE_HANDLERS[service] = partial(_handle, app.SERVICE_HANDLERS[service])
    _refuse_loops()
    _keep_traces_of_messages()
    _apply_setting_of_templates()


async def _handle(
    handler: _Handler, method: str, path: str, headers: dict[str, str], body: Any, query_params: Any
) -> tuple[int, dict[str, str], Any]:
    trace = _trace.set(unquote(headers.get(_HEADER, "")))  # botocore quotes the | between counts
    is_accepted = _is_accepted.set(headers.get("x-amz-invocation-type") == "Event")
    try:
        return await handler(method, path, headers, body, query_params)
    finally:
        _trace.reset(trace)
        _is_accepted.reset(is_accepted)


def _refuse_loops() -> None:
    drop, dispatch = lambda_svc._recursive_loop_drop, lambda_svc._execute_function_dispatch
    new_trace = lambda_svc._xray_trace_id_for_invocation

    def drop_by_lineage(name: str, func: Mapping[str, Any], depth: int) -> Any:
        del depth
        if _is_accepted.get():
            return None
        return drop(name, func, _Chain.of([_trace.get()]).invoking(name).invocations_of(name))

    def dispatch_unless_looping(
        func: dict[str, Any], config: dict[str, Any], event: Any, request_id: str, started: float
    ) -> Any:
        name = config["FunctionName"]
        chain = _Chain.of([_trace.get(), *_traces_of_messages(event)]).invoking(name)
        refused = drop(name, lambda_svc._functions.get(name) or func, chain.invocations_of(name))
        if refused is not None:
            message = json.loads(refused[2])["message"]
            return {"body": {"errorType": "RecursiveInvocationException", "errorMessage": message}, "error": True}
        token = _trace.set(chain.header(otherwise=_begun_trace(config)))
        try:
            return dispatch(func, config, event, request_id, started)
        finally:
            _trace.reset(token)

    def _begun_trace(config: Mapping[str, Any]) -> str:
        """A new trace header; for a function without tracing, only its root."""
        return str(new_trace(config) or new_trace({"TracingConfig": {"Mode": "Active"}}).partition(";")[0])

    def trace_of_invocation(config: Mapping[str, Any], inbound_trace_header: str | None = None) -> str:
        del config, inbound_trace_header
        return _trace.get()

    lambda_svc._recursive_loop_drop = drop_by_lineage
    lambda_svc._execute_function_dispatch = dispatch_unless_looping
    lambda_svc._xray_trace_id_for_invocation = trace_of_invocation


def _keep_traces_of_messages() -> None:
    attributes_of_sent, complete = sqs._build_send_sys_attrs, sqs._ensure_msg_fields

    def attributes_with_trace(now: float, sys_attrs_input: dict[str, Any]) -> dict[str, Any]:
        attributes: dict[str, Any] = attributes_of_sent(now, sys_attrs_input)
        return _with_trace(attributes)

    def complete_with_trace(m: dict[str, Any]) -> None:
        is_new = "sys" not in m  # sent by SNS
        complete(m)
        if is_new:
            m["sys"] = _with_trace(m["sys"])

    sqs._build_send_sys_attrs = attributes_with_trace
    sqs._ensure_msg_fields = complete_with_trace


def _with_trace(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """A message's attributes with the request's trace header, unless its sender set one."""
    trace = _trace.get()
    return {**({_ATTRIBUTE: trace} if trace else {}), **attributes}


def _traces_of_messages(event: Any) -> list[str]:
    """The trace headers of an event's messages, if it is a batch from a queue."""
    records = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(records, list):
        return []
    attributes = [record.get("attributes") for record in records if isinstance(record, dict)]
    return [str(each[_ATTRIBUTE]) for each in attributes if isinstance(each, dict) and _ATTRIBUTE in each]


def _apply_setting_of_templates() -> None:
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
    create, update = handlers["create"], handlers["update"]

    def create_function(logical_id: str, props: Mapping[str, Any], stack_name: str) -> Any:
        created = create(logical_id, props, stack_name)
        _set(created[0], props)
        return created

    def update_function(
        physical_id: str,
        old_props: Mapping[str, Any],
        new_props: Mapping[str, Any],
        stack_name: str,
        logical_id: str | None = None,
    ) -> Any:
        updated = update(physical_id, old_props, new_props, stack_name, logical_id)
        _set(updated[0], new_props)
        return updated

    handlers["create"], handlers["update"] = create_function, update_function


def _set(function: str, properties: Mapping[str, Any]) -> None:
    setting = {"RecursiveLoop": properties.get("RecursiveLoop", "Terminate")}
    status, _, body = lambda_svc._put_function_recursion_config(function, setting)
    if status >= 400:
        raise ValueError(f"AWS::Lambda::Function: {body!r}")


def _hash_of(function: str) -> str:
    """A function's hash in the header, from its name, account and Region."""
    return hashlib.sha256(lambda_svc._func_arn(function).encode()).hexdigest()[:8]
