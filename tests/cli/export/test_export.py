"""`export`: every verdict once, in columns that a page documents, and nothing that a spreadsheet would run."""

import csv
import io
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from demo.synthesis import ROOT
from gatehouse.cli.clock import Clock
from gatehouse.cli.export import export_command
from gatehouse.cli.export.export_row import COLUMNS
from gatehouse.cli.export.export_run import to_stdout
from gatehouse.moderation.decision import Decision, acted, decide
from gatehouse.moderation.failure import Failure
from gatehouse.moderation.moment import iso
from gatehouse.moderation.person import Person
from gatehouse.moderation.status import Status
from tests.cli.conftest import Deployed, Run
from tests.unit.aws_calls import an_error
from tests.unit.builders import NOON, a_claim, a_verdict, an_upload, uploads


@pytest.fixture(autouse=True)
def _noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_command, "CLOCK", Clock(now=lambda: NOON + timedelta(minutes=5)))


def exported(gatehouse: Run, *arguments: str) -> list[dict[str, Any]]:
    result = gatehouse("export", *arguments)
    assert result.exit_code == 0
    return [json.loads(line) for line in result.stdout.splitlines()]


def cells(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_every_final_verdict_is_exported_once(gatehouse: Run, deployed: Deployed) -> None:
    deployed.put(*(a_verdict(Status.APPROVED, a_claim(upload)) for upload in uploads(60)))
    deployed.put(a_claim(an_upload("pending.jpg")))

    rows = exported(gatehouse)

    assert sorted(row["key"] for row in rows) == [upload.key for upload in uploads(60)]
    assert all(list(row) == list(COLUMNS) for row in rows)


def test_what_a_person_decided_comes_along(gatehouse: Run, deployed: Deployed) -> None:
    act = decide(Status.APPROVED, Person("user/ann", "Ann"), Decision("context", "a toy"), iso(NOON))
    deployed.put(acted(a_verdict(Status.REVIEW), act))

    (row,) = exported(gatehouse)

    assert (row["status"], row["decided_by"], row["decided_by_name"]) == ("APPROVED", "person:user/ann", "Ann")
    assert (row["decision_reason"], row["decision_note"], row["cause"]) == ("context", "a toy", "decision")
    assert (row["rule"], row["confidence"]) == ("Violence", 92.5)
    assert [entry["to"] for entry in row["history"]] == ["APPROVED"]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ((), {"bad.jpg", "fine.jpg", "other.jpg"}),
        (("--status", "blocked"), {"bad.jpg"}),
        (("--status", "BLOCKED", "--status", "FAILED"), {"bad.jpg", "other.jpg"}),
        (("--lane", "other"), {"other.jpg"}),
        (("--since", "2026-11-22T12:00"), {"bad.jpg", "fine.jpg", "other.jpg"}),
        (("--since", "2026-11-22T12:02"), set()),
        (("--until", "2026-11-22T12:01"), set()),
        (("--until", "2026-11-22T12:02"), {"bad.jpg", "fine.jpg", "other.jpg"}),
    ],
)
def test_a_part_can_be_exported(
    gatehouse: Run, deployed: Deployed, arguments: tuple[str, ...], found: set[str]
) -> None:
    deployed.put(
        a_verdict(Status.BLOCKED, a_claim(an_upload("bad.jpg"))),
        a_verdict(Status.APPROVED, a_claim(an_upload("fine.jpg"))),
        a_verdict(Status.FAILED, a_claim(an_upload("other.jpg"), lane="other")),
    )

    assert {row["key"] for row in exported(gatehouse, *arguments)} == found


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_no_cell_is_a_formula(gatehouse: Run, deployed: Deployed, start: str) -> None:
    key = f'{start}HYPERLINK("https://example.com","x"),y.jpg'
    deployed.put(a_verdict(Status.FAILED, a_claim(an_upload(key)), failure=Failure("X", f"{start}cmd")))

    (row,) = cells(gatehouse("export", "--format", "csv").stdout_bytes.decode())

    assert row["key"] == f"'{key}"
    assert row["error_message"] == f"'{start}cmd"
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for cell in row.values())


