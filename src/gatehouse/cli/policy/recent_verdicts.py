"""Groups the newest flagged verdicts by policy, and counts those that the active policies would change."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from gatehouse.aws.upload_bucket import UploadBucket
from gatehouse.aws.verdict_table import Item
from gatehouse.cli.policy.stored_verdict import PolicyNameFor, governing_policy, judged_verdict
from gatehouse.moderation.document import MISSHAPEN
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.replay import replay
from gatehouse.moderation.reason import PolicyReference
from gatehouse.moderation.status import FLAGGED, Status
from gatehouse.moderation.verdict import BY_POLICY, Verdict
from gatehouse.moderation.verdict_item import STATUS


@dataclass(frozen=True, slots=True)
class VerdictGroup:
    """Verdicts that one policy gave.

    Attributes:
        governed_by: name of the policy that now judges such uploads.
    """

    policy: PolicyReference
    governed_by: str
    verdicts: tuple[Verdict, ...]

    @property
    def count(self) -> int:
        """The number of verdicts."""
        return len(self.verdicts)

    @property
    def newest(self) -> str:
        """When the newest one was decided; ISO 8601, UTC."""
        return max(verdict.decided_at for verdict in self.verdicts)

    def changed_by(self, policy: Policy, uploads: UploadBucket) -> int:
        """How many of them `apply` would change, by their labels, and for approvals also by the stored objects."""
        changes = [replayed for verdict in self.verdicts if (replayed := replay(verdict, policy)).changes]
        approvals = [replayed.before for replayed in changes if replayed.status is Status.APPROVED]
        unconfirmed = sum(doubt is not None for doubt in uploads.doubts(approvals))
        return len(changes) - unconfirmed


@dataclass(frozen=True, slots=True)
class RecentVerdicts:
    """The newest flagged verdicts, grouped by policy, and the number that people decided."""

    groups: tuple[VerdictGroup, ...]
    by_people: int = 0

    @property
    def looked_at(self) -> int:
        """The number of verdicts."""
        return sum(group.count for group in self.groups) + self.by_people

    @classmethod
    def of(cls, items: Iterable[Item], policy_name_for: PolicyNameFor) -> "RecentVerdicts":
        """Group items. Those that are no longer flagged, or are malformed, are not counted."""
        decided: dict[tuple[str, PolicyReference], list[Verdict]] = defaultdict(list)
        by_people = 0
        for item in items:
            try:
                if item[STATUS] not in FLAGGED:
                    continue
                if item["decided_by"] != BY_POLICY:
                    by_people += 1
                    continue
                verdict = judged_verdict(item)
                governed_by = governing_policy(item, policy_name_for)
            except MISSHAPEN:
                continue
            if verdict.policy is not None and governed_by is not None:
                decided[governed_by, verdict.policy].append(verdict)
        groups = [
            VerdictGroup(policy, governed_by, tuple(verdicts)) for (governed_by, policy), verdicts in decided.items()
        ]
        groups.sort(key=lambda group: (-group.count, group.governed_by, group.policy.hash))
        return cls(tuple(groups), by_people)
