"""Makes faults strike the requests of Lambda functions, between the server and ministack."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qs, unquote_plus

from hypercorn.protocol.http_stream import ASGIHTTPState
from ministack.core import iam_actions, router

from localcloud.admin_path import at_path, read_body
from localcloud.browser_guard import Application, Receive, Scope, Send
from localcloud.faults import armed
from localcloud.faults.call_fault import OF_FUNCTIONS, Action, CallFault, When, item_count
from localcloud.faults.error_answers import Answer, Error, error_answer
from localcloud.faults.partial_failures import failing_in_part, partial_failure
from localcloud.patches.lambda_workers import LambdaWorker, worker_of
from localcloud.patches.seam import Seam, check

SEAMS = (
    Seam("ministack.core.router", "detect_service", ("method", "path", "headers", "query_params")),
    Seam(
        "ministack.core.iam_actions",
        "extract_iam_action",
        ("service", "method", "path", "headers", "body", "query_params"),
    ),
    Seam("hypercorn.protocol.http_stream", "HTTPStream.app_send", ("self", "message")),
    Seam("hypercorn.protocol.http_stream", "ASGIHTTPState.CLOSED"),
)

_FORM = "application/x-www-form-urlencoded"
_DEATH_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class _Request:
    """A request from a Lambda function.

    Attributes:
        names: its names, as action and as operation.
        text: its path and body, as compared with a fault's `matching`.
        receive: returns the body again.
    """

    scope: Scope
    worker: LambdaWorker
    service: str
    headers: Mapping[str, str]
    body: bytes
    names: frozenset[str]
    text: str
    receive: Receive


def injected(application: Application) -> Application:
    """Wrap an ASGI application so that armed faults strike, and can be armed.

    Raises:
        SeamMovedError: ministack or the server is not the version that this was written for.
    """
    check(SEAMS)

    async def with_faults(scope: Scope, receive: Receive, send: Send) -> None:
        worker = _worker(scope) if armed.are_there() and scope["type"] == "http" else None
        if worker is None or not armed.may_strike(worker.function):
            await application(scope, receive, send)
            return
        request = _request(scope, worker, await read_body(receive), receive)
        fault = armed.at_call(worker.function, request.names, request.text, OF_FUNCTIONS)
        if fault is None:
            await application(scope, request.receive, send)
        else:
            await _STRIKES[fault.action](fault, request, application, send)

    return at_path(armed.ADMIN_PATH, armed.administer, with_faults)


async def _kill(fault: CallFault, request: _Request, application: Application, send: Send) -> None:
    del send
    await _effect(fault, request, application)
    request.worker.process.kill()
    # The caller must be dead before the connection closes, or it would see an error instead.
    await asyncio.to_thread(request.worker.process.wait, _DEATH_SECONDS)


async def _error(fault: CallFault, request: _Request, application: Application, send: Send) -> None:
    await _effect(fault, request, application)
    error = Error(fault.code, fault.message, fault.status)
    await _answer(error_answer(error, request.service, request.headers), send)


async def _disconnect(fault: CallFault, request: _Request, application: Application, send: Send) -> None:
    await _effect(fault, request, application)
    # ASGI has no message for this. If a response counts as complete, the server only closes the connection.
    stream: Any = send.__self__  # type: ignore[attr-defined]
    stream.state = ASGIHTTPState.CLOSED


async def _delay(fault: CallFault, request: _Request, application: Application, send: Send) -> None:
    if fault.when is When.BEFORE:
        await asyncio.sleep(fault.seconds)
        await application(request.scope, request.receive, send)
        return
    messages: list[MutableMapping[str, Any]] = []
    await application(request.scope, request.receive, partial(_keep, messages))
    await asyncio.sleep(fault.seconds)
    for message in messages:
        await send(message)


async def _cancel(fault: CallFault, request: _Request, application: Application, send: Send) -> None:
    del application
    body = json.dumps(fault.cancellation(item_count(request.body))).encode()
    await _answer((400, {"Content-Type": "application/x-amz-json-1.0"}, body), send)


async def _partial(fault: CallFault, request: _Request, application: Application, send: Send) -> None:
    with failing_in_part(partial_failure(request.names, request.body, fault.entries, fault.code)):
        await application(request.scope, request.receive, send)


_STRIKES: Mapping[Action, Callable[[CallFault, _Request, Application, Send], Awaitable[None]]] = {
    Action.KILL: _kill,
    Action.ERROR: _error,
    Action.DISCONNECT: _disconnect,
    Action.DELAY: _delay,
    Action.CANCEL: _cancel,
    Action.PARTIAL: _partial,
}


async def _effect(fault: CallFault, request: _Request, application: Application) -> None:
    """Make the call if the fault strikes after its effect; the answer is discarded."""
    if fault.when is When.AFTER:
        await application(request.scope, request.receive, partial(_keep, []))


def _worker(scope: Scope) -> LambdaWorker | None:
    for name, value in scope["headers"]:
        if name == b"user-agent":
            return worker_of(value.decode("latin-1"))
    return None


def _request(scope: Scope, worker: LambdaWorker, body: bytes, receive: Receive) -> _Request:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    query = parse_qs(scope.get("query_string", b"").decode(), keep_blank_values=True)
    method, path = scope["method"], scope["path"]
    service = router.detect_service(method, path, headers, query)
    action = iam_actions.extract_iam_action(service, method, path, headers, body, query)
    form = body.decode() if headers.get("content-type", "").startswith(_FORM) else ""
    return _Request(
        scope=scope,
        worker=worker,
        service=service,
        headers=headers,
        body=body,
        names=_names(action, method, headers, form) if action else frozenset(),
        text=f"{path}\n{unquote_plus(form) if form else _plain(body)}",
        receive=_replaying(body, receive),
    )


def _plain(body: bytes) -> str:
    """A body as text; in JSON, non-ASCII characters are not escaped."""
    try:
        return json.dumps(json.loads(body), ensure_ascii=False)
    except ValueError:
        return body.decode("utf-8", "replace")


def _names(action: str, method: str, headers: Mapping[str, str], form: str) -> frozenset[str]:
    """A request's action, and its operation if the request names it."""
    operation = headers.get("x-amz-target", "").rpartition(".")[2] or parse_qs(form).get("Action", [""])[0]
    if method == "HEAD" and action.startswith("s3:GetObject"):
        operation = "HeadObject"
    return frozenset({action, f"{action.partition(':')[0]}:{operation}" if operation else action})


def _replaying(body: bytes, receive: Receive) -> Receive:
    """`receive` for a request whose body has been read."""
    pending: list[MutableMapping[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> MutableMapping[str, Any]:
        return pending.pop() if pending else await receive()

    return replayed


async def _keep(messages: list[MutableMapping[str, Any]], message: MutableMapping[str, Any]) -> None:
    messages.append(message)


async def _answer(answer: Answer, send: Send) -> None:
    status, headers, body = answer
    encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
