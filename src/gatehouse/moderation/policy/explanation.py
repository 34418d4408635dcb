"""Explain a judgment: what became of each label, and what in the policy would have to change for another outcome."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import inf, nextafter

from gatehouse.moderation.analysis import Analysis
from gatehouse.moderation.policy import taxonomy
from gatehouse.moderation.policy.judging import Judgment, Weight, kinds_of
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.policy_document import DEFAULT
from gatehouse.moderation.policy.rule import Rule, Thresholds, UnseenFrames
from gatehouse.moderation.status import JUDGED, Status

#: Ways to a stricter outcome that are shown, the smallest change first.
MAX_OPTIONS = 3

_KEYS = {Status.REVIEW: "review", Status.BLOCKED: "block"}
_FULL_CONFIDENCE = 100.0


@dataclass(frozen=True, slots=True)
class RuleChange:
    """A threshold that would have to be another.

    Attributes:
        rule: the name of the rule: a label's, or `default`.
        content_type: the kind of image whose refinement it is, or None for the rule itself.
        key: `review` or `block`.
        now: the threshold as it is, or None.
        above: the threshold would have to be above this; None where `at_most` is given.
        at_most: the threshold would have to be at this or below.
        drops_review: whether the rule's `review` has to go with it: at or above `block` a policy may have none.
    """

    rule: str
    content_type: str | None
    key: str
    now: float | None
    above: float | None = None
    at_most: float | None = None
    drops_review: bool = False

    def __str__(self) -> str:
        kind = f" (where {self.content_type})" if self.content_type else ""
        now = "there is none now" if self.now is None else f"now {self.now:g}"
        if self.at_most is not None:
            dropped = " and no review" if self.drops_review else ""
            return f"{self.rule}{kind}: {self.key} at {self.at_most:g} or below{dropped} ({now})"
        if self.above == _FULL_CONFIDENCE:
            return f"{self.rule}{kind}: no {self.key} ({now})"
        return f"{self.rule}{kind}: {self.key} above {self.above:g} ({now})"


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another outcome and the way there.

    Attributes:
        changes: all of them together, or any single one if `any_of`. Empty if no policy leads there, or if it takes
            no other rule but `approves_unseen_frames`.
        approves_unseen_frames: whether the policy would also have to approve images with frames that were not looked
            at.
    """

    status: Status
    changes: tuple[RuleChange, ...]
    any_of: bool = False
    approves_unseen_frames: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """A judgment, the weight of every returned label, and the ways to the two other outcomes.

    Attributes:
        reviews_frames: whether a person has to look because some frames were not looked at.
    """

    judgment: Judgment
    weights: tuple[Weight, ...]
    alternatives: tuple[Alternative, ...]
    reviews_frames: bool = False


def explain(analysis: Analysis, policy: Policy) -> Explanation:
    """Explain what a policy makes of an analysis."""
    judgment = policy.judge(analysis)
    others = (status for status in JUDGED if status is not judgment.status)
    return Explanation(
        judgment,
        policy.weigh(analysis),
        tuple(
            _way_down(analysis, policy, status)
            if JUDGED.index(status) < JUDGED.index(judgment.status)
            else Alternative(status, tuple(_options(analysis, policy, status))[:MAX_OPTIONS], any_of=True)
            for status in others
        ),
        policy.reviews_frames_of(analysis),
    )


def apply_changes(policy: Policy, analysis: Analysis, *changes: RuleChange) -> Policy:
    """The policy with these changes, for images of the same kind as the analyzed one."""
    kinds = kinds_of(analysis)
    for change in changes:
        value = change.at_most if change.at_most is not None else _just_above(change.above)
        policy = _changed(policy, change, value, kinds)
    return policy


def _way_down(analysis: Analysis, policy: Policy, status: Status) -> Alternative:
    """The way to a milder outcome, by the labels' rules and by what the policy makes of frames."""
    if status is not Status.APPROVED or not policy.reviews_frames_of(analysis):
        return _milder(analysis, policy, status)
    by_labels = replace(policy, unseen_frames=UnseenFrames.APPROVE)
    if by_labels.judge(analysis).status is Status.APPROVED:
        return Alternative(status, (), approves_unseen_frames=True)
    found = _milder(analysis, by_labels, status)
    return replace(found, approves_unseen_frames=bool(found.changes))


