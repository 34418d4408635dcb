"""Lambda's recursive loop detection: a function that leads back to itself is stopped, unless it may loop."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.localcloud.workbench import Statement, Workbench, eventually, unique

#: Invocations of a function that a chain may have: the next one is refused (Lambda Developer Guide,
#: invocation-recursion.html, which says "approximately").
MOST = 16

# Writes each run into an S3 object of its own, and hands on as often as the message says.
_HAND_ON = """
import boto3, json, os, uuid
def handler(event, context):
    for record in event.get("Records", [event]):
        text = record["Sns"]["Message"] if "Sns" in record else record.get("body") or json.dumps(record)
        message = json.loads(text)
        if "TopicArn" in message:
            message = json.loads(message["Message"])
        run = {"function": context.function_name, "trace": os.environ["_X_AMZN_TRACE_ID"]}
        boto3.client("s3").put_object(
            Bucket=os.environ["BUCKET"], Key=f"{message['name']}/{uuid.uuid4().hex}", Body=json.dumps(run)
        )
        following = json.dumps({**message, "runs": message["runs"] - 1})
        if message["runs"] == 1:
            continue
        if "QUEUE" in os.environ:
            boto3.client("sqs").send_message(QueueUrl=os.environ["QUEUE"], MessageBody=following)
        if "TOPIC" in os.environ:
            boto3.client("sns").publish(TopicArn=os.environ["TOPIC"], Message=following)
        if "FUNCTION" in os.environ:
            boto3.client("lambda").invoke(
                FunctionName=os.environ["FUNCTION"], InvocationType="Event", Payload=following
            )
"""


class Loops:
    """Functions that hand messages on, and what became of those."""

    def __init__(self, workbench: Workbench) -> None:
        self.workbench = workbench
        self.bucket = workbench.bucket()

    def function(self, *statements: Statement, **variables: str) -> str:
        """The name of a function that hands on to what its variables name."""
        writes = ("s3:PutObject", f"arn:aws:s3:::{self.bucket}/*")
        return self.workbench.function(_HAND_ON, writes, *statements, timeout=20, BUCKET=self.bucket, **variables)

    def arn(self, function: str) -> str:
        configuration = self.workbench.client("lambda").get_function_configuration(FunctionName=function)
        return str(configuration["FunctionArn"])

    def allow(self, function: str) -> None:
        self.workbench.client("lambda").put_function_recursion_config(FunctionName=function, RecursiveLoop="Allow")

    def feed(self, queue_arn: str, function: str, **mapping: Any) -> None:
        """Have the function invoked with the queue's messages."""
        self.workbench.client("lambda").create_event_source_mapping(
            EventSourceArn=queue_arn, FunctionName=function, **{"BatchSize": 1, **mapping}
        )

    def send(self, queue_url: str, name: str, runs: int, trace: str = "") -> None:
        attribute = {"AWSTraceHeader": {"DataType": "String", "StringValue": trace}} if trace else {}
        self.workbench.client("sqs").send_message(
            QueueUrl=queue_url,
            MessageBody=json.dumps({"name": name, "runs": runs}),
            MessageSystemAttributes=attribute,
        )

    def runs(self, name: str) -> list[dict[str, str]]:
        """The runs that a message made: which function's, and their trace headers."""
        s3 = self.workbench.client("s3")
        keys = [item["Key"] for item in s3.list_objects_v2(Bucket=self.bucket, Prefix=f"{name}/").get("Contents", [])]
        return [json.loads(s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()) for key in keys]

    def refused(self, function: str) -> int:
        """What CloudWatch counts as RecursiveInvocationsDropped."""
        statistics = self.workbench.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName="RecursiveInvocationsDropped",
            Dimensions=[{"Name": "FunctionName", "Value": function}],
            StartTime="2020-01-01T00:00:00Z",
            EndTime="2100-01-01T00:00:00Z",
            Period=86_400,
            Statistics=["Sum"],
        )
        return int(sum(point["Sum"] for point in statistics["Datapoints"]))


