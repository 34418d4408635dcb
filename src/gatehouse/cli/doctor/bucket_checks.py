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
from gatehouse.contracts.gate_policy import is_of_the_gate
from gatehouse.moderation.moment import iso

if TYPE_CHECKING:
    from gatehouse.cli.clock import Clock
    from gatehouse.cli.connection import Connection
    from gatehouse.cli.paste import Paste

#: What Rekognition and Results do with an upload; what Results does with the bucket where no image is looked at; and
#: what they do with the key.
_READS = ("s3:GetObject", "s3:GetObjectVersion")
_LISTS = ("s3:ListBucketVersions",)
_DECRYPTS = ("kms:Decrypt",)
#: Notifications take effect within about five minutes (S3 User Guide, enable-event-notifications-eventbridge.html).
_EFFECTIVE = timedelta(minutes=5)
#: CloudTrail's name for a change of notifications.
_CHANGES = "PutBucketNotification"
#: States of a key that can be used (KMS Developer Guide, key-state.html), and what mends others.
_USABLE = frozenset({"Enabled", "Updating"})
_TO_ENABLE = {"Disabled": ("enable-key",), "PendingDeletion": ("cancel-key-deletion", "enable-key")}
_ROLES = "the roles in the outputs ResultsRoleArn, AnalysisRoleArn and AnalyzerRoleArn"
_EXCLUDE = "The command writes the policy with those roles excluded."
_ALLOW = "The command writes the policy with a statement that lets them."
_NOT_YET = "Deploy, and run this again: then it writes the policy for those roles. This is what there is now:"
#: The condition that excludes callers, and the key that says who they are; of a session, the ARN of its role (IAM User
#: Guide, reference_policies_condition-keys.html).
_EXCLUDES, _CALLER = "ArnNotLike", "aws:principalarn"
#: The check of a bucket that is not there, and how S3 says so: HeadBucket's answer has no body (API reference).
MISSING = "bucket"
_NO_BUCKET = frozenset({"404", "NoSuchBucket"})
#: Denies of requests that none of Gatehouse's parts makes: without TLS.
_HARMLESS_CONDITIONS = ({"Bool": {"aws:SecureTransport": "false"}}, {"Bool": {"aws:SecureTransport": False}})


