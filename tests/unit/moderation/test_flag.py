import json
from typing import Any

import pytest
from hypothesis import given

from gatehouse.moderation.analysis import Label
from gatehouse.moderation.change import Cause, Change
from gatehouse.moderation.decision import Decision, acted, decide
from gatehouse.moderation.failure import Failure
from gatehouse.moderation.flag import Flag
from gatehouse.moderation.person import Person
from gatehouse.moderation.reason import PolicyReference, Reason
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from tests.unit.builders import a_claim, a_verdict, an_analysis, an_upload
from tests.unit.moderation.test_upload import KEYS

LATER = "2026-11-23T08:00:00.000Z"


def _body(flag: Flag) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(flag.body)
    return body


def test_a_flag_is_complete_in_itself() -> None:
    verdict = a_verdict(claim=a_claim(an_upload(version_id="v1"), lane="avatars"))

    flag = Flag.of(verdict)

    assert _body(flag) == {
        "schema": "gatehouse.flag/1",
        "id": flag.id,
        "object": {
            "bucket": "uploads",
            "key": "cat.jpg",
            "version_id": "v1",
            "etag": "d41d8cd98f00b204e9800998ecf8427e",
            "size": 1000,
        },
        "version": "0000000000000000000000" + "0055aed6dcd90281e5",
        "lane": "avatars",
        "status": "REVIEW",
        "revision": 0,
        "cause": "verdict",
        "decided_by": "policy",
        "decision": None,
        "reasons": [
            {"rule": "Violence", "label": "Violence", "confidence": 92.5, "outcome": "review", "threshold": 50.0}
        ],
        "labels": [{"name": "Violence", "parent": "", "confidence": 92.5, "level": 1}],
        "content_types": [],
        "frames": None,
        "rendition": None,
        "policy": {"name": "test", "version": "1", "hash": "0" * 64},
        "error": None,
        "uploaded_at": "2026-11-22T11:59:30.000Z",
        "decided_at": "2026-11-22T12:01:00.000Z",
        "batch_id": "batch-1",
    }


def test_attributes_let_subscribers_filter() -> None:
    reasons = (
        Reason("Violence", "Weapons", 90.0, "block", 90.0),
        Reason("unknown label", "Strange", 95.123456789, "review", 50.0),
        Reason("unknown label", "Stranger", 60.0, "review", 50.0),
        Reason("Violence", "Weapons", 90.0, "block", 90.0),
    )
    labels = (Label("Strange", "Corpses", 95.0), Label("Stranger", "nowhere", 60.0), Label("Weapons", "Violence", 90.0))

    assert Flag.of(a_verdict(reasons=reasons, analysis=an_analysis(labels=labels))).attributes == {
        "status": "REVIEW",
        "lane": "default",
        "bucket": "uploads",
        "cause": "verdict",
        "categories": ("Violence", "Visually Disturbing", "Stranger"),
        "labels": ("Weapons", "Strange", "Stranger"),
        "max_confidence": 95.123456789,
    }


@pytest.mark.parametrize("status", [Status.APPROVED, Status.UNSUPPORTED, Status.FAILED])
def test_attributes_without_a_value_are_left_out(status: Status) -> None:
    assert set(Flag.of(a_verdict(status)).attributes) == {"status", "lane", "bucket", "cause"}


def test_a_flag_of_a_decision_says_who_decided_and_why() -> None:
    act = decide(Status.APPROVED, Person("Reviewer/ada", "Ada"), Decision("context", "a film"), LATER)

    flag = Flag.of(acted(a_verdict(), act))

    body = _body(flag)
    assert (body["status"], body["revision"], body["cause"]) == ("APPROVED", 1, "decision")
    assert (body["decided_by"], body["decided_at"]) == ("person:Reviewer/ada", LATER)
    assert body["decision"] == {"reason": "context", "note": "a film"}
    assert (flag.attributes["status"], flag.attributes["cause"]) == ("APPROVED", "decision")
    assert flag.attributes["labels"] == ("Violence",)


@pytest.mark.parametrize("cause", Cause)
def test_subscribers_may_filter_by_the_cause(cause: Cause) -> None:
    flag = Flag.of(a_verdict(revision=1, change=Change(cause, announce=True)))

    assert flag.attributes["cause"] == _body(flag)["cause"] == cause.value
    assert len(Flag.of(a_verdict()).attributes) == 7


def test_a_failure_is_told() -> None:
    body = _body(Flag.of(a_verdict(Status.FAILED, failure=Failure("Superseded", "overwritten"))))

    assert body["error"] == {"code": "Superseded", "message": "overwritten"}
    assert (body["policy"], body["labels"], body["reasons"]) == (None, [], [])


def test_the_id_does_not_depend_on_when_it_is_sent() -> None:
    first = Flag.of(a_verdict())
    again = Flag.of(a_verdict(claim=a_claim(batch_id="batch-2", claimed_at="later", attempt=2), job_id="job-2"))

    assert first.id == again.id
    assert len(first.id) == 64


def test_the_id_depends_on_what_was_decided_about_what() -> None:
    verdicts = [
        a_verdict(),
        a_verdict(Status.BLOCKED),
        a_verdict(policy=PolicyReference("test", "1", "1" * 64)),
        a_verdict(claim=a_claim(an_upload("dog.jpg"))),
        a_verdict(claim=a_claim(an_upload(bucket="other"))),
        a_verdict(claim=a_claim(an_upload(sequencer="1"))),
        a_verdict(Status.FAILED, failure=Failure("A", "a")),
        a_verdict(Status.FAILED, failure=Failure("B", "a")),
        a_verdict(Status.UNSUPPORTED, failure=Failure("A", "a")),
    ]

    assert len({Flag.of(verdict).id for verdict in verdicts}) == len(verdicts)


@pytest.mark.parametrize(
    ("verdict", "identity"),
    [
        (a_verdict(), "6c06a63165446963ac225d8625dcd59aaaff4b101b0222e28dbc5e9dbd154b93"),
        (
            a_verdict(Status.FAILED, failure=Failure("Superseded", "overwritten")),
            "c879fc58b7d69e755fafcc4f0fde1a0fb7b8eced283e28eda98849b5e04617a1",
        ),
    ],
)
def test_the_id_of_a_first_verdict_is_what_it_was_before_people_decided(verdict: Verdict, identity: str) -> None:
    assert Flag.of(verdict).id == identity


def test_the_id_of_a_change_depends_on_its_cause_and_revision() -> None:
    changes = [(cause, revision) for cause in Cause for revision in (1, 2, 11)]
    ids = {Flag.of(a_verdict(revision=n, change=Change(cause, announce=True))).id for cause, n in changes}

    assert len(ids | {Flag.of(a_verdict()).id}) == len(changes) + 1


def test_the_id_of_a_change_does_not_depend_on_what_it_was_judged_by_nor_on_whether_it_is_announced() -> None:
    change: dict[str, Any] = {"revision": 2, "change": Change(Cause.POLICY, announce=True)}
    one = a_verdict(**change)
    other = a_verdict(policy=PolicyReference("test", "1", "1" * 64), **change)

    assert Flag.of(one).id == Flag.of(other).id
    assert Flag.of(one).id == Flag.of(a_verdict(revision=2, change=Change(Cause.POLICY, announce=False))).id


@given(key=KEYS)
def test_a_body_is_ascii_and_gives_the_key_back(key: str) -> None:
    flag = Flag.of(a_verdict(claim=a_claim(an_upload(key))))

    assert flag.body.isascii()
    assert _body(flag)["object"]["key"] == key
