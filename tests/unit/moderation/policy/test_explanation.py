from collections.abc import Mapping
from typing import Any

import pytest

from gatehouse.moderation.analysis import Analysis, ContentType, Label
from gatehouse.moderation.policy.explanation import MAX_OPTIONS, Alternative, RuleChange, apply_changes, explain
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.status import Status
from tests.unit.builders import a_policy, an_analysis, content_types

DRAWN = {"Illustrated": 90.0}
REFINED = {"review": 50, "block": 80, "when": [{"content_types": {"Illustrated": 70}, "then": {"review": 60}}]}


def _ways(
    policy: Policy, confidences: Mapping[str, float], kinds: Mapping[str, float] | None = None
) -> dict[Status, list[str]]:
    """The sentences that lead to each other status."""
    explanation = explain(an_analysis(confidences, content_types=content_types(kinds or {})), policy)
    return {
        alternative.status: [str(change) for change in alternative.changes] for alternative in explanation.alternatives
    }


def test_an_explanation_holds_the_decision_and_every_labels_weight() -> None:
    policy, analysis = a_policy(), an_analysis({"Violence": 95, "Alcohol": 99})

    explanation = explain(analysis, policy)

    assert explanation.judgment == policy.judge(analysis)
    assert explanation.weights == policy.weigh(analysis)


def test_the_ways_to_the_two_other_outcomes_are_told_mildest_first() -> None:
    alternatives = explain(an_analysis({"Violence": 60}), a_policy()).alternatives

    assert alternatives == (
        Alternative(Status.APPROVED, (RuleChange("Violence", None, "review", 50.0, above=60),)),
        Alternative(Status.BLOCKED, (RuleChange("Violence", None, "block", 90.0, at_most=60),), any_of=True),
    )


def test_a_blocked_image_is_reviewed_where_only_its_block_is_raised() -> None:
    policy = a_policy({"Violence": {"review": 50, "block": 90}})

    assert _ways(policy, {"Violence": 95}) == {
        Status.APPROVED: ["Violence: block above 95 (now 90)", "Violence: review above 95 (now 50)"],
        Status.REVIEW: ["Violence: block above 95 (now 90)"],
    }


def test_a_blocked_image_without_a_review_threshold_needs_one_to_be_reviewed() -> None:
    policy = a_policy({"Violence": {"block": 90}})

    assert _ways(policy, {"Violence": 95}) == {
        Status.APPROVED: ["Violence: block above 95 (now 90)"],
        Status.REVIEW: ["Violence: block above 95 (now 90)", "Violence: review at 95 or below (there is none now)"],
    }


def test_an_approved_image_is_flagged_by_any_one_lower_threshold() -> None:
    policy = a_policy({"Violence": {"review": 70}}, default={"block": 90})

    assert _ways(policy, {"Violence": 60, "Gambling": 80}) == {
        Status.REVIEW: [
            "Violence: review at 60 or below (now 70)",
            "default: review at 80 or below (there is none now)",
        ],
        Status.BLOCKED: [
            "default: block at 80 or below (now 90)",
            "Violence: block at 60 or below and no review (there is none now)",
        ],
    }
    assert all(way.any_of for way in explain(an_analysis({"Violence": 60}), policy).alternatives)


@pytest.mark.parametrize(("review", "stays"), [(59.9, True), (60, False), (70, False)])
def test_a_lower_block_takes_a_review_that_could_never_fire_along(review: float, stays: bool) -> None:
    policy = a_policy({"Violence": {"review": review, "block": 90}})
    analysis = an_analysis({"Violence": 60})

    (change,) = explain(analysis, policy).alternatives[-1].changes
    changed = apply_changes(policy, analysis, change).rules["Violence"].thresholds

    assert change.drops_review is not stays
    assert (changed.review, changed.block) == (review if stays else None, 60)


