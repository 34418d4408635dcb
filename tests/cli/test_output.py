"""What people read fits the width they read it at: nothing is broken inside a word, and no time in two."""

import io
from datetime import timedelta

import pytest
from rich.console import Console

from gatehouse.cli.batch import list_command as batch_list
from gatehouse.cli.clock import Clock
from gatehouse.cli.output import Format, Output, say
from gatehouse.cli.queue import message_queue
from gatehouse.console import console_for, printable
from tests.cli.conftest import Deployed, Run
from tests.cli.operated import DEAD, Operated
from tests.unit.builders import NOON, an_upload

TIME = "2026-11-22T12:00:00.000Z"
SENTENCE = (
    "Their execution can't be redriven (it was redriven 10 times in vain). Remove the cause, then `./gatehouse batch "
    "resubmit 0123456789abcdef0123456789abcdef`: another batch takes them over."
)


@pytest.fixture(params=[70, 80, 150])
def width(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def terminal(width: int) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None, _environ={})


def printed(console: Console) -> list[str]:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_a_sentence_is_broken_at_blanks_and_never_inside_a_command(terminal: Console, width: int) -> None:
    say(terminal, f"- {SENTENCE}")

    lines = printed(terminal)
    assert all(len(line) <= width for line in lines)
    assert all(line.startswith("  ") for line in lines[1:]), "indented under the dash"
    assert " ".join(line.strip() for line in lines) == f"- {SENTENCE}"
    assert any("`./gatehouse batch resubmit 0123456789abcdef0123456789abcdef`:" in line for line in lines)


def test_a_word_that_is_longer_than_a_line_stays_whole(terminal: Console) -> None:
    key = f"s3://uploads/{'x' * 200}.jpg"

    say(terminal, f"  {key} has no verdict")

    assert f"  {key}" in printed(terminal)


def test_a_line_that_fits_is_printed_as_it_stands(terminal: Console) -> None:
    say(terminal, "  a  b `c.jpg  ")

    assert printed(terminal) == ["  a  b `c.jpg  "]


def test_a_pipe_gets_whole_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    pipe = io.StringIO()

    say(console_for(pipe), SENTENCE)

    assert pipe.getvalue() == f"{SENTENCE}\n"


def test_a_pipe_is_as_wide_as_it_is_asked_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    pipe = io.StringIO()

    say(console_for(pipe), SENTENCE)

    assert max(map(len, pipe.getvalue().splitlines())) <= 80


def test_columns_that_fit_stand_side_by_side_and_sentences_are_broken_at_blanks(terminal: Console, width: int) -> None:
    out = Output(json=False, results=terminal, progress=terminal)
    table = out.table("Uploads", "Upload", "Since", "Why", sentences={"Why"})
    table.add_row(printable("a.jpg"), TIME, printable("not in the verdict table: no batcher got that far"))

    out.show(table)

    lines = printed(terminal)
    assert all(len(line) <= width for line in lines)
    (row,) = [line for line in lines if "a.jpg" in line]
    assert TIME in row
    words = ["not", "in", "the", "verdict", "table:", "no", "batcher", "got", "that", "far"]
    shown = " ".join(lines).replace("│", " ").split()
    assert [word for word in shown if word in words] == words


def test_columns_that_do_not_fit_stand_below_each_other(terminal: Console, width: int) -> None:
    out = Output(json=False, results=terminal, progress=terminal)
    table = out.table("Uploads", "Upload", "Since", "Why", sentences={"Why"})
    key = "k" * (width - 20)
    for n in range(2):
        table.add_row(printable(f"{key}{n}"), TIME, printable("no batcher got that far"))

    out.show(table)

    lines = printed(terminal)
    assert [line for line in lines if key in line] == [f"  Upload: {key}0", f"  Upload: {key}1"]
    assert lines.count(f"  Since: {TIME}") == 2
    assert lines.count("  Why: no batcher got that far") == 2


def test_a_title_that_is_wider_than_its_table_is_broken_at_blanks(terminal: Console) -> None:
    out = Output(json=False, results=terminal, progress=terminal)
    table = out.table("Current objects of gatehouse-storage-uploadsbucket", "Lane")
    table.add_row("default")

    out.show(table)

    assert printed(terminal)[0] == "Current objects of gatehouse-storage-uploadsbucket"


def test_nothing_but_the_document_goes_to_scripts(terminal: Console) -> None:
    out = Output(json=True, results=terminal, progress=terminal)
    table = out.table("Uploads", "Upload")

    out.show(table)
    out.say(SENTENCE)

    assert printed(terminal) == []
    assert Output.of(Format.JSON).json


@pytest.mark.parametrize("columns", ["80", None])
def test_commands_keep_to_the_width(
    deployed: Deployed, gatehouse: Run, monkeypatch: pytest.MonkeyPatch, columns: str | None
) -> None:
    monkeypatch.setattr(message_queue, "WAIT_SECONDS", 0)
    monkeypatch.setattr(batch_list, "CLOCK", Clock(now=lambda: NOON))
    if columns:
        monkeypatch.setenv("COLUMNS", columns)
    operated = Operated.of(deployed)
    operated.put(DEAD, an_upload("incoming/a-key-of-some-length.jpg"), "not json")
    operated.execute("0" * 32, "FAILED", stopDate=NOON)

    for line in (
        ("queue", "show"),
        ("queue", "list"),
        ("batch", "list"),
        ("policy", "status"),
    ):
        result = gatehouse(*line)
        assert result.exit_code == 0, result.stderr
        lines = result.stdout.splitlines()
        if columns:
            assert [text for text in lines if len(text) > int(columns)] == []
        assert not any(text.rstrip(" |").endswith(("2026-", "T12:", "T12:00:")) for text in lines)


@pytest.mark.parametrize(("is_terminal", "is_colored"), [(True, True), (False, False)])
def test_statuses_have_colors_on_a_terminal_and_none_in_a_pipe(*, is_terminal: bool, is_colored: bool) -> None:
    console = Console(file=io.StringIO(), force_terminal=is_terminal, width=120, _environ={"TERM": "xterm-256color"})
    out = Output(json=False, results=console, progress=console)
    table = out.table("Uploads", "Status")
    table.add_row(printable("BLOCKED"))

    out.show(table)
    out.say("REVIEW: a.jpg")
    written = console.file.getvalue()  # type: ignore[attr-defined]

    assert ("\x1b[31mBLOCKED" in written, "\x1b[33mREVIEW" in written) == (is_colored, is_colored)
    assert ("\x1b" in written) == is_colored


def test_a_status_inside_a_key_has_no_color() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=120, _environ={"TERM": "xterm-256color"})

    say(console, "s3://uploads/BLOCKED/FAILED.jpg and x@REVIEW")

    assert "\x1b" not in console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize(("is_terminal", "shown"), [(True, "3 min ago"), (False, "2026-11-22T12:00:00.000Z")])
def test_a_time_is_told_as_its_reader_needs_it(*, is_terminal: bool, shown: str) -> None:
    console = Console(file=io.StringIO(), force_terminal=is_terminal)

    said = Output(json=False, results=console, progress=console).when(
        "2026-11-22T12:00:00.000Z", NOON + timedelta(minutes=3)
    )

    assert said == shown
