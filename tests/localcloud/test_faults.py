"""Faults: a worker is killed before or after an exact call."""

import json
import urllib.error
from collections.abc import Iterator
from typing import Any

import pytest

from localcloud.faults import armed
from localcloud.faults.call_fault import CallFault
from tests.localcloud.workbench import Workbench

_WRITER = """
import boto3, os
s3, sns = boto3.client("s3"), boto3.client("sns")
def handler(event, context):
    for key in ("first", "second"):
        s3.put_object(Bucket=os.environ["BUCKET"], Key=key, Body=b"x")
    sns.publish_batch(TopicArn=os.environ["TOPIC"], PublishBatchRequestEntries=[{"Id": "1", "Message": "x"}])
    return "done"
"""


class Writer:
    """A function that puts `first` and `second` into a bucket and then publishes, and the faults that hit it."""

    def __init__(self, workbench: Workbench) -> None:
        self.workbench = workbench
        self.bucket = workbench.bucket()
        self.topic = workbench.client("sns").create_topic(Name=self.bucket)["TopicArn"]
        self.queue, queue_arn = workbench.queue()
        allow = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue_arn,
        }
        workbench.client("sqs").set_queue_attributes(
            QueueUrl=self.queue, Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [allow]})}
        )
        workbench.client("sns").subscribe(TopicArn=self.topic, Protocol="sqs", Endpoint=queue_arn)
        self.function = workbench.function(
            _WRITER,
            ("s3:PutObject", f"arn:aws:s3:::{self.bucket}/*"),
            ("sns:Publish", self.topic),
            BUCKET=self.bucket,
            TOPIC=self.topic,
        )

    def faults(self, method: str = "GET", **fault: Any) -> list[dict[str, Any]]:
        return self.workbench.faults(method, **({"caller": self.function, **fault} if fault else {}))

    def invoke(self) -> Any:
        """What the function returns, or its error's type."""
        answer = self.workbench.invoke(self.function, {})
        return answer["errorType"] if isinstance(answer, dict) else answer

    def keys(self) -> list[str]:
        listed = self.workbench.client("s3").list_objects_v2(Bucket=self.bucket)
        return [item["Key"] for item in listed.get("Contents", [])]


@pytest.fixture
def writer(workbench: Workbench) -> Iterator[Writer]:
    writer = Writer(workbench)
    yield writer
    writer.faults("DELETE")


def test_a_kill_before_a_call_leaves_no_trace_of_it(writer: Writer) -> None:
    writer.faults("POST", call="s3:PutObject", when="before", nth=2)
    assert writer.invoke() == "Runtime.ExitError"
    assert writer.keys() == ["first"]


def test_a_kill_after_a_call_leaves_its_effect(writer: Writer) -> None:
    writer.faults("POST", call="s3:PutObject", when="after", nth=2)
    assert writer.invoke() == "Runtime.ExitError"
    assert writer.keys() == ["first", "second"]


def test_a_batch_call_counts_as_the_action_it_is_authorized_as(writer: Writer) -> None:
    writer.faults("POST", call="sns:Publish", when="after")
    assert writer.invoke() == "Runtime.ExitError"
    assert len(writer.workbench.messages(writer.queue)) == 1


def test_calls_of_json_services_are_recognized(workbench: Workbench, writer: Writer) -> None:
    table = workbench.table()
    put = {"Put": {"TableName": table, "Item": {"key": {"S": "a"}}}}
    writer.function = workbench.function(
        "import boto3\n"
        f"def handler(event, context): boto3.client('dynamodb').transact_write_items(TransactItems=[{put}])\n",
        ("dynamodb:PutItem", "*"),
    )
    writer.faults("POST", call="dynamodb:TransactWriteItems", when="after")
    assert writer.invoke() == "Runtime.ExitError"
    assert workbench.client("dynamodb").scan(TableName=table)["Count"] == 1


def test_a_fault_strikes_as_often_as_asked_and_then_no_more(writer: Writer) -> None:
    writer.faults("POST", call="s3:PutObject", when="before", times=2)
    assert [writer.invoke() for _ in range(3)] == ["Runtime.ExitError", "Runtime.ExitError", "done"]
    [fault] = writer.faults()
    assert (fault["seen"], fault["fired"]) == (4, 2)


