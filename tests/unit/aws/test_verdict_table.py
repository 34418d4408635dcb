from typing import Any

import pytest
from boto3.dynamodb.types import TypeSerializer
from botocore.exceptions import ClientError

from gatehouse.aws import verdict_table
from gatehouse.aws.verdict_table import VerdictTable, VerdictTableBusyError
from gatehouse.moderation.change import Cause, HistoryEntry
from gatehouse.moderation.decision import ReviewClaim
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict_item import claim_from_item, claim_item, verdict_item
from tests.unit.aws_calls import canceled
from tests.unit.builders import a_claim, a_verdict, an_upload, uploads
from tests.unit.conftest import TABLE, Storage


def test_claims_of_unknown_uploads_hold(storage: Storage) -> None:
    claims = [a_claim(upload) for upload in uploads(3)]

    assert storage.table.claim(claims) == (claims, [])
    assert [claim_from_item(storage.item(claim.upload)) for claim in claims] == claims


def test_a_claim_loses_against_an_item_and_shows_it(storage: Storage) -> None:
    first, second = a_claim(batch_id="first"), a_claim(batch_id="second")
    storage.table.claim([first])

    held, (taken,) = storage.table.claim([second])

    assert held == []
    assert taken.claim == second
    assert claim_from_item(taken.item) == first
    assert claim_from_item(storage.item(first.upload)) == first


def test_a_loser_does_not_take_the_others_of_its_transaction_along(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdict_table, "ITEMS_A_CALL", 10)
    known = [a_claim(upload, batch_id="first") for upload in uploads(35)[::7]]
    storage.table.claim(known)
    claims = [a_claim(upload, batch_id="second") for upload in uploads(35)]

    held, taken = storage.table.claim(claims)

    assert {claim.upload for claim in held} == {claim.upload for claim in claims} - {claim.upload for claim in known}
    assert [claim_from_item(entry.item) for entry in taken] == known
    batches = {claim_from_item(item).batch_id for item in storage.items().values()}
    assert (len(storage.items()), batches) == (35, {"first", "second"})


@pytest.mark.parametrize(("count", "transactions"), [(0, 0), (1, 1), (100, 1), (101, 2)])
def test_claims_take_a_transaction_a_hundred(storage: Storage, count: int, transactions: int) -> None:
    storage.table.claim([a_claim(upload) for upload in uploads(count)])

    assert storage.calls.made["TransactWriteItems"] == transactions
    assert len(storage.items()) == count


def test_a_known_item_is_read_where_the_answer_leaves_it_out(storage: Storage) -> None:
    storage.table.claim([a_claim(batch_id="first")])
    storage.calls.answer_next("TransactWriteItems", canceled("ConditionalCheckFailed"), 400)

    _, (taken,) = storage.table.claim([a_claim(batch_id="second")])

    assert taken.item["batch_id"] == "first"


@pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
def test_a_passing_refusal_is_tried_again_after_a_pause(storage: Storage, code: str) -> None:
    pauses: list[float] = []
    table = VerdictTable(storage.dynamodb, TABLE, pause=pauses.append)
    claims = [a_claim(upload) for upload in uploads(2)]
    storage.calls.answer_next("TransactWriteItems", canceled("None", code), 400)

    assert table.claim(claims) == (claims, [])
    assert len(pauses) == 1


def test_conflicts_and_losers_are_told_apart(storage: Storage) -> None:
    claims = [a_claim(upload) for upload in uploads(3)]
    storage.table.claim([a_claim(claims[0].upload, batch_id="first")])
    storage.calls.answer_next(
        "TransactWriteItems", canceled("ConditionalCheckFailed", "TransactionConflict", "None"), 400
    )

    held, taken = storage.table.claim(claims)

    assert held == claims[1:]
    assert [entry.claim for entry in taken] == claims[:1]


