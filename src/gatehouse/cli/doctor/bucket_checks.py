"""Whether a bucket can be watched: its Region, notifications, versioning, policy, and key. Reads only."""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from gatehouse.aws.version_tags import VersionTags
from gatehouse.cli.ago import ago
from gatehouse.cli.doctor.finding import Finding, Health
from gatehouse.contracts.gate_policy import SID_PREFIX
from gatehouse.moderation.moment import iso

if TYPE_CHECKING:
    from gatehouse.cli.clock import Clock
    from gatehouse.cli.connection import Connection

#: What Rekognition and Results do with an upload, and with its key.
_READS = ("s3:GetObject", "s3:GetObjectVersion")
_DECRYPTS = ("kms:Decrypt",)
#: Notifications take effect within about five minutes (S3 User Guide, enable-event-notifications-eventbridge.html).
_EFFECTIVE = timedelta(minutes=5)
#: CloudTrail's name for a change of notifications.
_CHANGES = "PutBucketNotification"
#: States of a key that can be used (KMS Developer Guide, key-state.html), and what mends others.
_USABLE = frozenset({"Enabled", "Updating"})
_TO_ENABLE = {"Disabled": ("enable-key",), "PendingDeletion": ("cancel-key-deletion", "enable-key")}
_ROLES = "the roles in the outputs ResultsRoleArn, AnalysisRoleArn and AnalyzerRoleArn"
#: Denies of requests that none of Gatehouse's parts makes: without TLS.
_HARMLESS_CONDITIONS = ({"Bool": {"aws:SecureTransport": "false"}}, {"Bool": {"aws:SecureTransport": False}})


