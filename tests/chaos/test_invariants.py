"""The checker itself: each way in which a run can go wrong is found, and a run without fault is let alone."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from gatehouse.moderation.decision import Decision, acted, appeal, decide
from gatehouse.moderation.failure import Failure
from gatehouse.moderation.flag import Flag
from gatehouse.moderation.person import Person
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import claim_item, verdict_item
from tests.chaos.invariants import Observed, violations
from tests.chaos.ledger import Entry, Kind, Ledger
from tests.chaos.watch import Watch
from tests.unit.builders import a_claim, a_verdict, an_upload

ENTRIES = (
    Entry("a.jpg", "v1", Kind.CLEAN),
    Entry("b.jpg", "v2", Kind.BLOCKED),
    Entry("c.jpg", "v3", Kind.REVIEW),
    Entry("t.jpg", "v4", Kind.TEXT),
    Entry("e.jpg", "v5", Kind.EMPTY),
    Entry("m.png", "v7", Kind.ANIMATED),
    Entry("a.jpg", "v6", Kind.BLOCKED),  # the first one overwritten
)


def verdict(entry: Entry, status: Status | None = None, **fields: Any) -> Verdict:
    """A final verdict of an upload; the right one if none is named."""
    upload = an_upload(entry.key, sequencer=f"{int(entry.version_id[1:]):x}", version_id=entry.version_id)
    return a_verdict(status or entry.kind.status, a_claim(upload), **fields)


def a_ledger(**fields: Any) -> Ledger:
    """Of all the entries."""
    ledger = Ledger(**fields)
    for entry in ENTRIES:
        ledger.add(entry)
    return ledger


def flag(of: Verdict) -> dict[str, Any]:
    """The body of a verdict's flag."""
    body: dict[str, Any] = json.loads(Flag.of(of).body)
    return body


def observed(verdicts: Mapping[str, Verdict] | None = None, **fields: Any) -> Observed:
    """A run in which nothing went wrong; `verdicts` take the place of the right ones, by version id."""
    standing = {entry.version_id: verdict(entry) for entry in ENTRIES} | dict(verdicts or {})
    defaults: dict[str, Any] = {
        "items": [verdict_item(one) for one in standing.values()],
        "flags": [flag(one) for one in standing.values() if one.status in (Status.REVIEW, Status.BLOCKED)],
        "events": [flag(one) for one in standing.values()],
        "analyzed": {"a.jpg": 2, "b.jpg": 1, "c.jpg": 1, "m.png": 1},
        "stored": frozenset((entry.key, entry.version_id) for entry in ENTRIES),
        "waiting": {"IngestQueueUrl": 0},
    }
    return Observed(**defaults | fields)


def without(version_id: str) -> Callable[[Observed], Observed]:
    return lambda run: replace(run, items=[item for item in run.items if item["version_id"] != version_id])


def pending(version_id: str) -> Callable[[Observed], Observed]:
    claim = claim_item(verdict(ENTRIES[0]).claim)
    return lambda run: replace(run, items=[claim if item["version_id"] == version_id else item for item in run.items])


def test_a_run_without_fault_violates_nothing() -> None:
    assert violations(a_ledger(), observed()) == []


