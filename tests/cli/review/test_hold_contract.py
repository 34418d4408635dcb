"""docs/contracts/decision.md and examples/console/waiting.py: what waits, and a reviewer's hold."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import boto3
import pytest

from examples.console import decide as example
from examples.console import waiting
from gatehouse.cli.aws.review_hold import ReviewHold
from gatehouse.cli.aws.verdict_table import OperatorsVerdictTable
from gatehouse.moderation.change import Cause
from gatehouse.moderation.decision import DecisionRefusedError
from gatehouse.moderation.person import Person
from gatehouse.moderation.review_hold import HOLD as LENGTH
from gatehouse.moderation.review_hold import held as as_held
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import verdict_from_item, verdict_item
from tests.cli.conftest import TABLE, Deployed
from tests.cli.review.conftest import KIM, MO, Reviewers, acts, approved_by, blocked_by, in_review, sent_back
from tests.cli.review.test_decision_contract import HOLD, IS_FREE, POLICIES
from tests.unit.builders import NOON, a_claim, a_verdict, an_upload

TODAY = date(2026, 11, 22)


class Table:
    """boto3's, which keeps what it is asked."""

    def update_item(self, **request: Any) -> None:
        self.request = request


@pytest.fixture
def table(deployed: Deployed) -> Any:
    """Of the deployment."""
    return boto3.resource("dynamodb").Table(TABLE)


def held(deployed: Deployed) -> Mapping[str, Any] | None:
    """Who holds the only item."""
    (item,) = deployed.items().values()
    found: Mapping[str, Any] | None = item.get("review_claim")
    return found


@pytest.mark.parametrize("verdict", [in_review(), acts(in_review(), blocked_by(MO))])
def test_the_page_has_the_expressions_of_a_hold(verdict: Verdict) -> None:
    table = Table()
    assert waiting.take(table, verdict_item(verdict), "kim", NOON)

    assert table.request["UpdateExpression"] == HOLD
    seen = IS_FREE if verdict.revision else IS_FREE.replace("#revision = :revision", "attribute_not_exists(#revision)")
    assert table.request["ConditionExpression"] == seen
    allowed = POLICIES[0]["Statement"][2]["Condition"]["ForAllValues:StringEquals"]["dynamodb:Attributes"]
    assert set(re.findall(r"(?<![.\w])#(\w+)", f"{HOLD} {IS_FREE}")) <= set(allowed)


@pytest.mark.parametrize("verdict", [in_review(), acts(in_review(), blocked_by(MO))])
def test_the_package_makes_the_writes_of_the_example(verdict: Verdict) -> None:
    table = Table()
    assert waiting.HOLD == LENGTH
    for made, ours in (
        (waiting.take, ReviewHold.taken(as_held(verdict, KIM, NOON), NOON)),
        (waiting.release, ReviewHold.released(KIM.decided_by)),
    ):
        arguments = (table, verdict_item(verdict), KIM.id, *((NOON,) if made is waiting.take else ()))
        assert made(*arguments)

        assert table.request["UpdateExpression"] == ours.update
        assert table.request["ConditionExpression"] == ours.condition
        assert table.request["ExpressionAttributeNames"] == ours.names
        assert table.request["ExpressionAttributeValues"] == ours.values


def test_the_package_takes_extends_and_releases(deployed: Deployed) -> None:
    deployed.put(in_review())
    table = OperatorsVerdictTable(deployed.dynamodb, TABLE)
    before = deployed.items()

    def take(person: Person, minutes: int) -> bool:
        now = NOON + timedelta(minutes=minutes)
        return table.hold(as_held(in_review(), person, now), now)

    assert take(KIM, 0)
    assert not take(MO, 9)
    assert take(KIM, 9)
    assert held(deployed) == {"by": KIM.decided_by, "until": "2026-11-22T12:19:00.000Z"}
    assert not table.release(an_upload().identity, MO.decided_by)
    assert table.release(an_upload().identity, KIM.decided_by)
    assert not table.release(an_upload().identity, KIM.decided_by)
    assert deployed.items() == before

    assert take(KIM, 0)
    assert take(MO, 10)
    assert not take(KIM, 11)


def test_who_may_hold_is_known_before_the_write() -> None:
    mine = as_held(in_review(), MO, NOON)
    with pytest.raises(DecisionRefusedError, match=r"person:mo is looking at it until 2026-11-22T12:10:00\.000Z"):
        as_held(mine, KIM, NOON + timedelta(minutes=9))
    assert as_held(mine, KIM, NOON + LENGTH).review_claim != mine.review_claim

    doubted = acts(in_review(), blocked_by(MO), sent_back(Cause.APPEAL))
    with pytest.raises(DecisionRefusedError, match="another person has to decide"):
        as_held(doubted, MO, NOON)


