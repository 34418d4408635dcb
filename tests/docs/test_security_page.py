"""The threat model names the tests that show what it claims, and they exist."""

import ast
import re

import pytest

from tests.docs.test_placeholders import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)

#: Sections that claim nothing of the code.
_WITHOUT_CLAIMS = {"Assets and boundaries", "What AWS does with the pictures", "Illegal material"}


@pytest.mark.parametrize(("file", "name"), NAMED, ids=[name for _, name in NAMED])
def test_a_test_that_is_named_exists(file: str, name: str) -> None:
    functions = [
        node.name for node in ast.walk(ast.parse((ROOT / file).read_text("utf-8"))) if isinstance(node, ast.FunctionDef)
    ]

    assert name in functions


def test_every_test_is_named_in_full() -> None:
    assert len(re.findall(r"\btests/\w", PAGE)) == len(NAMED)


def test_each_section_that_claims_something_names_a_test() -> None:
    sections = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    bare = {section.partition("\n")[0] for section in sections if "`tests/" not in section}

    assert bare == _WITHOUT_CLAIMS
