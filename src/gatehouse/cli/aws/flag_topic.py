"""The flag topic as operators see it: who listens."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

#: What stands in the place of a subscription's ARN until its owner confirms it (API reference, Subscription).
_PENDING = "PendingConfirmation"


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Who listens to the topic.

    Attributes:
        is_confirmed: whether it has agreed; until then nothing is delivered.
        arn: of the subscription, once it is confirmed.
    """

    protocol: str
    endpoint: str
    is_confirmed: bool
    arn: str = ""


class Subscriptions:
    """The subscriptions of a topic.

    Args:
        client: an SNS client.
        topic_arn: of the topic.
    """

    def __init__(self, client: "SNSClient", topic_arn: str) -> None:
        self._client = client
        self._topic_arn = topic_arn

    def first(self) -> list[Subscriber]:
        """The first hundred of them: one call."""
        answer = self._client.list_subscriptions_by_topic(TopicArn=self._topic_arn)
        return [
            Subscriber(each["Protocol"], each["Endpoint"], each["SubscriptionArn"] != _PENDING, each["SubscriptionArn"])
            for each in answer["Subscriptions"]
        ]

    def has_dead_letter_queue(self, subscriber: Subscriber) -> bool:
        """Whether SNS keeps what it could not deliver to a confirmed subscriber: one call."""
        attributes = self._client.get_subscription_attributes(SubscriptionArn=subscriber.arn)["Attributes"]
        return bool(attributes.get("RedrivePolicy"))
