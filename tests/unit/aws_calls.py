"""Watches and disturbs the calls of boto3 clients: counts them, answers in AWS's place, kills the caller around one."""

import io
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from botocore.awsrequest import AWSResponse
from botocore.client import BaseClient
from botocore.compat import HTTPHeaders

Answer = Callable[[Mapping[str, Any]], dict[str, Any] | None]


class Killed(BaseException):
    """The function's process ends here. No `except Exception` may survive it, as none survives a real kill."""


@dataclass
class AwsCalls:
    """What the watched clients have called, by operation name, whatever the answer was.

    Attributes:
        made: operation -> calls so far.
    """

    made: Counter[str] = field(default_factory=Counter)
    _kills: dict[tuple[str, str, int], None] = field(default_factory=dict)
    _done: Counter[str] = field(default_factory=Counter)
    _answers: dict[str, list[tuple[int, dict[str, Any]]]] = field(default_factory=dict)
    _standing_answers: dict[str, Answer] = field(default_factory=dict)
    _refusals: Counter[str] = field(default_factory=Counter)
    _interruptions: dict[tuple[str, int], Callable[[], object]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def watch(self, *clients: BaseClient) -> None:
        """Watch these clients from now on."""
        for client in clients:
            client.meta.events.register_first("before-call", self._before)
            client.meta.events.register_last("after-call", self._after)
            client.meta.events.register_first("before-send", self._send)

    def kill(self, operation: str, when: Literal["before", "after"], nth: int = 1) -> None:
        """Kill the caller at the nth call of this operation from now on, before or after it takes effect."""
        done = self.made if when == "before" else self._done
        self._kills[operation, when, done[operation] + nth] = None

    def answer_next(self, operation: str, body: dict[str, Any], status: int = 200) -> None:
        """Answer the next call of this operation (after earlier such answers) without AWS hearing of it."""
        self._answers.setdefault(operation, []).append((status, body))

    def answer_always(self, operation: str, answer: Answer) -> None:
        """Answer every call of this operation without AWS; `answer` gets the request as it would go over the wire.

        What it raises, botocore raises; where it returns None, AWS is asked after all.
        """
        self._standing_answers[operation] = answer

    def throttle(self, operation: str, times: int) -> None:
        """Refuse the next tries of this operation, botocore's own among them, as DynamoDB does where they are many."""
        self._refusals[operation] += times

    def interrupt(self, operation: str, action: Callable[[], object], nth: int = 1) -> None:
        """Let something else happen, once, just before the nth call of this operation from now on."""
        self._interruptions[operation, self.made[operation] + nth] = action

    def _before(self, model: Any, params: Mapping[str, Any], **_: object) -> Any:
        """Returns what botocore takes for the answer, response and body, or None to let it ask AWS."""
        operation: str = model.name
        if action := self._interruptions.pop((operation, self.made[operation] + 1), None):
            action()
        with self._lock:
            self.made[operation] += 1
            count = self.made[operation]
        self._kill_if_due(operation, "before", count)
        with self._lock:
            status, body = self._answers[operation].pop(0) if self._answers.get(operation) else (200, None)
        if body is None and operation in self._standing_answers:
            body = self._standing_answers[operation](params)
        if body is None:
            return None
        status = body.setdefault("ResponseMetadata", {"HTTPStatusCode": status})["HTTPStatusCode"]
        return AWSResponse("https://aws.invalid/", status, HTTPHeaders(), None), body

    def _send(self, request: Any, event_name: str, **_: object) -> Any:
        """Returns what botocore takes for the answer to one try, or None to let it ask AWS."""
        operation = event_name.rpartition(".")[2]
        with self._lock:
            if not self._refusals[operation]:
                return None
            self._refusals[operation] -= 1
        return AWSResponse(request.url, 400, HTTPHeaders(), _Streamed(b'{"__type": "x#ThrottlingException"}'))

    def _after(self, model: Any, **_: object) -> None:
        with self._lock:
            self._done[model.name] += 1
            count = self._done[model.name]
        self._kill_if_due(model.name, "after", count)

    def _kill_if_due(self, operation: str, when: str, count: int) -> None:
        if (operation, when, count) in self._kills:
            del self._kills[operation, when, count]
            raise Killed(f"{when} {operation}")


class _Streamed(io.BytesIO):
    """A body as urllib3 has it."""

    def stream(self) -> Iterator[bytes]:
        yield self.read()


def an_error(code: str, message: str = "", status: int = 400) -> dict[str, Any]:
    """The body of an answer that botocore raises as a ClientError."""
    return {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}


def canceled(*codes: str) -> dict[str, Any]:
    """The body of a canceled TransactWriteItems, with a reason for each of its items."""
    return {
        "Error": {"Code": "TransactionCanceledException", "Message": "Transaction canceled"},
        "CancellationReasons": [{"Code": code} for code in codes],
    }
