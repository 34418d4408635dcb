"""The checker of decisions itself: each way in which a history can go wrong is found, a right one is let alone."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from gatehouse.moderation.change import Cause, Change, HistoryEntry
from gatehouse.moderation.decision import Act, Decision, acted, appeal, decide, report
from gatehouse.moderation.flag import Flag
from gatehouse.moderation.person import Person
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import verdict_item
from tests.chaos.decision_check import Decided, followed, holds_the_table, violations
from tests.chaos.decision_plan import MILDER
from tests.chaos.invariants import Observed
from tests.chaos.ledger import Entry, Kind, Ledger
from tests.chaos.reviewer import Hold
from tests.unit.builders import a_claim, a_verdict, an_upload

ALICE, BOB = Person("alice"), Person("bob")


def at(second: int) -> str:
    return f"2026-11-23T09:00:{second:02}.000Z"


def an_act(make: Callable[[Person, Decision, str], Act], person: Person, second: int) -> Act:
    return make(person, Decision("context", f"{person.id} {second}"), at(second))


def approval(person: Person, decision: Decision, moment: str) -> Act:
    return decide(Status.APPROVED, person, decision, moment)


def refusal(person: Person, decision: Decision, moment: str) -> Act:
    return decide(Status.BLOCKED, person, decision, moment)


#: One upload: REVIEW by the standard policy, approved by the milder one, reported, and blocked by another person.
FIRST = a_verdict(Status.REVIEW, a_claim(an_upload("a.jpg", version_id="v1")), decided_by="policy")
REPLAYED = replace(
    FIRST, status=Status.APPROVED, revision=1, change=Change(Cause.POLICY, announce=True), decided_at=at(1)
)
REPORTED = acted(REPLAYED, an_act(report, ALICE, 2))
REFUSED = acted(REPORTED, an_act(refusal, BOB, 3))
#: And one that nobody has changed.
OTHER = a_verdict(Status.BLOCKED, a_claim(an_upload("b.jpg", sequencer="0066", version_id="v2")))
TOO_LATE = acted(REPORTED, an_act(approval, ALICE, 4))


def a_hold(revision: int, until: int) -> Hold:
    return Hold(FIRST.upload.identity, "person:carol", at(until), revision)


def flag(of: Verdict) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(Flag.of(of).body)
    return body


FLAGS = tuple(map(flag, (FIRST, OTHER, REPLAYED, REPORTED, REFUSED)))


def a_ledger() -> Ledger:
    ledger = Ledger()
    ledger.add(Entry("a.jpg", "v1", Kind.REVIEW))
    ledger.add(Entry("b.jpg", "v2", Kind.BLOCKED))
    return ledger


def a_run(
    stands: Verdict = REFUSED,
    other: Verdict = OTHER,
    flags: Sequence[Mapping[str, Any]] = FLAGS,
    done: Sequence[Verdict] = (REPORTED, REFUSED),
    refused: Sequence[Verdict] = (TOO_LATE,),
    holds: Sequence[Hold] = (),
    **fields: Any,
) -> Decided:
    """A run in which nothing went wrong, or what is named."""
    observed = Observed(
        items=[verdict_item(stands), verdict_item(other)],
        announced=flags,
        events=flags,
        stored=frozenset({("a.jpg", "v1"), ("b.jpg", "v2")}),
    )
    return Decided(replace(observed, **fields), done, refused, (MILDER, "standard"), holds)


def without(*revisions: int) -> list[Mapping[str, Any]]:
    return [flag for flag in FLAGS if flag["object"]["key"] != "a.jpg" or flag["revision"] not in revisions]


def entry_changed(**fields: Any) -> Verdict:
    """The last verdict, where its last entry says something else."""
    *entries, last = REFUSED.history
    return replace(REFUSED, history=(*entries, replace(last, **fields)))


def told_as(revision: int, **fields: Any) -> list[Mapping[str, Any]]:
    """The flags, where that of a revision says something else."""
    return [
        {**flag, **fields} if (flag["object"]["key"], flag["revision"]) == ("a.jpg", revision) else flag
        for flag in FLAGS
    ]


STRANGE = HistoryEntry(
    Cause.DECISION, at(9), "person:eve", None, Status.BLOCKED, Status.APPROVED, at(3), "context", "eve 9"
)


def test_a_run_without_fault_violates_nothing() -> None:
    assert violations(a_ledger(), a_run()) == []


def test_flags_that_come_again_and_in_another_order_are_no_fault() -> None:
    assert violations(a_ledger(), a_run(flags=[*FLAGS[::-1], *FLAGS])) == []


@pytest.mark.parametrize(
    ("run", "sentence"),
    [
        (a_run(flags=without(1)), "flags: a.jpg is at revision 3 and has no flag of [1]"),
        (a_run(flags=without(3)), "flags: a.jpg is at revision 3 and has no flag of [3]"),
        (a_run(flags=without(0)), "flags: a.jpg is at revision 3 and has no flag of [0]"),
        (a_run(stands=REPORTED, done=(REPORTED,)), "flags: a.jpg is at revision 2 and has flags of [3]"),
        (
            a_run(flags=told_as(3, id=flag(REPORTED)["id"])),
            "flags: a.jpg was told at revision 3 under another id than its content's",
        ),
        (
            a_run(flags=told_as(3, id=flag(REPORTED)["id"])),
            "flags: a.jpg was told under one id at the revisions [2, 3]",
        ),
        (
            a_run(stands=entry_changed(by="policy")),
            "history: a.jpg was decided by a person and then by policy",
        ),
        (a_run(flags=[*FLAGS, *told_as(3, id="other")]), "flags: a.jpg was told under 2 ids at revision 3"),
        (
            a_run(flags=told_as(3, object={**FLAGS[0]["object"], "version_id": "v9"})),
            "flags: a.jpg was told of another version of the object",
        ),
        (
            a_run(stands=entry_changed(before=Status.APPROVED)),
            "history: a.jpg came from APPROVED at revision 3, and was not that before",
        ),
        (
            a_run(stands=entry_changed(since=at(1))),
            f"history: a.jpg came from what was decided at {at(1)} at revision 3, and nothing was",
        ),
        (
            a_run(stands=entry_changed(after=Status.APPROVED)),
            "history: a.jpg is BLOCKED by person:bob, and its history ends with APPROVED",
        ),
        (
            a_run(stands=replace(REFUSED, history=(*REFUSED.history, *REFUSED.history))),
            "history: a.jpg has 4 entries and revision 3",
        ),
        (
            a_run(stands=replace(REFUSED, history=())),
            "history: a.jpg was decided by person:bob and has no history",
        ),
        (
            a_run(stands=replace(REFUSED, history=REFUSED.history[1:])),
            "acts: a.jpg: report 'alice 2' was acknowledged and stands 0 times",
        ),
        (
            a_run(stands=replace(REFUSED, history=(*REFUSED.history[:1], *REFUSED.history))),
            "acts: a.jpg: report 'alice 2' was acknowledged and stands 2 times",
        ),
        (
            a_run(stands=replace(REFUSED, history=REFUSED.history[::-1])),
            "acts: a.jpg: report 'alice 2' stands elsewhere in the history than it was written",
        ),
        (a_run(refused=(REFUSED,)), "acts: a.jpg: 'bob 3' was refused and stands"),
        (
            a_run(stands=replace(REFUSED, history=(*REFUSED.history, STRANGE))),
            "acts: s3://uploads/a.jpg has 1 entries that nobody was acknowledged",
        ),
        (
            a_run(other=replace(OTHER, status=Status.APPROVED)),
            "I3: b.jpg is blocked and became APPROVED, not BLOCKED or REVIEW",
        ),
        (
            a_run(stands=replace(REFUSED, status=Status.APPROVED)),
            "subscriber: a.jpg is ('APPROVED', 'person:bob', 3), and a subscriber holds ('BLOCKED', 'person:bob', 3)",
        ),
        (a_run(events=without(3)), "events: s3://uploads/a.jpg at revision 3 has a flag, and no event came or is kept"),
        (a_run(events=without(1)), "events: s3://uploads/a.jpg at revision 1 has a flag, and no event came or is kept"),
        (
            a_run(events=[*FLAGS, {**FLAGS[0], "id": "other"}]),
            "events: s3://uploads/a.jpg at revision 0 has an event and no flag",
        ),
        (
            a_run(holds=[a_hold(2, 4)]),
            f"holds: a.jpg was held by person:carol until {at(4)}, and person:bob decided at {at(3)}",
        ),
        (a_run(given_up=(REPORTED,)), "given up: s3://uploads/a.jpg at revision 2"),
    ],
)
def test_what_is_wrong_is_found(run: Decided, sentence: str) -> None:
    assert sentence in violations(a_ledger(), run)


def test_a_hold_ends_by_its_time_by_who_holds_it_and_by_a_report() -> None:
    holds = [a_hold(2, 3), replace(a_hold(2, 9), by="person:bob"), a_hold(0, 9), a_hold(1, 9), a_hold(3, 9)]

    assert violations(a_ledger(), a_run(holds=holds)) == []


def test_a_hold_that_was_shortened_ends_when_it_was_last_written_to_end() -> None:
    assert violations(a_ledger(), a_run(holds=[a_hold(2, 9), a_hold(2, 3)])) == []
    extended = violations(a_ledger(), a_run(holds=[a_hold(2, 3), a_hold(2, 9)]))
    assert [found.split(":")[0] for found in extended] == ["holds"]


def test_a_subscriber_keeps_the_highest_revision_in_whatever_order_flags_come() -> None:
    items = a_run().observed.items

    assert {held["revision"] for held in followed(FLAGS[::-1]).values()} == {0, 3}
    assert holds_the_table(FLAGS[::-1], items)
    assert not holds_the_table(without(3), items)


def test_an_appeal_is_an_act_like_any_other() -> None:
    appealed = acted(OTHER, an_act(appeal, ALICE, 5))

    run = a_run(other=appealed, flags=[*FLAGS, flag(appealed)], done=(REPORTED, REFUSED, appealed))

    assert violations(a_ledger(), run) == []
