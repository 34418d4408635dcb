"""`review approve` and `review block`: what a person saw gets the status they chose, once, or they are told why not."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gatehouse.cli.output import Output
from gatehouse.cli.review import acting
from gatehouse.moderation.change import MAX_HISTORY, Cause, Change
from gatehouse.moderation.decision import ReviewClaim
from gatehouse.moderation.failure import Failure
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import Upload
from gatehouse.moderation.verdict_item import (
    DECISION_INDEX_PARTITION,
    EXPIRES_AT,
    INDEX_PARTITION,
    INDEX_SORT,
    decision_partition,
)
from tests.cli.conftest import UPLOADS, Deployed
from tests.cli.review.conftest import KIM, MO, Reviewers, acts, approved_by, blocked_by, in_review, sent_back
from tests.unit.aws_calls import an_error
from tests.unit.builders import a_claim, a_verdict, an_upload, uploads

ONE, THREE = "2026-11-22T13:00:00.000Z", "2026-11-22T15:00:00.000Z"
SPAM = ("--reason", "spam", "--yes")
AGAIN = "look at it again before you decide"


def named(upload: Upload) -> str:
    return f"{upload.object}@{upload.version}"


def outcomes(report: dict[str, Any]) -> list[tuple[str, str | None]]:
    return [(entry["outcome"], entry["why"]) for entry in report["uploads"]]


@pytest.mark.parametrize("versioned", [True, False])
def test_an_approval_says_who_why_and_when_and_moves_the_indexes(reviewers: Reviewers, versioned: bool) -> None:
    upload = reviewers.stored("cat.jpg", versioned=versioned)
    reviewers.deployed.put(in_review(upload))

    report = reviewers.review(
        *("approve", named(upload), "--reason", "context", "--note", "a play", "--name", "Mo", "--yes")
    )

    assert (report["done"], report["by"], report["status"]) == (1, "person:mo", "APPROVED")
    item = reviewers.item(upload)
    assert (item["status"], item["decided_by"], item["decided_by_name"]) == ("APPROVED", "person:mo", "Mo")
    assert (item["decided_at"], item["decision"]) == (THREE, {"reason": "context", "note": "a play"})
    assert (item["revision"], item["change"]) == (1, {"cause": "decision", "announce": True})
    assert item["reasons"][0]["rule"] == "Violence", "the machine's"
    assert INDEX_PARTITION not in item
    assert item[DECISION_INDEX_PARTITION] == decision_partition("2026-11-22", upload.object)
    assert item[INDEX_SORT] == f"{THREE}#{upload.version}"
    (entry,) = item["history"]
    assert (entry["from"], entry["to"], entry["since"]) == ("REVIEW", "APPROVED", "2026-11-22T12:01:00.000Z")


def test_an_upload_is_named_by_the_version_id_of_s3_too(reviewers: Reviewers) -> None:
    old, new = reviewers.stored("cat.jpg"), reviewers.stored("cat.jpg")
    old, new = replace(old, sequencer="01"), replace(new, sequencer="02")
    reviewers.deployed.put(in_review(old), in_review(new))

    reviewers.review("approve", f"cat.jpg@{old.version_id}", *SPAM)

    assert (reviewers.item(old)["status"], reviewers.item(new)["status"]) == ("APPROVED", "REVIEW")


def test_a_key_alone_blocks_the_newest_upload(reviewers: Reviewers) -> None:
    old, new = an_upload(sequencer="01"), an_upload(sequencer="02")
    reviewers.deployed.put(in_review(old), in_review(new))

    reviewers.review("block", "cat.jpg", *SPAM)

    assert (reviewers.item(old)["status"], reviewers.item(new)["status"]) == ("REVIEW", "BLOCKED")
    assert reviewers.deployed.calls.made["HeadObject"] == 0


def test_a_key_with_an_at_sign_is_blocked_by_itself(reviewers: Reviewers) -> None:
    reviewers.deployed.put(in_review("a@b.jpg"), in_review("kim@example.com/c@d.jpg"), in_review("e@f"))

    reviewers.review("block", "a@b.jpg", "kim@example.com/c@d.jpg", "e@f@", *SPAM)

    assert set(reviewers.statuses().values()) == {"BLOCKED"}


def test_an_approval_takes_no_part_of_a_key_for_a_version(reviewers: Reviewers) -> None:
    reviewers.deployed.put(in_review("a@b.jpg"))

    report = reviewers.review("approve", "a@b.jpg", *SPAM, status=1)

    ((outcome, why),) = outcomes(report)
    assert outcome == "refused"
    assert why is not None
    assert why.startswith("There is no verdict for s3://uploads/a (version id b.jpg): ")


def test_an_approval_without_a_version_is_refused_before_anything_is_asked(reviewers: Reviewers) -> None:
    result = reviewers.gatehouse("review", "approve", f"a.jpg@{'0' * 40}", "cat.jpg", *SPAM)

    assert result.exit_code == 1
    assert result.stderr.startswith("s3://uploads/cat.jpg has no version, and an approval needs one")
    assert set(reviewers.deployed.calls.made) == {"DescribeStacks"}


def gone(deployed: Deployed, upload: Upload) -> None:
    deployed.s3.delete_object(Bucket=UPLOADS, Key=upload.key, VersionId=upload.version_id or "null")


def overwritten(deployed: Deployed, upload: Upload) -> None:
    deployed.s3.put_object(Bucket=UPLOADS, Key=upload.key, Body=b"other bytes")


def refused(deployed: Deployed, upload: Upload) -> None:
    deployed.calls.answer_next("HeadObject", an_error("403", "Forbidden", 403))


def marker(deployed: Deployed, upload: Upload) -> None:
    deployed.calls.answer_next("HeadObject", an_error("405", "Method Not Allowed", 405))


@pytest.mark.parametrize(
    ("versioned", "change", "why"),
    [
        (True, gone, "it was deleted: there is nothing to approve"),
        (True, marker, "S3 has only a delete marker for it"),
        (True, refused, "S3 does not let you check whether it still exists (403)"),
        (False, gone, "it was deleted: there is nothing to approve"),
        (False, overwritten, "the object was overwritten; the upload that replaced it has its own verdict"),
        (False, refused, "S3 does not let you check whether it still exists (403)"),
    ],
)
def test_what_is_not_there_is_not_approved_and_may_be_blocked(
    reviewers: Reviewers, versioned: bool, change: Callable[[Deployed, Upload], None], why: str
) -> None:
    upload = reviewers.stored("cat.jpg", versioned=versioned)
    reviewers.deployed.put(in_review(upload))
    change(reviewers.deployed, upload)

    report = reviewers.review("approve", named(upload), *SPAM, status=1)

    assert report["uploads"][0]["why"].startswith(why)
    assert reviewers.item(upload)["status"] == "REVIEW"
    reviewers.review("block", named(upload), *SPAM)
    assert reviewers.item(upload)["status"] == "BLOCKED"


def test_an_older_version_that_is_there_may_be_approved(reviewers: Reviewers) -> None:
    upload = reviewers.stored("cat.jpg")
    reviewers.deployed.put(in_review(upload))
    overwritten(reviewers.deployed, upload)

    reviewers.review("approve", named(upload), *SPAM)

    assert reviewers.item(upload)["status"] == "APPROVED"


def test_without_versioning_the_same_bytes_stored_later_are_another_upload(reviewers: Reviewers) -> None:
    upload = replace(reviewers.stored("cat.jpg", versioned=False), uploaded_at="2026-11-22T11:59:30.000Z")
    reviewers.deployed.put(in_review(upload))

    report = reviewers.review("approve", named(upload), *SPAM, status=1)

    assert report["uploads"][0]["why"].startswith("the object was overwritten")


@pytest.mark.parametrize("before", [Status.APPROVED, Status.BLOCKED, Status.UNSUPPORTED, Status.FAILED])
def test_every_final_status_may_be_replaced(reviewers: Reviewers, before: Status) -> None:
    upload = reviewers.stored("cat.jpg")
    reviewers.deployed.put(a_verdict(before, a_claim(upload)))

    for verb, status in (("approve", "APPROVED"), ("block", "BLOCKED")):
        extra = ["--unanalyzed"] if verb == "approve" else []
        assert reviewers.review(verb, named(upload), *SPAM, *extra)["done"] == 1
        assert reviewers.item(upload)["status"] == status
    assert len(reviewers.item(upload)["history"]) == 2
    assert ("error" in reviewers.item(upload)) == (before in (Status.UNSUPPORTED, Status.FAILED))


@pytest.mark.parametrize("before", [Status.UNSUPPORTED, Status.FAILED])
def test_what_was_never_analyzed_is_approved_only_by_whoever_says_that_they_know(
    reviewers: Reviewers, before: Status
) -> None:
    upload = reviewers.stored("cat.jpg")
    failure = Failure("NotAnalyzed", "no answer")
    reviewers.deployed.put(replace(a_verdict(before, a_claim(upload)), failure=failure))

    report = reviewers.review("approve", named(upload), *SPAM, status=1)

    assert outcomes(report) == [
        (
            "refused",
            (
                f"it was never analyzed: it is {before} (NotAnalyzed); look at the picture, and add --unanalyzed to "
                "approve it"
            ),
        )
    ]
    assert reviewers.item(upload)["status"] == before
    approval = ("approve", named(upload), "--reason", "spam", "--unanalyzed")
    asked = reviewers.gatehouse("review", *approval, input="y\n").stderr
    assert f"1 upload will become APPROVED by person:mo, reason spam: 1 from {before}.\n" in asked
    assert "Never analyzed, by any engine: 1.\n" in asked
    assert reviewers.item(upload)["status"] == "APPROVED"


@pytest.mark.parametrize(
    ("held", "why"),
    [
        (a_claim(), "it is not judged yet: batch batch-1 claimed it at 2026-11-22T12:00:00.000Z"),
        (
            acts(in_review(), blocked_by(MO), sent_back(Cause.APPEAL)),
            "your decision was appealed or reported, so another person has to decide",
        ),
        (
            in_review(review_claim=ReviewClaim("person:kim", "2026-11-22T15:05:00.000Z")),
            "person:kim is looking at it until 2026-11-22T15:05:00.000Z; try again after that",
        ),
        (
            replace(
                acts(in_review(), approved_by(MO)), history=acts(in_review(), approved_by(MO)).history * MAX_HISTORY
            ),
            "its history is full (100 entries); upload the object again to get a new verdict",
        ),
    ],
    ids=["pending", "recused", "claimed", "full"],
)
def test_what_may_not_be_decided_is_refused_with_its_reason(reviewers: Reviewers, held: Any, why: str) -> None:
    reviewers.deployed.put(held)
    before = reviewers.deployed.items()

    report = reviewers.review("block", "cat.jpg", *SPAM, status=1)

    assert outcomes(report) == [("refused", why)]
    assert reviewers.deployed.items() == before
    assert f"  s3://uploads/cat.jpg: {why}" in reviewers.gatehouse("review", "block", "cat.jpg", *SPAM).stderr


@pytest.mark.parametrize("verb", ["approve", "block"])
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            (),
            "Say why with --reason: false-positive, context, policy-violation, spam, illegal, duplicate, other (other",
        ),
        (
            ("--reason", "nonsense"),
            "'nonsense' is not a reason of gatehouse. Use one of these: false-positive, ",
        ),
        (("--reason", "other"), "the reason 'other' needs a note that explains it"),
        (
            ("--reason", "spam", "--note", "x" * 501),
            "write a note of 1 to 500 characters, not 501",
        ),
        (
            ("--reason", "spam", "--name", "x" * 101),
            "write a display name of 1 to 100 characters, not 101",
        ),
    ],
)
def test_what_does_not_say_why_is_refused_before_anything_is_asked(
    reviewers: Reviewers, verb: str, arguments: tuple[str, ...], told: str
) -> None:
    result = reviewers.gatehouse("review", verb, f"cat.jpg@{'0' * 40}", *arguments, "--yes")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(told)
    assert set(reviewers.deployed.calls.made) <= {"DescribeStacks", "GetCallerIdentity"}


def test_a_deployment_has_its_own_reasons(reviewers: Reviewers) -> None:
    reviewers.deployed.stacks(DecisionReasons="tasteless,other")
    reviewers.deployed.put(in_review())

    assert "Use one of these: tasteless, other." in reviewers.gatehouse("review", "block", "cat.jpg", *SPAM).stderr
    assert reviewers.review("block", "cat.jpg", "--reason", "tasteless", "--yes")["done"] == 1


def test_a_note_that_is_no_text_is_wrong_usage(reviewers: Reviewers) -> None:
    result = reviewers.gatehouse("review", "block", "cat.jpg", *SPAM, "--note", "bad\udcff")

    assert result.exit_code == 2


@pytest.mark.parametrize(
    ("arn", "decided_by"),
    [
        ("arn:aws:iam::123456789012:user/people/kim", "person:kim"),
        ("arn:aws:sts::123456789012:assumed-role/Reviewer/kim@example.com", "person:Reviewer/kim@example.com"),
    ],
)
def test_who_decides_is_who_aws_says_and_the_name_is_what_they_like(
    reviewers: Reviewers, monkeypatch: pytest.MonkeyPatch, arn: str, decided_by: str
) -> None:
    reviewers.deployed.put(in_review())
    reviewers.at_the_keyboard(arn)
    monkeypatch.setenv("GATEHOUSE_REVIEWER_NAME", "Kim")

    reviewers.review("block", "cat.jpg", *SPAM)

    item = reviewers.item(an_upload())
    assert (item["decided_by"], item["decided_by_name"]) == (decided_by, "Kim")


def test_without_a_yes_nothing_is_decided(reviewers: Reviewers) -> None:
    reviewers.deployed.put(in_review())

    result = reviewers.gatehouse("review", "block", "cat.jpg", "--reason", "spam", "--name", "Mo", input="n\n")

    assert result.exit_code == 1
    assert "1 upload will become BLOCKED by person:mo (Mo), reason spam: 1 from REVIEW." in result.stderr
    assert reviewers.item(an_upload())["status"] == "REVIEW"
    assert reviewers.gatehouse("review", "block", "cat.jpg", "--reason", "spam", input="y\n").exit_code == 0


def test_what_is_asked_counts_what_can_be_done_once_each(reviewers: Reviewers) -> None:
    """The newest upload is named twice, in two ways; another one is decided already, and one is not judged yet."""
    reviewers.deployed.put(
        in_review(),
        a_verdict(Status.APPROVED, a_claim(an_upload("b.jpg"))),
        acts(in_review("c.jpg"), blocked_by(MO)),
        a_claim(an_upload("d.jpg")),
    )
    names = ("cat.jpg", named(an_upload()), "b.jpg", "b.jpg", "c.jpg", "d.jpg")

    result = reviewers.gatehouse("review", "block", *names, "--reason", "spam", input="y\n")

    assert result.exit_code == 1, "one could not be decided"
    assert result.stderr.startswith(
        "2 uploads will become BLOCKED by person:mo, reason spam: 1 from APPROVED, 1 from REVIEW.\n"
        "So already, by you and for this reason: 1.\n"
        "Left as they are: 1.\n"
        "  s3://uploads/d.jpg: it is not judged yet: batch batch-1 claimed it at 2026-11-22T12:00:00.000Z\n"
    )
    assert result.stdout.removeprefix(" y\n") == (
        "BLOCKED: 2 (1 from APPROVED, 1 from REVIEW).\nAlready BLOCKED by you, for this reason: 1.\nRefused: 1.\n"
    )
    assert reviewers.statuses() == {
        "cat.jpg": "BLOCKED",
        "b.jpg": "BLOCKED",
        "c.jpg": "BLOCKED",
        "d.jpg": "PENDING",
    }


def test_what_changes_while_the_question_waits_is_left_alone(
    reviewers: Reviewers, monkeypatch: pytest.MonkeyPatch
) -> None:
    reviewers.deployed.put(in_review())

    def confirm(*_: object) -> None:
        reviewers.deployed.put(acts(in_review(), approved_by(KIM)))

    monkeypatch.setattr(Output, "confirm", confirm)
    monkeypatch.setattr(Output, "ensure_answerable", lambda *_, **__: None)

    report = reviewers.review("block", "cat.jpg", "--reason", "spam", "--replace", status=1)

    assert outcomes(report) == [
        ("lost", f"it changed after you saw it: it is APPROVED by {KIM.decided_by} since {ONE}; {AGAIN}")
    ]


def test_where_nothing_can_be_done_nobody_is_asked(reviewers: Reviewers) -> None:
    reviewers.deployed.put(a_claim())

    result = reviewers.gatehouse("review", "block", "cat.jpg", "--reason", "spam", input="")

    assert (result.exit_code, result.stdout) == (1, "Refused: 1.\n")
    assert "Go on?" not in result.stderr
    assert result.stderr.count("it is not judged yet") == 1


def test_a_dry_run_says_what_would_become_of_each_and_writes_nothing(reviewers: Reviewers) -> None:
    here, there = reviewers.stored("here.jpg"), an_upload("gone.jpg", version_id="v1")
    reviewers.deployed.put(in_review(here), in_review(there), a_claim(an_upload("pending.jpg")))
    before = reviewers.deployed.items()
    names = [named(upload) for upload in (here, there, an_upload("pending.jpg"))]

    report = reviewers.review("approve", *names, "--reason", "context", "--dry-run", status=1)

    assert [entry["outcome"] for entry in report["uploads"]] == ["done", "refused", "refused"]
    assert reviewers.deployed.items() == before
    assert reviewers.deployed.calls.made["UpdateItem"] == 0
    text = reviewers.gatehouse("review", "approve", *names, "--reason", "context", "--dry-run").stdout
    assert "Would be APPROVED: 1 (1 from REVIEW).\nRefused: 2.\n" in text


def test_a_file_goes_on_where_it_was_interrupted(reviewers: Reviewers, here: Path) -> None:
    held = uploads(120)
    reviewers.deployed.put(*(acts(in_review(upload), blocked_by(MO)) for upload in held[:110]))
    reviewers.deployed.put(*map(in_review, held[110:]))
    (here / "names.txt").write_text("".join(f"{named(upload)}\n" for upload in held), encoding="utf-8")

    report = reviewers.review("block", "--file", "names.txt", *SPAM, "--rate", "1000000")

    assert (report["named"], report["already"], report["done"]) == (120, 110, 10)
    assert [entry["object"] for entry in report["uploads"]] == [upload.object for upload in held]
    assert set(reviewers.statuses().values()) == {"BLOCKED"}
    made = reviewers.deployed.calls.made
    assert (made["UpdateItem"], made["BatchGetItem"], made["Query"]) == (10, 2, 0)

    again = reviewers.review("block", "--file", "names.txt", *SPAM)

    assert (again["done"], again["already"]) == (0, 120)
    assert made["UpdateItem"] == 10
    assert {item["revision"] for item in reviewers.deployed.items().values()} == {1}


def test_a_list_may_be_the_file_and_what_changed_since_is_left_alone(reviewers: Reviewers, here: Path) -> None:
    reviewers.deployed.put(in_review("a.jpg"), in_review("b.jpg"), in_review("c\n@d.jpg"))
    listed = reviewers.gatehouse("review", "list", "--output", "json").stdout
    reviewers.deployed.put(acts(in_review("b.jpg"), approved_by(KIM)))

    report = reviewers.review("block", "--file", "-", *SPAM, input=listed, status=1)

    found = {entry["object"]: (entry["outcome"], entry["why"]) for entry in report["uploads"]}
    assert found == {
        "s3://uploads/a.jpg": ("done", None),
        "s3://uploads/b.jpg": (
            "lost",
            f"it changed after you saw it: it is APPROVED by {KIM.decided_by} since {ONE}; {AGAIN}",
        ),
        "s3://uploads/c\n@d.jpg": ("done", None),
    }
    again = reviewers.review("block", "--file", "-", *SPAM, input=listed, status=1)
    assert (again["already"], again["lost"]) == (2, 1)


def test_whom_nobody_can_ask_has_to_say_yes(reviewers: Reviewers) -> None:
    result = reviewers.gatehouse("review", "block", "--file", "-", "--reason", "spam", input="cat.jpg\n")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("With --file -, there is no way to ask you for confirmation. Add --yes")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "No upload is named. Write OBJECT@VERSION, or --file with a file of them."),
        (("--file", "missing.txt"), "missing.txt can't be read ("),
        (("--file", "latin.txt"), "latin.txt can't be read ("),
    ],
)
def test_what_names_nothing_is_told(reviewers: Reviewers, here: Path, arguments: tuple[str, ...], told: str) -> None:
    (here / "latin.txt").write_bytes(b"caf\xe9.jpg\n")

    result = reviewers.gatehouse("review", "block", *arguments, *SPAM)

    assert result.exit_code == 1
    assert result.stderr.startswith(told)


def test_an_empty_file_is_nothing_to_decide(reviewers: Reviewers, here: Path) -> None:
    (here / "names.txt").write_text("\n")
    (here / "waiting.json").write_text("[]\n")

    for name in ("names.txt", "waiting.json"):
        result = reviewers.gatehouse("review", "block", "--file", name, "--reason", "spam", "--yes")
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith(f"{name} names no upload, so nothing was changed. If it is from `./gatehouse ")


def test_whoever_is_first_decides_and_the_other_is_told(reviewers: Reviewers) -> None:
    before = in_review()
    reviewers.deployed.put(before)
    calls = reviewers.deployed.calls
    calls.interrupt("UpdateItem", lambda: reviewers.deployed.put(acts(before, approved_by(KIM))))

    report = reviewers.review("block", "cat.jpg", *SPAM, status=1)

    assert outcomes(report) == [
        (
            "lost",
            f"somebody changed it first: it is APPROVED by {KIM.decided_by} since 2026-11-22T13:00:00.000Z; {AGAIN}",
        )
    ]
    item = reviewers.item(an_upload())
    assert (item["status"], item["revision"], len(item["history"])) == ("APPROVED", 1, 1)
    assert calls.made["UpdateItem"] == 1


def test_what_was_claimed_by_another_batch_meanwhile_is_not_what_was_seen(reviewers: Reviewers) -> None:
    reviewers.deployed.put(a_verdict(Status.FAILED))
    reviewers.deployed.calls.interrupt("UpdateItem", lambda: reviewers.deployed.put(a_claim(batch_id="batch-2")))

    report = reviewers.review("block", "cat.jpg", *SPAM, status=1)

    ((outcome, why),) = outcomes(report)
    assert (outcome, why) == (
        "lost",
        "it changed in the meantime: it is not judged yet: batch batch-2 claimed it at 2026-11-22T12:00:00.000Z",
    )


def test_what_is_as_it_was_seen_is_decided_at_the_second_try(reviewers: Reviewers) -> None:
    """A transaction was on it, or a claim was on it that has ended."""
    reviewers.deployed.put(in_review())
    reviewers.deployed.calls.answer_next("UpdateItem", an_error("TransactionConflictException"))

    assert reviewers.review("block", "cat.jpg", *SPAM)["done"] == 1
    assert reviewers.item(an_upload())["revision"] == 1


def test_what_keeps_being_refused_is_told(reviewers: Reviewers) -> None:
    reviewers.deployed.put(in_review())
    for _ in range(2):
        reviewers.deployed.calls.answer_next("UpdateItem", an_error("TransactionConflictException"))

    report = reviewers.review("block", "cat.jpg", *SPAM, status=1)

    assert outcomes(report) == [("lost", "other writes kept getting in the way; run the same command again")]


def test_a_write_whose_answer_was_lost_is_not_doubled(reviewers: Reviewers) -> None:
    """botocore sends it again, and the condition does not hold any more: it is our own decision that stands."""
    before = in_review()
    reviewers.deployed.put(before)
    ours = acts(before, blocked_by(MO, THREE))
    reviewers.deployed.calls.interrupt("UpdateItem", lambda: reviewers.deployed.put(ours))

    assert reviewers.review("block", "cat.jpg", *SPAM)["done"] == 1
    assert len(reviewers.item(an_upload())["history"]) == 1


@pytest.mark.parametrize("tries", [1, 2])
def test_a_write_whose_answer_was_lost_is_done_though_it_was_appealed_at_once(reviewers: Reviewers, tries: int) -> None:
    """It has the status that was seen again, and to write once more would double the decision."""
    before = in_review()
    reviewers.deployed.put(before)
    later = acts(before, blocked_by(MO, THREE), sent_back(Cause.APPEAL, "2026-11-22T15:00:01.000Z"))
    calls = reviewers.deployed.calls
    for _ in range(tries - 1):
        calls.answer_next("UpdateItem", an_error("TransactionConflictException"))
    calls.interrupt("UpdateItem", lambda: reviewers.deployed.put(later), nth=tries)

    assert reviewers.review("block", "cat.jpg", *SPAM)["done"] == 1
    assert [entry["cause"] for entry in reviewers.item(an_upload())["history"]] == ["decision", "appeal"]


def test_what_people_did_under_the_status_that_was_seen_is_not_overwritten(reviewers: Reviewers) -> None:
    before = in_review()
    reviewers.deployed.put(before)
    later = acts(before, approved_by(KIM), sent_back(Cause.REPORT))
    reviewers.deployed.calls.interrupt("UpdateItem", lambda: reviewers.deployed.put(later))

    report = reviewers.review("block", "cat.jpg", *SPAM, status=1)

    ((outcome, why),) = outcomes(report)
    assert outcome == "lost"
    assert why == (f"somebody changed it first: it is REVIEW by person:intake since 2026-11-22T14:00:00.000Z; {AGAIN}")
    assert reviewers.item(an_upload())["revision"] == 2


def test_a_policy_that_judges_again_meanwhile_is_another_verdict(reviewers: Reviewers) -> None:
    before = in_review()
    reviewers.deployed.put(before)
    later = replace(before, revision=1, change=Change(Cause.POLICY, announce=False))
    reviewers.deployed.calls.interrupt("UpdateItem", lambda: reviewers.deployed.put(later))

    assert reviewers.review("block", "cat.jpg", *SPAM, status=1)["lost"] == 1


def test_an_upload_that_is_named_twice_is_decided_once(reviewers: Reviewers) -> None:
    reviewers.deployed.put(in_review())

    report = reviewers.review("block", *["cat.jpg"] * 40, *SPAM)

    assert (report["named"], report["done"], report["already"]) == (1, 1, 0)
    assert reviewers.item(an_upload())["revision"] == 1


def test_the_same_status_for_another_reason_or_by_another_person_is_a_decision(reviewers: Reviewers) -> None:
    reviewers.deployed.put(acts(in_review(), blocked_by(KIM)))

    assert reviewers.review("block", "cat.jpg", *SPAM, "--replace")["done"] == 1
    assert reviewers.review("block", "cat.jpg", "--reason", "illegal", "--yes")["done"] == 1
    report = reviewers.review("block", "cat.jpg", "--reason", "illegal", "--yes", "--note", "again")
    assert outcomes(report) == [
        (
            "already",
            (
                f"your decision of {THREE} was kept and the new note dropped, because status and reason are "
                "the same; to write another note, decide for another reason"
            ),
        )
    ]
    assert [entry["reason"] for entry in reviewers.item(an_upload())["history"]] == ["spam", "spam", "illegal"]


@pytest.mark.parametrize("verb", ["approve", "block"])
def test_what_another_person_decided_is_left_alone_until_you_say_that_you_mean_it(
    reviewers: Reviewers, verb: str
) -> None:
    upload = reviewers.stored("cat.jpg")
    reviewers.deployed.put(acts(in_review(upload), blocked_by(replace(KIM, name="Kim"))))
    line = (verb, named(upload), "--reason", "duplicate", "--yes")

    for dry in ((), ("--dry-run",)):
        report = reviewers.review(*line, *dry, status=1)

        ((outcome, why),) = outcomes(report)
        assert outcome == "refused"
        assert why == (
            f"{KIM.decided_by} (Kim) decided BLOCKED at {ONE}; look at it with `./gatehouse review show`, and add "
            "--replace to decide otherwise"
        )
        assert reviewers.item(upload)["revision"] == 1

    assert reviewers.review(*line, "--replace")["done"] == 1
    assert reviewers.item(upload)["revision"] == 2


def test_who_saw_a_decision_in_a_list_may_replace_it_by_that_list(reviewers: Reviewers) -> None:
    reviewers.deployed.put(acts(in_review("a.jpg"), approved_by(KIM)), acts(in_review("b.jpg"), approved_by(KIM)))
    listed = reviewers.gatehouse("review", "list", "--decided", "--output", "json").stdout
    reviewers.deployed.put(acts(in_review("b.jpg"), approved_by(KIM), approved_by(KIM, THREE, "false-positive")))

    report = reviewers.review("block", "--file", "-", *SPAM, input=listed, status=1)

    assert (report["done"], report["lost"]) == (1, 1)
    assert reviewers.statuses() == {"a.jpg": "BLOCKED", "b.jpg": "APPROVED"}


def test_what_came_back_is_nobodys_decision_and_ones_own_may_be_replaced(reviewers: Reviewers) -> None:
    reviewers.deployed.put(
        acts(in_review("a.jpg"), approved_by(KIM), sent_back(Cause.REPORT)), acts(in_review("b.jpg"), approved_by(MO))
    )

    assert reviewers.review("block", "a.jpg", "b.jpg", *SPAM)["done"] == 2


def test_decisions_keep_to_the_rate(reviewers: Reviewers) -> None:
    reviewers.deployed.put(*map(in_review, uploads(9)))

    report = reviewers.review("block", *(upload.object for upload in uploads(9)), *SPAM, "--rate", "4")

    assert report["done"] == 9
    assert reviewers.seconds == pytest.approx(2.0)
    assert len(reviewers.pauses) == 8


def test_a_dry_run_does_not_wait(reviewers: Reviewers) -> None:
    reviewers.deployed.put(*map(in_review, uploads(9)))

    reviewers.review("block", *(upload.object for upload in uploads(9)), "--reason", "spam", "--dry-run")

    assert reviewers.pauses == []


def test_what_was_decided_before_ctrl_c_stays_and_is_told(
    reviewers: Reviewers, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = uploads(100)
    reviewers.deployed.put(*map(in_review, held))

    def pause(seconds: float) -> None:
        reviewers.pause(seconds)
        if len(reviewers.pauses) == 60:
            raise KeyboardInterrupt

    monkeypatch.setattr(acting, "CLOCK", replace(acting.CLOCK, pause=pause))

    result = reviewers.gatehouse("review", "block", *(upload.object for upload in held), *SPAM, "--output", "json")

    assert result.exit_code == 130
    assert "Interrupted. What was done stays done; run the same command again" in result.stderr
    report = json.loads(result.stdout)
    blocked = [item for item in reviewers.deployed.items().values() if item["status"] == "BLOCKED"]
    assert report["done"] == len(report["uploads"]) == len(blocked) > 0
    assert report["named"] == 100


def test_what_was_decided_before_an_error_is_told(reviewers: Reviewers) -> None:
    held = uploads(80)
    reviewers.deployed.put(*map(in_review, held))
    calls = reviewers.deployed.calls
    denied = an_error("AccessDeniedException", "User is not authorized")
    calls.interrupt("UpdateItem", lambda: calls.answer_next("UpdateItem", denied), nth=30)

    result = reviewers.gatehouse("review", "block", *(upload.object for upload in held), *SPAM, "--output", "json")

    assert result.exit_code == 1
    assert "UpdateItem was refused: User is not authorized. Ask whoever manages the account" in result.stderr
    blocked = [item for item in reviewers.deployed.items().values() if item["status"] == "BLOCKED"]
    assert json.loads(result.stdout)["done"] == len(blocked)
    assert 0 < len(blocked) < 80


@pytest.mark.parametrize(("days", "expires"), [("never", None), ("30", 1_797_951_600)])
def test_a_decision_is_kept_as_long_as_any_verdict(reviewers: Reviewers, days: str, expires: int | None) -> None:
    reviewers.deployed.stacks(VerdictRetentionDays=days)
    reviewers.deployed.put(in_review())

    reviewers.review("block", "cat.jpg", *SPAM)

    assert reviewers.item(an_upload()).get(EXPIRES_AT) == expires


def test_hostile_keys_and_notes_are_stored_as_they_are_and_spelled_out(reviewers: Reviewers) -> None:
    key, note = "a\x1b[31m\u202e\n@.jpg", "b\x1b]0;x\x07"
    reviewers.deployed.put(in_review(key))

    result = reviewers.gatehouse("review", "block", key, "--reason", "other", "--note", note, "--yes")

    assert result.exit_code == 0
    assert reviewers.item(an_upload(key))["decision"]["note"] == note
    for arguments in (("show", key), ("history", key), ("list", "--decided"), ("approve", f"{key}@null", *SPAM)):
        shown = reviewers.gatehouse("review", *arguments)
        assert not {"\x1b", "\x07", "\u202e"} & set(shown.stdout + shown.stderr)
    assert "b\\x1b]0;x\\x07" in reviewers.gatehouse("review", "history", key).stdout


def test_a_deploy_holds_up_no_decision(reviewers: Reviewers) -> None:
    reviewers.deployed.stack_changes["gatehouse-pipeline"] = {"StackStatus": "UPDATE_IN_PROGRESS"}
    reviewers.deployed.put(in_review())

    assert reviewers.review("block", "cat.jpg", *SPAM)["done"] == 1


@pytest.mark.parametrize("verb", ["approve", "block"])
def test_the_help_says_what_law_may_ask_for(reviewers: Reviewers, verb: str) -> None:
    text = " ".join(reviewers.gatehouse("review", verb, "--help").stdout.split())

    assert "`illegal`: the law may require more than a decision" in text
