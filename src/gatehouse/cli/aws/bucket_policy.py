"""The policy of the uploads bucket, read to compare it with what the gate needs."""

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from gatehouse.cli.paste import Paste
from gatehouse.contracts.gate_policy import Statement, is_of_the_gate

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def read_policy(client: "S3Client", bucket: str) -> dict[str, Any]:
    """A bucket's policy; one without statements where it has none."""
    try:
        found: dict[str, Any] = json.loads(client.get_bucket_policy(Bucket=bucket)["Policy"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchBucketPolicy":
            raise
        return {"Version": "2012-10-17", "Statement": []}
    statements = found.get("Statement", [])
    return {**found, "Statement": statements if isinstance(statements, list) else [statements]}


def with_gate(policy: Mapping[str, Any], statements: Sequence[Statement]) -> dict[str, Any]:
    """A policy with these statements in place of those of a gate that it has."""
    others = [statement for statement in policy["Statement"] if not is_of_the_gate(statement)]
    return {**policy, "Statement": [*others, *statements]}


def policy_fix(paste: Paste, bucket: str) -> tuple[str, ...]:
    """The commands that put the gate's statements into a bucket's policy."""
    return (
        f"{paste.gatehouse('gate policy')} > policy.json",
        paste.aws(f"s3api put-bucket-policy --bucket {shlex.quote(bucket)} --policy file://policy.json"),
    )


def gate_differences(policy: Mapping[str, Any], statements: Sequence[Statement]) -> list[str]:
    """The ids of statements of the gate that a policy lacks, has changed, or has without need."""
    found = {statement["Sid"]: _normal(statement) for statement in policy["Statement"] if is_of_the_gate(statement)}
    wanted = {statement["Sid"]: _normal(statement) for statement in statements}
    return sorted(sid for sid in found.keys() | wanted.keys() if found.get(sid) != wanted.get(sid))


def _normal(value: Any) -> Any:
    """A part of a statement in one form: S3 may return a list of one for a text, and lists in another order."""
    if isinstance(value, dict):
        if value == {"AWS": "*"} or value == {"AWS": ["*"]}:  # of a principal, the same as "*" (IAM User Guide)
            return ("*",)
        return {name: _normal(part) for name, part in sorted(value.items())}
    return tuple(sorted(map(str, value))) if isinstance(value, list) else (str(value),)
