"""`review list --samples` and `review confirm`: what was approved, and is looked at all the same."""

from dataclasses import replace

import pytest

from gatehouse.moderation.decision import Decision, ReviewClaim, confirm, report
from gatehouse.moderation.status import Status
from tests.cli.review.conftest import KIM, MO, Reviewers, a_sample, acts, blocked_by, in_review
from tests.unit.builders import a_claim, a_verdict, an_upload

AT = "2026-11-22T14:00:00.000Z"


def listed(reviewers: Reviewers, *arguments: str) -> list[str]:
    return [entry["object"].removeprefix("s3://uploads/") for entry in reviewers.review("list", *arguments)]


def test_samples_are_listed_until_something_is_done_about_them(reviewers: Reviewers) -> None:
    reviewers.deployed.put(
        *(a_sample("waits.jpg"), a_sample("kids.jpg", lane="kids"), in_review("review.jpg")),
        a_verdict(Status.APPROVED, a_claim(an_upload("approved.jpg"))),
        acts(a_sample("confirmed.jpg"), confirm(KIM, None, AT)),
        acts(a_sample("blocked.jpg"), blocked_by(KIM)),
        acts(a_sample("reported.jpg"), report(KIM, Decision("report", None), AT)),
    )

    assert sorted(listed(reviewers, "--samples")) == ["kids.jpg", "waits.jpg"]
    assert listed(reviewers, "--samples", "--lane", "kids") == ["kids.jpg"]
    assert listed(reviewers) == ["review.jpg", "reported.jpg"]
    assert sorted(listed(reviewers, "--decided", "--by", KIM.id)) == ["blocked.jpg", "confirmed.jpg"]


@pytest.mark.parametrize("option", ["--decided", "--appeals", "--reports", "--status=REVIEW"])
def test_samples_are_a_list_of_their_own(reviewers: Reviewers, option: str) -> None:
    result = reviewers.gatehouse("review", "list", "--samples", option)

    assert result.exit_code == 1
    assert "Samples are APPROVED" in result.stderr


def test_a_sample_is_confirmed_once_and_stays_the_policys(reviewers: Reviewers) -> None:
    upload = reviewers.stored("cat.jpg")
    reviewers.deployed.put(a_sample(upload))
    name = f"cat.jpg@{upload.version}"

    first = reviewers.review("confirm", name, "--note", "a cat", "--yes")
    again = reviewers.review("confirm", name, "--yes")

    assert (first["done"], again["already"]) == (1, 1)
    item = reviewers.item(upload)
    assert (item["status"], item["decided_by"], item["revision"]) == ("APPROVED", "policy", 1)
    assert item["change"] == {"cause": "confirmation", "announce": False}
    assert [entry["by"] for entry in item["history"]] == ["person:mo"]
    assert "status_day" not in item
    shown = reviewers.gatehouse("review", "show", name)
    assert "a sample, confirmed by person:mo" in shown.stdout


def test_what_is_no_sample_or_is_gone_is_not_confirmed(reviewers: Reviewers) -> None:
    plain, gone = reviewers.stored("plain.jpg"), reviewers.stored("gone.jpg")
    reviewers.deployed.put(replace(a_sample(plain), is_sample=False), a_sample(gone))
    reviewers.deployed.s3.delete_object(Bucket="uploads", Key="gone.jpg", VersionId=str(gone.version_id))

    report = reviewers.review("confirm", *(f"{each.key}@{each.version}" for each in (plain, gone)), "--yes", status=1)

    why = [one["why"] for one in report["uploads"]]
    assert why[0] == "only samples can be confirmed, and this APPROVED upload is none, or none any more"
    assert [one["outcome"] for one in report["uploads"]] == ["refused", "refused"]
    assert all("history" not in item for item in reviewers.deployed.items().values())


def test_a_sample_that_is_held_is_confirmed_by_its_holder_alone(reviewers: Reviewers) -> None:
    upload = reviewers.stored("cat.jpg")
    held = ReviewClaim(MO.decided_by, "2026-11-22T16:00:00.000Z")
    reviewers.deployed.put(replace(a_sample(upload), review_claim=held))

    reviewers.at_the_keyboard("arn:aws:iam::123456789012:user/kim")
    refused = reviewers.review("confirm", f"cat.jpg@{upload.version}", "--yes", status=1)
    reviewers.at_the_keyboard("arn:aws:iam::123456789012:user/mo")
    done = reviewers.review("confirm", f"cat.jpg@{upload.version}", "--yes")

    assert "person:mo is looking at it" in refused["uploads"][0]["why"]
    assert done["done"] == 1
