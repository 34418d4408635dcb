"""The flag topic: where subscribers hear of uploads that were not approved."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from stacks.constructs.alarm import PERIOD, AlarmScope, create_alarm
from stacks.constructs.encryption_key import EncryptionKey


class FlagTopic(Construct):
    """A standard topic that outlives the stack, with its subscriptions.

    Its policy is explicit, because SNS's default one lets more in: nobody is allowed by it, so that only identities of
    this account whose own policies say so can publish or subscribe, and publishing without TLS is denied. To let
    another account subscribe, add a statement for it.

    Args:
        key: what it is encrypted with, or None for SNS's own key of the account: that costs nothing to keep, and its
            policy admits whoever may use the topic (KMS Developer Guide, AWS managed keys). AWS services could not
            publish through it; none does.
    """

    def __init__(self, scope: Construct, id: str, *, key: EncryptionKey | None) -> None:
        super().__init__(scope, id)
        self._key = key
        self.topic = sns.Topic(
            self,
            "Topic",
            master_key=key.key if key else kms.Alias.from_alias_name(self, "Key", "alias/aws/sns"),
            enforce_ssl=True,
        )
        self.topic.apply_removal_policy(cdk.RemovalPolicy.RETAIN)

    def grant_publish(self, grantee: iam.IGrantable) -> None:
        """Allow publishing flags; PublishBatch is authorized as Publish."""
        iam.Grant.add_to_principal(grantee=grantee, actions=["sns:Publish"], resource_arns=[self.topic.topic_arn])
        if self._key:
            self._key.grant_publish(grantee)

    def create_alarms(self, scope: AlarmScope) -> Sequence[cloudwatch.Alarm]:
        """The topic's alarms, made in another scope."""
        return [
            create_alarm(
                scope,
                "flags undelivered",
                self.metric_undelivered(),
                section="Flags undelivered",
                meaning="SNS could not deliver flags to a subscriber, and gave up.",
            )
        ]

    def metric_published(self) -> cloudwatch.Metric:
        """Flags that were published."""
        return self.topic.metric_number_of_messages_published(period=PERIOD, statistic="Sum")

    def metric_undelivered(self) -> cloudwatch.Metric:
        """Deliveries to a subscriber that failed for good."""
        return self.topic.metric_number_of_notifications_failed(period=PERIOD, statistic="Sum")
