"""What an execution's history says: the state it stands at, and what it tries again and again there."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gatehouse.moderation.moment import iso

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.type_defs import HistoryEventTypeDef

#: How the types of events end that tell of a failed try: TaskFailed, TaskSubmitFailed, LambdaFunctionTimedOut (API
#: reference, HistoryEvent). Those of an execution or of a whole Map are no tries.
_FAILURES = ("Failed", "TimedOut")
_WHOLES = ("Execution", "Map", "Parallel")


@dataclass(frozen=True, slots=True)
class Retrying:
    """A state that was entered, failed, and is tried again.

    Attributes:
        failures: tries that failed; since the last redrive, where there was one.
        since, failed_at: the first and the last of them; ISO 8601, UTC.
        error, cause: of the last one.
    """

    state: str
    failures: int
    since: str
    failed_at: str
    error: str | None
    cause: str | None

    def to_document(self) -> dict[str, Any]:
        """For scripts."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ExecutionHistory:
    """What operators see of an execution.

    Attributes:
        last_state: the name of the state that was entered last; None before the first.
        retrying: the states it retries, by name. Iterations of a Map count together.
    """

    last_state: str | None
    retrying: tuple[Retrying, ...]

    @classmethod
    def of(cls, events: Iterable["HistoryEventTypeDef"]) -> "ExecutionHistory":
        """Read the events of a running execution, the latest first.

        Each event names the one before it in its own branch, so an event that none names is the last of one: of the
        execution, or of an iteration of a Map. From there back to where its state was entered, failures are tries of
        that state.
        """
        last_state: str | None = None
        branches: dict[int, _Branch] = {}
        found: list[_Branch] = []
        is_redriven = False
        for event in events:
            entered = event.get("stateEnteredEventDetails")
            last_state = last_state or (entered["name"] if entered else None)
            is_redriven = is_redriven or event["type"] == "ExecutionRedriven"
            branch = branches.pop(event["id"], None)
            if branch is None:
                branch = _Branch()
                found.append(branch)
            branch.add(event, is_redriven=is_redriven)
            branches[event.get("previousEventId", 0)] = branch
        return cls(last_state, tuple(_together(found, last_state or "")))


@dataclass(slots=True)
class _Branch:
    """The events of one branch, from its last back to where the state it stands at was entered.

    Attributes:
        is_settled: whether earlier events have nothing more to say.
        failures: tries of that state, the latest first.
    """

    state: str | None = None
    is_settled: bool = False
    failures: list["HistoryEventTypeDef"] = field(default_factory=list)

    def add(self, event: "HistoryEventTypeDef", *, is_redriven: bool) -> None:
        """Take in the event before.

        Args:
            is_redriven: whether it is of the time before a redrive, after which tries are counted anew.
        """
        kind = event["type"]
        if self.is_settled:
            return
        if entered := event.get("stateEnteredEventDetails"):
            self.state, self.is_settled = entered["name"], True
        elif kind.endswith(("StateExited", "Succeeded")):
            self.is_settled = True
        elif kind.endswith(_FAILURES) and not kind.startswith(_WHOLES) and not is_redriven:
            self.failures.append(event)


def _together(branches: Iterable[_Branch], last_state: str) -> Iterable[Retrying]:
    """What is retried, by state; `last_state` is that of a branch whose beginning no event leads back to."""
    by_state: dict[str, list[HistoryEventTypeDef]] = {}
    for branch in branches:
        if branch.failures:
            by_state.setdefault(branch.state or last_state, []).extend(branch.failures)
    for state, failures in sorted(by_state.items()):
        first, last = min(failures, key=_order), max(failures, key=_order)
        details: Any = next((value for name, value in last.items() if name.endswith("EventDetails")), {})
        yield Retrying(
            state=state,
            failures=len(failures),
            since=iso(first["timestamp"]),
            failed_at=iso(last["timestamp"]),
            error=details.get("error"),
            cause=details.get("cause"),
        )


def _order(event: "HistoryEventTypeDef") -> tuple[datetime, int]:
    return event["timestamp"], event["id"]
