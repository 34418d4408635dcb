"""Results, with everything it reads and writes."""

import boto3
import pytest

from tests.unit.conftest import Storage
from tests.unit.lambdas.court import Court


@pytest.fixture
def court(storage: Storage) -> Court:
    sns, sqs = boto3.client("sns"), boto3.client("sqs")
    topic_arn = sns.create_topic(Name="flags")["TopicArn"]
    queue_url = sqs.create_queue(QueueName="flags")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn, Attributes={"RawMessageDelivery": "true"})
    return Court(storage, topic_arn, queue_url)
