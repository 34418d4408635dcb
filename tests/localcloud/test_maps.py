"""Inline Map and Parallel states: what runs at a time, what a failure ends, and what a redrive runs again."""

import json
from collections import Counter
from typing import Any

import pytest

from localcloud.patches.execution_branches import MOST_ITERATIONS_AT_A_TIME
from tests.localcloud.workbench import Workbench, eventually

_FAIL = {"Type": "Fail", "Error": "Broken", "Cause": "{% 'item ' & $string($states.input) %}"}


def machine(items: Any, states: dict[str, Any], start: str, **fields: Any) -> dict[str, Any]:
    """A machine of one Map, whose errors are not caught unless `fields` say so."""
    processor = {"ProcessorConfig": {"Mode": "INLINE"}, "StartAt": start, "States": states}
    return {
        "StartAt": "Map",
        "States": {
            "Map": {"Type": "Map", "Items": items, "ItemProcessor": processor, "End": True, **fields},
            "Caught": {"Type": "Succeed"},
        },
    }


def passing(output: Any = "{% $states.input %}", **fields: Any) -> dict[str, Any]:
    return {"Type": "Pass", "Output": output, "End": True, **fields}


def events(workbench: Workbench, execution: str) -> list[dict[str, Any]]:
    pages = workbench.client("stepfunctions").get_paginator("get_execution_history")
    return [event for page in pages.paginate(executionArn=execution) for event in page["events"]]


def most_at_a_time(workbench: Workbench, execution: str) -> int:
    running = most = 0
    for event in events(workbench, execution):
        running += {"MapIterationStarted": 1, "MapIterationSucceeded": -1}.get(event["type"], 0)
        most = max(most, running)
    return most


def test_the_output_has_the_order_of_the_items(workbench: Workbench) -> None:
    selector = {
        "index": "{% $states.context.Map.Item.Index %}",
        "value": "{% $states.context.Map.Item.Value %}",
        "outer": "{% $outer %}",
        "input": "{% $states.input.name %}",
    }
    states = {"Wait": {"Type": "Wait", "Seconds": "{% $states.input.value %}", "Next": "Echo"}, "Echo": passing()}
    definition = machine("{% $states.input.seconds %}", states, "Wait", ItemSelector=selector)
    definition["States"]["First"] = {"Type": "Pass", "Assign": {"outer": "set"}, "Next": "Map"}
    ended = workbench.run({**definition, "StartAt": "First"}, data={"seconds": [30, 10, 0], "name": "n"})
    assert json.loads(ended["output"]) == [
        {"index": index, "value": value, "outer": "set", "input": "n"} for index, value in enumerate([30, 10, 0])
    ]


def test_an_event_names_the_one_before_it_in_its_own_iteration(workbench: Workbench) -> None:
    states = {
        "First": {"Type": "Wait", "Seconds": "{% $states.input %}", "Next": "Second"},
        "Second": {"Type": "Wait", "Seconds": "{% $states.input %}", "End": True},
    }

    ended = workbench.run(machine("{% [30, 20, 10] %}", states, "First", MaxConcurrency=3))

    history = {event["id"]: event for event in events(workbench, ended["executionArn"])}
    assert [history[n]["previousEventId"] for n in (2, 3)] == [0, 2]
    for event in history.values():
        if event["type"] == "WaitStateExited":
            entered = history[event["previousEventId"]]
            assert entered["type"] == "WaitStateEntered"
            assert entered["stateEnteredEventDetails"]["name"] == event["stateExitedEventDetails"]["name"]
    assert sum(event["type"] == "WaitStateExited" for event in history.values()) == 6


def test_an_item_is_the_input_and_stays_in_the_context(workbench: Workbench) -> None:
    seen = passing("{% [$states.input, $states.context.Map.Item.Index, $states.context.Map.Item.Value] %}")
    definition = machine(["{% 'a' & 'b' %}", "c"], {"Seen": seen}, "Seen")
    assert json.loads(workbench.run(definition)["output"]) == [["ab", 0, "ab"], ["c", 1, "c"]]


def test_variables_of_an_iteration_are_its_own(workbench: Workbench) -> None:
    states = {
        "Set": {"Type": "Pass", "Assign": {"shared": "{% $shared + $states.input %}"}, "Next": "Get"},
        "Get": passing("{% $shared %}"),
    }
    definition = machine([1, 2], states, "Set", Output={"results": "{% $states.result %}", "outside": "{% $shared %}"})
    definition["States"]["First"] = {"Type": "Pass", "Assign": {"shared": 10}, "Next": "Map"}
    ended = workbench.run({**definition, "StartAt": "First"})
    assert json.loads(ended["output"]) == {"results": [11, 12], "outside": 10}


