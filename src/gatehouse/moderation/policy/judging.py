"""Judging: what a policy's rules make of an analysis.

The rule that counts for a label is the nearest one among itself and its ancestors; it replaces whatever stands above it
whole. Rekognition sends every parent along with its child, so a returned label that a returned child explains is no
evidence of its own: it gets the benefit of the child's rule. Everything else is judged by its own rule, and the worst
outcome wins.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import NamedTuple

from gatehouse.moderation.analysis import Analysis, Label
from gatehouse.moderation.policy import taxonomy
from gatehouse.moderation.policy.rule import Outcome, Rule, Thresholds
from gatehouse.moderation.reason import Reason
from gatehouse.moderation.status import JUDGED, Status

#: A child within this many points below its parent explains it: the two come from the same evidence.
EXPLAINED_WITHIN = 1.0

#: What happens to a label that neither the taxonomy nor the answer ties to a known one: a person looks.
UNKNOWN_LABEL_REVIEW_FROM = 50.0

_UNKNOWN = Rule("unknown label", Thresholds(review=UNKNOWN_LABEL_REVIEW_FROM))


@dataclass(frozen=True, slots=True)
class Judgment:
    """A policy's answer. `reasons` holds each label that reached a threshold, the decisive ones first.

    REVIEW without a reason is for frames that were not looked at. `unknown_labels` are names the taxonomy does not
    have: a sign that Rekognition's model has moved on.
    """

    status: Status
    reasons: tuple[Reason, ...] = ()
    unknown_labels: tuple[str, ...] = ()


_NOTHING_FOUND = Judgment(Status.APPROVED)


class Weight(NamedTuple):
    """A returned label, and what became of it.

    Attributes:
        rule: name of the rule that judged it: a label's, `default`, or `unknown label`.
        thresholds: what that rule holds for an image of this kind.
        content_type: the one that chose these thresholds, or None if they are the rule's own.
        threshold: the confidence that was reached, or None.
        explained_by: the labels that it came along with; empty if it is evidence of its own.
        counts: whether it is a reason: it reached a threshold, and the labels that explain it do not say as much.
    """

    label: Label
    rule: str
    thresholds: Thresholds
    content_type: str | None
    outcome: Outcome
    threshold: float | None
    explained_by: tuple[Label, ...]
    counts: bool


class _Ruling(NamedTuple):
    """What the rule that counts for a label holds for an image of some kind, as in `Weight`."""

    rule: str
    thresholds: Thresholds
    content_type: str | None = None


class _Judged(NamedTuple):
    """A label, and what became of it; a named tuple, because one is made for every label of every image.

    Attributes:
        severity: how severe the outcome is, as in `Thresholds.severity`.
    """

    severity: int
    label: Label
    ruling: _Ruling
    explainers: tuple[Label, ...]
    counts: bool

    def reason(self) -> Reason:
        """Why it counts."""
        rule, thresholds, content_type = self.ruling
        threshold = thresholds.reached(self.severity)
        assert threshold is not None  # noqa: S101 - it was reached
        return Reason(rule, self.label.name, self.label.confidence, _NAMES[self.severity], threshold, content_type)


class _RuleInForce(NamedTuple):
    """The rule that counts for a label, and what it holds as long as no kind of image refines it."""

    rule: Rule
    ruling: _Ruling

    @classmethod
    def of(cls, rule: Rule) -> "_RuleInForce":
        return cls(rule, _Ruling(rule.name, rule.thresholds))


_UNKNOWN_IN_FORCE = _RuleInForce.of(_UNKNOWN)

_OUTCOMES = tuple(Outcome)
_NAMES = tuple(outcome.value for outcome in Outcome)


@dataclass(frozen=True)
class Judge:
    """Judges analyses by rules.

    Attributes:
        default: for labels that neither have a rule nor stand below one that has.
        rules: by the label's name.
    """

    default: Rule
    rules: Mapping[str, Rule]

    @property
    def lowest_threshold(self) -> float:
        """The confidence below which nothing makes a difference; that of unknown labels counts too."""
        return min(self._reviewed_and_blocked_from)

    def unseen(self, min_confidence: float) -> Outcome:
        """The worst that labels below `min_confidence`, which Rekognition was not asked for, could have led to.

        Kinds of image count as unseen too: the guide does not say from which confidence they are returned. That an
        unseen label may also change which label explains one just above `min_confidence` is left out.
        """
        review, block = self._reviewed_and_blocked_from
        if block < min_confidence:
            return Outcome.BLOCK
        return Outcome.REVIEW if review < min_confidence else Outcome.ALLOW

    @cached_property
    def _reviewed_and_blocked_from(self) -> tuple[float, float]:
        """The lowest confidences at which any label can be reviewed, and blocked; infinity for never."""
        alternatives = [entry for rule in (_UNKNOWN, *self._rule_by_label.values()) for entry in rule.alternatives]
        reviews = (entry.review for entry in alternatives if entry.review is not None)
        blocks = (entry.block for entry in alternatives if entry.block is not None)
        return min(reviews, default=inf), min(blocks, default=inf)

    def judge(self, analysis: Analysis) -> Judgment:
        """Decide on an analysis. The order of its labels makes no difference."""
        if not analysis.labels:
            return _NOTHING_FOUND
        fired = [judged for judged in self._judged(analysis, silent=False) if judged.counts]
        if len(fired) > 1:
            fired.sort(key=_decisive_first)
        known = taxonomy.PARENTS
        unknown = [label.name for label in analysis.labels if label.name not in known]
        return Judgment(
            JUDGED[fired[0].severity] if fired else Status.APPROVED,
            tuple([judged.reason() for judged in fired]),
            tuple(sorted(set(unknown))) if unknown else (),
        )

    def weigh(self, analysis: Analysis) -> tuple[Weight, ...]:
        """Every returned label and what became of it: the strongest of each name, by confidence, then by name."""
        weights = [
            Weight(label, *ruling, _OUTCOMES[severity], ruling.thresholds.reached(severity), explainers, counts)
            for severity, label, ruling, explainers, counts in self._judged(analysis, silent=True)
        ]
        return tuple(sorted(weights, key=lambda weight: (-weight.label.confidence, weight.label.name)))

    def _judged(self, analysis: Analysis, *, silent: bool) -> list[_Judged]:
        """Judge the labels; those that can't be a reason, which most can't, only if `silent`: time counts."""
        strongest, parents, children = _family(analysis.labels)
        kinds = kinds_of(analysis) if analysis.content_types else {}
        judged: list[_Judged] = []
        for name, label in strongest.items():
            explainers = _explainers(label, children) if name in children else ()
            if explainers:
                if silent or label.confidence > explainers[0].confidence or len(explainers) > 1:
                    judged.append(self._explained(label, explainers, parents, kinds))
                continue
            ruling = self._ruling(name, parents, kinds)
            severity = ruling.thresholds.severity(label.confidence)
            if silent or severity:
                judged.append(_Judged(severity, label, ruling, (), severity > 0))
        return judged

    def _explained(
        self, label: Label, explainers: tuple[Label, ...], parents: Mapping[str, str], kinds: Mapping[str, float]
    ) -> _Judged:
        """A label with the benefit of its explainers' rules; where these disagree, of the strictest."""
        own = self._ruling(label.name, parents, kinds)
        severity = own.thresholds.severity(label.confidence)
        if not severity:
            return _Judged(severity, label, own, explainers, counts=False)
        lent, lent_severity, said = own, -1, 0
        for explainer in explainers:
            ruling = self._ruling(explainer.name, parents, kinds)
            if (found := ruling.thresholds.severity(label.confidence)) > lent_severity:
                lent, lent_severity = ruling, found
            said = max(said, ruling.thresholds.severity(explainer.confidence))
        if lent_severity < severity:
            return _Judged(lent_severity, label, lent, explainers, lent_severity > said)
        return _Judged(severity, label, own, explainers, severity > said)

    def _ruling(self, name: str, parents: Mapping[str, str], kinds: Mapping[str, float]) -> _Ruling:
        """What the rule that counts for a label holds for an image of these kinds."""
        rule, ruling = self._in_force.get(name) or self._in_force_for_unknown(name, parents)
        return _Ruling(rule.name, *rule.thresholds_for(kinds)) if rule.when else ruling

    @cached_property
    def _in_force(self) -> Mapping[str, _RuleInForce]:
        """For each label of the taxonomy the rule that counts."""
        return {name: _RuleInForce.of(rule) for name, rule in self._rule_by_label.items()}

    @cached_property
    def _rule_by_label(self) -> Mapping[str, Rule]:
        """The rule that counts for each label of the taxonomy."""
        rules = {**self.rules, "": self.default}
        return {
            name: next(rules[above] for above in (name, *taxonomy.ancestors(name), "") if above in rules)
            for name in taxonomy.PARENTS
        }

    def _in_force_for_unknown(self, name: str, parents: Mapping[str, str]) -> _RuleInForce:
        """That of the nearest known label above one that the taxonomy does not have."""
        known = next((above for above in _chain(name, parents) if above in taxonomy.PARENTS), None)
        return _UNKNOWN_IN_FORCE if known is None else self._in_force[known]


