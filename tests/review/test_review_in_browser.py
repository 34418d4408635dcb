"""Reviewing by keyboard in a real browser: each key, and everything that may go wrong between two of them."""

import threading
from collections.abc import Iterator, Mapping
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Route, expect

from gatehouse.cli.aws.upload_bucket import StoredPicture
from gatehouse.moderation.analysis import Analysis, Label
from gatehouse.moderation.change import Cause
from gatehouse.moderation.decision import Decision, acted, decide, report
from gatehouse.moderation.moment import iso
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import Upload
from gatehouse.review.journal import SKIPS
from tests.cli.conftest import TABLE, UPLOADS
from tests.review.conftest import KIM, MO, Served, Uploads, drawn, serving
from tests.review.visit import GRID, TODAY, Visit, until, visit
from tests.unit.aws_calls import an_error


@pytest.fixture
def mo(browser: Browser, uploads: Uploads, served: Served) -> Iterator[Visit]:
    """Mo, who has opened the page. Uploads are put before `go`."""
    with visit(browser, served) as found:
        yield found


def settled(served: Served, count: int) -> None:
    """Wait until so many decisions were written."""
    until(lambda: served.bench.desk.decided >= count)


def test_every_key_does_what_the_help_says(mo: Visit, uploads: Uploads, served: Served) -> None:
    first, second, third, fourth, *_ = [uploads.put(f"in/{n}.jpg") for n in range(6)]
    served.bench.desk.wait_seconds = 60
    page = mo.go().sees("0.jpg").page
    body = page.locator("body")

    expect(page.locator("#approve .because")).to_have_text("false-positive")
    mo.press("2", "a").sees("1.jpg").hears("Approved 0.jpg")
    expect(page.locator("#toast")).to_contain_text("Approved 0.jpg: context")
    expect(page.locator("#approve .because")).to_have_text("context")
    mo.press("u").sees("0.jpg").press("a").sees("1.jpg").press("a").sees("2.jpg")
    page.keyboard.down("Control")
    page.keyboard.down("z")
    page.keyboard.down("z")  # a key that is held down
    page.keyboard.up("z")
    page.keyboard.up("Control")
    mo.sees("1.jpg").press("Control+z").sees("0.jpg")
    mo.press("A").sees("1.jpg").press("4", "4", "b").sees("2.jpg")
    expect(page.locator("#toast")).to_contain_text("Blocked 1.jpg: policy-violation")

    mo.press("7", "b").hears("needs a note")
    assert mo.name == "2.jpg"
    page.keyboard.type("bus 9")  # letters and digits are text while somebody writes
    mo.press("Escape", "b").sees("3.jpg").press("s").sees("4.jpg").hears("Skipped")
    mo.sends(3)
    assert uploads.item(first)["decision"] == {"reason": "context"}
    assert uploads.item(second)["decision"] == {"reason": "policy-violation"}
    assert uploads.item(third)["decision"] == {"reason": "other", "note": "bus 9"}
    assert uploads.statuses()["in/3.jpg"] == "REVIEW"
    (skipped,) = served.journals.rglob(SKIPS)
    assert '"by": "person:mo", "object": "s3://uploads/in/3.jpg"' in skipped.read_text("utf-8")

    filters = "getComputedStyle(document.querySelector('.upload img')).filter"
    assert page.evaluate(filters) == "blur(22px) grayscale(1)"
    page.keyboard.down(" ")
    assert page.evaluate(filters) == "blur(0px) grayscale(0)"
    page.keyboard.up(" ")
    mo.press("v")
    assert page.evaluate(filters) == "blur(0px) grayscale(1)"
    mo.press("c", "z")
    assert page.evaluate(filters) == "blur(0px) grayscale(0)"
    assert page.evaluate("document.querySelector('.upload img').clientWidth") == 640
    mo.press("z", "?")
    expect(page.locator("dialog")).to_be_visible()
    mo.press("a", "Escape")
    expect(page.locator("dialog")).to_be_hidden()
    assert mo.name == "4.jpg"

    until(lambda: "review_claim" not in uploads.item(fourth))
    mo.go().sees("3.jpg")  # a new load of the page may show what was skipped
    assert "blur" not in str(body.get_attribute("class"))


def test_single_keys_can_be_turned_off_and_buttons_decide(mo: Visit, uploads: Uploads) -> None:
    uploads.put("0.jpg")
    page = mo.go().sees("0.jpg").press("?").page
    page.get_by_label("Single keys decide").uncheck()
    mo.press("Escape", "a", "b", "s")
    assert mo.name == "0.jpg"
    page.get_by_role("button", name="Block").focus()
    mo.press("Enter")
    expect(mo.state()).to_contain_text("Nothing waits here")