def test_output_and_assign_see_the_results(workbench: Workbench) -> None:
    definition = machine(
        [1, 2, 3],
        {"Echo": passing()},
        "Echo",
        Assign={"total": "{% $sum($states.result) %}"},
        Output="{% $count($states.result) %}",
        Next="Sum",
    )
    del definition["States"]["Map"]["End"]
    definition["States"]["Sum"] = passing("{% [$states.input, $total] %}")
    assert workbench.run(definition)["output"] == "[3, 6]"


def test_no_items_are_no_error(workbench: Workbench) -> None:
    assert workbench.run(machine([], {"Fail": _FAIL}, "Fail"))["output"] == "[]"


@pytest.mark.parametrize("items", ["{% {'a': 1} %}", "{% 'text' %}", "{% [1, 2, 3][$ = 2] %}"])
def test_items_must_be_an_array(workbench: Workbench, items: str) -> None:
    ended = workbench.run(machine(items, {"Echo": passing()}, "Echo"))
    assert (ended["status"], ended["error"]) == ("FAILED", "States.QueryEvaluationError")


@pytest.mark.parametrize(
    ("fields", "most"),
    [
        ({}, MOST_ITERATIONS_AT_A_TIME),
        ({"MaxConcurrency": 1000}, MOST_ITERATIONS_AT_A_TIME),
        ({"MaxConcurrency": "{% 1 + 2 %}"}, 3),
    ],
)
def test_no_more_iterations_run_at_a_time_than_may(workbench: Workbench, fields: dict[str, Any], most: int) -> None:
    states, items = {"Wait": {"Type": "Wait", "Seconds": 40, "End": True}}, most + 4
    ended = workbench.run(machine(f"{{% [1..{items}] %}}", states, "Wait", **fields))
    assert (ended["status"], len(json.loads(ended["output"]))) == ("SUCCEEDED", items)
    assert most_at_a_time(workbench, ended["executionArn"]) == most


# One item fails when the others wait for longer than the test does.
_ONE_FAILS = {
    "Which": {
        "Type": "Choice",
        "Choices": [{"Condition": "{% $states.input = 'fail' %}", "Next": "Fail"}],
        "Default": "Wait",
    },
    "Wait": {"Type": "Wait", "Seconds": 20_000, "End": True},
    "Fail": _FAIL,
}


def test_a_failing_iteration_fails_the_map_and_stops_the_others(workbench: Workbench) -> None:
    ended = workbench.run(machine(["wait", "wait", "fail", "wait"], _ONE_FAILS, "Which", MaxConcurrency=3))
    assert (ended["status"], ended["error"], ended["cause"]) == ("FAILED", "Broken", "item fail")
    happened = Counter(event["type"] for event in events(workbench, ended["executionArn"]))
    assert happened["MapIterationStarted"] == 3
    assert (happened["MapIterationFailed"], happened["MapIterationAborted"], happened["MapStateFailed"]) == (1, 2, 1)


def test_a_map_catches_what_its_iterations_did_not(workbench: Workbench) -> None:
    catch = [{"ErrorEquals": ["Broken"], "Output": "{% $states.errorOutput %}", "Next": "Caught"}]
    ended = workbench.run(machine(["wait", "fail"], _ONE_FAILS, "Which", Catch=catch))
    assert json.loads(ended["output"]) == {"Error": "Broken", "Cause": "item fail"}


def test_a_caught_error_of_an_iteration_is_its_output(workbench: Workbench) -> None:
    refused = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:rekognition:listMediaAnalysisJobs",
        "Arguments": {},
        "Catch": [{"ErrorEquals": ["States.ALL"], "Output": "{% $states.errorOutput.Error %}", "Next": "Caught"}],
        "End": True,
    }
    ended = workbench.run(machine([1, 2], {"Refused": refused, "Caught": passing()}, "Refused"))
    assert json.loads(ended["output"]) == ["Rekognition.AccessDeniedException"] * 2


def test_a_retry_of_the_map_runs_every_iteration_again(workbench: Workbench) -> None:
    states = {**_ONE_FAILS, "Wait": passing()}
    retry = [{"ErrorEquals": ["Broken"], "IntervalSeconds": 1, "MaxAttempts": 2}]
    ended = workbench.run(machine(["good", "fail"], states, "Which", Retry=retry, MaxConcurrency=1))
    assert ended["error"] == "Broken"
    happened = Counter(event["type"] for event in events(workbench, ended["executionArn"]))
    assert (happened["MapIterationSucceeded"], happened["MapIterationFailed"]) == (3, 3)


def test_stopping_an_execution_stops_its_iterations(workbench: Workbench) -> None:
    execution = workbench.start(workbench.state_machine(machine(["wait", "wait"], _ONE_FAILS, "Which")))

    def waits() -> bool:
        return [event["type"] for event in events(workbench, execution)].count("WaitStateEntered") == 2

    eventually(waits)
    workbench.client("stepfunctions").stop_execution(executionArn=execution)
    assert workbench.execution(execution)["status"] == "ABORTED"
    assert events(workbench, execution)[-1]["type"] == "ExecutionAborted"


