"""Reads what is needed to judge a verdict table's item again: the policy for it, and its labels."""

from collections.abc import Callable, Mapping
from typing import Any

from gatehouse.moderation.change import Cause
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import CHANGE, verdict_from_item

#: The policy's name for a lane and a key, or None if the lane is gone; see `Deployment.policy_name_for`.
PolicyNameFor = Callable[[str, str], str | None]


def governing_policy(item: Mapping[str, Any], policy_name_for: PolicyNameFor) -> str | None:
    """The name of the policy that its lane has for its key; if the lane no longer exists, of the one that judged it.

    None for an upload of such a lane that no policy has judged.

    Raises:
        KeyError, TypeError: the item is malformed.
    """
    recorded: str | None = item["policy"]["name"] if "policy" in item else None
    return policy_name_for(item["lane"], item["key"]) or recorded


def is_decision(item: Mapping[str, Any]) -> bool:
    """Whether a person decided the current status. An appealed or reported upload still waits for a decision."""
    return _cause(item) == Cause.DECISION


def is_sent_back(item: Mapping[str, Any]) -> bool:
    """Whether an appeal or a report gave it the current status."""
    return _cause(item) in (Cause.APPEAL, Cause.REPORT)


def _cause(item: Mapping[str, Any]) -> str | None:
    change = item.get(CHANGE)
    return None if change is None else str(change["cause"])


def judged_verdict(item: Mapping[str, Any]) -> Verdict:
    """The verdict of an item that a policy judged, even if people decided after that.

    Raises:
        KeyError, TypeError, ValueError: the item is malformed, or lacks labels or a policy.
    """
    verdict = verdict_from_item(item)
    if verdict.analysis is None or verdict.policy is None:
        raise ValueError(f"{verdict.upload.object} has no labels or no policy")
    return verdict
