"""The statements of the bucket's policy that make the gate.

They deny, and name roles by their paths, so that the stack with the bucket need not know the roles. Sources: Service
Authorization Reference for S3 (condition keys by action), S3 User Guide (tagging-and-policies.html), IAM User Guide
(reference_policies_condition-keys.html: `aws:PrincipalArn` of a session is the ARN of its role). That this ARN has the
role's path is as AWS's own examples with `role/aws-reserved/sso.amazonaws.com/*` use it.

A negated operator matches where the key is absent: an object without the tag, a caller without a role, and a service
such as CloudFront are denied.
"""

from collections.abc import Sequence
from typing import Any, Final

from gatehouse.moderation.gate import TAG, Gate
from gatehouse.moderation.status import Status

Statement = dict[str, Any]

#: How the ids of our statements begin; `gate policy` replaces those in a policy that has others.
SID_PREFIX: Final = "GatehouseGate"

#: The statement that keeps everybody from uploading with the tag.
REFUSES_TAGGED_UPLOADS: Final = f"{SID_PREFIX}TaggedUpload"

#: Bytes of a bucket policy (S3 User Guide, add-bucket-policy.html: 20 KB).
MOST_POLICY_BYTES: Final = 20 * 1024

#: What the keys of `gate check`'s probes have in them. A prepared gate closes these keys alone, so that whatever the
#: statements do can be tried before they do it to everybody.
PROBE: Final = "gatehouse-gate-check"

_OPEN: Final = Status.APPROVED.value
_EXISTING: Final = f"s3:ExistingObjectTag/{TAG}"
_REQUESTED: Final = f"s3:RequestObjectTag/{TAG}"
_REQUESTED_KEYS: Final = "s3:RequestObjectTagKeys"
_CALLER: Final = "aws:PrincipalArn"

#: Whatever returns an object's bytes, or says what they are. HeadObject needs the permission of GetObject.
#: GetObjectVersionForReplication does not support the tag's condition key: it is denied whatever the tag is.
READS: Final = (
    *("s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAttributes", "s3:GetObjectVersionAttributes"),
    "s3:GetObjectVersionForReplication",
)
_SETS_TAGS: Final = ("s3:PutObjectTagging", "s3:PutObjectVersionTagging")
_DELETES_TAGS: Final = ("s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging")


def is_of_the_gate(statement: Statement) -> bool:
    """Whether a statement of a policy is one of ours, by its id."""
    return str(statement.get("Sid", "")).startswith(SID_PREFIX)


def role_path(name: str) -> str:
    """The path of a deployment's roles."""
    return f"/gatehouse/{name}/"


def tagger_path(name: str) -> str:
    """The path of the one role that may change the tag: Outcomes'."""
    return f"{role_path(name)}tagger/"


def gate_statements(gate: Gate, *, name: str, bucket_arn: str, partition: str, account: str) -> list[Statement]:
    """The statements, in their order; none without a gate.

    Args:
        name: the deployment's.
        bucket_arn, partition, account: may be tokens.
    """
    if not gate.sets_tags:
        return []
    objects = f"{bucket_arn}/*"
    ours = f"arn:{partition}:iam::{account}:role{role_path(name)}*"
    tagger = f"arn:{partition}:iam::{account}:role{tagger_path(name)}*"
    not_the_tagger = {"ArnNotLike": {_CALLER: tagger}}
    names_the_tag = {"ForAnyValue:StringEqualsIgnoreCase": {_REQUESTED_KEYS: TAG}}
    return [
        _closed(gate, bucket_arn, ours),
        # In a PUT, a POST form, or the beginning of a multipart upload.
        _deny("TaggedUpload", ("s3:PutObject",), objects, names_the_tag),
        _deny(
            "TagAdded",
            _SETS_TAGS,
            objects,
            {**names_the_tag, "StringNotEquals": {_EXISTING: _OPEN}, **not_the_tagger},
        ),
        # Another tool's tags come with all that were there before, so the tag may be said again.
        _deny(
            "TagDropped",
            _SETS_TAGS,
            objects,
            {"StringEquals": {_EXISTING: _OPEN}, "StringNotEquals": {_REQUESTED: _OPEN}, **not_the_tagger},
        ),
        _deny(
            "TagDeleted",
            _DELETES_TAGS,
            objects,
            {"StringEquals": {_EXISTING: [_OPEN, Status.BLOCKED.value]}, **not_the_tagger},
        ),
        # With another spelling of the key beside it, a blocked version might read as approved.
        _deny(
            "BlockedRetagged",
            _SETS_TAGS,
            objects,
            {"StringEquals": {_EXISTING: Status.BLOCKED.value}, **not_the_tagger},
        ),
        # A copy may bring its source's tags along, which no condition key sees.
        _deny("Copied", ("s3:PutObject",), objects, {"Null": {"s3:x-amz-copy-source": "false"}, **_untrusted(gate)}),
        _deny("Replicated", ("s3:ReplicateObject", "s3:ReplicateTags"), objects, _untrusted(gate)),
    ]


def _closed(gate: Gate, bucket_arn: str, ours: str) -> Statement:
    """What denies reading: of every key, or as long as the gate is being prepared, of the probes' keys."""
    differs = {_EXISTING: _OPEN}
    if gate.reader_endpoints:
        differs |= {"aws:SourceVpce": list(gate.reader_endpoints)}  # type: ignore[dict-item]
    condition = {"StringNotEquals": differs, "ArnNotLike": {_CALLER: [ours, *gate.reader_roles]}}
    statement = _deny("Closed", READS, f"{bucket_arn}/*" if gate.closes else f"{bucket_arn}/*{PROBE}*", condition)
    if gate.closes and gate.open_prefixes:
        del statement["Resource"]
        statement["NotResource"] = [f"{bucket_arn}/{prefix}*" for prefix in gate.open_prefixes]
    return statement


def _untrusted(gate: Gate) -> Statement:
    """The condition that the caller is nobody who may copy."""
    if not gate.trusted_replicators:
        return {}
    return {"ArnNotLike": {_CALLER: list(gate.trusted_replicators)}}


def _deny(sid: str, actions: Sequence[str], resource: str, condition: Statement) -> Statement:
    statement = {
        "Sid": f"{SID_PREFIX}{sid}",
        "Effect": "Deny",
        "Principal": "*",
        "Action": actions[0] if len(actions) == 1 else list(actions),
        "Resource": resource,
    }
    return {**statement, "Condition": condition} if condition else statement
