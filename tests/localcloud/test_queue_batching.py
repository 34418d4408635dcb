"""SQS event source mappings: the batches a function gets, and the messages that come back."""

import json
from typing import Any

import pytest

from localcloud.patches.queue_batching import PAYLOAD_LIMIT, RECORD_OVERHEAD
from tests.localcloud.workbench import Workbench, eventually

# Writes how many records each invocation had into an S3 object of its own.
_COUNT = """
import boto3, json, os
def handler(event, context):
    records = event["Records"]
    counted = json.dumps([len(records), len(json.dumps(event))])
    boto3.client("s3").put_object(Bucket=os.environ["BUCKET"], Key=f"{context.aws_request_id}.json", Body=counted)
    new = [record for record in records if record["attributes"]["ApproximateReceiveCount"] == "1"]
    if any("die" in record["body"] for record in new):
        os._exit(1)
    return {"batchItemFailures": [{"itemIdentifier": r["messageId"]} for r in new if "fail" in r["body"]]}
"""


class Consumer:
    """A queue, and a function that records how it was called."""

    def __init__(self, workbench: Workbench, *, permissions: str = "sqs:*", **mapping: Any) -> None:
        self.workbench = workbench
        self.bucket = workbench.bucket()
        self.url, self.arn = workbench.queue(VisibilityTimeout="60")
        self.function = workbench.function(
            _COUNT,
            (permissions, self.arn),
            ("s3:PutObject", f"arn:aws:s3:::{self.bucket}/*"),
            timeout=10,
            BUCKET=self.bucket,
        )
        self.mapping = {
            "EventSourceArn": self.arn,
            "FunctionName": self.function,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            **mapping,
        }

    def connect(self) -> str:
        """Create the mapping. Returns its id."""
        return str(self.workbench.client("lambda").create_event_source_mapping(**self.mapping)["UUID"])

    def send(self, *bodies: str) -> None:
        sqs = self.workbench.client("sqs")
        for start in range(0, len(bodies), 10):
            entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies[start : start + 10])]
            assert not sqs.send_message_batch(QueueUrl=self.url, Entries=entries).get("Failed")

    def invocations(self) -> list[tuple[int, int]]:
        """Records and bytes of each invocation so far."""
        s3 = self.workbench.client("s3")
        keys = [item["Key"] for item in s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])]
        return [tuple(json.loads(s3.get_object(Bucket=self.bucket, Key=key)["Body"].read())) for key in keys]

    def waiting(self) -> int:
        """Messages in the queue, visible or not."""
        attributes = self.workbench.client("sqs").get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])
        return sum(
            int(attributes["Attributes"][f"ApproximateNumberOfMessages{which}"])
            for which in ("", "NotVisible", "Delayed")
        )


def test_a_window_gathers_more_than_ten_messages_into_one_batch(workbench: Workbench) -> None:
    consumer = Consumer(workbench, BatchSize=1000, MaximumBatchingWindowInSeconds=200)
    consumer.connect()
    consumer.send(*(str(number) for number in range(130)))
    eventually(lambda: consumer.waiting() == 0)
    assert [count for count, _ in consumer.invocations()] == [130]


def test_a_full_batch_does_not_wait_for_its_window(workbench: Workbench) -> None:
    consumer = Consumer(workbench, BatchSize=40, MaximumBatchingWindowInSeconds=300)
    consumer.connect()
    consumer.send(*(str(number) for number in range(80)))
    # The window is 3 s here, and would let all 80 wait.
    eventually(lambda: consumer.waiting() == 0)
    assert [count for count, _ in consumer.invocations()] == [40, 40]


def test_without_a_window_messages_are_taken_at_once_and_ten_at_most(workbench: Workbench) -> None:
    consumer = Consumer(workbench, BatchSize=10)
    consumer.send(*(str(number) for number in range(25)))
    consumer.connect()
    eventually(lambda: consumer.waiting() == 0)
    assert sorted(count for count, _ in consumer.invocations()) == [5, 10, 10]


def test_a_batch_ends_before_its_payload_exceeds_six_megabytes(workbench: Workbench) -> None:
    body = json.dumps({"filler": "x" * 60_000})
    consumer = Consumer(workbench, BatchSize=10_000, MaximumBatchingWindowInSeconds=60)
    consumer.send(*[body] * 120)
    consumer.connect()
    eventually(lambda: consumer.waiting() == 0)
    batches = consumer.invocations()
    per_batch = PAYLOAD_LIMIT // (len(json.dumps(body)) + RECORD_OVERHEAD)
    assert sorted(count for count, _ in batches) == [120 - per_batch, per_batch]
    assert max(size for _, size in batches) <= PAYLOAD_LIMIT


def test_reported_failures_come_back_and_the_others_do_not(workbench: Workbench) -> None:
    consumer = Consumer(workbench, BatchSize=10)
    consumer.send("good", "fail", "good")
    consumer.connect()
    eventually(lambda: consumer.waiting() == 0)
    assert sorted(count for count, _ in consumer.invocations()) == [1, 3]


