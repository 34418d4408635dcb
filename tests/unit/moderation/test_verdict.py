import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from gatehouse.moderation.analysis import CONFIDENCE_DECIMALS, Analysis, ContentType, Label
from gatehouse.moderation.change import Cause, Change, HistoryEntry
from gatehouse.moderation.decision import DECIDING, Decision, ReviewClaim
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.failure import Failure
from gatehouse.moderation.reason import PolicyReference, Reason
from gatehouse.moderation.status import FINAL, FLAGGED, Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import (
    DECISION_ATTRIBUTES,
    DECISION_INDEX_PARTITION,
    INDEX_PARTITION,
    INDEX_SORT,
    claim_from_item,
    claim_item,
    decision_item,
    decision_partition,
    expiry,
    index_partition,
    verdict_from_item,
    verdict_item,
)
from tests.unit.builders import ADAPTER, a_claim, a_verdict, an_analysis, an_upload

DECIDED = (Status.APPROVED, Status.REVIEW, Status.BLOCKED)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
CONFIDENCES = st.floats(0, 100).map(lambda value: round(value, CONFIDENCE_DECIMALS))
OUTCOMES = st.sampled_from(["review", "block"])
ANALYSES = st.builds(
    Analysis,
    labels=st.lists(st.builds(Label, TEXT, TEXT | st.just(""), CONFIDENCES, st.sampled_from([None, 1, 2, 3]))).map(
        tuple
    ),
    content_types=st.lists(st.builds(ContentType, TEXT, CONFIDENCES)).map(tuple),
    model_version=st.none() | TEXT,
)
REASONS = st.builds(Reason, TEXT, TEXT, CONFIDENCES, OUTCOMES, CONFIDENCES, st.none() | TEXT)
ENTRIES = st.builds(
    HistoryEntry,
    cause=st.sampled_from(Cause),
    at=TEXT,
    by=TEXT,
    name=st.none() | TEXT,
    before=st.sampled_from(Status),
    after=st.sampled_from(Status),
    since=TEXT,
    reason=TEXT,
    note=st.none() | TEXT,
)
JUDGED = st.builds(
    Verdict,
    claim=st.just(a_claim(an_upload(version_id="v1"), attempt=2)),
    status=st.sampled_from(DECIDED),
    decided_at=st.just("2026-11-22T12:01:00.000Z"),
    reasons=st.lists(REASONS, max_size=3).map(tuple),
    analysis=ANALYSES,
    policy=st.builds(PolicyReference, TEXT, TEXT, TEXT),
    engine=st.sampled_from([Engine.BULK, Engine.IMAGE]),
    job_id=st.none() | TEXT,
    min_confidence=st.none() | CONFIDENCES,
    decided_by=st.none() | TEXT,
    decided_by_name=st.none() | TEXT,
    decision=st.none() | st.builds(Decision, TEXT, st.none() | TEXT),
    revision=st.integers(0, 2**40),
    change=st.none() | st.builds(Change, st.sampled_from(Cause), st.booleans()),
    history=st.lists(ENTRIES, max_size=3).map(tuple),
    recused=st.none() | TEXT,
    review_claim=st.none() | st.builds(ReviewClaim, TEXT, TEXT),
)
FAILED = st.builds(
    Verdict,
    claim=st.just(a_claim()),
    status=st.sampled_from([Status.FAILED, Status.UNSUPPORTED]),
    decided_at=st.just("2026-11-22T12:01:00.000Z"),
    failure=st.builds(Failure, TEXT, TEXT),
    engine=st.none() | st.just(Engine.BULK),
    job_id=st.none() | TEXT,
)


def _through_dynamodb(item: dict[str, Any]) -> Any:
    return TypeDeserializer().deserialize(TypeSerializer().serialize(item))


def _with_floats(value: Any) -> Any:
    """The item as JSON readers and exports have it."""
    return json.loads(json.dumps(value, default=float))


def test_every_status_but_pending_is_final() -> None:
    assert set(FINAL) == set(Status) - {Status.PENDING}
    assert {Status.REVIEW, Status.BLOCKED} == FLAGGED


@pytest.mark.parametrize("version_id", [None, "v1"])
def test_a_claim_survives_its_item(version_id: str | None) -> None:
    claim = a_claim(an_upload(version_id=version_id), attempt=2, lane="avatars")

    item = claim_item(claim)

    assert item["status"] == "PENDING"
    assert ("version_id" in item) is (version_id is not None)
    assert claim_from_item(item) == claim
    assert claim_from_item({**item, "attempt": Decimal(2), "size": Decimal(1000)}) == claim


def test_a_pending_item_is_in_no_index_and_never_expires() -> None:
    assert not {INDEX_PARTITION, INDEX_SORT, "expires_at"} & set(claim_item(a_claim()))


