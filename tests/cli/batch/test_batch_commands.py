"""A batch is shown as it stands, and what FAILED or PENDING under it, and nothing else, can be resubmitted."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gatehouse.cli.batch import list_command as batch_list
from gatehouse.cli.clock import Clock
from gatehouse.moderation.batch import uploads_key
from gatehouse.moderation.claim import Claim
from gatehouse.moderation.failure import Failure
from gatehouse.moderation.image_pass import ImagePass
from gatehouse.moderation.open_batch import OpenBatch
from gatehouse.moderation.status import Status
from tests.cli.conftest import STATE_MACHINE, WORK, Deployed, Run
from tests.cli.operated import INGEST, PICTURES, PICTURES_INGEST, Operated
from tests.unit.builders import NOON, a_claim, a_verdict, an_upload, event_in, upload_in, uploads

BATCH = "0" * 32
REDRIVABLE = {"redriveStatus": "REDRIVABLE"}


@pytest.fixture
def operated(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> Operated:
    """It is two days after the batches began."""
    monkeypatch.setattr(batch_list, "CLOCK", Clock(now=lambda: NOON + timedelta(days=2)))
    return Operated.of(deployed)


def claims(*keys: str) -> list[Claim]:
    """Claims of the batch."""
    return [a_claim(an_upload(key), batch_id=BATCH) for key in keys]


def failed(claim: Claim, code: str = "ChunkFailed") -> Any:
    return a_verdict(Status.FAILED, claim, failure=Failure(code, "no"))


def a_failed_batch(operated: Operated) -> list[Claim]:
    """One upload for each thing that may have become of it."""
    held = claims(
        "approved.jpg", "blocked.jpg", "unsupported.txt", "failed.jpg", "pending.jpg", "taken.jpg", "gone.jpg"
    )
    operated.write_batch(held)
    operated.deployed.put(
        a_verdict(Status.APPROVED, held[0]),
        a_verdict(Status.BLOCKED, held[1]),
        a_verdict(Status.UNSUPPORTED, held[2]),
        failed(held[3]),
        held[4],
        a_claim(held[5].upload, batch_id="another"),
    )
    operated.execute(BATCH, "FAILED", error="ChunkFailed", cause="given up", **REDRIVABLE)
    return held


def state(gatehouse: Run) -> dict[str, Any]:
    result = gatehouse("batch", "show", BATCH, "--output", "json")
    assert result.exit_code == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_a_batch_is_shown_with_its_failure_its_files_and_what_became_of_each_upload(
    operated: Operated, gatehouse: Run
) -> None:
    a_failed_batch(operated)
    leftovers = ImagePass.LEFTOVERS.index_key(BATCH)
    for key in (leftovers, f"batches/{BATCH}/analysis/image/first/0.jsonl", f"batches/{BATCH}1/other.jsonl"):
        operated.deployed.s3.put_object(Bucket=WORK, Key=key, Body=b"")

    shown = state(gatehouse)

    assert (shown["lane"], shown["engine"], shown["execution"]["status"]) == ("default", "auto", "FAILED")
    assert (shown["execution"]["error"], shown["execution"]["cause"]) == ("ChunkFailed", "given up")
    assert shown["files"] == {"analysis/image/": 1, "batch.json": 1, "leftovers.jsonl": 1, "uploads.jsonl": 1}
    assert shown["uploads"] == 7
    assert shown["statuses"] == {"APPROVED": 1, "BLOCKED": 1, "FAILED": 1, "PENDING": 1, "UNSUPPORTED": 1}
    assert shown["failures"] == {"ChunkFailed": 1}
    assert (shown["in_another_batch"], shown["without_item"]) == (1, 1)
    pending, failed = shown["advice"]
    assert pending.startswith("PENDING: 1. Their execution can be redriven.")
    assert failed.startswith("FAILED: 1. ")
    assert "batch resubmit" in failed
    text = gatehouse("batch", "show", BATCH).stdout
    assert "cause: given up" in text
    assert "1 FAILED with ChunkFailed: The Analyzer kept failing" in text


@pytest.mark.parametrize(
    ("execution", "advice"),
    [
        (("RUNNING", {}), "It is running: wait for its end."),
        (
            ("SUCCEEDED", {"redriveStatusReason": "it ended well"}),
            "can't be redriven (it ended well). Remove the cause",
        ),
        (("ABORTED", REDRIVABLE), "it resumes where it stopped"),
        (
            ("FAILED", {**REDRIVABLE, "redriveCount": 10}),
            "can't be redriven (it was redriven 10 times without success)",
        ),
        (None, "They have no execution. Remove the cause"),
    ],
)
def test_what_to_do_follows_from_the_execution(
    operated: Operated, gatehouse: Run, execution: tuple[str, dict[str, Any]] | None, advice: str
) -> None:
    held = claims("a.jpg")
    operated.write_batch(held)
    operated.deployed.put(*held)
    if execution:
        operated.execute(BATCH, execution[0], **execution[1])

    (sentence,) = state(gatehouse)["advice"]

    assert advice in sentence


def test_a_batch_that_ended_well_needs_nothing(operated: Operated, gatehouse: Run) -> None:
    held = claims("a.jpg")
    operated.write_batch(held)
    operated.deployed.put(a_verdict(Status.REVIEW, held[0]))
    operated.execute(BATCH, "SUCCEEDED")

    assert state(gatehouse)["advice"] == ["Nothing to do: none of its uploads is PENDING or FAILED under it."]
    result = gatehouse("batch", "resubmit", BATCH, input="")
    assert (result.exit_code, "Nothing to resubmit" in result.stdout) == (0, True)
    assert operated.bodies(INGEST) == []


def test_what_is_open_under_the_batch_is_resubmitted_and_nothing_else(operated: Operated, gatehouse: Run) -> None:
    held = a_failed_batch(operated)

    result = gatehouse("batch", "resubmit", BATCH, "--yes", "--output", "json")

    assert json.loads(result.stdout)["resubmitted"] == {"default": 2}
    sent = operated.bodies(INGEST)
    assert {upload_in(body) for body in sent} == {held[3].upload, held[4].upload}
    assert {event_in(body).resubmit_of for body in sent} == {BATCH}


def test_what_a_person_decided_is_not_resubmitted(operated: Operated, gatehouse: Run) -> None:
    held = claims("a.jpg", "b.jpg")
    operated.write_batch(held)
    operated.deployed.put(failed(held[0]), replace(failed(held[1]), decided_by="person:reviewer-7"))

    gatehouse("batch", "resubmit", BATCH, "--yes")

    assert operated.keys(INGEST) == ["a.jpg"]


def test_a_large_batch_is_resubmitted_whole(operated: Operated, gatehouse: Run) -> None:
    held = [a_claim(upload, batch_id=BATCH) for upload in uploads(123)]
    operated.write_batch(held)
    operated.deployed.put(*map(failed, held))

    gatehouse("batch", "resubmit", BATCH, "--yes")

    assert operated.keys(INGEST) == sorted(claim.upload.key for claim in held)


def test_uploads_go_to_the_lane_that_takes_them_now(operated: Operated, gatehouse: Run) -> None:
    held = claims("profile/a.jpg", "b.jpg", "tmp/no.jpg")
    operated.write_batch(held)
    operated.deployed.put(*map(failed, held))

    result = gatehouse("batch", "resubmit", BATCH, "--yes", "--output", "json")

    assert result.exit_code == 1, "not all of them could be resubmitted"
    assert json.loads(result.stdout)["outside_every_lane"] == 1
    assert "No longer in any lane: 1." in result.stderr
    assert (operated.keys(INGEST), operated.keys(PICTURES_INGEST)) == (["b.jpg"], ["profile/a.jpg"])


@pytest.mark.parametrize("arguments", [("--dry-run",), ()])
def test_nothing_is_resubmitted_in_a_dry_run_or_without_a_yes(
    operated: Operated, gatehouse: Run, arguments: tuple[str, ...]
) -> None:
    a_failed_batch(operated)

    result = gatehouse("batch", "resubmit", BATCH, *arguments, input="n\n")

    assert operated.bodies(INGEST) == []
    assert ("Would be put" in result.stdout) == bool(arguments)
    assert ("Nothing was changed." in result.stderr) != bool(arguments)


def test_a_batch_that_is_running_is_not_resubmitted(operated: Operated, gatehouse: Run) -> None:
    a_failed_batch(operated)
    operated.execute(BATCH, "PENDING_REDRIVE")

    result = gatehouse("batch", "resubmit", BATCH, "--yes")

    assert result.exit_code == 1
    assert result.stderr.startswith("It is running: wait for its end.")
    assert operated.bodies(INGEST) == []


def test_a_batch_whose_index_has_expired_is_told_so(operated: Operated, gatehouse: Run) -> None:
    a_failed_batch(operated)
    operated.deployed.s3.delete_object(Bucket=WORK, Key=uploads_key(BATCH))

    result = gatehouse("batch", "resubmit", BATCH, "--yes")

    assert result.exit_code == 1
    assert "Its uploads index is gone" in result.stderr
    assert state(gatehouse)["uploads"] is None


def test_a_batch_that_was_never_written_is_known_from_the_register(operated: Operated, gatehouse: Run) -> None:
    held = claims("profile/a.jpg", "b.jpg")
    entry = OpenBatch("profile-pictures", BATCH, held[0].claimed_at, [claim.upload for claim in held])
    operated.deployed.s3.put_object(Bucket=WORK, Key=entry.key, Body=entry.to_text().encode())
    operated.deployed.put(held[0], a_claim(held[1].upload, batch_id="another"))

    assert state(gatehouse)["statuses"] == {"PENDING": 1}
    assert gatehouse("batch", "resubmit", BATCH, "--yes").exit_code == 0
    assert (operated.keys(INGEST), operated.keys(PICTURES_INGEST)) == ([], ["profile/a.jpg"])


def test_a_batch_of_a_lane_that_is_gone_is_known_from_the_register(operated: Operated, gatehouse: Run) -> None:
    held = [a_claim(uploads(1)[0], batch_id=BATCH)]
    for lane, batch_id, count in (("removed", BATCH, 1), ("default", "1" * 32, 2)):
        entry = OpenBatch(lane, batch_id, held[0].claimed_at, uploads(count))
        operated.deployed.s3.put_object(Bucket=WORK, Key=entry.key, Body=entry.to_text().encode())
    operated.deployed.put(held[0])

    shown = state(gatehouse)
    assert (shown["uploads"], shown["statuses"]) == (1, {"PENDING": 1})


def test_the_state_that_an_execution_stands_at_is_shown(operated: Operated, gatehouse: Run) -> None:
    a_failed_batch(operated)
    assert state(gatehouse)["last_state"] is None

    operated.histories[BATCH] = ["Start job", "Get job", "Write verdicts"]

    assert state(gatehouse)["last_state"] == "Write verdicts"
    assert "last state: Write verdicts" in gatehouse("batch", "show", BATCH).stdout


def test_on_a_terminal_times_are_how_long_ago(
    operated: Operated, gatehouse: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = claims("a.jpg")
    operated.write_batch(held)
    operated.deployed.put(a_verdict(Status.REVIEW, held[0]))
    operated.execute(BATCH, "SUCCEEDED")
    monkeypatch.setattr("gatehouse.cli.batch.show_command.CLOCK", Clock(now=lambda: NOON + timedelta(hours=2)))
    assert "started 2026-11-22T12:00:00.000Z" in gatehouse("batch", "show", BATCH).stdout

    monkeypatch.setenv("FORCE_COLOR", "1")  # which is how Rich is told that this is a terminal
    assert "started 2 h ago" in gatehouse("batch", "show", BATCH).stdout
    executed = json.loads(gatehouse("batch", "show", BATCH, "--output", "json").stdout)["execution"]
    assert executed["started_at"] == "2026-11-22T12:00:00.000Z"


def test_a_batch_that_retries_says_so(operated: Operated, gatehouse: Run) -> None:
    a_failed_batch(operated)
    operated.execute(BATCH, "RUNNING")
    operated.histories[BATCH] = ["Get job", "Write verdicts"]
    error = {"error": "Lambda.TooManyRequestsException", "cause": "busy"}
    operated.attempts[BATCH] = [("TaskScheduled", {}), ("TaskFailed", error)] * 2

    (retrying,) = state(gatehouse)["retrying"]

    assert (retrying["state"], retrying["failures"], retrying["error"]) == ("Write verdicts", 2, error["error"])
    text = gatehouse("batch", "show", BATCH).stdout
    assert (
        f"retrying: Write verdicts, since {retrying['since']}: failed 2 times, last {retrying['failed_at']}: "
        "Lambda.TooManyRequestsException: busy"
    ) in text
    assert "- It retries by itself: remove the cause, and it continues." in text


def test_what_failed_and_what_was_stopped_is_listed_the_latest_first(operated: Operated, gatehouse: Run) -> None:
    for n, status in enumerate(("FAILED", "FAILED", "ABORTED", "TIMED_OUT", "RUNNING", "SUCCEEDED")):
        ended: Any = {} if status == "RUNNING" else {"stopDate": NOON + timedelta(minutes=n + 1)}
        operated.execute(f"batch-{n}", status, redriveCount=n, **ended)

    def listed(*arguments: str) -> list[tuple[str, str]]:
        result = gatehouse("batch", "list", *arguments, "--output", "json")
        assert result.exit_code == 0, result.stderr
        return [(entry["batch_id"], entry["status"]) for entry in json.loads(result.stdout)]

    stopped = [("batch-3", "TIMED_OUT"), ("batch-2", "ABORTED"), ("batch-1", "FAILED"), ("batch-0", "FAILED")]
    assert listed() == stopped
    assert listed("--status", "failed") == stopped[2:]
    assert listed("--status", "aborted") == stopped[:2]
    assert listed("--status", "running", "--status", "failed") == [*stopped[2:], ("batch-4", "RUNNING")]
    text = gatehouse("batch", "list").stdout
    assert "batch-1" in text
    assert "batch show" in text


def test_what_ended_before_the_time_asked_for_is_not_listed(operated: Operated, gatehouse: Run) -> None:
    operated.execute("older", "FAILED", stopDate=NOON)
    operated.execute("newer", "FAILED", stopDate=NOON + timedelta(days=1))

    result = gatehouse("batch", "list", "--since", (NOON + timedelta(hours=1)).isoformat(), "--output", "json")

    assert [entry["batch_id"] for entry in json.loads(result.stdout)] == ["newer"]
    assert (
        "No batch is running since 2026-11-17T12:00:00.000Z."
        in gatehouse(*("batch", "list", "--status", "running")).stdout
    )


def test_batches_of_every_workflow_are_listed(operated: Operated, gatehouse: Run) -> None:
    backfill = STATE_MACHINE.replace("live", "backfill")
    operated.deployed.stacks(BackfillStateMachineArn=backfill)
    operated.execute("one", "FAILED")
    operated.execute("two", "FAILED", stateMachineArn=backfill)

    result = gatehouse("batch", "list", "--output", "json")

    assert {(entry["batch_id"], entry["workflow"]) for entry in json.loads(result.stdout)} == {
        ("one", "live"),
        ("two", "backfill"),
    }


def test_a_batch_gives_no_orders_to_the_terminal(operated: Operated, gatehouse: Run) -> None:
    held = claims("a.jpg")
    operated.write_batch(held)
    operated.deployed.put(failed(held[0], "\x1b[2J\u202e"))
    operated.execute(BATCH, "FAILED", error="\x9b31m", cause="\u202egpj\x1b]0;x\x07", **REDRIVABLE)
    operated.histories[BATCH] = ["\x1b[2J"]

    text = gatehouse("batch", "show", BATCH).stdout

    assert "\\u202egpj" in text
    assert not {"\x1b", "\x9b", "\x07", "\u202e"} & set(text)


def test_nothing_is_resubmitted_during_a_deploy(operated: Operated, gatehouse: Run) -> None:
    a_failed_batch(operated)
    operated.deployed.stack_changes["gatehouse-pipeline"] = {"StackStatus": "UPDATE_IN_PROGRESS"}

    result = gatehouse("batch", "resubmit", BATCH, "--yes")

    assert result.exit_code == 1
    assert "gatehouse-pipeline is being deployed" in result.stderr
    assert operated.bodies(INGEST) == []
    assert gatehouse("batch", "resubmit", BATCH, "--dry-run").exit_code == 0


def test_nothing_is_resubmitted_after_a_deploy_that_came_in_between(operated: Operated, gatehouse: Run) -> None:
    a_failed_batch(operated)
    changes = operated.deployed.stack_changes
    operated.deployed.calls.interrupt(
        "BatchGetItem", lambda: changes.update({"gatehouse-pipeline": {"LastUpdatedTime": NOON}})
    )

    result = gatehouse("batch", "resubmit", BATCH, "--yes")

    assert result.exit_code == 1
    assert "was deployed in the meantime" in result.stderr
    assert operated.bodies(INGEST) == []


def test_messages_that_sqs_refuses_are_told(operated: Operated, gatehouse: Run) -> None:
    a_failed_batch(operated)
    refused = [{"Id": str(n), "Code": "InternalError", "SenderFault": False} for n in range(2)]
    operated.deployed.calls.answer_next("SendMessageBatch", {"Failed": refused})

    result = gatehouse("batch", "resubmit", BATCH, "--yes")

    assert result.exit_code == 1
    assert result.stderr.endswith("SQS refused 2 of them; run the same command again later.\n")
    assert "Put into" not in result.stdout


@pytest.mark.parametrize("line", [b"[]\n", b"not json\n"])
def test_files_of_another_make_are_told(operated: Operated, gatehouse: Run, line: bytes) -> None:
    a_failed_batch(operated)
    operated.deployed.s3.put_object(Bucket=WORK, Key=uploads_key(BATCH), Body=line)

    result = gatehouse("batch", "show", BATCH)

    assert result.exit_code == 1
    assert "use the version of Gatehouse that wrote them" in result.stderr


@pytest.mark.usefixtures("operated")
@pytest.mark.parametrize("batch_id", ["f" * 32, "../../x", "a b"])
def test_a_batch_that_is_not_there_is_told(gatehouse: Run, batch_id: str) -> None:
    result = gatehouse("batch", "show", batch_id)

    assert (result.exit_code, result.stdout) == (1, "")
    assert "no trace of a batch" in result.stderr or "is not a batch id" in result.stderr


def test_lanes_of_another_make_are_told(operated: Operated, gatehouse: Run) -> None:
    a_failed_batch(operated)
    unknown = {"LANE": json.dumps({"name": "default", "color": "red"})}
    operated.deployed.calls.answer_always("GetFunctionConfiguration", lambda _: {"Environment": {"Variables": unknown}})

    result = gatehouse("batch", "resubmit", BATCH, "--yes")

    assert result.exit_code == 1
    assert "has a lane that can't be read" in result.stderr
    assert PICTURES.name not in result.stderr
