"""What is not sent yet is on the disk, and belongs to whoever starts the page next."""

import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gatehouse.moderation.decision import Decision
from gatehouse.moderation.status import Status
from gatehouse.review.journal import SKIPS, Entry, Journal

ENTRY = Entry(
    "1",
    ("s3://uploads/a.jpg", "0" * 40),
    Status.BLOCKED,
    Decision("spam", "ad"),
    "person:mo",
    "2026-11-22T12:00:00.000Z",
)


def an_entry(number: str) -> Entry:
    return replace(ENTRY, id=number)


def test_what_an_app_could_not_send_is_taken_over_by_the_next(tmp_path: Path) -> None:
    first = Journal(tmp_path)
    for number in "1234":
        first.write(an_entry(number))
    first.settle("1", "sent")
    first.settle("2", "undone")
    first.write(replace(an_entry("4"), why="S3 was refused."))
    first.skipped(ENTRY.identity, "person:mo", ENTRY.at)
    first.close(is_empty=False)

    second = Journal(tmp_path)

    assert second.unsent == [
        replace(an_entry("3"), why="the page was stopped before it was sent"),
        replace(an_entry("4"), why="S3 was refused."),
    ]
    assert len(list(tmp_path.glob("*.jsonl"))) == 1
    assert json.loads((tmp_path / SKIPS).read_text("utf-8"))["object"] == ENTRY.identity[0]
    second.settle("3", "dismissed")
    second.close(is_empty=False)
    assert [entry.id for entry in Journal(tmp_path).unsent] == ["4"]


def test_the_journal_of_an_app_that_runs_is_left_alone(tmp_path: Path) -> None:
    first = Journal(tmp_path)
    first.write(ENTRY)

    assert Journal(tmp_path).unsent == []
    first.close(is_empty=False)
    assert [entry.id for entry in Journal(tmp_path).unsent] == ["1"]


def test_a_full_disk_takes_nothing_and_spoils_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, write, room = Journal(tmp_path), os.write, [10**6]

    def limited(descriptor: int, data: bytes) -> int:
        """Write what there is room for, then fail, as file systems do."""
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = write(descriptor, data[: room[0]])
        room[0] -= written
        return written

    monkeypatch.setattr(os, "write", limited)
    journal.write(an_entry("1"))
    room[0] = 20
    with pytest.raises(OSError, match="No space left"):
        journal.write(an_entry("2"))
    journal.settle("1", "sent")  # it is listed once more
    room[0] = 10**6
    journal.write(an_entry("3"))
    journal.close(is_empty=False)

    assert [entry.id for entry in Journal(tmp_path).unsent] == ["1", "3"]


def test_nothing_is_left_of_an_app_that_sent_everything(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.write(ENTRY)
    journal.settle("1", "sent")
    journal.close(is_empty=True)

    assert list(tmp_path.iterdir()) == []


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    Journal(tmp_path / "new").write(ENTRY)

    (file,) = (tmp_path / "new").iterdir()
    assert (file.stat().st_mode & 0o777, (tmp_path / "new").stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_line_that_was_cut_is_not_written(tmp_path: Path) -> None:
    line = json.dumps({"decided": ENTRY.to_document()})
    (tmp_path / "old.jsonl").write_text(f"{line}\n{line[:-20]}", "utf-8")

    assert [entry.identity for entry in Journal(tmp_path).unsent] == [ENTRY.identity]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=200), st.recursive(st.none() | st.text(), st.lists).map(lambda v: json.dumps(v).encode())
    )
)
def test_no_file_keeps_the_page_from_starting(tmp_path: Path, written: bytes) -> None:
    (tmp_path / "old.jsonl").write_bytes(written)

    journal = Journal(tmp_path)

    assert journal.unsent == []
    journal.close(is_empty=True)