def test_of_many_thresholds_the_nearest_are_told() -> None:
    rules = {name: {"review": 90} for name in ("Violence", "Alcohol", "Gambling", "Hate Symbols", "Rude Gestures")}
    confidences = {"Violence": 10, "Alcohol": 50, "Gambling": 30, "Hate Symbols": 40, "Rude Gestures": 20}

    assert MAX_OPTIONS == 3
    assert _ways(a_policy(rules), confidences)[Status.REVIEW] == [
        "Alcohol: review at 50 or below (now 90)",
        "Hate Symbols: review at 40 or below (now 90)",
        "Gambling: review at 30 or below (now 90)",
    ]


def test_one_rule_is_one_option_at_its_surest_label() -> None:
    policy = a_policy({}, default={"review": 90})

    assert _ways(policy, {"Violence": 10, "Alcohol": 50, "Gambling": 30})[Status.REVIEW] == [
        "default: review at 50 or below (now 90)"
    ]


def test_every_rule_that_fired_has_to_give_way() -> None:
    policy = a_policy({"Violence": {"review": 50}, "Alcohol": {"block": 50}}, default={"review": 60})

    assert _ways(policy, {"Violence": 60, "Alcohol": 70, "Gambling": 65, "Rude Gestures": 80})[Status.APPROVED] == [
        "default: review above 80 (now 60)",
        "Alcohol: block above 70 (now 50)",
        "Violence: review above 60 (now 50)",
    ]


def test_a_rule_gives_way_to_the_surest_of_its_labels_and_remembers_where_it_stood() -> None:
    policy = a_policy({"Violence": {"review": 50}})

    assert _ways(policy, {"Violence": 80, "Weapons": 79.5})[Status.APPROVED] == ["Violence: review above 80 (now 50)"]


def test_a_raised_rule_of_a_child_may_let_its_parent_speak() -> None:
    """Weapons alone is a reason, at 79.5. Once it passes, the 80 of Violence is evidence that nobody allows."""
    policy = a_policy({"Violence": {"review": 50}, "Weapons": {"review": 50}})

    assert _ways(policy, {"Violence": 80, "Weapons": 79.5})[Status.APPROVED] == [
        "Weapons: review above 79.5 (now 50)",
        "Violence: review above 80 (now 50)",
    ]


def test_a_threshold_above_full_confidence_is_none() -> None:
    policy = a_policy({"Violence": {"block": 90}})
    analysis = an_analysis({"Violence": 100})

    (approved, _) = explain(analysis, policy).alternatives

    assert [str(change) for change in approved.changes] == ["Violence: no block (now 90)"]
    changed = apply_changes(policy, analysis, *approved.changes)
    assert changed.rules["Violence"].thresholds.block is None


def test_a_refinement_that_holds_is_what_would_have_to_change() -> None:
    policy = a_policy({"Violence": REFINED})

    assert _ways(policy, {"Violence": 85}, DRAWN) == {
        Status.APPROVED: ["Violence (where Illustrated): review above 85 (now 60)"],
        Status.BLOCKED: ["Violence (where Illustrated): block at 85 or below (there is none now)"],
    }
    assert _ways(policy, {"Violence": 85})[Status.REVIEW] == ["Violence: block above 85 (now 80)"]


def test_a_change_of_a_refinement_leaves_the_rule_and_the_other_refinements_alone() -> None:
    when = [
        {"content_types": {"Animated": 70}, "then": {"review": 10}},
        {"content_types": {"Illustrated": 70}, "then": {"review": 60}},
        {"content_types": {"Cartoon": 70}, "then": {"review": 20}},
    ]
    policy = a_policy({"Violence": {"block": 80, "when": when}, "Alcohol": {"review": 5}})
    change = RuleChange("Violence", "Illustrated", "review", 60.0, at_most=40.0)
    analysis = an_analysis(content_types=content_types({"Illustrated": 70.0, "Cartoon": 90.0}))

    changed = apply_changes(policy, analysis, change).to_document()["rules"]

    expected = a_policy(
        {
            "Violence": {"block": 80, "when": [when[0], {**when[1], "then": {"review": 40}}, when[2]]},
            "Alcohol": {"review": 5},
        }
    )
    assert changed == expected.to_document()["rules"]