@dataclass(frozen=True, slots=True)
class BucketChecks:
    """The checks of one bucket.

    Attributes:
        granted_key: ARN of the key that the deployed roles may use by their own policies, or None.
        reading_roles: ARNs of the roles that read uploads; empty before the first deploy.
        lists_versions: whether Results confirms approvals by the bucket's listing.
    """

    connection: "Connection"
    bucket: str
    clock: "Clock"
    paste: "Paste"
    granted_key: str | None = None
    reading_roles: tuple[str, ...] = ()
    lists_versions: bool = False

    def region(self) -> Finding:
        """Whether it is there, and where the functions are."""
        try:
            answer: Any = self._client.head_bucket(Bucket=self.bucket)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _NO_BUCKET:
                raise
            return Finding(
                MISSING,
                Health.BROKEN,
                f"There is no bucket {self.bucket}, so no upload would ever be seen: name an existing bucket. The "
                "first command lists yours.",
                (
                    self.paste.aws("s3api list-buckets --query 'Buckets[].Name' --output text"),
                    self.paste.setting("upload_bucket: NAME  # of an existing bucket; or null, to have one made"),
                    self.paste.make("deploy"),
                ),
            )
        region = answer.get("BucketRegion") or answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region")
        here = self.connection.region_name
        if region in (None, here):
            return Finding("bucket-region", Health.OK, f"The bucket {self.bucket} is in {here}.")
        return Finding(
            "bucket-region",
            Health.BROKEN,
            f"The bucket {self.bucket} is in {region}, and this is {here}: its events go to its own Region, and "
            "Rekognition reads no other one's.",
            (f"export AWS_REGION={region}{self._instead}",),
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
                self.paste.aws(
                    f"s3api put-bucket-notification-configuration --bucket {self.bucket} "
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
                tuple(
                    self.paste.aws(f"kms {command} --key-id {arn}")
                    for command in _TO_ENABLE.get(state, ("describe-key",))
                ),
            )
        policy = json.loads(keys.get_key_policy(KeyId=arn, PolicyName="default")["Policy"])
        if denying := list(denying_statements(policy, _DECRYPTS, self.reading_roles)):
            return Finding(
                "encryption",
                Health.WARNING,
                f"The policy of the bucket's key {arn} denies decrypting in some cases ({', '.join(denying)}). If that "
                f"includes {_ROLES}, uploads end FAILED. {_EXCLUDE if self.reading_roles else _NOT_YET}",
                self._put_key_policy(arn, exempting(policy, _DECRYPTS, self.reading_roles)),
            )
        _, partition, _, region, account, _ = arn.split(":", 5)
        allowed = set(_allowed(policy, region, account))
        by_account = {"*", account, f"arn:{partition}:iam::{account}:root"} & allowed
        may_use = self.granted_key == arn  # by their own policies, which the account's statement lets them
        if (may_use and by_account) or "*" in allowed or (self.reading_roles and allowed >= set(self.reading_roles)):
            return Finding("encryption", Health.OK, f"The key of the bucket {self.bucket} lets the functions read.")
        statement = {
            "Sid": "GatehouseReadsUploads",
            "Effect": "Allow",
            "Principal": {"AWS": list(self.reading_roles)},
            "Action": _DECRYPTS[0],
            "Resource": "*",
        }
        whole = {**policy, "Statement": [*_listed(policy.get("Statement", [])), statement]}
        return Finding(
            "encryption",
            Health.WARNING,
            f"The policy of the bucket's key {arn} does not name the roles that read uploads. Without kms:Decrypt for "
            f"{_ROLES}, uploads end FAILED, unless IAM policies of theirs that you made allow it. "
            f"{_ALLOW if self.reading_roles else _NOT_YET}",
            self._put_key_policy(arn, whole),
        )

    def _put_key_policy(self, arn: str, policy: Mapping[str, Any]) -> tuple[str, ...]:
        """The command that writes a key's policy; before the first deploy there are no roles to write into it."""
        if not self.reading_roles:
            return (
                self.paste.aws(f"kms get-key-policy --key-id {arn} --policy-name default --query Policy --output text"),
            )
        text = shlex.quote(json.dumps(policy))
        return (self.paste.aws(f"kms put-key-policy --key-id {arn} --policy-name default --policy {text}"),)

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
            (
                self.paste.aws(
                    f"s3api put-bucket-versioning --bucket {self.bucket} --versioning-configuration Status=Enabled"
                ),
            ),
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
        policy = json.loads(text)
        reads = _READS + _LISTS if self.lists_versions else _READS
        denying = list(denying_statements(policy, reads, self.reading_roles))
        if not denying:
            return Finding("bucket-policy", Health.OK, f"The policy of {self.bucket} denies Gatehouse no reading.")
        if self.reading_roles:
            whole = shlex.quote(json.dumps(exempting(policy, reads, self.reading_roles)))
            fix = self.paste.aws(f"s3api put-bucket-policy --bucket {self.bucket} --policy {whole}")
        else:
            fix = self.paste.aws(f"s3api get-bucket-policy --bucket {self.bucket} --query Policy --output text")
        return Finding(
            "bucket-policy",
            Health.WARNING,
            f"The policy of {self.bucket} denies reading in some cases ({', '.join(denying)}). If that includes "
            f"{_ROLES}, uploads end FAILED. {_EXCLUDE if self.reading_roles else _NOT_YET}",
            (fix,),
        )

    @property
    def _instead(self) -> str:
        """What to do about a Region that was named on the command line, and would still win."""
        return f"  # and leave out --region {self.connection.region}" if self.connection.region else ""

    @property
    def _client(self) -> Any:
        return self.connection.client("s3")


def denying_statements(policy: Mapping[str, Any], reads: Sequence[str], roles: Sequence[str] = ()) -> Iterator[str]:
    """The statements of a policy that may deny Gatehouse its reading, by their ids, or their places.

    Args:
        roles: ARNs of the roles that read; a statement that excludes them all denies nothing.
    """
    for n, statement in enumerate(_listed(policy.get("Statement", [])), start=1):
        if is_of_the_gate(statement):
            continue  # the gate's own, which `gate check` looks at
        if _denies(statement, reads, roles):
            yield str(statement.get("Sid") or f"statement {n}")


def exempting(policy: Mapping[str, Any], reads: Sequence[str], roles: Sequence[str]) -> dict[str, Any]:
    """The policy, with these roles excluded from every statement that may deny them reading.

    All conditions of a statement have to hold, so that one more can only make it deny less; and a condition that
    negates holds if no value of its list matches.
    """
    statements = []
    for statement in _listed(policy.get("Statement", [])):
        if _denies(statement, reads, roles):
            conditions = statement.get("Condition", {})
            others = conditions.get(_EXCLUDES, {})
            name = next((key for key in others if key.lower() == _CALLER), "aws:PrincipalArn")
            named = [*_listed(others.get(name, [])), *roles]
            condition = {**conditions, _EXCLUDES: {**others, name: list(dict.fromkeys(named))}}
            statements.append({**statement, "Condition": condition})
        else:
            statements.append(statement)
    return {**policy, "Statement": statements}


def _denies(statement: Mapping[str, Any], reads: Sequence[str], roles: Sequence[str]) -> bool:
    if statement.get("Effect") != "Deny" or statement.get("Condition") in _HARMLESS_CONDITIONS:
        return False
    return _covers(statement, reads) and not _excludes(statement, roles)


def _excludes(statement: Mapping[str, Any], roles: Sequence[str]) -> bool:
    """Whether a statement's condition leaves all of these roles out."""
    excluded = [
        str(pattern)
        for operator in (_EXCLUDES, "ArnNotEquals", "StringNotLike", "StringNotEquals")
        for key, patterns in statement.get("Condition", {}).get(operator, {}).items()
        if key.lower() == _CALLER
        for pattern in _listed(patterns)
    ]
    return bool(roles) and all(any(fnmatchcase(role, pattern) for pattern in excluded) for role in roles)


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


def _covers(statement: Mapping[str, Any], reads: Sequence[str]) -> bool:
    """Whether its actions include one of these; names of actions are the same in upper and lower case."""
    excluded = "NotAction" in statement
    patterns = [str(pattern).lower() for pattern in _listed(statement.get("NotAction" if excluded else "Action", []))]
    matched = {read for read in reads if any(fnmatchcase(read.lower(), pattern) for pattern in patterns)}
    return len(matched) < len(reads) if excluded else bool(matched)


def _listed(one_or_more: Any) -> list[Any]:
    """What a policy may give as one or as a list."""
    return one_or_more if isinstance(one_or_more, list) else [one_or_more]
