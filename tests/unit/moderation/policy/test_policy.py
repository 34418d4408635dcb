import hashlib
from collections.abc import Mapping
from typing import Any

import pytest

from gatehouse.moderation.analysis import Analysis, ContentType, Label
from gatehouse.moderation.policy.judging import Judgment
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.rule import Outcome, Thresholds
from gatehouse.moderation.reason import PolicyReference, Reason
from gatehouse.moderation.status import Status
from tests.unit.builders import a_policy, an_analysis, content_types

#: Gore is blocked from 80, but where the image is a drawing a person looks, from 90.
GORE: Mapping[str, Any] = {
    "Blood & Gore": {
        "block": 80,
        "when": [{"content_types": {"Illustrated": 70, "Animated": 70}, "then": {"review": 90}}],
    }
}


def _status(policy: Policy, confidences: Mapping[str, float], kinds: Mapping[str, float] | None = None) -> Status:
    return policy.judge(an_analysis(confidences, content_types=content_types(kinds or {}))).status


def test_an_image_without_labels_is_approved() -> None:
    assert a_policy().judge(Analysis()).status is Status.APPROVED


def test_an_allowed_label_takes_its_concept_out_parents_and_all() -> None:
    policy = a_policy({"Violence": {"block": 50}, "Weapon Violence": "allow"})

    assert _status(policy, {"Violence": 95, "Graphic Violence": 95, "Weapon Violence": 95}) is Status.APPROVED


def test_an_allowed_label_does_not_excuse_stronger_evidence_beside_it() -> None:
    policy = a_policy({"Violence": {"block": 50}, "Weapon Violence": "allow"})

    assert _status(policy, {"Violence": 95, "Graphic Violence": 95, "Weapon Violence": 60}) is Status.BLOCKED


@pytest.mark.parametrize(("parent", "status"), [(81.0, Status.APPROVED), (81.000001, Status.BLOCKED)])
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


@pytest.mark.parametrize("order", [("Weapons", "Graphic Violence"), ("Graphic Violence", "Weapons")])
def test_equally_sure_children_count_by_the_stricter_one(order: tuple[str, ...]) -> None:
    policy = a_policy({"Violence": {"block": 50}, "Weapons": "allow", "Graphic Violence": {"review": 50}})

    judgment = policy.judge(an_analysis({"Violence": 90.5, **dict.fromkeys(order, 90.0)}))

    assert judgment.reasons == (Reason("Graphic Violence", "Graphic Violence", 90, "review", 50.0),)


@pytest.mark.parametrize("order", [("Weapons", "Graphic Violence"), ("Graphic Violence", "Weapons")])
def test_of_equally_sure_children_the_order_never_matters(order: tuple[str, ...]) -> None:
    policy = a_policy({"Violence": {"block": 50}, "Weapons": {"review": 90.2}, "Graphic Violence": {"review": 90.3}})
    analysis = an_analysis({"Violence": 90.5, **dict.fromkeys(order, 90.0)})

    assert policy.judge(analysis).reasons == (Reason("Graphic Violence", "Violence", 90.5, "review", 90.3),)
    assert [label.name for label in policy.weigh(analysis)[0].explained_by] == ["Graphic Violence", "Weapons"]


@pytest.mark.parametrize("first", ["Weapons", "Graphic Violence"])
def test_one_surer_chain_does_not_answer_for_a_less_sure_one_beside_it(first: str) -> None:
    """Self-Harm is too unsure for its own rule, but not at the confidence of Violence, which no one else explains."""
    rules = {"Violence": {"block": 50}, "Weapons": "allow", "Graphic Violence": "allow", "Self-Harm": {"block": 80}}
    confidences = {first: 80.0, "Violence": 80.0, "Weapons": 80.0, "Graphic Violence": 80.0, "Self-Harm": 79.5}

    judgment = a_policy(rules).judge(an_analysis(confidences))

    assert judgment.reasons == (Reason("Violence", "Violence", 80, "block", 50.0),)


