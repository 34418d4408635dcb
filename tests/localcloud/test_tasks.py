"""Tasks of Step Functions: whose permissions they need, and the names of their errors."""

import json
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from localcloud.launcher import REKOGNITION_ADMIN_PATH
from localcloud.patches import task_retries
from tests.localcloud.conftest import TIME_SCALE
from tests.localcloud.workbench import REGION, Statement, Workbench

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


@pytest.mark.parametrize(
    ("body", "written"),
    [({"n": ["ü", 1]}, '{"n":["ü",1]}'), ("a\nb", '"a\\nb"')],
    ids=["document", "text"],
)
def test_an_object_is_written_as_json_with_the_roles_permission_only(
    workbench: Workbench, body: Any, written: str
) -> None:
    bucket = workbench.bucket()
    machine = sdk_task("s3", "putObject", {"Bucket": bucket, "Key": "a b/ü.json", "Body": body, "Metadata": {"k": "v"}})
    refused = output(workbench, machine, ("s3:PutObject", f"arn:aws:s3:::{bucket}/other/*"))
    assert refused["Error"] == "S3.S3Exception"
    assert "s3:PutObject" in refused["Cause"]
    put = output(workbench, machine, ("s3:PutObject", f"arn:aws:s3:::{bucket}/a b/*"))
    stored = workbench.client("s3").get_object(Bucket=bucket, Key="a b/ü.json")
    assert (stored["Body"].read().decode(), stored["ETag"], stored["Metadata"]) == (written, put["ETag"], {"k": "v"})


def test_an_object_is_not_written_over_another_if_told_so(workbench: Workbench) -> None:
    bucket = workbench.bucket()
    machine = sdk_task("s3", "putObject", {"Bucket": bucket, "Key": "a", "Body": {}, "IfNoneMatch": "*"})
    assert "Error" not in output(workbench, machine, ("s3:*", "*"))
    assert output(workbench, machine, ("s3:*", "*"))["Error"] == "S3.S3Exception"


@pytest.mark.parametrize("keys", [[], ["in/1"], ["in/1", "in/2", "in/3"]])
def test_objects_are_listed_with_the_permission_to_list_the_bucket(workbench: Workbench, keys: list[str]) -> None:
    bucket = workbench.bucket()
    for key in [*keys, "out/1"]:
        workbench.client("s3").put_object(Bucket=bucket, Key=key, Body=b"x")
    machine = sdk_task("s3", "listObjectsV2", {"Bucket": bucket, "Prefix": "in/", "MaxKeys": 2})
    assert output(workbench, machine)["Error"] == "S3.S3Exception"
    listed = output(workbench, machine, ("s3:ListBucket", f"arn:aws:s3:::{bucket}"))
    assert [item["Key"] for item in listed.get("Contents", [])] == keys[:2]
    assert ("NextContinuationToken" in listed) is (len(keys) > 2)
    if keys:
        assert listed["Contents"][0]["Size"] == 1
    assert (listed["KeyCount"], listed["IsTruncated"]) == (len(keys[:2]), len(keys) > 2)


def test_a_queues_length_is_asked_with_the_roles_permission_only(workbench: Workbench) -> None:
    url, arn = workbench.queue()
    workbench.client("sqs").send_message(QueueUrl=url, MessageBody="x")
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    machine = sdk_task("sqs", "getQueueAttributes", {"QueueUrl": url, "AttributeNames": names})
    assert output(workbench, machine, ("sqs:SendMessage", arn))["Error"] == "Sqs.SqsException"
    answer = output(workbench, machine, ("sqs:GetQueueAttributes", arn))
    assert answer["Attributes"] == dict(zip(names, ["1", "0"], strict=True))


def test_a_queue_that_is_not_there_has_its_own_error(workbench: Workbench) -> None:
    url, _ = workbench.queue()
    machine = sdk_task("sqs", "getQueueAttributes", {"QueueUrl": f"{url}-not", "AttributeNames": ["All"]})
    assert output(workbench, machine, ("sqs:GetQueueAttributes", "*"))["Error"] == "Sqs.QueueDoesNotExistException"


