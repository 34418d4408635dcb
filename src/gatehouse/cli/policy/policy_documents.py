"""The policies a deployment keeps: the document of every one that judged a batch or was applied, by its hash."""

import re
from datetime import datetime
from typing import TYPE_CHECKING

from gatehouse.aws.work_bucket import WorkBucket
from gatehouse.cli.errors import CommandError
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.policy_pointer import (
    POLICIES_PREFIX,
    PolicyPointerError,
    policy_key,
    read_recorded_policy,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: Digits of a hash that are enough to name a policy.
MIN_HASH_DIGITS = 8
HASH = re.compile(rf"[0-9a-f]{{{MIN_HASH_DIGITS},64}}")

_WHOLE_HASH = 64
_ENDING = ".json"


class PolicyDocuments:
    """Policy documents in the work bucket.

    Args:
        client: an S3 client.
        bucket: name of the work bucket.
    """

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def record(self, policy: Policy) -> datetime | None:
        """Keep a policy; nothing is written if it is kept already.

        Returns:
            Since when it is kept, by S3's clock; None if only from now on.
        """
        from botocore.exceptions import ClientError

        key = policy_key(policy.hash)
        try:
            return self._client.head_object(Bucket=self._bucket, Key=key)["LastModified"]
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                raise
            body = policy.to_text().encode()
            self._client.put_object(Bucket=self._bucket, Key=key, Body=body, ContentType="application/json")
            return None

    def find(self, digits: str) -> Policy | None:
        """The policy whose hash begins with these hexadecimal digits, 8 or more; None if none is kept.

        Raises:
            CommandError: several begin like this, or what is kept is not the policy of that hash.
        """
        if not HASH.fullmatch(digits):
            return None
        if len(digits) == _WHOLE_HASH:
            return self._read(digits)
        answer = self._client.list_objects_v2(Bucket=self._bucket, Prefix=f"{POLICIES_PREFIX}{digits}")
        keys = [entry["Key"] for entry in answer.get("Contents", [])]
        hashes = [key.removeprefix(POLICIES_PREFIX).removesuffix(_ENDING) for key in keys]
        if len(hashes) > 1:
            raise CommandError(f"Several recorded policies begin with {digits}: {', '.join(hashes)}; give more digits.")
        return self._read(hashes[0]) if hashes else None

    def _read(self, policy_hash: str) -> Policy | None:
        key = policy_key(policy_hash)
        text = WorkBucket(self._client, self._bucket).read_optional(self._bucket, key)
        if text is None:
            return None
        try:
            return read_recorded_policy(text, policy_hash)
        except PolicyPointerError as error:
            message = f"s3://{self._bucket}/{key} can't be used: {error}; put back the document that was there."
            raise CommandError(message) from error
