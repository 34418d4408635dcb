"""Samples: a share of what the policy approved, drawn by a hash, and what ends one."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatehouse.moderation.change import Cause
from gatehouse.moderation.decision import (
    Act,
    Decision,
    DecisionRefusedError,
    ReviewClaim,
    acted,
    confirm,
    decide,
    report,
)
from gatehouse.moderation.person import Person
from gatehouse.moderation.policy.replay import is_replayable, replay
from gatehouse.moderation.sample import draw, is_drawn
from gatehouse.moderation.status import FINAL, Status
from gatehouse.moderation.verdict import BY_POLICY, Verdict
from gatehouse.moderation.verdict_item import verdict_from_item, verdict_item
from tests.unit.builders import a_claim, a_policy, a_verdict, an_analysis, an_upload, uploads

ADA, AT, LATER = Person("ada", "Ada"), "2026-11-22T13:00:00.000Z", "2026-11-22T14:00:00.000Z"


def a_sample() -> Verdict:
    return replace(a_verdict(Status.APPROVED), analysis=an_analysis({"Violence": 40}), is_sample=True)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_about_the_share_is_drawn_whatever_digit_the_index_has_for_it(share: float) -> None:
    drawn = [upload for upload in uploads(20_000) if is_drawn(upload, share)]

    assert len(drawn) == pytest.approx(20_000 * share, rel=0.15)
    days = {verdict_item(replace(a_sample(), claim=a_claim(upload)))["status_day"] for upload in drawn}
    assert days == {f"SAMPLE#2026-11-22#{digit}" for digit in range(10)}


@given(key=st.text(min_size=1).filter(str.isprintable), low=st.floats(0, 1), high=st.floats(0, 1))
def test_a_larger_share_has_all_of_a_smaller_one(key: str, low: float, high: float) -> None:
    upload = an_upload(key)

    assert is_drawn(upload, min(low, high)) <= is_drawn(upload, max(low, high))
    assert is_drawn(upload, 1.0)
    assert not is_drawn(upload, 0.0)


@pytest.mark.parametrize("status", sorted(FINAL))
def test_only_approvals_are_drawn(status: Status) -> None:
    assert draw(a_verdict(status), 1.0).is_sample is (status is Status.APPROVED)


def test_an_item_tells_that_it_is_a_sample() -> None:
    item = verdict_item(a_sample())

    assert item["status_day"].startswith("SAMPLE#2026-11-22#")
    assert verdict_from_item(item).is_sample
    assert not verdict_from_item(verdict_item(replace(a_sample(), is_sample=False))).is_sample


def test_a_confirmed_sample_is_the_policys_verdict_still() -> None:
    confirmed = acted(a_sample(), confirm(ADA, "a toy", AT))

    assert (confirmed.status, confirmed.decided_by, confirmed.decided_at) == (Status.APPROVED, BY_POLICY, AT)
    assert is_replayable(confirmed.status, confirmed.decided_by)
    assert confirmed.change is not None
    assert (confirmed.change.cause, confirmed.change.announce) == (Cause.CONFIRMATION, False)
    entry = confirmed.history[0]
    assert (entry.by, entry.name, entry.before, entry.after) == ("person:ada", "Ada", Status.APPROVED, Status.APPROVED)
    assert (entry.reason, entry.note, entry.sample) == ("confirmation", "a toy", True)
    item = verdict_item(confirmed)
    assert "status_day" not in item
    assert item["decision_day"][:10] == AT[:10]
    assert verdict_from_item(item) == confirmed


def test_a_replay_of_a_confirmed_sample_leaves_what_the_person_said_in_the_numbers() -> None:
    confirmed = acted(a_sample(), confirm(ADA, None, AT))

    after = replay(confirmed, a_policy({"Violence": {"review": 30}})).verdict(LATER, announce=True)

    item = verdict_item(after)
    assert (after.status, after.decision, after.last_act) == (Status.REVIEW, None, confirmed.history[0])
    assert item["status_day"].startswith("REVIEW#")
    assert item["decision_day"][:10] == LATER[:10]


@pytest.mark.parametrize("act", [decide(Status.BLOCKED, ADA, Decision("spam", None), AT), confirm(ADA, None, AT)])
def test_whatever_is_done_about_a_sample_ends_it_and_says_that_it_was_one(act: Act) -> None:
    after = acted(a_sample(), act)

    assert not after.is_sample
    assert after.history[0].sample
    assert after.history[0].to_document()["sample"] is True


def test_a_report_and_a_replay_end_a_sample() -> None:
    assert not acted(a_sample(), report(ADA, Decision("report", None), AT)).is_sample
    assert not replay(a_sample(), a_policy({"Violence": {"review": 30}})).verdict(LATER, announce=True).is_sample


@pytest.mark.parametrize("status", sorted(FINAL))
def test_nothing_but_a_sample_is_confirmed(status: Status) -> None:
    with pytest.raises(DecisionRefusedError, match="only samples can be confirmed"):
        acted(a_verdict(status), confirm(ADA, None, AT))


def test_what_somebody_else_is_looking_at_is_not_confirmed() -> None:
    held = replace(a_sample(), review_claim=ReviewClaim("person:grace", LATER))

    with pytest.raises(DecisionRefusedError, match="person:grace is looking at it"):
        acted(held, confirm(ADA, None, AT))
