"""`list`: uploads by what became of them, however many there are."""

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from gatehouse.cli.aws import verdict_table
from gatehouse.cli.clock import Clock
from gatehouse.cli.verdict import list_command
from gatehouse.moderation.moment import iso
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from tests.cli.conftest import Deployed, Run
from tests.unit.builders import NOON, a_claim, a_verdict, an_analysis, an_upload


@pytest.fixture(autouse=True)
def _noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(list_command, "CLOCK", Clock(now=lambda: NOON + timedelta(minutes=5)))


def decided(
    key: str, status: Status, ago: timedelta = timedelta(0), lane: str = "default", **fields: object
) -> Verdict:
    claim = a_claim(an_upload(key), lane=lane)
    verdict = a_verdict(status, claim, **fields)
    return Verdict(
        **{**{name: getattr(verdict, name) for name in Verdict.__dataclass_fields__}, "decided_at": iso(NOON - ago)}
    )


def keys(gatehouse: Run, *arguments: str) -> list[str]:
    result = gatehouse("list", *arguments, "--output", "json")
    assert result.exit_code == 0
    return [entry["object"].rsplit("/", 1)[-1] for entry in json.loads(result.stdout)]


def test_what_is_not_approved_is_listed_newest_first(gatehouse: Run, deployed: Deployed) -> None:
    deployed.put(
        decided("first.jpg", Status.REVIEW, timedelta(hours=13)),  # the day before
        decided("second.jpg", Status.FAILED, timedelta(hours=2)),
        decided("third.jpg", Status.BLOCKED, timedelta(hours=1)),
        decided("fourth.jpg", Status.UNSUPPORTED),
        decided("fine.jpg", Status.APPROVED),
        decided("long-ago.jpg", Status.BLOCKED, timedelta(days=2)),
    )

    assert keys(gatehouse) == ["fourth.jpg", "third.jpg", "second.jpg", "first.jpg"]
    assert keys(gatehouse, "--status", "blocked", "--since", "7d") == ["third.jpg", "long-ago.jpg"]
    assert keys(gatehouse, "--limit", "2") == ["fourth.jpg", "third.jpg"]
    assert deployed.calls.made["Scan"] == 0


def test_approvals_are_found_by_reading_the_table(gatehouse: Run, deployed: Deployed) -> None:
    deployed.put(
        decided("fine.jpg", Status.APPROVED),
        decided("old.jpg", Status.APPROVED, timedelta(days=2)),
        decided("bad.jpg", Status.BLOCKED),
    )
    deployed.put(a_claim(an_upload("pending.jpg")))

    assert keys(gatehouse, "--status", "APPROVED") == ["fine.jpg"]
    assert sorted(keys(gatehouse, "--status", "APPROVED", "--status", "BLOCKED")) == ["bad.jpg", "fine.jpg"]
    assert deployed.calls.made["Scan"] > 0
    assert "the whole table is read" in " ".join(gatehouse("list", "-h").stdout.split())


@pytest.mark.parametrize("status", ["APPROVED", "BLOCKED"])
def test_lane_prefix_and_label_narrow_it(gatehouse: Run, deployed: Deployed, status: str) -> None:
    chosen = Status(status)
    deployed.put(
        decided("a-alcohol.jpg", chosen, analysis=an_analysis({"Alcohol": 70.0})),
        decided("a-other.jpg", chosen, lane="other"),
        decided("b.jpg", chosen),
    )

    assert keys(gatehouse, "--status", status, "--label", "alcohol") == ["a-alcohol.jpg"]
    assert keys(gatehouse, "--status", status, "--lane", "other") == ["a-other.jpg"]
    assert sorted(keys(gatehouse, "--status", status, "--prefix", "a-")) == ["a-alcohol.jpg", "a-other.jpg"]


def test_a_row_says_why(gatehouse: Run, deployed: Deployed) -> None:
    deployed.put(decided("bad.jpg", Status.BLOCKED))

    result = gatehouse("list")

    (row,) = [line for line in result.stdout.splitlines() if "bad.jpg" in line]
    assert "BLOCKED" in row
    assert iso(NOON) in row
    assert "Violence 92.5 reaches block" in row
    assert result.stderr.startswith("1 of status REVIEW, BLOCKED, UNSUPPORTED, FAILED since ")


def test_pages_of_the_index_are_followed_in_order(
    gatehouse: Run, deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdict_table, "_ENTRIES_A_PAGE", 2)
    statuses = (Status.REVIEW, Status.BLOCKED)
    deployed.put(
        *(decided(f"{n:03}.jpg", statuses[n % 2], timedelta(minutes=7 * n)) for n in range(150))  # over midnight
    )

    found = keys(gatehouse)

    assert len(found) == 150
    assert all(first < second for first, second in pairwise(found))


def test_an_item_that_has_moved_on_is_not_listed(gatehouse: Run, deployed: Deployed) -> None:
    deployed.put(decided("bad.jpg", Status.BLOCKED))
    deployed.calls.interrupt("BatchGetItem", lambda: deployed.put(decided("bad.jpg", Status.APPROVED, timedelta(1))))

    assert keys(gatehouse) == []


@pytest.mark.parametrize(("since", "first_day"), [("0001-01-01", "2026-10-01"), ("2026-10-20", "2026-10-20")])
def test_no_day_before_the_deployment_is_asked_about(
    gatehouse: Run, deployed: Deployed, since: str, first_day: str
) -> None:
    created = datetime(2026, 10, 1, 8, tzinfo=UTC)
    deployed.stack_changes["gatehouse-storage"] = {"CreationTime": created}
    deployed.put(decided("old.jpg", Status.BLOCKED, timedelta(days=40)))
    days: set[str] = set()

    def note(request: Any) -> None:
        days.add(json.loads(request["body"])["ExpressionAttributeValues"][":partition"]["S"].split("#")[1])

    deployed.calls.answer_always("Query", note)
    result = gatehouse("list", "--since", since)

    assert ("old.jpg" in result.stdout) is (first_day == "2026-10-01")
    assert min(days) == first_day
    assert ("was created at 2026-10-01T08:00:00.000Z" in " ".join(result.stderr.split())) is (since == "0001-01-01")
