from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from gatehouse.moderation.change import MAX_HISTORY, Cause, Change, HistoryEntry
from gatehouse.moderation.decision import (
    DEFAULT_REASONS,
    MAX_ID,
    MAX_NAME,
    MAX_NOTE,
    MAX_REASON,
    OTHER,
    Act,
    Decision,
    DecisionRefusedError,
    ReviewClaim,
    acted,
    appeal,
    confirm,
    decide,
    report,
)
from gatehouse.moderation.person import Person
from gatehouse.moderation.status import FINAL, Status
from gatehouse.moderation.verdict import Verdict
from tests.unit.builders import a_verdict

ADA, GRACE, INTAKE = Person("Reviewer/ada", "Ada"), Person("grace"), Person("Intake/form")
SPAM, CONTEXT = Decision("spam", None), Decision("context", "a scene of a film")
#: When the verdicts of `a_verdict` were given, and later moments.
FIRST, AT, LATER, LATEST = (
    "2026-11-22T12:01:00.000Z",
    "2026-11-22T13:00:00.000Z",
    "2026-11-22T14:00:00.000Z",
    "2026-11-22T15:00:00.000Z",
)
APPROVED, REVIEW, BLOCKED = Status.APPROVED, Status.REVIEW, Status.BLOCKED
Sends = Callable[[Person, Decision, str], Act]


def blocked_by(person: Person, **fields: Any) -> Verdict:
    """What this person blocked."""
    return acted(a_verdict(**fields), decide(BLOCKED, person, SPAM, AT))


@pytest.mark.parametrize("reason", [*DEFAULT_REASONS, "x", "a1-b2-3", "r" * MAX_REASON])
def test_a_reason_code_is_words_with_hyphens(reason: str) -> None:
    assert decide(BLOCKED, ADA, Decision(reason, "why"), AT).decision.reason == reason


@pytest.mark.parametrize(
    "reason", ["", "Spam", "a b", "-a", "a-", "a--b", "a_b", "spam\n", "r" * (MAX_REASON + 1), "ä"]
)
def test_a_reason_of_another_form_is_refused(reason: str) -> None:
    with pytest.raises(DecisionRefusedError, match="is not a reason code; use lower-case words"):
        decide(BLOCKED, ADA, Decision(reason, None), AT)


@pytest.mark.parametrize("note", ["x", "ü" * MAX_NOTE])
def test_a_note_has_room_for_some_sentences(note: str) -> None:
    assert decide(BLOCKED, ADA, Decision("spam", note), AT).decision.note == note


@pytest.mark.parametrize("note", ["", "x" * (MAX_NOTE + 1)])
def test_a_note_of_another_length_is_refused(note: str) -> None:
    with pytest.raises(DecisionRefusedError, match=f"write a note of 1 to {MAX_NOTE} characters, not {len(note)}"):
        decide(BLOCKED, ADA, Decision("spam", note), AT)


@pytest.mark.parametrize("name", ["", "x" * (MAX_NAME + 1)])
def test_a_display_name_of_another_length_is_refused(name: str) -> None:
    with pytest.raises(
        DecisionRefusedError, match=f"write a display name of 1 to {MAX_NAME} characters, not {len(name)}"
    ):
        decide(BLOCKED, Person("ada", name), SPAM, AT)


@pytest.mark.parametrize("person", ["", "x" * (MAX_ID + 1)])
def test_an_id_of_another_length_is_refused(person: str) -> None:
    with pytest.raises(DecisionRefusedError, match=f"use an id of 1 to {MAX_ID} characters, not {len(person)}"):
        decide(BLOCKED, Person(person), SPAM, AT)


def test_the_longest_id_that_aws_gives_may_decide() -> None:
    arn = f"arn:aws:sts::123456789012:assumed-role/{'r' * 64}/{'s' * 64}"

    assert decide(BLOCKED, Person.of_arn(arn), SPAM, AT).person.id.endswith("s")


def test_a_display_name_may_be_long() -> None:
    assert decide(BLOCKED, Person("ada", "x" * MAX_NAME), SPAM, AT).person.name == "x" * MAX_NAME


@pytest.mark.parametrize(
    ("decision", "name"), [(Decision("spam", "\udce4"), None), (SPAM, "\ud800")], ids=["note", "name"]
)
def test_what_no_item_can_hold_is_refused(decision: Decision, name: str | None) -> None:
    with pytest.raises(DecisionRefusedError, match="UTF-8"):
        decide(BLOCKED, Person("ada", name), decision, AT)


