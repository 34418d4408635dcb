"""Outcomes is invoked for what is to be announced, and for nothing else: nobody pays for a stream of first verdicts."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from demo.pipeline import DemoUpload
from gatehouse.moderation.change import Cause, Change
from gatehouse.moderation.decision import Decision, acted, appeal, decide
from gatehouse.moderation.flag import flag_id
from gatehouse.moderation.person import Person
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import OBJECT, VERSION, verdict_from_item
from tests.chaos.acts import now
from tests.chaos.failure_queue import FailureQueue
from tests.chaos.reviewer import Reviewer
from tests.chaos.strikes import FOR_EVER, OUTCOMES, Call
from tests.e2e.conftest import QUICK
from tests.e2e.images import BLOCKED, CLEAN, REVIEW
from tests.e2e.pipeline import Pipeline
from tests.e2e.subscriber import Subscriber
from tests.e2e.terminal import Terminal

UPLOADS = 12
ASKED = Decision("context", None)
ALICE, BOB = Person("alice"), Person("bob")


@pytest.fixture(scope="module")
def settings() -> str:
    return QUICK


@pytest.fixture
def subscriber(pipeline: Pipeline) -> Subscriber:
    """Hears of changes, whatever their status."""
    return Subscriber(pipeline, {"cause": [cause.value for cause in Cause]})


def settled(pipeline: Pipeline, prefix: str) -> list[Verdict]:
    """Verdicts of a normal batch: a third each of clean, blocked and doubtful images."""
    bodies = (CLEAN, BLOCKED, REVIEW)
    with pipeline.gathered():
        pipeline.upload_many(DemoUpload(f"{prefix}{n:02}.jpg", bodies[n % 3]) for n in range(UPLOADS))
    items = pipeline.wait_for_verdicts(UPLOADS, prefix)
    pipeline.wait_for_flags(2 * UPLOADS // 3, prefix)
    return list(map(verdict_from_item, items))


def invocations(pipeline: Pipeline) -> int:
    """How often Outcomes has been invoked."""
    logs = pipeline.cloud.client("logs")
    groups = [
        group["logGroupName"]
        for page in logs.get_paginator("describe_log_groups").paginate()
        for group in page["logGroups"]
        if "Outcomes" in group["logGroupName"]
    ]
    return sum(
        event["message"].startswith("START RequestId")
        for group in groups
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        for event in page["events"]
    )


def wait_for_announcement(pipeline: Pipeline, subscriber: Subscriber, change: Verdict) -> Mapping[str, Any]:
    """Wait for the flag of a change. The stream is in order: what was written before has been read by then."""
    found: dict[str, Mapping[str, Any]] = {}

    def has_come() -> bool:
        found.update({flag["id"]: flag for flag in subscriber.flags()})
        return flag_id(change) in found

    pipeline.wait_until(has_come, why="the flag of a change")
    return found[flag_id(change)]


def test_a_batch_and_a_silent_replay_invoke_it_not_once_and_a_decision_once(
    pipeline: Pipeline, subscriber: Subscriber, prefix: str
) -> None:
    reviewer = Reviewer(pipeline, "alice")
    before = invocations(pipeline)
    first, second, *_ = settled(pipeline, prefix)
    silent = replace(
        first, status=Status.REVIEW, revision=1, change=Change(Cause.POLICY, announce=False), decided_at=now()
    )
    assert reviewer.table.rewrite(first, silent, None)

    decided = reviewer.write(second, decide(Status.APPROVED, ALICE, ASKED, now()))

    flag = wait_for_announcement(pipeline, subscriber, decided.after)
    assert (flag["status"], flag["revision"], flag["decided_by"]) == ("APPROVED", 1, "person:alice")
    assert invocations(pipeline) - before == 1
    assert [flag["cause"] for flag in subscriber.flags(prefix)] == ["decision"]


def test_what_people_do_reaches_a_subscriber_that_follows_revisions_in_whatever_order_it_comes(
    pipeline: Pipeline, subscriber: Subscriber, prefix: str
) -> None:
    """Two people act on one upload, with others of the batch between."""
    alice, bob = Reviewer(pipeline, "alice"), Reviewer(pipeline, "bob")
    verdicts = settled(pipeline, prefix)
    blocked = next(verdict for verdict in verdicts if verdict.status is Status.BLOCKED)

    appealed = bob.write(blocked, appeal(BOB, ASKED, now())).after
    for other in verdicts[::3]:
        alice.write(other, decide(Status.BLOCKED, ALICE, ASKED, now()))
    approved = alice.write(appealed, decide(Status.APPROVED, ALICE, ASKED, now())).after
    too_late = bob.write(appealed, decide(Status.BLOCKED, BOB, ASKED, now()))

    wait_for_announcement(pipeline, subscriber, approved)
    told = {flag["revision"]: flag for flag in subscriber.flags(blocked.upload.key)}
    assert not too_late.is_done
    assert [(told[n]["status"], told[n]["cause"]) for n in sorted(told)] == [
        ("REVIEW", "appeal"),
        ("APPROVED", "decision"),
    ]
    item = pipeline.verdict(blocked.upload.key)
    assert item is not None
    assert verdict_from_item(item) == approved


def test_what_was_given_up_is_announced_by_a_redrive(
    pipeline: Pipeline, subscriber: Subscriber, prefix: str, tmp_path: Path
) -> None:
    """From the stream, exactly as it was, though the upload was changed again since."""
    alice = Reviewer(pipeline, "alice")
    waiting = next(verdict for verdict in settled(pipeline, prefix) if verdict.status is Status.REVIEW)
    refused = Call(OUTCOMES, "sns:PublishBatch", matching=prefix)
    pipeline.cloud.faults(refused.struck("error", when="before", code="AuthorizationError", status=403, times=FOR_EVER))
    decided = alice.write(waiting, decide(Status.BLOCKED, ALICE, ASKED, now())).after
    pipeline.wait_until(FailureQueue(pipeline).count, 120, "a change that is given up")
    pipeline.cloud.clear_faults()
    changed = alice.write(decided, decide(Status.APPROVED, ALICE, ASKED, now())).after
    wait_for_announcement(pipeline, subscriber, changed)

    report = Terminal(pipeline, tmp_path).gatehouse("queue", "redrive", "--queue", "changes")

    assert report["put_back"] == [{"lane": None, "reason": "given-up", "count": 1}]
    assert wait_for_announcement(pipeline, subscriber, decided)["status"] == "BLOCKED"
    assert FailureQueue(pipeline).count() == 0


def test_an_item_that_could_not_be_read_is_announced_once_it_is_mended(
    pipeline: Pipeline, subscriber: Subscriber, prefix: str, tmp_path: Path
) -> None:
    alice = Reviewer(pipeline, "alice")
    waiting = next(verdict for verdict in settled(pipeline, prefix) if verdict.status is Status.REVIEW)
    key = {name: {"S": value} for name, value in zip((OBJECT, VERSION), waiting.upload.identity, strict=True)}
    table = {"TableName": pipeline.outputs["VerdictTableName"], "Key": key}
    database = pipeline.cloud.client("dynamodb")
    decided = acted(waiting, decide(Status.BLOCKED, ALICE, ASKED, now()))
    odd = replace(decided, decided_at="soon")
    assert alice.table.rewrite(waiting, odd, None)
    pipeline.wait_until(FailureQueue(pipeline).count, 120, "an item that is named")
    database.update_item(
        **table,
        UpdateExpression="SET decided_at = :at REMOVE #change",
        ExpressionAttributeNames={"#change": "change"},
        ExpressionAttributeValues={":at": {"S": decided.decided_at}},
    )
    database.update_item(
        **table,
        UpdateExpression="SET #change = :change",
        ExpressionAttributeNames={"#change": "change"},
        ExpressionAttributeValues={":change": {"M": {"cause": {"S": "decision"}, "announce": {"BOOL": True}}}},
    )

    Terminal(pipeline, tmp_path).gatehouse("queue", "redrive", "--queue", "changes")

    assert wait_for_announcement(pipeline, subscriber, decided)["status"] == "BLOCKED"