def _decisive_first(judged: _Judged) -> tuple[int, float, str]:
    """Sorts what was blocked before what is reviewed, then by confidence."""
    return -judged.severity, -judged.label.confidence, judged.label.name


def _family(labels: Sequence[Label]) -> tuple[dict[str, Label], Mapping[str, str], dict[str, list[Label]]]:
    """Who stands above whom: labels by name, parents by name, and for a returned parent its strongest children.

    A name returned twice counts at its highest confidence. Names that stand above each other in a circle explain
    nothing.
    """
    strongest: dict[str, Label] = {}
    for label in labels:
        name = label.name
        if name not in strongest or label.confidence > strongest[name].confidence:
            strongest[name] = label
    known = strongest.keys() <= taxonomy.PARENTS.keys()
    parents = taxonomy.PARENTS if known else _parents(labels)
    children: dict[str, list[Label]] = {}
    for name, label in strongest.items():
        parent = parents[name]
        if parent in strongest and (known or _ends(name, parents)):
            others = children.get(parent)
            if others is None or label.confidence > others[0].confidence:
                children[parent] = [label]
            elif label.confidence == others[0].confidence:
                others.append(label)
    return strongest, parents, children


def _explainers(label: Label, children: Mapping[str, list[Label]]) -> tuple[Label, ...]:
    """The labels at the end of the chain that explains this one; none if it is evidence of its own."""
    found: tuple[Label, ...] = ()
    while strongest := children.get(label.name):
        if strongest[0].confidence + EXPLAINED_WITHIN < label.confidence:
            break
        if len(strongest) > 1:
            ends = [end for child in strongest for end in _explainers(child, children) or (child,)]
            return tuple(sorted(ends, key=lambda end: end.name))  # the reason must not depend on the answer's order
        label = strongest[0]
        found = (label,)
    return found