@pytest.mark.parametrize("act", [appeal, report, lambda *given: decide(BLOCKED, *given)])
def test_another_reason_needs_a_note(act: Sends) -> None:
    with pytest.raises(DecisionRefusedError, match="the reason 'other' needs a note"):
        act(ADA, Decision(OTHER, None), AT)
    assert act(ADA, Decision(OTHER, "why"), AT).decision.note == "why"


@pytest.mark.parametrize("status", sorted(set(Status) - {APPROVED, BLOCKED}))
def test_a_person_decides_one_way_or_the_other(status: Status) -> None:
    with pytest.raises(DecisionRefusedError, match=f"a person can decide APPROVED or BLOCKED, not {status}"):
        decide(status, ADA, SPAM, AT)


@pytest.mark.parametrize("after", [APPROVED, BLOCKED])
@pytest.mark.parametrize("before", sorted(FINAL))
def test_a_person_may_decide_whatever_is_final(before: Status, after: Status) -> None:
    verdict = a_verdict(before)

    decided = acted(verdict, decide(after, ADA, CONTEXT, AT))

    assert decided == replace(
        verdict,
        status=after,
        decided_at=AT,
        decided_by="person:Reviewer/ada",
        decided_by_name="Ada",
        decision=CONTEXT,
        revision=1,
        change=Change(Cause.DECISION, announce=True),
        history=(
            HistoryEntry(
                cause=Cause.DECISION,
                at=AT,
                by="person:Reviewer/ada",
                name="Ada",
                before=before,
                after=after,
                since=FIRST,
                reason="context",
                note="a scene of a film",
            ),
        ),
    )


@pytest.mark.parametrize("status", sorted(FINAL))
@pytest.mark.parametrize(
    ("send", "sent_from", "cause", "word"),
    [(appeal, BLOCKED, Cause.APPEAL, "appealed"), (report, APPROVED, Cause.REPORT, "reported")],
)
def test_an_upload_is_sent_back_from_the_status_that_is_doubted(
    status: Status, send: Sends, sent_from: Status, cause: Cause, word: str
) -> None:
    act = send(INTAKE, SPAM, AT)

    if status is sent_from:
        sent = acted(a_verdict(status), act)
        assert (sent.status, sent.change, sent.revision) == (REVIEW, Change(cause, announce=True), 1)
        assert (sent.decided_by, sent.decided_by_name, sent.decision) == ("person:Intake/form", None, SPAM)
        (entry,) = sent.history
        assert (entry.cause, entry.before, entry.after, entry.since, entry.name) == (cause, status, REVIEW, FIRST, None)
        assert sent.recused is None  # a policy decided, so that anybody may look
    else:
        with pytest.raises(DecisionRefusedError, match=f"only {sent_from} uploads can be {word}, .* is {status}; "):
            acted(a_verdict(status), act)


@pytest.mark.parametrize(("decided", "send"), [(BLOCKED, appeal), (APPROVED, report)])
def test_whose_decision_is_doubted_does_not_decide_again(decided: Status, send: Sends) -> None:
    first = acted(a_verdict(), decide(decided, ADA, SPAM, AT))
    doubted = acted(first, send(INTAKE, CONTEXT, LATER))
    assert doubted.recused == ADA.decided_by

    for name in ("Ada", "Somebody else", None):
        with pytest.raises(DecisionRefusedError, match="another person has to decide"):
            acted(doubted, decide(APPROVED, Person(ADA.id, name), CONTEXT, LATEST))

    done = acted(doubted, decide(APPROVED, GRACE, CONTEXT, LATEST))
    assert (done.status, done.recused, done.revision) == (APPROVED, None, 3)


def test_whose_confirmation_is_doubted_does_not_decide_until_a_policy_has_judged_again() -> None:
    confirmed = acted(replace(a_verdict(APPROVED), is_sample=True), confirm(ADA, None, AT))
    judged_again = replace(confirmed, change=Change(Cause.POLICY, announce=False))

    assert acted(confirmed, report(INTAKE, CONTEXT, LATER)).recused == ADA.decided_by
    assert acted(judged_again, report(INTAKE, CONTEXT, LATER)).recused is None


def test_whoever_takes_an_appeal_in_may_decide_on_it() -> None:
    doubted = acted(blocked_by(ADA), appeal(GRACE, CONTEXT, LATER))

    assert acted(doubted, decide(APPROVED, GRACE, CONTEXT, LATEST)).status is APPROVED