def test_running_executions_are_counted_with_the_roles_permission_only(workbench: Workbench) -> None:
    counted = workbench.state_machine({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 9000, "End": True}}})
    running = {workbench.start(counted) for _ in range(3)}
    workbench.client("stepfunctions").stop_execution(executionArn=running.pop())
    machine = sdk_task(
        "sfn", "listExecutions", {"StateMachineArn": counted, "StatusFilter": "RUNNING", "MaxResults": 100}
    )
    assert output(workbench, machine, ("states:ListExecutions", f"{counted}-other"))["Error"].startswith("Sfn.")
    answer = output(workbench, machine, ("states:ListExecutions", counted))
    assert {item["ExecutionArn"] for item in answer["Executions"]} == running
    assert {item["Status"] for item in answer["Executions"]} == {"RUNNING"}


def test_an_item_is_updated_under_its_condition_with_the_roles_permission_only(workbench: Workbench) -> None:
    table = workbench.table()
    machine = sdk_task(
        "dynamodb",
        "updateItem",
        {
            "TableName": table,
            "Key": {"key": {"S": "a"}},
            "UpdateExpression": "SET #n = :n",
            "ConditionExpression": "attribute_not_exists(#n)",
            "ExpressionAttributeNames": {"#n": "n"},
            "ExpressionAttributeValues": {":n": {"N": "1"}},
            "ReturnValues": "ALL_NEW",
        },
    )
    arn = f"arn:aws:dynamodb:{REGION}:000000000000:table/{table}"
    assert output(workbench, machine, ("dynamodb:PutItem", arn))["Error"] == "DynamoDb.DynamoDbException"
    assert output(workbench, machine, ("dynamodb:UpdateItem", arn))["Attributes"]["n"] == {"N": "1"}
    refused = output(workbench, machine, ("dynamodb:UpdateItem", arn))
    assert refused["Error"] == "DynamoDb.ConditionalCheckFailedException"


@pytest.fixture
def switch(workbench: Workbench) -> Iterator[Callable[[dict[str, Any]], None]]:
    """Sets switches of the local Rekognition until the test ends."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def call(method: str, document: dict[str, Any]) -> None:
        url, body = workbench.endpoint + REKOGNITION_ADMIN_PATH, json.dumps(document).encode()
        opener.open(urllib.request.Request(url, body, {"Content-Type": "application/json"}, method=method)).close()

    yield lambda document: call("POST", document)
    call("DELETE", {})


@pytest.mark.parametrize(
    ("reading", "error"),
    [
        ("permission", "Rekognition.AccessDeniedException"),
        ("closed", "Rekognition.AccessDeniedException"),
        ("plain", "Rekognition.AccessDeniedException"),
        ("region", "Rekognition.RekognitionException"),
    ],
)
def test_a_task_sees_that_an_account_has_no_bulk_analysis(
    workbench: Workbench, switch: Callable[[dict[str, Any]], None], reading: str, error: str
) -> None:
    switch({"refuse_bulk": reading})
    machine = sdk_task("rekognition", "listMediaAnalysisJobs", {})
    assert output(workbench, machine, ("rekognition:ListMediaAnalysisJobs", "*"))["Error"] == error


def test_a_tasks_own_timeout_is_real_time(workbench: Workbench) -> None:
    function = workbench.function("import time\ndef handler(event, context): time.sleep(event['seconds'])")
    machine = invoke_machine(function, TimeoutSeconds="{% 1 + 1 %}")
    allowed = ("lambda:InvokeFunction", function_arn(function))
    # 2 s would be 0.02 s in the local cloud's time.
    assert "Error" not in output(workbench, machine, allowed, data={"seconds": 0.3})
    assert output(workbench, machine, allowed, data={"seconds": 15})["Error"] == "States.Timeout"


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


@pytest.mark.parametrize("answer", ["'x' * 262_000 + 200 * '\"'", "'é' * 131_100"], ids=["quotes", "two bytes"])
def test_a_result_above_256_kib_fails_the_execution_however_little_of_it_is_selected(
    workbench: Workbench, answer: str
) -> None:
    function = workbench.function(f"def handler(event, context): return {answer}")
    machine = invoke_machine(function, Output={}, Retry=[{"ErrorEquals": ["States.ALL"], "MaxAttempts": 3}])
    ended = workbench.run(machine, ("lambda:InvokeFunction", function_arn(function)))
    assert (ended["status"], ended["error"]) == ("FAILED", "States.DataLimitExceeded")


def test_a_catch_all_does_not_hide_a_payload_that_is_too_large(workbench: Workbench) -> None:
    function = workbench.function("def handler(event, context): return 'x' * 300000")
    ended = workbench.run(invoke_machine(function), ("lambda:InvokeFunction", function_arn(function)))
    assert (ended["status"], ended["error"]) == ("FAILED", "States.DataLimitExceeded")
