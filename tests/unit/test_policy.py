import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.moderation.analysis import Analysis, Label
from lambdas.moderation.policy import Policy, PolicyError
from lambdas.moderation.taxonomy import PARENTS
from lambdas.moderation.verdict import Reason, Status
from tests.unit.builders import POLICY_DOCUMENT, a_policy, an_analysis

SEVERITY = {Status.APPROVED: 0, Status.REVIEW: 1, Status.BLOCKED: 2}
UNKNOWN_NAMES = ("Strange", "Stranger", "Strangest")
NAMES = (*PARENTS, *UNKNOWN_NAMES)

CONFIDENCES = st.integers(0, 200).map(lambda halves: halves / 2)
RULES = st.one_of(
    st.just("allow"),
    CONFIDENCES.map(lambda review: {"review": review}),
    CONFIDENCES.map(lambda block: {"block": block}),
    st.tuples(CONFIDENCES, CONFIDENCES)
    .filter(lambda both: both[0] != both[1])
    .map(lambda both: {"review": min(both), "block": max(both)}),
)
POLICIES = st.builds(
    lambda default, rules: Policy.from_document({"name": "p", "version": "1", "default": default, "rules": rules}),
    RULES,
    st.dictionaries(st.sampled_from(list(PARENTS)), RULES, max_size=8),
)
KNOWN = st.sampled_from(["Violence", "Graphic Violence", "Self-Harm", "Blood & Gore", "Weapons", *PARENTS])
LABELS = st.one_of(
    st.builds(lambda name, confidence: Label(name, PARENTS[name], confidence), KNOWN, CONFIDENCES),
    st.builds(Label, st.sampled_from(UNKNOWN_NAMES), st.sampled_from(["", *NAMES]), CONFIDENCES),
)
ANALYSES = st.lists(LABELS, max_size=8, unique_by=lambda label: label.name).map(lambda found: Analysis(tuple(found)))


def _status(policy: Policy, confidences: Mapping[str, float]) -> Status:
    return policy.judge(an_analysis(confidences)).status


def _by_the_book(policy: Policy, analysis: Analysis) -> Status:
    """The rule that counts, read word by word from the design and without the code's shortcuts."""
    document = policy.to_document()
    returned = {label.name: label for label in analysis.labels}

    def lineage(name: str) -> list[str] | None:
        """From `name` to the top, or None if that never ends."""
        line: list[str] = []
        while name:
            if name in line:
                return None
            line.append(name)
            name = PARENTS[name] if name in PARENTS else returned[name].parent if name in returned else ""
        return line

    worst = Status.APPROVED
    for label in analysis.labels:
        children = [
            child.confidence
            for child in analysis.labels
            if (line := lineage(child.name)) and len(line) > 1 and line[1] == label.name
        ]
        if children and max(children) + 1.0 >= label.confidence:
            continue
        line = lineage(label.name) or []
        if not any(name in PARENTS for name in line):
            rule: Any = {"review": 50.0}
        else:
            rule = next((document["rules"][name] for name in line if name in document["rules"]), document["default"])
        thresholds = {} if rule == "allow" else rule
        if label.confidence >= thresholds.get("block", 101):
            worst = Status.BLOCKED
        elif label.confidence >= thresholds.get("review", 101) and worst is not Status.BLOCKED:
            worst = Status.REVIEW
    return worst


def test_an_image_without_labels_is_approved() -> None:
    assert a_policy().judge(Analysis()).status is Status.APPROVED


def test_an_allowed_label_takes_its_concept_out_parents_and_all() -> None:
    policy = a_policy({"Violence": {"block": 50}, "Weapon Violence": "allow"})

    assert _status(policy, {"Violence": 95, "Graphic Violence": 95, "Weapon Violence": 95}) is Status.APPROVED


def test_an_allowed_label_does_not_excuse_stronger_evidence_beside_it() -> None:
    policy = a_policy({"Violence": {"block": 50}, "Weapon Violence": "allow"})

    assert _status(policy, {"Violence": 95, "Graphic Violence": 95, "Weapon Violence": 60}) is Status.BLOCKED