def test_endless_conflicts_are_given_back_to_the_caller(storage: Storage) -> None:
    for _ in range(8):
        storage.calls.answer_next("TransactWriteItems", canceled("TransactionConflict"), 400)

    with pytest.raises(VerdictTableBusyError, match="1 items"):
        storage.table.claim([a_claim()])
    assert storage.calls.made["TransactWriteItems"] == 8


@pytest.mark.parametrize(
    "body",
    [
        canceled("ValidationError"),
        canceled("ConditionalCheckFailed", "None"),
        canceled("ItemCollectionSizeLimitExceeded"),
        {"Error": {"Code": "TransactionCanceledException", "Message": ""}},
        {"Error": {"Code": "ValidationException", "Message": ""}},
    ],
)
def test_any_other_refusal_is_raised(storage: Storage, body: dict[str, Any]) -> None:
    storage.calls.answer_next("TransactWriteItems", body, 400)

    with pytest.raises(ClientError):
        storage.table.claim([a_claim()])
    assert storage.calls.made["TransactWriteItems"] == 1


def test_a_reclaim_replaces_the_claim_that_stands(storage: Storage) -> None:
    old, new = a_claim(batch_id="old"), a_claim(batch_id="new", attempt=2)
    storage.table.claim([old])

    assert storage.table.reclaim([(old, new)]) == [new]
    assert claim_from_item(storage.item(old.upload)) == new
    assert storage.item(old.upload)["status"] == "PENDING"


@pytest.mark.parametrize("standing", [{"batch_id": "other"}, {"claimed_at": "2026-11-22T12:00:09.000Z"}])
def test_a_claim_that_changed_hands_is_not_replaced(storage: Storage, standing: dict[str, Any]) -> None:
    storage.table.claim([a_claim(**standing)])

    assert storage.table.reclaim([(a_claim(), a_claim(batch_id="new"))]) == []
    assert claim_from_item(storage.item(an_upload())) == a_claim(**standing)


@pytest.mark.parametrize("status", [Status.APPROVED, Status.BLOCKED, Status.FAILED])
def test_a_final_verdict_is_neither_reclaimed_nor_changed(storage: Storage, status: Status) -> None:
    claim = a_claim()
    storage.table.claim([claim])
    storage.table.finalize([a_verdict(status, claim)], None)
    before = storage.items()

    assert storage.table.reclaim([(claim, a_claim(batch_id="new"))]) == []
    assert storage.table.finalize([a_verdict(Status.REVIEW, claim)], None) == []
    assert storage.items() == before


HOLD = ReviewClaim("person:ada", "2026-11-22T12:10:00.000Z")
ENTRY = HistoryEntry(
    cause=Cause.REPORT,
    at="2026-11-22T12:02:00.000Z",
    by="person:ada",
    name=None,
    before=Status.APPROVED,
    after=Status.REVIEW,
    since="2026-11-22T12:01:00.000Z",
    reason="spam",
    note=None,
)


@pytest.mark.parametrize(
    ("held", "claimed_at", "is_taken"),
    [
        ({}, "2026-11-22T12:05:00.000Z", True),
        ({"review_claim": HOLD}, "2026-11-22T12:05:00.000Z", False),
        ({"review_claim": HOLD}, "2026-11-22T12:09:59.999Z", False),
        ({"review_claim": HOLD}, "2026-11-22T12:10:00.000Z", True),
        ({"history": (ENTRY,)}, "2026-11-22T12:05:00.000Z", False),
        ({"history": (ENTRY,), "review_claim": HOLD}, "2026-11-22T13:00:00.000Z", False),
    ],
)
def test_what_people_acted_on_or_look_at_is_not_analyzed_again(
    storage: Storage, held: dict[str, Any], claimed_at: str, is_taken: bool
) -> None:
    """FAILED, and so a `retry` would have it."""
    old, new = a_claim(), a_claim(batch_id="new", claimed_at=claimed_at, attempt=2)
    item = verdict_item(a_verdict(Status.FAILED, old, **held))
    serialized = {name: TypeSerializer().serialize(value) for name, value in item.items()}
    storage.dynamodb.put_item(TableName=TABLE, Item=serialized)

    assert storage.table.reclaim([(old, new)], Status.FAILED) == ([new] if is_taken else [])

    assert storage.item(old.upload) == (claim_item(new) if is_taken else item)


