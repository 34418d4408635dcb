"""Every code that an upload can end with is explained where a command shows it."""

import re

import pytest

from demo.synthesis import ROOT
from gatehouse.cli.failure_advice import about
from gatehouse.moderation import png_animation, rendition
from gatehouse.moderation.confirmation import DEFINITE_CODES
from gatehouse.moderation.matching import ADAPTER_IGNORED, CONTRADICTORY, NOT_ANALYZED

CODES = {
    *rendition.UNSUPPORTED_CODES,
    *png_animation.UNSUPPORTED_CODES,
    *DEFINITE_CODES,
    *(failure.code for failure in (ADAPTER_IGNORED, CONTRADICTORY, NOT_ANALYZED)),
    *("EmptyObject", "ImageTooLarge", "AttemptsExhausted"),
}


@pytest.mark.parametrize("code", sorted(CODES))
def test_our_own_codes_are_explained(code: str) -> None:
    assert about(code)


def test_so_are_those_of_the_page() -> None:
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    table = page.split("| code | likely cause |", 1)[1].split("\n\n", 1)[0]
    codes = [name for line in table.splitlines() for name in re.findall(r"`([\w.]+)`", line.split(" | ")[0])]

    assert "NotAnalyzed" in codes
    assert [code for code in codes if not about(code)] == []


def test_nothing_is_made_up_about_others() -> None:
    assert about("NoSuchCode") is None
    assert about("ReadTimeoutError") == about("InternalServerError")
