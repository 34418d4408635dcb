"""An optional customer managed key, and who may use it."""

from collections.abc import Sequence
from typing import Final

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

#: The setting's value that creates a key.
CREATE: Final = "create"

#: Prefix of the names of state machines' log groups. With it, all of them need only one line of the account's resource
#: policy for logs, which is limited to 5,120 characters (Step Functions Developer Guide, sfn-best-practices.html).
VENDED_LOGS: Final = "/aws/vendedlogs/states/"

_OBJECTS = "s3"
_MESSAGES = "sqs"
_NOTIFICATIONS = "sns"
_TABLES = "dynamodb"
_IMAGES = "rekognition"

#: What DynamoDB needs of a key on behalf of the principal that uses a table. Creating a table also requires a grant
#: (KMS Developer Guide, services-dynamodb.html).
_TABLE_ACTIONS = (
    *("kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:DescribeKey"),
    *("kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext"),
)

#: Every action except using the key and delegating its use (`kms:CreateGrant`).
_ADMINISTRATION = (
    *("kms:CreateAlias", "kms:UpdateAlias", "kms:DeleteAlias", "kms:DescribeKey", "kms:UpdateKeyDescription"),
    *("kms:EnableKey", "kms:DisableKey", "kms:EnableKeyRotation", "kms:DisableKeyRotation", "kms:RotateKeyOnDemand"),
    *("kms:GetKeyPolicy", "kms:PutKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListKeyPolicies", "kms:ListAliases"),
    *("kms:ListGrants", "kms:RevokeGrant", "kms:ListKeyRotations", "kms:ListResourceTags", "kms:TagResource"),
    *("kms:UntagResource", "kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion"),
)


