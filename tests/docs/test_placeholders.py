"""No page of the documentation was left with a word where a figure or a table was to go."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatehouse.moderation.status import Status

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md")])

_CODE = re.compile(r"^(```+)\w*\n.*?^\1$|`[^`\n]*`", re.MULTILINE | re.DOTALL)

#: A bare upper-case word that is all that stands where a value is due: after a colon or "is", before a unit, in a cell
#: of a table, or in a line of its own.
_WORD = r"(?P<word>[A-Z][A-Z_]{2,})"
_VALUES = [
    re.compile(rf"(?:[:=~≈] ?|\b(?:is|are|about|over|under|costs?|takes?|least|most) )\**{_WORD}\**(?=[.,;]?(?:\s|$))"),
    re.compile(rf"\| *\**{_WORD}\** *(?=\|)"),
    re.compile(rf"^[-*]? *\**{_WORD}\**[.:]?$", re.MULTILINE),
    re.compile(rf"\b{_WORD}(?= (?:seconds|minutes|hours|days|dollars|USD|uploads|images|calls|percent|ms|MB|%)\b)"),
]
_NEVER = re.compile(r"\b(?P<word>TODO|TBD|TBA|FIXME|XXX+|PLACEHOLDER|LOREM)\b|(?P<marks>\?\?\?)")

#: Words that are meant where they stand: statuses and what everybody calls by its initials.
_KNOWN = {
    *Status,
    *("PENDING", "EXPIRED", "TRAINING_COMPLETED", "HEAD", "PUT", "POST"),
    *("API", "ARN", "AWS", "CDK", "CLI", "DLQ", "IAM", "ISO", "JPEG", "JSON", "KMS", "PNG", "SDK", "SNS", "SQS", "URI"),
    *("USD", "UTC", "YAML", "AVIF", "HEIC", "BMP", "GIF", "TIFF", "GATEHOUSE_SETTINGS"),
}


def placeholders(page: str) -> Iterator[str]:
    """What stands in a page's prose like something that was to be filled in."""
    prose = _CODE.sub("`code`", page)
    for pattern in _VALUES:
        yield from (match["word"] for match in pattern.finditer(prose) if match["word"] not in _KNOWN)
    yield from (match.group() for match in _NEVER.finditer(prose))


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_a_page_has_no_placeholder_left(page: Path) -> None:
    assert list(placeholders(page.read_text("utf-8"))) == []


@pytest.mark.parametrize(
    "text",
    [
        "The local cloud measured it: RATE.",
        "measured on two cores: **RATE** a second",
        "It takes about LATENCY.",
        "A million costs PRICE, as of today.",
        "in COUNT seconds",
        "Prices are:\n\nTABLE\n\nas of today",
        "| live | FIGURE | 3 |",
        "- RATE",
        "TODO: measure",
        "that is ???",
    ],
)
def test_a_placeholder_is_found(text: str) -> None:
    assert len(set(placeholders(text))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "Now it is APPROVED. Its verdict is PENDING.",
        "| *Nudity* 70 | BLOCKED | REVIEW | APPROVED |",
        "`--table-name TABLE`: the table",
        "```sh\naws x --name TABLE\nTABLE\n```",
        "AWS: SQS keeps it for four days, and the CDK does the rest.",
        "OLD and NEW are files",
    ],
)
def test_a_word_that_is_meant_is_no_placeholder(text: str) -> None:
    assert list(placeholders(text)) == []
