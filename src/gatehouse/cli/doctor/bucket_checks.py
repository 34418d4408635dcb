"""Whether a bucket can be watched: its Region, notifications, versioning, and policy. Reads only."""

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from gatehouse.cli.doctor.finding import Finding, Health

if TYPE_CHECKING:
    from gatehouse.cli.connection import Connection

#: What Rekognition and Results do with an upload.
_READS = ("s3:GetObject", "s3:GetObjectVersion")
#: Denies of requests that none of Gatehouse's parts makes: without TLS.
_HARMLESS_CONDITIONS = ({"Bool": {"aws:SecureTransport": "false"}}, {"Bool": {"aws:SecureTransport": False}})


@dataclass(frozen=True, slots=True)
class BucketChecks:
    """The checks of one bucket."""

    connection: "Connection"
    bucket: str

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
            return Finding("eventbridge", Health.OK, f"The bucket {self.bucket} sends its events to EventBridge.")
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

    def versioning(self) -> Finding:
        """Whether each upload has a version of its own."""
        if self._client.get_bucket_versioning(Bucket=self.bucket).get("Status") == "Enabled":
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
        denying = list(denying_statements(json.loads(text)))
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


def denying_statements(policy: dict[str, Any]) -> Iterator[str]:
    """The statements of a bucket policy that may deny Gatehouse its reading, by their ids, or their places."""
    statements = policy.get("Statement", [])
    for n, statement in enumerate(statements if isinstance(statements, list) else [statements], start=1):
        if statement.get("Effect") != "Deny" or statement.get("Condition") in _HARMLESS_CONDITIONS:
            continue
        if _covers_reading(statement):
            yield str(statement.get("Sid") or f"statement {n}")


def _covers_reading(statement: dict[str, Any]) -> bool:
    """Whether its actions include reading an object; names of actions are the same in upper and lower case."""
    excluded = "NotAction" in statement
    written = statement.get("NotAction" if excluded else "Action", [])
    patterns = [written] if isinstance(written, str) else written
    matched = {read for read in _READS if any(fnmatchcase(read.lower(), str(pattern).lower()) for pattern in patterns)}
    return len(matched) < len(_READS) if excluded else bool(matched)
