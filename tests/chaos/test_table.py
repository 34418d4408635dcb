"""The fault table says what it means: rows have names of their own, and what they know of the workflow is true."""

from collections import Counter

from localcloud.faults.armed import read
from stacks.constructs.workflow import bulk_engine_states
from tests.chaos import table
from tests.chaos.strikes import BATCHER, Call, strikes_at


def test_each_row_has_a_name_of_its_own() -> None:
    names = Counter(row.name for row in table.rows())
    assert [name for name, count in names.items() if count > 1] == []


def test_the_table_knows_which_failures_of_a_job_the_workflow_tries_again() -> None:
    assert table.MAX_JOBS == bulk_engine_states.MAX_JOBS
    assert table.TRANSIENT_FAILURES == bulk_engine_states.TRANSIENT_FAILURES
    assert table.MAX_STARTS == 1 + bulk_engine_states.START_RETRIES
    assert table.PATIENT_STARTS == 1 + bulk_engine_states.PATIENT_START_RETRIES


def test_every_fault_can_be_armed() -> None:
    for row in table.rows():
        for fault in row.faults:
            read(fault)


def test_every_step_meets_every_strike() -> None:
    rows = list(table.rows())
    for step in table.steps():
        faults = {row.fault for row in rows if row.step == step.name and row.lane == step.lane}
        assert {strike.name for strike in strikes_at(step.call)} <= faults


def test_the_tasks_whose_answers_can_grow_meet_one_that_is_too_large() -> None:
    assert {row.step for row in table.rows() if row.fault == "answer too large"} == {
        "Workflow: count batches ahead",
        "Workflow: read batch",
        "Workflow: get job",
        "Workflow: invoke Results",
    }


def test_only_functions_are_killed() -> None:
    assert any(strike.kills for strike in strikes_at(Call(BATCHER, "s3:PutObject")))
    assert not any(strike.kills for step in table.WORKFLOW_STEPS for strike in strikes_at(step.call)), (
        "a state machine has no process"
    )
