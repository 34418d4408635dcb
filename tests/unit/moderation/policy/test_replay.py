from dataclasses import replace
from typing import Any

import pytest

from gatehouse.moderation.change import MAX_HISTORY, Cause, Change, HistoryEntry
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.replay import Replayed, is_replayable, replay
from gatehouse.moderation.reason import Reason
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import BY_POLICY, Verdict
from tests.unit.builders import ADAPTER, a_policy, a_verdict, an_analysis

LATER = "2026-11-23T08:00:00.000Z"
DECIDED = (Status.APPROVED, Status.REVIEW, Status.BLOCKED)
SEVERITY = {status: severity for severity, status in enumerate(DECIDED)}


def _toward(status: Status) -> Policy:
    """A policy that gives Violence this status and looks at nothing below 50."""
    rules: dict[Status, Any] = {
        Status.APPROVED: "allow",
        Status.REVIEW: {"review": 50},
        Status.BLOCKED: {"block": 50},
    }
    return a_policy({"Violence": rules[status]}, default="allow")


def _judged(status: Status, **fields: Any) -> Verdict:
    return a_verdict(status, **{"analysis": an_analysis({"Violence": 80}), **fields})


@pytest.mark.parametrize("after", DECIDED)
@pytest.mark.parametrize("before", DECIDED)
def test_a_verdict_changes_where_another_policy_decides_otherwise(before: Status, after: Status) -> None:
    replayed = replay(_judged(before), _toward(after))

    assert replayed.status is after
    assert replayed.changes is (before is not after)
    assert replayed.milder is (SEVERITY[after] < SEVERITY[before])
    assert not replayed.unknowable


def test_only_the_decision_of_a_replayed_verdict_is_new() -> None:
    before = _judged(Status.BLOCKED, adapter_asked=ADAPTER, min_confidence=20.0)
    policy = _toward(Status.REVIEW)

    after = replay(before, policy).verdict(LATER, announce=True)

    assert (after.status, after.decided_at, after.decided_by) == (Status.REVIEW, LATER, "policy")
    assert after.reasons == (Reason("Violence", "Violence", 80, "review", 50.0),)
    assert after.policy == policy.reference
    assert (after.revision, after.change) == (1, Change(Cause.POLICY, announce=True))
    judged_as_before = replace(after, status=before.status, reasons=before.reasons, policy=before.policy)
    assert replace(judged_as_before, decided_at=before.decided_at, revision=0, change=None) == before


@pytest.mark.parametrize("announce", [True, False])
def test_a_replay_is_the_next_revision_and_says_whether_it_is_announced(announce: bool) -> None:
    before = _judged(Status.BLOCKED, revision=7, change=Change(Cause.POLICY, announce=not announce))

    after = replay(before, _toward(Status.REVIEW)).verdict(LATER, announce=announce)

    assert (after.revision, after.change) == (8, Change(Cause.POLICY, announce))


def _entry(**fields: Any) -> HistoryEntry:
    defaults: dict[str, Any] = {
        "cause": Cause.DECISION,
        "at": "2026-11-22T12:30:00.000Z",
        "by": "person:ada",
        "name": "Ada",
        "before": Status.REVIEW,
        "after": Status.BLOCKED,
        "since": "2026-11-22T12:01:00.000Z",
        "reason": "spam",
        "note": None,
    }
    return HistoryEntry(**defaults | fields)


def test_a_replay_after_people_acted_stands_in_the_history() -> None:
    before = _judged(Status.BLOCKED, history=(_entry(),))
    policy = _toward(Status.REVIEW)

    after = replay(before, policy).verdict(LATER, announce=False)

    assert after.history == (
        *before.history,
        HistoryEntry(
            cause=Cause.POLICY,
            at=LATER,
            by="policy",
            name=None,
            before=Status.BLOCKED,
            after=Status.REVIEW,
            since=before.decided_at,
            reason=f"{policy.name} {policy.version}",
            note=None,
        ),
    )


def test_a_replay_of_what_nobody_acted_on_begins_no_history() -> None:
    assert replay(_judged(Status.BLOCKED), _toward(Status.REVIEW)).verdict(LATER, announce=True).history == ()


