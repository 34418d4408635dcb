"""A person's act is one conditional write: what it demands, what it changes, and what it leaves alone."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from gatehouse.cli.aws.verdict_table import OperatorsVerdictTable
from gatehouse.moderation.change import MAX_HISTORY, Cause, Change
from gatehouse.moderation.decision import Act, Decision, ReviewClaim, acted, appeal, decide, report
from gatehouse.moderation.person import Person
from gatehouse.moderation.policy.replay import replay
from gatehouse.moderation.status import FINAL, Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import (
    DECISION_ATTRIBUTES,
    DECISION_INDEX,
    DECISION_INDEX_PARTITION,
    INDEX,
    INDEX_PARTITION,
    claim_item,
    decision_partition,
    index_partition,
    verdict_from_item,
    verdict_item,
)
from tests.cli.conftest import STANDARD, STRICT, TABLE, Deployed, policy_of
from tests.cli.judged_uploads import a_judged
from tests.unit.builders import a_claim, a_verdict, an_upload

OLD, NEW = policy_of(STANDARD), policy_of(STRICT)
ADA, GRACE, INTAKE = Person("Reviewer/ada", "Ada"), Person("Reviewer/grace"), Person("Intake/form")
WHY = Decision("context", "a scene of a film")
AT, LATER = "2026-11-23T08:00:00.000Z", "2026-11-23T09:00:00.000Z"
APPROVED, REVIEW, BLOCKED = Status.APPROVED, Status.REVIEW, Status.BLOCKED
CHANGED = Change(Cause.POLICY, announce=True)


@pytest.fixture
def table(deployed: Deployed) -> OperatorsVerdictTable:
    deployed.calls.watch(deployed.dynamodb)
    return OperatorsVerdictTable(deployed.dynamodb, TABLE, pause=lambda _: None)


def approve(person: Person = ADA, at: str = AT) -> Act:
    """A person approves."""
    return decide(APPROVED, person, WHY, at)


def block(person: Person = ADA, at: str = AT) -> Act:
    """A person blocks."""
    return decide(BLOCKED, person, WHY, at)


def write(table: OperatorsVerdictTable, seen: Verdict, act: Act, expires_at: int | None = None) -> bool:
    """Have somebody who saw this verdict act on it."""
    return table.rewrite(seen, acted(seen, act), expires_at)


def the_item(deployed: Deployed) -> dict[str, Any]:
    """The only item."""
    (item,) = deployed.items().values()
    return item


def stored(deployed: Deployed) -> Verdict:
    """The only item's verdict."""
    return verdict_from_item(the_item(deployed))


def hold(deployed: Deployed, claim: ReviewClaim | None) -> None:
    """Let a reviewer claim the only item, which changes nothing else of it."""
    item = the_item(deployed)
    item.pop("review_claim", None)
    deployed.put_item(item | ({"review_claim": claim.to_document()} if claim else {}))


def in_index(deployed: Deployed, index: str, partition_name: str, partition: str) -> list[Mapping[str, Any]]:
    """What a Query of an index finds."""
    answer: Any = deployed.dynamodb.query(
        TableName=TABLE,
        IndexName=index,
        KeyConditionExpression="#partition = :partition",
        ExpressionAttributeNames={"#partition": partition_name},
        ExpressionAttributeValues={":partition": {"S": partition}},
    )
    found: list[Mapping[str, Any]] = answer["Items"]
    return found


def found_under(deployed: Deployed, verdict: Verdict) -> dict[str, int]:
    """How many items the indexes have where this verdict's would be, and would have been in any other status."""
    day, uri = verdict.decided_at[:10], verdict.upload.object
    counts = {
        status.value: len(in_index(deployed, INDEX, INDEX_PARTITION, index_partition(status, day, uri)))
        for status in FINAL
    }
    decided = in_index(deployed, DECISION_INDEX, DECISION_INDEX_PARTITION, decision_partition(day, uri))
    return {name: count for name, count in {**counts, "decided": len(decided)}.items() if count}


@pytest.mark.parametrize("after", [APPROVED, BLOCKED])
@pytest.mark.parametrize("before", sorted(FINAL))
def test_a_decision_is_written_as_the_domain_has_it(
    deployed: Deployed, table: OperatorsVerdictTable, before: Status, after: Status
) -> None:
    seen = a_verdict(before)
    deployed.put(seen)
    act = decide(after, ADA, WHY, AT)

    assert write(table, seen, act, 4_000_000_000)

    assert the_item(deployed) == verdict_item(acted(seen, act), 4_000_000_000)
    assert stored(deployed) == acted(seen, act)