def test_a_change_of_the_default_leaves_the_rules_alone() -> None:
    policy = a_policy({"Violence": {"review": 50}}, default={"review": 60, "block": 90})

    changed = apply_changes(policy, an_analysis(), RuleChange("default", None, "block", 90.0, at_most=70.0))

    assert changed.to_document()["default"] == {"review": 60.0, "block": 70.0}
    assert changed.rules == policy.rules


def test_a_change_of_a_rule_takes_it_just_above_the_label() -> None:
    policy = a_policy({"Violence": {"review": 50}}, default="allow")
    change = RuleChange("Violence", None, "review", 50.0, above=60.0)

    changed = apply_changes(policy, an_analysis(), change)

    assert changed.judge(an_analysis({"Violence": 60.0})).status is Status.APPROVED
    assert changed.judge(an_analysis({"Violence": 60.000001})).status is Status.REVIEW


def test_a_content_type_returned_twice_is_read_as_the_engine_reads_it() -> None:
    policy = a_policy({"Violence": REFINED})
    analysis = an_analysis(
        {"Violence": 85}, content_types=(ContentType("Illustrated", 90.0), ContentType("Illustrated", 10.0))
    )

    (approved, _) = explain(analysis, policy).alternatives

    assert apply_changes(policy, analysis, *approved.changes).judge(analysis).status is Status.APPROVED


@pytest.mark.parametrize("confidence", [40.0, 60.0])
def test_no_policy_can_change_the_rule_for_unknown_labels(confidence: float) -> None:
    analysis = Analysis((Label("Strange", "", confidence),))

    assert all(way.changes == () for way in explain(analysis, a_policy()).alternatives)


def test_beside_an_unknown_label_other_rules_can_still_be_stricter() -> None:
    analysis = Analysis((Label("Strange", "", 60.0), Label("Violence", "", 55.0)))

    approved, blocked = explain(analysis, a_policy()).alternatives

    assert approved == Alternative(Status.APPROVED, ())
    assert [str(change) for change in blocked.changes] == ["Violence: block at 55 or below (now 90)"]


def test_a_blocked_image_with_an_unknown_label_can_become_one_for_review_only() -> None:
    analysis = Analysis((Label("Strange", "", 60.0), Label("Violence", "", 95.0)))

    approved, review = explain(analysis, a_policy({"Violence": {"block": 90}})).alternatives

    assert approved.changes == ()
    assert [str(change) for change in review.changes] == ["Violence: block above 95 (now 90)"]


def test_no_policy_flags_an_image_without_labels() -> None:
    alternatives = explain(Analysis(), a_policy()).alternatives

    assert [(way.status, way.changes) for way in alternatives] == [(Status.REVIEW, ()), (Status.BLOCKED, ())]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"at_most": 92.5}, "Violence: block at 92.5 or below (now 95.5)"),
        ({"at_most": 0.0}, "Violence: block at 0 or below (now 95.5)"),
        ({"at_most": 60.0, "drops_review": True}, "Violence: block at 60 or below and no review (now 95.5)"),
        ({"above": 99.9}, "Violence: block above 99.9 (now 95.5)"),
        ({"above": 0.0}, "Violence: block above 0 (now 95.5)"),
        ({"above": 100.0}, "Violence: no block (now 95.5)"),
        ({"at_most": 60.0, "now": 0.0}, "Violence: block at 60 or below (now 0)"),
        ({"at_most": 60.0, "content_type": "Animated"}, "Violence (where Animated): block at 60 or below (now 95.5)"),
        ({"above": 100.0, "content_type": "Animated"}, "Violence (where Animated): no block (now 95.5)"),
        ({"above": 60.0, "content_type": "Animated"}, "Violence (where Animated): block above 60 (now 95.5)"),
    ],
)
def test_a_change_reads_like_a_sentence(change: dict[str, Any], sentence: str) -> None:
    fields: dict[str, Any] = {"rule": "Violence", "content_type": None, "key": "block", "now": 95.5}

    assert str(RuleChange(**fields | change)) == sentence
