"""A fault that strikes a call of the AWS API.

    {"caller": "Batcher", "call": "s3:PutObject", "when": "after", "nth": 2, "times": 1, "action": "kill"}
    {"caller": "StateMachine", "call": "rekognition:StartMediaAnalysisJob", "when": "before", "action": "error",
     "code": "ThrottlingException", "status": 400}

- `caller`: part of the name of the Lambda function, or of the state machine, that makes the call.
- `call`: the IAM action of the call (`dynamodb:TransactWriteItems`, `states:StartExecution`), or its operation if that
  has no action of its own: `s3:HeadObject` is allowed by `s3:GetObject`, `sns:PublishBatch` by `sns:Publish`. A name
  that no call can have is refused. Each attempt of an SDK is a call.
- `when`: `before` the call takes effect (except with a delay, it then never does), or `after` it took effect and before
  the caller gets the answer.
- `nth` (default 1): the n-th such call since the fault was armed, and the following ones, `times` (default 1) in all. A
  call that one fault strikes is not seen by faults armed after it.
- `matching` (optional): a text that the request's path or body must contain, to select one object or batch. It is
  compared with decoded paths and forms; a JSON text inside JSON has its quotes escaped.
- `action` (default `kill`), with its fields:

  - `kill`: SIGKILL to the worker process that makes the call. Functions only: a task's call is counted but not struck.
  - `error`: answer with `code` and HTTP `status`, optionally with a `message`, in the service's own format. A task
    gets it under the name that Step Functions uses.
  - `disconnect`: close the connection without an answer, which looks like a timeout. A task gets
    `<Service>.SdkClientException`.
  - `delay`: `seconds` (real ones) pass before the call, or between the call and its answer.
  - `cancel`: for `dynamodb:TransactWriteItems` by a function. The transaction is canceled and nothing is written; its
    items have these `reasons`, repeated if there are more items: `["TransactionConflict", "None"]`. No `when`.
  - `partial`: for `sns:PublishBatch`, `sqs:SendMessageBatch` or `dynamodb:BatchGetItem` (also as `sns:Publish`,
    `sqs:SendMessage`) by a function. The `entries` at these positions, from 0, fail with `code` (default
    `InternalError`), or are returned as unprocessed keys; the others succeed. No `when`.
  - `enlarge`: the call takes effect, and its answer is padded to `size` bytes of JSON (default: one more than the limit
    of a task's result). Tasks only: a function's call is counted but not struck. No `when`.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from gatehouse.moderation.document import shown
from localcloud.faults.call_names import call_name
from localcloud.faults.document import Check, Document, FaultError, count, list_of, one_of, read, seconds, text


class When(StrEnum):
    """Whether a fault strikes before or after a call's effect."""

    BEFORE = "before"
    AFTER = "after"


class Action(StrEnum):
    """The effect of a fault."""

    KILL = "kill"
    ERROR = "error"
    DISCONNECT = "disconnect"
    DELAY = "delay"
    CANCEL = "cancel"
    PARTIAL = "partial"
    ENLARGE = "enlarge"


TRANSACTION = "dynamodb:TransactWriteItems"
#: The calls that can fail in part.
BATCHES = frozenset({"sns:PublishBatch", "sqs:SendMessageBatch", "events:PutEvents", "dynamodb:BatchGetItem"})
#: Actions for a state machine's task, which has no process and makes no such batches.
OF_TASKS = frozenset({Action.ERROR, Action.DISCONNECT, Action.DELAY, Action.ENLARGE})
#: Actions for a function. Its answers have no size limit to exceed.
OF_FUNCTIONS = frozenset(Action) - {Action.ENLARGE}
#: Bytes: one more than Step Functions' "Maximum input or output size for a task, state, or execution" (quotas).
TOO_LARGE = 262_145

# DynamoDB API reference, TransactWriteItems, "Cancellation reason codes".
_REASONS = (
    "None",
    "ConditionalCheckFailed",
    "ItemCollectionSizeLimitExceeded",
    "TransactionConflict",
    "ProvisionedThroughputExceeded",
    "ThrottlingError",
    "ValidationError",
)
_COMMON = frozenset({"caller", "call", "when", "nth", "times", "matching", "action"})
# Action -> (required fields, optional fields), in addition to the common ones.
_FIELDS: dict[Action, tuple[frozenset[str], frozenset[str]]] = {
    Action.KILL: (frozenset({"when"}), frozenset()),
    Action.ERROR: (frozenset({"when", "code", "status"}), frozenset({"message"})),
    Action.DISCONNECT: (frozenset({"when"}), frozenset()),
    Action.DELAY: (frozenset({"when", "seconds"}), frozenset()),
    Action.CANCEL: (frozenset({"reasons"}), frozenset()),
    Action.PARTIAL: (frozenset({"entries"}), frozenset({"code"})),
    Action.ENLARGE: (frozenset(), frozenset({"size"})),
}


