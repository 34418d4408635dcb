"""Backfill's turn: the oldest batches go on, the others wait, and Step Functions is who counts them."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stacks.workflow import ID, Workflow, answering, batch_document, patience, settled
from tests.stacks.workflow_run import STATE_MACHINE, Run, Task

#: Of ELABORATE.
BACKFILL_BATCHES = 3

NEWER = [f"newer-{n}" for n in range(400)]
OLDER = [f"older-{n}" for n in range(1000)]


def listing(*lists: Sequence[str]) -> Task:
    """ListExecutions as it answers for these running executions, newest first, page by page; the last list for ever.

    A page token belongs to its list: when a new one is asked for, the next list is begun.
    """
    remaining = list(lists)

    def list_executions(arguments: Mapping[str, Any]) -> dict[str, Any]:
        start = int(arguments.get("NextToken", "0"))
        if start == 0 and len(remaining) > 1 and began:
            del remaining[0]
        began.append(start)
        names = remaining[0]
        end = start + arguments["MaxResults"]
        page: dict[str, Any] = {"Executions": [{"Name": name, "Status": "RUNNING"} for name in names[start:end]]}
        return page | ({"NextToken": str(end)} if end < len(names) else {})

    began: list[int] = []
    return list_executions


def went_on(run: Run) -> bool:
    """Whether it was the batch's turn at the first look."""
    return "Wait for turn" not in run.states


@pytest.mark.parametrize("engine", ["auto", "bulk", "image"])
@pytest.mark.parametrize("newer", [0, 1, 10])
@pytest.mark.parametrize("older", range(5))
def test_as_many_batches_go_on_as_the_settings_say_the_oldest_ones(
    backfill: Workflow, engine: str, newer: int, older: int
) -> None:
    running = [*NEWER[:newer], ID, *OLDER[:older]]

    done = backfill.run(batch_document(engine), Count_batches_ahead=listing(running, [ID]))

    assert went_on(done) == (older < BACKFILL_BATCHES)
    assert done.states[-1] == "Done"


@pytest.mark.parametrize("older", range(5))
def test_a_batch_that_is_not_listed_yet_is_the_newest(backfill: Workflow, older: int) -> None:
    done = backfill.run(batch_document("auto"), Count_batches_ahead=listing(OLDER[:older], [ID]))

    assert went_on(done) == (older < BACKFILL_BATCHES)


@given(newer=st.integers(0, 400), older=st.integers(0, 700))
def test_pages_are_counted_together(backfill: Workflow, newer: int, older: int) -> None:
    running = [*NEWER[:newer], ID, *OLDER[:older]]

    done = backfill.run(batch_document("auto"), Count_batches_ahead=listing(running, [ID]))

    assert went_on(done) == (older < BACKFILL_BATCHES)
    pages = -(-len(running) // 300)
    assert done.states[1 : 1 + 2 * pages] == ["Count batches ahead", "Its turn?"] * pages
    tokens = [call.get("NextToken") for call in done.calls["Count batches ahead"][:pages]]
    assert tokens == [None, *(str(300 * page) for page in range(1, pages))]


@given(older=st.integers(BACKFILL_BATCHES, 1000))
def test_the_further_back_a_batch_is_the_longer_it_waits_but_never_for_hours(backfill: Workflow, older: int) -> None:
    running = [ID, *OLDER[:older]]

    done = backfill.run(batch_document("auto"), Count_batches_ahead=listing(running, [ID]))

    wait = done.waits[0]
    typical = min(3600, 120 * (older - BACKFILL_BATCHES + 1))
    assert isinstance(wait, int)
    assert typical / 2 <= wait <= 1.5 * typical + 1


def test_each_look_counts_anew(backfill: Workflow) -> None:
    waiting = [*NEWER[:5], ID, *OLDER[:350]]
    ever_fewer = [waiting, waiting[:-1], waiting[:20], [ID, *OLDER[:BACKFILL_BATCHES]], [ID, *OLDER[:2]]]

    done = backfill.run(batch_document("auto"), Count_batches_ahead=listing(*ever_fewer))

    assert done.states.count("Wait for turn") == 4
    assert done.variables["ahead"] == 2
    assert done.states[-1] == "Done"


def test_batches_that_were_ahead_at_an_earlier_look_are_forgotten(backfill: Workflow) -> None:
    done = backfill.run(batch_document("auto"), Count_batches_ahead=listing(OLDER[:5], OLDER[:2]))

    assert done.states.count("Wait for turn") == 1
    assert done.variables["ahead"] == 2


def test_its_own_workflow_is_asked_for_what_runs(backfill: Workflow) -> None:
    done = backfill.run(batch_document("auto"), Count_batches_ahead=listing([ID]))

    assert done.calls["Count batches ahead"] == [
        {"StateMachineArn": STATE_MACHINE, "StatusFilter": "RUNNING", "MaxResults": 300}
    ]


def test_nobody_else_waits_for_a_turn(live: Workflow, fast: Workflow) -> None:
    for workflow in (live, fast):
        assert not {"Count batches ahead", "Wait for turn", "Its turn?"} & set(workflow.states)


def test_a_list_that_cannot_be_had_is_waited_for(backfill: Workflow) -> None:
    assert patience(backfill.states["Count batches ahead"], "States.TaskFailed") > 3 * 3600


def test_leftovers_do_not_wait_for_a_second_turn(backfill: Workflow) -> None:
    done = backfill.run(
        batch_document("bulk", 500),
        Write_verdicts=answering(settled(7), settled()),
    )

    assert done.states.count("Count batches ahead") == 1
    assert done.states[-1] == "Done"