@pytest.mark.parametrize(("parent", "status"), [(81.0, Status.APPROVED), (81.5, Status.BLOCKED)])
def test_a_child_explains_a_parent_within_one_point(parent: float, status: Status) -> None:
    policy = a_policy({"Alcohol": {"block": 50}, "Alcoholic Beverages": "allow"})

    assert _status(policy, {"Alcohol": parent, "Alcoholic Beverages": 80.0}) is status


def test_the_strongest_of_two_children_explains_the_parent() -> None:
    policy = a_policy({"Alcohol": {"review": 50}, "Alcohol Use": "allow", "Alcoholic Beverages": "allow"})

    assert _status(policy, {"Alcohol": 90, "Alcohol Use": 90, "Alcoholic Beverages": 40}) is Status.APPROVED
    assert _status(policy, {"Alcohol": 90, "Alcohol Use": 40, "Alcoholic Beverages": 90}) is Status.APPROVED


def test_of_two_children_the_worse_one_counts() -> None:
    policy = a_policy({"Alcohol Use": "allow", "Alcoholic Beverages": {"block": 30}})

    assert _status(policy, {"Alcohol": 90, "Alcohol Use": 90, "Alcoholic Beverages": 40}) is Status.BLOCKED


def test_a_grandchild_does_not_explain_its_grandparent() -> None:
    policy = a_policy({"Violence": {"block": 50}, "Weapon Violence": "allow"})

    assert _status(policy, {"Violence": 90, "Weapon Violence": 90}) is Status.BLOCKED


def test_a_level_2_label_alone_is_judged_by_the_rule_above_it() -> None:
    assert _status(a_policy({"Violence": {"block": 50}}), {"Violence": 80, "Weapons": 80}) is Status.BLOCKED


def test_a_nearer_rule_replaces_the_one_above_it_whole() -> None:
    policy = a_policy({"Violence": {"review": 50, "block": 80}, "Weapons": {"review": 60}})

    assert _status(policy, {"Violence": 99, "Weapons": 99}) is Status.REVIEW
    assert _status(policy, {"Violence": 55, "Weapons": 55}) is Status.APPROVED


def test_a_label_no_rule_names_falls_to_the_default() -> None:
    assert _status(a_policy({}, default={"block": 70}), {"Gambling": 70}) is Status.BLOCKED
    assert _status(a_policy({}, default={"block": 70}), {"Gambling": 69.9}) is Status.APPROVED


@pytest.mark.parametrize(
    ("confidence", "status"),
    [(49.9, Status.APPROVED), (50.0, Status.REVIEW), (89.9, Status.REVIEW), (90.0, Status.BLOCKED)],
)
def test_a_threshold_is_reached_when_equal(confidence: float, status: Status) -> None:
    assert _status(a_policy({"Violence": {"review": 50, "block": 90}}), {"Violence": confidence}) is status


def test_levels_make_no_difference() -> None:
    policy = a_policy({"Violence": {"block": 50}, "Weapons": "allow"})
    silent = Analysis((Label("Violence", "", 90.0, None), Label("Weapons", "Violence", 90.0, None)))

    assert policy.judge(silent).status is Status.APPROVED


def test_parents_the_answer_leaves_out_are_known_anyway() -> None:
    policy = a_policy({"Violence": {"block": 50}, "Weapons": "allow"})

    assert policy.judge(Analysis((Label("Violence", "", 90.0), Label("Weapons", "", 90.0)))).status is Status.APPROVED


def test_an_answer_cannot_put_an_allowed_label_under_another_to_excuse_it() -> None:
    policy = a_policy({"Violence": {"block": 50}, "Alcohol": "allow"})
    analysis = Analysis((Label("Violence", "", 90.0), Label("Alcohol", "Violence", 90.0)))

    assert policy.judge(analysis).status is Status.BLOCKED


