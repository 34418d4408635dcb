"""A table's stream: what it records, and how a template and another reader get at it."""

import threading
import time
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from ministack.services import dynamodb as ministack_dynamodb

from localcloud.patches import stream_records
from tests.localcloud.workbench import Workbench, error_code, unique


class Stream:
    """A table with a stream, and its records."""

    def __init__(self, workbench: Workbench) -> None:
        self.table = workbench.table()
        self.client = workbench.client("dynamodb")
        self.reader = workbench.client("dynamodbstreams")
        specification = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
        changed = self.client.update_table(TableName=self.table, StreamSpecification=specification)
        self.arn = changed["TableDescription"]["LatestStreamArn"]

    def put(self, key: str, value: str) -> None:
        self.client.put_item(TableName=self.table, Item=item(key, value))

    def iterator(self) -> str:
        [shard] = self.reader.describe_stream(StreamArn=self.arn)["StreamDescription"]["Shards"]
        iterator = self.reader.get_shard_iterator(
            StreamArn=self.arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )
        return str(iterator["ShardIterator"])

    def records(self) -> list[dict[str, Any]]:
        return list(self.reader.get_records(ShardIterator=self.iterator())["Records"])

    def changes(self) -> list[tuple[str, str, str | None, str | None]]:
        """Event, key, old value and new value of each record."""
        return [
            (
                record["eventName"],
                record["dynamodb"]["Keys"]["key"]["S"],
                *(record["dynamodb"].get(image, {}).get("value", {}).get("S") for image in ("OldImage", "NewImage")),
            )
            for record in self.records()
        ]


def item(key: str, value: str) -> dict[str, Any]:
    return {"key": {"S": key}, "value": {"S": value}}


@pytest.fixture
def stream(workbench: Workbench) -> Stream:
    return Stream(workbench)


def test_every_way_of_writing_makes_records_in_the_order_of_the_writes(stream: Stream) -> None:
    table, client = stream.table, stream.client
    stream.put("a", "1")
    stream.put("a", "2")
    client.update_item(
        TableName=table,
        Key={"key": {"S": "a"}},
        UpdateExpression="SET #v = :v",
        ExpressionAttributeNames={"#v": "value"},
        ExpressionAttributeValues={":v": {"S": "3"}},
    )
    client.transact_write_items(
        TransactItems=[
            {"Put": {"TableName": table, "Item": item("b", "1")}},
            {"Delete": {"TableName": table, "Key": {"key": {"S": "a"}}}},
        ]
    )
    requests = [{"PutRequest": {"Item": item("c", "1")}}, {"DeleteRequest": {"Key": {"key": {"S": "b"}}}}]
    client.batch_write_item(RequestItems={table: requests})

    assert stream.changes() == [
        ("INSERT", "a", None, "1"),
        ("MODIFY", "a", "1", "2"),
        ("MODIFY", "a", "2", "3"),
        ("INSERT", "b", None, "1"),
        ("REMOVE", "a", "3", None),
        ("INSERT", "c", None, "1"),
        ("REMOVE", "b", "1", None),
    ]
    records = stream.records()
    numbers = [int(record["dynamodb"]["SequenceNumber"]) for record in records]
    assert numbers == sorted(set(numbers))
    assert len({record["eventID"] for record in records}) == len(records)
    assert all("ApproximateCreationDateTime" in record["dynamodb"] for record in records)


def test_a_write_that_changes_nothing_or_is_refused_makes_no_record(stream: Stream) -> None:
    stream.put("a", "1")
    stream.put("a", "1")
    new = {
        "TableName": stream.table,
        "Item": item("a", "2"),
        "ConditionExpression": "attribute_not_exists(#k)",
        "ExpressionAttributeNames": {"#k": "key"},
    }
    assert error_code(lambda: stream.client.put_item(**new)) == "ConditionalCheckFailedException"
    other = {"Put": {"TableName": stream.table, "Item": item("b", "1")}}
    transaction = [other, {"Put": new}]
    assert error_code(lambda: stream.client.transact_write_items(TransactItems=transaction))
    stream.client.delete_item(TableName=stream.table, Key={"key": {"S": "none"}})

    assert stream.changes() == [("INSERT", "a", None, "1")]


