"""Reads an execution's history: its current state, and the errors that it retries."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gatehouse.moderation.moment import iso

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.type_defs import HistoryEventTypeDef

#: Suffixes of event types for a failed attempt: TaskFailed, TaskSubmitFailed, LambdaFunctionTimedOut (API reference,
#: HistoryEvent). Failures of an execution or of a whole Map are not attempts.
_FAILURES = ("Failed", "TimedOut")
_WHOLES = ("Execution", "Map", "Parallel")


@dataclass(frozen=True, slots=True)
class Retrying:
    """A state that failed and is being retried.

    Attributes:
        failures: the number of failed attempts, since the last redrive if there was one.
        since, failed_at: times of the first and the last failure; ISO 8601, UTC.
        error, cause: of the last failure.
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
    """A summary of an execution's history.

    Attributes:
        last_state: the name of the state that was entered last; None before the first one.
        retrying: the states that are being retried, by name. Iterations of a Map are counted together.
    """

    last_state: str | None
    retrying: tuple[Retrying, ...]

    @classmethod
    def of(cls, events: Iterable["HistoryEventTypeDef"]) -> "ExecutionHistory":
        """Read the events of a running execution, newest first.

        Each event names the previous one in its branch, so an event that no other names is the last of its branch: of
        the execution, or of an iteration of a Map. Failures between there and the entry of its state are attempts of
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
    """The events of one branch, from the last one back to the entry of its current state.

    Attributes:
        is_settled: whether earlier events are irrelevant.
        failures: failed attempts of that state, newest first.
    """

    state: str | None = None
    is_settled: bool = False
    failures: list["HistoryEventTypeDef"] = field(default_factory=list)

    def add(self, event: "HistoryEventTypeDef", *, is_redriven: bool) -> None:
        """Add the previous event.

        Args:
            is_redriven: whether the event is from before a redrive, which resets the count of attempts.
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
    """The retries, by state. `last_state` is used for a branch whose entry event is missing."""
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
