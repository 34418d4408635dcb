"""The work bucket: manifests, batch terms and result files for a limited time, and policies forever."""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from gatehouse.moderation.batch import (
    batch_prefix,
    bulk_output_prefix,
    execution_key,
    manifest_key,
    terms_key,
    uploads_key,
)
from gatehouse.moderation.chunk import image_output_prefix
from gatehouse.moderation.image_pass import ImagePass
from gatehouse.moderation.open_batch import open_key
from gatehouse.moderation.policy.policy_pointer import POLICIES_PREFIX
from stacks.constructs.accepted_findings import accept_finding
from stacks.constructs.encryption_key import EncryptionKey

_BATCHES = "batches/"

#: Pattern for the indexes of all passes over stragglers.
_STRAGGLERS = f"{batch_prefix('*')}stragglers-*.jsonl"


class WorkBucket(Construct):
    """A bucket apart from the watched one, so that nothing the pipeline writes is mistaken for an upload.

    Args:
        key: encrypts the bucket; None for S3's own key.
        retention: how long a batch's files are kept. An unfinished batch needs them, so keep them longer than any
            outage. Policies are kept forever, to explain the verdicts that they led to.
    """

    def __init__(self, scope: Construct, id: str, *, key: EncryptionKey | None, retention: cdk.Duration) -> None:
        super().__init__(scope, id)
        self._key = key
        self.bucket = s3.Bucket(
            self,
            "Bucket",
            encryption=s3.BucketEncryption.KMS if key else s3.BucketEncryption.S3_MANAGED,
            encryption_key=key.key if key else None,
            bucket_key_enabled=True if key else None,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            lifecycle_rules=[
                s3.LifecycleRule(
                    prefix=_BATCHES,
                    expiration=retention,
                    abort_incomplete_multipart_upload_after=cdk.Duration.days(1),
                )
            ],
            removal_policy=cdk.RemovalPolicy.RETAIN,  # CloudFormation can't delete a bucket with files in it
        )
        if self.bucket.policy:  # what is kept stays TLS-only
            self.bucket.policy.apply_removal_policy(cdk.RemovalPolicy.RETAIN)
        reason = "Only the pipeline's own roles read and write here, and every file names its batch."
        accept_finding(self.bucket, "S1", reason)
        accept_finding(self.bucket, "CKV_AWS_18", reason)
        accept_finding(
            self.bucket, "CKV_AWS_21", "Only its own batch writes a file, and a retry writes the same content."
        )

    def grant_write_batches(self, grantee: iam.IGrantable) -> None:
        """Allow writing a batch's own files, but no result files of an engine: those become verdicts."""
        for key in (manifest_key("*"), uploads_key("*"), execution_key("*"), terms_key("*")):
            self._grant_write(grantee, key)

    def grant_read_batches(self, grantee: iam.IGrantable) -> None:
        """Allow reading all files of a batch."""
        self._grant_read(grantee, batch_prefix("*") + "*")

    def grant_read_manifests(self, grantee: iam.IGrantable) -> None:
        """Allow reading the manifest of a media analysis job."""
        self._grant_read(grantee, manifest_key("*"))

    def grant_read_terms(self, grantee: iam.IGrantable) -> None:
        """Allow checking whether a batch is complete: its terms are written last."""
        self._grant_read(grantee, terms_key("*"))

    def grant_write_analyses(self, grantee: iam.IGrantable) -> None:
        """Allow writing the output of a media analysis job."""
        self._grant_write(grantee, bulk_output_prefix("*") + "/*")

    def grant_analyze_chunks(self, grantee: iam.IGrantable) -> None:
        """Allow reading a chunk's uploads, and reading and writing its result file."""
        for key in (uploads_key("*"), _STRAGGLERS, f"{image_output_prefix('*')}*"):
            self._grant_read(grantee, key)
        self._grant_write(grantee, f"{image_output_prefix('*')}*")

    def grant_read_leftovers(self, grantee: iam.IGrantable) -> None:
        """Allow reading the uploads of a chunk of leftovers."""
        self._grant_read(grantee, ImagePass.LEFTOVERS.index_key("*"))

    def grant_write_later_passes(self, grantee: iam.IGrantable) -> None:
        """Allow writing the indexes of the image engine's later passes."""
        self._grant_write(grantee, ImagePass.LEFTOVERS.index_key("*"))
        self._grant_write(grantee, _STRAGGLERS)

    def grant_register(self, grantee: iam.IGrantable, lane: str) -> None:
        """Allow registering a lane's batches as open, and removing the entries of empty ones."""
        self._grant_write(grantee, open_key(lane, "*"))
        self._grant(grantee, "s3:DeleteObject", open_key(lane, "*"))

    def grant_close(self, grantee: iam.IGrantable) -> None:
        """Allow removing a settled batch from the register."""
        self._grant(grantee, "s3:DeleteObject", open_key("*", "*"))

    def grant_sweep(self, grantee: iam.IGrantable) -> None:
        """Allow reading, updating and cleaning up the register of open batches."""
        self.grant_list(grantee)  # the sweeper lists the register
        self._grant_read(grantee, open_key("*", "*"))
        self._grant_write(grantee, open_key("*", "*"))
        self.grant_close(grantee)

    def grant_follow_policies(self, grantee: iam.IGrantable) -> None:
        """Allow reading the policy that a pointer was moved to, and recording a policy in use."""
        self._grant_read(grantee, f"{POLICIES_PREFIX}*")
        self._grant_write(grantee, f"{POLICIES_PREFIX}*")

    def grant_list(self, grantee: iam.IGrantable) -> None:
        """Let S3 answer 404 for a missing file; without ListBucket it says 403 (API reference, GetObject)."""
        iam.Grant.add_to_principal(grantee=grantee, actions=["s3:ListBucket"], resource_arns=[self.bucket.bucket_arn])

    def _grant_read(self, grantee: iam.IGrantable, keys: str) -> None:
        self._grant(grantee, "s3:GetObject", keys)
        if self._key:
            self._key.grant_read_objects(grantee)

    def _grant_write(self, grantee: iam.IGrantable, keys: str) -> None:
        self._grant(grantee, "s3:PutObject", keys)
        if self._key:
            self._key.grant_write_objects(grantee)

    def _grant(self, grantee: iam.IGrantable, action: str, keys: str) -> None:
        iam.Grant.add_to_principal(grantee=grantee, actions=[action], resource_arns=[self.bucket.arn_for_objects(keys)])
