"""Step Functions executions: how they start, stop, time out and are redriven."""

import json
from typing import Any

import pytest

from tests.localcloud.workbench import REGION, Statement, Workbench, error_code, eventually

WAITING = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 6000, "End": True}}}
FAILING = {
    "StartAt": "Fail",
    "States": {"Fail": {"Type": "Fail", "Error": "Broken", "Cause": "It is broken."}},
}


def redrive(workbench: Workbench, execution: str) -> Any:
    return workbench.client("stepfunctions").redrive_execution(executionArn=execution)


def history(workbench: Workbench, execution: str) -> list[str]:
    events = workbench.client("stepfunctions").get_execution_history(executionArn=execution, maxResults=1000)["events"]
    return [event["type"] for event in events]


def test_starting_a_running_execution_again_with_the_same_input_answers_as_before(workbench: Workbench) -> None:
    states = workbench.client("stepfunctions")
    machine = workbench.state_machine(WAITING)
    first = states.start_execution(stateMachineArn=machine, name="batch-1", input='{"a": 1}')
    again = states.start_execution(stateMachineArn=machine, name="batch-1", input='{"a": 1}')
    assert (again["executionArn"], again["startDate"]) == (first["executionArn"], first["startDate"])
    assert len(states.list_executions(stateMachineArn=machine)["executions"]) == 1


def test_a_name_is_taken_for_other_input_and_after_the_end(workbench: Workbench) -> None:
    states = workbench.client("stepfunctions")
    machine = workbench.state_machine(WAITING)
    running = states.start_execution(stateMachineArn=machine, name="batch", input='{"a": 1}')["executionArn"]

    def start(data: str) -> str:
        return error_code(lambda: states.start_execution(stateMachineArn=machine, name="batch", input=data))

    assert start('{"a": 2}') == "ExecutionAlreadyExists"
    states.stop_execution(executionArn=running)
    assert start('{"a": 1}') == "ExecutionAlreadyExists"


@pytest.mark.parametrize("name", ["a b", "a/b", "a:b", "a*", "a\x7f", "a#b", "ä b", "x" * 81])
def test_names_that_aws_refuses_are_refused(workbench: Workbench, name: str) -> None:
    states = workbench.client("stepfunctions")
    machine = workbench.state_machine(WAITING)
    assert error_code(lambda: states.start_execution(stateMachineArn=machine, name=name)) in {
        "InvalidName",
        "ValidationException",
    }


def test_input_that_is_not_json_or_too_long_is_refused(workbench: Workbench) -> None:
    states = workbench.client("stepfunctions")
    machine = workbench.state_machine(WAITING)
    for text in ("{", json.dumps("x" * 262_144)):
        code = error_code(lambda text=text: states.start_execution(stateMachineArn=machine, input=text))  # type: ignore[misc]
        assert code == "InvalidExecutionInput"


def test_an_execution_can_be_stopped_in_the_middle_of_a_wait(workbench: Workbench) -> None:
    execution = workbench.start(workbench.state_machine(WAITING))
    eventually(lambda: "WaitStateEntered" in history(workbench, execution))
    workbench.client("stepfunctions").stop_execution(executionArn=execution, error="Enough", cause="Stopped by a test")
    ended = workbench.execution(execution)
    assert (ended["status"], ended["error"], ended["cause"]) == ("ABORTED", "Enough", "Stopped by a test")