def test_a_stream_is_read_with_the_permission_on_it(workbench: Workbench, stream: Stream) -> None:
    stream.put("a", "1")
    other = Stream(workbench)
    actions = ("dynamodb:DescribeStream", "dynamodb:GetShardIterator", "dynamodb:GetRecords")
    allowed = workbench.user_client("dynamodbstreams", *((action, stream.arn) for action in actions))
    refused = workbench.user_client("dynamodbstreams", *((action, other.arn) for action in actions))
    stream.reader = allowed
    iterator = stream.iterator()
    assert stream.changes() == [("INSERT", "a", None, "1")]
    for call in (
        lambda: refused.describe_stream(StreamArn=stream.arn),
        lambda: refused.get_records(ShardIterator=iterator),
    ):
        assert error_code(call) == "AccessDeniedException"


def test_an_item_that_expires_is_removed_by_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_remove_item", "_build_change_record"):
        monkeypatch.setattr(ministack_dynamodb, name, getattr(ministack_dynamodb, name))
    stream_records.install()
    table = unique("table")
    ministack_dynamodb._create_table(
        {
            "TableName": table,
            "KeySchema": [{"AttributeName": "key", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "key", "AttributeType": "S"}],
            "BillingMode": "PAY_PER_REQUEST",
            "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        }
    )
    specification = {"Enabled": True, "AttributeName": "expires_at"}
    ministack_dynamodb._update_ttl({"TableName": table, "TimeToLiveSpecification": specification})
    for key, expires_at in (("past", "1"), ("future", "99999999999")):
        expiring = {"key": {"S": key}, "expires_at": {"N": expires_at}}
        ministack_dynamodb._put_item({"TableName": table, "Item": expiring})

    passes = iter([None])  # one, and then no more
    clock = SimpleNamespace(time=time.time, sleep=lambda _: next(passes))
    monkeypatch.setattr(ministack_dynamodb, "time", clock)

    def reap() -> None:
        with suppress(StopIteration):
            ministack_dynamodb._ttl_reaper()

    reaper = threading.Thread(target=reap, name="dynamodb-ttl-reaper")
    reaper.start()
    reaper.join()

    *writes, removal = ministack_dynamodb.stream_live_records(table)
    assert [(record["eventName"], "userIdentity" in record) for record in writes] == [("INSERT", False)] * 2
    assert removal["eventName"] == "REMOVE"
    assert removal["dynamodb"]["OldImage"]["key"] == {"S": "past"}
    assert removal["userIdentity"] == {"type": "Service", "principalId": "dynamodb.amazonaws.com"}


def global_table(*, has_stream: bool) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "AttributeDefinitions": [{"AttributeName": "key", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "key", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
        "Replicas": [{"Region": "us-east-1"}],
    }
    outputs: dict[str, Any] = {"Table": {"Value": {"Ref": "Table"}}}
    if has_stream:
        properties["StreamSpecification"] = {"StreamViewType": "NEW_AND_OLD_IMAGES"}
        outputs["Stream"] = {"Value": {"Fn::GetAtt": ["Table", "StreamArn"]}}
    return {
        "Resources": {"Table": {"Type": "AWS::DynamoDB::GlobalTable", "Properties": properties}},
        "Outputs": outputs,
    }


@pytest.mark.parametrize("begins_with_stream", [True, False])
def test_a_global_table_gives_the_stream_it_was_made_or_updated_with(
    workbench: Workbench, begins_with_stream: bool
) -> None:
    stack, client = unique("stack"), workbench.client("dynamodb")
    table = workbench.deployed(global_table(has_stream=begins_with_stream), stack)["Table"]
    client.put_item(TableName=table, Item=item("a", "1"))
    if not begins_with_stream:
        workbench.deployed(global_table(has_stream=True), stack)
    outputs = {
        output["OutputKey"]: output["OutputValue"]
        for output in workbench.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]["Outputs"]
    }

    described = client.describe_table(TableName=table)["Table"]
    assert outputs == {"Table": table, "Stream": described["LatestStreamArn"]}
    assert described["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert client.scan(TableName=table)["Count"] == 1