def test_an_appeal_of_what_a_policy_decided_after_a_person_recuses_nobody() -> None:
    verdict = replace(blocked_by(ADA), decided_by="policy", decision=None)

    assert acted(verdict, appeal(INTAKE, CONTEXT, LATER)).recused is None


def test_the_decision_of_a_second_appeal_is_a_third_persons() -> None:
    once = acted(acted(blocked_by(ADA), appeal(INTAKE, CONTEXT, LATER)), decide(BLOCKED, GRACE, SPAM, LATER))

    twice = acted(once, appeal(INTAKE, CONTEXT, LATEST))

    assert twice.recused == GRACE.decided_by


def test_an_undo_is_another_decision() -> None:
    blocked = blocked_by(ADA)

    undone = acted(blocked, decide(APPROVED, ADA, CONTEXT, LATER))

    assert (undone.status, undone.revision, undone.decision) == (APPROVED, 2, CONTEXT)
    assert [(entry.before, entry.after, entry.since, entry.at) for entry in undone.history] == [
        (REVIEW, BLOCKED, FIRST, AT),
        (BLOCKED, APPROVED, AT, LATER),
    ]


@pytest.mark.parametrize(
    ("by", "until", "is_free"),
    [
        (GRACE, LATER, False),
        (GRACE, "2026-11-22T13:00:00.001Z", False),
        (GRACE, AT, True),
        (GRACE, FIRST, True),
        (ADA, LATER, True),
    ],
)
def test_what_another_reviewer_is_looking_at_is_not_decided(by: Person, until: str, is_free: bool) -> None:
    verdict = a_verdict(review_claim=ReviewClaim(by.decided_by, until))
    act = decide(BLOCKED, ADA, SPAM, AT)

    if is_free:
        assert acted(verdict, act).review_claim is None
    else:
        with pytest.raises(DecisionRefusedError, match=f"person:grace is looking at it until {until}"):
            acted(verdict, act)


@pytest.mark.parametrize(("status", "send"), [(BLOCKED, appeal), (APPROVED, report)])
def test_no_appeal_and_no_report_waits_for_a_reviewer(status: Status, send: Sends) -> None:
    verdict = a_verdict(status, review_claim=ReviewClaim(GRACE.decided_by, LATER))

    sent = acted(verdict, send(INTAKE, SPAM, AT))

    assert (sent.status, sent.review_claim) == (REVIEW, None)


@pytest.mark.parametrize("status", [APPROVED, BLOCKED])
def test_a_full_history_refuses_every_act(status: Status) -> None:
    one = blocked_by(ADA).history
    full = a_verdict(status, history=one * MAX_HISTORY)
    back = appeal(INTAKE, SPAM, LATER) if status is BLOCKED else report(INTAKE, SPAM, LATER)

    for act in (decide(BLOCKED, ADA, SPAM, LATER), back):
        with pytest.raises(DecisionRefusedError, match=r"history is full \(100 entries\); upload the object again"):
            acted(full, act)
        assert len(acted(replace(full, history=one * (MAX_HISTORY - 1)), act).history) == MAX_HISTORY


@pytest.mark.parametrize("note", [None, "why"])
@pytest.mark.parametrize("name", [None, "Ada"])
def test_what_people_did_survives_its_document(note: str | None, name: str | None) -> None:
    (entry,) = acted(a_verdict(), decide(BLOCKED, Person("ada", name), Decision("spam", note), AT)).history

    document = _stored(entry.to_document())

    assert HistoryEntry.from_document(document) == entry
    assert {"cause", "at", "by", "from", "to", "since", "reason"} == set(document) - {"name", "note"}
    assert ("name" in document, "note" in document) == (name is not None, note is not None)
    assert Decision.from_document(_stored(Decision("spam", note).to_document())) == Decision("spam", note)
    assert ReviewClaim.from_document(_stored(ReviewClaim("person:ada", AT).to_document())) == ReviewClaim(
        "person:ada", AT
    )


@pytest.mark.parametrize("cause", Cause)
@pytest.mark.parametrize("announce", [True, False])
def test_a_change_survives_its_document(cause: Cause, announce: bool) -> None:
    change = Change(cause, announce)

    assert Change.from_document(_stored(change.to_document())) == change


def _stored(document: dict[str, Any]) -> dict[str, Any]:
    stored: dict[str, Any] = TypeDeserializer().deserialize(TypeSerializer().serialize(document))
    return stored