class FedLoop:
    """A function that sends to the queue that invokes it, and the queue's dead letters after three deliveries."""

    def __init__(self, loops: Loops) -> None:
        self.dead_letters_url, dead_letters_arn = loops.workbench.queue()
        redrive = {"deadLetterTargetArn": dead_letters_arn, "maxReceiveCount": 3}
        self.url, self.arn = loops.workbench.queue(VisibilityTimeout="30", RedrivePolicy=json.dumps(redrive))
        self.function = loops.function(("sqs:*", self.arn), QUEUE=self.url)


@pytest.fixture
def loops(workbench: Workbench) -> Loops:
    return Loops(workbench)


@pytest.fixture
def fed(loops: Loops) -> FedLoop:
    loop = FedLoop(loops)
    loops.feed(loop.arn, loop.function)
    return loop


def test_a_message_that_goes_round_too_often_stays_in_its_queue_and_becomes_a_dead_letter(
    loops: Loops, fed: FedLoop
) -> None:
    loops.send(fed.url, "round", runs=MOST + 4)

    (dead,) = eventually(lambda: loops.workbench.messages(fed.dead_letters_url))
    assert json.loads(dead["Body"]) == {"name": "round", "runs": 4}
    assert len(loops.runs("round")) == MOST
    assert loops.refused(fed.function) == 3  # at each delivery


def test_a_message_may_go_round_as_often_as_it_will_where_loops_are_allowed(loops: Loops, fed: FedLoop) -> None:
    loops.allow(fed.function)

    loops.send(fed.url, "round", runs=MOST + 9)

    eventually(lambda: len(loops.runs("round")) == MOST + 9)
    assert loops.refused(fed.function) == 0


def test_a_message_that_was_refused_goes_on_where_it_was_once_loops_are_allowed(loops: Loops, fed: FedLoop) -> None:
    loops.send(fed.url, "round", runs=MOST + 2)
    eventually(lambda: loops.refused(fed.function))

    loops.allow(fed.function)

    eventually(lambda: len(loops.runs("round")) == MOST + 2)
    assert loops.workbench.messages(fed.dead_letters_url) == []


def test_a_function_is_not_stopped_for_what_other_chains_did(loops: Loops, fed: FedLoop) -> None:
    names = [f"round-{number}" for number in range(3)]

    for name in names:
        loops.send(fed.url, name, runs=MOST)

    eventually(lambda: all(len(loops.runs(name)) == MOST for name in names))
    assert loops.refused(fed.function) == 0


def test_a_long_chain_of_functions_that_come_once_each_is_no_loop(loops: Loops) -> None:
    function = loops.function()
    for _ in range(MOST + 1):
        function = loops.function(("lambda:InvokeFunction", "*"), FUNCTION=function)

    loops.workbench.invoke(function, {"name": "row", "runs": MOST + 2})

    runs = eventually(lambda: found if len(found := loops.runs("row")) == MOST + 2 else [])
    assert len({run["function"] for run in runs}) == MOST + 2


def around_itself(loops: Loops) -> tuple[str, str]:
    name = loops.function(("lambda:InvokeFunction", "*"))
    variables = {"BUCKET": loops.bucket, "FUNCTION": name}
    loops.workbench.client("lambda").update_function_configuration(
        FunctionName=name, Environment={"Variables": variables}
    )
    return name, name


def around_another_function(loops: Loops) -> tuple[str, str]:
    url, arn = loops.workbench.queue()
    back = loops.function(("sqs:SendMessage", arn), QUEUE=url)
    looping = loops.function(("sqs:*", arn), ("lambda:InvokeFunction", "*"), FUNCTION=back)
    loops.feed(arn, looping)
    return back, looping


def around_a_topic(loops: Loops) -> tuple[str, str]:
    sns = loops.workbench.client("sns")
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
    function = loops.function(("sns:Publish", topic), TOPIC=topic)
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=loops.arn(function))
    return function, function