def test_what_waits_is_listed_with_the_oldest_first(deployed: Deployed) -> None:
    count = 2 * waiting.BATCH + 7
    moments = [example.exact(NOON + timedelta(seconds=137 * n)) for n in range(count)]
    waits = [replace(in_review(f"{37 * n % count}.jpg"), decided_at=moment) for n, moment in enumerate(moments)]
    others = [a_verdict(status, a_claim(an_upload(f"{status}.jpg"))) for status in (Status.BLOCKED, Status.APPROVED)]
    yesterday = replace(in_review("yesterday.jpg"), decided_at="2026-11-21T23:59:59.999Z")
    deployed.put(*waits, *others, yesterday)

    found = waiting.waiting(boto3.resource("dynamodb"), TABLE, TODAY)

    assert [item["key"] for item in found] == [verdict.upload.key for verdict in waits]
    assert [item["key"] for item in waiting.waiting(boto3.resource("dynamodb"), TABLE, TODAY - timedelta(1))] == [
        "yesterday.jpg"
    ]


def test_what_the_table_left_out_is_asked_for_again_and_what_was_decided_is_dropped(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed.put(in_review("a.jpg"), in_review("b.jpg"), in_review("c.jpg"))
    dynamodb = boto3.resource("dynamodb")
    read, asked = dynamodb.batch_get_item, []

    def reluctant(RequestItems: Any) -> Any:  # noqa: N803 - boto3's
        """One item a call; somebody decides meanwhile."""
        keys = RequestItems[TABLE]["Keys"]
        asked.append(len(keys))
        assert RequestItems[TABLE]["ConsistentRead"]
        if len(asked) == 1:
            deployed.put(acts(in_review("c.jpg"), approved_by(MO)))
        answer = read(RequestItems={TABLE: {"Keys": keys[:1], "ConsistentRead": True}})
        rest = {TABLE: {"Keys": keys[1:], "ConsistentRead": True}} if keys[1:] else {}
        return {**answer, "UnprocessedKeys": rest}

    monkeypatch.setattr(dynamodb, "batch_get_item", reluctant)

    found = waiting.waiting(dynamodb, TABLE, TODAY)

    assert sorted(item["key"] for item in found) == ["a.jpg", "b.jpg"]
    assert asked == [3, 2, 1]


def test_a_hold_is_taken_extended_and_released_and_changes_nothing_else(deployed: Deployed, table: Any) -> None:
    deployed.put(in_review())
    (item,) = deployed.items().values()

    assert waiting.take(table, item, "kim", NOON)
    assert held(deployed) == {"by": "person:kim", "until": "2026-11-22T12:10:00.000Z"}
    assert not waiting.take(table, item, "mo", NOON + timedelta(minutes=9))
    assert waiting.take(table, item, "kim", NOON + timedelta(minutes=9))
    assert held(deployed) == {"by": "person:kim", "until": "2026-11-22T12:19:00.000Z"}

    assert not waiting.release(table, item, "mo")
    assert waiting.release(table, item, "kim")
    assert not waiting.release(table, item, "kim")
    assert list(deployed.items().values()) == [item]


def test_a_hold_ends_by_itself(deployed: Deployed, table: Any) -> None:
    deployed.put(in_review())
    (item,) = deployed.items().values()

    assert waiting.take(table, item, "kim", NOON)
    assert not waiting.take(table, item, "mo", NOON + waiting.HOLD - timedelta(milliseconds=1))
    assert waiting.take(table, item, "mo", NOON + waiting.HOLD)


@pytest.mark.parametrize(
    ("seen", "stands"),
    [
        (in_review(), acts(in_review(), approved_by(MO))),
        (acts(in_review(), blocked_by(MO)), acts(in_review(), blocked_by(MO), blocked_by(MO))),
        (acts(in_review(), blocked_by(MO)), a_verdict(Status.BLOCKED)),
        (in_review(), None),
    ],
)
def test_only_what_was_seen_is_held_and_nothing_is_created(
    deployed: Deployed, table: Any, seen: Verdict, stands: Verdict | None
) -> None:
    deployed.put(*([stands] if stands else []))
    before = deployed.items()

    assert not waiting.take(table, verdict_item(seen), "kim", NOON)
    assert not waiting.release(table, verdict_item(seen), "kim")

    assert deployed.items() == before


def test_nobody_holds_their_own_doubted_decision_or_what_is_pending(deployed: Deployed, table: Any) -> None:
    doubted = acts(in_review(), blocked_by(MO), sent_back(Cause.APPEAL))
    deployed.put(doubted)
    assert not waiting.take(table, verdict_item(doubted), "mo", NOON)
    assert waiting.take(table, verdict_item(doubted), "kim", NOON)

    deployed.put(a_claim())
    (pending,) = deployed.items().values()
    assert not waiting.take(table, pending, "kim", NOON)


def test_the_command_respects_a_hold_of_the_example(reviewers: Reviewers, table: Any) -> None:
    reviewers.deployed.put(in_review())
    item = reviewers.item(an_upload())
    assert waiting.take(table, item, "kim", NOON + timedelta(hours=3))
    assert verdict_from_item(reviewers.item(an_upload())).revision == 0

    assert reviewers.review("block", "cat.jpg", "--reason", "spam", "--yes", status=1)["refused"] == 1

    assert waiting.release(table, item, "kim")
    assert reviewers.review("block", "cat.jpg", "--reason", "spam", "--yes")["done"] == 1
