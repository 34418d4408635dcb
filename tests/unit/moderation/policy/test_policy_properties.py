"""What holds for every policy and every analysis, held against a slow reading of docs/policies.md."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gatehouse.moderation.analysis import Analysis, ContentType, Label
from gatehouse.moderation.policy.explanation import apply_changes, explain
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.replay import replay
from gatehouse.moderation.policy.taxonomy import PARENTS, ancestors, descendants
from gatehouse.moderation.status import Status
from tests.unit.builders import a_verdict

# --- The second opinion ---
#
# The book, read word by word, on plain lists and dictionaries: a policy is its document, a label is {"name", "parent",
# "confidence"}, a content type is {"name", "confidence"}. It shares the table of labels with the engine, nothing else.

ALLOW, REVIEW, BLOCK = 0, 1, 2


def exact(number: float) -> Decimal:
    """The number as written: 0.1 more than 80.3 is 80.4."""
    return Decimal(str(number))


def strongest_of_each(labels: Sequence[Mapping[str, Any]]) -> dict[str, Decimal]:
    """A label returned twice counts once, at its highest confidence."""
    found: dict[str, Decimal] = {}
    for label in labels:
        found[label["name"]] = max(exact(label["confidence"]), found.get(label["name"], Decimal(-1)))
    return found


def said_parent(name: str, labels: Sequence[Mapping[str, Any]]) -> str:
    """The taxonomy's word for a label it knows; else what the answer says, if it says one thing only; else nothing."""
    if name in PARENTS:
        return PARENTS[name]
    said = {label["parent"] for label in labels if label["name"] == name}
    return said.pop() if len(said) == 1 else ""


def line_of(name: str, labels: Sequence[Mapping[str, Any]]) -> list[str]:
    """The label and its ancestors, nearest first. Whose ancestors go round in a circle has none."""
    line = [name]
    while parent := said_parent(line[-1], labels):
        if parent in line:
            return [name]
        line.append(parent)
    return line


def rule_of(name: str, document: Mapping[str, Any], labels: Sequence[Mapping[str, Any]]) -> Any:
    """The nearest rule among the label and its ancestors, else the default; review from 50 for what nobody knows."""
    line = line_of(name, labels)
    if not any(label in PARENTS for label in line):
        return {"review": 50}
    for label in line:
        if label in document.get("rules", {}):
            return document["rules"][label]
    return document["default"]


def held_rule(rule: Any, content_types: Sequence[Mapping[str, Any]]) -> Any:
    """What the rule says of this kind of image: its first refinement that applies, else the rule itself."""
    if rule == "allow":
        return rule
    for refinement in rule.get("when", []):
        for name, needed in refinement["content_types"].items():
            for content_type in content_types:
                if content_type["name"] == name and exact(content_type["confidence"]) >= exact(needed):
                    return refinement["then"]
    return rule


def outcome_at(confidence: Decimal, rule: Any) -> int:
    """What a rule, refined already, makes of a confidence."""
    if rule == "allow" or rule.get("allow"):
        return ALLOW
    if "block" in rule and confidence >= exact(rule["block"]):
        return BLOCK
    if "review" in rule and confidence >= exact(rule["review"]):
        return REVIEW
    return ALLOW


def explainers_of(name: str, labels: Sequence[Mapping[str, Any]]) -> set[str]:
    """The last of each chain of strongest children, each within a point of its parent; none without such a child."""
    confidences = strongest_of_each(labels)
    children = [child for child in confidences if line_of(child, labels)[1:2] == [name]]
    if not children:
        return set()
    highest = max(confidences[child] for child in children)
    if highest < confidences[name] - 1:
        return set()
    found: set[str] = set()
    for child in children:
        if confidences[child] == highest:
            found |= explainers_of(child, labels) or {child}
    return found


