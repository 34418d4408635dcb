import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gatehouse.aws.verdict_table import VerdictTableBusyError, identity_of
from gatehouse.cli.aws.verdict_table import OperatorsVerdictTable, Selection
from gatehouse.cli.connection import Connection
from gatehouse.moderation.change import Cause, Change
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.replay import replay
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import INDEX_PARTITION, INDEX_SORT, verdict_from_item, verdict_item
from tests.cli.conftest import STANDARD, STRICT, TABLE, Deployed, policy_of
from tests.cli.judged_uploads import a_judged
from tests.unit.builders import a_claim, a_verdict, an_upload

OLD, NEW = policy_of(STANDARD), policy_of(STRICT)
DECIDED_AT = "2026-11-23T08:00:00.000Z"


@pytest.fixture
def table(deployed: Deployed) -> OperatorsVerdictTable:
    deployed.calls.watch(deployed.dynamodb)
    return OperatorsVerdictTable(deployed.dynamodb, TABLE, pause=lambda _: None)


def a_change(confidences: Mapping[str, float], old: Policy = OLD, new: Policy = NEW) -> tuple[Verdict, Verdict]:
    """A verdict of one policy and of another on the same labels."""
    before = a_judged("cat.jpg", confidences, old)
    return before, replay(before, new).verdict(DECIDED_AT, announce=True)


def small_pages(deployed: Deployed, items: int) -> list[dict[str, Any]]:
    """Let every page of a scan have this many items at most; gives the requests as they are made."""
    requests: list[dict[str, Any]] = []

    def shorten(params: dict[str, Any], **_: object) -> None:
        body = json.loads(params["body"]) | {"Limit": items}
        params["body"] = json.dumps(body).encode()
        requests.append(body)

    deployed.dynamodb.meta.events.register("before-call.dynamodb.Scan", shorten)
    return requests


def fill(deployed: Deployed, count: int) -> list[Verdict]:
    """As many verdicts, inserted in the order of their objects."""
    verdicts = [a_judged(f"image-{n:03}.jpg", {"Violence": 95.0}, OLD) for n in range(count)]
    deployed.put(*verdicts)
    return verdicts


@pytest.mark.parametrize("segments", [1, 3, 8])
def test_a_scan_sees_every_item_exactly_once(deployed: Deployed, table: OperatorsVerdictTable, segments: int) -> None:
    verdicts = fill(deployed, 60)
    requests = small_pages(deployed, 4)

    found = [identity_of(item) for page in table.scan(Selection(), segments=segments, consistent=True) for item in page]

    assert sorted(found) == sorted(verdict.upload.identity for verdict in verdicts)
    assert {request["Segment"] for request in requests} == set(range(segments))
    assert len(requests) >= 15


def test_a_scanned_item_can_be_judged_again(deployed: Deployed, table: OperatorsVerdictTable) -> None:
    (verdict,) = fill(deployed, 1)

    ((item,),) = [page for page in table.scan(Selection(), segments=2, consistent=True) if page]

    assert verdict_from_item(item) == verdict


@pytest.mark.parametrize("consistent", [True, False])
def test_a_scan_is_as_consistent_as_asked(deployed: Deployed, table: OperatorsVerdictTable, consistent: bool) -> None:
    requests = small_pages(deployed, 10)

    list(table.scan(Selection(), segments=1, consistent=consistent))

    assert [request["ConsistentRead"] for request in requests] == [consistent]


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), {"kids/1.jpg", "kids/2.jpg", "art/3.jpg"}),
        (Selection(prefix="kids/"), {"kids/1.jpg", "kids/2.jpg"}),
        (Selection(lane="archive"), {"kids/2.jpg"}),
        (Selection(since="2026-11-20T00:00:00.000Z"), {"kids/1.jpg", "kids/2.jpg"}),
        (Selection(since="2026-11-20T00:00:00.000Z", lane="default", prefix="kids/"), {"kids/1.jpg"}),
    ],
)
def test_only_selected_items_are_found(
    deployed: Deployed, table: OperatorsVerdictTable, selection: Selection, expected: set[str]
) -> None:
    deployed.put(
        a_judged("kids/1.jpg", {}, OLD, upload={"uploaded_at": "2026-11-20T00:00:00.000Z"}),
        a_judged("kids/2.jpg", {}, OLD, claim={"lane": "archive"}),
        a_judged("art/3.jpg", {}, OLD, upload={"uploaded_at": "2026-11-19T23:59:59.999Z"}),
    )

    found = [item["key"] for page in table.scan(selection, segments=2, consistent=True) for item in page]

    assert set(found) == expected


