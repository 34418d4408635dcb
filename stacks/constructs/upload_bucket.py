"""The watched bucket: a new one, or one that exists already."""

from collections.abc import Mapping, Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from stacks.constructs.accepted_findings import accept_finding
from stacks.constructs.encryption_key import EncryptionKey


class UploadBucket(Construct):
    """A bucket that sends its events to EventBridge.

    An existing bucket is not changed: its owner turns on EventBridge, which works alongside any other notifications.

    Args:
        existing_name: name of a bucket to watch, or None to create one, which outlives the stack.
        key: encrypts a created bucket; None for S3's own key. Uploads in an existing bucket that is encrypted with the
            same key can also be read.
    """

    def __init__(self, scope: Construct, id: str, *, existing_name: str | None, key: EncryptionKey | None) -> None:
        super().__init__(scope, id)
        self._key = key
        #: How a finding of cdk-nag about all of the bucket's objects ends.
        self.objects_finding = f":{existing_name}/*" if existing_name else "}/*"
        self.bucket: s3.IBucket = (
            s3.Bucket.from_bucket_name(self, "Existing", existing_name) if existing_name else self._make(key)
        )

    def grant_read_uploads(self, grantee: iam.IGrantable) -> None:
        """Allow reading all uploads of the bucket, because the keys that lanes watch can change."""
        self._grant_read(grantee, "s3:GetObject")

    def grant_read_versions(self, grantee: iam.IGrantable) -> None:
        """Allow reading the version that was uploaded, or, without versioning, the current object."""
        self._grant_read(grantee, "s3:GetObject", "s3:GetObjectVersion")

    def grant_list(self, grantee: iam.IGrantable) -> None:
        """Let S3 answer 404 for an upload that is gone; without ListBucket it says 403 (API reference, GetObject)."""
        iam.Grant.add_to_principal(grantee=grantee, actions=["s3:ListBucket"], resource_arns=[self.bucket.bucket_arn])

    def grant_list_versions(self, grantee: iam.IGrantable) -> None:
        """Allow listing objects' versions in their order."""
        iam.Grant.add_to_principal(
            grantee=grantee, actions=["s3:ListBucketVersions"], resource_arns=[self.bucket.bucket_arn]
        )

    def grant_tag(self, grantee: iam.IGrantable) -> None:
        """Allow changing the tags of versions, without reading them."""
        actions = [f"s3:{verb}ObjectVersionTagging" for verb in ("Get", "Put", "Delete")]
        iam.Grant.add_to_principal(grantee=grantee, actions=actions, resource_arns=[self.bucket.arn_for_objects("*")])
        # For what was uploaded before the bucket had versions: whether it may be overwritten in place, and its ETag.
        iam.Grant.add_to_principal(
            grantee=grantee, actions=["s3:GetBucketVersioning"], resource_arns=[self.bucket.bucket_arn]
        )
        self.grant_list_versions(grantee)

    def deny(self, statements: Sequence[Mapping[str, Any]]) -> None:
        """Add statements to the policy of a created bucket. An existing one's is its owner's."""
        if isinstance(self.bucket, s3.Bucket):
            for statement in statements:
                self.bucket.add_to_resource_policy(iam.PolicyStatement.from_json(statement))

    def _grant_read(self, grantee: iam.IGrantable, *actions: str) -> None:
        iam.Grant.add_to_principal(
            grantee=grantee, actions=list(actions), resource_arns=[self.bucket.arn_for_objects("*")]
        )
        if self._key:
            self._key.grant_read_objects(grantee)

    def _make(self, key: EncryptionKey | None) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            "Bucket",
            encryption=s3.BucketEncryption.KMS if key else s3.BucketEncryption.S3_MANAGED,
            encryption_key=key.key if key else None,
            bucket_key_enabled=True if key else None,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            versioned=True,  # a verdict speaks for one version, so a version must stay what it is
            lifecycle_rules=[s3.LifecycleRule(abort_incomplete_multipart_upload_after=cdk.Duration.days(7))],
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
        if bucket.policy:  # what is kept stays TLS-only
            bucket.policy.apply_removal_policy(cdk.RemovalPolicy.RETAIN)
        resource = bucket.node.default_child
        assert isinstance(resource, s3.CfnBucket)  # noqa: S101 - narrows the type
        # The native property: event_bridge_enabled=True would do the same through a custom resource and its function.
        resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(event_bridge_enabled=True)
        )
        reason = (
            "To record who reads uploads, turn on CloudTrail data events for the bucket, which unlike access logs are "
            "complete. Few users would read a log bucket, so none is created."
        )
        accept_finding(bucket, "S1", reason)
        accept_finding(bucket, "CKV_AWS_18", reason)
        return bucket