def _status(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 400 <= value <= 599:
        raise FaultError(f"{name} must be an HTTP status from 400 to 599, not {shown(value)}.")


def _position(name: str, value: object) -> None:
    count(name, value, least=0)


_CHECKS: dict[str, Check] = {
    "caller": text,
    "call": call_name,
    "when": one_of(When),
    "nth": count,
    "times": count,
    "matching": text,
    "action": one_of(Action),
    "code": text,
    "status": _status,
    "message": text,
    "seconds": seconds,
    "reasons": list_of(one_of(_REASONS)),
    "entries": list_of(_position),
    "size": count,
}


@dataclass(slots=True)
class CallFault:
    """An armed fault; the module describes the fields.

    Attributes:
        seen: the number of matching calls since it was armed.
        fired: the number of times it struck.
    """

    caller: str
    call: str
    when: When
    nth: int = 1
    times: int = 1
    matching: str = ""
    action: Action = Action.KILL
    code: str = "InternalError"
    status: int = 500
    message: str = "Injected fault."
    seconds: float = 0.0
    reasons: tuple[str, ...] = ()
    entries: tuple[int, ...] = ()
    size: int = TOO_LARGE
    seen: int = 0
    fired: int = 0

    @classmethod
    def from_document(cls, document: Document) -> "CallFault":
        """Read a fault.

        Raises:
            FaultError: a field is missing, unknown, has the wrong type, or does not fit the action.
        """
        one_of(Action)("action", document.get("action", Action.KILL))
        action = Action(document.get("action", Action.KILL))
        needed, optional = _FIELDS[action]
        required = needed | {"caller", "call"}
        what = f"A fault with action {action.value}"
        fields = read(document, _CHECKS, _COMMON | needed | optional, required, what)
        fault = cls(**fields | {"when": When(fields.get("when", When.BEFORE)), "action": action})
        fault._check_call()
        return fault

    def _check_call(self) -> None:
        if self.action in (Action.CANCEL, Action.PARTIAL, Action.ENLARGE) and self.when is not When.BEFORE:
            raise FaultError(f"{self.action.value} has no when; omit it.")
        if self.action is Action.CANCEL and self.call != TRANSACTION:
            raise FaultError(f"cancel is for {TRANSACTION}, not {self.call}.")
        if self.action is Action.PARTIAL and self.call not in {*BATCHES, "sns:Publish", "sqs:SendMessage"}:
            raise FaultError(f"partial is for {', '.join(sorted(BATCHES))}, not {self.call}.")

    def may_strike(self, caller: str) -> bool:
        """Whether it is for a function or state machine of this name."""
        return self.caller in caller

    def strikes(self, caller: str, names: frozenset[str], request: str, actions: Collection[Action]) -> bool:
        """Count a call if it matches; returns whether the fault strikes it.

        Args:
            caller: the name of the function or state machine that makes it.
            names: its names, as action and as operation.
            request: its path and body as text.
            actions: the actions that this call supports; a fault with another action only counts it.
        """
        if not self.may_strike(caller) or self.call not in names or self.matching not in request:
            return False
        if self.action is Action.PARTIAL and not names & BATCHES:
            return False
        self.seen += 1
        if self.action not in actions or not self.nth <= self.seen < self.nth + self.times:
            return False
        self.fired += 1
        return True

    def cancellation(self, items: int) -> dict[str, object]:
        """The body of the error that cancels a transaction with this number of items."""
        codes = [self.reasons[number % len(self.reasons)] for number in range(items)]
        return {
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "Message": "Transaction cancelled, please refer cancellation reasons for specific reasons "
            f"[{', '.join(codes)}]",
            "CancellationReasons": [
                {"Code": code} if code == "None" else {"Code": code, "Message": self.message} for code in codes
            ],
        }


def item_count(body: bytes) -> int:
    """The number of items in a TransactWriteItems request."""
    items = json.loads(body).get("TransactItems", [])
    return len(items)