def test_a_chain_ends_with_every_one_of_its_equally_sure_labels() -> None:
    """Graphic Violence stands for two labels at once, and so does what it explains."""
    policy = a_policy({"Violence": {"block": 50}, "Self-Harm": "allow", "Blood & Gore": {"review": 50}})
    analysis = an_analysis({"Violence": 91, "Graphic Violence": 90.5, "Self-Harm": 90, "Blood & Gore": 90})

    explained_by = {weight.label.name: {end.name for end in weight.explained_by} for weight in policy.weigh(analysis)}

    assert policy.judge(analysis).status is Status.REVIEW
    assert explained_by["Violence"] == explained_by["Graphic Violence"] == {"Self-Harm", "Blood & Gore"}


def test_a_chain_may_lose_a_point_at_every_step() -> None:
    policy = a_policy({"Violence": {"block": 50}, "Weapon Violence": "allow"})

    assert _status(policy, {"Violence": 82, "Graphic Violence": 81, "Weapon Violence": 80}) is Status.APPROVED


def test_a_broken_chain_explains_only_what_is_above_the_break() -> None:
    policy = a_policy({"Violence": "allow", "Graphic Violence": {"block": 50}, "Weapon Violence": "allow"})
    analysis = an_analysis({"Violence": 95, "Graphic Violence": 95, "Weapon Violence": 60})

    explained_by = {weight.label.name: [end.name for end in weight.explained_by] for weight in policy.weigh(analysis)}

    assert explained_by == {"Violence": ["Graphic Violence"], "Graphic Violence": [], "Weapon Violence": []}


@pytest.mark.parametrize(("child", "status"), [("allow", Status.APPROVED), ({"review": 79.8}, Status.REVIEW)])
def test_an_explained_label_is_judged_at_its_own_confidence(child: Any, status: Status) -> None:
    """Weapons are too unsure for their own rule; the 80 that Rekognition gave their parent is sure enough for it."""
    policy = a_policy({"Violence": {"block": 80}, "Weapons": child})

    assert _status(policy, {"Violence": 80, "Weapons": 79.5}) is status


def test_an_explained_label_keeps_its_own_rule_where_that_is_milder() -> None:
    policy = a_policy({"Violence": "allow", "Weapons": {"block": 80}})

    assert _status(policy, {"Violence": 80, "Weapons": 79.5}) is Status.APPROVED


def test_where_nothing_lies_between_them_only_the_child_is_a_reason() -> None:
    judgment = a_policy({"Violence": {"block": 50}}).judge(an_analysis({"Violence": 80, "Weapons": 79.5}))

    assert [reason.label for reason in judgment.reasons] == ["Weapons"]


def test_where_the_parent_alone_reaches_the_threshold_it_is_a_reason() -> None:
    policy = a_policy({"Violence": {"review": 50, "block": 80}})

    judgment = policy.judge(an_analysis({"Violence": 80, "Weapons": 79.5}))

    assert judgment.reasons == (
        Reason("Violence", "Violence", 80, "block", 80.0),
        Reason("Violence", "Weapons", 79.5, "review", 50.0),
    )


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

    judgment = policy.judge(Analysis((Label("Strange", parent, confidence),)))

    assert judgment.status is status
    assert judgment.unknown_labels == ("Strange",)


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

    judgment = policy.judge(an_analysis({"Gambling": 99, "Weapons": 95, "Alcohol": 10, "Rude Gestures": 70}))

    assert judgment.reasons == (
        Reason("Violence", "Weapons", 95, "block", 90.0),
        Reason("default", "Gambling", 99, "review", 60.0),
        Reason("default", "Rude Gestures", 70, "review", 60.0),
    )


def test_of_equal_confidences_the_reasons_come_by_name() -> None:
    judgment = a_policy({}).judge(an_analysis({"Weapons": 70, "Gambling": 70}))

    assert [reason.label for reason in judgment.reasons] == ["Gambling", "Weapons"]


def test_an_unknown_label_names_its_rule() -> None:
    (reason,) = a_policy().judge(Analysis((Label("Strange", "", 70.0),))).reasons

    assert reason.rule == "unknown label"


def test_an_answer_that_contradicts_itself_twice_over_still_has_one_reading() -> None:
    both = (Label("Strange", "Violence", 60.0), Label("Strange", "", 60.0))

    assert a_policy({"Violence": {"block": 50}}).judge(Analysis(both)).status is Status.REVIEW


