"""The page in small and large windows, light and dark: nothing overflows, and axe-core finds nothing."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from gatehouse.moderation.decision import Decision, acted, decide
from gatehouse.moderation.moment import iso
from gatehouse.moderation.status import Status
from tests.browser.chrome import AXE
from tests.browser.looks import overflow, violations
from tests.cli.jobs.test_jobs_commands import a_job, serve, store_output
from tests.review.conftest import KIM, Served, Uploads
from tests.review.visit import GRID, TODAY, Visit, visit

REPORTS = {
    "numbers": "/numbers?thresholds=yes",
    "jobs": "/jobs",
    "job": "/jobs?job=job-0",
    "refused": "/numbers?age=forever",
}


@pytest.fixture
def mo(browser: Browser, uploads: Uploads, served: Served) -> Iterator[Visit]:
    """Mo, in front of a few uploads."""
    for n in range(6):
        uploads.put(f"incoming/2026/a-holiday-picture-with-a-long-name-{n}.jpg")
    for n in range(12):
        at = iso(datetime.now(UTC) - timedelta(days=n % 4))
        status = Status.BLOCKED if n % 3 else Status.APPROVED
        act = decide(status, KIM, Decision("spam", None), at)
        uploads.deployed.put(acted(uploads.put(f"decided/{n}.jpg"), act))
    serve(uploads.deployed, a_job(0, CreationTimestamp=datetime.now(UTC).timestamp()))
    store_output(uploads.deployed, 0)
    served.bench.desk.wait_seconds = 60
    # axe-core is put into the page as its own script would be; the policy of content would refuse it.
    with visit(browser, served, bypass_csp=True) as found:
        found.page.add_init_script(AXE.read_text("utf-8"))
        yield found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_state_is_accessible_and_fits(mo: Visit, scheme: Any, tmp_path: Path) -> None:
    page = mo.page
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    for width, height in ((360, 740), (1440, 900), (2560, 1300)):
        page.set_viewport_size({"width": width, "height": height})
        is_checked = (width, scheme) in ((360, "light"), (1440, "dark"))  # colors and sizes depend on one of them each
        for path, ready in ((TODAY, ".upload[data-seen=yes]"), (GRID, ".tile[data-seen=yes]")):
            mo.go(path)
            page.wait_for_selector(ready)
            page.locator(".filters summary").click()
            page.screenshot(path=tmp_path / f"{width}-{scheme}.png")
            assert overflow(page) == []
            if is_checked:
                assert violations(page) == []
        for name, path in REPORTS.items():
            page.goto(f"{mo.served.address}{path}")
            page.screenshot(path=tmp_path / f"{name}-{width}-{scheme}.png", full_page=True)
            assert overflow(page) == []
            if is_checked:
                assert violations(page) == []
    mo.go()
    page.locator(".filters summary").click()
    mo.go().press("b", "?")
    expect(page.locator("dialog")).to_be_visible()
    assert violations(page) == []
    mo.press("Escape").go(f"{TODAY}&lane=nowhere")
    assert violations(page) == []
