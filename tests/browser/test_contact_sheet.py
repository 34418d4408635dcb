"""The contact sheet in a browser: by mouse and by keyboard, narrow and wide, light and dark, whatever the keys are."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, Page, Request, expect

from demo.contact_sheet import contact_sheet
from demo.samples import landscape
from demo.thumbnail import thumbnail
from tests.browser.chrome import AXE, browser
from tests.browser.looks import overflow, violations

HOSTILE = (
    "<img src=x onerror=alert(1)>.jpg",
    '"><script>alert(2)</script>.jpg',
    "' onfocus=alert(3) autofocus x='",
    "</style><svg onload=alert(4)>",
    "invoice\u202egpj.exe",
    "שלום/\u2067تجربة\u2069.png",
    "a/very/long/" + "folder" * 30 + "/" + "x" * 300 + ".jpg",
)
LABELS = (("Explicit Nudity", 98.2), ("Explicit", 98.2), ("Swimwear or Underwear", 61.04), ("Smoking", 0))
SEEN = "() => getComputedStyle(document.querySelector('.blocked img')).filter"


def label(name: str, confidence: float) -> dict[str, Any]:
    return {"name": name, "confidence": confidence}


def uploads() -> Iterator[Mapping[str, Any]]:
    """Verdict items in every state, and hostile ones."""
    labels = [label(*each) for each in LABELS]
    for n, status in enumerate(("APPROVED", "REVIEW", "BLOCKED")):
        reason = {"label": LABELS[0][0], "confidence": 98.2, "threshold": 80, "rule": "Explicit"}
        yield {
            "key": f"holiday/picture-{n}.jpg",
            "status": status,
            "labels": labels if n else labels[2:],
            "reasons": [reason, reason | {"label": "Explicit"}] if n else [],
            "content_types": [label("Illustrated", 93.9)] if n else [],
            "frames": {"judged": 3, "total": 12},
            "model_version": "nsfwjs 4.4.0",
        }
    error = {"code": "InvalidImageFormat", "message": "the file is no picture"}
    yield {"key": "notes.jpg", "status": "UNSUPPORTED", "labels": [], "error": error}
    yield {"key": "late.jpg", "status": "FAILED", "labels": [], "error": error | {"code": "Throttled"}}
    for key in HOSTILE:
        yield {
            "key": key,
            "status": "REVIEW",
            "labels": [label(key, 90)],
            "reasons": [{"label": key, "confidence": 90, "threshold": 50, "rule": key}],
            "content_types": [label(key, 90)],
            "model_version": key,
        }


def sheet() -> str:
    items = list(uploads())
    previews = {
        item["key"]: str(thumbnail(landscape(n, {}))) for n, item in enumerate(items) if item["status"] != "UNSUPPORTED"
    }
    flagged = {item["key"] for item in items if item["status"] in ("REVIEW", "BLOCKED")}
    return contact_sheet(items, flagged, previews, ["A small model looked.", HOSTILE[0]])


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture
def page(opened: Browser, tmp_path: Path) -> Iterator[Page]:
    """The sheet, opened as a file. Nothing may run in it, be asked for, or end in an error."""
    file = tmp_path / "contact-sheet.html"
    file.write_text(sheet(), "utf-8")
    context = opened.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    told: list[str] = []

    def note(request: Request) -> None:
        if not request.url.startswith("data:"):
            told.append(request.url)

    def refuse(dialog: Dialog) -> None:
        told.append(dialog.message)
        dialog.dismiss()

    page.on("request", note)
    page.on("dialog", refuse)
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("console", lambda message: told.append(message.text))
    page.goto(file.as_uri())
    try:
        yield page
        page.wait_for_load_state("networkidle")
        assert told == [file.as_uri()]
    finally:
        context.close()


def test_a_picture_that_was_not_approved_is_seen_after_a_click_and_blurred_after_another(page: Page) -> None:
    blocked = page.locator(".blocked .picture")
    assert page.locator(".approved img").evaluate("one => getComputedStyle(one).filter") == "none"
    assert page.locator(".failed img").evaluate("one => getComputedStyle(one).filter").startswith("blur")
    assert page.evaluate(SEEN).startswith("blur")
    expect(blocked).to_have_text("Show", use_inner_text=True)

    blocked.click()
    assert page.evaluate(SEEN) == "none"
    expect(blocked).to_have_text("Hide", use_inner_text=True)
    assert (
        page.locator(".review.veiled img, .review img").first.evaluate("one => getComputedStyle(one).filter") != "none"
    )

    blocked.click()
    assert page.evaluate(SEEN).startswith("blur")


def test_everything_can_be_done_by_keyboard_and_the_focus_is_seen(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.locator("#show-all")).to_be_focused()
    assert page.locator(".choice").first.evaluate("one => getComputedStyle(one).outlineStyle") == "solid"

    page.keyboard.press("ArrowRight")
    expect(page.locator("article:visible")).to_have_count(1)
    expect(page.locator("article:visible .status")).to_have_text("BLOCKED")

    page.keyboard.press("Tab")
    assert page.locator("article.blocked").evaluate("one => getComputedStyle(one).outlineStyle") == "solid"
    page.keyboard.press("Space")
    assert page.evaluate(SEEN) == "none"


def test_what_decided_stands_beside_the_picture(page: Page) -> None:
    blocked = page.locator("article.blocked")

    expect(blocked.locator("h2")).to_have_text("holiday/picture-2.jpg")
    expect(blocked.locator(".flag")).to_have_text("flag received")
    expect(blocked.locator(".why")).to_contain_text("Explicit Nudity 98.2 ≥ 80 (rule Explicit)")
    expect(blocked.locator("dl")).to_contain_text("3 of 12 judged")
    bars = blocked.locator("li").evaluate_all("""all => all.map((one) => {
      const filled = getComputedStyle(one, "::after").backgroundImage.match(/([\\d.]+)%/)[1];
      return [one.firstChild.textContent, Number(filled), one.className];
    })""")
    fired = {"Explicit Nudity", "Explicit"}
    assert bars == [[name, confidence, "fired" if name in fired else ""] for name, confidence in LABELS]


def test_what_a_key_or_a_label_holds_is_read_as_text(page: Page) -> None:
    shown = page.locator(".review h2").all_inner_texts()

    assert HOSTILE[0] in shown
    assert HOSTILE[1] in shown
    assert "invoice\\u202egpj.exe" in shown  # else it would read as invoiceexe.jpg
    assert page.locator("script, svg, [onerror], [onfocus]").count() == 0
    assert page.locator("img").count() == len(list(uploads())) - 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_it_fits_and_everybody_can_read_it(opened: Browser, tmp_path: Path, width: int, scheme: Any) -> None:
    # axe-core is put into the page as its own script would be; the policy of content would refuse it.
    context = opened.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.add_init_script(AXE.read_text("utf-8"))
    (tmp_path / "page.html").write_text(sheet(), "utf-8")
    page.goto((tmp_path / "page.html").as_uri())
    try:
        page.screenshot(path=tmp_path / f"{width}-{scheme}.png", full_page=True)
        assert overflow(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") == width
        cut = "all => all.filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.innerText)"
        assert page.locator(".words").evaluate_all(cut) == []
        assert violations(page) == []
        page.locator(".blocked .picture").click()
        page.locator("#show-blocked").check(force=True)
        assert violations(page) == []
    finally:
        context.close()
