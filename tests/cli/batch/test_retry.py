"""One command has what FAILED analyzed again, whatever batches it was in, and touches nothing else."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gatehouse.cli.batch import list_command as batch_list
from gatehouse.cli.batch import retry_command as retry
from gatehouse.cli.clock import Clock
from gatehouse.moderation.claim import Claim
from gatehouse.moderation.failure import Failure
from gatehouse.moderation.moment import iso
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import Upload
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import verdict_item
from tests.cli.conftest import Deployed, Run
from tests.cli.operated import INGEST, PICTURES_INGEST, Operated
from tests.unit.aws_calls import an_error
from tests.unit.builders import NOON, a_claim, a_verdict, an_upload, event_in, upload_in, uploads

DENIED = "AccessDeniedException"


@pytest.fixture
def operated(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> Operated:
    """It is an hour after noon, and pauses take no time."""
    clock = Clock(now=lambda: NOON + timedelta(hours=1), pause=lambda _: None)
    for command in (retry, batch_list):
        monkeypatch.setattr(command, "CLOCK", clock)
    return Operated.of(deployed)


def failed(
    upload: Upload, code: str = DENIED, batch_id: str = "batch-1", lane: str = "default", **decision: Any
) -> Verdict:
    verdict = a_verdict(Status.FAILED, Claim(upload, batch_id, upload.uploaded_at, lane), failure=Failure(code, "no"))
    return replace(verdict, **decision)


def retried(gatehouse: Run, *arguments: str, status: int = 0) -> dict[str, Any]:
    """The report of `retry --status FAILED --yes`."""
    result = gatehouse("retry", "--status", "FAILED", "--yes", *arguments, "--output", "json")
    assert result.exit_code == status, result.stderr
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def test_what_failed_in_any_batch_goes_back_to_be_taken_from_it(operated: Operated, gatehouse: Run) -> None:
    verdicts = [failed(upload, batch_id=f"batch-{n % 7}") for n, upload in enumerate(uploads(234))]
    operated.deployed.put(*verdicts)

    report = retried(gatehouse)

    assert report["put_back"] == [{"code": DENIED, "lane": "default", "count": 234}]
    sent = {upload_in(body): event_in(body).resubmit_of for body in operated.bodies(INGEST)}
    assert sent == {verdict.upload: verdict.claim.batch_id for verdict in verdicts}
    assert operated.deployed.calls.made["Scan"] == 0


def test_no_other_verdict_is_touched(operated: Operated, gatehouse: Run) -> None:
    for status in set(Status) - {Status.PENDING, Status.FAILED}:
        operated.deployed.put(a_verdict(status, a_claim(an_upload(f"{status}.jpg"))))
    operated.deployed.put(a_claim(an_upload("pending.jpg")), failed(an_upload("failed.jpg")))

    retried(gatehouse)

    assert operated.keys(INGEST) == ["failed.jpg"]


def test_an_upload_that_a_newer_one_has_followed_has_a_verdict_of_its_own(operated: Operated, gatehouse: Run) -> None:
    older, newer = an_upload("a.jpg", sequencer="01"), an_upload("a.jpg", sequencer="02")
    operated.deployed.put(failed(older), a_verdict(Status.APPROVED, a_claim(newer)))

    retried(gatehouse)

    assert [upload_in(body) for body in operated.bodies(INGEST)] == [older]


def test_what_a_person_decided_is_left_alone_and_named(operated: Operated, gatehouse: Run) -> None:
    operated.deployed.put(
        failed(an_upload("a.jpg"), decided_by="person:reviewer-7"), failed(an_upload("b.jpg"), decided_by="policy")
    )

    result = gatehouse("retry", "--status", "FAILED", "--yes")

    assert (result.exit_code, operated.keys(INGEST)) == (0, ["b.jpg"])
    assert "Left alone, because a person decided: 1.\n  s3://uploads/a.jpg, of " in result.stdout
    assert result.stdout.endswith(", by person:reviewer-7\n")
    assert [entry["object"] for entry in retried(gatehouse)["decided_by_people"]] == ["s3://uploads/a.jpg"]


@pytest.mark.parametrize("held", [a_claim(an_upload("a.jpg")), a_verdict(Status.APPROVED, a_claim(an_upload("a.jpg")))])
def test_an_item_that_is_not_failed_any_more_is_left_alone(
    operated: Operated, gatehouse: Run, held: Claim | Verdict
) -> None:
    """The index follows the table within moments."""
    operated.deployed.put(failed(an_upload("a.jpg")), failed(an_upload("b.jpg")))
    operated.deployed.calls.interrupt("BatchGetItem", lambda: operated.deployed.put(held))

    assert retried(gatehouse)["found"] == 1
    assert operated.keys(INGEST) == ["b.jpg"]


def test_it_may_be_run_again(operated: Operated, gatehouse: Run) -> None:
    """The batcher takes an upload only from the batch that the message names, once."""
    operated.deployed.put(failed(an_upload("a.jpg")))

    for _ in range(2):
        retried(gatehouse)

    first, second = operated.bodies(INGEST)
    assert first == second
    assert event_in(first).resubmit_of == "batch-1"


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        ((), ["a.jpg", "in/b.jpg", "older.jpg", "profile/c.jpg"]),
        (("--since", "2h"), ["a.jpg", "in/b.jpg", "profile/c.jpg"]),
        (("--since", iso(NOON + timedelta(minutes=1))), ["a.jpg", "in/b.jpg", "profile/c.jpg"]),
        (("--since", iso(NOON + timedelta(minutes=1, milliseconds=1))), []),
        (("--prefix", "in/"), ["in/b.jpg"]),
        (("--prefix", "literal:in/"), ["in/b.jpg"]),
        (("--lane", "profile-pictures"), ["profile/c.jpg"]),
        (("--lane", "removed"), ["in/b.jpg"]),
        (("--code", "Other"), ["older.jpg"]),
        (("--code", "Other", "--code", DENIED), ["a.jpg", "in/b.jpg", "older.jpg", "profile/c.jpg"]),
        (("--lane", "default", "--since", "1d", "--prefix", "b", "--code", DENIED), []),
    ],
)
def test_only_what_is_selected_goes_back(
    operated: Operated, gatehouse: Run, arguments: tuple[str, ...], keys: list[str]
) -> None:
    operated.deployed.put(
        failed(an_upload("a.jpg")),
        failed(an_upload("in/b.jpg"), lane="removed"),
        failed(an_upload("profile/c.jpg"), lane="profile-pictures"),
        failed(an_upload("older.jpg"), "Other", decided_at=iso(NOON - timedelta(days=5))),
        failed(an_upload("oldest.jpg"), decided_at=iso(NOON - timedelta(days=8))),
    )

    retried(gatehouse, *arguments)

    assert sorted(operated.keys(INGEST) + operated.keys(PICTURES_INGEST)) == keys


def test_uploads_go_to_the_lane_that_takes_them_now_and_those_without_one_are_named(
    operated: Operated, gatehouse: Run
) -> None:
    operated.deployed.put(
        failed(an_upload("profile/a.jpg")), failed(an_upload("b.jpg")), failed(an_upload("tmp/no.jpg"))
    )

    report = retried(gatehouse, status=1)

    assert (operated.keys(INGEST), operated.keys(PICTURES_INGEST)) == (["b.jpg"], ["profile/a.jpg"])
    assert [entry["object"] for entry in report["outside_every_lane"]] == ["s3://uploads/tmp/no.jpg"]
    result = gatehouse("retry", "--status", "FAILED", "--dry-run")
    assert "No longer in any lane: 1. Widen a lane in gatehouse.yaml to their keys and sizes" in result.stdout
    assert "  s3://uploads/tmp/no.jpg, of " in result.stdout


@pytest.mark.parametrize("code", ["Superseded", "Unconfirmable"])
def test_what_no_other_try_would_help_is_counted_and_goes_back_only_if_its_code_is_named(
    operated: Operated, gatehouse: Run, code: str
) -> None:
    operated.deployed.put(failed(an_upload("lost.jpg"), code), failed(an_upload("a.jpg")))

    assert retried(gatehouse)["not_worth_a_try"] == {code: 1}
    assert operated.keys(INGEST) == ["a.jpg"]
    assert f"can't be confirmed: {code} 1." in gatehouse("retry", "--status", "FAILED", "--dry-run").stdout
    assert retried(gatehouse, "--code", code)["other_codes"] == {DENIED: 1}
    assert operated.keys(INGEST) == ["lost.jpg"]


def test_a_dry_run_says_what_would_be_done(operated: Operated, gatehouse: Run) -> None:
    operated.deployed.put(*(failed(upload) for upload in uploads(12)), failed(an_upload("profile/a.jpg"), "Other"))

    result = gatehouse("retry", "--status", "FAILED", "--dry-run")

    assert result.exit_code == 0
    rows = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert rows[0] == "Would be put into their lanes' queues"
    assert f"| {DENIED} | default | 12 |" in rows
    assert "| Other | profile-pictures | 1 |" in rows
    would = retried(gatehouse, "--dry-run")
    assert operated.bodies(INGEST) == operated.bodies(PICTURES_INGEST) == []
    assert {**would, "dry_run": False} == retried(gatehouse)


def test_nothing_goes_back_without_a_yes(operated: Operated, gatehouse: Run) -> None:
    operated.deployed.put(failed(an_upload("a.jpg")))

    result = gatehouse("retry", "--status", "FAILED", input="n\n")

    assert result.exit_code == 1
    assert "1 FAILED uploads, into the queues of: default (1). They are analyzed again, at a cost." in result.stderr
    assert operated.bodies(INGEST) == []


@pytest.mark.usefixtures("operated")
def test_where_nothing_failed_there_is_nothing_to_ask(gatehouse: Run) -> None:
    options = ("--status", "failed", "--lane", "default", "--prefix", "in/", "--since", "2026-11-22")

    result = gatehouse("retry", *options, input="")

    assert result.exit_code == 0
    assert result.stdout == "No upload of lane default under in/ is FAILED since 2026-11-22T00:00:00.000Z.\n"


@pytest.mark.usefixtures("operated")
@pytest.mark.parametrize("arguments", [("--status", "APPROVED"), ("--status", "PENDING")])
def test_only_failed_ones_may_be_retried(gatehouse: Run, arguments: tuple[str, ...]) -> None:
    assert gatehouse("retry", *arguments, "--yes").exit_code == 2


def test_failed_ones_are_meant_where_nobody_says_so(operated: Operated, gatehouse: Run) -> None:
    operated.deployed.put(failed(an_upload("a.jpg")))

    result = gatehouse("retry", "--yes", "--output", "json")

    assert (result.exit_code, json.loads(result.stdout)["status"]) == (0, "FAILED")
    assert operated.keys(INGEST) == ["a.jpg"]


def test_what_sqs_refuses_is_told_and_the_rest_is_sent(operated: Operated, gatehouse: Run) -> None:
    operated.deployed.put(*(failed(upload) for upload in uploads(25)), failed(an_upload("profile/a.jpg")))
    refused = [{"Id": "4", "Code": "InternalError", "SenderFault": False}]
    operated.deployed.calls.answer_next("SendMessageBatch", {"Successful": [], "Failed": refused})

    report = retried(gatehouse, status=1)

    assert report["refused"] == 1
    assert [entry["count"] for entry in report["put_back"]] == [24, 1]
    assert len(operated.keys(INGEST)) == 15, "the first ten were never asked of SQS"


def test_what_was_sent_is_told_when_an_error_ends_it(operated: Operated, gatehouse: Run) -> None:
    operated.deployed.put(*(failed(upload) for upload in uploads(120)))
    calls = operated.deployed.calls
    calls.interrupt("SendMessageBatch", lambda: calls.answer_next("SendMessageBatch", an_error("AccessDenied")), nth=11)

    result = gatehouse("retry", "--status", "FAILED", "--yes", "--output", "json")

    assert result.exit_code == 1
    assert "SendMessageBatch was refused" in result.stderr
    assert [entry["count"] for entry in json.loads(result.stdout)["put_back"]] == [100]


@pytest.mark.usefixtures("waits")
def test_a_table_that_is_read_too_fast_is_read_again(operated: Operated, gatehouse: Run) -> None:
    operated.deployed.put(failed(an_upload("a.jpg")))
    operated.deployed.calls.throttle("Query", times=9)

    assert retried(gatehouse, "--since", "1h")["found"] == 1


def test_more_than_one_page_of_the_index_is_read(operated: Operated, gatehouse: Run) -> None:
    operated.deployed.put(*(failed(upload) for upload in uploads(40)))
    asked: list[Any] = []

    def limited(request: Any) -> None:
        body = json.loads(request["body"])
        asked.append(body)
        request["body"] = json.dumps({**body, "Limit": 1}).encode()

    operated.deployed.calls.answer_always("Query", limited)

    assert retried(gatehouse)["found"] == 40
    assert any("ExclusiveStartKey" in body for body in asked)


@pytest.mark.parametrize("odd", [{}, {"sequencer": "zz"}, {"uploaded_at": "today"}, {"size": "many"}], ids=str)
def test_an_item_that_is_not_ours_ends_nothing(operated: Operated, gatehouse: Run, odd: dict[str, str]) -> None:
    operated.deployed.put(failed(an_upload("a.jpg")))
    item = (
        verdict_item(failed(an_upload("odd.jpg"))) if odd else {"status": "FAILED", "status_day": "FAILED#2026-11-22#0"}
    )
    keys = {"object": "odd", "version": "1", "decided_order": "2026-11-22T12:30:00.000Z#1"}
    operated.deployed.put_item({**item, **keys, **odd})

    assert retried(gatehouse)["found"] == 1


def test_nothing_goes_back_during_a_deploy_or_after_one_that_came_in_between(
    operated: Operated, gatehouse: Run
) -> None:
    operated.deployed.put(failed(an_upload("a.jpg")))
    changes = operated.deployed.stack_changes
    operated.deployed.calls.interrupt(
        "BatchGetItem", lambda: changes.update({"gatehouse-pipeline": {"LastUpdatedTime": NOON}})
    )
    result = gatehouse("retry", "--status", "FAILED", "--yes")
    assert (result.exit_code, "was deployed in the meantime" in result.stderr) == (1, True)

    changes["gatehouse-pipeline"] = {"StackStatus": "UPDATE_IN_PROGRESS"}
    result = gatehouse("retry", "--status", "FAILED", "--yes")
    assert (result.exit_code, "gatehouse-pipeline is being deployed" in result.stderr) == (1, True)
    assert gatehouse("retry", "--status", "FAILED", "--dry-run").exit_code == 0
    assert operated.bodies(INGEST) == []


def test_keys_and_people_give_no_orders_to_the_terminal(operated: Operated, gatehouse: Run) -> None:
    operated.deployed.put(
        failed(an_upload("\x1b[2J\u202egpj.jpg"), decided_by="person:\x9b31m"),
        failed(an_upload("b.jpg"), "\x1b]0;x\x07"),
    )

    text = gatehouse("retry", "--status", "FAILED", "--dry-run").stdout

    assert "\\x1b[2J\\u202egpj.jpg" in text
    assert not {"\x1b", "\x9b", "\x07", "\u202e"} & set(text)


def test_batches_with_failed_uploads_are_listed_though_their_executions_ended_well(
    operated: Operated, gatehouse: Run
) -> None:
    operated.execute("batch-1", "SUCCEEDED")
    operated.execute("batch-2", "FAILED", stopDate=NOON)
    operated.execute("batch-3", "FAILED", stopDate=NOON)
    late = iso(NOON + timedelta(minutes=30))
    operated.deployed.put(
        *(failed(upload) for upload in uploads(3)),
        failed(an_upload("a.jpg"), "Other", decided_at=late),
        failed(an_upload("b.jpg"), batch_id="batch-2"),
        failed(an_upload("old.jpg"), batch_id="batch-4", decided_at=iso(NOON - timedelta(days=8))),
        failed(an_upload("person.jpg"), batch_id="batch-5", decided_by="person:reviewer-7"),
    )

    result = gatehouse("batch", "list", "--output", "json")

    listed = {entry["batch_id"]: entry for entry in json.loads(result.stdout)}
    assert {batch: entry["failed_uploads"] for batch, entry in listed.items()} == {
        "batch-1": {DENIED: 3, "Other": 1},
        "batch-2": {DENIED: 1},
        "batch-3": {},
    }
    assert {batch: entry["status"] for batch, entry in listed.items()} == {
        "batch-1": None,
        "batch-2": "FAILED",
        "batch-3": "FAILED",
    }
    assert (listed["batch-1"]["failed_at"], listed["batch-3"]["failed_at"]) == (late, None)
    assert operated.deployed.calls.made["Scan"] == 0
    text = gatehouse("batch", "list").stdout
    assert f"5 FAILED uploads in 2 batches: {DENIED} 4, Other 1." in text
    assert "`./gatehouse retry --status FAILED --since 7d`" in text


def test_only_batches_with_failed_uploads_are_listed_if_asked_for(operated: Operated, gatehouse: Run) -> None:
    operated.execute("batch-2", "FAILED", stopDate=NOON)
    assert gatehouse("batch", "list", "--status", "failed-uploads").stdout.startswith(
        "No batch is left with FAILED uploads since"
    )
    operated.deployed.put(failed(an_upload("a.jpg")))

    def listed(status: str) -> list[str]:
        result = gatehouse("batch", "list", "--status", status, "--output", "json")
        return [entry["batch_id"] for entry in json.loads(result.stdout)]

    assert (listed("failed-uploads"), listed("failed")) == (["batch-1"], ["batch-2"])


def test_a_lane_that_is_not_there_now_is_said_to_be_none(operated: Operated, gatehouse: Run) -> None:
    operated.deployed.put(failed(an_upload("a.jpg"), lane="gone"))

    for lane, found in (("typo", 0), ("gone", 1)):
        result = gatehouse("retry", "--status", "FAILED", "--lane", lane, "--dry-run", "--output", "json")
        assert json.loads(result.stdout)["found"] == found
        assert f"There is no lane {lane} now; the lanes are default, profile-pictures." in result.stderr
    assert "There is no lane" not in gatehouse("retry", "--status", "FAILED", "--lane", "default", "--dry-run").stderr