@pytest.mark.parametrize(
    ("doctored", "sentence"),
    [
        (without("v2"), "I1: b.jpg (v2) has 0 verdicts"),
        (lambda run: replace(run, items=[*run.items, run.items[1]]), "I1: b.jpg (v2) has 2 verdicts"),
        (pending("v1"), "I1: a.jpg is PENDING in batch batch-1"),
        (lambda run: replace(run, waiting={"ChunkQueueUrl": 3}), "I1: 3 left in ChunkQueueUrl"),
        (lambda run: replace(run, dead_letters=1), "I1: 1 dead letters instead of 0"),
        (without("v6"), "I2: the newest verdict of a.jpg is not its newest upload's"),
        (lambda run: replace(run, changed=["b.jpg was ... and became ..."]), "I2: b.jpg was ... and became ..."),
        (lambda run: replace(run, analyzed={**run.analyzed, "a.jpg": 0}), "I3: a.jpg has 1 approvals and 0 analyses"),
        (
            lambda run: replace(run, analyzed={**run.analyzed, "b.jpg": 2}),
            "I4: 1 analyses too many where the faults justify 0; b.jpg was analyzed 2 times",
        ),
        (
            lambda run: replace(run, analyzed={**run.analyzed, "t.jpg": 1}),
            "I4: 1 analyses too many where the faults justify 0; t.jpg was analyzed 1 times",
        ),
        (lambda run: replace(run, flags=run.flags[1:]), "I5: b.jpg is BLOCKED and no flag with its id came"),
        (
            lambda run: replace(run, flags=[*run.flags, {**run.flags[0], "id": "other"}]),
            "I5: b.jpg was flagged under 2 ids",
        ),
        (
            lambda run: replace(run, flags=[*run.flags, flag(verdict(Entry("x.jpg", "v9", Kind.BLOCKED)))]),
            "I5: x.jpg was flagged and has no verdict",
        ),
        (
            lambda run: replace(run, flags=[*run.flags, flag(verdict(ENTRIES[0], Status.BLOCKED))]),
            "I5: a.jpg is APPROVED and was flagged as BLOCKED",
        ),
        (
            lambda run: replace(run, events=run.events[1:]),
            "events: a.jpg is APPROVED and no event with its id came or is kept",
        ),
        (
            lambda run: replace(run, events=[*run.events, flag(verdict(Entry("x.jpg", "v9", Kind.CLEAN)))]),
            f"events: x.jpg ({'9'.zfill(40)}) was announced and has no verdict",
        ),
        (
            lambda run: replace(run, stored=run.stored | {("results.jsonl", "v9")}),
            "I7: results.jsonl (v9) is in the watched bucket and nobody uploaded it",
        ),
        (lambda run: replace(run, unstruck=["s3:PutObject ..."]), "no strike: s3:PutObject ..."),
    ],
)
def test_what_is_wrong_is_found(doctored: Callable[[Observed], Observed], sentence: str) -> None:
    assert sentence in violations(a_ledger(), doctored(observed()))


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if entry.kind is not Kind.CLEAN])
def test_nothing_but_clean_bytes_may_be_approved(entry: Entry) -> None:
    found = violations(a_ledger(), observed({entry.version_id: verdict(entry, Status.APPROVED)}))

    assert f"I3: {entry.key} is {entry.kind} and became APPROVED, not {entry.kind.status}" in found


def test_a_verdict_of_an_upload_that_nobody_made_is_found() -> None:
    stranger = verdict_item(verdict(Entry("x.jpg", "v9", Kind.CLEAN)))
    run = observed()

    found = violations(a_ledger(), replace(run, items=[*run.items, stranger]))

    assert "I1: x.jpg (v9) was never uploaded and has 1 verdicts" in found


def test_a_failure_is_right_only_where_its_cause_was_injected() -> None:
    run = observed({"v1": verdict(ENTRIES[0], Status.FAILED)})

    assert any(sentence.startswith("I3: a.jpg is clean and became FAILED") for sentence in violations(a_ledger(), run))
    assert violations(a_ledger(legitimate_failures=frozenset({"NotAnalyzed"})), run) == []


def test_a_failure_may_be_right_for_the_uploads_of_one_key_only() -> None:
    code = "InternalServerError"
    run = observed({"v1": verdict(ENTRIES[0], Status.FAILED, failure=Failure(code, "Told to fail."))})

    assert violations(a_ledger(failing={"a.jpg": frozenset({code})}), run) == []
    for others in ({"b.jpg": frozenset({code})}, {"a.jpg": frozenset({"NotAnalyzed"})}, {}):
        found = violations(a_ledger(failing=others), run)
        assert any(sentence.startswith("I3: a.jpg is clean and became FAILED") for sentence in found)


