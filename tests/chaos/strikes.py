"""What can go wrong at one call, as documents for the local cloud (`localcloud.faults`)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

Document = Mapping[str, object]

#: Who makes a call, where it depends on the row's lane.
BATCHER, ANALYZER, RENDERER, RESULTS, SWEEPER, OUTCOMES, WORKFLOW = (
    "LaneBatcher",
    "Analyzer",
    "RendererFunction",
    "ResultsFunction",
    "SweeperFunction",
    "OutcomesFunction",
    "AnalysisStateMachine",
)

#: Times that a fault strikes which is to last as long as it is armed.
FOR_EVER = 1_000_000

#: Service -> code and HTTP status of its throttling, of a missing permission, and of its own trouble (each service's
#: API reference, "Common errors" and the operations' own).
_THROTTLED = {
    "dynamodb": ("ProvisionedThroughputExceededException", 400),
    "events": ("ThrottlingException", 400),
    "lambda": ("TooManyRequestsException", 429),
    "rekognition": ("ProvisionedThroughputExceededException", 400),
    "s3": ("SlowDown", 503),
    "sns": ("Throttled", 429),
    "sqs": ("RequestThrottled", 400),
    "ssm": ("ThrottlingException", 400),
    "states": ("ThrottlingException", 400),
}
_REFUSED = {
    "dynamodb": ("AccessDeniedException", 400),
    "events": ("AccessDeniedException", 400),
    "lambda": ("AccessDeniedException", 403),
    "rekognition": ("AccessDeniedException", 400),
    "s3": ("AccessDenied", 403),
    "sns": ("AuthorizationError", 403),
    "sqs": ("AccessDenied", 403),
    "ssm": ("AccessDeniedException", 400),
    "states": ("AccessDeniedException", 400),
}
_BROKEN = {
    "dynamodb": ("InternalServerError", 500),
    "events": ("InternalException", 500),
    "lambda": ("ServiceException", 500),
    "rekognition": ("InternalServerError", 500),
    "s3": ("InternalError", 500),
    "sns": ("InternalError", 500),
    "sqs": ("InternalFailure", 500),
    "ssm": ("InternalServerError", 500),
    "states": ("InternalFailure", 500),
}

#: What tasks call of which the answer's size is not fixed: a file, a job, a function's answer, a list.
_OF_ANY_SIZE = frozenset(
    {"s3:GetObject", "rekognition:GetMediaAnalysisJob", "lambda:InvokeFunction", "states:ListExecutions"}
)

#: Real seconds: longer than nearly everything on the hastened cloud, shorter than any client's patience.
_LATE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Call:
    """A call that a role makes at a step.

    Attributes:
        caller: part of the name of the function or state machine.
        call: its IAM action, or its operation where that has none of its own.
        matching: a text in its path or body, where the same call is made at several steps.
        nth: which of these calls.
    """

    caller: str
    call: str
    matching: str = ""
    nth: int = 1

    @property
    def service(self) -> str:
        """The prefix of the IAM action."""
        return self.call.partition(":")[0]

    @property
    def is_of_function(self) -> bool:
        """Whether a function makes it, which has a process that can die."""
        return self.caller != WORKFLOW

    def struck(self, action: str, **fields: object) -> Document:
        """A fault at this call."""
        place = {"caller": self.caller, "call": self.call, "nth": self.nth}
        return {**place, **({"matching": self.matching} if self.matching else {}), "action": action, **fields}

    def at(self, nth: int) -> "Call":
        """The same, but the n-th."""
        return replace(self, nth=nth)


@dataclass(frozen=True, slots=True)
class Strike:
    """One thing that goes wrong at a call.

    Attributes:
        name: for people: `throttled`, `killed after` ...
        loses_answer: the call took effect and the caller does not know.
        kills: the caller dies.
        stops: the caller, an execution, ends, and only a redrive gets it going again.
    """

    name: str
    document: Document
    loses_answer: bool = False
    kills: bool = False
    stops: bool = False


def strikes_at(call: Call) -> Iterator[Strike]:
    """All that can go wrong at a call, once."""
    for name, errors, when in (
        ("throttled", _THROTTLED, "before"),
        ("refused", _REFUSED, "before"),
        ("fails before its effect", _BROKEN, "before"),
        ("fails after its effect", _BROKEN, "after"),
    ):
        code, status = errors[call.service]
        document = call.struck("error", when=when, code=code, status=status)
        yield Strike(name, document, loses_answer=when == "after")
    yield Strike("no answer, no effect", call.struck("disconnect", when="before"))
    yield Strike("no answer after its effect", call.struck("disconnect", when="after"), loses_answer=True)
    yield Strike("late", call.struck("delay", when="before", seconds=_LATE_SECONDS))
    yield Strike("late answer", call.struck("delay", when="after", seconds=_LATE_SECONDS))
    if call.is_of_function:
        yield Strike("caller killed before", call.struck("kill", when="before"), kills=True)
        yield Strike("caller killed after", call.struck("kill", when="after"), loses_answer=True, kills=True)
    elif call.call in _OF_ANY_SIZE:
        yield Strike("answer too large", call.struck("enlarge"), loses_answer=True, stops=True)
