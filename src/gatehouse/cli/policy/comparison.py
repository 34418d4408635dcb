"""What another policy would make of uploads that are judged already, counted item by item; only examples are kept."""

from bisect import insort
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from gatehouse.aws.verdict_table import Item
from gatehouse.cli.policy.stored_verdict import PolicyNameFor, governing_policy, judged_verdict
from gatehouse.moderation.document import MISSHAPEN
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.replay import Replayed, is_replayable, replay
from gatehouse.moderation.status import JUDGED, Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import STATUS

_WITHOUT_LABELS = frozenset({Status.PENDING, Status.UNSUPPORTED, Status.FAILED})


@dataclass(slots=True)
class Flips:
    """Uploads whose status goes one way.

    Attributes:
        labels: how often each label is the first reason under the stricter of the two policies.
        examples: the first few keys in alphabetical order, so that the same table gives the same examples.
    """

    count: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Comparison:
    """Two policies, held against stored labels.

    Attributes:
        old: the policy that governs; only uploads whose lane has a policy of its name for their key count.
        examples: keys to keep for each direction.
        judged: uploads judged under both: each is in `flips`, `unknowable`, `adapter_ignored`, or unchanged.
        unknowable: by stored min_confidence: uploads that labels below it, which nobody asked for, might have flipped.
        adapter_ignored: uploads only the base model looked at though an adapter was asked for: they are not approved.
        by_a_person: uploads a person decided; no policy changes that.
        without_labels: uploads that have no labels, by status.
        unlike_old: uploads judged under both whose stored status is not what `old` makes of their labels.
        unreadable: items of another make.
    """

    old: Policy
    new: Policy
    policy_name_for: PolicyNameFor
    examples: int = 3
    judged: int = 0
    flips: dict[tuple[Status, Status], Flips] = field(default_factory=dict)
    unknowable: Counter[float | None] = field(default_factory=Counter)
    adapter_ignored: int = 0
    by_a_person: int = 0
    without_labels: Counter[Status] = field(default_factory=Counter)
    unlike_old: int = 0
    unreadable: int = 0

    @property
    def unchanged(self) -> int:
        """Uploads that have the same status under both."""
        flipped = sum(flips.count for flips in self.flips.values())
        return self.judged - flipped - self.unknowable.total() - self.adapter_ignored

    @property
    def is_same_version(self) -> bool:
        """Whether two contents go by one name and version. Verdicts name the version, so they can't both be active."""
        old, new = self.old.reference, self.new.reference
        return (old.name, old.version) == (new.name, new.version) and old.hash != new.hash

    def add(self, item: Item) -> None:
        """Count an item, if it is one that `old` governs."""
        try:
            if governing_policy(item, self.policy_name_for) != self.old.name:
                return
            status = Status(item[STATUS])
            verdict = judged_verdict(item) if is_replayable(status, item.get("decided_by")) else None
        except MISSHAPEN:
            self.unreadable += 1
            return
        if verdict is not None:
            self._judge(verdict)
        elif status in _WITHOUT_LABELS:
            self.without_labels[status] += 1
        else:
            self.by_a_person += 1

    def _judge(self, verdict: Verdict) -> None:
        under_old = replay(verdict, self.old)
        under_new = replay(under_old.verdict(verdict.decided_at), self.new)
        self.judged += 1
        self.unlike_old += verdict.status is not under_old.status
        if under_new.changes:
            self._flip(verdict.upload.key, under_old, under_new)
        elif under_new.unknowable:
            self.unknowable[verdict.min_confidence] += 1
        elif under_new.status is not under_old.status:
            self.adapter_ignored += 1

    def _flip(self, key: str, under_old: Replayed, under_new: Replayed) -> None:
        flips = self.flips.setdefault((under_old.status, under_new.status), Flips())
        stricter = max(under_old, under_new, key=lambda replayed: JUDGED.index(replayed.status))
        flips.count += 1
        flips.labels[stricter.judgment.reasons[0].label] += 1
        insort(flips.examples, key)
        del flips.examples[self.examples :]

    def to_document(self) -> dict[str, Any]:
        """The comparison for scripts."""
        return {
            "old": self.old.reference.to_document(),
            "new": self.new.reference.to_document(),
            "judged": self.judged,
            "unchanged": self.unchanged,
            "flips": [
                {
                    "from": before.value,
                    "to": after.value,
                    "count": flips.count,
                    "labels": dict(flips.labels.most_common()),
                    "examples": flips.examples,
                }
                for (before, after), flips in self.directions()
            ],
            "unknowable": [
                {"min_confidence": min_confidence, "count": count}
                for min_confidence, count in sorted(self.unknowable.items(), key=lambda entry: entry[0] or 0.0)
            ],
            "adapter_ignored": self.adapter_ignored,
            "decided_by_a_person": self.by_a_person,
            "without_labels": {status.value: self.without_labels[status] for status in sorted(_WITHOUT_LABELS)},
            "stored_unlike_old": self.unlike_old,
            "unreadable": self.unreadable,
        }

    def directions(self) -> list[tuple[tuple[Status, Status], Flips]]:
        """The flips, those that become stricter first."""
        return sorted(self.flips.items(), key=lambda entry: (_rank(*entry[0]), entry[0]))


def _rank(before: Status, after: Status) -> int:
    return JUDGED.index(before) - JUDGED.index(after)
