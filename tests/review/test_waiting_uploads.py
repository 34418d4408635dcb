"""Each upload is with one reviewer, the oldest first, and comes back when they leave."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from gatehouse.aws.verdict_table import Identity
from gatehouse.cli.aws.verdict_table import OperatorsVerdictTable
from gatehouse.cli.clock import Clock
from gatehouse.cli.review.listed_uploads import ReviewSelection
from gatehouse.moderation.change import Cause
from gatehouse.moderation.decision import DecisionRefusedError
from gatehouse.moderation.moment import iso
from gatehouse.moderation.person import Person
from gatehouse.moderation.review_hold import HOLD
from gatehouse.moderation.verdict import Verdict
from gatehouse.review.waiting_uploads import PAGE_SECONDS, WaitingUploads
from tests.cli.conftest import TABLE, Deployed
from tests.cli.review.conftest import KIM, MO, acts, blocked_by, in_review, sent_back
from tests.unit.aws_calls import an_error
from tests.unit.builders import NOON

WAITING = ReviewSelection(since=iso(NOON - timedelta(hours=1)))


@dataclass
class Reviewing:
    deployed: Deployed
    seconds: float = 0.0
    at_hand: set[Identity] = field(default_factory=set)

    def of(self, person: Person) -> WaitingUploads:
        clock = Clock(now=lambda: NOON + timedelta(seconds=self.seconds), monotonic=lambda: self.seconds)
        table = OperatorsVerdictTable(self.deployed.dynamodb, TABLE)
        return WaitingUploads(table, person, clock, lambda identity: identity in self.at_hand)

    def holders(self) -> dict[str, str]:
        """Who holds which key."""
        items = self.deployed.items().values()
        return {item["key"]: item["review_claim"]["by"] for item in items if "review_claim" in item}


@pytest.fixture
def reviewing(deployed: Deployed) -> Reviewing:
    """Five uploads wait."""
    for n in range(5):
        deployed.put(replace(in_review(f"{n}.jpg"), decided_at=iso(NOON - timedelta(minutes=50 - n))))
    return Reviewing(deployed)


def keys(verdicts: list[Verdict]) -> list[str]:
    return [verdict.upload.key for verdict in verdicts]


def test_two_reviewers_never_get_the_same_upload(reviewing: Reviewing) -> None:
    mo, kim = reviewing.of(MO), reviewing.of(KIM)

    assert keys(mo.next("m", WAITING, 2)) == ["0.jpg", "1.jpg"]
    assert keys(kim.next("k", WAITING, 2)) == ["2.jpg", "3.jpg"]
    assert keys(mo.next("m", WAITING, 2)) == ["4.jpg"]
    assert keys(mo.next("m", WAITING, 2)) == []
    assert keys(kim.next("k", WAITING, 2)) == []

    assert set(reviewing.holders().values()) == {MO.decided_by, KIM.decided_by}
    reviewing.seconds += 61
    kim.next("k", WAITING, 1)
    counts = kim.counts(WAITING)
    assert (counts.waiting, counts.elsewhere, counts.is_all) == (5, 3, True)


def test_two_tabs_of_one_reviewer_do_not_either(reviewing: Reviewing) -> None:
    mo = reviewing.of(MO)
    assert keys(mo.next("one", WAITING, 2)) == ["0.jpg", "1.jpg"]
    assert keys(mo.next("two", WAITING, 9)) == ["2.jpg", "3.jpg", "4.jpg"]
    assert mo.seen("two", ("s3://uploads/0.jpg", "0" * 40)) is None


def test_a_hold_is_extended_while_the_page_is_open_and_lost_if_it_slept(reviewing: Reviewing) -> None:
    mo, kim = reviewing.of(MO), reviewing.of(KIM)
    (mine,) = mo.next("m", WAITING, 1)
    for _ in range(5):
        reviewing.seconds += HOLD.total_seconds() - 60
        assert mo.keep("m", [mine.upload.identity]) == []
    assert "0.jpg" not in keys(kim.next("k", WAITING, 4))

    reviewing.seconds += HOLD.total_seconds()
    assert kim.take("k", mine) is not None
    assert mo.keep("m", [mine.upload.identity]) == [mine.upload.identity]
    assert mo.seen("m", mine.upload.identity) is None
    assert mo.keep("m", []) == []


def test_an_expired_hold_that_nobody_took_is_still_mine(reviewing: Reviewing) -> None:
    mo = reviewing.of(MO)
    (mine,) = mo.next("m", WAITING, 1)
    reviewing.seconds += 2 * HOLD.total_seconds()
    assert mo.keep("m", [mine.upload.identity]) == []
    assert mo.seen("m", mine.upload.identity) is not None


def test_what_a_page_never_got_to_know_goes_to_whoever_is_next(reviewing: Reviewing) -> None:
    mo, kim = reviewing.of(MO), reviewing.of(KIM)
    shown, lost, decided = (verdict.upload.identity for verdict in mo.next("m", WAITING, 3))
    reviewing.at_hand.add(decided)
    reviewing.seconds += 55
    mo.keep("m", [shown, lost])
    reviewing.seconds += 55
    mo.keep("m", [shown])  # it may still be deciding on the other one
    assert list(reviewing.holders()) == ["0.jpg", "1.jpg", "2.jpg"]

    reviewing.seconds += 55
    assert mo.keep("m", [shown]) == []

    assert list(reviewing.holders()) == ["0.jpg", "2.jpg"]
    assert keys(kim.next("k", WAITING, 1)) == ["1.jpg"]
    assert mo.seen("m", lost) is None


def test_leaving_gives_back_what_is_not_decided(reviewing: Reviewing) -> None:
    mo, kim = reviewing.of(MO), reviewing.of(KIM)
    first, *_ = mo.next("m", WAITING, 3)
    reviewing.at_hand.add(first.upload.identity)

    mo.leave("m")

    assert list(reviewing.holders()) == ["0.jpg"]
    assert keys(kim.next("k", WAITING, 9)) == ["1.jpg", "2.jpg", "3.jpg", "4.jpg"]
    assert mo.next("m", WAITING, 1) == []  # a request that came late keeps nothing


def test_a_page_that_says_nothing_is_gone_and_one_that_speaks_again_is_back(reviewing: Reviewing) -> None:
    mo = reviewing.of(MO)
    mine, _ = mo.next("m", WAITING, 2)
    assert mo.keep("m", [mine.upload.identity]) == []
    reviewing.seconds += PAGE_SECONDS
    mo.leave_silent()
    assert len(reviewing.holders()) == 2

    reviewing.seconds += 1
    mo.leave_silent()
    assert reviewing.holders() == {}
    assert mo.keep("m", [mine.upload.identity]) == [mine.upload.identity]
    assert keys(mo.next("m", WAITING, 1)) == ["0.jpg"]
    mo.close()
    assert reviewing.holders() == {}


def test_a_skipped_upload_goes_to_others_and_not_to_the_same_page(reviewing: Reviewing) -> None:
    mo, kim = reviewing.of(MO), reviewing.of(KIM)
    (first,) = mo.next("m", WAITING, 1)
    mo.skip("m", first.upload.identity)

    assert keys(mo.next("m", WAITING, 1)) == ["1.jpg"]
    assert keys(kim.next("k", WAITING, 1)) == ["0.jpg"]


def test_what_was_decided_is_not_shown_again_and_what_comes_back_is(reviewing: Reviewing) -> None:
    mo = reviewing.of(MO)
    (first,) = mo.next("m", WAITING, 1)
    mo.settle(first.upload.identity, True)
    assert keys(mo.next("m", WAITING, 1)) == ["1.jpg"]

    back = acts(replace(first, review_claim=None), blocked_by(KIM, iso(NOON)), sent_back(Cause.APPEAL, iso(NOON)))
    reviewing.deployed.put(back)
    reviewing.seconds += 61
    assert keys(mo.next("m", WAITING, 9)) == ["2.jpg", "3.jpg", "4.jpg", "0.jpg"]


def test_what_somebody_else_has_to_decide_is_not_offered(reviewing: Reviewing) -> None:
    doubted = acts(in_review("0.jpg"), blocked_by(MO, iso(NOON)), sent_back(Cause.APPEAL, iso(NOON)))
    reviewing.deployed.put(doubted)
    assert "0.jpg" not in keys(reviewing.of(MO).next("m", WAITING, 9))
    with pytest.raises(DecisionRefusedError, match="another person has to decide"):
        reviewing.of(MO).take("m", doubted)


def test_what_changed_after_the_look_is_left_out(reviewing: Reviewing) -> None:
    mo = reviewing.of(MO)
    mo.next("m", WAITING, 1)
    reviewing.deployed.put(acts(in_review("1.jpg"), blocked_by(KIM, iso(NOON))))
    assert keys(mo.next("m", WAITING, 2)) == ["2.jpg", "3.jpg"]


def test_a_look_that_failed_is_told_and_repeated(reviewing: Reviewing) -> None:
    mo = reviewing.of(MO)
    reviewing.deployed.calls.watch(reviewing.deployed.dynamodb)
    refused = [an_error("AccessDeniedException")]
    reviewing.deployed.calls.answer_always("Query", lambda _: refused[0] if refused else None)
    with pytest.raises(Exception, match="AccessDenied"):
        mo.next("m", WAITING, 1)
    refused.clear()
    assert len(mo.next("m", WAITING, 1)) == 1
