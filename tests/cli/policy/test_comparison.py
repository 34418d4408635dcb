from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from gatehouse.cli.policy.comparison import Agreement, Comparison
from gatehouse.moderation.claim import Claim
from gatehouse.moderation.decision import Decision, acted, decide, report
from gatehouse.moderation.lane import Lane
from gatehouse.moderation.person import Person
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.reason import PolicyReference
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import verdict_item
from tests.cli.conftest import STANDARD, STRICT, policy_of
from tests.cli.judged_uploads import a_judged
from tests.unit.builders import ADAPTER, a_claim, a_verdict, an_upload, item_of

OLD = policy_of(STANDARD)
#: Violence is nobody's concern any more, but Alcohol is, and Smoking is blocked.
NEW = policy_of(
    """\
name: standard
version: "2"
default: {review: 60}
rules:
  Violence: allow
  Alcohol: {review: 50}
  Smoking: {block: 70}
"""
)
LANE = Lane("default", policy="standard", policy_overrides=(("kids/", "strict"),), min_confidence=30.0)


def policy_name_for(lane: str, key: str) -> str | None:
    """Of a deployment whose only lane is the default one."""
    return LANE.policy_for(key) if lane == "default" else None


def compared(*held: Verdict | Claim, old: Policy = OLD, new: Policy = NEW, **fields: Any) -> Comparison:
    """What a comparison finds in these items."""
    comparison = Comparison(old, new, policy_name_for, **fields)
    for entry in held:
        comparison.add(item_of(entry))
    return comparison


def directions(comparison: Comparison) -> Mapping[str, int]:
    """How many flip in each direction."""
    return {f"{before} -> {after}": flips.count for (before, after), flips in comparison.directions()}


def test_flips_are_counted_by_direction_the_stricter_first() -> None:
    comparison = compared(
        a_judged("war.jpg", {"Violence": 95.0}, OLD),
        a_judged("fight.jpg", {"Violence": 60.0}, OLD),
        a_judged("row.jpg", {"Violence": 60.0}, OLD),
        a_judged("wine.jpg", {"Alcohol": 60.0}, OLD),
        a_judged("cigar.jpg", {"Smoking": 75.0}, OLD),
        a_judged("cat.jpg", {}, OLD),
    )

    assert list(directions(comparison).items()) == [
        ("APPROVED -> REVIEW", 1),
        ("REVIEW -> BLOCKED", 1),
        ("REVIEW -> APPROVED", 2),
        ("BLOCKED -> APPROVED", 1),
    ]
    assert (comparison.judged, comparison.unchanged) == (6, 1)


def test_the_label_that_makes_the_stricter_policy_strict_is_responsible() -> None:
    comparison = compared(
        a_judged("fight.jpg", {"Violence": 60.0, "Alcohol": 40.0}, OLD),
        a_judged("wine.jpg", {"Alcohol": 60.0, "Violence": 40.0}, OLD),
    )

    assert {after: dict(flips.labels) for (_, after), flips in comparison.directions()} == {
        Status.APPROVED: {"Violence": 1},
        Status.REVIEW: {"Alcohol": 1},
    }


def test_as_many_examples_are_kept_as_asked_for_in_alphabetical_order() -> None:
    verdicts = [a_judged(f"{letter}.jpg", {"Alcohol": 60.0}, OLD) for letter in "dbeca"]

    (_, flips), = compared(*verdicts, examples=2).directions()  # fmt: skip
    (_, reversed_flips), = compared(*reversed(verdicts), examples=2).directions()  # fmt: skip

    assert (flips.count, flips.examples) == (5, ["a.jpg", "b.jpg"])
    assert reversed_flips == flips


def test_only_uploads_that_the_old_policy_governs_count() -> None:
    comparison = compared(
        a_judged("kids/wine.jpg", {"Alcohol": 60.0}, OLD),
        a_judged("kids/cup.jpg", {"Alcohol": 60.0}, policy_of(STRICT)),
        a_judged("wine.jpg", {"Alcohol": 60.0}, policy_of(STRICT)),
        a_claim(an_upload("kids/new.jpg")),
    )

    assert (comparison.judged, comparison.without_labels.total()) == (1, 0)
    (flips,) = comparison.flips.values()
    assert flips.examples == ["wine.jpg"]