def test_a_held_key_decides_once_and_nothing_unseen_is_decided(
    mo: Visit, uploads: Uploads, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(3):
        uploads.put(f"{n}.jpg")
    gate, read = threading.Event(), served.bench.uploads.picture
    served.bench.desk.wait_seconds = 60

    def slow(upload: Upload) -> StoredPicture:
        if upload.key == "1.jpg":
            assert gate.wait(60)
        return read(upload)

    monkeypatch.setattr(served.bench.uploads, "picture", slow)
    mo.go().sees("0.jpg")
    page = mo.page
    page.keyboard.down("a")
    page.keyboard.down("a")
    page.keyboard.up("a")
    expect(page.locator(".upload .name bdi")).to_have_text("1.jpg")
    mo.press("a", "b").hears("still loading")
    assert mo.name == "1.jpg"
    gate.set()
    mo.sees("1.jpg").press("b").sees("2.jpg")
    mo.sends(2)
    assert uploads.statuses() == {"0.jpg": "APPROVED", "1.jpg": "BLOCKED", "2.jpg": "REVIEW"}


def test_two_browsers_race_and_each_upload_has_one_decision(browser: Browser, uploads: Uploads, tmp_path: Path) -> None:
    count = 16
    for n in range(count):
        uploads.put(f"{n:02}.jpg")
    with (
        serving(tmp_path / "mo", MO) as mos,
        serving(tmp_path / "kim", KIM) as kims,
        visit(browser, mos) as mo,
        visit(browser, kims) as kim,
    ):
        mo.go()
        kim.go()
        shown: list[str] = []
        turns = cycle({"a": mo, "b": kim}.items())
        for key, each in islice(turns, 50 * count):
            if len(shown) == count:
                break
            each.page.wait_for_selector(".upload[data-seen=yes], .state h2")
            if each.state().count():  # the other one holds what is left, and may give it back
                each.page.wait_for_timeout(100)
                continue
            shown.append(each.decides(key))
    items = uploads.deployed.items().values()

    assert sorted(shown) == [f"{n:02}.jpg" for n in range(count)]
    assert [len(item["history"]) for item in items] == [1] * count
    assert {item["decided_by"] for item in items} == {MO.decided_by, KIM.decided_by}
    assert all((item["decided_by"] == MO.decided_by) == (item["status"] == "APPROVED") for item in items)


def test_a_hold_that_was_lost_is_said_plainly_and_the_next_upload_is_at_hand(
    mo: Visit, uploads: Uploads, served: Served
) -> None:
    first, _ = uploads.put("0.jpg"), uploads.put("1.jpg")
    mo.go().sees("0.jpg")
    uploads.deployed.dynamodb.update_item(  # the laptop slept, and Kim took it
        TableName=TABLE,
        Key={"object": {"S": first.upload.object}, "version": {"S": first.upload.version}},
        UpdateExpression="SET review_claim = :c",
        ExpressionAttributeValues={
            ":c": {"M": {"by": {"S": KIM.decided_by}, "until": {"S": "2999-01-01T00:00:00.000Z"}}}
        },
    )
    served.ahead[0] = 9 * 60
    mo.page.evaluate("window.dispatchEvent(new Event('gatehouse-poll'))")

    expect(mo.state()).to_contain_text("This upload is not yours any more")
    expect(mo.state()).to_contain_text("person:kim is looking at it until 2999")
    mo.press("a", "b")
    mo.press("s").sees("1.jpg")
    assert "history" not in uploads.item(first)


def test_somebody_elses_decision_is_said_plainly(mo: Visit, uploads: Uploads, served: Served) -> None:
    first, _ = uploads.put("0.jpg"), uploads.put("1.jpg")
    mo.go().sees("0.jpg")
    uploads.deployed.put(
        acted(first, decide(Status.BLOCKED, KIM, Decision("spam", None), iso(served.bench.clock.now())))
    )
    mo.press("a").sees("1.jpg")

    expect(mo.notice()).to_contain_text("0.jpg was decided or changed by somebody else")
    expect(mo.notice()).to_contain_text("it is BLOCKED by person:kim since")
    mo.notice().get_by_role("button", name="Look at it").click()
    mo.sees("0.jpg")
    expect(mo.page.locator(".history")).to_contain_text("decided by Kim (kim): REVIEW to BLOCKED, spam")


HOSTILE = "\"><img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}\u202egpj.exe\n'`.jpg"


def test_nothing_that_a_key_a_label_or_a_note_contains_runs_or_breaks_the_page(mo: Visit, uploads: Uploads) -> None:
    evil = "</script><svg onload=alert(3)>" + "x" * 300
    labels = Analysis((Label(evil, "", 99.0, 1), Label("</ul><b>", evil, 98.0, 2)), (), "7.0")
    approved = uploads.put(HOSTILE, Status.APPROVED)
    reported = acted(approved, report(KIM, Decision("report", evil[:400]), approved.decided_at))
    uploads.deployed.put(Uploads.with_analysis(reported, labels))
    page = mo.go().page

    mo.page.wait_for_selector(".upload[data-seen=yes]")
    expect(page.locator(".details blockquote").first).to_have_text(evil[:400])
    expect(page.locator(".label-name").first).to_have_text(evil)
    expect(page.locator(".status.sent-back")).to_have_text("reported")
    assert "\\u202e" in page.locator(".name").inner_text()
    assert page.locator(".upload script, .upload svg[onload], .upload img:not([alt])").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    mo.press("1", "b")
    expect(page.locator("#toast")).to_contain_text("script>{{7*7}}")
    mo.go(GRID)


def test_a_picture_of_15_mb_is_shown_and_only_its_own_version(mo: Visit, uploads: Uploads) -> None:
    body = drawn(3, (4000, 3000)) + b"\0" * 15_000_000
    uploads.put("large.jpg", body=body[: 15 * 1024 * 1024])
    uploads.deployed.s3.put_object(Bucket=UPLOADS, Key="large.jpg", Body=drawn(4, (80, 80)))

    mo.go().sees("large.jpg")

    assert mo.page.evaluate("document.querySelector('.upload img').naturalWidth") == 4000


def test_a_picture_that_failed_to_load_is_loaded_once_more_and_again_when_asked(mo: Visit, uploads: Uploads) -> None:
    uploads.put("0.jpg")
    failures = 1

    def fail(route: Route) -> None:
        nonlocal failures
        failures -= 1
        route.continue_() if failures < 0 else route.abort()

    mo.page.route("**/picture?*", fail)
    mo.go().sees("0.jpg")
    assert mo.page.locator(".absent").count() == 0
    failures = 2
    mo.go().sees("0.jpg")
    mo.press("a").hears("There is no picture to look at")
    mo.page.locator(".absent").get_by_role("button", name="Try again").click()
    mo.sees("0.jpg")
    expect(mo.page.locator(".upload img")).to_be_visible()
    mo.decides("a")


def test_a_request_that_was_cut_is_sent_once_more_and_counts_once(mo: Visit, uploads: Uploads, served: Served) -> None:
    verdicts = [uploads.put(f"{n}.jpg") for n in range(3)]
    served.bench.desk.wait_seconds = 60
    seen: set[str] = set()

    def lose(route: Route) -> None:
        """The app has the first request of a kind; its answer does not arrive."""
        path = route.request.url.removeprefix(served.address)
        if path in seen:
            return route.continue_()
        seen.add(path)
        route.fetch()
        return route.abort("connectionreset")

    mo.page.route("**/decide", lose)
    mo.page.route("**/undo", lose)
    mo.page.route("**/keep", lose)
    mo.go().sees("0.jpg").press("a").sees("1.jpg").press("b").sees("2.jpg").press("u").sees("1.jpg").press("a")
    mo.sees("2.jpg").sends(2)
    assert seen == {"/decide", "/undo", "/keep"}
    assert mo.notice().count() == 0
    assert [uploads.item(verdict)["status"] for verdict in verdicts] == ["APPROVED", "APPROVED", "REVIEW"]
    assert [len(uploads.item(verdict)["history"]) for verdict in verdicts[:2]] == [1, 1]


def test_a_deleted_upload_says_so_and_is_never_approved(mo: Visit, uploads: Uploads, served: Served) -> None:
    served.bench.desk.wait_seconds = 60
    gone = uploads.put("gone.jpg")
    text = uploads.put("text.jpg", body=b"<html><script>alert(1)</script>")
    uploads.deployed.s3.delete_object(Bucket=UPLOADS, Key="gone.jpg", VersionId=str(gone.upload.version_id))
    mo.go().sees("gone.jpg")
    expect(mo.page.locator(".absent")).to_contain_text("It was deleted")
    mo.press("a").hears("There is no picture to look at")
    mo.press("b").sees("text.jpg")
    expect(mo.page.locator(".absent")).to_contain_text("not those of a picture")
    mo.press("a").hears("can't be approved here")
    mo.sends(1)

    assert (uploads.item(gone)["status"], uploads.item(text)["status"]) == ("BLOCKED", "REVIEW")


def test_what_is_deleted_after_it_was_shown_is_not_approved(mo: Visit, uploads: Uploads, served: Served) -> None:
    served.bench.desk.wait_seconds = 60
    shown, _ = uploads.put("0.jpg"), uploads.put("1.jpg")
    mo.go().sees("0.jpg")
    uploads.deployed.s3.delete_object(Bucket=UPLOADS, Key="0.jpg", VersionId=str(shown.upload.version_id))
    mo.press("a").sees("1.jpg").sends(1)
    mo.page.evaluate("window.dispatchEvent(new Event('gatehouse-poll'))")

    expect(mo.notice()).to_contain_text("0.jpg was not decided: it was deleted: there is nothing to approve")
    assert uploads.item(shown)["status"] == "REVIEW"


def test_leaving_sends_what_waits_and_gives_the_rest_back(mo: Visit, uploads: Uploads, served: Served) -> None:
    first, second = uploads.put("0.jpg"), uploads.put("1.jpg")
    served.bench.desk.wait_seconds = 600
    mo.go().sees("0.jpg").press("b").sees("1.jpg")
    expect(mo.page.locator("#toast")).to_be_visible()
    mo.page.goto("about:blank")

    settled(served, 1)
    assert uploads.item(first)["status"] == "BLOCKED"
    until(lambda: "review_claim" not in uploads.item(second))


def test_leaving_sends_what_the_app_has_not_heard_of_yet(mo: Visit, uploads: Uploads, served: Served) -> None:
    verdicts = [uploads.put(f"{n}.jpg") for n in range(3)]
    served.bench.desk.wait_seconds = 600
    mo.page.route("**/decide", lambda _: None)  # the first one hangs, and the second one waits for it
    mo.go().sees("0.jpg").press("b").sees("1.jpg").press("a").sees("2.jpg")
    mo.page.goto("about:blank")

    settled(served, 2)
    assert [uploads.item(verdict)["status"] for verdict in verdicts] == ["BLOCKED", "APPROVED", "REVIEW"]


def test_refused_reads_are_explained_and_tried_again(mo: Visit, uploads: Uploads) -> None:
    uploads.put("0.jpg")
    refused = [an_error("AccessDeniedException", "not for mo")]
    uploads.deployed.calls.answer_always("Query", lambda _: refused[0] if refused else None)
    mo.go()
    expect(mo.state()).to_contain_text("The next uploads could not be read")
    expect(mo.state()).to_contain_text("Query was refused: not for mo. Ask whoever manages the account")
    refused.clear()
    mo.state().get_by_role("button", name="Try again").click()
    mo.sees("0.jpg")


def test_what_could_not_be_sent_is_tried_again_or_listed_at_the_next_start(
    browser: Browser, uploads: Uploads, tmp_path: Path
) -> None:
    first, second = uploads.put("0.jpg"), uploads.put("1.jpg")
    refused = [an_error("AccessDeniedException", "read only")]

    def deny(request: Mapping[str, Any]) -> Any:
        return refused[0] if refused and "list_append" in str(request["body"]) else None

    uploads.deployed.calls.answer_always("UpdateItem", deny)
    with serving(tmp_path / "journals") as served, visit(browser, served) as mo:
        mo.go().sees("0.jpg").press("a").sees("1.jpg")
        expect(mo.notice()).to_contain_text(
            "0.jpg is not decided yet: to approve it (false-positive) could not be sent."
        )
        expect(mo.notice()).to_contain_text("UpdateItem was refused: read only")
        refused.clear()
        mo.notice().get_by_role("button", name="Try again").click()
        settled(served, 1)
        assert uploads.item(first)["status"] == "APPROVED"
        refused.append(an_error("AccessDeniedException", "read only"))
        mo.press("b")
        expect(mo.notice()).to_have_count(1)
    assert [entry.identity for entry in served.bench.closed_with] == [second.upload.identity]

    refused.clear()
    with serving(tmp_path / "journals") as served, visit(browser, served) as mo:
        mo.go()
        expect(mo.notice()).to_contain_text("1.jpg is not decided yet: to block it (policy-violation)")
        assert mo.notice().get_by_role("button", name="Try again").count() == 0  # nobody knows what mo saw then
        mo.notice().get_by_role("button", name="Look at it").click()
        mo.sees("1.jpg").press("b")
        settled(served, 1)
    assert served.bench.closed_with == []
    assert uploads.item(second)["status"] == "BLOCKED"
    assert list((tmp_path / "journals" / TABLE).iterdir()) == []


def test_a_page_whose_app_was_stopped_says_so(browser: Browser, uploads: Uploads, tmp_path: Path) -> None:
    uploads.put("0.jpg")
    with serving(tmp_path / "journals") as served:
        context = browser.new_context()
        page = context.new_page()
        page.goto(served.app.link)
        page.wait_for_url(f"{served.address}/")
        mo = Visit(served, page)
        mo.go().sees("0.jpg")
    mo.press("a")
    expect(mo.state()).to_contain_text("The page was stopped")
    expect(mo.notice()).to_contain_text("0.jpg may not have been decided: the app did not answer")
    context.close()


def test_many_are_decided_at_once_in_the_grid(mo: Visit, uploads: Uploads, served: Served) -> None:
    verdicts = [uploads.put(f"in/{n}.jpg") for n in range(6)]
    served.bench.desk.wait_seconds = 60
    page = mo.go(GRID).page
    expect(page.locator(".tile")).to_have_count(6)
    expect(page.locator(".tile[data-seen=yes]")).to_have_count(6)
    mo.press("b").hears("Nothing is selected")
    mo.press("ArrowRight", "x", "ArrowRight", "Space", "ArrowLeft", "ArrowLeft")
    page.locator(".pick").nth(4).check()
    expect(page.locator("#block .because")).to_have_text("3, policy-violation")
    mo.press("4", "b")
    expect(page.locator(".tile")).to_have_count(3)
    mo.press("u")
    expect(page.locator(".tile")).to_have_count(6)
    page.get_by_role("button", name="Select all").click()
    expect(page.locator(".tile[data-seen=yes]")).to_have_count(6)
    mo.press("4", "b")
    expect(mo.state()).to_contain_text("Nothing waits here")
    mo.sends(6)
    assert {uploads.item(verdict)["decision"]["reason"] for verdict in verdicts} == {"spam"}
    assert [len(uploads.item(verdict)["history"]) for verdict in verdicts] == [1] * 6


def test_what_is_below_the_screen_of_the_grid_is_not_decided_unseen(
    mo: Visit, uploads: Uploads, served: Served
) -> None:
    count = 24
    for n in range(count):
        uploads.put(f"{n:02}.jpg")
    served.bench.desk.wait_seconds = 60
    mo.page.set_viewport_size({"width": 420, "height": 640})
    page = mo.go(GRID).page
    expect(page.locator(".tile")).to_have_count(count)
    page.wait_for_selector(".tile[data-seen=yes]")
    page.get_by_role("button", name="Select all").click()
    until(lambda: mo.press("b").has_heard("of the selected pictures were not on the screen yet"))  # once all are loaded
    assert page.locator(".tile").count() == count
    for n in range(count):
        page.locator(".tile").nth(n).evaluate("tile => tile.scrollIntoView({ block: 'center' })")
        expect(page.locator(".tile").nth(n)).to_have_attribute("data-seen", "yes")
    page.locator(".pick").nth(3).focus()
    mo.press("b")
    expect(mo.state()).to_contain_text("Nothing waits here")
    assert page.evaluate("document.activeElement.tagName") == "H2"
    mo.sends(count)


def test_filters_say_what_is_shown(mo: Visit, uploads: Uploads) -> None:
    uploads.put("waits.jpg")
    uploads.put("blocked.jpg", Status.BLOCKED)
    approved = uploads.put("reported.jpg", Status.APPROVED)
    uploads.deployed.put(acted(approved, report(KIM, Decision(Cause.REPORT.value, "a toy"), approved.decided_at)))
    page = mo.go().sees("waits.jpg").page

    page.locator(".filters summary").click()
    page.get_by_label("Reported").check()
    page.get_by_role("button", name="Show these").click()
    mo.sees("reported.jpg")
    expect(page.locator(".details blockquote").first).to_have_text("a toy")
    expect(page.locator("#filter-words")).to_contain_text("REVIEW, 1 day, reports")
    expect(page.locator("#counts")).to_contain_text("1 left")
    for path, name in ((f"{TODAY}&status=BLOCKED&label=alcohol", "blocked.jpg"), (f"{TODAY}&lane=nowhere", None)):
        mo.go(path)
        mo.sees(name) if name else expect(mo.state()).to_contain_text("Nothing waits here")