def test_lists_are_json_in_a_cell(gatehouse: Run, deployed: Deployed) -> None:
    deployed.put(a_verdict(Status.BLOCKED))

    (row,) = cells(gatehouse("export", "--format", "csv").stdout_bytes.decode())

    assert list(row) == list(COLUMNS)
    assert json.loads(row["labels"])[0]["name"] == "Violence"
    assert (row["version_id"], row["size"]) == ("", "1000")


def test_a_file_has_its_name_when_it_is_complete(gatehouse: Run, deployed: Deployed, here: Path) -> None:
    deployed.put(a_verdict(Status.BLOCKED))
    deployed.calls.answer_next("Scan", an_error("AccessDeniedException", "no"))

    failed = gatehouse("export", "--to", "verdicts.jsonl")
    left = list(here.iterdir())
    done = gatehouse("export", "--to", "verdicts.jsonl", "--output", "json")

    assert (failed.exit_code, left) == (1, [])
    assert json.loads(done.stdout) == {"exported": 1, "unreadable": 0, "file": "verdicts.jsonl"}
    assert [path.name for path in here.iterdir()] == ["verdicts.jsonl"]
    assert json.loads((here / "verdicts.jsonl").read_text("utf-8"))["status"] == "BLOCKED"


def test_an_item_of_another_version_is_counted_and_left_out(gatehouse: Run, deployed: Deployed) -> None:
    deployed.put_item({"object": "s3://uploads/x", "version": "1", "status": "BLOCKED"})

    result = gatehouse("export")

    assert (result.exit_code, result.stdout) == (0, "")
    assert "1 were written by another version" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--output", "json"), "needs --to FILE"),
        (("--until", "soon"), "--until soon is not a time"),
        (("--to", "nowhere/verdicts.csv"), "can't be written"),
        (("--to", "."), ". is a folder; name a file in it"),
        (("--to", "/"), "/ is a folder"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_the_table_is_read(
    gatehouse: Run, deployed: Deployed, arguments: Any, said: str
) -> None:
    result = gatehouse("export", *arguments)

    assert (result.exit_code, said in result.stderr) == (1, True)
    assert deployed.calls.made["Scan"] == 0


@pytest.mark.parametrize("key", ["=1", "'=1", "''=1", "'1", "1", "'", "-'"])
def test_a_guarded_cell_says_what_it_was(gatehouse: Run, deployed: Deployed, key: str) -> None:
    deployed.put(a_verdict(claim=a_claim(an_upload(key))))

    (row,) = cells(gatehouse("export", "--format", "csv").stdout_bytes.decode())

    assert (row["key"][1:] if re.match(r"'+[=+\-@\t\r\n]", row["key"]) else row["key"]) == key


def piped(text: io.BytesIO, *, encoding: str, is_terminal: bool) -> io.TextIOWrapper:
    stream = io.TextIOWrapper(text, encoding=encoding, errors="replace")
    stream.isatty = lambda: is_terminal  # type: ignore[method-assign]
    return stream


@pytest.mark.parametrize(
    ("encoding", "is_terminal", "written"),
    [
        ("ascii", False, "k\u00e4tzchen\x1b[2J.jpg\r\n".encode()),
        ("latin-1", False, "k\u00e4tzchen\x1b[2J.jpg\r\n".encode()),
        ("utf-8", True, "k\u00e4tzchen\\x1b[2J.jpg\n".encode()),
        ("ascii", True, b"k\\xe4tzchen\\x1b[2J.jpg\n"),
    ],
)
def test_a_pipe_gets_utf8_and_a_terminal_no_orders(
    monkeypatch: pytest.MonkeyPatch, encoding: str, is_terminal: bool, written: bytes
) -> None:
    raw = io.BytesIO()
    stream = piped(raw, encoding=encoding, is_terminal=is_terminal)
    monkeypatch.setattr("sys.stdout", stream)

    to_stdout()("k\u00e4tzchen\x1b[2J.jpg\r\n")
    stream.flush()

    assert raw.getvalue() == written


def test_the_page_has_every_column_in_order() -> None:
    page = (ROOT / "docs" / "contracts" / "export.md").read_text("utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]

    assert [name for row in rows for name in re.findall(r"`(\w+)`", row)] == list(COLUMNS)
