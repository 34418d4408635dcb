"""Pages can be read where they are written: a terminal, a diff."""

import re
from pathlib import Path

import pytest

from tests.docs.test_placeholders import PAGES, ROOT

WIDTH = 124

#: What can't be wrapped: code blocks, and the rows of tables.
_UNWRAPPED = re.compile(r"^(```+)\w*\n.*?^\1$|^\|[^\n]*$", re.MULTILINE | re.DOTALL)


def too_long(page: str) -> list[str]:
    """Lines of a page's prose that are longer than that."""
    return [line for line in _UNWRAPPED.sub("", page).splitlines() if len(line) > WIDTH]


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_the_lines_of_a_page_are_not_too_long(page: Path) -> None:
    assert too_long(page.read_text("utf-8")) == []


def test_tables_and_code_may_be_wider_and_prose_between_them_may_not() -> None:
    wide = "x" * (WIDTH + 1)
    page = f"```bash\n{wide}\n```\n{wide}1\n| {wide} |\n{wide}2\n{wide[1:]}\n```\n{wide}\n```\n{wide}3\n"

    assert too_long(page) == [f"{wide}{number}" for number in (1, 2, 3)]
