import json
import re
from collections.abc import Callable, Iterator

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from gatehouse.aws.task_tokens import TaskTokens

HEARTBEAT = {"taskToken": "token-1"}
SUCCESS = {"taskToken": "token-1", "output": json.dumps({"first": 100})}
FAILURE = {"taskToken": "token-1", "error": "ChunkFailed", "cause": "five runs"}

OVER = ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"]

#: operation -> what it is asked, and how.
CALLS: dict[str, tuple[dict[str, str], Callable[[TaskTokens], bool]]] = {
    "send_task_heartbeat": (HEARTBEAT, lambda tokens: tokens.is_awaited("token-1")),
    "send_task_success": (SUCCESS, lambda tokens: tokens.succeed("token-1", {"first": 100})),
    "send_task_failure": (FAILURE, lambda tokens: tokens.fail("token-1", "ChunkFailed", "five runs")),
}


@pytest.fixture
def states() -> Iterator[tuple[TaskTokens, Stubber]]:
    """Tokens, and what Step Functions is to be asked and to answer."""
    client = boto3.client("stepfunctions")
    with Stubber(client) as stubber:
        yield TaskTokens(client), stubber
        stubber.assert_no_pending_responses()


@pytest.mark.parametrize("operation", CALLS)
def test_a_step_that_waits_hears_of_its_end(states: tuple[TaskTokens, Stubber], operation: str) -> None:
    tokens, stubber = states
    request, call = CALLS[operation]
    stubber.add_response(operation, {}, request)

    assert call(tokens)


@pytest.mark.parametrize("code", OVER)
@pytest.mark.parametrize("operation", CALLS)
def test_a_step_that_is_over_is_awaited_by_nobody(
    states: tuple[TaskTokens, Stubber], operation: str, code: str
) -> None:
    tokens, stubber = states
    request, call = CALLS[operation]
    stubber.add_client_error(operation, code, expected_params=request)

    assert not call(tokens)


@pytest.mark.parametrize(
    "code", ["AccessDeniedException", "ThrottlingException", "InvalidOutput", "ServiceUnavailable"]
)
@pytest.mark.parametrize("operation", CALLS)
def test_an_outage_is_not_taken_for_the_end_of_a_step(
    states: tuple[TaskTokens, Stubber], operation: str, code: str
) -> None:
    tokens, stubber = states
    request, call = CALLS[operation]
    stubber.add_client_error(operation, code, expected_params=request)

    with pytest.raises(ClientError, match=code):
        call(tokens)


def test_every_way_the_api_says_that_a_step_is_over_is_known() -> None:
    model = boto3.client("stepfunctions").meta.service_model
    otherwise = re.compile("Kms.*|InvalidOutput")

    for operation in ("SendTaskHeartbeat", "SendTaskSuccess", "SendTaskFailure"):
        documented = {shape.name for shape in model.operation_model(operation).error_shapes}
        assert {name for name in documented if not otherwise.fullmatch(name)} == set(OVER)
