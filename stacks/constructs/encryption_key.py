"""An encryption key of the customer's own, where the settings ask for one, and who may do what with it."""

from collections.abc import Sequence
from typing import Final

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

#: What the setting says to have a key made.
CREATE: Final = "create"

#: What the names of state machines' log groups begin with. All of them together take one line of the account's resource
#: policy for logs, which holds 5,120 characters (Step Functions Developer Guide, sfn-best-practices.html).
VENDED_LOGS: Final = "/aws/vendedlogs/states/"

_OBJECTS = "s3"
_MESSAGES = "sqs"
_NOTIFICATIONS = "sns"
_TABLES = "dynamodb"
_IMAGES = "rekognition"

#: What DynamoDB needs of a key on behalf of who uses a table; who makes one has to create a grant, too (KMS Developer
#: Guide, services-dynamodb.html).
_TABLE_ACTIONS = (
    *("kms:Encrypt", "kms:Decrypt", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:DescribeKey"),
    *("kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext"),
)

#: Everything but using the key, and but handing on its use (`kms:CreateGrant`).
_ADMINISTRATION = (
    *("kms:CreateAlias", "kms:UpdateAlias", "kms:DeleteAlias", "kms:DescribeKey", "kms:UpdateKeyDescription"),
    *("kms:EnableKey", "kms:DisableKey", "kms:EnableKeyRotation", "kms:DisableKeyRotation", "kms:RotateKeyOnDemand"),
    *("kms:GetKeyPolicy", "kms:PutKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListKeyPolicies", "kms:ListAliases"),
    *("kms:ListGrants", "kms:RevokeGrant", "kms:ListKeyRotations", "kms:ListResourceTags", "kms:TagResource"),
    *("kms:UntagResource", "kms:ScheduleKeyDeletion", "kms:CancelKeyDeletion"),
)


class EncryptionKey(Construct):
    """The key that buckets, queues, topic, table, logs and bulk jobs are encrypted with.

    Its policy lets nobody use it directly: the account's identities may use it through the services that hold the data
    (`kms:ViaService`), if their own policies say so too; EventBridge and CloudWatch Logs are let in for this account
    alone. Roles of the pipeline get the actions that their calls need, each through the service it calls.

    Args:
        existing_arn: a key that exists already, whose policy is its owner's business; or None to make one, which
            outlives the stack, because what it encrypted does.
        name: what the deployment is called: the alias of a key that is made, and what the names of the stacks begin
            with, and so those of the log groups that are named after them.
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
        """Allow writing objects in one piece; in several, they would have to be decrypted, too."""
        self._grant(grantee, _OBJECTS, "kms:GenerateDataKey")

    def grant_receive_messages(self, grantee: iam.IGrantable) -> None:
        """Allow receiving from encrypted queues (SQS Developer Guide, sqs-key-management.html)."""
        self._grant(grantee, _MESSAGES, "kms:Decrypt")

    def grant_send_messages(self, grantee: iam.IGrantable) -> None:
        """Allow sending to encrypted queues; a new data key is checked by decrypting it (same page)."""
        self._grant(grantee, _MESSAGES, "kms:GenerateDataKey", "kms:Decrypt")

    def grant_publish(self, grantee: iam.IGrantable) -> None:
        """Allow publishing to an encrypted topic (SNS Developer Guide, sns-key-management.html)."""
        self._grant(grantee, _NOTIFICATIONS, "kms:GenerateDataKey", "kms:Decrypt")

    def grant_use_table(self, grantee: iam.IGrantable) -> None:
        """Allow reading and writing items of an encrypted table."""
        self._grant(grantee, _TABLES, *_TABLE_ACTIONS)

    def grant_start_jobs(self, grantee: iam.IGrantable) -> None:
        """Allow naming the key in a media analysis job.

        What StartMediaAnalysisJob needs is not documented. This is what CreateProjectVersion, with the same parameter,
        is documented to need (API reference). Where it is not enough, Rekognition refuses or fails the job, and a lane
        with the engine `auto` goes on image by image.
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

        EventBridge is known by the account alone: that SQS hands the rule's ARN on to KMS is documented nowhere, and a
        key that EventBridge may not use costs every event.
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


def _endpoint(service: str) -> str:
    return f"{service}.{cdk.Aws.REGION}.amazonaws.com"