def test_a_call_that_a_fault_strikes_at_is_not_seen_by_those_armed_after_it(writer: Writer) -> None:
    for _ in range(2):
        writer.faults("POST", call="s3:PutObject", when="before")
    assert [writer.invoke() for _ in range(3)] == ["Runtime.ExitError", "Runtime.ExitError", "done"]
    assert [fault["fired"] for fault in writer.faults()] == [1, 1]


def test_what_a_function_is_answered_is_seen_and_not_enlarged(writer: Writer) -> None:
    writer.faults("POST", call="s3:PutObject", action="enlarge")
    writer.faults("POST", call="s3:PutObject", when="before", nth=2)
    assert writer.invoke() == "Runtime.ExitError"
    assert [(fault["seen"], fault["fired"]) for fault in writer.faults()] == [(2, 0), (2, 1)]


def test_other_functions_and_callers_are_spared(writer: Writer, workbench: Workbench) -> None:
    writer.faults("POST", call="s3:PutObject", when="before", times=9)
    other = Writer(workbench)
    assert other.invoke() == "done"
    workbench.client("s3").put_object(Bucket=writer.bucket, Key="by the administrator", Body=b"x")
    assert writer.faults()[0]["seen"] == 0


def test_cleared_faults_do_not_strike(writer: Writer) -> None:
    writer.faults("POST", call="s3:PutObject", when="before")
    assert writer.faults("DELETE") == []
    assert writer.invoke() == "done"


PUT = {"caller": "f", "call": "s3:PutObject"}
TRANSACT = {"caller": "f", "call": "dynamodb:TransactWriteItems", "action": "cancel"}
PUBLISH = {"caller": "f", "call": "sns:Publish", "action": "partial"}


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"call": "s3:PutObject", "when": "before"}, "Missing: caller"),
        ({"caller": "f", "when": "before"}, "Missing: call"),
        (PUT, "Missing: when"),
        ({**PUT, "when": "during"}, "when must be one of before, after"),
        ({**PUT, "when": "after", "nth": 0}, "nth must be a whole number from 1"),
        ({**PUT, "when": "after", "times": True}, "times must be a whole number"),
        ({**PUT, "when": "after", "call": ""}, "call must be a string"),
        ({**PUT, "when": "after", "call": "PutObject"}, "call must be an IAM action such as s3:PutObject"),
        ({**PUT, "when": "after", "call": "stepfunctions:StartExecution"}, "call must be an IAM action"),
        ({**PUT, "when": "after", "call": "s3:PutObjekt"}, "did you mean s3:PutObject"),
        ({**PUT, "when": "after", "call": "s3:ListObjectsV2"}, "did you mean s3:ListBucket?"),
        ({**PUT, "when": "after", "call": "lambda:Invoke"}, "did you mean lambda:InvokeFunction?"),
        ({**PUT, "when": "after", "call": "sns:Frobnicate"}, "did you mean another one?"),
        ({**PUT, "when": "after", "matching": 3}, "matching must be a string"),
        ({**PUT, "when": "after", "action": "pause"}, "action must be one of kill, error"),
        ({**PUT, "when": "after", "color": "red"}, "Unknown: color"),
        ({**PUT, "when": "after", "function": "f"}, "Unknown: function"),
        ({**PUT, "when": "after", "seconds": 1}, "Unknown: seconds"),
        ({**PUT, "when": "after", "action": "error", "code": "SlowDown"}, "Missing: status"),
        ({**PUT, "when": "after", "action": "error", "code": "SlowDown", "status": 200}, "from 400 to 599"),
        ({**PUT, "when": "after", "action": "delay", "seconds": -1}, "a number of seconds"),
        ({**PUT, "action": "cancel", "reasons": ["None"]}, "cancel is for dynamodb:TransactWriteItems"),
        ({**TRANSACT, "reasons": []}, "a list that is not empty"),
        ({**TRANSACT, "reasons": ["Conflict"]}, "Each of reasons must be one of None, ConditionalCheckFailed"),
        ({**TRANSACT, "reasons": ["None"], "when": "after"}, "cancel has no when"),
        ({**PUT, "action": "partial", "entries": [0]}, "partial is for dynamodb:BatchGetItem"),
        ({**PUT, "action": "enlarge", "size": 0}, "size must be a whole number from 1"),
        ({**PUT, "action": "enlarge", "when": "after"}, "enlarge has no when"),
        ({**PUT, "action": "enlarge", "seconds": 1}, "Unknown: seconds"),
        ({**PUBLISH, "entries": [-1]}, "a whole number from 0"),
        ({**PUBLISH, "entries": 1}, "entries must be a list"),
        ({"delivery": "lose"}, "delivery must be one of duplicate, reorder, delay"),
        ({"delivery": "reorder"}, "Missing: times"),
        ({"delivery": "delay"}, "Missing: seconds"),
        ({"delivery": "delay", "seconds": 1, "copies": 2}, "Unknown: copies"),
        ({"delivery": "duplicate", "copies": 0}, "copies must be a whole number from 1"),
        ({"delivery": "reorder", "times": 2, "seed": "x"}, "seed must be a whole number"),
    ],
    ids=str,
)
def test_a_fault_that_makes_no_sense_is_refused(workbench: Workbench, fault: dict[str, Any], says: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refusal:
        workbench.faults("POST", **fault)
    assert refusal.value.code == 400
    assert says in json.loads(refusal.value.read())["message"]
    assert workbench.faults() == []


@pytest.mark.parametrize(
    "call",
    [
        *("s3:GetObject", "s3:GetObjectVersion", "s3:HeadObject", "s3:ListBucket", "s3:DeleteObject"),
        *("lambda:InvokeFunction", "sns:Publish", "sns:PublishBatch", "sqs:SendMessageBatch", "ssm:GetParameters"),
        *("states:ListExecutions", "dynamodb:BatchGetItem", "rekognition:GetMediaAnalysisJob"),
    ],
)
def test_a_call_has_the_name_of_its_action_or_of_the_operation_that_its_request_names(call: str) -> None:
    assert CallFault.from_document({"caller": "f", "call": call, "when": "after"}).call == call


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"caller":' * 100_000, b"{", b"\xff", b"[]"], ids=lambda body: body[:4]
)
def test_what_is_no_fault_is_refused_with_a_reason(body: bytes) -> None:
    status, _, answer = armed.administer("POST", body)
    assert (status, bool(json.loads(answer)["message"])) == (400, True)


