"""The work bucket for operators: finds policies by the first digits of their hash, and reads incomplete batches."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from gatehouse.aws.work_bucket import WorkBucket
from gatehouse.cli.errors import CommandError
from gatehouse.moderation.batch import batch_prefix, uploads_key
from gatehouse.moderation.open_batch import OPEN_PREFIX
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.policy_pointer import POLICIES_PREFIX, PolicyPointerError, policy_key
from gatehouse.moderation.upload import Upload

#: The minimum number of a hash's digits that identify a policy.
MIN_HASH_DIGITS = 8
HASH = re.compile(rf"[0-9a-f]{{{MIN_HASH_DIGITS},64}}")

_WHOLE_HASH = 64


class OperatorsWorkBucket(WorkBucket):
    """Looks up policies by a part of their hash, and batches with missing files."""

    def find_recorded(self, digits: str) -> Policy | None:
        """The recorded policy whose hash begins with these hexadecimal digits, 8 or more; None if there is none.

        Raises:
            CommandError: there are several, or the recorded document is not the policy with that hash.
        """
        if not HASH.fullmatch(digits):
            return None
        if len(digits) == _WHOLE_HASH:
            return self._recorded_as_said(digits)
        keys = [entry["Key"] for entry in self._listed(f"{POLICIES_PREFIX}{digits}")]
        hashes = [key.removeprefix(POLICIES_PREFIX).removesuffix(".json") for key in keys]
        if len(hashes) > 1:
            raise CommandError(f"Several recorded policies begin with {digits}: {', '.join(hashes)}; give more digits.")
        return self._recorded_as_said(hashes[0]) if hashes else None

    def files(self, batch_id: str) -> tuple[str, ...]:
        """Keys of a batch's files."""
        return tuple(entry["Key"] for entry in self._listed(batch_prefix(batch_id)))

    def uploads(self, batch_id: str) -> Iterator[Upload]:
        """A batch's uploads from its index, even if its terms can't be read."""
        return map(Upload.from_document, map(json.loads, self.lines(self._name, uploads_key(batch_id))))

    def registered_uploads(self, batch_id: str) -> Iterable[Upload] | None:
        """A batch's uploads from the register of open batches, in any lane, even one that no longer exists."""
        keys = (entry["Key"] for entry in self._listed(OPEN_PREFIX))
        entries = (self.read_open(key) for key in keys if key.endswith(f"/{batch_id}.json"))
        return next((entry.uploads for entry in entries if entry is not None), None)

    def terms_document(self, batch_id: str) -> Any:
        """The content of batch.json; empty if there is none. Any version will do, because nothing is judged by it."""
        try:
            return json.loads(self._terms(batch_id))
        except self._client.exceptions.NoSuchKey:
            return {}

    def _recorded_as_said(self, policy_hash: str) -> Policy | None:
        try:
            return self._recorded(policy_hash)
        except PolicyPointerError as error:
            key = f"s3://{self._name}/{policy_key(policy_hash)}"
            raise CommandError(f"{key} can't be used: {error}; restore the original document.") from error
