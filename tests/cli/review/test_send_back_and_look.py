"""`review appeal`, `report`, `show` and `history`."""

from dataclasses import replace
from typing import Any

import pytest

from gatehouse.cli.policy.explanation_report import policy_words
from gatehouse.moderation.change import Cause
from gatehouse.moderation.decision import ReviewClaim
from gatehouse.moderation.failure import Failure
from gatehouse.moderation.policy.replay import replay
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict_item import EXPIRES_AT
from tests.cli.review.conftest import KIM, MO, Reviewers, acts, approved_by, blocked_by, in_review, sent_back
from tests.unit.aws_calls import an_error
from tests.unit.builders import a_claim, a_policy, a_verdict, an_upload, uploads

SPAM = ("--reason", "spam", "--yes")


@pytest.mark.parametrize(("verb", "before"), [("appeal", Status.BLOCKED), ("report", Status.APPROVED)])
def test_an_upload_goes_back_for_another_person_to_decide(reviewers: Reviewers, verb: str, before: Status) -> None:
    reviewers.deployed.stacks(VerdictRetentionDays="30")
    act = blocked_by(MO) if before is Status.BLOCKED else approved_by(MO)
    reviewers.deployed.put(acts(in_review(), act))
    reviewers.at_the_keyboard("arn:aws:sts::123456789012:assumed-role/intake/support")

    report = reviewers.review(verb, "cat.jpg", "--note", "they say it is art", "--name", "Support", "--yes")

    assert (report["done"], report["reason"], report["by"]) == (1, verb, "person:intake/support")
    item = reviewers.item(an_upload())
    assert (item["status"], item["recused"], item["revision"]) == ("REVIEW", "person:mo", 2)
    assert item["decision"] == {"reason": verb, "note": "they say it is art"}
    assert item["change"]["cause"] == verb
    assert EXPIRES_AT not in item
    assert [entry["object"] for entry in reviewers.review("list", f"--{verb}s")] == ["s3://uploads/cat.jpg"]

    assert reviewers.review(verb, "cat.jpg", "--yes")["already"] == 1
    reviewers.at_the_keyboard("arn:aws:iam::123456789012:user/mo")
    assert reviewers.review("block", "cat.jpg", *SPAM, status=1)["refused"] == 1
    reviewers.at_the_keyboard("arn:aws:iam::123456789012:user/kim")
    assert reviewers.review("block", "cat.jpg", *SPAM)["done"] == 1


@pytest.mark.parametrize(
    ("verb", "held", "why"),
    [
        (
            "appeal",
            a_verdict(Status.APPROVED),
            "only BLOCKED uploads can be appealed, and this one is APPROVED; if it should not be shown, report it",
        ),
        (
            "report",
            a_verdict(Status.REVIEW),
            "only APPROVED uploads can be reported, and this one is REVIEW; it already waits for a person to decide",
        ),
        (
            "report",
            a_verdict(Status.FAILED),
            "only APPROVED uploads can be reported, and this one is FAILED; approve it or block it instead",
        ),
        ("report", a_claim(), "it is not judged yet: batch batch-1 claimed it at 2026-11-22T12:00:00.000Z"),
    ],
)
def test_what_can_not_go_back_is_told(reviewers: Reviewers, verb: str, held: Any, why: str) -> None:
    reviewers.deployed.put(held)

    result = reviewers.gatehouse("review", verb, "cat.jpg", "--dry-run")

    assert result.exit_code == 1
    assert result.stderr == f"  s3://uploads/cat.jpg: {why}\n"


def test_an_appeal_of_what_was_decided_meanwhile_is_not_made(reviewers: Reviewers) -> None:
    before = acts(in_review(), blocked_by(MO))
    reviewers.deployed.put(before)
    later = acts(before, approved_by(KIM))
    reviewers.deployed.calls.interrupt("UpdateItem", lambda: reviewers.deployed.put(later))

    report = reviewers.review("appeal", "cat.jpg", "--yes", status=1)

    assert report["lost"] == 1
    assert reviewers.item(an_upload())["status"] == "APPROVED"