@pytest.mark.parametrize(("confidence", "status"), [(49.9, Status.APPROVED), (50.0, Status.REVIEW)])
@pytest.mark.parametrize("parent", ["", "Stranger"])
def test_an_unknown_label_is_reviewed_from_50(parent: str, confidence: float, status: Status) -> None:
    policy = a_policy({}, default="allow")

    decision = policy.judge(Analysis((Label("Strange", parent, confidence),)))

    assert decision.status is status
    assert decision.unknown_labels == ("Strange",)


def test_an_unknown_label_is_judged_as_the_nearest_known_one_above_it() -> None:
    policy = a_policy({"Weapons": {"block": 40}, "Alcohol": "allow"})
    under_weapons = (Label("Stranger", "Strange", 45.0), Label("Strange", "Weapons", 45.0))

    assert policy.judge(Analysis(under_weapons)).status is Status.BLOCKED
    assert policy.judge(Analysis((Label("Strange", "Alcohol", 99.0),))).status is Status.APPROVED


def test_an_unknown_label_with_two_parents_has_none() -> None:
    policy = a_policy({"Alcohol": "allow", "Gambling": "allow"})
    both = (Label("Strange", "Alcohol", 60.0), Label("Strange", "Gambling", 60.0))

    assert policy.judge(Analysis(both)).status is Status.REVIEW
    assert policy.judge(Analysis(both[::-1])) == policy.judge(Analysis(both))


@pytest.mark.parametrize(
    "labels",
    [
        (Label("Strange", "Strange", 50.0),),
        (Label("Strange", "Stranger", 50.0), Label("Stranger", "Strange", 50.0)),
        (Label("Strange", "Stranger", 50.0), Label("Stranger", "Strange", 50.0), Label("Strangest", "Strange", 49.5)),
        (Label("Violence", "Alcohol", 50.0), Label("Alcohol", "Violence", 50.0)),
        (Label("Violence", "Violence", 50.0),),
        (Label("Violence", "Strange", 50.0), Label("Strange", "Violence", 10.0)),
    ],
)
def test_parents_in_a_circle_never_approve(labels: tuple[Label, ...]) -> None:
    policy = a_policy({"Violence": {"review": 50}, "Alcohol": "allow"}, default="allow")

    assert policy.judge(Analysis(labels)).status is Status.REVIEW
    assert policy.judge(Analysis(labels[::-1])).status is Status.REVIEW


def test_a_label_returned_twice_counts_at_its_highest_confidence() -> None:
    twice = (Label("Violence", "", 95.0), Label("Violence", "", 40.0))

    assert a_policy().judge(Analysis(twice)).status is Status.BLOCKED
    assert a_policy().judge(Analysis(twice[::-1])).status is Status.BLOCKED


def test_reasons_name_rule_label_and_threshold_the_decisive_one_first() -> None:
    policy = a_policy({"Violence": {"review": 50, "block": 90}})

    decision = policy.judge(an_analysis({"Gambling": 99, "Weapons": 95, "Alcohol": 10, "Rude Gestures": 70}))

    assert decision.reasons == (
        Reason("Violence", "Weapons", 95, "block", 90.0),
        Reason("default", "Gambling", 99, "review", 60.0),
        Reason("default", "Rude Gestures", 70, "review", 60.0),
    )


def test_of_equal_confidences_the_reasons_come_by_name() -> None:
    decision = a_policy({}).judge(an_analysis({"Weapons": 70, "Gambling": 70}))

    assert [reason.label for reason in decision.reasons] == ["Gambling", "Weapons"]


def test_an_unknown_label_names_its_rule() -> None:
    (reason,) = a_policy().judge(Analysis((Label("Strange", "", 70.0),))).reasons

    assert reason.rule == "unknown label"


@given(policy=POLICIES, analysis=ANALYSES)
def test_every_decision_is_the_one_the_design_describes(policy: Policy, analysis: Analysis) -> None:
    assert policy.judge(analysis).status is _by_the_book(policy, analysis)


@given(policy=POLICIES, found=st.lists(LABELS, max_size=8), data=st.data())
def test_the_order_of_labels_makes_no_difference(policy: Policy, found: list[Label], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(found))

    assert policy.judge(Analysis(tuple(found))) == policy.judge(Analysis(tuple(shuffled)))