def _milder(analysis: Analysis, policy: Policy, status: Status) -> Alternative:
    """Raise what is too strict, one label at a time: a raised rule may let another label speak."""
    changes: dict[tuple[str, str | None, str], RuleChange] = {}
    changed = policy
    while weight := next((w for w in _fired(analysis, changed) if w.outcome.severity > JUDGED.index(status)), None):
        if not _nameable(weight):
            return Alternative(status, ())
        key = weight.outcome.value
        place = (weight.rule, weight.content_type, key)
        now = changes[place].now if place in changes else weight.threshold
        changes[place] = RuleChange(*place, now, above=weight.label.confidence)
        changed = apply_changes(changed, analysis, changes[place])
    if changed.judge(analysis).status is not status:  # all the way down to approved
        option = next(iter(_options(analysis, changed, status)), None)
        if option is None:
            return Alternative(status, ())
        changes[option.rule, option.content_type, option.key] = option
    return Alternative(status, tuple(changes.values()))


def _options(analysis: Analysis, policy: Policy, status: Status) -> Iterator[RuleChange]:
    """Thresholds of which any one, lowered, leads to a stricter outcome; the nearest first."""
    key = _KEYS[status]
    options: dict[tuple[str, str | None], RuleChange] = {}
    for weight in policy.weigh(analysis):  # by confidence: the first of a rule is the nearest
        if not weight.explained_by and _nameable(weight):
            review, block, confidence = weight.thresholds.review, weight.thresholds.block, weight.label.confidence
            place = (weight.rule, weight.content_type)
            drops_review = key == "block" and review is not None and review >= confidence
            change = RuleChange(*place, key, block if key == "block" else review, None, confidence, drops_review)
            options.setdefault(place, change)
    yield from sorted(options.values(), key=_distance)


def _distance(change: RuleChange) -> float:
    return (inf if change.now is None else change.now) - (change.at_most or 0.0)


def _fired(analysis: Analysis, policy: Policy) -> list[Weight]:
    return [weight for weight in policy.weigh(analysis) if weight.counts]


def _nameable(weight: Weight) -> bool:
    """Whether a policy can name the rule; the one for unknown labels is fixed."""
    return weight.rule in taxonomy.PARENTS or weight.rule == DEFAULT


def _just_above(confidence: float | None) -> float | None:
    """The lowest threshold that this confidence does not reach, or None where no threshold is that high."""
    return None if confidence is None or confidence >= _FULL_CONFIDENCE else nextafter(confidence, inf)


def _changed(policy: Policy, change: RuleChange, threshold: float | None, kinds: Mapping[str, float]) -> Policy:
    if change.rule == DEFAULT:
        return replace(policy, default=_changed_rule(policy.default, change, threshold, kinds))
    rule = _changed_rule(policy.rules[change.rule], change, threshold, kinds)
    return replace(policy, rules={**policy.rules, change.rule: rule})


def _changed_rule(rule: Rule, change: RuleChange, threshold: float | None, kinds: Mapping[str, float]) -> Rule:
    if change.content_type is None:
        return replace(rule, thresholds=_changed_thresholds(rule.thresholds, change, threshold))
    reached = next(n for n, entry in enumerate(rule.when) if entry.reached_by(kinds) == change.content_type)
    refinement = replace(rule.when[reached], then=_changed_thresholds(rule.when[reached].then, change, threshold))
    return replace(rule, when=(*rule.when[:reached], refinement, *rule.when[reached + 1 :]))


def _changed_thresholds(thresholds: Thresholds, change: RuleChange, threshold: float | None) -> Thresholds:
    if change.key == "review":
        return replace(thresholds, review=threshold)
    return Thresholds(None if change.drops_review else thresholds.review, threshold)
