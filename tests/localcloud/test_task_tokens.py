"""Tasks that wait for their token: who may give it back, what for, and for how long."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.localcloud.test_maps import events
from tests.localcloud.workbench import Workbench, error_code, eventually

_CATCH = [{"ErrorEquals": ["States.ALL"], "Output": "{% $states.errorOutput %}", "Next": "Caught"}]
_MESSAGE = {"token": "{% $states.context.Task.Token %}", "input": "{% $states.input %}"}
# Longer than any test waits, in the local cloud's time too.
_LONG = 100_000


def waiting_task(url: str, **fields: Any) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Arguments": {"QueueUrl": url, "MessageBody": _MESSAGE},
        "End": True,
        **fields,
    }


def one_task(url: str, **fields: Any) -> dict[str, Any]:
    task = waiting_task(url, **fields)
    return {"StartAt": "Task", "States": {"Task": task, "Caught": {"Type": "Succeed"}}}


class Waiting:
    """An execution that waits for a token, and the queue the tokens are sent to."""

    def __init__(self, workbench: Workbench, **fields: Any) -> None:
        self.workbench = workbench
        self.states = workbench.client("stepfunctions")
        self.url, self.queue_arn = workbench.queue()
        self.machine = workbench.state_machine(one_task(self.url, **fields), ("sqs:SendMessage", self.queue_arn))
        self.execution = workbench.start(self.machine, {"a": 1})

    def message(self) -> dict[str, Any]:
        """The next message the task sent."""
        document: dict[str, Any] = json.loads(eventually(lambda: self.workbench.messages(self.url))[0]["Body"])
        return document

    def token(self) -> str:
        """The token in the next message."""
        return str(self.message()["token"])

    def succeed(self, token: str, output: Any = None) -> str:
        """The error code of SendTaskSuccess; empty if there is none."""
        return error_code(lambda: self.states.send_task_success(taskToken=token, output=json.dumps(output)))

    def fail(self, token: str, error: str = "Told") -> str:
        """The error code of SendTaskFailure."""
        return error_code(lambda: self.states.send_task_failure(taskToken=token, error=error, cause="to fail"))

    def beat(self, token: str) -> str:
        """The error code of SendTaskHeartbeat."""
        return error_code(lambda: self.states.send_task_heartbeat(taskToken=token))

    def ended(self) -> dict[str, Any]:
        return self.workbench.ended(self.execution)

    def output(self) -> Any:
        return json.loads(self.ended()["output"])


def test_a_task_waits_for_its_token_and_goes_on_with_the_output(workbench: Workbench) -> None:
    waiting = Waiting(workbench, Output="{% $states.result.n + 1 %}")
    message = waiting.message()
    assert message["input"] == {"a": 1}
    assert waiting.workbench.execution(waiting.execution)["status"] == "RUNNING"
    assert waiting.succeed(message["token"], {"n": 1}) == ""
    assert waiting.output() == 2


def test_a_failure_has_the_error_and_the_cause_it_was_told_with(workbench: Workbench) -> None:
    waiting = Waiting(workbench, Catch=_CATCH)
    assert waiting.fail(waiting.token()) == ""
    assert waiting.output() == {"Error": "Told", "Cause": "to fail"}


def test_every_attempt_has_a_token_of_its_own(workbench: Workbench) -> None:
    waiting = Waiting(workbench, Retry=[{"ErrorEquals": ["Told"], "IntervalSeconds": 1, "MaxAttempts": 1}])
    first = waiting.token()
    waiting.fail(first)
    second = waiting.token()
    assert first != second
    assert waiting.succeed(first) == "TaskTimedOut"
    assert waiting.succeed(second, "second") == ""
    assert waiting.output() == "second"


def test_a_token_is_good_for_one_answer(workbench: Workbench) -> None:
    waiting = Waiting(workbench)
    token = waiting.token()
    assert waiting.beat(token) == ""
    assert waiting.succeed(token, "first") == ""
    assert [waiting.succeed(token, "second"), waiting.fail(token), waiting.beat(token)] == ["TaskTimedOut"] * 3
    assert waiting.output() == "first"


def test_a_token_dies_with_its_execution(workbench: Workbench) -> None:
    waiting = Waiting(workbench)
    token = waiting.token()
    waiting.states.stop_execution(executionArn=waiting.execution)
    assert [waiting.succeed(token), waiting.fail(token), waiting.beat(token)] == ["TaskTimedOut"] * 3
    assert waiting.ended()["status"] == "ABORTED"


def test_a_token_dies_with_its_map(workbench: Workbench) -> None:
    url, arn = workbench.queue()
    processor = {"StartAt": "Task", "States": {"Task": waiting_task(url)}}
    definition = {
        "StartAt": "Map",
        "States": {
            "Map": {"Type": "Map", "Items": [1, 2], "ItemProcessor": processor, "Catch": _CATCH, "Next": "Wait"},
            "Caught": {"Type": "Pass", "Next": "Wait"},
            "Wait": {"Type": "Wait", "Seconds": _LONG, "End": True},
        },
    }
    execution = workbench.start(workbench.state_machine(definition, ("sqs:SendMessage", arn)))
    tokens: list[str] = []

    def both() -> bool:
        tokens.extend(json.loads(message["Body"])["token"] for message in workbench.messages(url))
        return len(tokens) == 2

    eventually(both)
    states = workbench.client("stepfunctions")
    states.send_task_failure(taskToken=tokens[0], error="Told")
    eventually(lambda: "WaitStateEntered" in [event["type"] for event in events(workbench, execution)])
    assert error_code(lambda: states.send_task_success(taskToken=tokens[1], output="1")) == "TaskTimedOut"


def test_a_redrive_sends_a_new_token(workbench: Workbench) -> None:
    waiting = Waiting(workbench)
    first = waiting.token()
    waiting.fail(first)
    waiting.ended()
    waiting.states.redrive_execution(executionArn=waiting.execution)
    second = waiting.token()
    assert waiting.succeed(first) == "TaskTimedOut"
    assert waiting.succeed(second, "redriven") == ""
    assert waiting.output() == "redriven"


def test_a_token_that_was_never_given_out_is_invalid(workbench: Workbench) -> None:
    waiting = Waiting(workbench)
    for token in ("nonsense", waiting.token()[:-1]):
        assert [waiting.succeed(token), waiting.fail(token), waiting.beat(token)] == ["InvalidToken"] * 3


def test_a_token_of_a_deleted_machine_does_not_exist(workbench: Workbench) -> None:
    waiting = Waiting(workbench)
    token = waiting.token()
    waiting.states.stop_execution(executionArn=waiting.execution)
    waiting.states.delete_state_machine(stateMachineArn=waiting.machine)
    assert waiting.succeed(token) == "TaskDoesNotExist"


def test_output_that_is_not_json_is_refused_and_the_task_waits_on(workbench: Workbench) -> None:
    waiting = Waiting(workbench)
    token = waiting.token()
    assert error_code(lambda: waiting.states.send_task_success(taskToken=token, output="{")) == "InvalidOutput"
    assert waiting.succeed(token, "x" * 262_144) == "ValidationException"
    assert waiting.succeed(token, "good") == ""
    assert waiting.output() == "good"


def test_the_machines_role_needs_the_permission_to_send(workbench: Workbench) -> None:
    url, _ = workbench.queue()
    ended = workbench.run(one_task(url))
    assert (ended["status"], ended["error"]) == ("FAILED", "SQS.AmazonSQSException")
    assert workbench.messages(url) == []


def test_the_worker_needs_its_permission_on_the_state_machine(workbench: Workbench) -> None:
    waiting = Waiting(workbench)
    token = waiting.token()
    calls: Mapping[str, Mapping[str, str]] = {
        "send_task_heartbeat": {},
        "send_task_failure": {"error": "Told"},
        "send_task_success": {"output": "1"},
    }
    other = workbench.user_client("stepfunctions", ("states:SendTask*", f"{waiting.machine}-other"))
    for operation, arguments in calls.items():
        assert error_code(lambda o=operation, a=arguments: getattr(other, o)(taskToken=token, **a)) == (  # type: ignore[misc]
            "AccessDeniedException"
        )
    for operation in ("send_task_heartbeat", "send_task_success"):
        action = "states:" + "".join(word.capitalize() for word in operation.split("_"))
        allowed = workbench.user_client("stepfunctions", (action, waiting.machine))
        getattr(allowed, operation)(taskToken=token, **calls[operation])
    assert waiting.output() == 1


@pytest.mark.parametrize("seconds", [50, "{% 25 * 2 %}"])
@pytest.mark.parametrize("limit", ["TimeoutSeconds", "HeartbeatSeconds"])
def test_nobody_waits_longer_than_the_task_allows(workbench: Workbench, limit: str, seconds: Any) -> None:
    waiting = Waiting(workbench, **{limit: seconds})
    token = waiting.token()
    ended = waiting.ended()
    error = {"TimeoutSeconds": "States.Timeout", "HeartbeatSeconds": "States.HeartbeatTimeout"}[limit]
    assert (ended["status"], ended["error"]) == ("FAILED", error)
    assert [waiting.succeed(token), waiting.beat(token)] == ["TaskTimedOut"] * 2
    happened = [event["type"] for event in events(workbench, waiting.execution)]
    assert happened[-4:] == ["TaskScheduled", "TaskSubmitted", "TaskTimedOut", "ExecutionFailed"]


@pytest.mark.parametrize(("name", "caught"), [("States.Timeout", True), ("States.TaskFailed", False)])
def test_a_missing_heartbeat_is_a_timeout_too_but_no_failure(workbench: Workbench, name: str, caught: bool) -> None:
    catch = [{"ErrorEquals": [name], "Output": "caught", "Next": "Caught"}]
    ended = Waiting(workbench, HeartbeatSeconds=10, Catch=catch).ended()
    assert ended["status"] == ("SUCCEEDED" if caught else "FAILED")


def test_heartbeats_keep_a_task_open_until_its_timeout(workbench: Workbench) -> None:
    waiting = Waiting(workbench, HeartbeatSeconds=100, TimeoutSeconds=300)
    token = waiting.token()
    assert eventually(lambda: waiting.beat(token)) == "TaskTimedOut"
    assert waiting.ended()["error"] == "States.Timeout"


# Answers the token of each record when it has slept; dies the first time it is told to.
_WORKER = """
import boto3, json, os, time
def handler(event, context):
    for record in event["Records"]:
        message = json.loads(record["body"])
        if message["input"].get("die") and record["attributes"]["ApproximateReceiveCount"] == "1":
            os._exit(1)
        time.sleep(message["input"].get("sleep", 0))
        received = record["attributes"]["ApproximateReceiveCount"]
        boto3.client("stepfunctions").send_task_success(taskToken=message["token"], output=received)