def _ends(name: str, parents: Mapping[str, str]) -> bool:
    """Whether the labels above a name come to an end."""
    *_, top = _chain(name, parents)
    return not parents.get(top)


def kinds_of(analysis: Analysis) -> Mapping[str, float]:
    """The content types of an image by name; one that is returned twice counts at its highest confidence."""
    kinds: dict[str, float] = {}
    for entry in analysis.content_types:
        kinds[entry.name] = max(entry.confidence, kinds.get(entry.name, 0.0))
    return kinds


def _parents(labels: Iterable[Label]) -> Mapping[str, str]:
    """Each label's parent: the taxonomy's, or for an unknown label the answer's, `""` if that contradicts itself.

    An answer that moves a known label elsewhere can't make it explain what the taxonomy does not put above it.
    """
    parents: dict[str, str] = {}
    contradicted: set[str] = set()
    for label in labels:
        parent = taxonomy.PARENTS.get(label.name, label.parent)
        if parents.setdefault(label.name, parent) != parent:
            contradicted.add(label.name)
    return parents | dict.fromkeys(contradicted, "")


def _chain(name: str, parents: Mapping[str, str]) -> Iterator[str]:
    """`name` and what stands above it in the answer, each once."""
    seen: set[str] = set()
    while name and name not in seen:
        yield name
        seen.add(name)
        name = parents.get(name, "")
