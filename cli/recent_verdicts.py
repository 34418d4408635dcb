"""Under which policies the newest flagged verdicts stand."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from cli.stored_verdict import PolicyNameFor, governing_policy
from cli.verdict_lookup import Item
from lambdas.moderation.verdict import BY_POLICY, FLAGGED, STATUS, PolicyReference


@dataclass(frozen=True, slots=True)
class VerdictGroup:
    """Verdicts that one policy gave.

    Attributes:
        governed_by: name of the policy that judges such uploads now.
        newest: when the newest of them was decided; ISO 8601, UTC.
    """

    policy: PolicyReference
    governed_by: str
    count: int
    newest: str


@dataclass(frozen=True, slots=True)
class RecentVerdicts:
    """The newest flagged verdicts: how many each policy gave, and how many people did."""

    groups: tuple[VerdictGroup, ...]
    by_people: int = 0

    @property
    def looked_at(self) -> int:
        """All of them."""
        return sum(group.count for group in self.groups) + self.by_people

    @classmethod
    def of(cls, items: Iterable[Item], policy_name_for: PolicyNameFor) -> "RecentVerdicts":
        """Count items; those that are not flagged any more, or not ours, do not count."""
        decided: dict[tuple[str, PolicyReference], list[str]] = defaultdict(list)
        by_people = 0
        for item in items:
            try:
                if item[STATUS] not in FLAGGED:
                    continue
                if item["decided_by"] != BY_POLICY:
                    by_people += 1
                    continue
                reference = item["policy"]
                policy = PolicyReference(reference["name"], reference["version"], reference["hash"])
                governed_by = governing_policy(item, policy_name_for) or policy.name
                decided[governed_by, policy].append(item["decided_at"])
            except (KeyError, TypeError):
                continue
        groups = [
            VerdictGroup(policy, governed_by, len(times), max(times))
            for (governed_by, policy), times in decided.items()
        ]
        groups.sort(key=lambda group: (-group.count, group.governed_by, group.policy.hash))
        return cls(tuple(groups), by_people)
