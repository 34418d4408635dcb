"""The stateful part: the watched bucket, the work bucket, the verdict table, the flag topic and the policy pointers."""

from collections.abc import Sequence

import aws_cdk as cdk
from constructs import Construct

from gatehouse.configuration.policies import PolicyCatalog
from gatehouse.configuration.settings import Settings
from gatehouse.contracts.gate_policy import Statement, gate_statements
from gatehouse.contracts.pascal_case import pascal_case
from gatehouse.contracts.stack_outputs import StorageOutput, policy_parameter_output
from gatehouse.contracts.texts import gate_text
from stacks.constructs.encryption_key import CREATE, EncryptionKey
from stacks.constructs.flag_topic import FlagTopic
from stacks.constructs.policy_parameter import PolicyParameter
from stacks.constructs.storage import Storage
from stacks.constructs.upload_bucket import UploadBucket
from stacks.constructs.verdict_table import VerdictTable
from stacks.constructs.work_bucket import WorkBucket


class StorageStack(cdk.Stack):
    """Everything that stores data; it is kept when the stack is deleted."""

    def __init__(self, scope: Construct, *, settings: Settings, policies: PolicyCatalog) -> None:
        # The other stacks use this one's outputs, so it must not be deleted while they exist.
        super().__init__(
            scope,
            f"{settings.name}-storage",
            description="Gatehouse: uploads, verdicts and flags",
            termination_protection=True,
        )
        self.key = self._encryption_key(settings)
        uploads = UploadBucket(self, "Uploads", existing_name=settings.upload_bucket, key=self.key)
        gate = gate_statements(
            settings.gate,
            name=settings.name,
            bucket_arn=uploads.bucket.bucket_arn,
            partition=cdk.Aws.PARTITION,
            account=cdk.Aws.ACCOUNT_ID,
        )
        uploads.deny(gate)
        work = WorkBucket(self, "Work", key=self.key, retention=cdk.Duration.days(settings.work_retention_days))
        verdicts = VerdictTable(self, "Verdicts", key=self.key)
        flags = FlagTopic(self, "Flags", key=self.key)
        pointers = {
            name: PolicyParameter(self, f"{pascal_case(name)}Policy", policy=policies.policies[name])
            for name in settings.policies
        }
        self.storage = Storage(uploads=uploads, work=work, verdicts=verdicts, flags=flags, policies=pointers)
        self._output(settings, gate)

    def _output(self, settings: Settings, gate: Sequence[Statement]) -> None:
        cdk.CfnOutput(self, StorageOutput.UPLOAD_BUCKET_NAME.value, value=self.storage.uploads.bucket.bucket_name)
        cdk.CfnOutput(self, StorageOutput.WORK_BUCKET_NAME.value, value=self.storage.work.bucket.bucket_name)
        cdk.CfnOutput(self, StorageOutput.VERDICT_TABLE_NAME.value, value=self.storage.verdicts.table.table_name)
        cdk.CfnOutput(self, StorageOutput.FLAG_TOPIC_ARN.value, value=self.storage.flags.topic.topic_arn)
        for name, policy in self.storage.policies.items():
            cdk.CfnOutput(self, policy_parameter_output(name), value=policy.parameter.parameter_name)
        main_policy = self.storage.policies[settings.main_lane.policy]
        cdk.CfnOutput(self, StorageOutput.MAIN_POLICY_PARAMETER_NAME.value, value=main_policy.parameter.parameter_name)
        if self.key:
            cdk.CfnOutput(self, StorageOutput.ENCRYPTION_KEY_ARN.value, value=self.key.arn)
            cdk.CfnOutput(
                self,
                StorageOutput.ENCRYPTION_KEY_POLICY.value,
                description="What the policy of the encryption key has to allow",
                value=self.to_json_string([statement.to_statement_json() for statement in self.key.needed_statements]),
            )
        cdk.CfnOutput(self, StorageOutput.GATE.value, value=gate_text(settings.gate))
        if gate:
            cdk.CfnOutput(
                self,
                StorageOutput.GATE_STATEMENTS.value,
                description="What the policy of the uploads bucket has to deny",
                value=self.to_json_string(list(gate)),
            )
        if settings.upload_bucket:
            cdk.CfnOutput(
                self,
                StorageOutput.UPLOAD_BUCKET_NOTICE.value,
                value=f"Turn on Amazon EventBridge for {settings.upload_bucket}: S3 console, Properties, Event "
                "notifications, Amazon EventBridge, On. Until then, uploads are not noticed.",
            )

    def _encryption_key(self, settings: Settings) -> EncryptionKey | None:
        if settings.encryption_key is None:
            return None
        return EncryptionKey(
            self,
            "EncryptionKey",
            existing_arn=None if settings.encryption_key == CREATE else settings.encryption_key,
            name=settings.name,
        )