def test_uploads_of_a_lane_that_is_gone_keep_the_policy_that_judged_them() -> None:
    comparison = compared(
        a_judged("wine.jpg", {"Alcohol": 60.0}, OLD, claim={"lane": "archive"}),
        a_judged("beer.jpg", {"Alcohol": 60.0}, policy_of(STRICT), claim={"lane": "archive"}),
        a_claim(an_upload("new.jpg"), lane="archive"),
    )

    assert (comparison.judged, comparison.without_labels.total()) == (1, 0)


def test_uploads_are_compared_as_the_policies_see_them_whatever_was_decided() -> None:
    undecided = a_judged("wine.jpg", {"Alcohol": 60.0}, OLD)
    recorded = replace(undecided, status=Status.BLOCKED, policy=PolicyReference("standard", "0", "0" * 64))

    comparison = compared(recorded, a_judged("cigar.jpg", {"Smoking": 75.0}, NEW), a_judged("cat.jpg", {}, OLD))

    assert directions(comparison) == {"APPROVED -> REVIEW": 1, "REVIEW -> BLOCKED": 1}
    assert comparison.unlike_old == 2


def test_what_nobody_asked_rekognition_for_is_unknowable() -> None:
    comparison = compared(
        a_judged("clean.jpg", {}, OLD, min_confidence=55.0),
        a_judged("another.jpg", {}, OLD, min_confidence=60.0),
        a_judged("third.jpg", {}, OLD, min_confidence=60.0),
        a_judged("asked.jpg", {}, OLD, min_confidence=50.0),
    )

    assert comparison.unknowable == {55.0: 1, 60.0: 2}
    assert (comparison.judged, comparison.unchanged, comparison.flips) == (4, 1, {})


def test_an_unknowable_upload_flips_if_what_is_known_is_stricter_already() -> None:
    comparison = compared(
        a_judged("wine.jpg", {"Alcohol": 75.0}, OLD, min_confidence=72.0),
        a_judged("fight.jpg", {"Violence": 80.0}, OLD, min_confidence=72.0),
    )

    assert directions(comparison) == {"APPROVED -> REVIEW": 1}
    assert comparison.unknowable == {72.0: 1}


def test_what_only_the_base_model_looked_at_is_not_said_to_be_approved() -> None:
    ignored, answered = {"adapter": None}, {"adapter": ADAPTER}
    comparison = compared(
        a_judged("fight.jpg", {"Violence": 60.0}, OLD, analysis=ignored, adapter_asked=ADAPTER),
        a_judged("row.jpg", {"Violence": 60.0}, OLD, analysis=answered, adapter_asked=ADAPTER),
        a_judged("cigar.jpg", {"Smoking": 75.0}, OLD, analysis=ignored, adapter_asked=ADAPTER),
    )

    assert directions(comparison) == {"REVIEW -> APPROVED": 1, "REVIEW -> BLOCKED": 1}
    assert (comparison.adapter_ignored, comparison.unchanged) == (1, 0)


def test_decisions_of_people_and_uploads_without_labels_are_counted_apart() -> None:
    comparison = compared(
        a_judged("wine.jpg", {"Alcohol": 60.0}, OLD, decided_by="person:alice"),
        a_claim(an_upload("new.jpg")),
        a_verdict(Status.FAILED, a_claim(an_upload("broken.jpg"))),
        a_verdict(Status.UNSUPPORTED, a_claim(an_upload("text.txt"))),
        a_verdict(Status.UNSUPPORTED, a_claim(an_upload("video.mov"))),
    )

    assert (comparison.judged, comparison.by_a_person) == (0, 1)
    assert comparison.without_labels == {Status.PENDING: 1, Status.FAILED: 1, Status.UNSUPPORTED: 2}


