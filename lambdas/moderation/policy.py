"""A policy: a versioned document of rules that turns an analysis into a decision.

The rule that counts for a label is the nearest one among itself and its ancestors; it replaces whatever stands above it
whole. A returned label is skipped when a returned child explains it, because Rekognition sends every parent along with
its child: such a parent is no evidence of its own. Everything else is judged at its full confidence, and the worst
outcome wins.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from lambdas.moderation import taxonomy
from lambdas.moderation.analysis import Analysis, Label
from lambdas.moderation.verdict import Reason, Status

SCHEMA = "gatehouse.policy/1"

#: A child within this many points of its parent explains it: the two come from the same evidence.
EXPLAINED_WITHIN = 1.0

#: What happens to a label that neither the taxonomy nor the answer ties to a known one: a person looks.
UNKNOWN_LABEL_REVIEW_FROM = 50.0


class PolicyError(ValueError):
    """A policy document that can't be used. The message names the key at fault and what to write instead."""


class Outcome(StrEnum):
    """What a rule makes of a label, mildest first."""

    ALLOW = "allow"
    REVIEW = "review"
    BLOCK = "block"


_STATUS = {Outcome.ALLOW: Status.APPROVED, Outcome.REVIEW: Status.REVIEW, Outcome.BLOCK: Status.BLOCKED}
_SEVERITY = {outcome: severity for severity, outcome in enumerate(Outcome)}


@dataclass(frozen=True, slots=True)
class Rule:
    """Thresholds for a label, each a confidence of 0-100 that is reached when equal. Neither given means allow.

    Attributes:
        name: the label the rule was written for, `default`, or `unknown label`.
    """

    name: str
    review: float | None = None
    block: float | None = None

    def judge(self, confidence: float) -> tuple[Outcome, float | None]:
        """The outcome at this confidence, and the threshold that was reached (None if none was)."""
        if self.block is not None and confidence >= self.block:
            return Outcome.BLOCK, self.block
        if self.review is not None and confidence >= self.review:
            return Outcome.REVIEW, self.review
        return Outcome.ALLOW, None


_UNKNOWN = Rule("unknown label", review=UNKNOWN_LABEL_REVIEW_FROM)


@dataclass(frozen=True, slots=True)
class Decision:
    """A policy's answer. `reasons` holds each label that reached a threshold, the decisive ones first.

    `unknown_labels` are names the taxonomy does not have: a sign that Rekognition's model has moved on.
    """

    status: Status
    reasons: tuple[Reason, ...] = ()
    unknown_labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Policy:
    """A parsed policy. Two policies with the same canonical document have the same `hash`."""

    name: str
    version: str
    default: Rule
    rules: Mapping[str, Rule]
    description: str = ""

    @classmethod
    def from_document(cls, document: object) -> "Policy":
        """Read a policy.

        The document is `{"name", "version", "description"?, "default": RULE, "rules": {LABEL: RULE}}`, where RULE is
        `"allow"` or an object with `review`, `block` or both. `schema` may stand in it and must then be known.

        Raises:
            PolicyError: the document is not of this shape, names an unknown label, or has a rule that can't fire.
        """
        fields = _mapping(document, "the policy")
        _only(fields, {"schema", "name", "version", "description", "default", "rules"}, "the policy")
        if fields.get("schema", SCHEMA) != SCHEMA:
            raise PolicyError(f"schema: {fields['schema']!r} is not {SCHEMA}; use a policy written for this version")
        if "default" not in fields:
            raise PolicyError('default: missing; say what happens to labels without a rule, for example "review: 60"')
        rules = {}
        for label, rule in _mapping(fields.get("rules", {}), "rules").items():
            if label not in taxonomy.PARENTS:
                raise PolicyError(f"rules: {_unknown_label(label)}")
            rules[label] = _rule(label, rule, f"rules: {label}")
        return cls(
            name=_text(fields, "name"),
            version=_text(fields, "version"),
            description=_text(fields, "description", ""),
            default=_rule("default", fields["default"], "default"),
            rules=rules,
        )

    def to_document(self) -> dict[str, Any]:
        """The canonical document: `from_document` of it gives an equal policy with the same hash."""
        return {
            "schema": SCHEMA,
            "name": self.name,
            "version": self.version,
            "description": self.description,
            "default": _rule_document(self.default),
            "rules": {label: _rule_document(self.rules[label]) for label in sorted(self.rules)},
        }

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the canonical document, in hex."""
        canonical = json.dumps(self.to_document(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def lowest_threshold(self) -> float:
        """The confidence below which nothing makes a difference; that of unknown labels counts too."""
        rules = (self.default, _UNKNOWN, *self.rules.values())
        return min(threshold for rule in rules for threshold in (rule.review, rule.block) if threshold is not None)

    def judge(self, analysis: Analysis) -> Decision:
        """Decide on an analysis. The order of its labels makes no difference."""
        parents = _parents(analysis.labels)
        judged: list[tuple[Outcome, Reason]] = []
        for label in _evidence(analysis.labels, parents):
            rule = self._rule_for(label.name, parents)
            outcome, threshold = rule.judge(label.confidence)
            if threshold is not None:
                judged.append((outcome, Reason(rule.name, label.name, label.confidence, outcome.value, threshold)))
        judged.sort(key=lambda entry: (-_SEVERITY[entry[0]], -entry[1].confidence, entry[1].label))
        unknown = {label.name for label in analysis.labels if label.name not in taxonomy.PARENTS}
        return Decision(
            status=_STATUS[judged[0][0]] if judged else Status.APPROVED,
            reasons=tuple(reason for _, reason in judged),
            unknown_labels=tuple(sorted(unknown)),
        )

    def _rule_for(self, name: str, parents: Mapping[str, str]) -> Rule:
        """The nearest rule among `name` and its ancestors; an unknown label takes its nearest known ancestor's."""
        known = _nearest_known(name, parents)
        if known is None:
            return _UNKNOWN
        for candidate in (known, *taxonomy.ancestors(known)):
            if candidate in self.rules:
                return self.rules[candidate]
        return self.default


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


