"""Mappings of a table's stream: the batches a function gets, what is tried again, and what is discarded."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from localcloud.patches.queue_batching import PAYLOAD_LIMIT
from tests.localcloud.stream_consumer import FOR_EVER, POLLER, Consumer
from tests.localcloud.workbench import REGION, Workbench, error_code, eventually, unique


@pytest.fixture
def consumer(workbench: Workbench) -> Iterator[Consumer]:
    consumer = Consumer(workbench)
    yield consumer
    consumer.disconnect()


def only(name: str, *values: Any) -> dict[str, Any]:
    pattern = {"dynamodb": {"NewImage": {name: {"S": list(values)}}}}
    return {"Filters": [{"Pattern": json.dumps(pattern)}]}


def test_records_come_in_order_in_batches_of_the_size_asked_for(consumer: Consumer) -> None:
    consumer.write(*"abcde")
    consumer.connect(BatchSize=2)
    consumer.come("a,b", "c,d", "e")
    record = consumer.records()[0]
    assert (record["eventSource"], record["eventSourceARN"]) == ("aws:dynamodb", consumer.stream)
    assert (record["awsRegion"], record["eventName"]) == (REGION, "INSERT")
    assert set(record["dynamodb"]) >= {"ApproximateCreationDateTime", "Keys", "NewImage", "SequenceNumber"}
    eventually(lambda: consumer.result() == "OK")


def test_a_mapping_can_begin_with_what_comes_next(consumer: Consumer) -> None:
    consumer.write("a")
    consumer.connect(StartingPosition="LATEST")
    consumer.write("b")
    consumer.come("b")


def test_a_window_gathers_records_that_match(consumer: Consumer) -> None:
    consumer.connect(BatchSize=100, MaximumBatchingWindowInSeconds=300, FilterCriteria=only("kind", "wanted"))
    for key in "abcdef":
        consumer.write(key, kind="wanted" if key in "bdf" else "other")
    consumer.come("b,d,f")


def test_a_full_batch_does_not_wait_for_its_window(consumer: Consumer) -> None:
    consumer.write(*"abcd")
    consumer.connect(BatchSize=2, MaximumBatchingWindowInSeconds=300)
    consumer.come("a,b", "c,d")


def test_a_batch_ends_before_its_payload_exceeds_six_megabytes(consumer: Consumer) -> None:
    keys = [f"{number:02d}" for number in range(20)]
    consumer.write(*keys, filler="x" * 390_000)
    consumer.connect(BatchSize=100)
    per_batch = PAYLOAD_LIMIT // 391_000
    consumer.come(",".join(keys[:per_batch]), ",".join(keys[per_batch:]))


def test_what_does_not_match_is_passed_for_good(consumer: Consumer) -> None:
    consumer.write(*"abc", kind="other")
    consumer.write("d", kind="wanted")
    consumer.connect(FilterCriteria=only("kind", "wanted"))
    consumer.come("d")
    consumer.lambda_client.update_event_source_mapping(UUID=consumer.mapping, FilterCriteria=only("kind", "other"))
    consumer.write("e", kind="other")
    consumer.come("d", "e")


def test_a_failed_batch_comes_again_before_the_next_one(consumer: Consumer) -> None:
    consumer.write("a")
    consumer.write("b", fails=2)
    consumer.write("c", "d")
    consumer.connect(BatchSize=2)
    consumer.come("a,b", "a,b", "a,b", "c,d")


def test_the_death_of_a_worker_is_a_failed_invocation(consumer: Consumer) -> None:
    consumer.write("a", fails=1, how="die")
    consumer.connect(MaximumRetryAttempts=1)
    consumer.come("a", "a")
    eventually(lambda: consumer.result() == "OK")


def test_records_before_the_lowest_failed_one_are_done(consumer: Consumer) -> None:
    consumer.write("a")
    consumer.write("b", fails=1, how="report")
    consumer.write("c")
    consumer.write("d", fails=1, how="report")
    consumer.connect(FunctionResponseTypes=["ReportBatchItemFailures"])
    consumer.come("a,b,c,d", "b,c,d")


def test_failures_are_not_read_from_a_response_unless_asked_for(consumer: Consumer) -> None:
    consumer.write("a", fails=1, how="report")
    consumer.connect(BatchSize=1)
    consumer.write("b")
    consumer.come("a", "b")


def test_a_failed_batch_is_split_and_what_always_fails_is_discarded_alone(consumer: Consumer) -> None:
    consumer.write("a", "b")
    consumer.write("c", fails=FOR_EVER)
    consumer.write("d", "e")
    consumer.connect(BatchSize=4, BisectBatchOnFunctionError=True, MaximumRetryAttempts=1)
    consumer.come("a,b,c,d", "a,b", "c,d", "c", "c", "d", "e")
    assert consumer.discarded()["DDBStreamBatchInfo"]["batchSize"] == 1


def test_a_batch_is_split_at_the_record_that_is_reported(consumer: Consumer) -> None:
    consumer.write("a", "b")
    consumer.write("c", fails=FOR_EVER, how="report")
    consumer.write("d", "e")
    consumer.connect(
        BisectBatchOnFunctionError=True, MaximumRetryAttempts=1, FunctionResponseTypes=["ReportBatchItemFailures"]
    )
    consumer.come("a,b,c,d,e", "c,d,e", "c", "c", "d,e")
    document = consumer.discarded()
    assert document["DDBStreamBatchInfo"]["batchSize"] == 1
    assert "functionError" not in document["responseContext"]


def test_the_queue_gets_where_a_discarded_batch_was_and_the_mapping_goes_on(consumer: Consumer) -> None:
    consumer.write("a", fails=FOR_EVER)
    consumer.write("b", "c")
    consumer.connect(BatchSize=2, MaximumRetryAttempts=2)
    consumer.come("a,b", "a,b", "a,b", "c")
    document = consumer.discarded()
    first, second = (record["dynamodb"]["SequenceNumber"] for record in consumer.records()[:2])
    context, where = document["requestContext"], document["DDBStreamBatchInfo"]
    assert context["functionArn"].endswith(f":function:{consumer.function}")
    assert (context["condition"], context["approximateInvokeCount"]) == ("RetryAttemptsExhausted", 3)
    assert document["responseContext"] == {
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": "Unhandled",
    }
    assert set(where) == {
        "shardId",
        "startSequenceNumber",
        "endSequenceNumber",
        "approximateArrivalOfFirstRecord",
        "approximateArrivalOfLastRecord",
        "batchSize",
        "streamArn",
    }
    assert (where["startSequenceNumber"], where["endSequenceNumber"]) == (first, second)
    assert (where["batchSize"], where["streamArn"]) == (2, consumer.stream)


def test_a_discarded_record_can_be_read_again_from_its_stream(consumer: Consumer) -> None:
    consumer.write("a", "b")
    consumer.write("c", fails=FOR_EVER)
    consumer.connect(BatchSize=1, MaximumRetryAttempts=0)
    where = consumer.discarded()["DDBStreamBatchInfo"]
    streams = consumer.workbench.client("dynamodbstreams")
    iterator = streams.get_shard_iterator(
        StreamArn=where["streamArn"],
        ShardId=where["shardId"],
        ShardIteratorType="AT_SEQUENCE_NUMBER",
        SequenceNumber=where["startSequenceNumber"],
    )["ShardIterator"]
    [record] = streams.get_records(ShardIterator=iterator, Limit=where["batchSize"])["Records"]
    assert record["dynamodb"]["Keys"] == {"key": {"S": "c"}}


def test_records_are_discarded_when_they_are_too_old(consumer: Consumer) -> None:
    consumer.write("a", fails=FOR_EVER)
    consumer.connect(MaximumRecordAgeInSeconds=60)  # 0.6 s here
    assert consumer.discarded()["requestContext"]["condition"] == "RecordAgeExceeded"
    assert set(consumer.batches()) <= {"a"}


@pytest.mark.parametrize(
    ("response", "is_done"),
    [
        ("None", True),
        ("{}", True),
        ("{'batchItemFailures': None}", True),
        ("{'batchItemFailures': []}", True),
        ("{'batchItemFailures': [{'itemIdentifier': ''}]}", False),
        ("{'batchItemFailures': [{'itemIdentifier': None}]}", False),
        ("{'batchItemFailures': [{'id': event['Records'][0]['dynamodb']['SequenceNumber']}]}", False),
        ("{'batchItemFailures': [{'itemIdentifier': 'of another batch'}]}", False),
        ("{'batchItemFailures': 'all'}", False),
        ("'done'", False),
    ],
)
def test_only_a_sound_response_lets_records_go(workbench: Workbench, response: str, is_done: bool) -> None:
    consumer = Consumer(workbench, f"def handler(event, context): return {response}")
    consumer.write("a", "b")
    consumer.connect(MaximumRetryAttempts=0, FunctionResponseTypes=["ReportBatchItemFailures"])
    if is_done:
        eventually(lambda: consumer.result() == "OK")
        assert workbench.messages(consumer.queue) == []
    else:
        assert consumer.discarded()["DDBStreamBatchInfo"]["batchSize"] == 2
    consumer.disconnect()


def test_a_mapping_that_is_stuck_holds_up_no_other_one(workbench: Workbench, consumer: Consumer) -> None:
    consumer.write("a", fails=FOR_EVER)
    consumer.write("b")
    consumer.connect(BatchSize=1)
    other = Consumer(workbench)
    other.stream = consumer.stream
    role = workbench.client("lambda").get_function_configuration(FunctionName=other.function)["Role"]
    allow = {"Effect": "Allow", "Action": "dynamodb:*", "Resource": consumer.stream}
    workbench.client("iam").put_role_policy(
        RoleName=role.rpartition("/")[2],
        PolicyName="other",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow]}),
    )
    other.connect(BatchSize=1, FilterCriteria=only("key", "b"))
    other.come("b")
    other.disconnect()
    assert set(consumer.batches()) <= {"a"}


def test_a_stream_is_read_on_after_its_table_is_gone(consumer: Consumer) -> None:
    consumer.write("a", "b")
    consumer.connect(Enabled=False)
    consumer.workbench.client("dynamodb").delete_table(TableName=consumer.table)
    consumer.lambda_client.update_event_source_mapping(UUID=consumer.mapping, Enabled=True)
    consumer.come("a,b")


@pytest.mark.parametrize("missing", POLLER)
def test_a_mapping_needs_a_role_that_may_read_the_stream(workbench: Workbench, missing: str) -> None:
    consumer = Consumer(workbench, actions=tuple(action for action in POLLER if action != missing))
    assert error_code(consumer.connect) == "InvalidParameterValueException"


def test_a_mapping_needs_a_role_that_may_send_to_the_queue(workbench: Workbench) -> None:
    consumer = Consumer(workbench, may_send=False)
    assert error_code(consumer.connect) == "InvalidParameterValueException"


def test_a_role_that_may_no_longer_read_gets_nothing(consumer: Consumer) -> None:
    consumer.connect()
    role = consumer.lambda_client.get_function_configuration(FunctionName=consumer.function)["Role"]
    consumer.workbench.client("iam").delete_role_policy(RoleName=role.rpartition("/")[2], PolicyName="policy")
    consumer.write("a")
    eventually(lambda: "permissions" in consumer.result())
    assert consumer.batches() == []


@pytest.mark.parametrize(
    "settings",
    [
        {"StartingPosition": "AT_TIMESTAMP"},
        {"BatchSize": 10_001},
        {"MaximumRetryAttempts": 10_001},
        {"MaximumRecordAgeInSeconds": 604_801},
        {"FilterCriteria": {"Filters": [{"Pattern": "no JSON"}]}},
        {"FilterCriteria": {"Filters": [{"Pattern": '{"eventName": ["INSERT"]}'}] * 6}},
    ],
    ids=str,
)
def test_a_mapping_with_settings_that_aws_refuses_is_not_made(consumer: Consumer, settings: dict[str, Any]) -> None:
    assert error_code(lambda: consumer.connect(**settings)) == "InvalidParameterValueException"


def test_a_template_makes_a_mapping_with_all_its_settings(consumer: Consumer) -> None:
    settings = consumer.settings(
        MaximumRetryAttempts=0,
        MaximumRecordAgeInSeconds=3600,
        MaximumBatchingWindowInSeconds=1,
        BisectBatchOnFunctionError=True,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        FilterCriteria=only("kind", "wanted"),
    )
    mapping = {"Type": "AWS::Lambda::EventSourceMapping", "Properties": settings}
    template = {"Resources": {"Mapping": mapping}, "Outputs": {"Id": {"Value": {"Ref": "Mapping"}}}}
    consumer.mapping = consumer.workbench.deployed(template)["Id"]

    described = consumer.lambda_client.get_event_source_mapping(UUID=consumer.mapping)
    names = settings.keys() - {"FunctionName"}
    assert {name: described[name] for name in names} == {name: settings[name] for name in names}
    assert described["BatchSize"] == 100
    consumer.write("a", kind="other")
    consumer.write("b", kind="wanted", fails=FOR_EVER)
    consumer.come("b")
    assert consumer.discarded()["DDBStreamBatchInfo"]["batchSize"] == 1


def test_a_template_makes_no_mapping_that_may_not_read(workbench: Workbench) -> None:
    consumer = Consumer(workbench, actions=())
    mapping = {"Type": "AWS::Lambda::EventSourceMapping", "Properties": consumer.settings()}
    cloudformation, stack = workbench.client("cloudformation"), unique("stack")
    cloudformation.create_stack(StackName=stack, TemplateBody=json.dumps({"Resources": {"Mapping": mapping}}))

    def status() -> str:
        return str(cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])

    eventually(lambda: status() != "CREATE_IN_PROGRESS" and status() != "ROLLBACK_IN_PROGRESS")
    assert status() in {"ROLLBACK_COMPLETE", "CREATE_FAILED"}
    failed = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    assert any("Cannot access stream" in event.get("ResourceStatusReason", "") for event in failed)