def test_an_act_touches_nothing_else_of_an_item(deployed: Deployed, table: OperatorsVerdictTable) -> None:
    seen = a_verdict(review_claim=ReviewClaim(ADA.decided_by, LATER))
    deployed.put_item(verdict_item(seen))
    untouched = {
        name: value for name, value in the_item(deployed).items() if name not in (*DECISION_ATTRIBUTES, "history")
    }
    assert {"labels", "batch_id", "job_id", "etag"} <= set(untouched)
    written: list[dict[str, Any]] = []
    deployed.dynamodb.meta.events.register(
        "before-call.dynamodb.UpdateItem", lambda params, **_: written.append(json.loads(params["body"]))
    )

    assert write(table, seen, approve())

    item = the_item(deployed)
    assert {name: item.get(name) for name in untouched} == untouched
    assert item["reasons"] == verdict_item(seen)["reasons"]
    assert item["policy"] == verdict_item(seen)["policy"]
    assert not {"review_claim", "expires_at", "status_day"} & set(item)
    (request,) = written
    expression = request["UpdateExpression"].replace(",", " ").replace("(", " ").split()
    named = {name.removeprefix("#") for name in expression if name.startswith("#")}
    assert named == {*DECISION_ATTRIBUTES, "history"} - {"reasons", "policy"}, "those are the machine's"
    used = f"{request['UpdateExpression']} {request['ConditionExpression']}"
    assert all(name in used for name in (*request["ExpressionAttributeNames"], *request["ExpressionAttributeValues"]))


def test_a_replay_leaves_a_review_claim_and_the_history_alone(deployed: Deployed, table: OperatorsVerdictTable) -> None:
    """Somebody may have claimed the item after the replay looked."""
    seen = a_judged("cat.jpg", {"Violence": 60.0}, OLD)
    deployed.put(seen)
    claim = ReviewClaim(ADA.decided_by, LATER)
    hold(deployed, claim)

    assert table.rewrite(seen, replay(seen, NEW).verdict(AT, announce=True), None)
    assert (stored(deployed).review_claim, stored(deployed).revision) == (claim, 1)

    hold(deployed, None)
    again = replace(stored(deployed), review_claim=claim)  # it ended after the replay looked
    assert table.rewrite(again, replay(again, OLD).verdict(AT, announce=True), None)
    assert stored(deployed).review_claim is None
    assert "history" not in the_item(deployed)


def test_an_item_from_before_people_decided_is_decided(deployed: Deployed, table: OperatorsVerdictTable) -> None:
    item = verdict_item(a_verdict())
    assert "revision" not in item
    deployed.put_item(item | {"expires_at": 4_000_000_000})

    assert write(table, verdict_from_item(item), approve(), 4_100_000_000)

    assert (the_item(deployed)["revision"], the_item(deployed)["expires_at"]) == (1, 4_100_000_000)


# What is demanded


@pytest.mark.parametrize(
    ("revision", "status", "claim", "wins"),
    [
        (3, REVIEW, {}, True),
        (2, REVIEW, {}, False),
        (4, REVIEW, {}, False),
        (0, REVIEW, {}, False),
        (3, BLOCKED, {}, False),
        (3, REVIEW, {"batch_id": "batch-2"}, False),
        (3, REVIEW, {"claimed_at": "2026-11-22T12:00:00.001Z"}, False),
    ],
)
def test_only_what_was_seen_is_decided(
    deployed: Deployed,
    table: OperatorsVerdictTable,
    revision: int,
    status: Status,
    claim: dict[str, Any],
    wins: bool,
) -> None:
    seen = a_verdict(revision=3, change=CHANGED)
    standing = replace(
        seen,
        revision=revision,
        change=CHANGED if revision else None,
        status=status,
        claim=replace(seen.claim, **claim),
    )
    deployed.put(standing)
    before = the_item(deployed)

    assert write(table, seen, approve()) is wins

    assert (the_item(deployed) != before) is wins


def test_of_two_who_saw_the_same_exactly_one_decides(deployed: Deployed, table: OperatorsVerdictTable) -> None:
    seen = a_verdict()
    deployed.put(seen)

    assert [write(table, seen, approve(ADA)), write(table, seen, block(GRACE))] == [True, False]

    verdict = stored(deployed)
    assert (verdict.status, verdict.revision, verdict.decided_by) == (APPROVED, 1, ADA.decided_by)
    assert [entry.by for entry in verdict.history] == [ADA.decided_by]