def test_a_scan_reads_one_page_ahead_and_no_more(deployed: Deployed, table: OperatorsVerdictTable) -> None:
    fill(deployed, 20)
    small_pages(deployed, 1)
    pages = table.scan(Selection(), segments=1, consistent=True)

    for _ in range(3):
        next(pages)
    pages.close()

    assert deployed.calls.made["Scan"] == 4


def test_a_refused_segment_ends_the_scan(deployed: Deployed, table: OperatorsVerdictTable) -> None:
    fill(deployed, 20)
    deployed.calls.answer_next("Scan", {"Error": {"Code": "AccessDeniedException", "Message": "no"}}, 400)

    with pytest.raises(ClientError, match="AccessDenied"):
        list(table.scan(Selection(), segments=3, consistent=True))


def a_patient_table() -> OperatorsVerdictTable:
    """The table as commands have it."""
    return OperatorsVerdictTable(Connection().client("dynamodb", is_patient=True), TABLE)


def test_a_throttled_page_is_read_again_after_growing_pauses(deployed: Deployed, waits: list[float]) -> None:
    verdicts = fill(deployed, 6)
    deployed.calls.throttle("Scan", times=9)

    found = [item for page in a_patient_table().scan(Selection(), segments=1, consistent=True) for item in page]

    assert sorted(identity_of(item) for item in found) == [verdict.upload.identity for verdict in verdicts]
    assert len(waits) == 9
    assert all(0 <= seconds <= min(2**tries, 20) for tries, seconds in enumerate(waits))


def test_a_table_that_never_stops_throttling_is_given_up(deployed: Deployed, waits: list[float]) -> None:
    deployed.calls.throttle("Scan", times=100)

    with pytest.raises(ClientError, match="ThrottlingException"):
        list(a_patient_table().scan(Selection(), segments=1, consistent=True))

    assert len(waits) == 9


def test_a_decision_is_written_soon_or_not_at_all(deployed: Deployed, waits: list[float]) -> None:
    """Later, another run may have begun, which has seen what this one would replace."""
    before, after = a_change({"Violence": 60.0})
    deployed.put(before)
    deployed.calls.throttle("UpdateItem", times=100)

    with pytest.raises(ClientError, match="ThrottlingException"):
        OperatorsVerdictTable(Connection().client("dynamodb"), TABLE).rewrite(before, after, None)

    assert (len(waits), sum(waits) <= 15) == (4, True)


def test_items_are_read_by_the_hundred(deployed: Deployed, table: OperatorsVerdictTable) -> None:
    verdicts = fill(deployed, 101)
    identities = [verdict.upload.identity for verdict in verdicts]

    pages = list(table.read([*identities[:5], an_upload("gone.jpg").identity, *identities[5:]]))

    assert sorted(identity_of(item) for page in pages for item in page) == identities
    assert deployed.calls.made["BatchGetItem"] == 2


def test_items_are_read_consistently(deployed: Deployed, table: OperatorsVerdictTable) -> None:
    consistent: list[bool] = []
    deployed.dynamodb.meta.events.register(
        "before-call.dynamodb.BatchGetItem",
        lambda params, **_: consistent.append(json.loads(params["body"])["RequestItems"][TABLE]["ConsistentRead"]),
    )
    fill(deployed, 1)

    list(table.read([an_upload("image-000.jpg").identity]))

    assert consistent == [True]


def test_unprocessed_keys_are_asked_for_again(deployed: Deployed, table: OperatorsVerdictTable) -> None:
    pauses: list[float] = []
    (verdict,) = fill(deployed, 1)
    table = OperatorsVerdictTable(deployed.dynamodb, TABLE, pause=pauses.append)
    request = {"Keys": [{"object": {"S": verdict.upload.object}, "version": {"S": verdict.upload.version}}]}
    deployed.calls.answer_next("BatchGetItem", {"Responses": {}, "UnprocessedKeys": {TABLE: request}})

    ((item,),) = table.read([verdict.upload.identity])

    assert identity_of(item) == verdict.upload.identity
    assert len(pauses) == 1


@pytest.mark.usefixtures("waits")
def test_items_that_are_read_too_fast_are_asked_for_again(deployed: Deployed) -> None:
    (verdict,) = fill(deployed, 1)
    deployed.calls.throttle("BatchGetItem", times=2)

    assert len(next(a_patient_table().read([verdict.upload.identity]))) == 1


