"""docs/cost.md says what `python -m tests.benchmarks.cost` says, and what follows from it."""

from pathlib import Path

import pytest

from gatehouse.moderation.lane import Priority
from tests.benchmarks.cost import MILLION, REKOGNITION_IMAGE, Case, cases, change_table, file_table, gate_table, table

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "cost.md").read_text("utf-8")

#: From how many uploads a batch on an engine adds less than a hundredth of Rekognition's price.
BREAK_EVEN = {"image": 200, "bulk": 300}


def share(case: Case) -> float:
    """What a case adds, as a part of Rekognition's price."""
    return sum(case.dollars().values()) / (REKOGNITION_IMAGE * MILLION)


def test_the_page_shows_the_tables_that_the_command_prints() -> None:
    assert table() in PAGE
    assert change_table() in PAGE
    assert file_table() in PAGE
    assert gate_table() in PAGE


@pytest.mark.parametrize(
    "case", [case for case in cases() if case.priority is Priority.LIVE], ids=lambda case: case.name
)
def test_a_batch_of_some_size_adds_less_than_a_hundredth_and_a_smaller_one_more(case: Case) -> None:
    assert (share(case) < 0.01) is (case.uploads >= BREAK_EVEN[case.engine])


def test_the_fast_lane_is_told_apart_and_costs_more() -> None:
    fast = [share(case) for case in cases() if case.priority is Priority.FAST]

    assert min(fast) > 0.01