def test_an_unknown_child_explains_its_known_parent() -> None:
    policy = a_policy({"Violence": {"block": 50}})
    weights = policy.weigh(Analysis((Label("Violence", "", 80.0), Label("Strange", "Violence", 80.0))))

    assert [(weight.label.name, weight.rule, weight.counts) for weight in weights] == [
        ("Strange", "Violence", True),
        ("Violence", "Violence", False),
    ]


def test_an_unknown_label_is_told_once_in_order() -> None:
    found = (
        Label("Stranger", "", 10.0),
        Label("Strange", "", 10.0),
        Label("Strange", "", 9.0),
        Label("Alcohol", "", 9.0),
    )

    assert a_policy().judge(Analysis(found)).unknown_labels == ("Strange", "Stranger")


@pytest.mark.parametrize(
    ("kinds", "status"),
    [
        ({}, Status.BLOCKED),
        ({"Illustrated": 69.9}, Status.BLOCKED),
        ({"Illustrated": 69.9, "Animated": 69.9}, Status.BLOCKED),
        ({"Cartoon": 99}, Status.BLOCKED),
        ({"illustrated": 99}, Status.BLOCKED),
        ({"Illustrated": 70}, Status.REVIEW),
        ({"Animated": 70}, Status.REVIEW),
        ({"Illustrated": 10, "Animated": 70}, Status.REVIEW),
    ],
)
def test_a_rule_is_refined_where_one_content_type_reaches_its_confidence(
    kinds: dict[str, float], status: Status
) -> None:
    assert _status(a_policy(GORE), {"Blood & Gore": 95}, kinds) is status


def test_a_refinement_replaces_the_thresholds_whole() -> None:
    assert _status(a_policy(GORE), {"Blood & Gore": 89.9}, {"Illustrated": 70}) is Status.APPROVED


def test_of_two_refinements_the_first_that_holds_counts() -> None:
    when = [
        {"content_types": {"Animated": 90}, "then": "allow"},
        {"content_types": {"Illustrated": 50}, "then": {"review": 50}},
    ]
    policy = a_policy({"Violence": {"block": 50, "when": when}})

    assert _status(policy, {"Violence": 95}, {"Animated": 90, "Illustrated": 90}) is Status.APPROVED
    assert _status(policy, {"Violence": 95}, {"Animated": 89, "Illustrated": 90}) is Status.REVIEW


def test_an_allowed_label_may_be_looked_at_in_drawings_only() -> None:
    policy = a_policy(
        {"Violence": {"allow": True, "when": [{"content_types": {"Animated": 70}, "then": {"block": 60}}]}}
    )

    assert _status(policy, {"Violence": 95}) is Status.APPROVED
    assert _status(policy, {"Violence": 95}, {"Animated": 70}) is Status.BLOCKED


def test_a_refinement_goes_with_its_rule_and_not_with_a_nearer_one() -> None:
    when = [{"content_types": {"Illustrated": 70}, "then": "allow"}]
    policy = a_policy({"Violence": {"block": 50, "when": when}, "Weapons": {"block": 50}})

    assert _status(policy, {"Graphic Violence": 95}, {"Illustrated": 70}) is Status.APPROVED
    assert _status(policy, {"Weapons": 95}, {"Illustrated": 70}) is Status.BLOCKED


def test_the_default_may_be_refined_too() -> None:
    default = {"block": 50, "when": [{"content_types": {"Illustrated": 70}, "then": "allow"}]}

    assert _status(a_policy({}, default), {"Gambling": 95}, {"Illustrated": 70}) is Status.APPROVED
    assert _status(a_policy({}, default), {"Gambling": 95}) is Status.BLOCKED


def test_an_unknown_label_is_refined_by_nothing() -> None:
    default = {"block": 50, "when": [{"content_types": {"Illustrated": 0}, "then": "allow"}]}
    analysis = Analysis((Label("Strange", "", 50.0),), content_types({"Illustrated": 99}))

    assert a_policy({}, default).judge(analysis).status is Status.REVIEW


def test_a_content_type_returned_twice_counts_at_its_highest_confidence() -> None:
    twice = (ContentType("Illustrated", 80.0), ContentType("Illustrated", 20.0))

    for kinds in (twice, twice[::-1]):
        assert a_policy(GORE).judge(an_analysis({"Blood & Gore": 95}, content_types=kinds)).status is Status.REVIEW