def test_an_image_that_never_has_an_answer_is_not_approved() -> None:
    run = observed(analyzed={"a.jpg": 1, "b.jpg": 1, "c.jpg": 1, "m.png": 1, "p.jpg": 0})
    poisoned = Entry("p.jpg", "v8", Kind.CLEAN)
    ledger = a_ledger(failing={"p.jpg": frozenset({"InternalServerError"})})
    ledger.add(poisoned)
    stored = run.stored | {("p.jpg", "v8")}

    standing = verdict(poisoned)
    events = [*run.events, flag(standing)]
    items = [*run.items, verdict_item(standing)]
    found = violations(ledger, replace(run, items=items, events=events, stored=stored))

    assert found == ["I3: p.jpg has 1 approvals and 0 analyses"]


def test_a_legitimate_failure_does_not_make_an_approval_right() -> None:
    run = observed({"v2": verdict(ENTRIES[1], Status.APPROVED)})

    found = violations(a_ledger(legitimate_failures=frozenset({"NotAnalyzed"})), run)

    assert any(sentence.startswith("I3: b.jpg is blocked and became APPROVED") for sentence in found)


def test_an_upload_whose_bytes_are_gone_may_be_anything_but_approved() -> None:
    ledger = a_ledger()
    ledger.add(replace(ENTRIES[0], is_gone=True))

    assert any(
        sentence.startswith("I3: a.jpg is clean and became APPROVED") for sentence in violations(ledger, observed())
    )
    assert violations(ledger, observed({"v1": verdict(ENTRIES[0], Status.FAILED)})) == []


def test_a_job_may_say_of_an_older_upload_what_it_read_in_a_newer_one_but_not_approve_it() -> None:
    ledger = Ledger()
    older, newer = Entry("k.jpg", "v1", Kind.CLEAN), Entry("k.jpg", "v2", Kind.BLOCKED)
    for entry in (older, newer):
        ledger.add(entry)

    assert ledger.right_statuses(older, "bulk", None) == {Status.APPROVED, Status.BLOCKED}
    assert ledger.right_statuses(older, "image", None) == {Status.APPROVED}
    assert ledger.right_statuses(newer, "bulk", None) == {Status.BLOCKED}


APPEALED = acted(verdict(ENTRIES[1]), appeal(Person("alice"), Decision("context", None), "2026-11-23T09:00:00.000Z"))
DECIDED = acted(
    APPEALED, decide(Status.APPROVED, Person("bob"), Decision("false-positive", None), "2026-11-23T09:01:00.000Z")
)


def acted_on(**fields: Any) -> Observed:
    """A run in which an upload was appealed and approved, and nothing went wrong."""
    run = observed({"v2": DECIDED})
    first = flag(verdict(ENTRIES[1]))
    return replace(run, flags=[*run.flags, first], announced=[flag(APPEALED), flag(DECIDED)], **fields)


def test_what_people_did_and_subscribers_were_told_of_is_let_alone() -> None:
    assert violations(a_ledger(changes=[APPEALED, DECIDED]), acted_on()) == []


