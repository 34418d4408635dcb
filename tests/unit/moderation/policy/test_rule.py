import pytest

from gatehouse.moderation.policy.rule import CONTENT_TYPES, Outcome, Refinement, Rule, Thresholds

DRAWN = Refinement({"Animated": 70.0, "Illustrated": 60.0}, Thresholds(review=90.0))
CARTOON = Refinement({"Cartoon": 50.0}, Thresholds())


def test_outcomes_grow_worse_from_allow_to_block() -> None:
    assert [outcome.severity for outcome in (Outcome.ALLOW, Outcome.REVIEW, Outcome.BLOCK)] == [0, 1, 2]


def test_the_guide_names_two_content_types() -> None:
    assert CONTENT_TYPES == ("Animated", "Illustrated")


@pytest.mark.parametrize(
    ("thresholds", "confidence", "outcome", "reached"),
    [
        (Thresholds(), 100.0, Outcome.ALLOW, None),
        (Thresholds(review=50.0, block=80.0), 49.9, Outcome.ALLOW, None),
        (Thresholds(review=50.0, block=80.0), 50.0, Outcome.REVIEW, 50.0),
        (Thresholds(review=50.0, block=80.0), 79.9, Outcome.REVIEW, 50.0),
        (Thresholds(review=50.0, block=80.0), 80.0, Outcome.BLOCK, 80.0),
        (Thresholds(review=0.0), 0.0, Outcome.REVIEW, 0.0),
        (Thresholds(block=0.0), 0.0, Outcome.BLOCK, 0.0),
        (Thresholds(block=80.0), 79.9, Outcome.ALLOW, None),
        (Thresholds(review=50.0), 100.0, Outcome.REVIEW, 50.0),
    ],
)
def test_a_threshold_is_reached_when_equal(
    thresholds: Thresholds, confidence: float, outcome: Outcome, reached: float | None
) -> None:
    severity = thresholds.severity(confidence)

    assert severity == outcome.severity
    assert thresholds.reached(severity) == reached


@pytest.mark.parametrize(
    ("thresholds", "lowest"),
    [
        (Thresholds(), None),
        (Thresholds(review=0.0, block=80.0), 0.0),
        (Thresholds(review=50.0), 50.0),
        (Thresholds(block=80.0), 80.0),
    ],
)
def test_the_lowest_threshold_is_where_it_begins_to_matter(thresholds: Thresholds, lowest: float | None) -> None:
    assert thresholds.lowest == lowest


@pytest.mark.parametrize(
    ("found", "reached_by"),
    [
        ({}, None),
        ({"Animated": 69.9}, None),
        ({"Animated": 70.0}, "Animated"),
        ({"Illustrated": 60.0}, "Illustrated"),
        ({"Animated": 69.9, "Illustrated": 60.0}, "Illustrated"),
        ({"Illustrated": 99.0, "Animated": 70.0}, "Animated"),
        ({"Cartoon": 99.0}, None),
    ],
)
def test_a_refinement_is_reached_by_the_first_content_type_that_is_sure_enough(
    found: dict[str, float], reached_by: str | None
) -> None:
    assert DRAWN.reached_by(found) == reached_by


def test_a_content_type_that_was_not_returned_reaches_nothing_even_from_zero() -> None:
    refinement = Refinement({"Animated": 0.0}, Thresholds())

    assert refinement.reached_by({}) is None
    assert refinement.reached_by({"Animated": 0.0}) == "Animated"


@pytest.mark.parametrize(
    ("found", "thresholds", "content_type"),
    [
        ({}, Thresholds(block=80.0), None),
        ({"Illustrated": 60.0}, DRAWN.then, "Illustrated"),
        ({"Cartoon": 50.0}, CARTOON.then, "Cartoon"),
        ({"Cartoon": 50.0, "Illustrated": 60.0}, DRAWN.then, "Illustrated"),
        ({"Cartoon": 50.0, "Illustrated": 59.9}, CARTOON.then, "Cartoon"),
    ],
)
def test_the_first_refinement_that_is_reached_replaces_the_thresholds(
    found: dict[str, float], thresholds: Thresholds, content_type: str | None
) -> None:
    rule = Rule("Violence", Thresholds(block=80.0), (DRAWN, CARTOON))

    assert rule.thresholds_for(found) == (thresholds, content_type)


def test_the_alternatives_are_all_that_may_hold() -> None:
    rule = Rule("Violence", Thresholds(block=80.0), (DRAWN, CARTOON))

    assert rule.alternatives == (Thresholds(block=80.0), DRAWN.then, CARTOON.then)
    assert Rule("Violence").alternatives == (Thresholds(),)
