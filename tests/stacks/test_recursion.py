"""Lambda's recursive loop detection stops no function of ours (invariant I14)."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.stacks.conftest import Assembly
from tests.stacks.invocation_graph import InvocationGraph, Template

FIXTURES = ["shipped", "elaborate", "image_only", "own_key", "existing_key"]


@pytest.fixture(params=FIXTURES)
def graph(request: pytest.FixtureRequest) -> InvocationGraph:
    assembly: Assembly = request.getfixturevalue(request.param)
    return InvocationGraph.of(assembly.templates)


def test_a_function_is_allowed_to_loop_exactly_where_it_can_reach_what_invokes_it(graph: InvocationGraph) -> None:
    allowed = {name for name, properties in graph.functions.items() if properties.get("RecursiveLoop") == "Allow"}

    assert allowed == graph.looping()


def test_the_analyzer_of_each_priority_can_reach_its_own_queue_and_no_other_function_can(elaborate: Assembly) -> None:
    found = InvocationGraph.of(elaborate.templates).looping()

    assert {name[: name.index("Function")] for name in found} == {
        f"{priority}ImagesAnalyzer" for priority in ("Fast", "Live", "Backfill")
    }


def arn(name: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [name, "Arn"]}


def function(name: str, action: str, resource: Any) -> Template:
    """A function with a role that may do one thing."""
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return {
        name: {"Type": "AWS::Lambda::Function", "Properties": {"Role": arn(f"{name}Role")}},
        f"{name}Role": {"Type": "AWS::IAM::Role", "Properties": {}},
        f"{name}Policy": {
            "Type": "AWS::IAM::Policy",
            "Properties": {"PolicyDocument": {"Statement": [statement]}, "Roles": [{"Ref": f"{name}Role"}]},
        },
    }


def queue(name: str, dead_letters: str | None = None) -> Template:
    redrive = {"RedrivePolicy": {"deadLetterTargetArn": arn(dead_letters)}} if dead_letters else {}
    return {name: {"Type": "AWS::SQS::Queue", "Properties": redrive}}


def feeds(source: str, target: str) -> Template:
    properties = {"EventSourceArn": arn(source), "FunctionName": {"Ref": target}}
    return {f"{source}Feeds{target}": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": properties}}


def topic(name: str, *subscribers: str) -> Template:
    subscriptions = {
        f"{name}To{each}": {
            "Type": "AWS::SNS::Subscription",
            "Properties": {"TopicArn": {"Ref": name}, "Endpoint": arn(each)},
        }
        for each in subscribers
    }
    return {name: {"Type": "AWS::SNS::Topic", "Properties": {}}, **subscriptions}


def bucket(name: str, **notifications: Any) -> Template:
    return {name: {"Type": "AWS::S3::Bucket", "Properties": {"NotificationConfiguration": notifications}}}


LOOPS: Mapping[str, tuple[set[str], list[Template]]] = {
    "its own queue": ({"A"}, [function("A", "sqs:SendMessage", arn("Q")), queue("Q"), feeds("Q", "A")]),
    "whatever it may do with a queue": ({"A"}, [function("A", "sqs:*", arn("Q")), queue("Q"), feeds("Q", "A")]),
    "any queue": ({"A"}, [function("A", "sqs:SendMessage", "*"), queue("Q"), feeds("Q", "A")]),
    "itself": ({"A"}, [function("A", "lambda:InvokeFunction", arn("A"))]),
    "another function and back": (
        {"A", "B"},
        [
            function("A", "lambda:InvokeFunction", arn("B")),
            function("B", "sqs:SendMessage", arn("Q")),
            queue("Q"),
            feeds("Q", "A"),
        ],
    ),
    "a topic's queue": (
        {"A"},
        [function("A", "sns:Publish", {"Ref": "T"}), topic("T", "Q"), queue("Q"), feeds("Q", "A")],
    ),
    "a topic's function": ({"A"}, [function("A", "sns:Publish", {"Ref": "T"}), topic("T", "A")]),
    "a dead-letter queue": (
        {"A"},
        [
            function("A", "sqs:SendMessage", arn("Q")),
            queue("Q", dead_letters="D"),
            queue("D"),
            feeds("D", "A"),
        ],
    ),
    "a bucket": (
        {"A"},
        [
            function("A", "s3:PutObject", {"Fn::Join": ["", [arn("B"), "/*"]]}),
            bucket("B", LambdaConfigurations=[{"Event": "s3:ObjectCreated:*", "Function": arn("A")}]),
        ],
    ),
    "only another one's loop": (
        {"A"},
        [
            function("A", "sqs:SendMessage", arn("Q")),
            function("B", "sqs:SendMessage", arn("Q")),
            queue("Q"),
            feeds("Q", "A"),
        ],
    ),
    "a queue that nothing reads": (set(), [function("A", "sqs:SendMessage", arn("Q")), queue("Q")]),
    "a queue that it may only read": (
        set(),
        [function("A", "sqs:ReceiveMessage", arn("Q")), queue("Q"), feeds("Q", "A")],
    ),
}


@pytest.mark.parametrize("way", LOOPS)
def test_a_way_back_is_found_wherever_it_leads_through(way: str) -> None:
    looping, parts = LOOPS[way]
    template = {"Resources": {name: resource for part in parts for name, resource in part.items()}}

    assert InvocationGraph.of([template]).looping() == looping


def test_a_way_back_through_another_stack_is_found() -> None:
    exported = {"Outputs": {"Out": {"Value": {"Ref": "T"}, "Export": {"Name": "the-topic"}}}}
    topics = {"Resources": topic("T"), **exported}
    imported = {"Fn::ImportValue": "the-topic"}
    subscription = {"Type": "AWS::SNS::Subscription", "Properties": {"TopicArn": imported, "Endpoint": arn("A")}}
    functions = {"Resources": {**function("A", "sns:Publish", imported), "Subscribed": subscription}}

    assert InvocationGraph.of([topics, functions]).looping() == {"A"}
