"""The log of what IAM was asked: every path a question can come on is in it."""

import json
from collections.abc import Iterator

import pytest

from localcloud.cloud import LocalCloud
from tests.localcloud.rekognition import pictures
from tests.localcloud.workbench import ACCOUNT, REGION, Workbench, error_code, eventually, unique


class Log:
    """The decisions of IAM."""

    def __init__(self, cloud: LocalCloud) -> None:
        self.cloud = cloud

    def of(self, caller: str) -> dict[tuple[str, str, bool], int]:
        """What was asked for a caller (a role's or user's ARN): action, resource, allowed -> count."""
        return {
            (one["action"], one["resource"], one["allowed"]): one["count"]
            for one in self.cloud.permission_decisions()
            if one["caller"] == caller.rpartition("/")[2]
        }


@pytest.fixture
def log(cloud: LocalCloud) -> Iterator[Log]:
    cloud.record_permissions()
    yield Log(cloud)
    cloud.stop_recording_permissions()


def role_of(workbench: Workbench, function: str) -> str:
    return str(workbench.client("lambda").get_function_configuration(FunctionName=function)["Role"])


def test_calls_of_a_function_are_those_of_its_role(workbench: Workbench, log: Log) -> None:
    bucket = workbench.bucket()
    objects = f"arn:aws:s3:::{bucket}/*"
    function = workbench.function(
        "import boto3\n"
        "def handler(event, context):\n"
        "    s3 = boto3.client('s3')\n"
        "    for key in ('a', 'a'): s3.put_object(Bucket=event, Key=key, Body=b'x')\n"
        "    s3.delete_object(Bucket=event, Key='a')\n",
        ("s3:PutObject", objects),
    )
    assert workbench.invoke(function, bucket)["errorType"] == "AccessDenied"
    assert log.of(role_of(workbench, function)) == {
        ("s3:PutObject", f"arn:aws:s3:::{bucket}/a", True): 2,
        ("s3:DeleteObject", f"arn:aws:s3:::{bucket}/a", False): 1,
    }


def test_items_of_a_transaction_and_batches_are_asked_for_as_they_are_authorized(
    workbench: Workbench, log: Log
) -> None:
    table, topic = workbench.table(), workbench.client("sns").create_topic(Name=unique("topic"))["TopicArn"]
    function = workbench.function(
        "import boto3\n"
        "def handler(event, context):\n"
        "    put = {'Put': {'TableName': event['table'], 'Item': {'key': {'S': 'a'}}}}\n"
        "    boto3.client('dynamodb').transact_write_items(TransactItems=[put])\n"
        "    boto3.client('sns').publish_batch(\n"
        "        TopicArn=event['topic'], PublishBatchRequestEntries=[{'Id': '1', 'Message': 'x'}])\n",
        ("*", "*"),
    )
    assert workbench.invoke(function, {"table": table, "topic": topic}) is None
    assert log.of(role_of(workbench, function)) == {
        ("dynamodb:PutItem", f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}", True): 1,
        ("sns:Publish", topic, True): 1,
    }


def test_tasks_ask_once_with_the_role_of_their_machine(workbench: Workbench, log: Log) -> None:
    url, arn = workbench.queue()
    send = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Arguments": {"QueueUrl": url, "MessageBody": {"token": "{% $states.context.Task.Token %}"}},
        "Next": "Read",
    }
    read = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:s3:getObject",
        "Arguments": {"Bucket": "some-bucket", "Key": "key"},
        "End": True,
    }
    definition = {"StartAt": "Send", "States": {"Send": send, "Read": read}}
    machine = workbench.state_machine(definition, ("sqs:SendMessage", arn))
    execution = workbench.start(machine)
    [message] = eventually(lambda: workbench.messages(url))
    token = json.loads(message["Body"])["token"]
    workbench.client("stepfunctions").send_task_success(taskToken=token, output="{}")
    assert workbench.ended(execution)["status"] == "FAILED"
    role = workbench.client("stepfunctions").describe_state_machine(stateMachineArn=machine)["roleArn"]
    assert log.of(role) == {
        ("sqs:SendMessage", arn, True): 1,
        ("s3:GetObject", "arn:aws:s3:::some-bucket/key", False): 1,
    }


