import json
import re
from decimal import Decimal

import pytest
from boto3.dynamodb.types import TypeSerializer

from lambdas.moderation.analysis import Analysis, ContentType
from lambdas.moderation.verdict import (
    FINAL,
    FLAGGED,
    INDEX_PARTITION,
    INDEX_SORT,
    Failure,
    Status,
    claim_from_item,
    index_partition,
)
from tests.unit.builders import ADAPTER, a_claim, a_verdict, an_analysis, an_upload


def test_every_status_but_pending_is_final() -> None:
    assert set(FINAL) == set(Status) - {Status.PENDING}
    assert {Status.REVIEW, Status.BLOCKED} == FLAGGED


@pytest.mark.parametrize("version_id", [None, "v1"])
def test_a_claim_survives_its_item(version_id: str | None) -> None:
    claim = a_claim(an_upload(version_id=version_id), attempt=2, lane="avatars")

    item = claim.to_item()

    assert item["status"] == "PENDING"
    assert ("version_id" in item) is (version_id is not None)
    assert claim_from_item(item) == claim
    assert claim_from_item({**item, "attempt": Decimal(2), "size": Decimal(1000)}) == claim


def test_a_pending_item_is_in_no_index_and_never_expires() -> None:
    assert not {INDEX_PARTITION, INDEX_SORT, "expires_at"} & set(a_claim().to_item())


@pytest.mark.parametrize("status", sorted(FINAL))
def test_a_final_item_keeps_its_claim(status: Status) -> None:
    claim = a_claim(attempt=3)
    item = a_verdict(status, claim).to_item()

    assert item["status"] == status.value
    assert claim_from_item(item) == claim


@pytest.mark.parametrize("status", sorted(FINAL))
def test_the_index_holds_every_final_status_but_approved(status: Status) -> None:
    verdict = a_verdict(status)
    item = verdict.to_item()

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
    item = a_verdict(analysis=analysis, adapter_asked=ADAPTER).to_item(expires_at=1_800_000_000)

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
    item = a_verdict(Status.FAILED, failure=Failure("Superseded", "overwritten")).to_item()

    assert item["error"] == {"code": "Superseded", "message": "overwritten"}
    assert not {"policy", "decided_by", "labels", "expires_at"} & set(item)


@pytest.mark.parametrize("analysis", [Analysis(), an_analysis({"Weapons": 99.999992, "Violence": 0.0})])
def test_an_item_is_what_dynamodb_can_store(analysis: Analysis) -> None:
    assert json.dumps(TypeSerializer().serialize(a_verdict(analysis=analysis).to_item()))


def test_a_reported_failure_is_cut_to_what_can_be_stored() -> None:
    assert Failure.reported("C" * 129, "\ud800" + "é" * 1024) == Failure("C" * 128, "?" + "é" * 1023)
