import json
from collections.abc import Iterator

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from gatehouse.aws.executions import MAX_REDRIVES, Executions, Progress

MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:analysis"
EXECUTION = "arn:aws:states:us-east-1:000000000000:execution:analysis:batch-1"
START = {"stateMachineArn": MACHINE, "name": "batch-1", "input": json.dumps({"batch_id": "batch-1"})}


@pytest.fixture
def states() -> Iterator[tuple[Executions, Stubber]]:
    """Executions, and what Step Functions is to be asked and to answer."""
    client = boto3.client("stepfunctions")
    with Stubber(client) as stubber:
        yield Executions(client, MACHINE), stubber
        stubber.assert_no_pending_responses()


def _add_description(stubber: Stubber, status: str, redrives: int = 0) -> None:
    response = {
        "executionArn": EXECUTION,
        "stateMachineArn": MACHINE,
        "startDate": 0,
        "status": status,
        "redriveCount": redrives,
    }
    stubber.add_response("describe_execution", response, {"executionArn": EXECUTION})


def test_a_batch_is_started_under_its_own_name_with_nothing_but_its_id(states: tuple[Executions, Stubber]) -> None:
    executions, stubber = states
    stubber.add_response("start_execution", {"executionArn": EXECUTION, "startDate": 0}, START)

    assert executions.ensure_started("batch-1") is Progress.RUNNING


@pytest.mark.parametrize(
    ("status", "progress"),
    [
        ("RUNNING", Progress.RUNNING),
        ("PENDING_REDRIVE", Progress.RUNNING),
        ("SUCCEEDED", Progress.SUCCEEDED),
        ("FAILED", Progress.STOPPED),
        ("TIMED_OUT", Progress.STOPPED),
        ("ABORTED", Progress.STOPPED),
    ],
)
def test_an_execution_that_exists_is_looked_at(
    states: tuple[Executions, Stubber], status: str, progress: Progress
) -> None:
    executions, stubber = states
    stubber.add_client_error("start_execution", "ExecutionAlreadyExists", expected_params=START)
    _add_description(stubber, status)

    assert executions.ensure_started("batch-1") is progress


def test_a_stopped_execution_is_resumed(states: tuple[Executions, Stubber]) -> None:
    executions, stubber = states
    _add_description(stubber, "FAILED", redrives=MAX_REDRIVES - 1)
    stubber.add_response("redrive_execution", {"redriveDate": 0})

    assert executions.redrive("batch-1") is Progress.RUNNING


@pytest.mark.parametrize(
    ("status", "progress"),
    [("RUNNING", Progress.RUNNING), ("SUCCEEDED", Progress.SUCCEEDED), ("FAILED", Progress.STOPPED)],
)
def test_an_execution_that_is_not_redriven_any_more_is_looked_at(
    states: tuple[Executions, Stubber], status: str, progress: Progress
) -> None:
    executions, stubber = states
    _add_description(stubber, "FAILED")
    stubber.add_client_error("redrive_execution", "ExecutionNotRedrivable")
    _add_description(stubber, status)

    assert executions.redrive("batch-1") is progress


def test_an_execution_that_stopped_again_and_again_is_not_resumed_for_ever(states: tuple[Executions, Stubber]) -> None:
    executions, stubber = states
    _add_description(stubber, "FAILED", redrives=MAX_REDRIVES)

    assert executions.redrive("batch-1") is Progress.STOPPED


@pytest.mark.parametrize("code", ["StateMachineDoesNotExist", "ThrottlingException", "ExecutionLimitExceeded"])
def test_any_other_refusal_is_raised(states: tuple[Executions, Stubber], code: str) -> None:
    executions, stubber = states
    stubber.add_client_error("start_execution", code)
    with pytest.raises(ClientError):
        executions.ensure_started("batch-1")

    _add_description(stubber, "FAILED")
    stubber.add_client_error("redrive_execution", code)
    with pytest.raises(ClientError):
        executions.redrive("batch-1")


def test_an_execution_that_was_never_started_or_is_forgotten_is_absent(states: tuple[Executions, Stubber]) -> None:
    executions, stubber = states
    stubber.add_client_error("describe_execution", "ExecutionDoesNotExist", expected_params={"executionArn": EXECUTION})
    _add_description(stubber, "SUCCEEDED")

    assert executions.look("batch-1") is Progress.ABSENT
    assert executions.look("batch-1") is Progress.SUCCEEDED


def test_what_runs_is_listed_page_by_page(states: tuple[Executions, Stubber]) -> None:
    executions, stubber = states

    def listed(name: str) -> dict[str, object]:
        return {"executionArn": name, "stateMachineArn": MACHINE, "name": name, "status": "RUNNING", "startDate": 0}

    asked = {"stateMachineArn": MACHINE, "statusFilter": "RUNNING", "maxResults": 1000}
    stubber.add_response("list_executions", {"executions": [listed("a")], "nextToken": "next"}, asked)
    stubber.add_response("list_executions", {"executions": [listed("b")]}, asked | {"nextToken": "next"})

    assert executions.running() == {"a", "b"}
