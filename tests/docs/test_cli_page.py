"""docs/cli.md says what the commands say of themselves."""

from tests.cli.page import PAGE, page


def test_the_page_is_written_from_the_commands() -> None:
    assert PAGE.read_text("utf-8") == page(), "run `python -m tests.cli.page`"
