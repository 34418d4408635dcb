"""DynamoDB as the pipeline uses it."""

from typing import Any

import pytest

from tests.localcloud.workbench import ACCOUNT, REGION, Workbench, error_code, unique


def new_item(table: str, key: str) -> dict[str, Any]:
    return {
        "Put": {
            "TableName": table,
            "Item": {"key": {"S": key}, "value": {"S": "new"}},
            "ConditionExpression": "attribute_not_exists(#key)",
            "ExpressionAttributeNames": {"#key": "key"},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }


def test_a_canceled_transaction_tells_the_losers_and_what_they_lost_to(workbench: Workbench) -> None:
    table = workbench.table()
    dynamodb = workbench.client("dynamodb")
    dynamodb.put_item(TableName=table, Item={"key": {"S": "b"}, "value": {"S": "old"}})
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as canceled:
        dynamodb.transact_write_items(TransactItems=[new_item(table, key) for key in "abc"])
    reasons = canceled.value.response["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["None", "ConditionalCheckFailed", "None"]
    assert reasons[1]["Item"] == {"key": {"S": "b"}, "value": {"S": "old"}}
    assert dynamodb.scan(TableName=table, Select="COUNT")["Count"] == 1


def test_a_transaction_has_at_most_100_items_and_each_once(workbench: Workbench) -> None:
    table = workbench.table()
    dynamodb = workbench.client("dynamodb")

    def write(keys: list[str]) -> str:
        return error_code(lambda: dynamodb.transact_write_items(TransactItems=[new_item(table, key) for key in keys]))

    assert write([str(number) for number in range(101)]) == "ValidationException"
    assert write(["a", "a"]) == "ValidationException"
    assert write([str(number) for number in range(100)]) == ""


def global_table(*, expires: bool) -> dict[str, Any]:
    """A template of a table, with or without expiry."""
    table = {
        "AttributeDefinitions": [{"AttributeName": "key", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "key", "KeyType": "HASH"}],
        "BillingMode": "PAY_PER_REQUEST",
        "Replicas": [{"Region": "us-east-1"}],
        "TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": expires},
    }
    return {
        "Resources": {"Table": {"Type": "AWS::DynamoDB::GlobalTable", "Properties": table}},
        "Outputs": {"Table": {"Value": {"Ref": "Table"}}},
    }


@pytest.mark.parametrize("expires", [True, False])
def test_a_global_table_of_a_template_gets_its_time_to_live(workbench: Workbench, expires: bool) -> None:
    table = workbench.deployed(global_table(expires=expires))["Table"]
    described = workbench.client("dynamodb").describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert described["TimeToLiveStatus"] == ("ENABLED" if expires else "DISABLED")


def test_a_global_table_keeps_its_items_when_its_stack_is_updated(workbench: Workbench) -> None:
    dynamodb = workbench.client("dynamodb")
    stack = unique("stack")
    table = workbench.deployed(global_table(expires=False), stack)["Table"]
    dynamodb.put_item(TableName=table, Item={"key": {"S": "a"}})
    assert workbench.deployed(global_table(expires=True), stack)["Table"] == table
    assert dynamodb.scan(TableName=table)["Count"] == 1
    described = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert described == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}


def test_a_protected_table_of_a_template_says_so_and_is_not_deleted(workbench: Workbench) -> None:
    dynamodb = workbench.client("dynamodb")
    template = global_table(expires=False)
    template["Resources"]["Table"]["Properties"]["Replicas"][0]["DeletionProtectionEnabled"] = True
    table = workbench.deployed(template)["Table"]

    assert dynamodb.describe_table(TableName=table)["Table"]["DeletionProtectionEnabled"] is True
    assert error_code(lambda: dynamodb.delete_table(TableName=table)) == "ValidationException"

    dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
    assert error_code(lambda: dynamodb.delete_table(TableName=table)) == ""


def test_segments_scanned_in_parallel_hold_every_item_once(workbench: Workbench) -> None:
    table = workbench.table()
    arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}"
    keys = {f"key-{number}" for number in range(100)}
    for key in keys:
        workbench.client("dynamodb").put_item(TableName=table, Item={"key": {"S": key}})
    dynamodb = workbench.user_client("dynamodb", ("dynamodb:Scan", arn))
    found: list[list[str]] = []
    for segment in range(4):
        pages = dynamodb.get_paginator("scan").paginate(
            TableName=table, Segment=segment, TotalSegments=4, PaginationConfig={"PageSize": 7}
        )
        found.append([item["key"]["S"] for page in pages for item in page["Items"]])

    assert sorted(key for segment in found for key in segment) == sorted(keys)
    assert all(found)
    refused = workbench.user_client("dynamodb", ("dynamodb:Query", arn))
    assert error_code(lambda: refused.scan(TableName=table, Segment=0, TotalSegments=4)) == "AccessDeniedException"


def test_an_item_is_updated_on_a_condition_and_with_the_permission_to(workbench: Workbench) -> None:
    table = workbench.table()
    arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}"
    workbench.client("dynamodb").put_item(
        TableName=table, Item={"key": {"S": "a"}, "status": {"S": "old"}, "policy": {"M": {"hash": {"S": "1"}}}}
    )

    def update(dynamodb: Any, seen: str) -> str:
        return error_code(
            lambda: dynamodb.update_item(
                TableName=table,
                Key={"key": {"S": "a"}},
                UpdateExpression="SET #status = :new",
                ConditionExpression="#policy.#hash = :seen",
                ExpressionAttributeNames={"#status": "status", "#policy": "policy", "#hash": "hash"},
                ExpressionAttributeValues={":new": {"S": "new"}, ":seen": {"S": seen}},
            )
        )

    allowed = workbench.user_client("dynamodb", ("dynamodb:UpdateItem", arn))
    refused = workbench.user_client("dynamodb", ("dynamodb:PutItem", arn))
    assert update(refused, "1") == "AccessDeniedException"
    assert update(allowed, "2") == "ConditionalCheckFailedException"
    assert update(allowed, "1") == ""
    item = workbench.client("dynamodb").get_item(TableName=table, Key={"key": {"S": "a"}})["Item"]
    assert (item["status"], item["policy"]) == ({"S": "new"}, {"M": {"hash": {"S": "1"}}})