@pytest.mark.parametrize(("verb", "before"), [("appeal", Status.BLOCKED), ("report", Status.APPROVED)])
def test_many_go_back_by_a_file_at_a_rate_and_what_changed_since_is_left_alone(
    reviewers: Reviewers, verb: str, before: Status
) -> None:
    decided = blocked_by if before is Status.BLOCKED else approved_by
    held = [acts(in_review(upload), decided(MO)) for upload in uploads(9)]
    reviewers.deployed.put(*held)
    listed = reviewers.gatehouse("review", "list", "--decided", "--output", "json").stdout
    reviewers.deployed.put(acts(held[0], decided(KIM)))
    line = (verb, "--file", "-", "--yes", "--rate", "4")

    would_be = reviewers.review(*line, "--dry-run", input=listed, status=1)

    assert (would_be["dry_run"], would_be["done"], would_be["lost"]) == (True, 8, 1)
    assert set(reviewers.statuses().values()) == {before}

    report = reviewers.review(*line, input=listed, status=1)

    assert (report["status"], report["named"], report["done"], report["lost"]) == ("REVIEW", 9, 8, 1)
    assert {entry["outcome"] for entry in report["uploads"]} == {"done", "lost"}
    assert list(reviewers.statuses().values()).count("REVIEW") == 8
    assert reviewers.seconds == pytest.approx(2.0)
    assert reviewers.review(*line, input=listed, status=1)["already"] == 8


@pytest.mark.parametrize("verb", ["appeal", "report"])
def test_whoever_sends_uploads_back_is_asked_first(reviewers: Reviewers, verb: str) -> None:
    decided = blocked_by if verb == "appeal" else approved_by
    reviewers.deployed.put(acts(in_review("a.jpg"), decided(MO)), acts(in_review("b.jpg"), decided(MO)))

    result = reviewers.gatehouse("review", verb, "a.jpg", "b.jpg", input="n\n")

    before = "BLOCKED" if verb == "appeal" else "APPROVED"
    told = f"2 uploads will become REVIEW by person:mo, reason {verb}: 2 from {before}."
    assert told in result.stderr
    assert "REVIEW" not in reviewers.statuses().values()
    done = f"REVIEW: 2 (2 from {before}).\n"
    assert reviewers.gatehouse("review", verb, "a.jpg", "b.jpg", input="y\n").stdout.endswith(done)


@pytest.mark.parametrize("verb", ["appeal", "report"])
def test_what_nobody_knows_can_not_go_back(reviewers: Reviewers, verb: str) -> None:
    (entry,) = reviewers.review(verb, "cat.jpg@v1", "--yes", status=1)["uploads"]

    assert entry["outcome"] == "refused"
    assert entry["why"].startswith("There is no verdict for s3://uploads/cat.jpg (version id v1): ")


@pytest.mark.parametrize("verb", ["show", "history"])
def test_an_upload_nobody_knows_is_told(reviewers: Reviewers, verb: str) -> None:
    result = reviewers.gatehouse("review", verb, "cat.jpg@v1")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("There is no verdict for s3://uploads/cat.jpg (version id v1): ")


def test_an_upload_is_shown_with_all_that_a_reviewer_asks_for(reviewers: Reviewers) -> None:
    old = an_upload(sequencer="01", version_id="v1")
    new = an_upload(sequencer="02", version_id="v2")
    held = acts(in_review(new), blocked_by(MO), sent_back(Cause.APPEAL))
    claim = ReviewClaim(KIM.decided_by, "2026-11-22T15:05:00.000Z")
    reviewers.deployed.put(in_review(old), replace(held, review_claim=claim))

    text = reviewers.gatehouse("review", "show", "cat.jpg").stdout

    lines = text.splitlines()
    assert lines[0] == f"s3://uploads/cat.jpg@{new.version} (version id v2)"
    assert "REVIEW by person:intake since 2026-11-22T14:00:00.000Z, revision 2" in lines
    assert "  person:mo can't decide, because their decision was appealed or reported" in lines
    assert "  Violence 92.5 reaches review from 50, by the rule Violence" in lines
    assert f"  claimed for review by {KIM.decided_by} until 2026-11-22T15:05:00.000Z" in lines
    rows = [" ".join(line.split()) for line in lines]
    assert "| Violence | 92.5 | |" in rows
    assert "| 2026-11-22T13:00:00.000Z | decided | REVIEW | BLOCKED | person:mo | spam |" in rows
    assert f"| {old.version} | REVIEW | 2026-11-22T11:59:30.000Z |" in rows

    document = reviewers.review("show", "cat.jpg@v1")
    assert (document["version_id"], document["history"]) == ("v1", [])
    assert [(other["version_id"], other["status"]) for other in document["others"]] == [("v2", "REVIEW")]


def test_of_many_versions_the_newest_are_shown(reviewers: Reviewers) -> None:
    reviewers.deployed.put(*(in_review(an_upload(sequencer=f"{n:02}")) for n in range(30)))

    document = reviewers.review("show", "cat.jpg")

    assert (len(document["others"]), document["more_others"]) == (20, True)
    assert "There are more than these 20." in reviewers.gatehouse("review", "show", "cat.jpg").stdout