def test_a_stopped_execution_does_not_call_its_task_again(workbench: Workbench) -> None:
    url, arn = workbench.queue()
    function = workbench.function(
        "import boto3, os\n"
        "def handler(event, context):\n"
        "    boto3.client('sqs').send_message(QueueUrl=os.environ['QUEUE'], MessageBody='called')\n"
        "    raise ValueError('again')\n",
        ("sqs:SendMessage", arn),
        QUEUE=url,
    )
    task = lambda_task(function, Retry=[{"ErrorEquals": ["ValueError"], "IntervalSeconds": 50, "MaxAttempts": 5}])
    execution = workbench.start(
        workbench.state_machine({"StartAt": "Task", "States": {"Task": task}}, *may_invoke(function))
    )
    eventually(lambda: "TaskFailed" in history(workbench, execution))
    workbench.client("stepfunctions").stop_execution(executionArn=execution)
    # The pause is 0.5 s here; a second state machine's waits make sure that it is over.
    workbench.run({"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 100, "End": True}}})
    assert len(workbench.messages(url)) == 1
    assert "TaskSucceeded" not in history(workbench, execution)


def test_the_machines_timeout_ends_an_execution_in_scaled_time(workbench: Workbench) -> None:
    ended = workbench.run({**WAITING, "TimeoutSeconds": 10})
    assert ended["status"] == "TIMED_OUT"
    assert history(workbench, ended["executionArn"])[-1] == "ExecutionTimedOut"


def test_a_running_execution_keeps_the_definition_it_started_with(workbench: Workbench) -> None:
    wait = {"Type": "Wait", "Seconds": 30, "Next": "End"}
    machine = workbench.state_machine(
        {"StartAt": "Wait", "States": {"Wait": wait, "End": {"Type": "Pass", "Output": "old", "End": True}}}
    )
    execution = workbench.start(machine)
    eventually(lambda: "WaitStateEntered" in history(workbench, execution))
    workbench.client("stepfunctions").update_state_machine(
        stateMachineArn=machine, definition=json.dumps({"QueryLanguage": "JSONata", **FAILING})
    )
    assert workbench.ended(execution)["output"] == '"old"'


def test_a_state_output_above_256_kib_fails_the_execution(workbench: Workbench) -> None:
    big = {"Type": "Pass", "Output": "{% $pad('', 300000, 'x') %}", "End": True}
    ended = workbench.run({"StartAt": "Big", "States": {"Big": big}})
    assert (ended["status"], ended["error"]) == ("FAILED", "States.DataLimitExceeded")


def test_a_jsonata_succeed_state_computes_its_output(workbench: Workbench) -> None:
    done = {"Type": "Succeed", "Output": "{% $states.input.a + 1 %}"}
    assert workbench.run({"StartAt": "Done", "States": {"Done": done}}, data={"a": 1})["output"] == "2"


# A machine that needs its queue's permission only at the end: the redrive starts there, not before.
def _two_steps(queue_url: str) -> dict[str, Any]:
    return {
        "StartAt": "First",
        "States": {
            "First": {"Type": "Pass", "Assign": {"seen": "{% $states.input.a & '!' %}"}, "Output": 1, "Next": "Second"},
            "Second": {
                "Type": "Task",
                "Resource": "arn:aws:states:::sqs:sendMessage",
                "Arguments": {"QueueUrl": queue_url, "MessageBody": "{% $seen & $string($states.input) %}"},
                "Output": "{% $states.context.Execution.RedriveCount %}",
                "End": True,
            },
        },
    }


def _grant(workbench: Workbench, machine: str, *statement: Statement) -> None:
    role = workbench.client("stepfunctions").describe_state_machine(stateMachineArn=machine)["roleArn"]
    action, resource = statement[0]
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}]}
    workbench.client("iam").put_role_policy(
        RoleName=role.rsplit("/", 1)[1], PolicyName="granted", PolicyDocument=json.dumps(document)
    )