def by_the_book(
    document: Mapping[str, Any], labels: Sequence[Mapping[str, Any]], content_types: Sequence[Mapping[str, Any]]
) -> dict[str, int]:
    """Every returned label's outcome. The image's is the worst of them."""
    outcomes = {}
    for name, confidence in strongest_of_each(labels).items():
        own = outcome_at(confidence, held_rule(rule_of(name, document, labels), content_types))
        explained = [
            outcome_at(confidence, held_rule(rule_of(explainer, document, labels), content_types))
            for explainer in explainers_of(name, labels)
        ]
        outcomes[name] = min(own, max(explained)) if explained else own
    return outcomes


def by_skipping(
    document: Mapping[str, Any], labels: Sequence[Mapping[str, Any]], content_types: Sequence[Mapping[str, Any]]
) -> int:
    """The simpler rule behind the book: a label that a child explains is not looked at."""
    judged = [
        outcome_at(confidence, held_rule(rule_of(name, document, labels), content_types))
        for name, confidence in strongest_of_each(labels).items()
        if not explainers_of(name, labels)
    ]
    return max(judged, default=ALLOW)


def reasons_by_the_book(
    document: Mapping[str, Any], labels: Sequence[Mapping[str, Any]], content_types: Sequence[Mapping[str, Any]]
) -> set[tuple[str, int]]:
    """The reasons, with their outcomes: an explained label is one only where none of its explainers says as much."""
    outcomes = by_the_book(document, labels, content_types)
    return {
        (name, outcome)
        for name, outcome in outcomes.items()
        if outcome > max((outcomes[explainer] for explainer in explainers_of(name, labels)), default=ALLOW)
    }


# --- Cases ---

OUTCOMES = {"allow": ALLOW, "review": REVIEW, "block": BLOCK}
STATUSES = {Status.APPROVED: ALLOW, Status.REVIEW: REVIEW, Status.BLOCKED: BLOCK}

#: Few enough to meet: equal confidences, thresholds met exactly, and steps around a point between parent and child.
GRID = (0.0, 30.0, 49.0, 49.6, 50.0, 50.4, 50.8, 51.0, 51.2, 51.4, 79.2, 80.0, 80.4, 99.6, 100.0)
#: What the labels of one answer are drawn from: sometimes anything, often confidences that lie close together.
PALETTES = (GRID, (50.0, 50.4, 51.0), (49.0, 49.6, 50.0, 50.8), (79.2, 80.0, 80.4))
CATEGORIES = [name for name, parent in PARENTS.items() if not parent]
UNKNOWN = ("Strange", "Stranger", "Strangest")
KINDS = ("Animated", "Illustrated", "Cartoon")

confidences = st.sampled_from(GRID)
thresholds = st.one_of(
    st.just("allow"),
    st.fixed_dictionaries({"review": confidences}),
    st.fixed_dictionaries({"block": confidences}),
    st.lists(confidences, min_size=2, max_size=2, unique=True).map(
        lambda both: {"review": min(both), "block": max(both)}
    ),
)
refinements = st.fixed_dictionaries(
    {
        "content_types": st.dictionaries(st.sampled_from(KINDS), confidences, min_size=1, max_size=2),
        "then": thresholds,
    }
)