@pytest.mark.parametrize(("entries", "after"), [(MAX_HISTORY - 1, MAX_HISTORY), (MAX_HISTORY, MAX_HISTORY)])
def test_a_full_history_stops_no_policy(entries: int, after: int) -> None:
    before = _judged(Status.BLOCKED, history=(_entry(),) * entries)

    verdict = replay(before, _toward(Status.REVIEW)).verdict(LATER, announce=True)

    assert (verdict.status, len(verdict.history)) == (Status.REVIEW, after)


@pytest.mark.parametrize(
    ("status", "decided_by", "replayable"),
    [
        *((status, BY_POLICY, True) for status in DECIDED),
        *((status, "ada@example.com", False) for status in DECIDED),
        *((status, None, False) for status in DECIDED),
        *((status, BY_POLICY, False) for status in (Status.PENDING, Status.UNSUPPORTED, Status.FAILED)),
    ],
)
def test_only_what_a_policy_decided_is_replayable(status: Status, decided_by: str | None, replayable: bool) -> None:
    assert is_replayable(status, decided_by) is replayable
    assert is_replayable(status.value, decided_by) is replayable


@pytest.mark.parametrize(
    "verdict",
    [
        a_verdict(Status.FAILED),
        a_verdict(Status.UNSUPPORTED),
        a_verdict(Status.BLOCKED, decided_by="ada@example.com"),
        a_verdict(Status.APPROVED, decided_by=None),
        a_verdict(Status.APPROVED, analysis=None),
    ],
)
def test_what_no_policy_decided_is_not_judged_again(verdict: Verdict) -> None:
    with pytest.raises(ValueError, match=r"s3://uploads/cat.jpg is [A-Z]+, decided by \S+: not replayable"):
        replay(verdict, a_policy())


@pytest.mark.parametrize(
    ("min_confidence", "unknowable"), [(30.0, False), (30.1, True), (20.0, False), (100.0, True), (None, True)]
)
def test_a_threshold_below_what_was_asked_for_makes_an_approval_unknowable(
    min_confidence: float | None, unknowable: bool
) -> None:
    verdict = _judged(Status.BLOCKED, min_confidence=min_confidence, analysis=an_analysis())

    replayed = replay(verdict, a_policy({"Violence": {"review": 30}}, default="allow"))

    assert replayed.unknowable is unknowable
    assert replayed.changes is not unknowable


def test_an_unknowable_verdict_may_become_stricter() -> None:
    verdict = _judged(Status.APPROVED, min_confidence=50.0)

    replayed = replay(verdict, a_policy({"Violence": {"review": 20, "block": 40}}, default={"block": 10}))

    assert (replayed.status, replayed.unknowable, replayed.changes) == (Status.BLOCKED, False, True)
    replayed = replay(verdict, a_policy({"Violence": {"review": 20, "block": 90}}, default={"block": 10}))
    assert (replayed.status, replayed.unknowable, replayed.changes) == (Status.REVIEW, True, True)


def test_nothing_is_unknowable_where_the_worst_is_known() -> None:
    verdict = _judged(Status.REVIEW, min_confidence=90.0)

    assert not replay(verdict, a_policy({"Violence": {"block": 40}}, default={"block": 10})).unknowable


@pytest.mark.parametrize(
    ("asked", "answered", "ignored"),
    [
        (None, None, False),
        (None, ADAPTER, False),
        (ADAPTER, ADAPTER, False),
        (ADAPTER, None, True),
        (ADAPTER, "another", True),
    ],
)
def test_an_answer_without_the_adapter_that_was_asked_for_is_never_approved(
    asked: str | None, answered: str | None, ignored: bool
) -> None:
    verdict = _judged(Status.BLOCKED, adapter_asked=asked, analysis=an_analysis({"Violence": 80}, adapter=answered))

    approved, reviewed = replay(verdict, _toward(Status.APPROVED)), replay(verdict, _toward(Status.REVIEW))

    assert approved.adapter_ignored is reviewed.adapter_ignored is ignored
    assert approved.changes is not ignored
    assert reviewed.changes


def test_without_an_analysis_no_adapter_answered() -> None:
    verdict = _judged(Status.BLOCKED, adapter_asked=ADAPTER, analysis=None)
    policy = a_policy()

    assert Replayed(verdict, policy, policy.judge(an_analysis()), unknowable=False).adapter_ignored