def test_of_two_who_confirm_the_same_status_exactly_one_decides(
    deployed: Deployed, table: OperatorsVerdictTable
) -> None:
    seen = a_verdict(BLOCKED)
    deployed.put(seen)
    deployed.calls.interrupt("UpdateItem", lambda: write(table, seen, block(GRACE)))

    assert not write(table, seen, block(ADA))

    assert [entry.by for entry in stored(deployed).history] == [GRACE.decided_by]


@pytest.mark.parametrize("person_first", [True, False])
def test_of_a_decision_and_a_replay_the_first_wins(
    deployed: Deployed, table: OperatorsVerdictTable, person_first: bool
) -> None:
    seen = a_judged("cat.jpg", {"Violence": 60.0}, OLD)
    deployed.put(seen)
    decided, replayed = acted(seen, approve()), replay(seen, NEW).verdict(AT, announce=True)
    first, second = (decided, replayed) if person_first else (replayed, decided)

    assert table.rewrite(seen, first, None)
    assert not table.rewrite(seen, second, None)

    assert stored(deployed) == first


@pytest.mark.parametrize(
    ("holder", "until", "wins"),
    [
        (GRACE, LATER, False),
        (GRACE, "2026-11-23T08:00:00.001Z", False),
        (GRACE, AT, True),
        (GRACE, "2026-11-23T07:00:00.000Z", True),
        (ADA, LATER, True),
    ],
)
def test_a_decision_gives_way_to_another_reviewers_claim_while_it_lasts(
    deployed: Deployed, table: OperatorsVerdictTable, holder: Person, until: str, wins: bool
) -> None:
    seen = a_verdict()
    deployed.put(seen)
    claim = ReviewClaim(holder.decided_by, until)
    hold(deployed, claim)

    assert write(table, seen, approve()) is wins

    verdict = stored(deployed)
    assert (verdict.status, verdict.review_claim) == ((APPROVED, None) if wins else (REVIEW, claim))


@pytest.mark.parametrize("status", [BLOCKED, APPROVED])
def test_an_appeal_and_a_report_do_not_wait_for_a_reviewer(
    deployed: Deployed, table: OperatorsVerdictTable, status: Status
) -> None:
    seen = a_verdict(status)
    deployed.put(seen)
    hold(deployed, ReviewClaim(GRACE.decided_by, LATER))
    act = appeal(INTAKE, WHY, AT) if status is BLOCKED else report(INTAKE, WHY, AT)

    assert write(table, seen, act)

    assert (stored(deployed).status, stored(deployed).review_claim) == (REVIEW, None)
    assert not write(table, seen, block(GRACE)), "the reviewer saw what is no more"


def test_a_full_history_is_full_for_people_and_not_for_policies(
    deployed: Deployed, table: OperatorsVerdictTable
) -> None:
    entry = acted(a_verdict(), approve()).history
    judged = a_judged("cat.jpg", {"Violence": 60.0}, OLD)
    changed = replace(judged, revision=9, change=CHANGED)
    nearly, full = (replace(changed, history=entry * count) for count in (MAX_HISTORY - 1, MAX_HISTORY))
    stale = acted(nearly, approve())
    deployed.put(full)

    assert not table.rewrite(nearly, stale, None)
    assert stored(deployed) == full

    assert table.rewrite(full, replay(full, NEW).verdict(AT, announce=True), None)
    assert (len(stored(deployed).history), stored(deployed).status) == (MAX_HISTORY, BLOCKED)

    deployed.put(nearly)
    assert table.rewrite(nearly, stale, None)
    assert len(stored(deployed).history) == MAX_HISTORY


def test_what_is_pending_is_not_decided(deployed: Deployed, table: OperatorsVerdictTable) -> None:
    claim = a_claim()
    deployed.put(claim)
    with pytest.raises(ValueError, match="not decided yet"):
        verdict_from_item(the_item(deployed))

    for status in FINAL:
        assert not write(table, a_verdict(status, claim), approve())

    assert the_item(deployed) == claim_item(claim)


def test_what_is_gone_does_not_come_back(deployed: Deployed, table: OperatorsVerdictTable) -> None:
    assert not write(table, a_verdict(), approve())
    assert deployed.items() == {}


# History and indexes


