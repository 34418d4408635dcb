"""The picture of the folders is the repository's."""

import re

from tests.docs.test_placeholders import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")


def test_the_picture_shows_every_folder_of_tests() -> None:
    line = re.search(r"^tests/ +(.*)$", PAGE, re.MULTILINE)
    assert line is not None

    folders = {path.parent.name for path in (ROOT / "tests").glob("*/__init__.py")}
    assert set(line[1].split()) == {f"{folder}/" for folder in folders}