@pytest.mark.parametrize("status", sorted(FINAL))
def test_a_final_item_keeps_its_claim(status: Status) -> None:
    claim = a_claim(attempt=3)
    item = verdict_item(a_verdict(status, claim))

    assert item["status"] == status.value
    assert claim_from_item(item) == claim


@pytest.mark.parametrize("status", sorted(FINAL))
def test_the_index_holds_every_final_status_but_approved(status: Status) -> None:
    verdict = a_verdict(status)
    item = verdict_item(verdict)

    if status is Status.APPROVED:
        assert not {INDEX_PARTITION, INDEX_SORT} & set(item)
    else:
        assert re.fullmatch(rf"{status}#2026-11-22#[0-9]", item[INDEX_PARTITION])
        assert item[INDEX_SORT] == f"2026-11-22T12:01:00.000Z#{verdict.upload.version}"


def test_the_index_spreads_a_day_over_ten_partitions() -> None:
    partitions = {index_partition(Status.REVIEW, "2026-11-22", f"s3://uploads/{n}") for n in range(200)}

    assert partitions == {f"REVIEW#2026-11-22#{digit}" for digit in range(10)}


def test_a_judged_item_says_what_it_was_judged_on() -> None:
    analysis = an_analysis({"Violence": 92.5}, content_types=(ContentType("Animated", 72.75),), adapter=None)
    item = verdict_item(a_verdict(Status.BLOCKED, analysis=analysis, adapter_asked=ADAPTER), expires_at=1_800_000_000)

    assert item["labels"] == [{"name": "Violence", "parent": "", "confidence": Decimal("92.5"), "level": 1}]
    assert item["content_types"] == [{"name": "Animated", "confidence": Decimal("72.75")}]
    assert item["reasons"][0]["threshold"] == Decimal("50.0")
    assert item["adapter"] == {"asked": ADAPTER, "answered": None}
    assert (item["model_version"], item["engine"], item["job_id"]) == ("7.0", "bulk", "job-1")
    assert item["min_confidence"] == Decimal("30.0")
    assert item["policy"] == {"name": "test", "version": "1", "hash": "0" * 64}
    assert item["decided_by"] == "policy"
    assert item["expires_at"] == 1_800_000_000
    assert "error" not in item


def test_a_failed_item_says_why_and_that_no_policy_decided() -> None:
    item = verdict_item(a_verdict(Status.FAILED, failure=Failure("Superseded", "overwritten")))

    assert item["error"] == {"code": "Superseded", "message": "overwritten"}
    assert not {"policy", "decided_by", "labels", "expires_at"} & set(item)


@pytest.mark.parametrize("analysis", [Analysis(), an_analysis({"Weapons": 99.999992, "Violence": 0.0})])
def test_an_item_is_what_dynamodb_can_store(analysis: Analysis) -> None:
    assert json.dumps(TypeSerializer().serialize(verdict_item(a_verdict(analysis=analysis))))


def test_a_reported_failure_is_cut_to_what_can_be_stored() -> None:
    assert Failure.reported("C" * 129, "\ud800" + "é" * 1024) == Failure("C" * 128, "?" + "é" * 1023)


@given(verdict=JUDGED | FAILED)
def test_a_verdict_survives_its_item_with_decimals_and_with_floats(verdict: Verdict) -> None:
    item = verdict_item(verdict, expires_at=1_800_000_000)

    assert verdict_from_item(_through_dynamodb(item)) == verdict
    assert verdict_from_item(_with_floats(item)) == verdict


def test_an_item_from_before_people_decided_is_at_revision_0() -> None:
    item = verdict_item(a_verdict())
    assert not {"revision", "change", "history", "recused", "review_claim", "decision", "decided_by_name"} & set(item)

    verdict = verdict_from_item(item)

    assert (verdict.revision, verdict.change, verdict.history, verdict.recused) == (0, None, (), None)
    assert (verdict.decision, verdict.decided_by_name, verdict.review_claim) == (None, None, None)


@pytest.mark.parametrize("status", sorted(FINAL))
def test_what_waits_for_a_person_is_kept_until_they_decide(status: Status) -> None:
    expires = {
        item.get("expires_at") for item in (verdict_item(a_verdict(status), 7), decision_item(a_verdict(status), 7))
    }

    assert expires == {None if status is Status.REVIEW else 7}


def test_an_expiry_is_told_in_epoch_seconds() -> None:
    assert expiry(datetime(1970, 1, 2, tzinfo=UTC), timedelta(days=3)) == 4 * 86_400
    assert expiry(datetime(1970, 1, 2, tzinfo=UTC), None) is None


