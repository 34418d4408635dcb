"""Backfill's turn: the oldest batches go on, the others wait, and Step Functions is who counts them."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.stacks.test_workflow import HISTORY, events
from tests.stacks.workflow import ID, Workflow, answering, batch_document, settled, tries_again
from tests.stacks.workflow_run import STATE_MACHINE, Run, Task, TaskError, render

#: Of ELABORATE.
BACKFILL_BATCHES = 3

NEWER = [f"newer-{n}" for n in range(700)]
OLDER = [f"older-{n}" for n in range(1000)]


def listing(*lists: Sequence[str]) -> Task:
    """ListExecutions as it answers for these running executions, newest first, page by page; the last list forever.

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


@pytest.mark.parametrize("older", [0, 1, 2, 3, 4, 299, 300, 301])
def test_a_batch_that_is_not_in_the_list_does_not_take_its_turn(backfill: Workflow, older: int) -> None:
    """The list may be older than the batch. As long as it is, nobody knows how many were started before."""
    done = backfill.run(batch_document("auto"), Count_batches_ahead=listing(OLDER[:older], [ID]))

    assert not went_on(done)
    pages = max(1, -(-older // 300))
    assert done.states[1 : 2 + 2 * pages] == [*["Count batches ahead", "Its turn?"] * pages, "Wait for turn"]
    assert 60 <= done.waits[0] <= 180  # as if it were the next
    assert done.states[-1] == "Done"


@given(newer=st.integers(0, 650), older=st.integers(0, 650))
@hypothesis_settings(max_examples=40)
def test_pages_are_counted_together_until_it_is_known_that_it_is_not_the_batchs_turn(
    backfill: Workflow, newer: int, older: int
) -> None:
    running = [*NEWER[:newer], ID, *OLDER[:older]]

    done = backfill.run(batch_document("auto"), Count_batches_ahead=listing(running, [ID]))

    assert went_on(done) == (older < BACKFILL_BATCHES)
    pages = pages_read(newer, older)
    assert done.states[1 : 1 + 2 * pages] == ["Count batches ahead", "Its turn?"] * pages
    assert done.states[1 + 2 * pages] != "Count batches ahead"
    tokens = [call.get("NextToken") for call in done.calls["Count batches ahead"][:pages]]
    assert tokens == [None, *(str(300 * page) for page in range(1, pages))]


def pages_read(newer: int, older: int) -> int:
    """Pages of 300 down to the batch's own entry and as many older ones as may be under way, or to the end."""
    return -(-(newer + 1 + min(older, BACKFILL_BATCHES)) // 300)


@pytest.mark.parametrize(("newer", "pages"), [(296, 1), (297, 2), (299, 2), (300, 2), (596, 2), (597, 3)])
def test_a_list_is_not_read_further_than_to_as_many_older_batches_as_may_be_under_way(
    backfill: Workflow, newer: int, pages: int
) -> None:
    done = backfill.run(batch_document("auto"), Count_batches_ahead=listing([*NEWER[:newer], ID, *OLDER[:900]], [ID]))

    assert done.states.index("Wait for turn") == 1 + 2 * pages


def test_a_list_that_cannot_be_had_is_no_failure_but_a_wait(backfill: Workflow) -> None:
    errors = [TaskError("Sfn.SfnException", "throttled"), TaskError("States.Timeout"), TaskError("Sfn.AnyException")]

    done = backfill.run(batch_document("auto"), Count_batches_ahead=answering(*errors, {"Executions": [{"Name": ID}]}))

    assert done.states.count("Wait for turn") == len(errors)
    assert (done.states[-1], done.failure) == ("Done", None)
    assert done.variables["looks"] == len(errors)


def test_a_list_that_breaks_off_is_read_from_its_beginning_after_the_wait(backfill: Workflow) -> None:
    """A page token may have run out by then, and batches may have ended: what was counted is no longer so."""
    first = {"Executions": [{"Name": ID}, {"Name": OLDER[0]}, {"Name": OLDER[1]}], "NextToken": "more"}
    end = {"Executions": [{"Name": ID}, {"Name": OLDER[2]}]}

    done = backfill.run(
        batch_document("auto"), Count_batches_ahead=answering(first, TaskError("Sfn.InvalidTokenException"), end)
    )

    assert [call.get("NextToken") for call in done.calls["Count batches ahead"]] == [None, "more", None]
    assert done.variables["ahead"] == 1
    assert done.states[-1] == "Done"


def test_what_was_seen_at_an_earlier_look_is_no_turn_where_the_list_does_not_have_the_batch(
    backfill: Workflow,
) -> None:
    first = {"Executions": [{"Name": ID}, {"Name": OLDER[0]}], "NextToken": "more"}
    without: dict[str, Any] = {"Executions": []}
    lists = answering(first, TaskError("Sfn.SfnException"), without, {"Executions": [{"Name": ID}]})

    done = backfill.run(batch_document("auto"), Count_batches_ahead=lists)

    assert done.states.count("Wait for turn") == 2
    assert done.states[-1] == "Done"


# Pauses


def typical_pause(backfill: Workflow, ahead: int, looks: int) -> float:
    """Seconds until the next look, on average: `$random()` gives 0 to 1."""
    expression = backfill.states["Wait for turn"]["Seconds"]
    assert expression.count("$random()") == 1
    return float(render(expression.replace("$random()", "0.5"), {"ahead": ahead, "looks": looks}, {}))


@given(older=st.integers(BACKFILL_BATCHES, 900))
@hypothesis_settings(max_examples=30)
def test_a_batch_waits_by_its_distance_where_it_is_seen(backfill: Workflow, older: int) -> None:
    """Reading stops with the page, so the distance is what the page shows: enough to tell near from far."""
    running = [ID, *OLDER[:older]]

    done = backfill.run(batch_document("auto"), Count_batches_ahead=listing(running, [ID]))

    wait = done.waits[0]
    typical = min(3600, 120 * (min(older, 299) - BACKFILL_BATCHES + 1))
    assert isinstance(wait, int)
    assert typical / 2 <= wait <= 1.5 * typical + 1


@given(ahead=st.integers(-1, 1000), looks=st.integers(0, 2000))
def test_the_further_back_and_the_longer_already_the_rarer_a_batch_looks_but_every_two_hours_at_least(
    backfill: Workflow, ahead: int, looks: int
) -> None:
    pause = typical_pause(backfill, ahead, looks)

    assert pause == min(3600, 120 * max(1, ahead - BACKFILL_BATCHES + 1)) + min(3600, 30 * looks)
    assert pause <= typical_pause(backfill, ahead + 1, looks)
    assert pause <= typical_pause(backfill, ahead, looks + 1)


def test_no_two_batches_look_at_the_same_time(backfill: Workflow) -> None:
    seconds: str = backfill.states["Wait for turn"]["Seconds"]
    waits = [render(seconds, {"ahead": 40, "looks": 0}, {}) for _ in range(200)]

    assert min(waits) >= 1800
    assert max(waits) <= 5400
    assert max(waits) - min(waits) > 1800
    assert len(set(waits)) > 100


def test_a_batch_counts_its_looks_in_vain(backfill: Workflow) -> None:
    waiting = [ID, *OLDER[:BACKFILL_BATCHES]]

    done = backfill.run(batch_document("auto"), Count_batches_ahead=listing(*[waiting] * 120, [ID]))

    assert done.variables["looks"] == 120
    for looks, wait in enumerate(done.waits):
        typical = 120 + min(3600, 30 * looks)
        assert typical / 2 <= wait <= 1.5 * typical + 1


def looks_in(backfill: Workflow, seconds: float, ahead: int) -> int:
    """How often a batch that stays as far back looks in a time."""
    looks, longest = 0, typical_pause(backfill, ahead, 10_000)
    while seconds > 0 and (pause := typical_pause(backfill, ahead, looks)) < longest:
        seconds -= pause
        looks += 1
    return looks + math.ceil(max(0, seconds) / longest)


#: Batches that wait at the same time: four million uploads and more.
WAITING = 1000
MONTH = 30 * 24 * 3600


@pytest.mark.parametrize(
    ("running", "ahead"),
    [
        (running, ahead)
        for running in (4, 300, 600, WAITING)
        for ahead in (BACKFILL_BATCHES, 5, 30, 100, 900)
        if ahead < running
    ],
)
def test_a_month_of_waiting_stays_within_an_executions_history(backfill: Workflow, running: int, ahead: int) -> None:
    """The worst there is: a batch that does not come nearer for as long as its files are kept."""
    ids = [*[f"n-{n}" for n in range(running - ahead - 1)], ID, *OLDER[:ahead]]

    def events_of(looks: int) -> int:
        """Of so many looks in vain, and all that comes after them."""
        return events(backfill.run(batch_document("auto"), Count_batches_ahead=listing(*[ids] * looks, [ID])))

    a_look = events_of(2) - events_of(1)
    rest = events_of(1) - a_look
    seen = min(ahead, 300 * pages_read(running - ahead - 1, ahead) - (running - ahead))

    assert rest + a_look * looks_in(backfill, MONTH, seen) < HISTORY


def test_a_month_of_lists_that_cannot_be_had_stays_within_an_executions_history(backfill: Workflow) -> None:
    def events_of(failures: int) -> int:
        errors = [TaskError("Sfn.SfnException")] * failures
        tasks = answering(*errors, {"Executions": [{"Name": ID}]})
        again = 3 * tries_again(backfill.states["Count batches ahead"], "Sfn.SfnException")
        return events(backfill.run(batch_document("auto"), Count_batches_ahead=tasks)) + failures * again

    a_look = events_of(2) - events_of(1)

    assert a_look > 9  # tries again are counted
    assert events_of(0) + a_look * looks_in(backfill, MONTH, -1) < HISTORY


def test_a_thousand_waiting_batches_ask_for_less_than_two_lists_a_second(backfill: Workflow) -> None:
    """ListExecutions is the account's: five a second where the quota is small (Developer Guide, API throttling)."""
    a_second = 0.0
    for older in range(BACKFILL_BATCHES, WAITING):
        newer = WAITING - older - 1
        pages = pages_read(newer, older)
        seen = min(older, 300 * pages - newer - 1)
        a_second += pages / typical_pause(backfill, seen, 0)

    assert a_second < 2


def test_each_look_counts_anew(backfill: Workflow) -> None:
    waiting = [*NEWER[:5], ID, *OLDER[:350]]
    ever_fewer = [waiting, waiting[:-1], waiting[:20], [ID, *OLDER[:BACKFILL_BATCHES]], [ID, *OLDER[:2]]]

    done = backfill.run(batch_document("auto"), Count_batches_ahead=listing(*ever_fewer))

    assert done.states.count("Wait for turn") == 4
    assert done.variables["ahead"] == 2
    assert done.states[-1] == "Done"


def test_batches_that_were_ahead_at_an_earlier_look_are_forgotten(backfill: Workflow) -> None:
    lists = listing([ID, *OLDER[:5]], [ID, *OLDER[:2]])

    done = backfill.run(batch_document("auto"), Count_batches_ahead=lists)

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


def test_leftovers_do_not_wait_for_a_second_turn(backfill: Workflow) -> None:
    done = backfill.run(
        batch_document("bulk", 500),
        Write_verdicts=answering(settled(7), settled()),
    )

    assert done.states.count("Count batches ahead") == 1
    assert done.states[-1] == "Done"
