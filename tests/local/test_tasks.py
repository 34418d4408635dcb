"""Tasks of Step Functions: whose permissions they need, and the names of their errors."""

import json
from typing import Any

import pytest

from local.patches import task_retries
from tests.local.conftest import TIME_SCALE
from tests.local.workbench import REGION, Statement, Workbench

_CATCH = [{"ErrorEquals": ["States.ALL"], "Output": "{% $states.errorOutput %}", "Next": "Caught"}]


def sdk_task(service: str, operation: str, arguments: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A machine of one `aws-sdk` task whose output is the result, or the error that it caught."""
    resource = f"arn:aws:states:::aws-sdk:{service}:{operation}"
    task = {"Type": "Task", "Resource": resource, "Arguments": arguments, "Catch": _CATCH, "End": True, **fields}
    return {"StartAt": "Task", "States": {"Task": task, "Caught": {"Type": "Succeed"}}}


def output(workbench: Workbench, machine: dict[str, Any], *statements: Statement, data: Any = None) -> Any:
    return json.loads(workbench.run(machine, *statements, data=data)["output"])


def invoke_machine(function: str, **fields: Any) -> dict[str, Any]:
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": function, "Payload": "{% $states.input %}"},
        "Catch": _CATCH,
        "End": True,
        **fields,
    }
    return {"StartAt": "Task", "States": {"Task": task, "Caught": {"Type": "Succeed"}}}


def function_arn(function: str) -> str:
    return f"arn:aws:lambda:{REGION}:000000000000:function:{function}"


def test_a_function_is_invoked_with_the_roles_permission_only(workbench: Workbench) -> None:
    function = workbench.function("def handler(event, context): return event['a'] + 1")
    machine = invoke_machine(function)
    allowed = output(workbench, machine, ("lambda:InvokeFunction", function_arn(function)), data={"a": 1})
    refused = output(workbench, machine, ("lambda:InvokeFunction", function_arn("another")), data={"a": 1})
    assert allowed["Payload"] == 2
    assert refused["Error"] == "Lambda.AWSLambdaException"
    assert f"not authorized to perform: lambda:InvokeFunction on resource: {function_arn(function)}" in refused["Cause"]


def test_the_error_of_a_task_is_the_class_of_the_functions_exception(workbench: Workbench) -> None:
    function = workbench.function(
        "class ResultsMissing(Exception): pass\ndef handler(event, context): raise ResultsMissing('none')"
    )
    caught = output(workbench, invoke_machine(function), ("lambda:InvokeFunction", function_arn(function)))
    assert caught["Error"] == "ResultsMissing"
    assert json.loads(caught["Cause"])["errorMessage"] == "none"


def test_an_object_is_read_with_the_roles_permission_only(workbench: Workbench) -> None:
    bucket = workbench.bucket()
    workbench.client("s3").put_object(Bucket=bucket, Key="a b/ü.json", Body='{"n": "ü"}'.encode(), Metadata={"k": "v"})
    machine = sdk_task("s3", "getObject", {"Bucket": bucket, "Key": "a b/ü.json"})
    read = output(workbench, machine, ("s3:GetObject", f"arn:aws:s3:::{bucket}/a b/*"))
    refused = output(workbench, machine, ("s3:GetObject", f"arn:aws:s3:::{bucket}/other/*"))
    assert (read["Body"], read["ContentLength"], read["Metadata"]) == ('{"n": "ü"}', 11, {"k": "v"})
    assert refused["Error"] == "S3.S3Exception"
    assert "s3:GetObject" in refused["Cause"]


def test_a_missing_object_is_named_only_to_roles_that_may_list_the_bucket(workbench: Workbench) -> None:
    bucket = workbench.bucket()
    machine = sdk_task("s3", "getObject", {"Bucket": bucket, "Key": "none"})
    read = ("s3:GetObject", f"arn:aws:s3:::{bucket}/*")
    assert output(workbench, machine, read, ("s3:ListBucket", f"arn:aws:s3:::{bucket}"))["Error"] == (
        "S3.NoSuchKeyException"
    )
    assert output(workbench, machine, read)["Error"] == "S3.S3Exception"


def test_an_object_above_256_kib_fails_the_execution(workbench: Workbench) -> None:
    bucket = workbench.bucket()
    workbench.client("s3").put_object(Bucket=bucket, Key="big", Body=b"x" * 300_000)
    ended = workbench.run(sdk_task("s3", "getObject", {"Bucket": bucket, "Key": "big"}), ("s3:*", "*"))
    assert (ended["status"], ended["error"]) == ("FAILED", "States.DataLimitExceeded")


def test_rekognition_needs_the_roles_permission(workbench: Workbench) -> None:
    machine = sdk_task("rekognition", "getMediaAnalysisJob", {"JobId": "a" * 64})
    assert output(workbench, machine)["Error"] == "Rekognition.AccessDeniedException"
    allowed = output(workbench, machine, ("rekognition:GetMediaAnalysisJob", "*"))
    assert allowed["Error"] == "Rekognition.ResourceNotFoundException"


def test_dynamodb_transactions_need_the_permission_of_each_item(workbench: Workbench) -> None:
    table = workbench.table()
    put = {"Put": {"TableName": table, "Item": {"key": {"S": "a"}}}}
    delete = {"Delete": {"TableName": table, "Key": {"key": {"S": "b"}}}}
    machine = sdk_task("dynamodb", "transactWriteItems", {"TransactItems": [put, delete]})
    arn = f"arn:aws:dynamodb:{REGION}:000000000000:table/{table}"
    refused = output(workbench, machine, ("dynamodb:PutItem", arn))
    assert refused["Error"] == "DynamoDb.DynamoDbException"
    assert "dynamodb:DeleteItem" in refused["Cause"]
    assert "Error" not in output(workbench, machine, ("dynamodb:PutItem", arn), ("dynamodb:DeleteItem", arn))


def test_an_error_the_model_does_not_know_has_the_sdks_base_class(workbench: Workbench) -> None:
    machine = sdk_task("dynamodb", "describeTable", {"TableName": "table-that-is-not-there"})
    assert output(workbench, machine, ("dynamodb:*", "*"))["Error"] == "DynamoDb.ResourceNotFoundException"
    invalid = sdk_task("dynamodb", "putItem", {"TableName": workbench.table(), "Item": {"other": {"S": "x"}}})
    assert output(workbench, invalid, ("dynamodb:*", "*"))["Error"] == "DynamoDb.DynamoDbException"


def test_a_queue_policy_sees_the_role_of_the_execution(workbench: Workbench) -> None:
    url, arn = workbench.queue()
    deny = {"Effect": "Deny", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
    workbench.client("sqs").set_queue_attributes(
        QueueUrl=url, Attributes={"Policy": json.dumps({"Version": "2012-10-17", "Statement": [deny]})}
    )
    send = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage",
        "Arguments": {"QueueUrl": url, "MessageBody": "x"},
        "End": True,
    }
    ended = workbench.run({"StartAt": "Send", "States": {"Send": send}}, ("sqs:SendMessage", arn))
    assert (ended["status"], ended["error"]) == ("FAILED", "SQS.AmazonSQSException")


def test_retries_are_made_as_often_as_the_retrier_says(workbench: Workbench) -> None:
    function = workbench.function("def handler(event, context): raise KeyError")
    retry = [{"ErrorEquals": ["KeyError"], "IntervalSeconds": 2, "MaxAttempts": 3, "JitterStrategy": "FULL"}]
    execution = workbench.run(invoke_machine(function, Retry=retry), ("lambda:InvokeFunction", function_arn(function)))[
        "executionArn"
    ]
    events = workbench.client("stepfunctions").get_execution_history(executionArn=execution)["events"]
    assert [event["type"] for event in events].count("TaskFailed") == 4


def test_retry_pauses_are_scaled_and_not_capped_at_a_minute(workbench: Workbench) -> None:
    function = workbench.function("def handler(event, context): raise KeyError")
    retry = [{"ErrorEquals": ["KeyError"], "IntervalSeconds": 100, "BackoffRate": 1, "MaxAttempts": 1}]
    execution = workbench.run(invoke_machine(function, Retry=retry), ("lambda:InvokeFunction", function_arn(function)))[
        "executionArn"
    ]
    events = workbench.client("stepfunctions").get_execution_history(executionArn=execution)["events"]
    failed = next(event["timestamp"] for event in events if event["type"] == "TaskFailed")
    again = [event["timestamp"] for event in events if event["type"] == "TaskScheduled"][1]
    assert (again - failed).total_seconds() == pytest.approx(100 * TIME_SCALE, rel=0.3)


@pytest.mark.parametrize(
    ("retrier", "retries", "longest"),
    [
        ({"IntervalSeconds": 10, "BackoffRate": 2}, 3, 80),
        ({"IntervalSeconds": 10, "BackoffRate": 2, "MaxDelaySeconds": 30}, 3, 30),
        ({"IntervalSeconds": 600, "BackoffRate": 1}, 0, 600),
    ],
)
def test_pauses_grow_up_to_the_longest_delay(retrier: dict[str, Any], retries: int, longest: float) -> None:
    assert task_retries._delay(retrier, retries) == longest
    jittered = [task_retries._delay({**retrier, "JitterStrategy": "FULL"}, retries) for _ in range(200)]
    assert max(jittered) <= longest
    assert min(jittered) < longest / 2 < max(jittered)


def test_a_catch_all_does_not_hide_a_payload_that_is_too_large(workbench: Workbench) -> None:
    function = workbench.function("def handler(event, context): return 'x' * 300000")
    ended = workbench.run(invoke_machine(function), ("lambda:InvokeFunction", function_arn(function)))
    assert (ended["status"], ended["error"]) == ("FAILED", "States.DataLimitExceeded")