@pytest.mark.parametrize(
    ("response", "come_back"),
    [
        ("None", False),
        ("{}", False),
        ("{'batchItemFailures': None}", False),
        ("{'batchItemFailures': []}", False),
        ("'done'", True),
        ("{'batchItemFailures': [{'itemIdentifier': 'of another batch'}]}", True),
        ("{'batchItemFailures': [{'itemIdentifier': ''}]}", True),
        ("{'batchItemFailures': [{'id': event['Records'][0]['messageId']}]}", True),
    ],
)
def test_only_a_sound_response_lets_messages_go(workbench: Workbench, response: str, come_back: bool) -> None:
    dead_url, dead_arn = workbench.queue()
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 1})
    url, arn = workbench.queue(VisibilityTimeout="30", RedrivePolicy=redrive)
    function = workbench.function(f"def handler(event, context): return {response}", ("sqs:*", arn))
    workbench.client("lambda").create_event_source_mapping(
        EventSourceArn=arn, FunctionName=function, FunctionResponseTypes=["ReportBatchItemFailures"]
    )
    workbench.client("sqs").send_message(QueueUrl=url, MessageBody="x")

    def gone() -> bool:
        counts = workbench.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return {counts[f"ApproximateNumberOfMessages{which}"] for which in ("", "NotVisible")} == {"0"}

    eventually(gone)
    assert bool(workbench.messages(dead_url)) is come_back


def test_messages_of_a_died_function_come_back(workbench: Workbench) -> None:
    consumer = Consumer(workbench, BatchSize=10)
    consumer.send("die", "good")
    consumer.connect()
    eventually(lambda: consumer.waiting() == 0)
    assert [count for count, _ in consumer.invocations()] == [2, 2]


def test_messages_are_not_given_out_again_while_their_function_runs(workbench: Workbench) -> None:
    url, arn = workbench.queue(VisibilityTimeout="60")
    started, started_arn = workbench.queue()
    function = workbench.function(
        "import boto3, os, time\n"
        "def handler(event, context):\n"
        "    boto3.client('sqs').send_message(QueueUrl=os.environ['STARTED'], MessageBody='started')\n"
        "    time.sleep(2)\n",
        ("sqs:*", arn),
        ("sqs:SendMessage", started_arn),
        STARTED=started,
    )
    workbench.client("lambda").create_event_source_mapping(EventSourceArn=arn, FunctionName=function)
    workbench.client("sqs").send_message(QueueUrl=url, MessageBody="x")

    # The visibility timeout is 0.6 s here, the function takes 2 s: redelivered, it would have started three times.
    def drained() -> bool:
        counts = workbench.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return {counts[f"ApproximateNumberOfMessages{which}"] for which in ("", "NotVisible")} == {"0"}

    eventually(drained)
    assert len(workbench.messages(started)) == 1


def test_messages_that_keep_failing_reach_the_dead_letter_queue(workbench: Workbench) -> None:
    dead_url, dead_arn = workbench.queue()
    redrive = json.dumps({"deadLetterTargetArn": dead_arn, "maxReceiveCount": 2})
    url, arn = workbench.queue(VisibilityTimeout="30", RedrivePolicy=redrive)
    function = workbench.function("def handler(event, context): raise ValueError", ("sqs:*", arn))
    workbench.client("lambda").create_event_source_mapping(EventSourceArn=arn, FunctionName=function)
    workbench.client("sqs").send_message(QueueUrl=url, MessageBody="poison")
    assert eventually(lambda: workbench.messages(dead_url))[0]["Body"] == "poison"


def test_a_role_without_queue_permissions_gets_no_messages(workbench: Workbench) -> None:
    consumer = Consumer(workbench, permissions="sqs:DeleteMessage", BatchSize=10)
    consumer.send("x")
    mapping = consumer.connect()

    def result() -> str:
        answer = workbench.client("lambda").get_event_source_mapping(UUID=mapping)
        return str(answer.get("LastProcessingResult"))

    eventually(lambda: result().startswith("PROBLEM") and "ReceiveMessage" in result())
    assert consumer.invocations() == []


# Says when it begins and when it ends.
_SLOW = """
import boto3, json, os, time
def handler(event, context):
    sqs = boto3.client("sqs")
    say = lambda what: sqs.send_message(QueueUrl=os.environ["SAID"], MessageBody=what)
    say("begin")
    time.sleep(0.3)
    say("end")
"""


