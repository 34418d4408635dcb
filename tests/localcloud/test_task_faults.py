"""Faults at the calls of tasks: states get the errors under the names AWS gives them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from localcloud.faults.call_fault import TOO_LARGE
from localcloud.patches import task_padding
from localcloud.patches.execution_loop import PAYLOAD_LIMIT
from tests.localcloud.workbench import Workbench, eventually, unique

ERROR = {"action": "error", "code": "ThrottlingException", "status": 400, "when": "before"}


class Machine:
    """A state machine of one task, and the faults that hit it."""

    def __init__(
        self, workbench: Workbench, resource: str, arguments: dict[str, Any], retries: int = 0, **fields: Any
    ) -> None:
        self.workbench = workbench
        task: dict[str, Any] = {"Type": "Task", "Resource": resource, "Arguments": arguments, "End": True, **fields}
        if retries:
            task["Retry"] = [{"ErrorEquals": ["States.TaskFailed"], "MaxAttempts": retries, "IntervalSeconds": 1}]
        self.arn = workbench.state_machine({"StartAt": "Task", "States": {"Task": task}}, ("*", "*"))

    def arm(self, call: str, **fault: Any) -> None:
        self.workbench.faults("POST", caller=self.arn.rsplit(":", 1)[-1], call=call, **fault)

    def run(self) -> dict[str, Any]:
        return self.workbench.ended(self.workbench.start(self.arn))


@pytest.fixture(autouse=True)
def no_fault_is_left(workbench: Workbench) -> Iterator[None]:
    yield
    workbench.faults("DELETE")


def sdk(service: str, operation: str) -> str:
    return f"arn:aws:states:::aws-sdk:{service}:{operation}"


@pytest.mark.parametrize(
    ("resource", "arguments", "call", "code", "name"),
    [
        (
            sdk("rekognition", "startMediaAnalysisJob"),
            {},
            "rekognition:StartMediaAnalysisJob",
            "InternalServerError",
            "Rekognition.InternalServerErrorException",
        ),
        (
            sdk("rekognition", "getMediaAnalysisJob"),
            {"JobId": "a"},
            "rekognition:GetMediaAnalysisJob",
            "SomethingNew",
            "Rekognition.RekognitionException",
        ),
        (sdk("s3", "getObject"), {"Bucket": "b", "Key": "k"}, "s3:GetObject", "SlowDown", "S3.S3Exception"),
        (sdk("s3", "putObject"), {"Bucket": "b", "Key": "k"}, "s3:PutObject", "InternalError", "S3.S3Exception"),
        (
            sdk("sqs", "getQueueAttributes"),
            {"QueueUrl": "http://127.0.0.1/000000000000/q"},
            "sqs:GetQueueAttributes",
            "RequestThrottled",
            "Sqs.RequestThrottledException",
        ),
        (
            sdk("sfn", "listExecutions"),
            {"StateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:m"},
            "states:ListExecutions",
            "ThrottlingException",
            "Sfn.SfnException",
        ),
        (
            "arn:aws:states:::lambda:invoke",
            {"FunctionName": "f"},
            "lambda:InvokeFunction",
            "TooManyRequestsException",
            "Lambda.TooManyRequestsException",
        ),
        (
            "arn:aws:states:::lambda:invoke",
            {"FunctionName": "f"},
            "lambda:InvokeFunction",
            "InternalFailure",
            "Lambda.AWSLambdaException",
        ),
        (
            "arn:aws:states:::sqs:sendMessage",
            {"QueueUrl": "http://127.0.0.1/000000000000/q", "MessageBody": "x"},
            "sqs:SendMessage",
            "RequestThrottled",
            "SQS.AmazonSQSException",
        ),
    ],
)
def test_a_state_gets_an_error_under_its_name_in_step_functions(
    workbench: Workbench, resource: str, arguments: dict[str, Any], call: str, code: str, name: str
) -> None:
    machine = Machine(workbench, resource, arguments)
    machine.arm(call, **{**ERROR, "code": code}, message="as told")
    ended = machine.run()
    assert (ended["status"], ended["error"]) == ("FAILED", name)
    assert "as told" in ended["cause"]


@pytest.mark.parametrize(
    ("resource", "arguments", "call", "name"),
    [
        (sdk("s3", "getObject"), {"Bucket": "b", "Key": "k"}, "s3:GetObject", "S3.SdkClientException"),
        (
            "arn:aws:states:::lambda:invoke",
            {"FunctionName": "f"},
            "lambda:InvokeFunction",
            "Lambda.SdkClientException",
        ),
    ],
)
def test_a_call_without_an_answer_is_an_error_of_the_client(
    workbench: Workbench, resource: str, arguments: dict[str, Any], call: str, name: str
) -> None:
    machine = Machine(workbench, resource, arguments)
    machine.arm(call, when="before", action="disconnect")
    assert machine.run()["error"] == name


@pytest.mark.parametrize(("when", "calls"), [("before", 1), ("after", 2)])
def test_a_retried_call_has_had_its_effect_before_only_if_the_fault_came_after_it(
    workbench: Workbench, when: str, calls: int
) -> None:
    url, _ = workbench.queue()
    machine = Machine(workbench, "arn:aws:states:::sqs:sendMessage", {"QueueUrl": url, "MessageBody": "x"}, retries=2)
    machine.arm("sqs:SendMessage", **{**ERROR, "when": when})
    assert machine.run()["status"] == "SUCCEEDED"
    assert len(workbench.messages(url)) == calls


def waiting_messages(workbench: Workbench, queue_url: str) -> int:
    attributes = workbench.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=["All"])["Attributes"]
    return int(attributes["ApproximateNumberOfMessages"])


@pytest.mark.parametrize(("when", "calls"), [("before", 1), ("after", 2)])
def test_a_call_that_hands_out_a_token_can_be_hit(workbench: Workbench, when: str, calls: int) -> None:
    url, _ = workbench.queue()
    machine = Machine(
        workbench,
        "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        {"QueueUrl": url, "MessageBody": {"token": "{% $states.context.Task.Token %}"}},
        retries=2,
    )
    machine.arm("sqs:SendMessage", **{**ERROR, "when": when})
    execution = workbench.start(machine.arn)
    eventually(lambda: waiting_messages(workbench, url) == calls)
    workbench.client("stepfunctions").stop_execution(executionArn=execution)
    assert workbench.faults()[0]["seen"] == 2


def test_a_delayed_task_ends_as_it_would_have(workbench: Workbench) -> None:
    url, _ = workbench.queue()
    machine = Machine(workbench, "arn:aws:states:::sqs:sendMessage", {"QueueUrl": url, "MessageBody": "x"})
    machine.arm("sqs:SendMessage", when="after", action="delay", seconds=0.1)
    assert machine.run()["status"] == "SUCCEEDED"
    assert workbench.faults()[0]["fired"] == 1


def test_a_task_that_is_delayed_ends_with_its_execution(workbench: Workbench) -> None:
    url, _ = workbench.queue()
    machine = Machine(workbench, "arn:aws:states:::sqs:sendMessage", {"QueueUrl": url, "MessageBody": "x"})
    machine.arm("sqs:SendMessage", when="before", action="delay", seconds=3600)
    execution = workbench.start(machine.arn)
    eventually(lambda: workbench.faults()[0]["fired"])
    workbench.client("stepfunctions").stop_execution(executionArn=execution)
    assert workbench.ended(execution)["status"] == "ABORTED"
    assert workbench.messages(url) == []


def test_a_task_is_known_by_what_it_says(workbench: Workbench) -> None:
    url, _ = workbench.queue()
    machine = Machine(workbench, "arn:aws:states:::sqs:sendMessage", {"QueueUrl": url, "MessageBody": "batch ä"})
    machine.arm("sqs:SendMessage", **ERROR, matching="batch b")
    assert machine.run()["status"] == "SUCCEEDED"
    machine.arm("sqs:SendMessage", **ERROR, matching="batch ä")
    assert machine.run()["status"] == "FAILED"


def test_a_kill_sees_the_calls_of_a_task_and_leaves_them_to_other_faults(workbench: Workbench) -> None:
    url, _ = workbench.queue()
    machine = Machine(workbench, "arn:aws:states:::sqs:sendMessage", {"QueueUrl": url, "MessageBody": "x"})
    machine.arm("sqs:SendMessage", when="before", action="kill")
    machine.arm("sqs:SendMessage", **ERROR, nth=2)
    assert [machine.run()["status"] for _ in range(2)] == ["SUCCEEDED", "FAILED"]
    assert [(fault["seen"], fault["fired"]) for fault in workbench.faults()] == [(2, 0), (2, 1)]


def test_other_machines_are_spared(workbench: Workbench) -> None:
    url, _ = workbench.queue()
    machine = Machine(workbench, "arn:aws:states:::sqs:sendMessage", {"QueueUrl": url, "MessageBody": "x"})
    workbench.faults("POST", caller=unique("other"), call="sqs:SendMessage", **ERROR)
    assert machine.run()["status"] == "SUCCEEDED"


def test_a_fault_strikes_before_permissions_are_asked_for(workbench: Workbench) -> None:
    url, _ = workbench.queue()
    arguments = {"QueueUrl": url, "MessageBody": "x"}
    task = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "Arguments": arguments, "End": True}
    machine = workbench.state_machine({"StartAt": "Task", "States": {"Task": task}})
    workbench.faults("POST", caller=machine.rsplit(":", 1)[-1], call="sqs:SendMessage", **{**ERROR, "code": "Busy"})
    assert "(Status Code: 400)" in workbench.ended(workbench.start(machine))["cause"]


@pytest.mark.parametrize(
    ("resource", "call"),
    [(sdk("s3", "getObject"), "s3:GetObject"), ("arn:aws:states:::lambda:invoke", "lambda:InvokeFunction")],
)
def test_an_enlarged_answer_ends_the_execution_whatever_the_state_takes_of_it(
    workbench: Workbench, resource: str, call: str
) -> None:
    all_errors = {"ErrorEquals": ["States.ALL"]}
    machine = Machine(
        workbench,
        resource,
        answering(workbench, call),
        Output={},
        Retry=[{**all_errors, "MaxAttempts": 3}],
        Catch=[{**all_errors, "Next": "Task"}],
    )
    machine.arm(call, action="enlarge")
    ended = machine.run()
    assert (ended["status"], ended.get("error")) == ("FAILED", "States.DataLimitExceeded")
    assert (workbench.faults()[0]["seen"], workbench.faults()[0]["fired"]) == (1, 1)
    assert machine.run()["status"] == "SUCCEEDED", "it strikes once"


@pytest.mark.parametrize("call", ["s3:GetObject", "lambda:InvokeFunction"])
def test_an_enlarged_answer_is_one_byte_too_large_and_refused_by_the_limit_of_all_results(
    workbench: Workbench, call: str
) -> None:
    resource = {"s3:GetObject": sdk("s3", "getObject")}.get(call, "arn:aws:states:::lambda:invoke")
    machine = Machine(workbench, resource, answering(workbench, call))
    machine.arm(call, action="enlarge", size=TOO_LARGE - 1)
    ended = machine.run()
    assert ended["status"] == "SUCCEEDED"
    output = json.loads(ended["output"])
    assert len(json.dumps(output, ensure_ascii=False).encode()) == PAYLOAD_LIMIT == TOO_LARGE - 1
    assert set(output) - {"Padding"} == set(json.loads(machine.run()["output"])), "nothing else has changed"


def test_the_call_of_an_enlarged_answer_has_taken_effect(workbench: Workbench) -> None:
    url, _ = workbench.queue()
    machine = Machine(workbench, "arn:aws:states:::sqs:sendMessage", {"QueueUrl": url, "MessageBody": "x"})
    machine.arm("sqs:SendMessage", action="enlarge")
    assert machine.run().get("error") == "States.DataLimitExceeded"
    assert len(workbench.messages(url)) == 1


def test_an_execution_whose_answers_were_enlarged_goes_on_when_they_no_longer_are(workbench: Workbench) -> None:
    machine = Machine(workbench, sdk("s3", "getObject"), answering(workbench, "s3:GetObject"))
    machine.arm("s3:GetObject", action="enlarge", times=2)
    execution = workbench.start(machine.arn)
    statuses = [workbench.ended(execution)["status"]]
    for _ in range(2):
        workbench.client("stepfunctions").redrive_execution(executionArn=execution)
        statuses.append(workbench.ended(execution)["status"])
    assert statuses == ["FAILED", "FAILED", "SUCCEEDED"]


@pytest.mark.parametrize("result", [{"a": "é"}, ["a"], "text", None], ids=str)
def test_an_answer_of_any_kind_is_padded_to_the_byte(result: Any) -> None:
    assert len(json.dumps(task_padding.padded(result, 1_000), ensure_ascii=False).encode()) == 1_000


def answering(workbench: Workbench, call: str) -> dict[str, Any]:
    """Arguments of a call that is answered."""
    if call == "lambda:InvokeFunction":
        return {"FunctionName": workbench.function("def handler(event, context): return {'done': 'é'}")}
    bucket = workbench.bucket()
    workbench.client("s3").put_object(Bucket=bucket, Key="key", Body="é".encode())
    return {"Bucket": bucket, "Key": "key"}
