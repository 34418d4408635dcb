"""Whether the bucket is set up as the gate needs it: policy, versioning, and who else reads. Reads only."""

import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from botocore.exceptions import ClientError

from gatehouse.aws.version_tags import VersionTags
from gatehouse.cli.aws.bucket_policy import gate_differences, read_policy
from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.deployment import Deployment
from gatehouse.cli.doctor.finding import Finding, Health
from gatehouse.contracts.gate_policy import role_path

_NO_REPLICATION: Final = "ReplicationConfigurationNotFoundError"


@dataclass(frozen=True, slots=True)
class GateSettingsChecks:
    """The checks of a deployment's gate.

    Attributes:
        client: an S3 client.
    """

    client: Any
    deployment: Deployment

    def findings(self) -> Iterator[Finding]:
        """One finding a check; what can't be looked at is one, too."""
        checks: Mapping[str, Callable[[], Finding]] = {
            "gate-policy": self._policy,
            "gate-versioning": self._versioning,
            "gate-roles": self._roles,
            "gate-replication": self._replication,
        }
        for name, check in checks.items():
            try:
                yield check()
            except ClientError as error:
                code = error.response["Error"]["Code"]
                yield Finding(name, Health.UNKNOWN, f"It could not be looked at: {code} from {error.operation_name}.")

    def _policy(self) -> Finding:
        bucket = self.deployment.upload_bucket
        different = gate_differences(read_policy(self.client, bucket), self.deployment.gate_statements)
        if not different:
            state = (
                "closes what is not approved"
                if self.deployment.gate.closes
                else "protects tags, and closes nothing yet"
            )
            return Finding("gate-policy", Health.OK, f"The policy of {bucket} {state}.")
        return Finding(
            "gate-policy",
            Health.BROKEN,
            f"The policy of {bucket} differs from the deployed gate in {', '.join(different)}.",
            (
                f"{COMMAND} gate policy > policy.json",
                f"aws s3api put-bucket-policy --bucket {shlex.quote(bucket)} --policy file://policy.json",
            ),
        )

    def _versioning(self) -> Finding:
        bucket = self.deployment.upload_bucket
        if VersionTags(self.client).has_versioning(bucket):
            return Finding("gate-versioning", Health.OK, f"{bucket} has versioning.")
        return Finding(
            "gate-versioning",
            Health.BROKEN,
            f"{bucket} has no versioning, so what is overwritten could inherit a tag: nothing is opened.",
            (f"aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled",),
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
            ("make deploy",),
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
        if any(fnmatchcase(role, reader) for reader in self.deployment.gate.reader_roles):
            return Finding(
                "gate-replication", Health.OK, f"{role} replicates {bucket}, and is one of the gate's readers."
            )
        return Finding(
            "gate-replication",
            Health.BROKEN,
            f"{role} replicates {bucket}, and the gate keeps it from reading anything, approved or not.",
            (f"gate: {{readers: {{roles: [{role}]}}}}  # in gatehouse.yaml, then make deploy",),
        )
