"""Long lists come in parts, and nothing stands still without a word."""

from collections.abc import Iterator
from io import StringIO

import pytest
from rich.console import Console

from gatehouse.cli import printed_parts
from gatehouse.cli.output import Output
from gatehouse.cli.printed_parts import parts, streamed


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> StringIO:
    """What is said of the progress, as if ten seconds passed between two sentences."""
    monkeypatch.setattr("gatehouse.cli.progress._BETWEEN_LINES", -1.0)
    monkeypatch.setattr(printed_parts, "_ROWS", 4)
    monkeypatch.setattr(printed_parts, "_TOLD_EVERY", 2)
    return StringIO()


def output(told: StringIO, *, is_terminal: bool) -> Output:
    results = Console(file=StringIO(), force_terminal=is_terminal)
    return Output(json=False, results=results, progress=Console(file=told))


def test_a_list_comes_in_parts_and_no_further_than_it_is_read(told: StringIO) -> None:
    read: list[int] = []

    def entries() -> Iterator[int]:
        for n in range(9):
            read.append(n)
            yield n

    found = parts(output(told, is_terminal=True), entries(), "Reading")

    assert next(found) == [0, 1, 2, 3]
    assert read == [0, 1, 2, 3]
    assert list(found) == [[4, 5, 6, 7], [8]]
    assert told.getvalue().splitlines() == [f"Reading: {n} found" for n in (2, 4, 6, 8)]


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_stream_is_not_mixed_with_progress_on_a_terminal(told: StringIO, is_terminal: bool) -> None:
    assert list(streamed(output(told, is_terminal=is_terminal), range(4), "Reading")) == [0, 1, 2, 3]
    assert bool(told.getvalue()) is not is_terminal
