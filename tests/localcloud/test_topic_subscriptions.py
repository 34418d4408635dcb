"""What SNS takes as a subscription, and what it refuses."""

import json
from typing import Any

import pytest

from tests.localcloud.workbench import Workbench, error_code, unique

GOOD: list[Any] = [
    {},
    {"status": ["BLOCKED"]},
    {"status": ["BLOCKED", "REVIEW"], "lane": [{"prefix": "kids"}], "max_confidence": [{"numeric": [">=", 90]}]},
    {"lane": [{"anything-but": ["imports"]}], "labels": [{"exists": True}], "status": [None, 1, 2.5, True]},
    {"status": ["BLOCKED"], "$or": [{"lane": ["kids"]}, {"labels": [{"exists": True}]}]},
]
BAD: list[Any] = [
    [],
    "BLOCKED",
    {"status": "BLOCKED"},
    {"status": []},
    {"status": [["BLOCKED"]]},
    {"status": [{"starts-with": "B"}]},
    {"status": [{"prefix": "B", "suffix": "D"}]},
    {"object": {"bucket": ["uploads"]}},
    {name: ["x"] for name in "abcdef"},
    {"$or": [{"lane": ["kids"]}]},
    {"$or": [{"lane": ["kids"]}, {"labels": "Violence"}]},
]


@pytest.fixture(scope="module")
def topic(workbench: Workbench) -> str:
    return str(workbench.client("sns").create_topic(Name=unique("topic"))["TopicArn"])


@pytest.fixture(scope="module")
def queue(workbench: Workbench) -> str:
    sqs = workbench.client("sqs")
    url = sqs.create_queue(QueueName=unique("queue"))["QueueUrl"]
    return str(sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])


@pytest.mark.parametrize("policy", GOOD)
def test_a_filter_policy_is_taken(workbench: Workbench, topic: str, queue: str, policy: Any) -> None:
    attributes = {"FilterPolicy": json.dumps(policy)}
    workbench.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes=attributes)


@pytest.mark.parametrize("policy", BAD)
def test_a_filter_policy_that_sns_refuses_is_refused(workbench: Workbench, topic: str, queue: str, policy: Any) -> None:
    sns = workbench.client("sns")
    text = json.dumps(policy)

    def subscribe() -> Any:
        return sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes={"FilterPolicy": text})

    arn = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, ReturnSubscriptionArn=True)["SubscriptionArn"]
    assert error_code(subscribe) == "InvalidParameter"
    change = {"SubscriptionArn": arn, "AttributeName": "FilterPolicy", "AttributeValue": text}
    assert error_code(lambda: sns.set_subscription_attributes(**change)) == "InvalidParameter"


def test_a_policy_on_the_messages_body_may_nest(workbench: Workbench, topic: str, queue: str) -> None:
    attributes = {"FilterPolicy": json.dumps({"object": {"bucket": ["uploads"]}}), "FilterPolicyScope": "MessageBody"}
    workbench.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes=attributes)


def test_a_policy_that_is_set_later_is_judged_by_the_subscriptions_scope(workbench: Workbench, queue: str) -> None:
    sns = workbench.client("sns")
    topic = sns.create_topic(Name=unique("topic"))["TopicArn"]
    nested = json.dumps({"object": {"bucket": ["uploads"]}})
    scope = {"FilterPolicyScope": "MessageBody", "FilterPolicy": json.dumps({"status": ["BLOCKED"]})}
    arn = sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue, Attributes=scope, ReturnSubscriptionArn=True)[
        "SubscriptionArn"
    ]

    sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="FilterPolicy", AttributeValue=nested)

    change = {"SubscriptionArn": arn, "AttributeName": "FilterPolicyScope", "AttributeValue": "MessageAttributes"}
    assert error_code(lambda: sns.set_subscription_attributes(**change)) == "InvalidParameter"


@pytest.mark.parametrize("protocol", ["carrier-pigeon", "SQS", "ftp"])
def test_a_protocol_that_sns_does_not_have_is_refused(workbench: Workbench, topic: str, protocol: str) -> None:
    sns = workbench.client("sns")

    assert error_code(lambda: sns.subscribe(TopicArn=topic, Protocol=protocol, Endpoint="x")) == "InvalidParameter"