"""


def worked(workbench: Workbench, data: Any, **fields: Any) -> dict[str, Any]:
    """An execution whose task a function works off, after its end."""
    url, arn = workbench.queue(VisibilityTimeout="60")
    machine = workbench.state_machine(one_task(url, **fields), ("sqs:SendMessage", arn))
    function = workbench.function(_WORKER, ("sqs:*", arn), ("states:SendTaskSuccess", machine))
    workbench.client("lambda").create_event_source_mapping(EventSourceArn=arn, FunctionName=function, BatchSize=1)
    return workbench.ended(workbench.start(machine, data))


def test_a_token_survives_the_death_of_its_worker(workbench: Workbench) -> None:
    assert worked(workbench, {"die": True}, HeartbeatSeconds=3000)["output"] == "2"


def test_the_clocks_run_in_real_time_while_the_worker_works(workbench: Workbench) -> None:
    # 100 s are 1 s here, unless the function works on them.
    ended = worked(workbench, {"sleep": 2.5}, HeartbeatSeconds=150, TimeoutSeconds=150)
    assert (ended["status"], ended.get("output")) == ("SUCCEEDED", "1")


def test_a_worker_that_is_silent_for_too_long_loses_its_task(workbench: Workbench) -> None:
    ended = worked(workbench, {"sleep": 15}, HeartbeatSeconds=2)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.HeartbeatTimeout")


def test_a_function_that_fails_with_its_token_fails_the_task(workbench: Workbench) -> None:
    function = workbench.function("def handler(event, context): raise KeyError(event['token'])")
    task = {
        **waiting_task(""),
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Arguments": {"FunctionName": function, "Payload": {"token": "{% $states.context.Task.Token %}"}},
    }
    ended = workbench.run({"StartAt": "Task", "States": {"Task": task}}, ("lambda:InvokeFunction", "*"))
    assert (ended["status"], ended["error"]) == ("FAILED", "KeyError")