def test_a_reason_names_the_content_type_that_chose_the_threshold() -> None:
    analysis = an_analysis({"Blood & Gore": 95, "Gambling": 80}, content_types=content_types({"Illustrated": 90}))

    assert a_policy(GORE).judge(analysis).reasons == (
        Reason("Blood & Gore", "Blood & Gore", 95, "review", 90.0, "Illustrated"),
        Reason("default", "Gambling", 80, "review", 60.0),
    )


@pytest.mark.parametrize("kinds", [{"Illustrated": 99, "Animated": 70}, {"Animated": 70, "Illustrated": 99}])
def test_of_two_content_types_that_reach_it_the_first_by_name_is_the_reason(kinds: dict[str, float]) -> None:
    """However the file orders them: the order is no part of the hash."""
    analysis = an_analysis({"Blood & Gore": 95}, content_types=content_types(kinds))

    assert a_policy(GORE).judge(analysis).reasons[0].content_type == "Animated"


def test_blocks_come_before_reviews_and_surer_labels_before_less_sure_ones() -> None:
    policy = a_policy({"Alcohol": {"block": 10}, "Hate Symbols": {"block": 10}}, default={"review": 10})

    judgment = policy.judge(an_analysis({"Gambling": 99, "Alcohol": 20, "Hate Symbols": 30, "Rude Gestures": 15}))

    assert [reason.label for reason in judgment.reasons] == ["Hate Symbols", "Alcohol", "Gambling", "Rude Gestures"]
    assert judgment.status is Status.BLOCKED


def test_weights_tell_every_label_by_confidence_then_name() -> None:
    policy = a_policy({"Alcohol": "allow", "Violence": {"review": 50, "block": 90}})
    weights = policy.weigh(an_analysis({"Weapons": 60, "Violence": 60, "Alcohol": 99, "Gambling": 20}))

    assert [weight.label.name for weight in weights] == ["Alcohol", "Violence", "Weapons", "Gambling"]
    alcohol, violence, weapons, gambling = weights
    assert (alcohol.rule, alcohol.outcome, alcohol.threshold, alcohol.counts) == ("Alcohol", Outcome.ALLOW, None, False)
    assert (weapons.rule, weapons.outcome, weapons.threshold, weapons.counts) == (
        "Violence",
        Outcome.REVIEW,
        50.0,
        True,
    )
    assert (violence.explained_by, violence.outcome, violence.counts) == ((weapons.label,), Outcome.REVIEW, False)
    assert (gambling.rule, gambling.thresholds, gambling.explained_by) == ("default", Thresholds(review=60.0), ())


def test_an_answer_without_labels_has_no_weights() -> None:
    assert a_policy().weigh(Analysis()) == ()
    assert a_policy().judge(Analysis()) == Judgment(Status.APPROVED)


@pytest.mark.parametrize(
    ("rules", "default", "lowest"),
    [
        ({}, "allow", 50.0),  # an unknown label is reviewed from there
        ({}, {"review": 20}, 20.0),
        ({}, {"block": 20}, 20.0),
        ({"Violence": {"review": 10, "block": 20}}, {"review": 30}, 10.0),
        (
            {"Violence": {"block": 20, "when": [{"content_types": {"Animated": 0}, "then": {"review": 5}}]}},
            "allow",
            5.0,
        ),
    ],
)
def test_the_lowest_threshold_is_where_anything_begins_to_matter(rules: Any, default: Any, lowest: float) -> None:
    assert a_policy(rules, default).lowest_threshold == lowest


