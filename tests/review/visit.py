"""A reviewer's browser at a page."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, Dialog, Page, expect

from tests.review.conftest import Served

#: A machine that does much else is slow.
_PATIENCE_MS = 60_000
expect.set_options(timeout=_PATIENCE_MS)

#: Keeps all that a screen reader is given: the next message replaces the one before.
_LISTEN = """
document.addEventListener("DOMContentLoaded", () => {
  window.said = [];
  const live = document.getElementById("live");
  const listen = () => live.textContent && window.said.push(live.textContent);
  if (live) new MutationObserver(listen).observe(live, { childList: true });
});
"""

TODAY = "/?"
GRID = "/grid?"


def until(condition: Callable[[], object]) -> None:
    """Wait for something that the page does not show."""
    end = time.monotonic() + _PATIENCE_MS / 1000
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@dataclass
class Visit:
    """Attributes:
    told: errors of the page, and what its policy of content forbade.
    """

    served: Served
    page: Page
    told: list[str] = field(default_factory=list)

    def go(self, path: str = TODAY) -> "Visit":
        """Open a page of the app, and wait until it shows something."""
        self.page.goto(f"{self.served.address}{path}")
        self.page.wait_for_selector(".upload, .tile, .state h2")
        return self

    @property
    def name(self) -> str:
        """The upload on the stage, without its folder."""
        return self.page.locator(".upload .name bdi").inner_text()

    def sees(self, name: str) -> "Visit":
        """Wait until this upload is on the stage, and its picture can be decided on."""
        expect(self.page.locator(".upload .name bdi")).to_have_text(name)
        self.page.wait_for_selector(".upload[data-seen=yes]")  # the policy of the page forbids strings of JavaScript
        return self

    def press(self, *keys: str) -> "Visit":
        """Press keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)
        return self

    def decides(self, key: str) -> str:
        """Decide on the upload on the stage, and wait until it has left; returns its name."""
        name = self.name
        self.press(key)
        try:
            expect(self.page.locator(".upload .name bdi", has_text=name)).to_have_count(0)
        except AssertionError as error:
            said = self.page.evaluate("window.said")
            raise AssertionError(f"{name} is still there: {said}, {self.page.locator('main').inner_text()}") from error
        return name

    def hears(self, words: str) -> "Visit":
        """Wait until a screen reader was given these words."""
        until(lambda: self.has_heard(words))
        return self

    def has_heard(self, words: str) -> bool:
        """Whether the words were among what was said; what was said before them is not heard again."""
        said: list[str] = self.page.evaluate("window.said ?? []")
        found = next((n for n, each in enumerate(said) if words in each), None)
        if found is not None:
            self.page.evaluate("count => window.said.splice(0, count)", found + 1)
        return found is not None

    def sends(self, count: int) -> "Visit":
        """Have the app send the decisions that wait, once so many have reached it."""
        until(lambda: len(self.served.bench.desk._pending) == count)
        self.served.bench.desk.send_now()
        return self

    def notice(self) -> Any:
        """The notices."""
        return self.page.locator(".notice")

    def state(self) -> Any:
        """What stands where an upload would."""
        return self.page.locator(".state")


@contextmanager
def visit(browser: Browser, served: Served, **options: Any) -> Iterator[Visit]:
    """Somebody who has followed the login link. Leaves the page before the browser goes on."""
    context = browser.new_context(**{"viewport": {"width": 1000, "height": 640}, **options})
    context.set_default_timeout(_PATIENCE_MS)
    page = context.new_page()
    page.add_init_script(_LISTEN)
    found = Visit(served, page)

    def refuse(dialog: Dialog) -> None:
        found.told.append(f"dialog {dialog.message}")
        dialog.dismiss()

    page.on("pageerror", lambda error: found.told.append(str(error)))
    page.on("console", lambda message: found.told.append(message.text) if "Content Security" in message.text else None)
    page.on("dialog", refuse)
    page.goto(served.app.link)
    page.wait_for_url(f"{served.address}/")
    page.goto("about:blank")  # else this page might take the first upload before the test has put the others
    try:
        yield found
        assert found.told == []
    finally:
        page.goto("about:blank")
        context.close()