@dataclass(frozen=True, slots=True)
class BucketChecks:
    """The checks of one bucket.

    Attributes:
        granted_key: ARN of the key that the deployed roles may use by their own policies, or None.
        reading_roles: ARNs of the roles that read uploads; empty before the first deploy.
    """

    connection: "Connection"
    bucket: str
    clock: "Clock"
    granted_key: str | None = None
    reading_roles: tuple[str, ...] = ()

    def region(self) -> Finding:
        """Whether it is where the functions are."""
        answer: Any = self._client.head_bucket(Bucket=self.bucket)
        region = answer.get("BucketRegion") or answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region")
        here = self.connection.region_name
        if region in (None, here):
            return Finding("bucket-region", Health.OK, f"The bucket {self.bucket} is in {here}.")
        return Finding(
            "bucket-region",
            Health.BROKEN,
            f"The bucket {self.bucket} is in {region}, and this is {here}: its events go to its own Region, and "
            "Rekognition reads no other one's.",
            (f"export AWS_REGION={region}",),
        )

    def notifications(self) -> Finding:
        """Whether S3 sends its events to EventBridge."""
        answer: Any = self._client.get_bucket_notification_configuration(Bucket=self.bucket)
        if "EventBridgeConfiguration" in answer:
            return self._notified(self._changed())
        # The call replaces everything, so what is there has to be said again (API reference).
        kept = {name: value for name, value in answer.items() if name != "ResponseMetadata"}
        configuration = json.dumps({**kept, "EventBridgeConfiguration": {}})
        return Finding(
            "eventbridge",
            Health.BROKEN,
            f"The bucket {self.bucket} does not send its events to EventBridge: no upload is seen. The command keeps "
            "its other notifications; it takes effect after about five minutes.",
            (
                (
                    f"aws s3api put-bucket-notification-configuration --bucket {self.bucket} "
                    f"--notification-configuration {shlex.quote(configuration)}"
                ),
            ),
        )

    def _notified(self, since: datetime | None) -> Finding:
        said = f"The bucket {self.bucket} sends its events to EventBridge"
        if since is None:
            return Finding("eventbridge", Health.OK, f"{said}.")
        if self.clock.now() - since < _EFFECTIVE:
            return Finding(
                "eventbridge",
                Health.WARNING,
                f"{said}. Its notifications were changed a moment ago, which takes effect after about five minutes.",
            )
        words = ago(iso(since), self.clock.now())
        return Finding(
            "eventbridge", Health.OK, f"{said}. The last change of its notifications that CloudTrail has is of {words}."
        )

    def _changed(self) -> datetime | None:
        """When its notifications were changed last, as far as CloudTrail knows: it has 90 days, some minutes late.

        None if it knows of no change, or may not be asked.
        """
        try:
            events = self.connection.client("cloudtrail").lookup_events(
                LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": _CHANGES}]
            )["Events"]
        except (ClientError, BotoCoreError):  # it only says for how long
            return None
        return max((event["EventTime"] for event in events if self._is_change(event)), default=None)

    def _is_change(self, event: Mapping[str, Any]) -> bool:
        """Whether an event is about this bucket, and the call was not refused."""
        names = {resource.get("ResourceName") for resource in event.get("Resources", [])}
        return self.bucket in names and "errorCode" not in json.loads(event.get("CloudTrailEvent") or "{}")

    def encryption(self) -> Finding:
        """Whether its KMS key, if it has one of the account's own, lets the functions read."""
        arn = self._key()
        if arn is None:
            return Finding("encryption", Health.OK, f"The bucket {self.bucket} is encrypted with AWS's own keys.")
        keys: Any = self.connection.client("kms")
        key = keys.describe_key(KeyId=arn)["KeyMetadata"]
        if key["KeyManager"] == "AWS":
            return Finding("encryption", Health.OK, f"The bucket {self.bucket} is encrypted with AWS's own keys.")
        arn, state = str(key["Arn"]), str(key["KeyState"])
        if state not in _USABLE:
            return Finding(
                "encryption",
                Health.BROKEN,
                f"The key of the bucket {self.bucket}, {arn}, is {state}: nobody can read what it encrypts.",
                tuple(f"aws kms {command} --key-id {arn}" for command in _TO_ENABLE.get(state, ("describe-key",))),
            )
        policy = json.loads(keys.get_key_policy(KeyId=arn, PolicyName="default")["Policy"])
        look = f"aws kms get-key-policy --key-id {arn} --policy-name default --query Policy --output text > key.json"
        put = f"aws kms put-key-policy --key-id {arn} --policy-name default --policy file://key.json"
        if denying := list(denying_statements(policy, _DECRYPTS)):
            return Finding(
                "encryption",
                Health.WARNING,
                f"The policy of the bucket's key {arn} denies decrypting in some cases ({', '.join(denying)}). See "
                f"whether that includes {_ROLES}, and exclude them: ArnNotLike aws:PrincipalArn.",
                (look, put),
            )
        _, partition, _, region, account, _ = arn.split(":", 5)
        allowed = set(_allowed(policy, region, account))
        by_account = {"*", account, f"arn:{partition}:iam::{account}:root"} & allowed
        may_use = self.granted_key == arn  # by their own policies, which the account's statement lets them
        if (may_use and by_account) or "*" in allowed or (self.reading_roles and allowed >= set(self.reading_roles)):
            return Finding("encryption", Health.OK, f"The key of the bucket {self.bucket} lets the functions read.")
        roles: list[str] | str = list(self.reading_roles) or "the role ARNs that `make deploy` puts out"
        statement = {"Effect": "Allow", "Principal": {"AWS": roles}, "Action": _DECRYPTS[0], "Resource": "*"}
        return Finding(
            "encryption",
            Health.WARNING,
            f"The policy of the bucket's key {arn} does not name the roles that read uploads. Without kms:Decrypt for "
            f"{_ROLES}, uploads end FAILED. Add the statement, unless IAM policies of theirs that you made allow it.",
            (look, json.dumps(statement), put),
        )

    def _key(self) -> str | None:
        """The KMS key that new objects get, by its id or ARN; None for S3's own keys."""
        try:
            answer: Any = self._client.get_bucket_encryption(Bucket=self.bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ServerSideEncryptionConfigurationNotFoundError":
                raise
            return None
        rules = answer["ServerSideEncryptionConfiguration"]["Rules"]
        keys = (rule.get("ApplyServerSideEncryptionByDefault", {}).get("KMSMasterKeyID") for rule in rules)
        return next((str(key) for key in keys if key), None)

    def versioning(self) -> Finding:
        """Whether each upload has a version of its own."""
        if VersionTags(self._client).has_versioning(self.bucket):
            return Finding("versioning", Health.OK, f"The bucket {self.bucket} has versioning.")
        return Finding(
            "versioning",
            Health.WARNING,
            f"The bucket {self.bucket} has no versioning: what is overwritten before it is analyzed ends FAILED, and a "
            "multipart upload is never approved.",
            (f"aws s3api put-bucket-versioning --bucket {self.bucket} --versioning-configuration Status=Enabled",),
        )

    def policy(self) -> Finding:
        """Whether its policy denies reading."""
        try:
            text = self._client.get_bucket_policy(Bucket=self.bucket)["Policy"]
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchBucketPolicy":
                raise
            return Finding(
                "bucket-policy", Health.OK, f"The bucket {self.bucket} has no policy that could deny reading."
            )
        denying = list(denying_statements(json.loads(text), _READS))
        if not denying:
            return Finding("bucket-policy", Health.OK, f"The policy of {self.bucket} denies no reading.")
        names = ", ".join(denying)
        return Finding(
            "bucket-policy",
            Health.WARNING,
            f"The policy of {self.bucket} denies reading in some cases ({names}). See whether that includes the roles "
            "of the outputs ResultsRoleArn, AnalysisRoleArn and AnalyzerRoleArn, and exclude them: ArnNotLike "
            "aws:PrincipalArn.",
            (f"aws s3api get-bucket-policy --bucket {self.bucket} --query Policy --output text",),
        )

    @property
    def _client(self) -> Any:
        return self.connection.client("s3")


def denying_statements(policy: dict[str, Any], reads: Sequence[str]) -> Iterator[str]:
    """The statements of a policy that may deny Gatehouse its reading, by their ids, or their places."""
    for n, statement in enumerate(_listed(policy.get("Statement", [])), start=1):
        if statement.get("Effect") != "Deny" or statement.get("Condition") in _HARMLESS_CONDITIONS:
            continue
        if str(statement.get("Sid", "")).startswith(SID_PREFIX):
            continue  # the gate's own, which `gate check` looks at
        if _covers(statement, reads):
            yield str(statement.get("Sid") or f"statement {n}")


def _allowed(policy: dict[str, Any], region: str, account: str) -> Iterator[str]:
    """The principals, as a key's policy names them, that it lets decrypt through S3 of this Region and account."""
    for statement in _listed(policy.get("Statement", [])):
        fits = all(
            _fits(operator, conditions, region, account)
            for operator, conditions in statement.get("Condition", {}).items()
        )
        if statement.get("Effect") != "Allow" or not fits or not _covers(statement, _DECRYPTS):
            continue
        principal = statement.get("Principal", {})
        yield from map(str, _listed(principal if isinstance(principal, str) else principal.get("AWS", [])))


def _fits(operator: str, conditions: Mapping[str, Any], region: str, account: str) -> bool:
    """Whether a part of a condition holds for the functions' reading (KMS Developer Guide, conditions-kms.html)."""
    here = {"kms:viaservice": f"s3.{region}.amazonaws.com", "kms:calleraccount": account}
    return operator in ("StringEquals", "StringLike") and all(
        any(fnmatchcase(here.get(key.lower(), ""), str(value)) for value in _listed(values))
        for key, values in conditions.items()
    )


def _covers(statement: dict[str, Any], reads: Sequence[str]) -> bool:
    """Whether its actions include one of these; names of actions are the same in upper and lower case."""
    excluded = "NotAction" in statement
    patterns = [str(pattern).lower() for pattern in _listed(statement.get("NotAction" if excluded else "Action", []))]
    matched = {read for read in reads if any(fnmatchcase(read.lower(), pattern) for pattern in patterns)}
    return len(matched) < len(reads) if excluded else bool(matched)


def _listed(one_or_more: Any) -> list[Any]:
    """What a policy may give as one or as a list."""
    return one_or_more if isinstance(one_or_more, list) else [one_or_more]
