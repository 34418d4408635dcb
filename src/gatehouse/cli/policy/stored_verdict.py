"""What an item of the verdict table says that matters for judging again: who governs it, and on what it was judged."""

from collections.abc import Callable, Mapping
from typing import Any

from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import verdict_from_item

#: The policy's name for a lane and a key, or None if the lane is gone; see `Deployment.policy_name_for`.
PolicyNameFor = Callable[[str, str], str | None]


def governing_policy(item: Mapping[str, Any], policy_name_for: PolicyNameFor) -> str | None:
    """The name of the policy that its lane has for its key; where the lane is gone, of the one that judged it.

    None for an upload of such a lane that no policy has judged.

    Raises:
        KeyError, TypeError: the item is not one of ours.
    """
    recorded: str | None = item["policy"]["name"] if "policy" in item else None
    return policy_name_for(item["lane"], item["key"]) or recorded


def judged_verdict(item: Mapping[str, Any]) -> Verdict:
    """The verdict of an item that a policy decided.

    Raises:
        KeyError, TypeError, ValueError: the item is not one of ours, or lacks what a policy decides on.
    """
    verdict = verdict_from_item(item)
    if verdict.analysis is None or verdict.policy is None:
        raise ValueError(f"{verdict.upload.object} has no labels or no policy")
    return verdict