def send(url: str, body: str, **fields: Any) -> dict[str, Any]:
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage",
        "Arguments": {"QueueUrl": url, "MessageBody": body},
        **fields,
    }


def grant(workbench: Workbench, machine_arn: str, action: str, resource: str) -> None:
    role = workbench.client("stepfunctions").describe_state_machine(stateMachineArn=machine_arn)["roleArn"]
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    workbench.client("iam").put_role_policy(
        RoleName=role.rsplit("/", 1)[1],
        PolicyName="granted",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )


def bodies(workbench: Workbench, url: str) -> list[str]:
    return sorted(message["Body"] for message in workbench.messages(url))


def test_a_redrive_runs_only_the_iterations_that_did_not_succeed_from_where_they_stopped(workbench: Workbench) -> None:
    first, first_arn = workbench.queue()
    second, second_arn = workbench.queue()
    item = "{% $string($states.context.Map.Item.Value) %}"
    states = {
        "First": send(first, item, Assign={"seen": "{% 'seen ' & $states.input %}"}, Next="Which"),
        "Which": {
            "Type": "Choice",
            "Choices": [
                {"Condition": "{% $states.context.Map.Item.Value = 'b' %}", "Output": "{% $seen %}", "Next": "Second"}
            ],
            "Default": "Done",
        },
        "Second": send(second, "{% $seen %}", Output="{% $states.input & ', sent' %}", End=True),
        "Done": passing("{% $seen %}"),
    }
    definition = machine(["a", "b", "c"], states, "First", MaxConcurrency=1)
    arn = workbench.state_machine(definition, ("sqs:SendMessage", first_arn))
    failed = workbench.ended(workbench.start(arn))
    assert (failed["status"], failed["error"]) == ("FAILED", "SQS.AmazonSQSException")
    assert bodies(workbench, first) == ["a", "b"]

    grant(workbench, arn, "sqs:SendMessage", second_arn)
    workbench.client("stepfunctions").redrive_execution(executionArn=failed["executionArn"])
    ended = workbench.ended(failed["executionArn"])

    assert json.loads(ended["output"]) == ["seen a", "seen b, sent", "seen c"]
    assert bodies(workbench, first) == ["c"]
    assert bodies(workbench, second) == ["seen b"]


def test_a_redrive_of_a_stopped_map_goes_on_with_its_open_iterations(workbench: Workbench) -> None:
    url, arn = workbench.queue()
    states = {
        "Send": send(url, "{% $states.context.Map.Item.Value %}", Next="Wait"),
        "Wait": {
            "Type": "Wait",
            "Seconds": "{% $states.context.Execution.RedriveCount = 0 ? 20000 : 0 %}",
            "End": True,
        },
    }
    execution = workbench.start(
        workbench.state_machine(machine(["a", "b"], states, "Send", Output="done"), ("sqs:SendMessage", arn))
    )

    def waits() -> bool:
        return [event["type"] for event in events(workbench, execution)].count("WaitStateEntered") == 2

    eventually(waits)
    workbench.client("stepfunctions").stop_execution(executionArn=execution)
    workbench.client("stepfunctions").redrive_execution(executionArn=execution)
    assert workbench.ended(execution)["status"] == "SUCCEEDED"
    assert bodies(workbench, url) == ["a", "b"]


def test_branches_run_at_a_time_with_variables_of_their_own(workbench: Workbench) -> None:
    branch = {
        "StartAt": "Set",
        "States": {
            "Set": {"Type": "Pass", "Assign": {"shared": "{% $shared + $states.input %}"}, "Next": "Get"},
            "Get": passing("{% $shared %}"),
        },
    }
    parallel = {
        "Type": "Parallel",
        "Branches": [branch, branch],
        "Arguments": "{% $states.input.number %}",
        "Assign": {"results": "{% $states.result %}"},
        "Next": "Done",
    }
    ended = workbench.run(
        {
            "StartAt": "First",
            "States": {
                "First": {"Type": "Pass", "Assign": {"shared": 10}, "Next": "Parallel"},
                "Parallel": parallel,
                "Done": passing({"inside": "{% $results %}", "outside": "{% $shared %}"}),
            },
        },
        data={"number": 1},
    )
    assert json.loads(ended["output"]) == {"inside": [11, 11], "outside": 10}


def test_a_failing_branch_fails_its_state_and_stops_the_others(workbench: Workbench) -> None:
    wait = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 20_000, "End": True}}}
    fail = {"StartAt": "Fail", "States": {"Fail": {"Type": "Fail", "Error": "Broken"}}}
    catch = [{"ErrorEquals": ["Broken"], "Output": "caught", "Next": "Caught"}]
    parallel = {"Type": "Parallel", "Branches": [wait, fail], "Catch": catch, "End": True}
    ended = workbench.run({"StartAt": "Both", "States": {"Both": parallel, "Caught": {"Type": "Succeed"}}})
    assert ended["output"] == '"caught"'
