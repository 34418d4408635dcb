"""The compiled policies in the functions' asset."""

import json
import os
from pathlib import Path

from gatehouse.moderation.policy.policy import Policy


def read_policy(name: str) -> Policy:
    """Read a policy of the asset.

    Raises:
        FileNotFoundError: the asset has no such policy; settings and asset were not deployed together.
    """
    path = Path(os.environ["LAMBDA_TASK_ROOT"], "policies", f"{name}.json")
    return Policy.from_document(json.loads(path.read_text("utf-8")))