@pytest.mark.parametrize(
    ("ledger", "doctored", "sentence"),
    [
        (
            {"changes": [APPEALED]},
            lambda run: run,
            "I11: b.jpg is at revision 2, not as person:alice left it at 1",
        ),
        ({}, lambda run: run, "I11: b.jpg has revision 2 and nobody acted on it"),
        (
            {"changes": [DECIDED]},
            lambda run: run,
            "I11: b.jpg was acted on under the revisions [2]",
        ),
        (
            {"changes": [APPEALED, DECIDED], "undone": [DECIDED]},
            lambda run: run,
            "I11: b.jpg has 1 entries of acts that were refused",
        ),
        (
            {"changes": [APPEALED, DECIDED]},
            lambda run: replace(run, announced=run.announced[:1]),
            "I11: b.jpg changed to APPROVED at revision 2 and no flag came",
        ),
        (
            {"changes": [APPEALED, DECIDED]},
            lambda run: replace(run, announced=[*run.announced, {**run.announced[0], "id": "other"}]),
            "I11: b.jpg has flags of 1 changes that nobody made",
        ),
        (
            {"changes": [APPEALED, DECIDED]},
            lambda run: replace(run, announced=[*run.announced, flag(verdict(ENTRIES[0], Status.BLOCKED))]),
            "I11: a.jpg has flags of changes and nobody acted on it",
        ),
        (
            {"changes": [APPEALED, DECIDED]},
            lambda run: replace(run, given_up=[DECIDED]),
            "I11: 1 changes given up instead of 0",
        ),
        (
            {"changes": [APPEALED, DECIDED], "given_up": 1},
            lambda run: run,
            "I11: 0 changes given up instead of 1",
        ),
    ],
)
def test_a_change_that_is_lost_or_told_wrongly_is_found(
    ledger: Mapping[str, Any], doctored: Callable[[Observed], Observed], sentence: str
) -> None:
    assert sentence in violations(a_ledger(**ledger), doctored(acted_on()))


def test_a_change_that_the_failure_queue_names_needs_no_flag() -> None:
    run = acted_on(given_up=[DECIDED])

    found = violations(a_ledger(changes=[APPEALED, DECIDED], given_up=1), replace(run, announced=[flag(APPEALED)]))

    assert found == []


def test_analyses_that_the_faults_justify_are_let_alone() -> None:
    run = observed(analyzed={"a.jpg": 3, "b.jpg": 2, "c.jpg": 1})

    assert violations(a_ledger(paid_again=2), run) == []
    assert violations(a_ledger(paid_again=1), run) != []


def test_a_picture_over_what_holds_none_may_be_analyzed_by_the_job_of_either() -> None:
    ledger = Ledger()
    for version, kind in (("v1", Kind.TEXT), ("v2", Kind.EMPTY), ("v3", Kind.CLEAN), ("v4", Kind.TEXT)):
        ledger.add(Entry("k.jpg", version, kind))

    assert ledger.paid_uploads() == {"k.jpg": 2}  # of what was there before, an empty object is in no manifest


def test_a_dead_letter_that_belongs_there_is_missed_if_it_is_not() -> None:
    assert violations(a_ledger(dead_letters=1), observed()) == ["I1: 0 dead letters instead of 1"]


def test_thousands_of_the_same_are_told_in_a_few_sentences() -> None:
    ledger = Ledger()
    for number in range(1000):
        ledger.add(Entry(f"{number}.jpg", "v1", Kind.CLEAN))

    assert violations(ledger, Observed()) == [
        *(f"I1: {number}.jpg (v1) has 0 verdicts" for number in range(3)),
        "I1: and 997 more",
    ]


@pytest.mark.parametrize("changed", [{"status": "REVIEW"}, {"decided_at": "2026-11-23T00:00:00.000Z"}])
def test_a_final_verdict_that_changes_during_a_run_is_seen(changed: Mapping[str, str]) -> None:
    watch = Watch(list)
    item = verdict_item(verdict(ENTRIES[0]))

    watch.look([item])
    watch.look([item])
    assert watch.changed() == []
    watch.look([{**item, **changed}])

    assert len(watch.changed("a.jpg")) == 1
    assert watch.changed("b.jpg") == []


def test_a_final_verdict_that_changes_with_a_higher_revision_is_a_change_like_any_other() -> None:
    watch = Watch(list)

    for standing in (verdict(ENTRIES[1]), APPEALED, DECIDED):
        watch.look([verdict_item(standing)])
    assert watch.changed() == []
    watch.look([verdict_item(APPEALED)])

    assert len(watch.changed()) == 1


def test_a_claim_that_becomes_a_verdict_is_no_change() -> None:
    watch = Watch(list)
    standing = verdict(ENTRIES[0])

    watch.look([claim_item(standing.claim)])
    watch.look([verdict_item(standing)])

    assert watch.changed() == []