def test_pollers_ask_with_the_role_of_their_function(workbench: Workbench, log: Log) -> None:
    url, arn = workbench.queue()
    function = workbench.function("def handler(event, context): pass", ("sqs:ReceiveMessage", arn))
    mappings = workbench.client("lambda")
    mapping = mappings.create_event_source_mapping(FunctionName=function, EventSourceArn=arn)["UUID"]
    workbench.client("sqs").send_message(QueueUrl=url, MessageBody="x")
    expected = {("sqs:ReceiveMessage", arn, True), ("sqs:DeleteMessage", arn, False)}
    eventually(lambda: set(log.of(role_of(workbench, function))) == expected)
    mappings.delete_event_source_mapping(UUID=mapping)


def test_rekognition_reads_images_as_its_caller(workbench: Workbench, log: Log) -> None:
    bucket = workbench.bucket()
    workbench.client("s3").put_object(Bucket=bucket, Key="a.jpg", Body=pictures.jpeg())
    function = workbench.function(
        "import boto3\n"
        "def handler(event, context):\n"
        "    detect = boto3.client('rekognition').detect_moderation_labels\n"
        "    for key in ('a.jpg', 'none.jpg'): detect(Image={'S3Object': {'Bucket': event, 'Name': key}})\n",
        ("rekognition:DetectModerationLabels", "*"),
        ("s3:GetObject", f"arn:aws:s3:::{bucket}/*"),
    )
    workbench.invoke(function, bucket)
    assert log.of(role_of(workbench, function)) == {
        ("rekognition:DetectModerationLabels", "*", True): 2,
        ("s3:GetObject", f"arn:aws:s3:::{bucket}/a.jpg", True): 1,
        ("s3:GetObject", f"arn:aws:s3:::{bucket}/none.jpg", True): 1,
        ("s3:ListBucket", f"arn:aws:s3:::{bucket}", False): 1,
    }


@pytest.mark.parametrize("allowed", [True, False])
def test_deliveries_of_events_are_asked_for_as_the_service(workbench: Workbench, log: Log, allowed: bool) -> None:
    source = unique("source")
    url, arn = workbench.queue()
    allow = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    if allowed:
        workbench.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    events = workbench.client("events")
    events.put_rule(Name=source, EventPattern=json.dumps({"source": [source]}))
    events.put_targets(Rule=source, Targets=[{"Id": "queue", "Arn": arn}])
    for _ in range(2):
        events.put_events(Entries=[{"Source": source, "DetailType": "x", "Detail": "{}"}])
    service = "events.amazonaws.com"
    eventually(lambda: log.of(service).get(("sqs:SendMessage", arn, allowed)) == 2)


@pytest.mark.usefixtures("log")
def test_users_and_the_root_are_told_apart(workbench: Workbench, cloud: LocalCloud) -> None:
    s3 = workbench.user_client("s3", ("s3:ListAllMyBuckets", "*"))
    assert error_code(s3.list_buckets) == ""
    workbench.client("s3").list_buckets()
    callers = {one["caller"] for one in cloud.permission_decisions() if one["action"] == "s3:ListAllMyBuckets"}
    assert len(callers) == 2
    assert "root" in callers


def test_nothing_is_recorded_before_and_after(workbench: Workbench, cloud: LocalCloud) -> None:
    look = workbench.client("s3").list_buckets
    look()
    assert cloud.permission_decisions() == []
    cloud.record_permissions()
    look()
    # Whatever polls a queue in the background is recorded, too.
    assert [one["action"] for one in cloud.permission_decisions()].count("s3:ListAllMyBuckets") == 1
    cloud.record_permissions()
    assert cloud.permission_decisions() == []
    look()
    cloud.stop_recording_permissions()
    look()
    assert cloud.permission_decisions() == []
