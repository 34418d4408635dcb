"""Thresholds that people's decisions suggest: for each threshold of a policy, what another value would change.

For an upload, a threshold matters only at the confidences of its labels. So each opinion is counted once for each range
of whole thresholds in which its status is the same, and the memory depends on the policy and not on the uploads.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import accumulate, pairwise
from math import floor
from typing import Any, NamedTuple

from gatehouse.moderation.analysis import Analysis
from gatehouse.moderation.interval import Share
from gatehouse.moderation.opinion import Opinion
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.policy_document import DEFAULT
from gatehouse.moderation.policy.rule import Refinement, Rule, Thresholds
from gatehouse.moderation.status import JUDGED, Status

#: Fewer opinions than this say nothing about a threshold.
MIN_CHANGED = 10

#: A threshold above every confidence: none.
_NEVER = 101


class Place(NamedTuple):
    """Where a threshold is in a policy.

    Attributes:
        rule: a label's name, or `default`.
        content_type: the kind of image whose refinement it is; None for the rule itself.
        thresholds: what the rule, or the refinement, says now.
        key: `review` or `block`.
    """

    rule: str
    content_type: str | None
    thresholds: Thresholds
    key: str

    @property
    def now(self) -> float | None:
        """The threshold now."""
        return self.thresholds.review if self.key == "review" else self.thresholds.block

    def with_value(self, value: float | None) -> Thresholds:
        """The thresholds with another value."""
        if self.key == "review":
            return replace(self.thresholds, review=value)
        return replace(self.thresholds, block=value)

    def allows(self, value: int) -> bool:
        """Whether a policy can have this value: `review` is below `block`."""
        changed = self.with_value(_value(value))
        return changed.review is None or changed.block is None or changed.review < changed.block


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Another value for a threshold.

    Attributes:
        value: the new value; None for no threshold.
        right: opinions whose uploads would get a status nearer to what the person said.
        wrong: those whose uploads would get one farther from it.
        wrongly_approved: those of `wrong` that would be APPROVED, and that people blocked.
        samples: of all these, samples; each stands for many uploads that nobody looked at.
    """

    place: Place
    value: float | None
    right: int
    wrong: int
    wrongly_approved: int
    samples: int

    def to_document(self) -> dict[str, Any]:
        """The suggestion for scripts."""
        return {
            "rule": self.place.rule,
            "content_type": self.place.content_type,
            "threshold": self.place.key,
            "now": self.place.now,
            "suggested": self.value,
            "right": self.right,
            "wrong": self.wrong,
            "wrongly_approved": self.wrongly_approved,
            "samples": self.samples,
        }


class _Counts:
    """Four counts for each whole threshold, kept as differences between neighbors."""

    def __init__(self) -> None:
        self._steps = [[0] * (_NEVER + 2) for _ in range(4)]

    def add(self, low: int, high: int, counted: tuple[bool, bool, bool, bool]) -> None:
        """Count for all thresholds from `low` to `high`."""
        for steps, one in zip(self._steps, counted, strict=True):
            steps[low] += one
            steps[high + 1] -= one

    def all(self) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Each threshold with its counts: right, wrong, wrongly approved, samples."""
        yield from enumerate(zip(*(list(accumulate(steps))[: _NEVER + 1] for steps in self._steps), strict=True))


@dataclass(slots=True)
class ThresholdAdvice:
    """Collects opinions about a policy's uploads.

    Attributes:
        lowest: the confidence below which Rekognition was not asked for labels; no lower threshold is suggested.
    """

    policy: Policy
    lowest: float
    _places: dict[Place, _Counts] = field(default_factory=dict)

    def add(self, opinion: Opinion) -> None:
        """Count an opinion for every threshold that might change its upload's status."""
        analysis = opinion.analysis
        if analysis is None or not analysis.labels:
            return
        now = self.policy.judge(analysis).status
        confidences: dict[Place, set[int]] = {}
        for weight in self.policy.weigh(analysis):
            if weight.rule != DEFAULT and weight.rule not in self.policy.rules:
                continue  # the rule for unknown labels is fixed
            for key in ("review", "block"):
                place = Place(weight.rule, weight.content_type, weight.thresholds, key)
                confidences.setdefault(place, set()).add(min(100, max(0, floor(weight.label.confidence))))
        for place, found in confidences.items():
            for below, reached in pairwise((-1, *sorted(found), _NEVER)):
                status = self._status(analysis, place, reached)
                if status is not now:
                    counts = self._places.setdefault(place, _Counts())
                    counts.add(below + 1, reached, _counted(opinion, now, status))

    def suggestions(self) -> list[Suggestion]:
        """The best other value of each threshold for which decisions clearly speak, those that are right most first.

        A value is suggested if at least `MIN_CHANGED` uploads would change, and more than half of such changes are
        right, with a confidence of 95%.
        """
        found = [best for place, counts in self._places.items() if (best := self._best(place, counts))]
        return sorted(found, key=lambda one: (one.wrong - one.right, one.place.rule, one.place.key))

    def _best(self, place: Place, counts: _Counts) -> Suggestion | None:
        best: Suggestion | None = None
        for value, (right, wrong, wrongly_approved, samples) in counts.all():
            if value < self.lowest or not place.allows(value) or right + wrong < MIN_CHANGED:
                continue
            if Share(right, right + wrong).low <= 0.5:
                continue
            one = Suggestion(place, _value(value), right, wrong, wrongly_approved, samples)
            if best is None or _preference(one) > _preference(best):
                best = one
        return best

    def _status(self, analysis: Analysis, place: Place, value: int) -> Status:
        return with_threshold(self.policy, place, _value(value)).judge(analysis).status


def with_threshold(policy: Policy, place: Place, value: float | None) -> Policy:
    """The policy with another value for a threshold."""
    return _changed(policy.hash, place, value, _Held(policy))


class _Held:
    """Passes a policy by a cache whose key is its hash."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held)

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=1024)
def _changed(_hash: str, place: Place, value: float | None, held: _Held) -> Policy:
    policy = held.policy
    if place.rule == DEFAULT:
        return replace(policy, default=_changed_rule(policy.default, place, value))
    return replace(policy, rules={**policy.rules, place.rule: _changed_rule(policy.rules[place.rule], place, value)})


def _changed_rule(rule: Rule, place: Place, value: float | None) -> Rule:
    then = place.with_value(value)
    if place.content_type is None:
        return replace(rule, thresholds=then)
    when = tuple(replace(one, then=then) if _is_of(one, place) else one for one in rule.when)
    return replace(rule, when=when)


def _is_of(refinement: Refinement, place: Place) -> bool:
    return place.content_type in refinement.content_types and refinement.then == place.thresholds


def _value(value: int) -> float | None:
    return None if value >= _NEVER else float(value)


def _counted(opinion: Opinion, now: Status, then: Status) -> tuple[bool, bool, bool, bool]:
    """Whether a change of status is right, wrong, a wrong approval, and one of a sample."""
    aim = JUDGED.index(opinion.persons)
    right = abs(JUDGED.index(then) - aim) < abs(JUDGED.index(now) - aim)
    wrongly_approved = not right and then is Status.APPROVED and opinion.persons is Status.BLOCKED
    return right, not right, wrongly_approved, opinion.is_sample


def _preference(one: Suggestion) -> tuple[int, int, float]:
    """Greater is better: more right than wrong, then fewer wrong approvals, then nearer to what it is now."""
    now = _NEVER if one.place.now is None else one.place.now
    value = _NEVER if one.value is None else one.value
    return one.right - one.wrong, -one.wrongly_approved, -abs(value - now)
