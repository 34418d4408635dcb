"""Whether the bucket is set up as the gate needs it: policy, versioning, and who else reads. Reads only."""

import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from gatehouse.aws.version_tags import VersionTags
from gatehouse.cli.aws.backup_roles import BackupRoles
from gatehouse.cli.aws.bucket_policy import gate_differences, policy_fix, read_policy
from gatehouse.cli.deployment import Deployment
from gatehouse.cli.doctor.finding import Finding, Health
from gatehouse.cli.gate.protection import Protection
from gatehouse.cli.paste import Paste
from gatehouse.contracts.gate_policy import REFUSES_TAGGED_UPLOADS, role_path

_NO_REPLICATION: Final = "ReplicationConfigurationNotFoundError"
#: Commands shown for uploads that may have the tag.
_ABORTED: Final = 10


@dataclass(frozen=True, slots=True)
class GateSettingsChecks:
    """The checks of a deployment's gate.

    Attributes:
        client: an S3 client.
        backups: knows the roles of AWS Backup.
        protection: remembers since when nobody can begin an upload with the tag.
        now: the current time.
    """

    client: Any
    backups: BackupRoles
    protection: Protection
    deployment: Deployment
    paste: Paste
    now: datetime

    def findings(self) -> Iterator[Finding]:
        """One finding a check; what can't be looked at is one, too."""
        checks: Mapping[str, Callable[[], Finding]] = {
            "gate-policy": self._policy,
            "gate-versioning": self._versioning,
            "gate-roles": self._roles,
            "gate-uploads": self._uploads,
            "gate-replication": self._replication,
            "gate-backup": self._backup,
        }
        for name, check in checks.items():
            try:
                yield check()
            except ClientError as error:
                code = error.response["Error"]["Code"]
                yield Finding(name, Health.UNKNOWN, f"It could not be looked at: {code} from {error.operation_name}.")
            except BotoCoreError as error:
                yield Finding(name, Health.UNKNOWN, f"It could not be looked at: {error}.")

    def _policy(self) -> Finding:
        bucket = self.deployment.upload_bucket
        different = self._differences()
        if not different:
            state = (
                "closes what is not approved"
                if self.deployment.gate.closes
                else "protects tags, and closes nothing yet but the check's own uploads"
            )
            return Finding("gate-policy", Health.OK, f"The policy of {bucket} {state}.")
        return Finding(
            "gate-policy",
            Health.BROKEN,
            f"The policy of {bucket} differs from the deployed gate in {', '.join(different)}.",
            policy_fix(self.paste, bucket),
        )

    def _differences(self) -> list[str]:
        policy = read_policy(self.client, self.deployment.upload_bucket)
        return gate_differences(policy, self.deployment.gate_statements)

    def _versioning(self) -> Finding:
        bucket = self.deployment.upload_bucket
        if VersionTags(self.client).has_versioning(bucket):
            return Finding("gate-versioning", Health.OK, f"{bucket} has versioning.")
        return Finding(
            "gate-versioning",
            Health.BROKEN,
            f"{bucket} has no versioning, so what is overwritten could inherit a tag: nothing is opened.",
            (
                self.paste.aws(
                    f"s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled"
                ),
            ),
        )

    def _roles(self) -> Finding:
        """Whether the functions and Rekognition read with roles that the policy lets through."""
        ours = role_path(self.deployment.name)
        other = [role for role in self.deployment.reading_roles if f":role{ours}" not in role]
        if not other:
            return Finding("gate-roles", Health.OK, f"All roles that read uploads have the path {ours}.")
        return Finding(
            "gate-roles",
            Health.BROKEN,
            f"These roles read uploads and do not have the path {ours}, so the gate would lock them out: "
            f"{', '.join(other)}.",
            (self.paste.make("deploy"),),
        )

    def _uploads(self) -> Finding:
        """Multipart uploads that were begun while they could be given the tag, which S3 sets when they are completed.

        What tags an unfinished upload has, S3 does not say.
        """
        bucket = self.deployment.upload_bucket
        since = self.protection.since(self.now, is_on=REFUSES_TAGGED_UPLOADS not in self._differences())
        pages = self.client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket)
        uploads = [
            upload
            for page in pages
            for upload in page.get("Uploads", [])
            if since is None or upload["Initiated"] <= since
        ]
        if not uploads:
            return Finding("gate-uploads", Health.OK, "No unfinished multipart upload can have the tag.")
        return Finding(
            "gate-uploads",
            Health.WARNING,
            f"{len(uploads):,} unfinished multipart uploads may have been begun with the tag, before the policy was "
            "seen to refuse it. Once completed, they could be read until the next check. Abort them, or wait for them "
            "and check again.",
            tuple(
                self.paste.aws(
                    f"s3api abort-multipart-upload --bucket {shlex.quote(bucket)} --key {shlex.quote(upload['Key'])} "
                    f"--upload-id {shlex.quote(upload['UploadId'])}"
                )
                for upload in uploads[:_ABORTED]
            ),
        )

    def _replication(self) -> Finding:
        """Whether a role that replicates the bucket may read what is not approved."""
        bucket = self.deployment.upload_bucket
        try:
            answer = self.client.get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]
        except ClientError as error:
            if error.response["Error"]["Code"] != _NO_REPLICATION:
                raise
            return Finding("gate-replication", Health.OK, f"{bucket} is not replicated.")
        role = str(answer["Role"])
        if self._is_reader(role):
            return Finding(
                "gate-replication", Health.OK, f"{role} replicates {bucket}, and is one of the gate's readers."
            )
        return Finding(
            "gate-replication",
            Health.BROKEN,
            f"{role} replicates {bucket}, and the gate keeps it from reading anything, approved or not.",
            self._add_readers(role),
        )

    def _backup(self) -> Finding:
        """Whether the roles with which AWS Backup reads the bucket may read what is not approved."""
        bucket = self.deployment.upload_bucket
        roles = self.backups.of(bucket)
        refused = [role for role in roles if not self._is_reader(role)]
        if refused:
            return Finding(
                "gate-backup",
                Health.BROKEN,
                f"AWS Backup reads {bucket} as {', '.join(refused)}, and the gate keeps it from reading what is not "
                "approved.",
                self._add_readers(*refused),
            )
        text = f"AWS Backup reads {bucket} as one of the gate's readers." if roles else "AWS Backup does not read it."
        return Finding("gate-backup", Health.OK, text)

    def _is_reader(self, role: str) -> bool:
        return any(fnmatchcase(role, reader) for reader in self.deployment.gate.reader_roles)

    def _add_readers(self, *roles: str) -> tuple[str, ...]:
        readers = ", ".join([*self.deployment.gate.reader_roles, *roles])
        return (self.paste.setting(f"gate: {{readers: {{roles: [{readers}]}}}}"), self.paste.make("deploy"))
