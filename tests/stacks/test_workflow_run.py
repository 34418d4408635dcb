"""The tests' own runner does with a definition what Step Functions would, or refuses it."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.stacks.workflow_run import STATE_MACHINE, Run, Task, TaskError, run_workflow

END = {"End": {"Type": "Succeed"}}


def run(states: Mapping[str, Any], **tasks: Task) -> Run:
    """Run states that begin with `Begin`."""
    return run_workflow({"StartAt": "Begin", "States": {**states, **END}}, tasks, {"batch_id": "b"})


def a_task(**fields: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Arguments": {}, "Next": "End", **fields}


def a_map(inner: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    processor = {"ProcessorConfig": {"Mode": "INLINE"}, "StartAt": "Inner", "States": {"Inner": inner}}
    return {"Type": "Map", "Items": "{% [3, 1, 2] %}", "ItemProcessor": processor, "Next": "End", **fields}


def test_a_maps_results_are_in_the_order_of_its_items() -> None:
    inner = {
        "Type": "Pass",
        "Output": "{% [$states.input, $states.context.Map.Item.Index, $states.context.Map.Item.Value] %}",
        "End": True,
    }

    assert run({"Begin": a_map(inner)}).output == [[3, 0, 3], [1, 1, 1], [2, 2, 2]]


def test_what_is_assigned_inside_a_map_stays_there_and_what_the_map_assigns_is_seen_after_it() -> None:
    inner = {"Type": "Pass", "Assign": {"seen": "{% $states.input %}"}, "End": True}
    states = {
        "Begin": {"Type": "Pass", "Assign": {"seen": "before"}, "Next": "Map"},
        "Map": a_map(inner, Assign={"sum": "{% $sum($states.result) %}"}),
    }

    assert run(states).variables == {"seen": "before", "sum": 6}


def test_each_step_that_waits_for_a_token_has_its_own_and_no_other_has_one() -> None:
    token = {"token": "{% $states.context.Task.Token %}"}
    waiting = a_task(Resource="arn:aws:states:::sqs:sendMessage.waitForTaskToken", Arguments=token, End=True)
    del waiting["Next"]

    done = run({"Begin": a_map(waiting)}, Inner=lambda arguments: {})

    assert len({call["token"] for call in done.calls["Inner"]}) == 3
    with pytest.raises(AssertionError, match="QueryEvaluationError"):
        run({"Begin": a_task(Arguments=token)}, Begin=lambda arguments: {})


def test_the_context_names_execution_and_machine() -> None:
    arguments = "{% $states.context.StateMachine.Id & ' ' & $states.context.Execution.Name %}"

    done = run({"Begin": a_task(Arguments=arguments)}, Begin=lambda arguments: {})

    assert done.calls["Begin"] == [f"{STATE_MACHINE} b"]


def failing(arguments: Mapping[str, Any]) -> Any:
    raise TaskError("Some.Error", "because")


@pytest.mark.parametrize(
    ("fields", "output"),
    [({}, {"Error": "Some.Error", "Cause": "because"}), ({"Output": "{% $states.errorOutput.Error %}"}, "Some.Error")],
)
def test_a_caught_error_is_the_output_unless_the_catcher_gives_one(fields: dict[str, Any], output: Any) -> None:
    catcher = {"ErrorEquals": ["States.TaskFailed"], "Next": "End", **fields}

    assert run({"Begin": a_task(Catch=[catcher])}, Begin=failing).output == output


@pytest.mark.parametrize(
    ("error", "takers"),
    [
        ("Some.Error", {"Some.Error", "States.TaskFailed", "States.ALL"}),
        ("States.Timeout", {"States.Timeout", "States.ALL"}),
        ("States.HeartbeatTimeout", {"States.HeartbeatTimeout", "States.Timeout", "States.ALL"}),
    ],
)
def test_a_time_that_ran_out_is_no_failed_task(error: str, takers: set[str]) -> None:
    names = {"Some.Error", "States.TaskFailed", "States.Timeout", "States.HeartbeatTimeout", "States.ALL"}

    def fail(arguments: Mapping[str, Any]) -> Any:
        raise TaskError(error)

    caught = {
        name
        for name in names
        if run({"Begin": a_task(Catch=[{"ErrorEquals": [name], "Next": "End"}])}, Begin=fail).failure is None
    }

    assert caught == takers


def test_an_error_nobody_catches_ends_the_execution_inside_a_map_too() -> None:
    inner = a_task(End=True, Catch=[{"ErrorEquals": ["Other.Error"], "Next": "End"}])
    del inner["Next"]

    done = run({"Begin": a_map(inner)}, Inner=failing)

    assert done.failure == ("Some.Error", "because")
    assert len(done.iterations) == 1


def test_a_choice_assigns_what_the_rule_says_that_is_taken() -> None:
    rules = [
        {"Condition": "{% false %}", "Assign": {"taken": 1}, "Next": "End"},
        {"Condition": "{% true %}", "Assign": {"taken": 2}, "Next": "End"},
    ]

    assert run({"Begin": {"Type": "Choice", "Choices": rules}}).variables == {"taken": 2}


@pytest.mark.parametrize(
    "state",
    [
        {"Type": "Parallel", "Next": "End"},
        {"Type": "Pass", "Result": 1, "Next": "End"},
        {"Type": "Wait", "SecondsPath": "$.x", "Next": "End"},
        {"Type": "Choice", "Choices": [{"Condition": "{% true %}", "Variable": "$.x", "Next": "End"}]},
        {"Type": "Choice", "Choices": [{"Condition": "{% 1 %}", "Next": "End"}]},
        a_task(ResultSelector={}),
        a_map({"Type": "Pass", "End": True}, ItemReader={}),
        a_map({"Type": "Pass", "End": True}, Items="{% 1 %}"),
    ],
)
def test_what_the_runner_does_not_know_it_refuses(state: Mapping[str, Any]) -> None:
    with pytest.raises(AssertionError):
        run({"Begin": state}, Begin=lambda arguments: {})


def test_a_run_that_does_not_end_is_stopped() -> None:
    states = {"Begin": {"Type": "Pass", "Next": "Again"}, "Again": {"Type": "Pass", "Next": "Begin"}}

    with pytest.raises(AssertionError, match="does not end"):
        run(states)