def around_a_topics_queue(loops: Loops) -> tuple[str, str]:
    sns = loops.workbench.client("sns")
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
    url, arn = loops.workbench.queue()
    policy = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    document = {"Version": "2012-10-17", "Statement": [{**policy, "Resource": arn}]}
    loops.workbench.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(document)})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    function = loops.function(("sns:Publish", topic), ("sqs:*", arn), TOPIC=topic)
    loops.feed(arn, function)
    return function, function


@pytest.mark.parametrize("around", [around_itself, around_another_function, around_a_topic, around_a_topics_queue])
def test_a_loop_is_stopped_whichever_way_it_goes(loops: Loops, around: Callable[[Loops], tuple[str, str]]) -> None:
    first, looping = around(loops)

    loops.workbench.invoke(first, {"name": "round", "runs": 4 * MOST})

    stopped = eventually(lambda: [one for one in {first, looping} if loops.refused(one)])
    assert len(stopped) == 1
    assert sum(run["function"] == stopped[0] for run in loops.runs("round")) == MOST


def trace_of(loops: Loops, function: str, invocations: int) -> str:
    """A trace header of a chain that has invoked a function so often; learned from a first run of it."""
    loops.workbench.invoke(function, {"name": f"first-of-{function}", "runs": 1})
    (run,) = loops.runs(f"first-of-{function}")
    assert run["trace"].endswith(":1")
    return f"{run['trace'][:-1]}{invocations}"


def test_a_caller_that_waits_is_told_that_it_is_in_a_loop(loops: Loops) -> None:
    function = loops.function()
    trace = trace_of(loops, function, MOST)
    client = loops.workbench.client("lambda")

    def with_trace(params: Any, **_: Any) -> None:
        params["headers"]["X-Amzn-Trace-Id"] = trace

    client.meta.events.register("before-call.lambda.Invoke", with_trace)
    try:
        with pytest.raises(client.exceptions.RecursiveInvocationException):
            loops.workbench.invoke(function, {"name": "round", "runs": 1})
    finally:
        client.meta.events.unregister("before-call.lambda.Invoke", with_trace)
    assert loops.runs("round") == []


def test_a_batch_is_as_far_round_as_the_furthest_of_its_messages(loops: Loops) -> None:
    loop = FedLoop(loops)
    loops.send(loop.url, "fresh", runs=1)
    loops.send(loop.url, "old", runs=1, trace=trace_of(loops, loop.function, MOST))

    loops.feed(loop.arn, loop.function, BatchSize=10, MaximumBatchingWindowInSeconds=5)

    assert len(eventually(lambda: loops.workbench.messages(loop.dead_letters_url))) == 2
    assert (loops.runs("fresh"), loops.runs("old")) == ([], [])


@pytest.mark.parametrize("trace", ["", ";;;", "Lineage=", "Lineage=1:a87bd80c:x", "Root=1-x;Lineage=zz:99|:|a87bd80c"])
def test_a_trace_header_of_any_form_is_taken(loops: Loops, fed: FedLoop, trace: str) -> None:
    loops.send(fed.url, "round", runs=2, trace=trace)

    eventually(lambda: len(loops.runs("round")) == 2)


def test_what_a_template_says_of_loops_holds_from_its_deployment_on(workbench: Workbench) -> None:
    role = workbench.role("lambda.amazonaws.com")

    def template(**settings: str) -> dict[str, Any]:
        properties = {
            "Role": role,
            "Runtime": "python3.13",
            "Handler": "index.handler",
            "Code": {"ZipFile": "def handler(event, context): return event"},
            **settings,
        }
        resources = {"Function": {"Type": "AWS::Lambda::Function", "Properties": properties}}
        return {"Resources": resources, "Outputs": {"Name": {"Value": {"Ref": "Function"}}}}

    def setting(name: str) -> str:
        return str(workbench.client("lambda").get_function_recursion_config(FunctionName=name)["RecursiveLoop"])

    stack = unique("stack")
    name = workbench.deployed(template(RecursiveLoop="Allow"), stack)["Name"]
    assert setting(name) == "Allow"

    workbench.deployed(template(), stack)
    assert setting(name) == "Terminate"

    workbench.deployed(template(RecursiveLoop="Allow", Description="another"), stack)
    assert setting(name) == "Allow"
