"""`policy explain`: why a stored verdict is what it is."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gatehouse.cli.clock import Clock
from gatehouse.cli.policy.policy_source import short
from gatehouse.moderation.analysis import Analysis
from gatehouse.moderation.decision import Decision, acted, appeal, decide
from gatehouse.moderation.failure import Failure
from gatehouse.moderation.person import Person
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import Upload
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import verdict_item
from tests.cli.conftest import STANDARD, STRICT, Deployed, Run, policy_of
from tests.unit.builders import ADAPTER, NOON, a_claim, a_verdict, an_analysis, an_upload

POLICY = policy_of(STANDARD)
CAT = "s3://uploads/cat.jpg"
VIOLENCE = an_analysis({"Violence": 92.6})


def judged(
    analysis: Analysis = VIOLENCE, policy: Policy = POLICY, upload: Upload | None = None, **fields: Any
) -> Verdict:
    """The verdict that a policy gives on an analysis."""
    judgment = policy.judge(analysis)
    return a_verdict(
        judgment.status,
        a_claim(upload or an_upload()),
        **{"analysis": analysis, "reasons": judgment.reasons, "policy": policy.reference, **fields},
    )


def test_the_rule_that_fired_is_told_under_the_policy_that_judged(run: Run, deployed: Deployed) -> None:
    deployed.record(POLICY)
    deployed.put(judged())

    result = run("explain", CAT)

    lines = result.stdout.splitlines()
    assert lines[0] == "s3://uploads/cat.jpg, uploaded 2026-11-22T11:59:30.000Z"
    assert lines[1] == f"BLOCKED by standard version 1 ({short(POLICY.hash)}), decided 2026-11-22T12:01:00.000Z"
    assert lines[2] == "  Violence 92.6 reaches block from 90, by the rule Violence"
    assert lines[3] == "  lane default, batch batch-1, attempt 1, job job-1, labels requested from 30"
    assert "It would be REVIEW with Violence: block above 92.6 (now 90)." in lines
    assert result.exit_code == 0


def test_a_key_alone_is_looked_for_in_the_uploads_bucket(run: Run, deployed: Deployed) -> None:
    deployed.put(judged())

    assert run("explain", "cat.jpg").stdout.startswith("s3://uploads/cat.jpg, uploaded")


def test_an_approval_is_told_to_have_reached_no_threshold(run: Run, deployed: Deployed) -> None:
    deployed.record(POLICY)
    deployed.put(judged(an_analysis({"Violence": 40.0})))

    result = run("explain", CAT)

    assert "APPROVED by standard version 1" in result.stdout
    assert "  No label reached a threshold." in result.stdout
    assert "It would be REVIEW with Violence: review at 40 or below (now 50)." in result.stdout


def test_the_newest_upload_is_explained_with_one_query_of_one_item(run: Run, deployed: Deployed) -> None:
    deployed.put(
        judged(upload=an_upload(sequencer="01", version_id="old")),
        judged(an_analysis(), upload=an_upload(sequencer="02", version_id="new")),
    )

    document = json.loads(run("explain", CAT, "--output", "json").stdout)

    assert (document["version_id"], document["status"]) == ("new", "APPROVED")
    assert deployed.calls.made["Query"] == 1


@pytest.mark.parametrize("told", [None, "null"])
def test_a_version_named_null_is_an_upload_without_one(run: Run, deployed: Deployed, told: str | None) -> None:
    deployed.put(
        judged(upload=an_upload(sequencer="01", version_id=told)),
        judged(an_analysis(), upload=an_upload(sequencer="02", version_id="new")),
    )

    document = json.loads(run("explain", CAT, "--version-id", "null", "--output", "json").stdout)

    assert (document["version_id"], document["status"]) == (None, "BLOCKED")


def test_a_version_is_found_among_the_uploads_of_its_key(run: Run, deployed: Deployed) -> None:
    deployed.put(
        judged(upload=an_upload(sequencer="01", version_id="old")),
        judged(an_analysis(), upload=an_upload(sequencer="02", version_id="new")),
    )

    result = run("explain", CAT, "--version-id", "old")

    assert result.stdout.startswith("s3://uploads/cat.jpg (version id old), uploaded")
    assert "BLOCKED" in result.stdout


def test_an_older_upload_is_found_by_its_version_with_one_read(run: Run, deployed: Deployed) -> None:
    old = an_upload(sequencer="01")  # of a bucket without versioning
    deployed.put(judged(upload=old), judged(an_analysis(), upload=an_upload(sequencer="02")))

    document = json.loads(run("explain", CAT, "--version", old.version, "--output", "json").stdout)

    assert (document["version"], document["status"]) == (old.version, "BLOCKED")
    assert (deployed.calls.made["GetItem"], deployed.calls.made["Query"]) == (1, 0)


@pytest.mark.usefixtures("deployed")
def test_two_ways_to_choose_an_upload_are_one_too_many(run: Run) -> None:
    result = run("explain", CAT, "--version", "1", "--version-id", "2")

    assert result.stderr == "--version and --version-id both choose an upload; give one of them.\n"
    assert result.exit_code == 1


def test_a_policy_that_was_not_recorded_is_found_among_the_files(run: Run, deployed: Deployed, here: Path) -> None:
    (here / "policies").mkdir()
    (here / "policies" / "broken.yaml").write_text("rules: [", encoding="utf-8")
    (here / "policies" / "standard.yaml").write_text(STANDARD, encoding="utf-8")
    deployed.put(judged())

    assert "It would be REVIEW with Violence: block above 92.6 (now 90)." in run("explain", CAT).stdout


def test_without_the_policy_the_stored_reasons_are_told(run: Run, deployed: Deployed) -> None:
    deployed.put(judged())

    result = run("explain", CAT)

    assert "  Violence 92.6 reaches block from 90, by the rule Violence" in result.stdout
    assert "is neither recorded nor in ./policies, so only the stored reasons can be shown" in result.stdout
    assert "It would be" not in result.stdout
    assert result.exit_code == 0


def test_another_policy_can_be_asked(run: Run, deployed: Deployed, here: Path) -> None:
    (here / "lenient.yaml").write_text(STANDARD.replace("block: 90", "block: 95"), encoding="utf-8")
    deployed.put(judged())

    result = run("explain", CAT, "--policy", "lenient.yaml")

    assert "BLOCKED by standard version 1" in result.stdout
    assert "REVIEW under standard version 1" in result.stdout
    assert "  Violence 92.6 reaches review from 50, by the rule Violence" in result.stdout


def test_labels_that_nobody_asked_for_are_told_to_be_unknown(run: Run, deployed: Deployed) -> None:
    deployed.record(POLICY)
    deployed.put(judged(an_analysis(), min_confidence=80.0))

    assert "also judges labels below 80, which were not requested from Rekognition" in run("explain", CAT).stdout


def test_an_adapter_that_did_not_answer_is_told(run: Run, deployed: Deployed) -> None:
    deployed.record(POLICY)
    deployed.put(judged(adapter_asked=ADAPTER))

    assert "The answer is not from the lane's adapter" in run("explain", CAT).stdout


def test_a_pending_upload_is_told_to_be_undecided(run: Run, deployed: Deployed) -> None:
    deployed.put(a_claim())

    result = run("explain", CAT)

    assert "PENDING. Not decided yet: the batch batch-1 claimed it 2026-11-22T12:00:00.000Z (attempt 1)." in (
        result.stdout
    )
    assert json.loads(run("explain", CAT, "--output", "json").stdout)["status"] == "PENDING"


@pytest.mark.parametrize("status", [Status.UNSUPPORTED, Status.FAILED])
def test_an_upload_without_labels_is_told_with_its_error(run: Run, deployed: Deployed, status: Status) -> None:
    deployed.put(a_verdict(status, failure=Failure("ImageTooLarge", "the object has 16 MB")))

    result = run("explain", CAT)

    assert f"{status}, decided 2026-11-22T12:01:00.000Z" in result.stdout
    assert "  ImageTooLarge: the object has 16 MB" in result.stdout
    assert "It has no labels, so no policy could judge it." in result.stdout


def test_a_decision_of_a_person_is_told_to_be_one(run: Run, deployed: Deployed) -> None:
    deployed.record(POLICY)
    deployed.put(replace(judged(), status=Status.APPROVED, decided_by="person:reviewer-7"))

    result = run("explain", CAT)

    assert "APPROVED, decided 2026-11-22T12:01:00.000Z by person:reviewer-7" in result.stdout
    assert "A person decided this; no policy, and no replay, changes it." in result.stdout
    words = f"standard version 1 ({POLICY.hash[:8]})"
    assert f"  {words}: Violence 92.6 reaches block from 90, by the rule Violence\n" in result.stdout
    assert (
        f"What {words} makes of its labels: BLOCKED. It did not decide the status above, and no change of it would:\n"
    ) in result.stdout
    assert "The policy's result would be APPROVED with " in result.stdout
    assert "It would be" not in result.stdout


def test_what_people_decided_is_told_with_what_was_done_before(run: Run, deployed: Deployed) -> None:
    deployed.record(POLICY)
    mo, kim = Person("mo", "Mo"), Person("reviewers/kim")
    blocked = acted(judged(), decide(Status.BLOCKED, mo, Decision("spam", "an advert"), "2026-11-22T13:00:00.000Z"))
    appealed = acted(blocked, appeal(Person("intake"), Decision("appeal", None), "2026-11-22T14:00:00.000Z"))
    deployed.put(appealed)

    result = run("explain", CAT)

    assert "REVIEW, decided 2026-11-22T14:00:00.000Z by person:intake" in result.stdout
    assert "Its owner appealed, and a person has to decide; no policy, and no replay, changes it." in result.stdout
    assert "  person:mo can't decide, because their decision was appealed or reported" in result.stdout

    deployed.put(acted(appealed, decide(Status.APPROVED, kim, Decision("context", None), "2026-11-22T15:00:00.000Z")))

    result = run("explain", CAT)
    assert "  decided by person:reviewers/kim: context\n" in result.stdout
    assert "A person decided this; no policy, and no replay, changes it." in result.stdout
    rows = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "| 2026-11-22T13:00:00.000Z | decided | BLOCKED | BLOCKED | person:mo (Mo) | spam: an advert |" in rows
    document = json.loads(run("explain", CAT, "--output", "json").stdout)
    assert (document["revision"], document["decision"]) == (3, {"reason": "context"})
    assert [entry["cause"] for entry in document["history"]] == ["decision", "appeal", "decision"]


def test_a_key_cannot_write_to_the_terminal(run: Run, deployed: Deployed) -> None:
    deployed.put(judged(upload=an_upload("red\x1b[31m\n.jpg")))

    assert run("explain", "red\x1b[31m\n.jpg").stdout.startswith("s3://uploads/red\\x1b[31m\\n.jpg, uploaded")


def test_scripts_get_one_document(run: Run, deployed: Deployed) -> None:
    deployed.record(POLICY)
    deployed.put(judged())

    document = json.loads(run("explain", CAT, "--output", "json").stdout)

    explanation = document.pop("explanation")
    assert document == {
        "object": CAT,
        "version": an_upload().version,
        "version_id": None,
        "etag": "d41d8cd98f00b204e9800998ecf8427e",
        "uploaded_at": "2026-11-22T11:59:30.000Z",
        "status": "BLOCKED",
        "lane": "default",
        "batch_id": "batch-1",
        "attempt": 1,
        "claimed_at": "2026-11-22T12:00:00.000Z",
        "decided_at": "2026-11-22T12:01:00.000Z",
        "decided_by": "policy",
        "revision": 0,
        "decided_by_name": None,
        "decision": None,
        "history": [],
        "policy": POLICY.reference.to_document(),
        "reasons": [
            {"rule": "Violence", "label": "Violence", "confidence": 92.6, "outcome": "block", "threshold": 90.0}
        ],
        "error": None,
        "engine": "bulk",
        "job_id": "job-1",
        "min_confidence": 30.0,
        "frames": None,
        "rendition": None,
        "notes": [],
    }
    assert explanation["status"] == "BLOCKED"
    assert explanation["policy"] == POLICY.reference.to_document()


@pytest.mark.usefixtures("deployed")
@pytest.mark.parametrize("arguments", [(CAT,), ("dog.jpg",), (CAT, "--version", "0"), (CAT, "--version-id", "gone")])
def test_an_upload_nobody_knows_is_told(run: Run, arguments: tuple[str, ...]) -> None:
    result = run("explain", *arguments)

    assert result.stderr.startswith("There is no verdict for s3://uploads/")
    assert "no lane in gatehouse.yaml accepts its key" in result.stderr
    assert (result.stdout, result.exit_code) == ("", 1)


@pytest.mark.usefixtures("deployed")
@pytest.mark.parametrize("upload", ["", "s3://uploads", "s3://uploads/", "s3:///cat.jpg", "bad\udcff.jpg"])
def test_what_is_no_object_is_told(run: Run, upload: str) -> None:
    result = run("explain", upload)

    assert "is not an object; write s3://bucket/key, or a key of uploads." in result.stderr
    assert result.exit_code == 1


def test_an_item_of_another_make_is_told(run: Run, deployed: Deployed) -> None:
    item = verdict_item(judged())
    del item["batch_id"]
    deployed.put_item(item)

    result = run("explain", CAT)

    assert "was written by another version of Gatehouse or by hand (KeyError('batch_id'))" in result.stderr
    assert result.exit_code == 1


def test_a_recorded_document_that_was_tampered_with_is_not_believed(run: Run, deployed: Deployed) -> None:
    deployed.put(judged())
    deployed.s3.put_object(Bucket="work", Key=f"policies/{POLICY.hash}.json", Body=policy_of(STRICT).to_text().encode())

    result = run("explain", CAT)

    assert "holds a policy of another hash" in result.stderr
    assert result.exit_code == 1


def test_on_a_terminal_times_are_how_long_ago(run: Run, deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    deployed.put(a_verdict(Status.FAILED))
    monkeypatch.setenv("FORCE_COLOR", "1")  # which is how Rich is told that this is a terminal
    monkeypatch.setattr("gatehouse.cli.policy.explain_command.CLOCK", Clock(now=lambda: NOON + timedelta(hours=2)))

    result = run("explain", "cat.jpg")

    assert "uploaded 2 h ago" in result.stdout
    assert "decided 1 h ago" in result.stdout
    assert json.loads(run("explain", "cat.jpg", "--output", "json").stdout)["decided_at"] == "2026-11-22T12:01:00.000Z"