class EncryptionKey(Construct):
    """The key that encrypts buckets, queues, topic, table, logs and bulk jobs.

    Its policy allows no direct use. The account's identities may use it through the services that store the data
    (`kms:ViaService`) if their own policies allow it too. EventBridge, CloudWatch and CloudWatch Logs may use it for
    this account only. The pipeline's roles get the actions that their calls need, each through the service it calls.

    Args:
        existing_arn: a key that exists already, whose policy its owner maintains; or None to create one. A created key
            outlives the stack, because the data that it encrypts does.
        name: the deployment's name: the alias of a created key, and the prefix of the names of the stacks and of the
            log groups that are named after them.
    """

    def __init__(self, scope: Construct, id: str, *, existing_arn: str | None, name: str) -> None:
        super().__init__(scope, id)
        self.needed_statements = self._needed_statements(name)
        self.key: kms.IKey = kms.Key.from_key_arn(self, "Existing", existing_arn) if existing_arn else self._make(name)

    @property
    def arn(self) -> str:
        """The key's ARN."""
        return self.key.key_arn

    def grant_read_objects(self, grantee: iam.IGrantable) -> None:
        """Allow reading encrypted objects (S3 User Guide, UsingKMSEncryption.html)."""
        self._grant(grantee, _OBJECTS, "kms:Decrypt")

    def grant_write_objects(self, grantee: iam.IGrantable) -> None:
        """Allow writing objects in one piece; a multipart upload would also need to decrypt."""
        self._grant(grantee, _OBJECTS, "kms:GenerateDataKey")

    def grant_receive_messages(self, grantee: iam.IGrantable) -> None:
        """Allow receiving from encrypted queues (SQS Developer Guide, sqs-key-management.html)."""
        self._grant(grantee, _MESSAGES, "kms:Decrypt")

    def grant_send_messages(self, grantee: iam.IGrantable) -> None:
        """Allow sending to encrypted queues; SQS checks a new data key by decrypting it (same page)."""
        self._grant(grantee, _MESSAGES, "kms:GenerateDataKey", "kms:Decrypt")

    def grant_publish(self, grantee: iam.IGrantable) -> None:
        """Allow publishing to an encrypted topic (SNS Developer Guide, sns-key-management.html)."""
        self._grant(grantee, _NOTIFICATIONS, "kms:GenerateDataKey", "kms:Decrypt")

    def grant_use_table(self, grantee: iam.IGrantable) -> None:
        """Allow reading and writing items of an encrypted table."""
        self._grant(grantee, _TABLES, *_TABLE_ACTIONS)

    def grant_read_stream(self, grantee: iam.IGrantable) -> None:
        """Allow reading the changes of an encrypted table."""
        self._grant(grantee, _TABLES, "kms:Decrypt", "kms:DescribeKey")

    def grant_start_jobs(self, grantee: iam.IGrantable) -> None:
        """Allow naming the key in a media analysis job.

        What StartMediaAnalysisJob needs is not documented. These are the actions that CreateProjectVersion needs,
        which has the same parameter (API reference). If they are not enough, Rekognition refuses or fails the job,
        and a lane with the engine `auto` continues image by image.
        """
        self._grant(grantee, _IMAGES, "kms:DescribeKey", "kms:GenerateDataKey", "kms:Decrypt")
        iam.Grant.add_to_principal(
            grantee=grantee,
            actions=["kms:CreateGrant"],
            resource_arns=[self.arn],
            conditions=self._for_resources_through(_IMAGES),
        )

    def _make(self, name: str) -> kms.Key:
        key = kms.Key(
            self,
            "Key",
            description=f"{name}: uploads, batches, verdicts, flags and logs",
            enable_key_rotation=True,
            policy=iam.PolicyDocument(statements=[self._administration(), *self.needed_statements]),
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
        kms.Alias(self, "Alias", alias_name=f"alias/{name}", target_key=key)
        return key

    def _administration(self) -> iam.PolicyStatement:
        return iam.PolicyStatement(
            sid="AdministeredByIdentitiesOfTheAccount",
            principals=[iam.AccountRootPrincipal()],
            actions=list(_ADMINISTRATION),
            resources=["*"],
        )

    def _needed_statements(self, name: str) -> Sequence[iam.PolicyStatement]:
        """What a key's policy has to allow. In a key's policy the resource `*` is the key.

        The statement for EventBridge has a condition on the account only: AWS does not document that SQS passes the
        rule's ARN on to KMS, and if EventBridge could not use the key, every event would be lost.
        """
        stack = cdk.Stack.of(self)
        services = (_OBJECTS, _MESSAGES, _NOTIFICATIONS, _TABLES, _IMAGES)
        groups = [
            stack.format_arn(
                service="logs",
                resource="log-group",
                resource_name=f"{prefix}{name}-*",
                arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
            )
            for prefix in ("", VENDED_LOGS)
        ]
        return (
            iam.PolicyStatement(
                sid="UsedByIdentitiesOfTheAccountThroughServices",
                principals=[iam.AccountRootPrincipal()],
                actions=list(_TABLE_ACTIONS),
                resources=["*"],
                conditions={"StringEquals": {"kms:ViaService": [_endpoint(service) for service in services]}},
            ),
            iam.PolicyStatement(
                sid="HandedOnToTablesAndJobs",
                principals=[iam.AccountRootPrincipal()],
                actions=["kms:CreateGrant"],
                resources=["*"],
                conditions=self._for_resources_through(_TABLES, _IMAGES),
            ),
            iam.PolicyStatement(
                sid="UsedByEventBridgeForQueues",
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["kms:GenerateDataKey", "kms:Decrypt"],
                resources=["*"],
                conditions={"StringEquals": {"aws:SourceAccount": stack.account}},
            ),
            used_by_alarms(),
            # CloudWatch Logs User Guide, encrypt-log-data-kms.html.
            iam.PolicyStatement(
                sid="UsedByCloudWatchLogs",
                principals=[iam.ServicePrincipal(_endpoint("logs"))],
                actions=["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
                resources=["*"],
                conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
            ),
        )

    def _for_resources_through(self, *services: str) -> dict[str, dict[str, object]]:
        """Conditions of a grant that a service makes for what it holds (KMS Developer Guide, conditions-kms.html)."""
        return {
            "StringEquals": {"kms:ViaService": [_endpoint(service) for service in services]},
            "Bool": {"kms:GrantIsForAWSResource": "true"},
        }

    def _grant(self, grantee: iam.IGrantable, service: str, *actions: str) -> None:
        iam.Grant.add_to_principal(
            grantee=grantee,
            actions=list(actions),
            resource_arns=[self.arn],
            conditions={"StringEquals": {"kms:ViaService": _endpoint(service)}},
        )


def used_by_alarms() -> iam.PolicyStatement:
    """What a key's policy has to allow so that alarms can publish to a topic that it encrypts.

    SNS Developer Guide, sns-key-management.html, which excepts only EventBridge from this condition.
    """
    return iam.PolicyStatement(
        sid="UsedByCloudWatchAlarms",
        principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
        actions=["kms:Decrypt", "kms:GenerateDataKey*"],
        resources=["*"],
        conditions={"StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID}},
    )


def _endpoint(service: str) -> str:
    return f"{service}.{cdk.Aws.REGION}.amazonaws.com"
