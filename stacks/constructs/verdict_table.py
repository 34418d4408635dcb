"""The verdict table: one item for each upload."""

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from constructs import Construct

from gatehouse.moderation import verdict_item
from stacks.constructs.encryption_key import EncryptionKey


class VerdictTable(Construct):
    """An on-demand table that outlives the stack, can be restored to any second of 35 days, and can't be deleted by
    mistake. One index holds what a person may want to see, final verdicts other than APPROVED, and another one what
    people decided. Its stream is Outcomes'.

    Args:
        key: what it is encrypted with, or None for DynamoDB's own key.
    """

    def __init__(self, scope: Construct, id: str, *, key: EncryptionKey | None) -> None:
        super().__init__(scope, id)
        self._key = key
        self.table = dynamodb.TableV2(
            self,
            "Table",
            partition_key=_text(verdict_item.OBJECT),
            sort_key=_text(verdict_item.VERSION),
            billing=dynamodb.Billing.on_demand(),
            time_to_live_attribute=verdict_item.EXPIRES_AT,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            deletion_protection=True,
            removal_policy=cdk.RemovalPolicy.RETAIN,
            global_secondary_indexes=[
                dynamodb.GlobalSecondaryIndexPropsV2(
                    index_name=verdict_item.INDEX,
                    partition_key=_text(verdict_item.INDEX_PARTITION),
                    sort_key=_text(verdict_item.INDEX_SORT),
                    projection_type=dynamodb.ProjectionType.INCLUDE,
                    non_key_attributes=list(verdict_item.INDEX_PROJECTION),
                ),
                dynamodb.GlobalSecondaryIndexPropsV2(
                    index_name=verdict_item.DECISION_INDEX,
                    partition_key=_text(verdict_item.DECISION_INDEX_PARTITION),
                    sort_key=_text(verdict_item.INDEX_SORT),
                    projection_type=dynamodb.ProjectionType.INCLUDE,
                    non_key_attributes=list(verdict_item.DECISION_INDEX_PROJECTION),
                ),
            ],
            dynamo_stream=dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
        )

        if key:
            self._encrypt(key)

    def grant_claim(self, grantee: iam.IGrantable) -> None:
        """Allow claiming uploads (transactions of puts) and reading who holds one."""
        self._grant(grantee, "dynamodb:PutItem", "dynamodb:GetItem")

    def grant_query(self, grantee: iam.IGrantable) -> None:
        """Allow reading all items of an object."""
        self._grant(grantee, "dynamodb:Query")

    def grant_finalize(self, grantee: iam.IGrantable) -> None:
        """Allow reading a batch's items and writing final ones (transactions of puts)."""
        self._grant(grantee, "dynamodb:PutItem", "dynamodb:BatchGetItem")

    def grant_read_claims(self, grantee: iam.IGrantable) -> None:
        """Allow reading what a batch still holds."""
        self._grant(grantee, "dynamodb:BatchGetItem")

    def grant_read_verdicts(self, grantee: iam.IGrantable) -> None:
        """Allow reading items by their keys, and all of an object."""
        self._grant(grantee, "dynamodb:BatchGetItem", "dynamodb:Query")

    def grant_read_stream(self, grantee: iam.IGrantable) -> None:
        """Allow an event source mapping to read the table's changes (Lambda Developer Guide, with-ddb.html)."""
        actions = ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
        iam.Grant.add_to_principal(
            grantee=grantee,
            actions=[f"dynamodb:{action}" for action in actions],
            resource_arns=[self.stream_arn],
        )
        if self._key:
            self._key.grant_read_stream(grantee)

    @property
    def stream_arn(self) -> str:
        """Of the stream of changes, with the items before and after each."""
        arn = self.table.table_stream_arn
        assert arn is not None, "the table has a stream"  # noqa: S101 - narrows the type
        return arn

    def _encrypt(self, key: EncryptionKey) -> None:
        """The library's own way wants to know the Region, and the stacks are of any."""
        resource = self.table.node.default_child
        assert isinstance(resource, dynamodb.CfnGlobalTable)  # noqa: S101 - narrows the type
        resource.sse_specification = dynamodb.CfnGlobalTable.SSESpecificationProperty(sse_enabled=True, sse_type="KMS")
        resource.add_property_override("Replicas.0.SSESpecification", {"KMSMasterKeyId": key.arn})

    def _grant(self, grantee: iam.IGrantable, *actions: str) -> None:
        iam.Grant.add_to_principal(grantee=grantee, actions=list(actions), resource_arns=[self.table.table_arn])
        if self._key:
            self._key.grant_use_table(grantee)


def _text(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
