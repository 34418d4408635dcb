"""The verdict table of the storage stack, in an AWS in memory."""

from typing import TYPE_CHECKING

from gatehouse.moderation.verdict_item import (
    DECISION_INDEX,
    DECISION_INDEX_PARTITION,
    DECISION_INDEX_PROJECTION,
    INDEX,
    INDEX_PARTITION,
    INDEX_PROJECTION,
    INDEX_SORT,
    OBJECT,
    VERSION,
)

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_INDEXES = (
    (INDEX, INDEX_PARTITION, INDEX_PROJECTION),
    (DECISION_INDEX, DECISION_INDEX_PARTITION, DECISION_INDEX_PROJECTION),
)


def create_verdict_table(dynamodb: "DynamoDBClient", name: str) -> None:
    """Make an empty one."""
    keys = (OBJECT, VERSION, INDEX_PARTITION, DECISION_INDEX_PARTITION, INDEX_SORT)
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        KeySchema=[{"AttributeName": OBJECT, "KeyType": "HASH"}, {"AttributeName": VERSION, "KeyType": "RANGE"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": index,
                "KeySchema": [
                    {"AttributeName": partition, "KeyType": "HASH"},
                    {"AttributeName": INDEX_SORT, "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(projection)},
            }
            for index, partition, projection in _INDEXES
        ],
    )