def test_an_upload_nobody_claimed_is_not_finalized(storage: Storage) -> None:
    assert storage.table.finalize([a_verdict()], None) == []
    assert storage.items() == {}


@pytest.mark.parametrize("other", [{"batch_id": "other"}, {"claimed_at": "2026-11-22T12:00:09.000Z"}])
def test_a_verdict_reached_under_a_lost_claim_is_dropped(storage: Storage, other: dict[str, Any]) -> None:
    storage.table.claim([a_claim(**other)])

    assert storage.table.finalize([a_verdict()], None) == []
    assert storage.item(an_upload())["status"] == "PENDING"


def test_verdicts_are_written_with_their_expiry(storage: Storage) -> None:
    claims = [a_claim(upload) for upload in uploads(2)]
    storage.table.claim(claims)
    verdicts = [a_verdict(Status.REVIEW, claims[0]), a_verdict(Status.APPROVED, claims[1])]

    assert storage.table.finalize(verdicts, 1_900_000_000) == verdicts
    review, approved = (storage.item(claim.upload) for claim in claims)
    assert (review["status"], "expires_at" in review) == ("REVIEW", False)
    assert (approved["status"], approved["expires_at"]) == ("APPROVED", 1_900_000_000)
    assert "status_day" in review
    assert "status_day" not in approved


def test_pending_are_the_uploads_still_under_these_claims_batches(storage: Storage) -> None:
    mine, final, reclaimed, gone = (a_claim(upload) for upload in uploads(4))
    storage.table.claim([mine, final, reclaimed])
    storage.table.finalize([a_verdict(Status.REVIEW, final)], None)
    storage.table.reclaim([(reclaimed, a_claim(reclaimed.upload, batch_id="other"))])

    assert storage.table.pending([mine, final, reclaimed, gone]) == {mine.upload.identity}


def test_pending_asks_for_a_hundred_at_a_time(storage: Storage) -> None:
    claims = [a_claim(upload) for upload in uploads(101)]
    storage.table.claim(claims)

    assert len(storage.table.pending(claims)) == 101
    assert storage.calls.made["BatchGetItem"] == 2


def test_what_decides_is_read_consistently(storage: Storage) -> None:
    asked: list[dict[str, Any]] = []
    storage.table.claim([a_claim()])
    storage.dynamodb.meta.events.register("provide-client-params", lambda params, **_: asked.append(params))
    storage.calls.answer_next("TransactWriteItems", canceled("ConditionalCheckFailed"), 400)

    storage.table.pending([a_claim()])
    storage.table.claim([a_claim(batch_id="second")])

    batch_get, _, get = asked
    assert batch_get["RequestItems"][TABLE]["ConsistentRead"] is True
    assert get["ConsistentRead"] is True


def test_keys_dynamodb_leaves_out_are_asked_for_again(storage: Storage) -> None:
    claims = [a_claim(upload) for upload in uploads(2)]
    storage.table.claim(claims)
    keys = [{"object": {"S": claim.upload.object}, "version": {"S": claim.upload.version}} for claim in claims]
    left_out = {"Keys": keys, "ConsistentRead": True}
    storage.calls.answer_next("BatchGetItem", {"Responses": {}, "UnprocessedKeys": {TABLE: left_out}})

    assert storage.table.pending(claims) == {claim.upload.identity for claim in claims}


def test_keys_dynamodb_never_gives_are_not_taken_for_absent(storage: Storage) -> None:
    key = {"object": {"S": an_upload().object}, "version": {"S": an_upload().version}}
    for _ in range(8):
        storage.calls.answer_next("BatchGetItem", {"Responses": {}, "UnprocessedKeys": {TABLE: {"Keys": [key]}}})

    with pytest.raises(VerdictTableBusyError):
        storage.table.pending([a_claim()])
