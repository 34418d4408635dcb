"""The topic that alarms are sent to, where the user has none."""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from stacks.constructs.encryption_key import EncryptionKey, used_by_alarms


class AlarmTopic(Construct):
    """A topic that CloudWatch's alarms of this account may publish to, with a subscriber who has to confirm.

    Args:
        email: the subscriber's address; None for none.
        key: what the topic is encrypted with; None has a key of its own made. SNS's own key of the account is of no use
            here: it does not admit CloudWatch, whose notifications would be lost (SNS Developer Guide,
            sns-key-management.html).
    """

    def __init__(self, scope: Construct, id: str, *, email: str | None, key: EncryptionKey | None) -> None:
        super().__init__(scope, id)
        self.topic = sns.Topic(self, "Topic", master_key=key.key if key else self._make_key(), enforce_ssl=True)
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="PublishedByAlarms",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID}},
            )
        )
        if email:
            sns.Subscription(self, "Email", topic=self.topic, endpoint=email, protocol=sns.SubscriptionProtocol.EMAIL)

    def _make_key(self) -> kms.Key:
        """A key that goes with the stack: it encrypts nothing that is kept."""
        key = kms.Key(
            self,
            "Key",
            description=f"{cdk.Stack.of(self).stack_name}: notifications of alarms",
            enable_key_rotation=True,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        key.add_to_resource_policy(used_by_alarms())
        return key
