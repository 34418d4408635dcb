"""The pictures of the documentation: each is shown somewhere, says in words what it shows, and loads nothing."""

import re
from pathlib import Path

import pytest

from tests.browser.pictures import GRID_PICTURE, MOST_BYTES, PICTURES, REVIEW, SHEET, TERMINAL
from tests.docs.test_placeholders import PAGES, ROOT

_SHOWN = re.compile(r"!\[([^\]]*)\]\(([^)]+)\)")


def shown() -> dict[Path, dict[str, str]]:
    """Page -> address of a picture on it -> its alternative text."""
    return {page: {address: words for words, address in _SHOWN.findall(page.read_text("utf-8"))} for page in PAGES}


def test_there_are_those_that_the_command_makes_and_all_are_shown() -> None:
    made = {PICTURES / name for name in (TERMINAL, SHEET, REVIEW, GRID_PICTURE)}

    assert set(PICTURES.iterdir()) == made
    assert {(page.parent / address).resolve() for page, found in shown().items() for address in found} == made


def test_the_readme_shows_the_demo_its_page_and_the_review_page() -> None:
    on_readme = shown()[ROOT / "README.md"]

    assert set(on_readme) == {f"docs/pictures/{name}" for name in (TERMINAL, SHEET, REVIEW)}
    assert all(len(words.split()) > 5 for words in on_readme.values())


@pytest.mark.parametrize("name", [TERMINAL, SHEET, REVIEW, GRID_PICTURE])
def test_a_picture_is_small(name: str) -> None:
    assert 1_000 < (PICTURES / name).stat().st_size <= MOST_BYTES


def test_the_terminal_shows_a_whole_run_and_nothing_of_the_machine_it_was_made_on() -> None:
    text = re.sub(r"<[^>]*>", "", (PICTURES / TERMINAL).read_text("utf-8")).replace("&#160;", " ")

    assert "$ make demo" in text
    assert "The local cloud has stopped; nothing is left running." in text
    assert all(status in text for status in ("APPROVED", "REVIEW", "BLOCKED", "UNSUPPORTED"))
    assert set(re.findall(r"https?://([\w.-]+)", text)) == {"127.0.0.1"}
    assert "url(http" not in (PICTURES / TERMINAL).read_text("utf-8")
    assert re.findall(r"(?<![\w~])/(?:home|root|tmp|Users|work)/", text) == []