@pytest.mark.parametrize(
    ("rules", "default", "min_confidence", "worst"),
    [
        ({"Violence": {"review": 30, "block": 60}}, "allow", 30.0, Outcome.ALLOW),
        ({"Violence": {"review": 30, "block": 60}}, "allow", 30.1, Outcome.REVIEW),
        ({"Violence": {"review": 30, "block": 60}}, "allow", 60.0, Outcome.REVIEW),
        ({"Violence": {"review": 30, "block": 60}}, "allow", 60.1, Outcome.BLOCK),
        ({"Violence": {"block": 20}}, "allow", 30.0, Outcome.BLOCK),
        ({}, "allow", 50.0, Outcome.ALLOW),
        ({}, "allow", 50.1, Outcome.REVIEW),  # an unknown label
        ({}, {"block": 20}, 30.0, Outcome.BLOCK),
        (
            {"Violence": {"allow": True, "when": [{"content_types": {"Animated": 0}, "then": {"block": 20}}]}},
            "allow",
            30.0,
            Outcome.BLOCK,
        ),
    ],
)
def test_what_was_not_asked_for_could_have_been_that_bad(
    rules: Any, default: Any, min_confidence: float, worst: Outcome
) -> None:
    assert a_policy(rules, default).unseen(min_confidence) is worst


def test_a_default_that_no_label_falls_back_to_leads_to_nothing_unseen() -> None:
    categories = ("Explicit", "Non-Explicit Nudity of Intimate parts and Kissing", "Swimwear or Underwear", "Violence")
    others = ("Visually Disturbing", "Drugs & Tobacco", "Alcohol", "Rude Gestures", "Gambling", "Hate Symbols")
    policy = a_policy(dict.fromkeys((*categories, *others), "allow"), {"block": 1})

    assert policy.unseen(30.0) is Outcome.ALLOW


def test_verdicts_carry_a_policys_name_version_and_hash() -> None:
    policy = a_policy()

    assert policy.reference == PolicyReference("test", "1", policy.hash)


def test_the_hash_tells_policies_apart() -> None:
    assert a_policy({"Violence": {"review": 50}}).hash != a_policy({"Violence": {"review": 51}}).hash
    assert (
        a_policy({"Violence": "allow", "Alcohol": "allow"}).hash
        == a_policy({"Alcohol": "allow", "Violence": "allow"}).hash
    )
    assert len(a_policy().hash) == 64


def test_the_hash_takes_in_all_a_policy_says() -> None:
    document = a_policy(GORE).to_document()
    gore = document["rules"]["Blood & Gore"]
    changes: list[dict[str, Any]] = [
        {"name": "other"},
        {"version": "2"},
        {"description": "other"},
        {"default": {"review": 61}},
        {"rules": {}},
        {"rules": {"Blood & Gore": {**gore, "when": [{**gore["when"][0], "then": {"review": 91}}]}}},
        {"rules": {"Blood & Gore": {**gore, "when": [{**gore["when"][0], "content_types": {"Animated": 70}}]}}},
    ]

    hashes = {Policy.from_document({**document, **change}).hash for change in ({}, *changes)}

    assert len(hashes) == len(changes) + 1


def test_numbers_that_are_equal_hash_alike() -> None:
    assert len({a_policy({}, {"review": zero}).hash for zero in (0, 0.0, -0.0)}) == 1
    assert a_policy({}, {"review": 60}).hash == a_policy({}, {"review": 60.0}).hash


def test_the_order_of_a_refinements_content_types_is_no_part_of_it() -> None:
    (refinement,) = GORE["Blood & Gore"]["when"]
    turned = {**refinement, "content_types": dict(reversed(refinement["content_types"].items()))}

    assert (
        a_policy({"Violence": {"block": 80, "when": [turned]}}).hash
        == a_policy({"Violence": {"block": 80, "when": [refinement]}}).hash
    )


def test_the_order_of_refinements_is_part_of_a_policy() -> None:
    when = [
        {"content_types": {"Animated": 90}, "then": "allow"},
        {"content_types": {"Illustrated": 50}, "then": {"review": 50}},
    ]

    assert a_policy({"Violence": {"block": 80, "when": when}}) != a_policy(
        {"Violence": {"block": 80, "when": when[::-1]}}
    )


def test_the_stored_text_is_compact_and_sorted() -> None:
    policy = Policy.from_document(
        {"version": "1", "name": "p", "rules": {"Violence": "allow"}, "default": {"block": 80}}
    )

    assert policy.to_text() == (
        '{"default":{"block":80.0},"description":"","name":"p","rules":{"Violence":"allow"},'
        '"schema":"gatehouse.policy/1","version":"1"}'
    )
    assert policy.hash == hashlib.sha256(policy.to_text().encode()).hexdigest()
