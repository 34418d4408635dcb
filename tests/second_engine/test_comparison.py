"""The comparison of two engines: what it notices, and that every scenario runs here."""

import json
import subprocess
import sys
from typing import Any

import pytest

from demo.synthesis import ROOT
from tests.second_engine.comparison import PARTS, Difference, differences
from tests.second_engine.known_differences import KNOWN_DIFFERENCES, KnownDifference, unknown, unneeded
from tests.second_engine.played_tasks import CHUNK_ACTION
from tests.second_engine.scenarios import SCENARIOS
from tests.stacks.workflow import Workflow

A_RUN: dict[str, Any] = {
    "status": "FAILED",
    "error": "ValueError",
    "cause": "m",
    "output": None,
    "states": [{"name": "Read batch", "input": {}, "output": {}}, {"name": "Done", "input": {}, "output": {}}],
    "parts": [],
    "calls": [["getObject", {"Bucket": "work"}]],
    "chunks": [],
    "waits": [20.0],
}


def test_a_number_may_be_written_with_a_fraction_or_without() -> None:
    assert list(differences("a", A_RUN, A_RUN | {"waits": [20]})) == []


@pytest.mark.parametrize("part", PARTS)
def test_whatever_is_not_the_same_is_a_difference(part: str) -> None:
    changed = [*A_RUN[part], {"name": "more"}] if isinstance(A_RUN[part], list) else "something else"

    (found,) = differences("a", A_RUN, A_RUN | {part: changed})

    assert (found.scenario, found.part) == ("a", part)
    assert found.ours != found.theirs


def test_of_a_list_the_first_entry_that_differs_is_shown() -> None:
    other = [A_RUN["states"][0], {"name": "Analysis failed", "input": {}, "output": None}]

    (found,) = differences("a", A_RUN, A_RUN | {"states": other})

    assert found.ours.startswith("1: {'name': 'Done'")
    assert found.theirs.startswith("1: {'name': 'Analysis failed'")


def test_a_known_difference_covers_its_parts_and_no_others() -> None:
    known = [KnownDifference("a", frozenset({"cause"}), "words")]
    cause, error, elsewhere = (Difference(*at, "x", "y") for at in (("a", "cause"), ("a", "error"), ("b", "cause")))

    assert unknown([cause, error, elsewhere], known) == [error, elsewhere]
    assert unneeded([cause], known) == []
    assert unneeded([error, elsewhere], known) == [("a", "cause")]


def test_known_differences_are_of_scenarios_that_there_are() -> None:
    names = [scenario.name for scenario in SCENARIOS]

    assert len(names) == len(set(names))
    for known in KNOWN_DIFFERENCES:
        assert known.scenario in names
        assert known.parts <= set(PARTS)


def test_the_local_engine_runs_scenarios_to_their_ends(live: Workflow) -> None:
    names = ("a chunk that is given up", "leftovers of a job", "a file that is too large")
    documents = [scenario.to_document(live) for scenario in SCENARIOS if scenario.name in names]

    ended = subprocess.run(
        [sys.executable, "-m", "tests.second_engine.local_engine"],
        cwd=ROOT,
        input=json.dumps(documents),
        capture_output=True,
        text=True,
        check=True,
    )

    given_up, leftovers, too_large = (json.loads(ended.stdout)[name] for name in names)
    assert (given_up["status"], given_up["error"]) == ("FAILED", "ChunkFailed")
    assert [chunk["first"] for chunk in given_up["chunks"]] == list(range(0, 1000, 100))
    assert [state["name"] for state in leftovers["states"]].count("Analyze images") == 1
    assert CHUNK_ACTION not in [action for action, _ in leftovers["calls"]]
    assert (too_large["status"], too_large["error"]) == ("FAILED", "States.DataLimitExceeded")
