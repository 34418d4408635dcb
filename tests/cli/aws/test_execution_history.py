"""What an execution retries is read from its history, whatever else happened before or beside it."""

from datetime import timedelta
from typing import Any

import pytest

from gatehouse.cli.aws.execution_history import ExecutionHistory, Retrying
from tests.unit.builders import NOON

FAILED = {"error": "Lambda.TooManyRequestsException", "cause": "busy"}


def history(*events: tuple[str, dict[str, Any]] | tuple[str, dict[str, Any], int]) -> ExecutionHistory:
    """Read events: types with their details, and the number of the event before, where that is not the last one."""
    written: Any = [
        {
            "id": n,
            "previousEventId": event[2] if len(event) > 2 else n - 1,
            "timestamp": NOON + timedelta(minutes=n),
            "type": event[0],
            _details_name(event[0]): event[1],
        }
        for n, event in enumerate(events, start=1)
    ]
    return ExecutionHistory.of(reversed(written))


def _details_name(kind: str) -> str:
    for what in ("Entered", "Exited"):
        if kind.endswith(f"State{what}"):
            return f"state{what}EventDetails"
    return f"{kind[0].lower()}{kind[1:]}EventDetails"


def entered(name: str) -> tuple[str, dict[str, Any]]:
    return "TaskStateEntered", {"name": name}


def left(name: str) -> tuple[str, dict[str, Any]]:
    return "TaskStateExited", {"name": name}


SCHEDULED: tuple[str, dict[str, Any]] = ("TaskScheduled", {})


def test_a_state_that_waits_for_its_next_try_is_retried() -> None:
    found = history(
        *(entered("Start job"), SCHEDULED, ("TaskFailed", {"error": "Old"}), SCHEDULED, left("Start job")),
        *(entered("Get job"), SCHEDULED, ("TaskFailed", {"error": "First"}), SCHEDULED, ("TaskTimedOut", FAILED)),
    )

    assert found == ExecutionHistory(
        "Get job",
        (
            Retrying(
                state="Get job",
                failures=2,
                since="2026-11-22T12:08:00.000Z",
                failed_at="2026-11-22T12:10:00.000Z",
                error="Lambda.TooManyRequestsException",
                cause="busy",
            ),
        ),
    )


def test_a_state_in_the_middle_of_another_try_is_retried() -> None:
    (found,) = history(entered("A"), SCHEDULED, ("TaskSubmitFailed", FAILED), SCHEDULED).retrying

    assert (found.state, found.failures, found.error) == ("A", 1, FAILED["error"])


def test_a_state_that_succeeded_in_the_end_is_not() -> None:
    tried = (entered("A"), SCHEDULED, ("TaskFailed", FAILED), SCHEDULED)

    assert history(*tried, ("TaskSucceeded", {})).retrying == ()
    assert history(*tried, ("TaskSucceeded", {}), left("A"), entered("B"), SCHEDULED) == ExecutionHistory("B", ())


def test_an_execution_that_waits_retries_nothing() -> None:
    assert history(("WaitStateEntered", {"name": "Wait"})) == ExecutionHistory("Wait", ())
    assert history() == ExecutionHistory(None, ())


@pytest.mark.parametrize("before", [4, 3, 0])
def test_what_failed_before_a_redrive_is_not_counted(before: int) -> None:
    """AWS does not say which event the one of a redrive names."""
    (found,) = history(
        *(entered("A"), SCHEDULED, ("TaskFailed", {"error": "Old"}), ("ExecutionFailed", {"error": "Old"})),
        *(("ExecutionRedriven", {}, before), SCHEDULED, ("TaskFailed", FAILED)),
    ).retrying

    assert (found.state, found.failures, found.error) == ("A", 1, FAILED["error"])


def test_of_a_map_each_iteration_that_retries_counts_and_no_other() -> None:
    """Events of iterations come in any order; each names the one before it in its own iteration."""
    found = history(
        ("MapStateEntered", {"name": "Analyze images"}),
        ("MapStateStarted", {}),
        ("MapIterationStarted", {}, 2),
        ("MapIterationStarted", {}, 2),
        ("MapIterationStarted", {}, 2),
        (*entered("Analyze chunk"), 3),
        (*entered("Analyze chunk"), 4),
        (*entered("Analyze chunk"), 5),
        ("TaskFailed", {"error": "Other"}, 6),
        ("TaskFailed", {"error": "Old"}, 7),
        ("TaskFailed", FAILED, 8),
        ("TaskScheduled", {}, 9),
        ("TaskSucceeded", {}, 10),
        (*left("Analyze chunk"), 13),
    )

    assert found.last_state == "Analyze chunk"
    assert [(entry.state, entry.failures, entry.error) for entry in found.retrying] == [
        ("Analyze chunk", 2, FAILED["error"])
    ]


def test_a_history_that_names_no_errors_is_read_all_the_same() -> None:
    (found,) = history(entered("A"), ("LambdaFunctionFailed", {})).retrying

    assert (found.error, found.cause) == (None, None)
