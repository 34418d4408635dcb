"""Since when the bucket's policy keeps everybody from beginning an upload with the tag, as far as a check has seen.

S3 does not tell how old a policy is. So `gate check` writes down when it first saw this one, in the work bucket. A
deploy may have taken the policy away meanwhile, so each one begins the time anew.
"""

import json
from datetime import datetime
from typing import TYPE_CHECKING, Final

from gatehouse.aws.work_bucket import WorkBucket

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PROTECTION_KEY: Final = "gate/protection.json"


class Protection(WorkBucket):
    """The time that was written down.

    Args:
        deployed: when the last update of the stack with the bucket began; None if there was none.
    """

    def __init__(self, client: "S3Client", name: str, deployed: datetime | None) -> None:
        super().__init__(client, name)
        self._deployed = deployed.isoformat() if deployed else None

    def since(self, now: datetime, *, is_on: bool) -> datetime | None:
        """Since when at the latest; None if it is not on now.

        Raises:
            ClientError: S3 refused.
        """
        if not is_on:
            self.close(PROTECTION_KEY)
            return None
        written = self._written()
        if written is None:
            document = {"since": now.isoformat(), "deployed": self._deployed}
            self._put(PROTECTION_KEY, json.dumps(document), "application/json")
        return written or now

    def _written(self) -> datetime | None:
        text = self.read_optional(self._name, PROTECTION_KEY)
        try:
            document = json.loads(text or b"null")
            return datetime.fromisoformat(document["since"]) if document["deployed"] == self._deployed else None
        except (KeyError, TypeError, ValueError):
            return None
