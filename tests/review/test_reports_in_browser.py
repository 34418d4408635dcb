"""Samples, the page of numbers, and the page of media analysis jobs, in a real browser."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, expect

from gatehouse.cli.jobs.list_command import JobStatus
from gatehouse.moderation.decision import Decision, acted, decide
from gatehouse.moderation.moment import iso
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from tests.cli.jobs.test_jobs_commands import BATCH, a_job, serve, store_output
from tests.review.conftest import KIM, Served, Uploads
from tests.review.visit import GRID, TODAY, Visit, visit
from tests.unit.aws_calls import an_error

SAMPLES = f"{TODAY}status=APPROVED"
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def mo(browser: Browser, uploads: Uploads, served: Served) -> Iterator[Visit]:
    """Mo, who has opened the page."""
    with visit(browser, served) as found:
        yield found


def a_sample(uploads: Uploads, key: str) -> Verdict:
    """An approval that was drawn for people to look at, in the table."""
    verdict = replace(uploads.put(key, Status.APPROVED), is_sample=True, reasons=())
    uploads.deployed.put(verdict)
    return verdict


def decided(uploads: Uploads, key: str, status: Status, lane: str = "default") -> None:
    """An upload that Kim decided a moment ago."""
    waits = uploads.put(key)
    waits = replace(waits, claim=replace(waits.claim, lane=lane))
    at = iso(datetime.now(UTC))
    uploads.deployed.put(acted(waits, decide(status, KIM, Decision("context", None), at)))


def test_a_sample_is_confirmed_or_blocked_and_needs_no_reason_to_be_confirmed(
    mo: Visit, uploads: Uploads, served: Served
) -> None:
    right, wrong = a_sample(uploads, "0.jpg"), a_sample(uploads, "1.jpg")
    uploads.put("approved.jpg", Status.APPROVED)
    served.bench.desk.wait_seconds = 60
    page = mo.go(SAMPLES).sees("0.jpg").page

    expect(page.locator("#filter-words")).to_contain_text("APPROVED, samples")
    expect(page.locator("#approve")).to_contain_text("Confirm")
    mo.press("7", "a").sees("1.jpg").hears("Confirmed 0.jpg")  # the reason `other` asks no note of who confirms
    mo.press("u").sees("0.jpg").press("a").sees("1.jpg").press("4", "b")
    expect(mo.state()).to_contain_text("Nothing waits here")
    mo.sends(2)

    item = uploads.item(right)
    assert (item["status"], item["decided_by"]) == ("APPROVED", "policy")
    assert item["decision"] == {"reason": "confirmation"}
    assert [entry["cause"] for entry in item["history"]] == ["confirmation"]
    assert uploads.item(wrong)["status"] == "BLOCKED"
    assert uploads.item(wrong)["decision"] == {"reason": "spam"}


def test_samples_are_confirmed_together_in_the_grid(mo: Visit, uploads: Uploads, served: Served) -> None:
    samples = [a_sample(uploads, f"{n}.jpg") for n in range(3)]
    page = mo.go(f"{GRID}status=APPROVED").page
    expect(page.locator(".tile[data-seen=yes]")).to_have_count(3)
    page.get_by_role("button", name="Select all").click()
    expect(page.locator("#approve .because")).to_have_text("3, rightly approved")
    mo.press("a")
    expect(mo.state()).to_contain_text("Nothing waits here")
    mo.sends(3)

    assert {uploads.item(sample)["change"]["cause"] for sample in samples} == {"confirmation"}


def test_numbers_say_where_people_disagree(mo: Visit, uploads: Uploads) -> None:
    page = mo.page
    page.goto(f"{mo.served.address}/numbers")
    expect(page.locator("main")).to_contain_text("0 uploads decided")
    for n in range(3):
        decided(uploads, f"{n}.jpg", Status.APPROVED)
    decided(uploads, "bad.jpg", Status.BLOCKED, lane=HOSTILE)
    page.get_by_role("button", name="Show these").click()

    expect(page.locator("main > p").first).to_contain_text("4 uploads decided. In REVIEW they waited")
    needless = page.locator("section", has=page.get_by_role("heading", name="Needless reviews"))
    expect(needless.locator("tbody tr", has_text="default")).to_contain_text("100.0% (43.9% to 100.0%; 3 of 3)")
    rules = page.locator("section", has=page.get_by_role("heading", name="by rule"))
    expect(rules.locator("tbody tr")).to_contain_text("25.0%")
    expect(page.locator("section", has_text="Decisions by reviewer").locator("tbody tr")).to_have_text("person:kim31")
    expect(page.locator("section", has_text="Decisions by label").locator("tbody tr")).to_have_text(
        "Explosions and Blasts31"
    )
    assert page.locator(".days rect.approved").get_attribute("height") == "75.00"
    expect(needless.locator("tbody tr").first).to_contain_text(HOSTILE)

    page.goto(f"{mo.served.address}/numbers?age=1d&thresholds=yes&lane=default")
    expect(page.locator("main > p").first).to_contain_text("3 uploads decided")
    expect(page.locator("main")).to_contain_text("can't be read, so no thresholds are suggested")


def test_jobs_are_listed_and_shown_with_what_failed_and_what_was_found(mo: Visit, uploads: Uploads) -> None:
    now = datetime.now(UTC)
    ours, others = a_job(0, CreationTimestamp=now.timestamp()), a_job(1, bucket="other")
    failure = {"Code": "INTERNAL_ERROR", "Message": HOSTILE}
    failed = a_job(2, "FAILED", CreationTimestamp=(now - timedelta(hours=3)).timestamp(), FailureDetails=failure)
    serve(uploads.deployed, ours, {**others, "CreationTimestamp": now.timestamp()}, failed)
    store_output(uploads.deployed, 0)
    page = mo.page
    page.goto(f"{mo.served.address}/jobs")

    rows = page.locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text(BATCH)
    expect(rows.nth(0)).to_contain_text("InvalidImageFormatException")
    expect(rows.nth(1)).to_contain_text("3 h ago")
    assert page.get_by_label("Status").locator("option").all_inner_texts() == ["all", *JobStatus]
    rows.nth(0).get_by_role("link").click()
    expect(page.locator("main")).to_contain_text("1 analyzed, 1 not")
    expect(page.get_by_role("region", name="Images that were not analyzed")).to_contain_text("s3://uploads/b.jpg")
    expect(page.get_by_role("region", name="Results")).to_contain_text("Violence 91")
    page.goto(f"{mo.served.address}/jobs?job=job-2")
    expect(page.locator("main")).to_contain_text(f"INTERNAL_ERROR: {HOSTILE}")
    page.goto(f"{mo.served.address}/jobs?job=job-1")
    expect(page.locator("main")).to_contain_text("not of this deployment")


def test_what_can_not_be_read_is_said_with_what_to_do(mo: Visit, uploads: Uploads) -> None:
    page = mo.page
    uploads.deployed.calls.answer_always(
        "ListMediaAnalysisJobs", lambda _: an_error("AccessDeniedException", "closed to new customers")
    )
    page.goto(f"{mo.served.address}/jobs")
    expect(page.locator("main")).to_contain_text("Bulk Analysis does not answer")
    page.goto(f"{mo.served.address}/numbers?age=forever")
    expect(page.locator("main")).to_contain_text("the age 'forever' is none of")
