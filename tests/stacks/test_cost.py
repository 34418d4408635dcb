"""The transitions that docs/cost.md is computed from are those that an execution makes."""

import pytest

from gatehouse.configuration.call_rate import LARGE_REGION_CALLS_PER_SECOND
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.lane import Priority
from tests.benchmarks.cost import JOB_SECONDS, Case, cases, looks
from tests.stacks.workflow import IN_PROGRESS, SUCCEEDED, Workflow, answering, batch_document


def cases_of(engine: Engine, priority: Priority = Priority.LIVE) -> list[Case]:
    return [case for case in cases() if (case.engine, case.priority) == (engine, priority)]


@pytest.mark.parametrize("case", cases_of(Engine.IMAGE), ids=lambda case: case.name)
def test_a_batch_of_the_image_engine_makes_the_transitions_it_is_charged_with(
    case: Case, live: Workflow, live_in_large_region: Workflow
) -> None:
    workflow = live_in_large_region if case.rate.calls_per_second == LARGE_REGION_CALLS_PER_SECOND else live

    run = workflow.run(batch_document("auto", case.uploads))

    assert len(run.iterations) == case.chunks
    assert len(run.states) + sum(map(len, run.iterations)) == case.transitions


@pytest.mark.parametrize("case", cases_of(Engine.IMAGE, Priority.FAST), ids=lambda case: case.name)
def test_a_fast_batch_makes_the_transitions_it_is_charged_with(case: Case, fast: Workflow) -> None:
    run = fast.run(batch_document("image", case.uploads))

    assert len(run.states) == case.transitions - case.chunks


@pytest.mark.parametrize("case", cases_of(Engine.BULK), ids=lambda case: case.name)
def test_a_bulk_job_makes_the_transitions_it_is_charged_with(case: Case, live: Workflow) -> None:
    answers = [*[IN_PROGRESS] * (looks(JOB_SECONDS) - 1), SUCCEEDED]

    run = live.run(batch_document("auto", 10_000), Get_job=answering(*answers))

    assert len(run.states) == case.transitions
    assert sum(run.waits[:-1]) < JOB_SECONDS <= sum(run.waits)