_CALLER = """
import boto3, os
from botocore.exceptions import ClientError
calls = {
    "rekognition:DetectModerationLabels": lambda: boto3.client("rekognition").detect_moderation_labels(
        Image={"S3Object": {"Bucket": "none-there", "Name": "none"}}),
    "states:SendTaskHeartbeat": lambda: boto3.client("stepfunctions").send_task_heartbeat(taskToken="none"),
    "sqs:ChangeMessageVisibility": lambda: boto3.client("sqs").change_message_visibility(
        QueueUrl=os.environ["QUEUE"], ReceiptHandle="none", VisibilityTimeout=1),
}
def handler(event, context):
    codes = []
    for _ in range(2):
        try:
            calls[event]()
        except ClientError as error:
            codes.append(error.response["Error"]["Code"])
    return codes
"""


@pytest.mark.parametrize(
    ("call", "code"),
    [
        ("rekognition:DetectModerationLabels", "InvalidS3ObjectException"),
        ("states:SendTaskHeartbeat", "InvalidToken"),
        ("sqs:ChangeMessageVisibility", "ReceiptHandleIsInvalid"),
    ],
)
def test_the_calls_of_a_worker_of_chunks_can_be_hit(writer: Writer, call: str, code: str) -> None:
    url, _ = writer.workbench.queue()
    writer.function = writer.workbench.function(_CALLER, (call, "*"), QUEUE=url)
    assert writer.workbench.invoke(writer.function, call) == [code, code]
    writer.faults("POST", call=call, when="before", nth=2)
    assert writer.workbench.invoke(writer.function, call)["errorType"] == "Runtime.ExitError"