def test_a_table_that_answers_nothing_is_given_up(deployed: Deployed, table: OperatorsVerdictTable) -> None:
    request = {"Keys": [{"object": {"S": "s3://uploads/cat.jpg"}, "version": {"S": "1"}}]}
    deployed.calls.answer_always("BatchGetItem", lambda _: {"Responses": {}, "UnprocessedKeys": {TABLE: request}})

    with pytest.raises(VerdictTableBusyError, match="could not be read after 8 tries"):
        list(table.read([an_upload().identity]))


def test_a_new_decision_replaces_the_one_seen(deployed: Deployed, table: OperatorsVerdictTable) -> None:
    before, after = a_change({"Violence": 60.0})
    deployed.put_item(verdict_item(before, expires_at=4_000_000_000))

    assert table.rewrite(before, after, 4_000_000_001)

    assert deployed.items() == {before.upload.identity: verdict_item(after, expires_at=4_000_000_001)}
    (item,) = deployed.items().values()
    assert (item["status"], item["policy"]["name"], item["decided_at"]) == ("BLOCKED", "strict", DECIDED_AT)
    assert item[INDEX_PARTITION].startswith("BLOCKED#2026-11-23#")


def test_a_rewritten_approval_leaves_the_index(deployed: Deployed, table: OperatorsVerdictTable) -> None:
    before, after = a_change({"Violence": 45.0}, NEW, OLD)
    deployed.put(before)

    assert table.rewrite(before, after, None)

    (item,) = deployed.items().values()
    assert item["status"] == "APPROVED"
    assert not {INDEX_PARTITION, INDEX_SORT} & item.keys()


def test_a_rewritten_approval_that_is_flagged_now_enters_the_index(
    deployed: Deployed, table: OperatorsVerdictTable
) -> None:
    before, after = a_change({"Violence": 45.0})
    deployed.put(before)

    assert table.rewrite(before, after, None)

    (item,) = deployed.items().values()
    assert {INDEX_PARTITION, INDEX_SORT} <= item.keys()


@pytest.mark.parametrize(
    "other",
    [
        {"status": Status.BLOCKED},
        {"revision": 1, "change": Change(Cause.POLICY, announce=False)},
        {"claim": {"batch_id": "batch-2"}},
        {"claim": {"claimed_at": "2199-01-01T00:00:00.001Z"}},
    ],
    ids=str,
)
def test_a_decision_that_was_not_seen_is_never_overwritten(
    deployed: Deployed, table: OperatorsVerdictTable, other: dict[str, Any]
) -> None:
    before, after = a_change({"Violence": 60.0})
    deployed.put(replace(before, **{**other, "claim": replace(before.claim, **other.get("claim", {}))}))
    standing = deployed.items()

    assert not table.rewrite(before, after, None)

    assert deployed.items() == standing


@pytest.mark.parametrize(
    "held", [a_claim(an_upload("cat.jpg")), a_verdict(Status.FAILED, a_claim(an_upload("cat.jpg")))]
)
def test_an_item_without_a_decision_of_a_policy_is_never_overwritten(
    deployed: Deployed, table: OperatorsVerdictTable, held: Any
) -> None:
    before, after = a_change({"Violence": 60.0})
    deployed.put(held)
    standing = deployed.items()

    assert not table.rewrite(before, after, None)

    assert deployed.items() == standing


def test_an_item_that_is_gone_does_not_come_back(deployed: Deployed, table: OperatorsVerdictTable) -> None:
    before, after = a_change({"Violence": 60.0})

    assert not table.rewrite(before, after, None)

    assert deployed.items() == {}


def test_a_conflict_with_a_transaction_is_a_lost_race(deployed: Deployed, table: OperatorsVerdictTable) -> None:
    before, after = a_change({"Violence": 60.0})
    deployed.calls.answer_next(
        "UpdateItem", {"Error": {"Code": "TransactionConflictException", "Message": "busy"}}, 400
    )

    assert not table.rewrite(before, after, None)


def test_a_refusal_is_no_lost_race(deployed: Deployed, table: OperatorsVerdictTable) -> None:
    before, after = a_change({"Violence": 60.0})
    deployed.calls.answer_next("UpdateItem", {"Error": {"Code": "AccessDeniedException", "Message": "no"}}, 400)

    with pytest.raises(ClientError, match="AccessDenied"):
        table.rewrite(before, after, None)
