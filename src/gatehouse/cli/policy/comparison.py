"""Compares two policies on uploads that are already judged. Only counts and examples are kept."""

from bisect import insort
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from gatehouse.aws.verdict_table import Item
from gatehouse.cli.policy.stored_verdict import (
    PolicyNameFor,
    governing_policy,
    is_decision,
    is_sent_back,
    judged_verdict,
)
from gatehouse.moderation.document import MISSHAPEN
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.replay import Replayed, is_replayable, replay
from gatehouse.moderation.status import JUDGED, Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import STATUS

_WITHOUT_LABELS = frozenset({Status.PENDING, Status.UNSUPPORTED, Status.FAILED})


@dataclass(slots=True)
class Flips:
    """Uploads whose status changes in the same way.

    Attributes:
        labels: how many times each label is the first reason under the stricter of the two policies.
        examples: the first few keys in alphabetical order, so that the examples are reproducible.
    """

    count: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Agreement:
    """How a policy's judgments agree with people's decisions on the same uploads.

    Attributes:
        same: uploads to which it gives the same status.
        stricter: uploads to which it gives a stricter status; REVIEW is stricter than APPROVED.
        milder: uploads to which it gives a milder status; REVIEW is milder than BLOCKED.
        examples: the first few keys, in alphabetical order, to which it gives another status.
    """

    same: int = 0
    stricter: int = 0
    milder: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, key: str, given: Status, decided: Status, most_examples: int) -> None:
        """Add an upload to the counts."""
        by = JUDGED.index(given) - JUDGED.index(decided)
        self.same += by == 0
        self.stricter += by > 0
        self.milder += by < 0
        if by:
            insort(self.examples, key)
            del self.examples[most_examples:]

    def to_document(self) -> dict[str, Any]:
        """The counts for scripts."""
        return asdict(self)


@dataclass(slots=True)
class Comparison:
    """A comparison of two policies on stored labels.

    Attributes:
        old: the policy in use; only uploads that a policy of this name judges are compared.
        examples: the number of keys to keep for each kind of change.
        judged: uploads judged by both: each is in `flips`, `unknowable`, `adapter_ignored`, or unchanged.
        unknowable: uploads that could have flipped because of labels below their stored min_confidence, by that value.
        adapter_ignored: uploads that the base model analyzed instead of the lane's adapter, so they are not approved.
        by_a_person: uploads that a person decided; no policy changes them.
        sent_back: uploads that were appealed or reported, and wait for a person; no policy changes them either.
        with_labels: those that a person decided and that have labels.
        old_and_people, new_and_people: how each policy agrees with people on those.
        without_labels: uploads that have no labels, by status.
        unlike_old: uploads judged by both whose stored status differs from the one that `old` gives.
        unreadable: malformed items.
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
    sent_back: int = 0
    with_labels: int = 0
    old_and_people: Agreement = field(default_factory=Agreement)
    new_and_people: Agreement = field(default_factory=Agreement)
    without_labels: Counter[Status] = field(default_factory=Counter)
    unlike_old: int = 0
    unreadable: int = 0

    @property
    def unchanged(self) -> int:
        """The number of uploads that have the same status under both."""
        flipped = sum(flips.count for flips in self.flips.values())
        return self.judged - flipped - self.unknowable.total() - self.adapter_ignored

    @property
    def is_same_version(self) -> bool:
        """Whether different contents have the same name and version. Verdicts name the version, so one must change."""
        old, new = self.old.reference, self.new.reference
        return (old.name, old.version) == (new.name, new.version) and old.hash != new.hash

    def add(self, item: Item) -> None:
        """Add an item to the counts, if `old` is the policy that judges it."""
        try:
            if governing_policy(item, self.policy_name_for) != self.old.name:
                return
            status = Status(item[STATUS])
            is_decided = is_decision(item)
            has_verdict = (is_decided and "labels" in item) or is_replayable(status, item.get("decided_by"))
            verdict = judged_verdict(item) if has_verdict else None
        except MISSHAPEN:
            self.unreadable += 1
            return
        if is_decided:
            self.by_a_person += 1
            self._hold_against_people(verdict)
        elif verdict is not None:
            self._judge(verdict)
        elif status in _WITHOUT_LABELS:
            self.without_labels[status] += 1
        elif is_sent_back(item):
            self.sent_back += 1
        else:
            self.by_a_person += 1

    def _hold_against_people(self, verdict: Verdict | None) -> None:
        if verdict is None or verdict.analysis is None:
            return
        self.with_labels += 1
        for policy, agreement in ((self.old, self.old_and_people), (self.new, self.new_and_people)):
            given = policy.judge(verdict.analysis).status
            agreement.add(verdict.upload.key, given, verdict.status, self.examples)

    def _judge(self, verdict: Verdict) -> None:
        under_old = replay(verdict, self.old)
        under_new = replay(under_old.verdict(verdict.decided_at, announce=False), self.new)
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
            "appealed_or_reported": self.sent_back,
            "people": {
                "decided_with_labels": self.with_labels,
                "old": self.old_and_people.to_document(),
                "new": self.new_and_people.to_document(),
            },
            "without_labels": {status.value: self.without_labels[status] for status in sorted(_WITHOUT_LABELS)},
            "stored_unlike_old": self.unlike_old,
            "unreadable": self.unreadable,
        }

    def directions(self) -> list[tuple[tuple[Status, Status], Flips]]:
        """The flips; the ones that become stricter come first."""
        return sorted(self.flips.items(), key=lambda entry: (_rank(*entry[0]), entry[0]))


def _rank(before: Status, after: Status) -> int:
    return JUDGED.index(before) - JUDGED.index(after)
