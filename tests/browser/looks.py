"""What is wrong with how a page looks: for people who see badly, and in a small window."""

from typing import Any

from playwright.sync_api import Page

_STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def violations(page: Page) -> list[Any]:
    """What axe-core, which has to be in the page, finds against WCAG 2.2 AA, with the elements."""
    found = page.evaluate("options => axe.run(document, options)", {"runOnly": _STANDARDS})["violations"]
    return [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]


def overflow(page: Page) -> list[str]:
    """Elements that stand out of the window to the right, unless what they are in scrolls."""
    return list(
        page.evaluate("""() => {
  const scrolls = (one) => one && (getComputedStyle(one).overflowX !== "visible" || scrolls(one.parentElement));
  return [...document.querySelectorAll("body *")]
    .filter((each) => each.getBoundingClientRect().right > innerWidth + 1 && !scrolls(each.parentElement))
    .map((each) => each.outerHTML.slice(0, 120));
}""")
    )
