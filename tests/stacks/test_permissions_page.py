"""docs/permissions.md says what the template and the sources say."""

from collections.abc import Callable

from tests.permissions.bench import SETTINGS
from tests.permissions.page import PAGE, replaced, role_tables
from tests.stacks.conftest import Assembly


def test_the_page_lists_what_each_role_may_do_and_who_needs_it(synthesized: Callable[[str], Assembly]) -> None:
    page = PAGE.read_text("utf-8")

    assert page == replaced(page, role_tables(synthesized(SETTINGS).pipeline)), "run: python -m tests.permissions.page"