@pytest.mark.parametrize("most", [2, 3])
def test_no_more_invocations_run_at_a_time_than_the_mapping_allows(workbench: Workbench, most: int) -> None:
    url, arn = workbench.queue(VisibilityTimeout="600")
    said, said_arn = workbench.queue()
    function = workbench.function(_SLOW, ("sqs:*", arn), ("sqs:SendMessage", said_arn), SAID=said)
    for _ in range(12):
        workbench.client("sqs").send_message(QueueUrl=url, MessageBody="x")
    workbench.client("lambda").create_event_source_mapping(
        EventSourceArn=arn, FunctionName=function, BatchSize=1, ScalingConfig={"MaximumConcurrency": most}
    )
    heard: list[tuple[int, str]] = []

    def all_said() -> bool:
        sqs = workbench.client("sqs")
        answer = sqs.receive_message(QueueUrl=said, MaxNumberOfMessages=10, AttributeNames=["SentTimestamp"])
        for message in answer.get("Messages", []):
            heard.append((int(message["Attributes"]["SentTimestamp"]), message["Body"]))
            sqs.delete_message(QueueUrl=said, ReceiptHandle=message["ReceiptHandle"])
        return len(heard) == 24

    eventually(all_said, seconds=30)
    running = reached = 0
    for _, what in sorted(heard, key=lambda one: (one[0], one[1] == "begin")):
        running += 1 if what == "begin" else -1
        reached = max(reached, running)
    assert reached == most


# Fails, after it has given its message another visibility timeout.
_POSTPONE = """
import boto3, os
def handler(event, context):
    record = event["Records"][0]
    sqs = boto3.client("sqs")
    sqs.send_message(QueueUrl=os.environ["SAID"], MessageBody=record["attributes"]["ApproximateReceiveCount"])
    change = {"ReceiptHandle": record["receiptHandle"], "VisibilityTimeout": int(os.environ["SECONDS"])}
    if os.environ["BATCH"]:
        sqs.change_message_visibility_batch(QueueUrl=os.environ["QUEUE"], Entries=[{"Id": "0", **change}])
    else:
        sqs.change_message_visibility(QueueUrl=os.environ["QUEUE"], **change)
    return {"batchItemFailures": [{"itemIdentifier": record["messageId"]}]}
"""


def postponing(workbench: Workbench, queue_seconds: int, changed_seconds: int, batch: bool) -> tuple[str, str]:
    """URLs of a queue whose function fails and changes its message's visibility, and of the queue it says so on."""
    url, arn = workbench.queue(VisibilityTimeout=str(queue_seconds))
    said, said_arn = workbench.queue()
    function = workbench.function(
        _POSTPONE,
        ("sqs:*", arn),
        ("sqs:SendMessage", said_arn),
        QUEUE=url,
        SAID=said,
        SECONDS=str(changed_seconds),
        BATCH="yes" if batch else "",
    )
    workbench.client("lambda").create_event_source_mapping(
        EventSourceArn=arn, FunctionName=function, FunctionResponseTypes=["ReportBatchItemFailures"]
    )
    workbench.client("sqs").send_message(QueueUrl=url, MessageBody="x")
    return url, said


@pytest.mark.parametrize("batch", [True, False])
def test_a_function_can_let_its_message_come_back_earlier(workbench: Workbench, batch: bool) -> None:
    _, said = postponing(workbench, queue_seconds=40_000, changed_seconds=0, batch=batch)
    heard: list[str] = []

    def twice() -> bool:
        heard.extend(message["Body"] for message in workbench.messages(said))
        return len(heard) > 1

    eventually(twice)
    assert heard[:2] == ["1", "2"]


def test_a_function_can_let_its_message_come_back_later(workbench: Workbench) -> None:
    url, said = postponing(workbench, queue_seconds=30, changed_seconds=40_000, batch=False)
    assert [message["Body"] for message in eventually(lambda: workbench.messages(said))] == ["1"]
    # The queue's own timeout is 0.3 s here. Another queue's messages, which come back after 1 s, make sure it is over.
    _, other_said = postponing(workbench, queue_seconds=30, changed_seconds=100, batch=False)
    heard: list[str] = []

    def twice() -> bool:
        heard.extend(message["Body"] for message in workbench.messages(other_said))
        return len(heard) > 1

    eventually(twice)
    assert workbench.messages(said) == []
    attributes = workbench.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["ApproximateNumberOfMessagesNotVisible"] == "1"


def test_a_templates_mapping_keeps_its_limit_of_invocations(workbench: Workbench) -> None:
    _, arn = workbench.queue()
    function = workbench.function("def handler(event, context): pass", ("sqs:*", arn))
    mapping = {
        "Type": "AWS::Lambda::EventSourceMapping",
        "Properties": {
            "EventSourceArn": arn,
            "FunctionName": function,
            "BatchSize": 1,
            "MaximumBatchingWindowInSeconds": 0,
            "ScalingConfig": {"MaximumConcurrency": 7},
        },
    }
    outputs = workbench.deployed({"Resources": {"Mapping": mapping}, "Outputs": {"Id": {"Value": {"Ref": "Mapping"}}}})
    found = workbench.client("lambda").get_event_source_mapping(UUID=outputs["Id"])
    assert (found["BatchSize"], found["ScalingConfig"]) == (1, {"MaximumConcurrency": 7})