def _reachable(entries: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The refinements without those that an earlier one shadows."""
    kept: list[Mapping[str, Any]] = []
    for entry in entries:
        needed = entry["content_types"]
        if not any(all(other["content_types"].get(kind, 101) <= needed[kind] for kind in needed) for other in kept):
            kept.append(entry)
    return kept


def _refined(base: Any, entries: Sequence[Mapping[str, Any]]) -> Any:
    return {**({"allow": True} if base == "allow" else base), "when": _reachable(entries)} if entries else base


rules = st.builds(_refined, thresholds, st.just([]) | st.lists(refinements, min_size=1, max_size=3))


@dataclass(frozen=True)
class Case:
    """A policy and an answer, as plain documents and as the engine takes them."""

    document: Mapping[str, Any]
    labels: Sequence[Mapping[str, Any]]
    content_types: Sequence[Mapping[str, Any]] = ()

    @property
    def policy(self) -> Policy:
        return Policy.from_document(self.document)

    @property
    def analysis(self) -> Analysis:
        return Analysis(
            tuple(Label(label["name"], label["parent"], label["confidence"]) for label in self.labels),
            tuple(ContentType(entry["name"], entry["confidence"]) for entry in self.content_types),
        )

    @property
    def severity(self) -> int:
        return STATUSES[self.policy.judge(self.analysis).status]

    def rule(self, name: str) -> Any:
        """What holds for a label in this image."""
        return held_rule(rule_of(name, self.document, self.labels), self.content_types)

    def is_as_strict_as_all_above(self, name: str) -> bool:
        above = line_of(name, self.labels)[1:]
        return all(
            outcome_at(exact(confidence), self.rule(name)) >= outcome_at(exact(confidence), self.rule(ancestor))
            for ancestor in above
            for confidence in GRID
        )


def _family(category: str) -> list[str]:
    return [category, *descendants(category)]


@st.composite
def cases(draw: st.DrawFn, known_only: bool = False, levelled: bool = False) -> Case:
    """A policy and an answer about a category or two. `levelled`: everything within a category is equally sure."""
    chosen = draw(st.lists(st.sampled_from(CATEGORIES), min_size=1, max_size=2, unique=True))
    family = [name for category in chosen for name in _family(category)]
    names = st.sampled_from(family) if known_only else st.sampled_from(family) | st.sampled_from(UNKNOWN)
    parents = st.sampled_from(["", *family] if known_only else ["", *family, *UNKNOWN])
    labels = []
    level = {category: draw(confidences) for category in chosen} if levelled else {}
    sure = st.sampled_from(draw(st.sampled_from(PALETTES)))
    for name in draw(st.lists(names, max_size=7)):
        parent = draw(st.just(PARENTS[name]) | parents if name in PARENTS else parents)
        confidence = level[(name, *ancestors(name))[-1]] if levelled else draw(sure)
        labels.append({"name": name, "parent": parent, "confidence": confidence})
    document = {
        "name": "p",
        "version": "1",
        "default": draw(rules),
        "rules": draw(st.dictionaries(st.sampled_from(family), rules, max_size=6)),
    }
    kinds = st.fixed_dictionaries({"name": st.sampled_from(KINDS), "confidence": confidences})
    return Case(document, labels, draw(st.lists(kinds, max_size=3)))


def _pairs(policy: Policy, analysis: Analysis) -> set[tuple[str, int]]:
    return {(reason.label, OUTCOMES[reason.outcome]) for reason in policy.judge(analysis).reasons}


# --- What holds ---


@settings(max_examples=600)
@given(case=cases())
def test_every_decision_is_the_one_in_the_book(case: Case) -> None:
    outcomes = by_the_book(case.document, case.labels, case.content_types)

    assert case.severity == max(outcomes.values(), default=ALLOW)
    assert _pairs(case.policy, case.analysis) == reasons_by_the_book(case.document, case.labels, case.content_types)


@settings(max_examples=200)
@given(case=cases())
def test_every_weight_is_the_one_in_the_book(case: Case) -> None:
    weights = case.policy.weigh(case.analysis)

    assert {weight.label.name: OUTCOMES[weight.outcome.value] for weight in weights} == by_the_book(
        case.document, case.labels, case.content_types
    )
    for weight in weights:
        assert {explainer.name for explainer in weight.explained_by} == explainers_of(weight.label.name, case.labels)
        assert len({explainer.name for explainer in weight.explained_by}) == len(weight.explained_by)


@settings(max_examples=200)
@given(case=cases())
def test_a_decision_is_the_worst_of_its_weights(case: Case) -> None:
    policy, analysis = case.policy, case.analysis
    judgment, weights = policy.judge(analysis), policy.weigh(analysis)

    assert case.severity == max((weight.outcome.severity for weight in weights), default=ALLOW)
    assert {
        (weight.rule, weight.label.name, weight.label.confidence, weight.outcome, weight.threshold, weight.content_type)
        for weight in weights
        if weight.counts
    } == set(judgment.reasons)
    assert [(-weight.label.confidence, weight.label.name) for weight in weights] == sorted(
        (-weight.label.confidence, weight.label.name) for weight in weights
    )


@settings(max_examples=200)
@given(case=cases())
def test_a_decision_is_never_milder_than_one_that_skips_explained_labels(case: Case) -> None:
    assert case.severity >= by_skipping(case.document, case.labels, case.content_types)


@settings(max_examples=200)
@given(case=cases(known_only=True, levelled=True))
def test_where_parents_are_as_sure_as_their_children_explained_labels_are_skipped(case: Case) -> None:
    assert case.severity == by_skipping(case.document, case.labels, case.content_types)


def _raised(case: Case) -> Iterator[Case]:
    """The case with one label surer, where neither its rule nor one below it exempts it from a stricter one above."""
    for name, confidence in strongest_of_each(case.labels).items():
        below = {label["name"] for label in case.labels if name in line_of(label["name"], case.labels)}
        if all(case.is_as_strict_as_all_above(entry) for entry in below):
            for surer in GRID:
                if exact(surer) > confidence:
                    labels = [
                        {**label, "confidence": surer} if label["name"] == name else label for label in case.labels
                    ]
                    yield replace(case, labels=labels)


@settings(max_examples=200)
@given(case=cases())
def test_a_surer_label_never_makes_a_decision_milder_unless_its_rule_is_an_exemption(case: Case) -> None:
    severity = case.severity

    for surer in _raised(case):
        assert surer.severity >= severity


@settings(max_examples=150)
@given(case=cases(), confidence=confidences, parent=st.sampled_from(["", *UNKNOWN]))
def test_an_unrelated_label_never_makes_a_decision_milder(case: Case, confidence: float, parent: str) -> None:
    severity = case.severity
    named = {name for label in case.labels for name in (*line_of(label["name"], case.labels), label["parent"])}

    for name in (*PARENTS, *UNKNOWN):
        extra = {"name": name, "parent": PARENTS.get(name, parent), "confidence": confidence}
        with_extra = replace(case, labels=[*case.labels, extra])
        if name not in named and not named & set(line_of(name, with_extra.labels)):
            assert with_extra.severity >= severity


@given(case=cases(known_only=True), allowed=st.sets(st.sampled_from(list(PARENTS))))
def test_a_policy_that_allows_everything_approves_every_known_label(case: Case, allowed: set[str]) -> None:
    document = {**case.document, "default": "allow", "rules": dict.fromkeys(allowed, "allow")}

    assert replace(case, document=document).severity == ALLOW


@given(case=cases(), data=st.data())
def test_the_order_of_labels_content_types_and_rules_makes_no_difference(case: Case, data: st.DataObject) -> None:
    named = case.document["rules"]
    shuffled = Case(
        {**case.document, "rules": {label: named[label] for label in data.draw(st.permutations(list(named)))}},
        data.draw(st.permutations(case.labels)),
        data.draw(st.permutations(case.content_types)),
    )

    assert shuffled.policy == case.policy
    assert shuffled.policy.hash == case.policy.hash
    assert shuffled.policy.judge(shuffled.analysis) == case.policy.judge(case.analysis)
    assert [weight.outcome for weight in shuffled.policy.weigh(shuffled.analysis)] == [
        weight.outcome for weight in case.policy.weigh(case.analysis)
    ]


@given(case=cases(known_only=True), data=st.data())
def test_a_label_returned_again_with_less_confidence_changes_nothing(case: Case, data: st.DataObject) -> None:
    weaker = [data.draw(st.sampled_from(GRID[: GRID.index(label["confidence"]) + 1])) for label in case.labels]
    again = [{**label, "confidence": less} for label, less in zip(case.labels, weaker, strict=True)]

    for labels in ([*again, *case.labels], [*case.labels, *again]):
        assert case.policy.judge(replace(case, labels=labels).analysis) == case.policy.judge(case.analysis)


@given(case=cases())
def test_a_policy_survives_its_canonical_document_and_judges_alike(case: Case) -> None:
    policy = case.policy
    again = Policy.from_document(json.loads(policy.to_text()))

    assert again == policy == Policy.from_document(policy.to_document())
    assert again.hash == policy.hash
    assert again.judge(case.analysis) == policy.judge(case.analysis)


@settings(max_examples=200)
@given(case=cases())
def test_every_way_to_another_outcome_leads_there(case: Case) -> None:
    policy, analysis = case.policy, case.analysis
    explanation = explain(analysis, policy)

    assert explanation.judgment == policy.judge(analysis)
    assert {alternative.status for alternative in explanation.alternatives} == set(STATUSES) - {
        explanation.judgment.status
    }
    for alternative in explanation.alternatives:
        ways = [(change,) for change in alternative.changes] if alternative.any_of else [alternative.changes]
        for way in filter(None, ways):
            assert apply_changes(policy, analysis, *way).judge(analysis).status is alternative.status


@settings(max_examples=200)
@given(case=cases())
def test_a_threshold_that_leads_to_a_stricter_outcome_is_one_a_file_may_say(case: Case) -> None:
    policy, analysis = case.policy, case.analysis

    for alternative in explain(analysis, policy).alternatives:
        for change in alternative.changes if alternative.any_of else ():
            changed = apply_changes(policy, analysis, change)
            assert Policy.from_document(changed.to_document()) == changed


@settings(max_examples=200)
@given(case=cases(known_only=True))
def test_a_way_to_another_outcome_is_missing_only_where_no_label_would_carry_it(case: Case) -> None:
    for alternative in explain(case.analysis, case.policy).alternatives:
        if case.labels:
            assert alternative.changes


@settings(max_examples=150)
@given(case=cases(known_only=True), data=st.data())
def test_nothing_unseen_is_worse_than_foretold(case: Case, data: st.DataObject) -> None:
    """Labels within two points above what was asked for are left out: what explains them may itself be unseen."""
    min_confidence = data.draw(st.sampled_from(GRID[1:]))
    unseen = data.draw(st.sampled_from(GRID[: GRID.index(min_confidence)]))
    returned = [label for label in case.labels if label["confidence"] >= min_confidence + 2]
    seen = replace(case, labels=returned)
    foretold = max(seen.severity, seen.policy.unseen(min_confidence).severity)

    for name in PARENTS:
        extra = {"name": name, "parent": PARENTS[name], "confidence": unseen}
        assert replace(seen, labels=[*returned, extra]).severity <= foretold


@given(case=cases(), min_confidence=st.none() | confidences)
def test_replaying_the_same_policy_changes_nothing(case: Case, min_confidence: float | None) -> None:
    judgment = case.policy.judge(case.analysis)
    verdict = a_verdict(
        judgment.status,
        reasons=judgment.reasons,
        analysis=case.analysis,
        policy=case.policy.reference,
        min_confidence=min_confidence,
    )

    assert not replay(verdict, case.policy).changes


@settings(max_examples=200)
@given(
    case=cases(),
    status=st.sampled_from(list(STATUSES)),
    min_confidence=st.none() | confidences,
)
def test_a_replay_makes_no_unknowable_verdict_milder(case: Case, status: Status, min_confidence: float | None) -> None:
    verdict = a_verdict(status, analysis=case.analysis, min_confidence=min_confidence)

    replayed = replay(verdict, case.policy)

    unseen = case.policy.unseen(100.0 if min_confidence is None else min_confidence)
    assert replayed.unknowable is (unseen.severity > case.severity)
    if replayed.changes:
        assert case.severity > STATUSES[status] or (case.severity < STATUSES[status] and not replayed.unknowable)
    if case.severity > STATUSES[status]:
        assert replayed.changes