def test_an_upload_without_labels_is_shown_with_its_error(reviewers: Reviewers) -> None:
    reviewers.deployed.put(a_verdict(Status.FAILED, failure=Failure("ImageTooLarge", "16 MB")))

    text = reviewers.gatehouse("review", "show", "cat.jpg").stdout

    assert "  ImageTooLarge: 16 MB\nNo labels.\n" in text


@pytest.mark.parametrize("verb", ["show", "history"])
def test_what_has_no_verdict_yet_is_told(reviewers: Reviewers, verb: str) -> None:
    reviewers.deployed.put(a_claim())

    result = reviewers.gatehouse("review", verb, "cat.jpg")

    assert result.exit_code == 1
    assert "is not judged yet: batch batch-1 claimed it at 2026-11-22T12:00:00.000Z." in result.stderr


def test_an_item_of_another_make_is_told(reviewers: Reviewers) -> None:
    reviewers.deployed.put(in_review())
    item = reviewers.item(an_upload())
    del item["lane"]
    reviewers.deployed.put_item(item)

    assert "was written by another version of Gatehouse or by hand" in (
        reviewers.gatehouse("review", "show", "cat.jpg").stderr
    )
    assert reviewers.review("block", "cat.jpg", *SPAM, status=1)["refused"] == 1


def test_a_history_tells_who_did_what_when_and_why(reviewers: Reviewers) -> None:
    reviewers.deployed.put(acts(in_review(), blocked_by(MO), sent_back(Cause.APPEAL)))

    document = reviewers.review("history", "cat.jpg")

    assert [(entry["by"], entry["from"], entry["to"], entry["reason"]) for entry in document["history"]] == [
        ("person:mo", "REVIEW", "BLOCKED", "spam"),
        ("person:intake", "BLOCKED", "REVIEW", "appeal"),
    ]


def test_a_replay_before_anybody_acted_is_read_from_the_last_change(reviewers: Reviewers) -> None:
    before = in_review()
    strict = a_policy({"Violence": {"block": 90}})
    again = replay(before, strict).verdict("2026-11-22T12:30:00.000Z", announce=True)
    reviewers.deployed.put(replace(again, revision=3))

    text = reviewers.gatehouse("review", "history", "cat.jpg").stdout

    assert text.endswith(
        "BLOCKED since 2026-11-22T12:30:00.000Z, revision 3\n"
        "Nobody has acted on it.\n"
        f"The last change: judged again by {policy_words(strict)} at 2026-11-22T12:30:00.000Z, announced.\n"
        "Replays that are counted in the revision, without an entry of their own: 3.\n"
    )
    assert reviewers.review("history", "cat.jpg")["change"] == {"cause": "policy", "announce": True}


def test_a_replay_after_a_person_has_an_entry_and_is_not_told_twice(reviewers: Reviewers) -> None:
    back = replace(acts(in_review(), blocked_by(MO), sent_back(Cause.APPEAL)), decided_by="policy")
    again = replay(back, a_policy({"Violence": {"block": 90}})).verdict("2026-11-22T14:30:00.000Z", announce=False)
    reviewers.deployed.put(again)

    text = reviewers.gatehouse("review", "history", "cat.jpg").stdout

    assert "The last change" not in text
    assert "without an entry" not in text


def test_where_nobody_did_anything_that_is_said(reviewers: Reviewers) -> None:
    reviewers.deployed.put(in_review())

    assert "Nobody has acted on it.\n" in reviewers.gatehouse("review", "history", "cat.jpg").stdout


@pytest.mark.parametrize("columns", ["80", "200"])
def test_what_people_read_keeps_to_the_width(
    reviewers: Reviewers, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    reviewers.deployed.put(acts(in_review(), blocked_by(MO), sent_back(Cause.APPEAL)), in_review(an_upload("b.jpg")))

    for arguments in (("show", "cat.jpg"), ("history", "cat.jpg"), ("block", "b.jpg", *SPAM)):
        result = reviewers.gatehouse("review", *arguments)
        assert max(map(len, result.stdout.splitlines())) <= int(columns)


def test_credentials_that_aws_does_not_accept_are_told(reviewers: Reviewers) -> None:
    reviewers.deployed.calls.answer_next("GetCallerIdentity", an_error("ExpiredToken", "expired", 403))

    result = reviewers.gatehouse("review", "block", "cat.jpg", *SPAM)

    assert result.stderr.startswith("AWS does not accept these credentials (ExpiredToken: expired)")
