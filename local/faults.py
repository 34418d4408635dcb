"""Faults: kill a Lambda worker at an exact point of its work, to see whether anything is lost or done twice.

`POST /_gatehouse/faults` arms one, `GET` lists them with what they have seen and done, `DELETE` clears them all:

    {"function": "Batcher", "call": "s3:PutObject", "when": "after", "nth": 2, "times": 1, "action": "kill"}

- `function`: part of the Lambda function's name.
- `call`: an AWS API call as its IAM action (`dynamodb:TransactWriteItems`, `states:StartExecution`); a batch call
  counts as the action it is authorised as (`sns:Publish`).
- `when`: `before` the call takes effect, or `after` it took effect and before the function sees the answer.
- `nth` (default 1): the n-th such call since the fault was armed; the following ones too, `times` (default 1) in all.
- `action`: `kill`, a SIGKILL to the worker process that made the call.

While no fault is armed a request costs one look at an empty list.
"""

import asyncio
import json
from collections.abc import Mapping, MutableMapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qs

from ministack.core import iam_actions, router

from local.admin_path import at_path, read_body
from local.browser_guard import Application, Receive, Scope, Send
from local.patches.lambda_workers import LambdaWorker, worker_of

ADMIN_PATH = "/_gatehouse/faults"

_JSON = {"Content-Type": "application/json"}
_DEATH_SECONDS = 5.0


class When(StrEnum):
    """The side of a call's effect a fault strikes on."""

    BEFORE = "before"
    AFTER = "after"


class Action(StrEnum):
    """What a fault does."""

    KILL = "kill"


class FaultError(ValueError):
    """A fault that can't be armed as asked."""


@dataclass(slots=True)
class Fault:
    """An armed fault; see the module for the fields.

    Attributes:
        seen: matching calls since it was armed.
        fired: how often it struck.
    """

    function: str
    call: str
    when: When
    nth: int = 1
    times: int = 1
    action: Action = Action.KILL
    seen: int = 0
    fired: int = 0

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Fault":
        """Read a fault.

        Raises:
            FaultError: a field is missing, unknown or of the wrong kind.
        """
        known = {field.name for field in fields(cls)} - {"seen", "fired"}
        if unknown := sorted(set(document) - known):
            raise FaultError(f"Unknown: {', '.join(unknown)}. A fault has {', '.join(sorted(known))}.")
        if missing := sorted({"function", "call", "when"} - set(document)):
            raise FaultError(f"Missing: {', '.join(missing)}.")
        for name in ("function", "call"):
            if not isinstance(document[name], str) or not document[name]:
                raise FaultError(f"{name} must be a string that is not empty.")
        for name in ("nth", "times"):
            if not isinstance(document.get(name, 1), int) or document.get(name, 1) < 1:
                raise FaultError(f"{name} must be a whole number from 1.")
        try:
            when, action = When(document["when"]), Action(document.get("action", Action.KILL))
        except ValueError as error:
            raise FaultError(f"when is before or after, action is kill: {error}.") from error
        return cls(**{**document, "when": when, "action": action})

    def strikes(self, function: str, call: str) -> bool:
        """Count a call if it matches. Whether the fault strikes at it."""
        if self.function not in function or self.call != call:
            return False
        self.seen += 1
        if not self.nth <= self.seen < self.nth + self.times:
            return False
        self.fired += 1
        return True


# Only used on the event loop's thread.
_armed: list[Fault] = []


def injected(application: Application) -> Application:
    """Wrap an ASGI application so that armed faults strike, and can be armed."""

    async def with_faults(scope: Scope, receive: Receive, send: Send) -> None:
        worker = _worker(scope) if _armed and scope["type"] == "http" else None
        if worker is None or not any(fault.function in worker.function for fault in _armed):
            await application(scope, receive, send)
            return
        body = await read_body(receive)
        call = _call(scope, body)
        fault = next((fault for fault in _armed if call and fault.strikes(worker.function, call)), None)
        replayed = _replaying(body, receive)
        if fault is None:
            await application(scope, replayed, send)
            return
        if fault.when is When.AFTER:
            await application(scope, replayed, _discard)
        await _kill(worker)

    return at_path(ADMIN_PATH, _administer, with_faults)


def _administer(method: str, body: bytes) -> tuple[int, Mapping[str, str], bytes]:
    if method == "DELETE":
        _armed.clear()
    elif method == "POST":
        try:
            document = json.loads(body)
            if not isinstance(document, dict):
                raise FaultError("A fault is a JSON object.")
            _armed.append(Fault.from_document(document))
        except ValueError as error:  # FaultError and JSONDecodeError are
            return 400, _JSON, json.dumps({"message": str(error)}).encode()
    elif method != "GET":
        return 405, _JSON, json.dumps({"message": "GET, POST or DELETE."}).encode()
    return 200, _JSON, json.dumps({"faults": [asdict(fault) for fault in _armed]}).encode()


def _worker(scope: Scope) -> LambdaWorker | None:
    for name, value in scope["headers"]:
        if name == b"user-agent":
            return worker_of(value.decode("latin-1"))
    return None


def _call(scope: Scope, body: bytes) -> str | None:
    """The IAM action of a request."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    query = parse_qs(scope.get("query_string", b"").decode(), keep_blank_values=True)
    method, path = scope["method"], scope["path"]
    service = router.detect_service(method, path, headers, query)
    call: str | None = iam_actions.extract_iam_action(service, method, path, headers, body, query)
    return call


def _replaying(body: bytes, receive: Receive) -> Receive:
    """`receive` for a request whose body has been read."""
    pending: list[MutableMapping[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> MutableMapping[str, Any]:
        return pending.pop() if pending else await receive()

    return replayed


async def _discard(message: MutableMapping[str, Any]) -> None:
    del message


async def _kill(worker: LambdaWorker) -> None:
    worker.process.kill()
    # The caller must be dead before the connection closes, or it would see an error instead.
    await asyncio.to_thread(worker.process.wait, _DEATH_SECONDS)