def test_the_history_grows_by_what_everybody_did(deployed: Deployed, table: OperatorsVerdictTable) -> None:
    first = a_judged("cat.jpg", {"Violence": 60.0}, OLD)
    deployed.put(first)
    acts = (
        block(ADA, "2026-11-23T08:00:00.000Z"),
        appeal(INTAKE, WHY, "2026-11-23T09:00:00.000Z"),
        approve(GRACE, "2026-11-23T10:00:00.000Z"),
        report(INTAKE, WHY, "2026-11-23T11:00:00.000Z"),
        block(ADA, "2026-11-23T12:00:00.000Z"),
    )

    for act in acts:
        assert write(table, stored(deployed), act)

    item = the_item(deployed)
    assert item["history"][0] == {
        "cause": "decision",
        "at": "2026-11-23T08:00:00.000Z",
        "by": "person:Reviewer/ada",
        "name": "Ada",
        "from": "REVIEW",
        "to": "BLOCKED",
        "since": first.decided_at,
        "reason": "context",
        "note": "a scene of a film",
    }
    assert [(entry["cause"], entry["from"], entry["to"]) for entry in item["history"]] == [
        ("decision", "REVIEW", "BLOCKED"),
        ("appeal", "BLOCKED", "REVIEW"),
        ("decision", "REVIEW", "APPROVED"),
        ("report", "APPROVED", "REVIEW"),
        ("decision", "REVIEW", "BLOCKED"),
    ]
    assert [entry["since"] for entry in item["history"][1:]] == [entry["at"] for entry in item["history"][:-1]]
    assert (item["revision"], item["change"]) == (5, {"cause": "decision", "announce": True})
    assert "recused" not in item


def test_a_decision_and_its_appeal_move_through_the_indexes(deployed: Deployed, table: OperatorsVerdictTable) -> None:
    seen = a_verdict()
    deployed.put(seen)
    first_day = seen.decided_at[:10]
    assert found_under(deployed, seen) == {"REVIEW": 1}

    assert write(table, seen, approve())
    approved = stored(deployed)
    assert approved.decided_at[:10] != first_day
    assert (found_under(deployed, seen), found_under(deployed, approved)) == ({}, {"decided": 1})
    (entry,) = in_index(
        deployed, DECISION_INDEX, DECISION_INDEX_PARTITION, decision_partition(AT[:10], approved.upload.object)
    )
    assert set(entry) == {
        *("object", "version", "decision_day", "decided_order"),
        *("status", "lane", "reasons", "decided_by", "decision"),
    }

    assert write(table, approved, report(INTAKE, WHY, LATER))
    assert found_under(deployed, stored(deployed)) == {"REVIEW": 1}

    assert write(table, stored(deployed), block(GRACE, LATER))
    assert found_under(deployed, stored(deployed)) == {"BLOCKED": 1, "decided": 1}


def test_an_approval_by_a_person_that_a_policy_made_before_enters_the_index_of_decisions_alone(
    deployed: Deployed, table: OperatorsVerdictTable
) -> None:
    seen = a_verdict(APPROVED)
    deployed.put(seen)
    assert found_under(deployed, seen) == {}

    assert write(table, seen, approve())

    assert found_under(deployed, stored(deployed)) == {"decided": 1}


@pytest.mark.parametrize(
    ("act", "before", "expires"),
    [(approve(), REVIEW, True), (block(), APPROVED, True), (appeal(INTAKE, WHY, AT), BLOCKED, False)],
    ids=[Cause.DECISION, "confirmed", Cause.APPEAL],
)
def test_an_item_expires_from_its_decision_on_and_not_while_it_waits(
    deployed: Deployed, table: OperatorsVerdictTable, act: Act, before: Status, expires: bool
) -> None:
    seen = a_verdict(before)
    deployed.put_item(verdict_item(seen) | {"expires_at": 4_000_000_000})

    assert write(table, seen, act, 4_100_000_000)

    assert the_item(deployed).get("expires_at") == (4_100_000_000 if expires else None)


def test_another_upload_of_the_object_is_another_matter(deployed: Deployed, table: OperatorsVerdictTable) -> None:
    older, newer = a_verdict(), a_verdict(claim=a_claim(an_upload(sequencer="0055AED6DCD90281E6")))
    deployed.put(older, newer)

    assert write(table, older, approve())

    assert {item["version"]: item["status"] for item in deployed.items().values()} == {
        older.upload.version: "APPROVED",
        newer.upload.version: "REVIEW",
    }