def by_people(key: str, confidences: Mapping[str, float], status: Status) -> Verdict:
    """What a person decided on what OLD had judged."""
    act = decide(status, Person("mo"), Decision("context", None), "2026-11-22T13:00:00.000Z")
    return acted(a_judged(key, confidences, OLD), act)


def test_policies_are_held_against_what_people_decided() -> None:
    reported = report(Person("kim"), Decision("report", None), "2026-11-22T14:00:00.000Z")
    unsupported = a_verdict(Status.UNSUPPORTED, a_claim(an_upload("text.txt")))
    blocked = decide(Status.BLOCKED, Person("mo"), Decision("spam", None), "2026-11-22T13:00:00.000Z")

    comparison = compared(
        by_people("play.jpg", {"Violence": 95.0}, Status.APPROVED),  # OLD blocks it, NEW does not
        by_people("fight.jpg", {"Violence": 60.0}, Status.BLOCKED),  # OLD has a person look, NEW does not
        by_people("wine.jpg", {"Alcohol": 60.0}, Status.APPROVED),  # NEW has a person look
        acted(by_people("doubted.jpg", {}, Status.APPROVED), reported),
        acted(unsupported, blocked),
    )

    assert (comparison.judged, comparison.by_a_person, comparison.with_labels) == (0, 4, 3)
    assert comparison.sent_back == 1, "it waits, and nobody has decided"
    assert comparison.old_and_people == Agreement(1, 1, 1, ["fight.jpg", "play.jpg"])
    assert comparison.new_and_people == Agreement(1, 1, 1, ["fight.jpg", "wine.jpg"])
    assert comparison.to_document()["people"]["old"] == {
        "same": 1,
        "stricter": 1,
        "milder": 1,
        "examples": ["fight.jpg", "play.jpg"],
    }


@pytest.mark.parametrize("lost", ["lane", "labels", "policy", "decided_at"])
def test_an_item_of_another_make_stops_nothing(lost: str) -> None:
    comparison = Comparison(OLD, NEW, policy_name_for)
    item = verdict_item(a_judged("wine.jpg", {"Alcohol": 60.0}, OLD))
    del item[lost]

    comparison.add(item)

    assert (comparison.unreadable, comparison.judged) == (1, 0)


def test_a_policy_differs_in_nothing_from_itself() -> None:
    verdicts = [a_judged(f"{n}.jpg", {"Violence": float(n), "Alcohol": 99.0}, OLD) for n in range(30, 100, 10)]

    comparison = compared(*verdicts, new=OLD)

    assert (comparison.judged, comparison.unchanged, comparison.flips) == (7, 7, {})
    assert comparison.unlike_old == 0


def test_scripts_read_the_same() -> None:
    document = compared(
        a_judged("wine.jpg", {"Alcohol": 60.0}, OLD),
        a_judged("clean.jpg", {}, OLD, min_confidence=60.0),
        a_claim(an_upload("new.jpg")),
    ).to_document()

    assert document == {
        "old": {"name": "standard", "version": "1", "hash": OLD.hash},
        "new": {"name": "standard", "version": "2", "hash": NEW.hash},
        "judged": 2,
        "unchanged": 0,
        "flips": [{"from": "APPROVED", "to": "REVIEW", "count": 1, "labels": {"Alcohol": 1}, "examples": ["wine.jpg"]}],
        "unknowable": [{"min_confidence": 60.0, "count": 1}],
        "adapter_ignored": 0,
        "decided_by_a_person": 0,
        "appealed_or_reported": 0,
        "people": {
            "decided_with_labels": 0,
            "old": {"same": 0, "stricter": 0, "milder": 0, "examples": []},
            "new": {"same": 0, "stricter": 0, "milder": 0, "examples": []},
        },
        "without_labels": {"FAILED": 0, "PENDING": 1, "UNSUPPORTED": 0},
        "stored_unlike_old": 0,
        "unreadable": 0,
    }