def test_a_redrive_resumes_at_the_failed_state_with_its_input_and_variables(workbench: Workbench) -> None:
    url, arn = workbench.queue()
    machine = workbench.state_machine(_two_steps(url))
    failed = workbench.ended(workbench.start(machine, {"a": "x"}))
    assert (failed["status"], failed["redriveStatus"], failed["redriveCount"]) == ("FAILED", "REDRIVABLE", 0)

    _grant(workbench, machine, ("sqs:SendMessage", arn))
    redriven_at = redrive(workbench, failed["executionArn"])["redriveDate"]
    ended = workbench.ended(failed["executionArn"])

    assert (ended["status"], ended["output"]) == ("SUCCEEDED", "1")
    assert (ended["redriveCount"], ended["redriveDate"]) == (1, redriven_at)
    assert ended["redriveStatus"] == "NOT_REDRIVABLE"
    assert "error" not in ended
    assert ended["startDate"] == failed["startDate"]
    assert [message["Body"] for message in workbench.messages(url)] == ["x!1"]
    events = history(workbench, failed["executionArn"])
    assert events.count("PassStateEntered") == 1
    assert events.index("ExecutionFailed") + 1 == events.index("ExecutionRedriven")


def test_a_redrive_of_a_fail_state_runs_it_again(workbench: Workbench) -> None:
    failed = workbench.run(FAILING)
    redrive(workbench, failed["executionArn"])
    ended = workbench.ended(failed["executionArn"])
    assert (ended["status"], ended["error"], ended["redriveCount"]) == ("FAILED", "Broken", 1)


def test_stopped_and_timed_out_executions_can_be_redriven(workbench: Workbench) -> None:
    timed_out = workbench.run({**WAITING, "TimeoutSeconds": 1})
    stopped = workbench.start(workbench.state_machine(WAITING))
    workbench.client("stepfunctions").stop_execution(executionArn=stopped)
    for execution in (timed_out["executionArn"], stopped):
        redrive(workbench, execution)
        assert workbench.execution(execution)["redriveCount"] == 1


def test_a_redrive_resets_the_retry_counters(workbench: Workbench) -> None:
    function = workbench.function("def handler(event, context): raise ValueError")
    task = lambda_task(function, Retry=[{"ErrorEquals": ["ValueError"], "IntervalSeconds": 1, "MaxAttempts": 1}])
    failed = workbench.run({"StartAt": "Task", "States": {"Task": task}}, *may_invoke(function))
    assert history(workbench, failed["executionArn"]).count("TaskFailed") == 2
    redrive(workbench, failed["executionArn"])
    workbench.ended(failed["executionArn"])
    assert history(workbench, failed["executionArn"]).count("TaskFailed") == 4


def test_running_and_succeeded_executions_are_not_redrivable(workbench: Workbench) -> None:
    running = workbench.start(workbench.state_machine(WAITING))
    done = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}
    succeeded = workbench.run(done)["executionArn"]
    for execution in (running, succeeded):
        assert error_code(lambda execution=execution: redrive(workbench, execution)) == "ExecutionNotRedrivable"  # type: ignore[misc]
        assert workbench.execution(execution)["redriveStatus"] == "NOT_REDRIVABLE"
    missing = f"arn:aws:states:{REGION}:000000000000:execution:none:none"
    assert error_code(lambda: redrive(workbench, missing)) == "ExecutionDoesNotExist"


def test_a_redrive_sent_twice_with_one_token_happens_once(workbench: Workbench) -> None:
    states = workbench.client("stepfunctions")
    failed = workbench.run(FAILING)["executionArn"]
    first = states.redrive_execution(executionArn=failed, clientToken="token")
    workbench.ended(failed)
    assert states.redrive_execution(executionArn=failed, clientToken="token")["redriveDate"] == first["redriveDate"]
    assert workbench.execution(failed)["redriveCount"] == 1


def lambda_task(function: str, **fields: Any) -> dict[str, Any]:
    """A task that invokes a function with the state's input."""
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": function, "Payload": "{% $states.input %}"},
        "Output": "{% $states.result.Payload %}",
        "End": True,
        **fields,
    }


def may_invoke(function: str) -> tuple[Statement, ...]:
    """The permission to invoke a function."""
    return (("lambda:InvokeFunction", f"arn:aws:lambda:{REGION}:000000000000:function:{function}"),)
