"""Thresholds that decisions suggest: what is counted is what the changed policy would really do."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gatehouse.moderation.analysis import ContentType
from gatehouse.moderation.decision import Decision, acted, decide
from gatehouse.moderation.opinion import Opinion, opinion_on
from gatehouse.moderation.person import Person
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.threshold_advice import MIN_CHANGED, ThresholdAdvice, with_threshold
from gatehouse.moderation.status import JUDGED, Status
from tests.unit.builders import a_policy, a_verdict, an_analysis

APPROVED, REVIEW, BLOCKED = Status.APPROVED, Status.REVIEW, Status.BLOCKED
_DECIDED = acted(a_verdict(REVIEW), decide(BLOCKED, Person("ada"), Decision("spam", None), "2026-11-22T13:00:00.000Z"))


def opinion(labels: Mapping[str, float], persons: Status, *, is_sample: bool = False, kinds: Any = ()) -> Opinion:
    one = opinion_on(_DECIDED)
    assert one is not None
    analysis = replace(an_analysis(labels), content_types=tuple(ContentType(*kind) for kind in kinds))
    return replace(one, persons=persons, is_sample=is_sample, analysis=analysis)


def advice(policy: Policy, opinions: Sequence[Opinion], lowest: float = 0) -> ThresholdAdvice:
    collected = ThresholdAdvice(policy, lowest)
    for one in opinions:
        collected.add(one)
    return collected


def test_a_threshold_that_people_overrule_is_suggested_to_be_raised() -> None:
    approved = [opinion({"Violence": 55 + n % 10}, APPROVED) for n in range(40)]
    blocked = [opinion({"Violence": 75 + n % 10}, BLOCKED) for n in range(40)]

    (review, block) = sorted(advice(a_policy(), approved + blocked).suggestions(), key=lambda one: -len(one.place.key))

    assert (review.place.rule, review.place.key, review.place.now) == ("Violence", "review", 50)
    assert (review.value, review.right, review.wrong, review.wrongly_approved) == (65, 40, 0, 0)
    assert (block.place.key, block.value, block.right, block.wrong) == ("block", 75, 40, 0)


def test_few_decisions_or_undecided_ones_suggest_nothing() -> None:
    few = [opinion({"Violence": 55}, APPROVED)] * (MIN_CHANGED - 1)
    halves = [opinion({"Violence": 55}, status) for status in (APPROVED, BLOCKED)] * 50

    assert advice(a_policy(), few).suggestions() == []
    # To block all of these would be as often right as wrong.
    assert advice(a_policy(), halves).suggestions() == []


def test_nothing_is_suggested_below_what_rekognition_was_asked_for() -> None:
    missed = [opinion({"Violence": 40}, BLOCKED, is_sample=True)] * 40

    values = {one.place.key: one.value for one in advice(a_policy(), missed).suggestions()}
    assert values == {"review": 40}  # blocking from 40 would leave no review below it
    assert advice(a_policy(), missed, lowest=45).suggestions() == []


def test_what_would_be_approved_though_people_blocked_it_is_said() -> None:
    mixed = [opinion({"Violence": 55}, APPROVED)] * 40 + [opinion({"Violence": 55}, BLOCKED)] * 5

    (suggestion,) = advice(a_policy(), mixed).suggestions()

    assert (suggestion.right, suggestion.wrong, suggestion.wrongly_approved) == (40, 5, 5)


def test_a_refinement_is_a_threshold_of_its_own() -> None:
    when = [{"content_types": {"Animated": 80}, "then": {"review": 70}}]
    policy = a_policy({"Violence": {"review": 50, "block": 90, "when": when}})
    drawn = [opinion({"Violence": 75}, APPROVED, kinds=[("Animated", 95)])] * 20

    (suggestion,) = advice(policy, drawn).suggestions()

    assert (suggestion.place.content_type, suggestion.place.now) == ("Animated", 70)
    assert suggestion.value == 76


_LABELS = st.dictionaries(
    st.sampled_from(["Violence", "Weapons", "Graphic Violence", "Alcohol", "Alcoholic Beverages", "Gambling"]),
    st.floats(20, 100).map(lambda number: round(number, 1)),
    min_size=1,
    max_size=4,
)
_OPINIONS = st.lists(
    st.tuples(_LABELS, st.sampled_from([APPROVED, BLOCKED]), st.booleans()), min_size=1, max_size=8
).map(lambda found: [opinion(*one[:2], is_sample=one[2]) for one in found])


@given(opinions=_OPINIONS, value=st.integers(0, 101))
def test_what_is_counted_for_a_threshold_is_what_the_changed_policy_does(opinions: list[Opinion], value: int) -> None:
    policy = a_policy({"Violence": {"review": 50, "block": 90}, "Alcohol": "allow", "Weapons": {"block": 60}})
    collected = advice(policy, opinions)

    for place, counts in collected._places.items():
        changed = with_threshold(policy, place, None if value == 101 else float(value))
        expected = [0, 0, 0, 0]
        for one in opinions:
            assert one.analysis is not None
            now, then = policy.judge(one.analysis).status, changed.judge(one.analysis).status
            if now is then:
                continue
            nearer = _distance(then, one) < _distance(now, one)
            wrongly_approved = not nearer and then is APPROVED and one.persons is BLOCKED
            for n, counted in enumerate((nearer, not nearer, wrongly_approved, one.is_sample)):
                expected[n] += counted
        assert dict(counts.all())[value] == tuple(expected)


def _distance(status: Status, one: Opinion) -> int:
    return abs(JUDGED.index(status) - JUDGED.index(one.persons))


def test_the_memory_does_not_depend_on_the_uploads() -> None:
    collected = advice(a_policy(), [opinion({"Violence": 50 + n / 100}, APPROVED) for n in range(3000)])

    assert len(collected._places) == 2