@given(policy=POLICIES, analysis=ANALYSES, extra=LABELS)
def test_an_unrelated_label_never_makes_a_decision_milder(policy: Policy, analysis: Analysis, extra: Label) -> None:
    names = {label.name for label in analysis.labels}
    named = names | {label.parent for label in analysis.labels}
    if extra.name in named or PARENTS.get(extra.name, extra.parent) in names:
        return

    with_extra = policy.judge(Analysis((*analysis.labels, extra)))

    assert SEVERITY[with_extra.status] >= SEVERITY[policy.judge(analysis).status]


@given(confidences=st.dictionaries(st.sampled_from(list(PARENTS)), CONFIDENCES))
def test_a_policy_that_allows_everything_approves_every_known_label(confidences: dict[str, float]) -> None:
    assert _status(a_policy({"Violence": "allow"}, default="allow"), confidences) is Status.APPROVED


@given(policy=POLICIES)
def test_a_policy_survives_its_canonical_document(policy: Policy) -> None:
    again = Policy.from_document(json.loads(json.dumps(policy.to_document())))

    assert again == policy
    assert again.hash == policy.hash


def test_the_hash_tells_policies_apart() -> None:
    assert a_policy({"Violence": {"review": 50}}).hash != a_policy({"Violence": {"review": 51}}).hash
    assert (
        a_policy({"Violence": "allow", "Alcohol": "allow"}).hash
        == a_policy({"Alcohol": "allow", "Violence": "allow"}).hash
    )
    assert len(a_policy().hash) == 64


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"rules": {"Violense": "allow"}},
            "rules: 'Violense' is not a label of taxonomy 7.0; did you mean 'Violence'?",
        ),
        ({"rules": {"qqqq": "allow"}}, "rules: 'qqqq' is not a label"),
        ({"rules": {"Violence": "deny"}}, "rules: Violence: write"),
        ({"rules": {"Violence": {}}}, "rules: Violence: write"),
        ({"rules": {"Violence": {"reveiw": 5}}}, "rules: Violence: unknown key reveiw; the keys are block, review"),
        ({"rules": {"Violence": {"review": 90, "block": 80}}}, "review at 90 never fires with block at 80"),
        ({"rules": {"Violence": {"review": 80, "block": 80}}}, "review at 80 never fires with block at 80"),
        ({"rules": {"Violence": {"review": 101}}}, "review is 101"),
        ({"rules": {"Violence": {"review": -1}}}, "review is -1"),
        ({"rules": {"Violence": {"block": True}}}, "block is True"),
        ({"rules": {"Violence": {"block": None}}}, "block is None"),
        ({"rules": {"Violence": {"block": float("nan")}}}, "block is nan"),
        ({"rules": ["Violence"]}, "rules: not a mapping"),
        ({"rules": None}, "rules: not a mapping"),
        ({"default": "block"}, "default: write"),
        ({"name": ""}, "name: '' is not text"),
        ({"version": 1}, "version: 1 is not text"),
        ({"description": None}, "description: None is not text"),
        ({"colour": "red"}, "the policy: unknown key colour"),
        ({"schema": "gatehouse.policy/2"}, "schema: 'gatehouse.policy/2' is not gatehouse.policy/1"),
    ],
)
def test_an_unusable_policy_is_refused_by_the_key_at_fault(change: dict[str, Any], message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        Policy.from_document({**POLICY_DOCUMENT, **change})

    assert message in str(caught.value)


@pytest.mark.parametrize("key", ["name", "version", "default"])
def test_a_policy_without_an_essential_key_is_refused(key: str) -> None:
    with pytest.raises(PolicyError, match=key):
        Policy.from_document({name: value for name, value in POLICY_DOCUMENT.items() if name != key})


@pytest.mark.parametrize("document", [None, [], "allow", {1: 2}])
def test_a_policy_is_a_mapping(document: object) -> None:
    with pytest.raises(PolicyError, match="the policy: not a mapping"):
        Policy.from_document(document)


def test_rules_may_be_left_out() -> None:
    assert Policy.from_document({"name": "p", "version": "1", "default": "allow"}).rules == {}
