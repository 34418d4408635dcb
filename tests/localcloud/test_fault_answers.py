"""Faults that let a function live: what boto3 makes of them, and what has happened all the same."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.localcloud.workbench import Workbench

# Makes the call that the event names, with its arguments, as often as it says; boto3 does not try again.
_CALLER = """
import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
def handler(event, context):
    config = Config(retries={"total_max_attempts": 1}, read_timeout=event["read_timeout"])
    client = boto3.client(event["service"], config=config)
    outcomes = []
    for _ in range(event["times"]):
        try:
            answer = getattr(client, event["operation"])(**event["arguments"])
            outcomes.append({"code": "", "answer": {name: value for name, value in answer.items() if name in KEPT}})
        except ClientError as error:
            response = error.response
            outcomes.append({
                "code": response["Error"]["Code"],
                "message": response["Error"].get("Message"),
                "status": response["ResponseMetadata"]["HTTPStatusCode"],
                "reasons": response.get("CancellationReasons"),
            })
        except BotoCoreError as error:
            outcomes.append({"code": type(error).__name__})
    return outcomes
KEPT = ("Successful", "Failed", "FailedEntryCount", "Entries", "Responses", "UnprocessedKeys")
"""


class Caller:
    """A function that may do everything, and the faults that hit it."""

    def __init__(self, workbench: Workbench) -> None:
        self.workbench = workbench
        self.function = workbench.function(_CALLER, ("*", "*"))

    def arm(self, call: str, **fault: Any) -> None:
        self.workbench.faults("POST", caller=self.function, call=call, **fault)

    def calls(
        self, service: str, operation: str, times: int = 1, read_timeout: float = 10, **arguments: Any
    ) -> list[dict[str, Any]]:
        event = {
            "service": service,
            "operation": operation,
            "arguments": arguments,
            "times": times,
            "read_timeout": read_timeout,
        }
        outcomes: list[dict[str, Any]] = self.workbench.invoke(self.function, event)
        assert isinstance(outcomes, list), outcomes
        return outcomes

    def call(self, service: str, operation: str, **arguments: Any) -> dict[str, Any]:
        [outcome] = self.calls(service, operation, **arguments)
        return outcome

    def put(self, bucket: str, key: str = "key", read_timeout: float = 10) -> dict[str, Any]:
        return self.call("s3", "put_object", Bucket=bucket, Key=key, Body="x", read_timeout=read_timeout)


@pytest.fixture(scope="module")
def caller(workbench: Workbench) -> Caller:
    return Caller(workbench)


@pytest.fixture(autouse=True)
def no_fault_is_left(workbench: Workbench) -> Iterator[None]:
    yield
    workbench.faults("DELETE")


def keys(workbench: Workbench, bucket: str) -> list[str]:
    listed = workbench.client("s3").list_objects_v2(Bucket=bucket)
    return [item["Key"] for item in listed.get("Contents", [])]


_CALLS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "s3:GetObject": ("s3", "get_object", {"Bucket": "some-bucket", "Key": "key"}),
    "sns:Publish": ("sns", "publish", {"TopicArn": "arn:aws:sns:us-east-1:000000000000:t", "Message": "x"}),
    "sqs:SendMessage": ("sqs", "send_message", {"QueueUrl": "http://127.0.0.1/000000000000/q", "MessageBody": "x"}),
    "dynamodb:GetItem": ("dynamodb", "get_item", {"TableName": "some-table", "Key": {"key": {"S": "a"}}}),
    "states:DescribeExecution": (
        "stepfunctions",
        "describe_execution",
        {"executionArn": "arn:aws:states:us-east-1:000000000000:execution:machine:name"},
    ),
    "rekognition:GetMediaAnalysisJob": ("rekognition", "get_media_analysis_job", {"JobId": "a" * 64}),
    "ssm:GetParameters": ("ssm", "get_parameters", {"Names": ["a"]}),
    "lambda:InvokeFunction": ("lambda", "invoke", {"FunctionName": "some-function"}),
    "cloudwatch:PutMetricData": ("cloudwatch", "put_metric_data", {"Namespace": "n", "MetricData": []}),
}


@pytest.mark.parametrize("call", _CALLS)
def test_every_service_tells_an_error_so_that_boto3_reads_it(caller: Caller, call: str) -> None:
    service, operation, arguments = _CALLS[call]
    caller.arm(call, when="before", action="error", code="AsTold<&>", status=503, message="slow & <down>")
    outcome = caller.call(service, operation, **arguments)
    assert (outcome["code"], outcome["message"], outcome["status"]) == ("AsTold<&>", "slow & <down>", 503)


def test_an_error_of_a_request_without_body_is_its_status(caller: Caller) -> None:
    caller.arm("s3:HeadObject", when="before", action="error", code="SlowDown", status=503)
    assert caller.call("s3", "head_object", Bucket="some-bucket", Key="key")["code"] == "503"


def test_heads_can_be_told_from_gets(caller: Caller) -> None:
    caller.arm("s3:HeadObject", when="before", action="error", code="SlowDown", status=503)
    assert caller.call("s3", "get_object", Bucket="some-bucket", Key="key")["code"] == "NoSuchBucket"
    assert caller.workbench.faults()[0]["seen"] == 0


@pytest.mark.parametrize("action", ["error", "disconnect"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_call_that_ends_badly_has_had_its_effect_only_if_the_fault_comes_after_it(
    caller: Caller, action: str, when: str
) -> None:
    bucket = caller.workbench.bucket()
    fields = {"code": "InternalError", "status": 500} if action == "error" else {}
    caller.arm("s3:PutObject", when=when, action=action, **fields)
    assert caller.put(bucket)["code"] == {"error": "InternalError", "disconnect": "ConnectionClosedError"}[action]
    assert keys(caller.workbench, bucket) == (["key"] if when == "after" else [])
    assert caller.put(bucket)["code"] == ""


@pytest.mark.parametrize("call", _CALLS)
def test_no_service_answers_when_it_is_disconnected(caller: Caller, call: str) -> None:
    service, operation, arguments = _CALLS[call]
    caller.arm(call, when="before", action="disconnect")
    assert caller.call(service, operation, **arguments)["code"] == "ConnectionClosedError"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_delayed_call_ends_as_it_would_have(caller: Caller, when: str) -> None:
    bucket = caller.workbench.bucket()
    caller.arm("s3:PutObject", when=when, action="delay", seconds=0.1)
    assert caller.put(bucket)["code"] == ""
    assert keys(caller.workbench, bucket) == ["key"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_caller_that_does_not_wait_for_a_delayed_call_sees_a_timeout(caller: Caller, when: str) -> None:
    bucket = caller.workbench.bucket()
    caller.arm("s3:PutObject", when=when, action="delay", seconds=30)
    assert caller.put(bucket, read_timeout=0.5)["code"] == "ReadTimeoutError"
    assert keys(caller.workbench, bucket) == (["key"] if when == "after" else [])


def test_a_fault_can_be_aimed_at_one_object(caller: Caller) -> None:
    bucket = caller.workbench.bucket()
    caller.arm("s3:PutObject", when="before", action="error", code="SlowDown", status=503, matching="aim/ä b")
    assert [caller.put(bucket, key)["code"] for key in ("other", "aim/ä b.jpg")] == ["", "SlowDown"]
    assert keys(caller.workbench, bucket) == ["other"]


def test_a_fault_can_be_aimed_at_what_a_body_says(caller: Caller) -> None:
    topic = caller.workbench.client("sns").create_topic(Name="aimed")["TopicArn"]
    caller.arm("sns:Publish", when="before", action="error", code="Throttled", status=400, matching='{"key": "a b"')
    said = [caller.call("sns", "publish", TopicArn=topic, Message=json.dumps({"key": key})) for key in ("a", "a b")]
    assert [outcome["code"] for outcome in said] == ["", "Throttled"]


def test_a_fault_can_be_aimed_at_letters_that_json_escapes(caller: Caller) -> None:
    table = caller.workbench.table()
    caller.arm("dynamodb:GetItem", when="before", action="error", code="Busy", status=400, matching='"S": "ä"')
    asked = [caller.call("dynamodb", "get_item", TableName=table, Key={"key": {"S": key}}) for key in ("a", "ä")]
    assert [outcome["code"] for outcome in asked] == ["", "Busy"]


def transaction(table: str, items: int) -> dict[str, Any]:
    return {"TransactItems": [{"Put": {"TableName": table, "Item": {"key": {"S": str(n)}}}} for n in range(items)]}


def test_a_canceled_transaction_writes_nothing_and_says_why_of_each_item(caller: Caller) -> None:
    table = caller.workbench.table()
    caller.arm("dynamodb:TransactWriteItems", action="cancel", reasons=["TransactionConflict", "None"])
    outcome, second = caller.calls("dynamodb", "transact_write_items", 2, **transaction(table, 3))
    assert (outcome["code"], outcome["status"]) == ("TransactionCanceledException", 400)
    assert [reason["Code"] for reason in outcome["reasons"]] == ["TransactionConflict", "None", "TransactionConflict"]
    assert second["code"] == ""
    assert caller.workbench.client("dynamodb").scan(TableName=table)["Count"] == 3


def test_of_a_batch_of_messages_some_are_not_published(caller: Caller) -> None:
    topic, queue = subscribed(caller.workbench)
    caller.arm("sns:Publish", action="partial", entries=[0, 2, 7], code="InternalFailure")
    entries = [{"Id": f"id-{n}", "Message": f"ä&{n}"} for n in range(4)]
    outcome = caller.call("sns", "publish_batch", TopicArn=topic, PublishBatchRequestEntries=entries)
    assert [(entry["Id"], entry["Code"]) for entry in outcome["answer"]["Failed"]] == [
        ("id-0", "InternalFailure"),
        ("id-2", "InternalFailure"),
    ]
    assert [entry["Id"] for entry in outcome["answer"]["Successful"]] == ["id-1", "id-3"]
    published = [json.loads(message["Body"])["Message"] for message in caller.workbench.messages(queue)]
    assert sorted(published) == ["ä&1", "ä&3"]


def test_of_a_batch_of_events_some_are_not_taken(caller: Caller) -> None:
    caller.arm("events:PutEvents", action="partial", entries=[0, 2, 7], code="ThrottlingException")
    entries = [{"Source": "test", "DetailType": "test", "Detail": "{}"} for _ in range(4)]
    answer = caller.call("events", "put_events", Entries=entries)["answer"]
    assert answer["FailedEntryCount"] == 2
    codes = [entry.get("ErrorCode", "") for entry in answer["Entries"]]
    assert codes == ["ThrottlingException", "", "ThrottlingException", ""]


def test_a_batch_of_events_can_fail_in_all_its_parts(caller: Caller) -> None:
    caller.arm("events:PutEvents", action="partial", entries=[0], code="InternalFailure")
    answer = caller.call("events", "put_events", Entries=[{"Source": "t", "DetailType": "t", "Detail": "{}"}])["answer"]
    assert (answer["FailedEntryCount"], [entry["ErrorCode"] for entry in answer["Entries"]]) == (1, ["InternalFailure"])


def test_a_batch_can_fail_in_all_its_parts(caller: Caller) -> None:
    topic, queue = subscribed(caller.workbench)
    caller.arm("sns:PublishBatch", action="partial", entries=[0])
    entries = [{"Id": "only", "Message": "x"}]
    outcome = caller.call("sns", "publish_batch", TopicArn=topic, PublishBatchRequestEntries=entries)
    assert [entry["Id"] for entry in outcome["answer"]["Failed"]] == ["only"]
    assert outcome["answer"].get("Successful", []) == []
    assert caller.workbench.messages(queue) == []


def test_a_single_message_does_not_fail_in_part(caller: Caller) -> None:
    topic, _ = subscribed(caller.workbench)
    caller.arm("sns:Publish", action="partial", entries=[0])
    assert caller.call("sns", "publish", TopicArn=topic, Message="x")["code"] == ""
    assert caller.workbench.faults()[0]["seen"] == 0


def test_of_a_batch_for_a_queue_some_messages_are_not_sent(caller: Caller) -> None:
    url, _ = caller.workbench.queue()
    caller.arm("sqs:SendMessage", action="partial", entries=[1], code="InternalError")
    entries = [{"Id": f"id-{n}", "MessageBody": str(n)} for n in range(3)]
    outcome = caller.call("sqs", "send_message_batch", QueueUrl=url, Entries=entries)
    assert [entry["Id"] for entry in outcome["answer"]["Failed"]] == ["id-1"]
    assert sorted(message["Body"] for message in caller.workbench.messages(url)) == ["0", "2"]


@pytest.mark.parametrize("entries", [[1], [0, 1, 2]])
def test_of_a_batch_of_keys_some_come_back_unprocessed(caller: Caller, entries: list[int]) -> None:
    table = caller.workbench.table()
    for n in range(3):
        caller.workbench.client("dynamodb").put_item(TableName=table, Item={"key": {"S": str(n)}})
    caller.arm("dynamodb:BatchGetItem", action="partial", entries=entries)
    asked = {table: {"Keys": [{"key": {"S": str(n)}} for n in range(3)], "ConsistentRead": True}}
    outcome, second = caller.calls("dynamodb", "batch_get_item", 2, RequestItems=asked)
    found = [int(item["key"]["S"]) for item in outcome["answer"]["Responses"].get(table, [])]
    unprocessed = outcome["answer"]["UnprocessedKeys"][table]
    assert sorted(found) == [n for n in range(3) if n not in entries]
    assert unprocessed == {"Keys": [{"key": {"S": str(n)}} for n in entries], "ConsistentRead": True}
    assert second["answer"]["UnprocessedKeys"] == {}


def test_keys_of_several_tables_are_counted_through(caller: Caller) -> None:
    tables = [caller.workbench.table() for _ in range(2)]
    caller.arm("dynamodb:BatchGetItem", action="partial", entries=[1, 2])
    asked = {table: {"Keys": [{"key": {"S": str(n)}} for n in range(2)]} for table in tables}
    outcome = caller.call("dynamodb", "batch_get_item", RequestItems=asked)
    unprocessed = {table: keys["Keys"] for table, keys in outcome["answer"]["UnprocessedKeys"].items()}
    assert unprocessed == {tables[0]: [{"key": {"S": "1"}}], tables[1]: [{"key": {"S": "0"}}]}


def subscribed(workbench: Workbench) -> tuple[str, str]:
    """A topic, and the URL of a queue that gets what is published."""
    queue, queue_arn = workbench.queue()
    topic = workbench.client("sns").create_topic(Name=queue_arn.rsplit(":", 1)[-1])["TopicArn"]
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue_arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    workbench.client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    workbench.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn)
    return topic, queue
