"""`review stats`: the numbers that people's decisions give."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gatehouse.cli.clock import Clock
from gatehouse.cli.review import stats_command
from gatehouse.moderation.analysis import Analysis
from gatehouse.moderation.decision import confirm
from gatehouse.moderation.policy.replay import replay
from tests.cli.conftest import STANDARD, policy_of
from tests.cli.review.conftest import KIM, MO, Reviewers, a_sample, acts, approved_by, blocked_by, in_review
from tests.unit.builders import NOON, an_analysis

AT = "2026-11-22T14:00:00.000Z"


@pytest.fixture(autouse=True)
def _three_o_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stats_command, "CLOCK", Clock(now=lambda: NOON + timedelta(hours=3)))


def violent(confidence: float) -> Analysis:
    return an_analysis({"Violence": confidence})


def test_people_are_counted_against_the_policy(reviewers: Reviewers) -> None:
    confirmed = acts(a_sample("replayed.jpg"), confirm(KIM, None, AT))
    reviewers.deployed.put(
        *(acts(in_review(f"{n}.jpg"), approved_by(MO)) for n in range(3)),
        acts(in_review("bad.jpg"), blocked_by(KIM)),
        acts(a_sample("good.jpg", lane="kids"), confirm(KIM, None, AT)),
        acts(a_sample("missed.jpg"), blocked_by(MO)),
        replay(confirmed, policy_of(STANDARD)).verdict(AT, announce=False),
        in_review("waits.jpg"),
    )

    document = reviewers.review("stats", "--since", "2d")

    assert document["opinions"] == 7
    assert (document["wrong_approvals"]["count"], document["wrong_approvals"]["of"]) == (1, 3)
    assert (document["wrong_review"]["count"], document["wrong_review"]["of"]) == (3, 4)
    assert document["by_reviewer"][MO.decided_by] == {"APPROVED": 3, "BLOCKED": 1}
    assert document["labels"]["Violence"]["share"] == 0.25
    assert document["seconds_in_review"]["median"] == pytest.approx(59 * 60, rel=0.02)
    assert document["thresholds"] == {}
    kids = reviewers.review("stats", "--since", "2d", "--lane", "kids")
    assert (kids["opinions"], list(kids["lanes"])) == (1, ["kids"])


def test_decisions_from_before_are_not_counted_even_if_a_replay_moved_their_place(reviewers: Reviewers) -> None:
    confirmed = acts(a_sample("replayed.jpg"), confirm(KIM, None, "2026-11-21T14:00:00.000Z"))
    reviewers.deployed.put(replay(confirmed, policy_of(STANDARD)).verdict(AT, announce=False))

    assert reviewers.review("stats", "--since", "12h")["opinions"] == 0
    assert reviewers.review("stats", "--since", "2d")["opinions"] == 1


def test_thresholds_are_suggested_by_the_active_policies(reviewers: Reviewers) -> None:
    reviewers.deployed.record(policy_of(STANDARD))
    doubted = [replace(in_review(f"{n}.jpg"), analysis=violent(55)) for n in range(20)]
    reviewers.deployed.put(*(acts(upload, approved_by(MO)) for upload in doubted))

    document = reviewers.review("stats", "--since", "2d", "--thresholds")

    (suggestion,) = document["thresholds"]["standard"]
    assert suggestion == {
        "rule": "Violence",
        "content_type": None,
        "threshold": "review",
        "now": 50.0,
        "suggested": 56.0,
        "right": 20,
        "wrong": 0,
        "wrongly_approved": 0,
        "samples": 0,
    }
    assert document["policies_unavailable"] == ["strict"]  # nobody has recorded it


def test_the_tables_say_it_in_words(reviewers: Reviewers) -> None:
    nothing = reviewers.gatehouse("review", "stats", "--since", "2d")
    reviewers.deployed.record(policy_of(STANDARD))
    doubted = [replace(in_review(f"{n}.jpg"), analysis=violent(55)) for n in range(20)]
    reviewers.deployed.put(*(acts(upload, approved_by(MO)) for upload in doubted))

    result = reviewers.gatehouse("review", "stats", "--since", "2d", "--thresholds", env={"COLUMNS": "250"})

    assert "0 uploads decided since 2026-11-20T15:00:00.000Z." in nothing.stdout
    assert "100.0% (83.9% to 100.0%; 20 of 20)" in result.stdout
    assert "Violence: review" in result.stdout
    assert "Policy strict can't be read" in result.stderr