def _evidence(labels: Iterable[Label], parents: Mapping[str, str]) -> Iterable[Label]:
    """The labels that no returned child explains. A name returned twice counts at its highest confidence."""
    highest: dict[str, Label] = {}
    for label in labels:
        if label.name not in highest or label.confidence > highest[label.name].confidence:
            highest[label.name] = label
    strongest_child: dict[str, float] = {}
    for label in highest.values():
        above = tuple(_chain(parents[label.name], parents))
        if above and not parents.get(above[-1]):  # else the answer names its parents in a circle: that explains nothing
            strongest_child[above[0]] = max(label.confidence, strongest_child.get(above[0], 0.0))
    for label in highest.values():
        child = strongest_child.get(label.name)
        if child is None or child + EXPLAINED_WITHIN < label.confidence:
            yield label


def _chain(name: str, parents: Mapping[str, str]) -> Iterable[str]:
    """`name` and what stands above it in the answer, each once."""
    seen: set[str] = set()
    while name and name not in seen:
        yield name
        seen.add(name)
        name = parents.get(name, "")


def _nearest_known(name: str, parents: Mapping[str, str]) -> str | None:
    return next((candidate for candidate in _chain(name, parents) if candidate in taxonomy.PARENTS), None)


def _rule(name: str, document: object, where: str) -> Rule:
    if document == Outcome.ALLOW:
        return Rule(name)
    if not isinstance(document, Mapping) or not document:
        raise PolicyError(f'{where}: write "allow", or thresholds such as {{review: 50, block: 80}}')
    _only(document, {"review", "block"}, where)
    review, block = _threshold(document, "review", where), _threshold(document, "block", where)
    if review is not None and block is not None and review >= block:
        raise PolicyError(f"{where}: review at {review:g} never fires with block at {block:g}; lower review or drop it")
    return Rule(name, review, block)


def _rule_document(rule: Rule) -> str | dict[str, float]:
    thresholds = {"review": rule.review, "block": rule.block}
    return {key: value for key, value in thresholds.items() if value is not None} or Outcome.ALLOW.value


def _threshold(document: Mapping[str, Any], key: str, where: str) -> float | None:
    if key not in document:
        return None
    value = document[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
        raise PolicyError(f"{where}: {key} is {value!r}; write a confidence from 0 to 100")
    return float(value)


def _text(fields: Mapping[str, Any], key: str, default: str | None = None) -> str:
    value = fields.get(key, default)
    if not isinstance(value, str) or not (value or default is not None):
        raise PolicyError(f'{key}: {value!r} is not text; write, for example, {key}: "2026-11"')
    return value


def _mapping(document: object, where: str) -> Mapping[str, Any]:
    if not isinstance(document, Mapping) or not all(isinstance(key, str) for key in document):
        raise PolicyError(f"{where}: not a mapping of names to values")
    return document


def _only(document: Mapping[str, Any], known: set[str], where: str) -> None:
    if unknown := sorted(set(document) - known):
        raise PolicyError(f"{where}: unknown key {unknown[0]}; the keys are {', '.join(sorted(known))}")


def _unknown_label(name: str) -> str:
    from difflib import get_close_matches  # only when a person has to be told; not worth its import in a function

    close = get_close_matches(name, taxonomy.PARENTS, n=1)
    advice = f"did you mean {close[0]!r}?" if close else "see docs/architecture.md for where the label names are listed"
    return f"{name!r} is not a label of taxonomy {taxonomy.VERSION}; {advice}"
