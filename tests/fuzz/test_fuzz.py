"""A small and always equal part of `make fuzz`, and the fuzzing itself put to the test."""

from typing import Any

import pytest

from gatehouse.moderation.matching import NOT_ANALYZED, BulkAnswers
from tests.fuzz.misbehaving import PARSERS as MISBEHAVING
from tests.fuzz.parser import Parser
from tests.fuzz.parsers import PARSERS
from tests.fuzz.supervision import fuzz, shares
from tests.fuzz.worker import ROOT

_SEED = 7


def test_no_parser_breaks_its_contract() -> None:
    report = fuzz(shares(PARSERS, 4_000), _SEED)

    assert report.cases.total() >= 4_000
    assert [*report.failures, *report.smallest.items()] == []
    assert not [parser.name for parser in PARSERS if parser.weight > 5 and not report.accepted[parser.name]]


@pytest.mark.parametrize("address", (ROOT / "tests" / "fuzz" / "regressions.txt").read_text("utf-8").split())
def test_a_case_that_failed_once_fails_no_more(address: str) -> None:
    """Generators change, and then such a case is another one: what it stood for has a test beside its parser's."""
    name, seed, number = address.rsplit("/", 2)
    parser = next(parser for parser in PARSERS if parser.name == name)

    parser.check(parser.case(int(seed), int(number)))


def test_a_case_can_be_had_again_alone() -> None:
    for parser in PARSERS:
        assert parser.case(_SEED, 3) == parser.case(_SEED, 3)


def test_a_case_that_raises_hangs_kills_its_process_or_takes_its_memory_is_found_and_the_others_run_on() -> None:
    report = fuzz(shares(MISBEHAVING, 300), _SEED, module="tests.fuzz.misbehaving", patience=1.0)
    found: dict[str, str] = {}
    for failure in report.failures:
        found.setdefault(failure.parser, failure.problem.partition(":")[0])

    assert found == {
        "raises": "KeyError in tests/fuzz/misbehaving.py",
        "hangs": "no end within 1 seconds",
        "dies": "the process died",
        "is drawn to death": "the process died, and not in the parser",
        "grows": "MemoryError in tests/fuzz/misbehaving.py",
    }
    assert report.cases["fine"] == report.cases["grows"] == 50
    assert [case for (name, _), case in report.smallest.items() if name == "raises"] == ["'c'"]


def _milder(answers: BulkAnswers, entry: Any) -> Any:
    """An answer although another line contradicts it."""
    return answers.analyses.get(entry.claim.upload.object) or NOT_ANALYZED


#: A parser, the part of it that is replaced, and a replacement with a bug.
_BUGS: dict[str, tuple[str, Any]] = {
    "matching.BulkAnswers": ("gatehouse.moderation.matching.BulkAnswers.answer", _milder),
    "analysis.parse_result_line": ("gatehouse.moderation.analysis._members", dict),
    "upload_event.parse_event": ("gatehouse.moderation.upload._size", lambda stored: stored.get("size")),
    "policy.Policy.from_document": (
        "gatehouse.moderation.policy.policy_document._confidence",
        lambda value, path: float(value),
    ),
    "png_animation.unseen_frames": ("gatehouse.moderation.png_animation._CHECKSUM_BYTES", 3),
    "decision.acted": ("gatehouse.moderation.verdict_item.text", lambda value: value),
    "rekognition.planted_labels": ("localcloud.rekognition.planted_labels._findings", lambda document, member: ()),
}


@pytest.mark.parametrize("name", _BUGS)
def test_a_bug_planted_in_a_parser_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parser = next(parser for parser in PARSERS if parser.name == name)
    monkeypatch.setattr(*_BUGS[name])

    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever a bug leads to
        _check_all(parser, 1_000)


def _check_all(parser: Parser, cases: int) -> None:
    for number in range(cases):
        parser.check(parser.case(_SEED, number))
