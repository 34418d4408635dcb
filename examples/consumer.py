"""A consumer of verdicts in Python: a Lambda function that keeps the newest state of each object in a table of its own.

It takes messages of a queue (flags as the topic sends them, raw or not, or events of a bus) and events of a rule that
invokes it directly. Flags come more than once and out of order. The table's condition holds what is newest: an upload's
`version`, among the flags of one upload the `revision`, and of one revision the time of the decision. Two flags of
revision 0 may differ, as a batch's function may run twice: then the later one is kept, and the verdict table says which
one stands. Table: partition key `object`, text.
"""

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
from botocore.exceptions import ClientError

#: Holds where the table knows nothing newer: no item, an older upload, or an older state of the same upload.
_IS_NEWER = (
    "attribute_not_exists(#object) OR #version < :version OR (#version = :version AND (#revision < :revision "
    "OR (#revision = :revision AND #decided_at < :decided_at)))"
)
_NAMES = {"#object": "object", "#version": "version", "#revision": "revision", "#decided_at": "decided_at"}


def handler(event: Mapping[str, Any], _context: object) -> None:
    """Keep every flag of an invocation that is newer than what the table has. Safe to repeat."""
    dynamodb = boto3.client("dynamodb")
    for flag in flags_in(event):
        keep(dynamodb, os.environ["STATES_TABLE"], flag)


def flags_in(event: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The flags of an invocation: by a queue, or by a rule."""
    documents = [json.loads(record["body"]) for record in event["Records"]] if "Records" in event else [event]
    for document in documents:
        if document.get("detail-type") == "Gatehouse Verdict":
            yield document["detail"]
        elif document.get("Type") == "Notification":  # SNS without raw delivery
            yield json.loads(document["Message"])
        else:
            yield document


def keep(dynamodb: Any, table: str, flag: Mapping[str, Any]) -> bool:
    """Write a flag's state unless the table has it, or a newer one. Returns whether it was written."""
    stored = flag["object"]
    item = {
        "object": {"S": f"s3://{stored['bucket']}/{stored['key']}"},
        "version": {"S": flag["version"]},
        "revision": {"N": str(flag["revision"])},
        "decided_at": {"S": flag["decided_at"]},
        "version_id": {"S": stored["version_id"]} if stored["version_id"] else {"NULL": True},
        "etag": {"S": stored["etag"]},
        "status": {"S": flag["status"]},
    }
    try:
        dynamodb.put_item(
            TableName=table,
            Item=item,
            ConditionExpression=_IS_NEWER,
            ExpressionAttributeNames=_NAMES,
            ExpressionAttributeValues={f":{name}": item[name] for name in ("version", "revision", "decided_at")},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return False
    return True