@pytest.mark.parametrize("cause", [None, *Cause])
@pytest.mark.parametrize("status", sorted(FINAL))
def test_the_index_of_decisions_holds_what_a_decision_made(status: Status, cause: Cause | None) -> None:
    at = "2026-11-22T12:01:00.000Z"
    act = cause and HistoryEntry(cause, at, "person:ann", None, Status.REVIEW, status, at, "context", None)
    verdict = a_verdict(
        status, revision=1, change=Change(cause, announce=True) if cause else None, history=(act,) if act else ()
    )
    item = verdict_item(verdict)

    if cause in DECIDING:
        assert re.fullmatch(r"2026-11-22#[0-9]", item[DECISION_INDEX_PARTITION])
        assert item[INDEX_SORT] == f"2026-11-22T12:01:00.000Z#{verdict.upload.version}"
    else:
        assert DECISION_INDEX_PARTITION not in item
    assert (INDEX_PARTITION in item) is (status is not Status.APPROVED)


def test_the_index_of_decisions_spreads_a_day_over_ten_partitions() -> None:
    partitions = {decision_partition("2026-11-22", f"s3://uploads/{n}") for n in range(200)}

    assert partitions == {f"2026-11-22#{digit}" for digit in range(10)}


@pytest.mark.parametrize("answered", [None, ADAPTER, "another"])
def test_a_verdict_remembers_which_adapter_was_asked_and_which_answered(answered: str | None) -> None:
    verdict = a_verdict(adapter_asked=ADAPTER, analysis=an_analysis({"Violence": 92.5}, adapter=answered))

    assert verdict_from_item(_through_dynamodb(verdict_item(verdict))) == verdict


def test_numbers_of_a_read_verdict_are_floats_and_whole_numbers() -> None:
    verdict = verdict_from_item(_through_dynamodb(verdict_item(a_verdict())))

    assert verdict.analysis is not None
    assert type(verdict.min_confidence) is float
    assert type(verdict.analysis.labels[0].confidence) is float
    assert type(verdict.analysis.labels[0].level) is int
    assert type(verdict.reasons[0].threshold) is float
    assert type(verdict.upload.size) is int


def test_a_claim_is_no_verdict_yet() -> None:
    with pytest.raises(ValueError, match=r"s3://uploads/cat.jpg is not decided yet"):
        verdict_from_item(claim_item(a_claim()))


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"status": "REVIEW"},
        {**verdict_item(a_verdict()), "status": "MAYBE"},
        {**verdict_item(a_verdict()), "labels": [{"name": "Violence"}]},
        {**verdict_item(a_verdict()), "labels": None},
        {**verdict_item(a_verdict()), "min_confidence": "much"},
        {**verdict_item(a_verdict()), "decided_at": ["2026-11-22T12:01:00.000Z"]},
        {**verdict_item(a_verdict()), "decided_by": {"person": "ada"}},
        {**verdict_item(a_verdict()), "reasons": [{**verdict_item(a_verdict())["reasons"][0], "label": ["Violence"]}]},
        {**verdict_item(a_verdict()), "revision": -1},
        {**verdict_item(a_verdict()), "revision": True},
        {**verdict_item(a_verdict()), "change": {"cause": "policy"}},
        {**verdict_item(a_verdict()), "change": {"cause": "whim", "announce": True}},
        {**verdict_item(a_verdict()), "change": {"cause": "policy", "announce": 1}},
        {**verdict_item(a_verdict()), "decision": {"note": "why"}},
        {**verdict_item(a_verdict()), "decision": {"reason": "spam", "note": 5}},
        {**verdict_item(a_verdict()), "decided_by_name": 5},
        {**verdict_item(a_verdict()), "recused": ["person:ada"]},
        {**verdict_item(a_verdict()), "review_claim": {"by": "person:ada"}},
        {**verdict_item(a_verdict()), "review_claim": {"by": 1, "until": "2026-11-22T12:00:00.000Z"}},
        {**verdict_item(a_verdict()), "history": {}},
        {**verdict_item(a_verdict()), "history": [{"cause": "decision"}]},
    ],
)
def test_an_item_of_someone_elses_is_refused(item: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        verdict_from_item(item)


@pytest.mark.parametrize("status", DECIDED)
def test_the_decision_is_the_part_of_an_item_that_a_second_look_replaces(status: Status) -> None:
    verdict = a_verdict(status)
    item, decision = verdict_item(verdict), decision_item(verdict)

    assert set(decision) <= set(DECISION_ATTRIBUTES)
    assert decision == {name: item[name] for name in DECISION_ATTRIBUTES if name in item}


def test_a_reason_names_its_content_type_only_where_one_decided() -> None:
    plain = Reason("Violence", "Weapons", 95.0, "block", 90.0)

    assert plain.to_document() == {
        "rule": "Violence",
        "label": "Weapons",
        "confidence": 95.0,
        "outcome": "block",
        "threshold": 90.0,
    }
    assert plain._replace(content_type="Animated").to_document() == plain.to_document() | {"content_type": "Animated"}
