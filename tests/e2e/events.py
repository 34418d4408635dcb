"""Events as S3 sends them through EventBridge, rebuilt from what the verdict table knows of an upload."""

import json
from collections.abc import Mapping, Sequence
from typing import Any


def created_event(item: Mapping[str, Any]) -> dict[str, Any]:
    """The "Object Created" event of the upload a verdict item speaks of, as a second delivery would bring it."""
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": "000000000000",
        "time": item["uploaded_at"],
        "region": "us-east-1",
        "resources": [f"arn:aws:s3:::{item['bucket']}"],
        "detail": {
            "version": "0",
            "bucket": {"name": item["bucket"]},
            "object": {
                "key": item["key"],
                "size": int(item["size"]),
                "etag": item["etag"],
                "version-id": item["version_id"],
                "sequencer": item["sequencer"],
            },
            "request-id": "N4N7GDK58NMKJ12R",
            "requester": "000000000000",
            "source-ip-address": "127.0.0.1",
            "reason": "PutObject",
        },
    }


def queue_event(events: Sequence[Mapping[str, Any]], queue_arn: str) -> dict[str, Any]:
    """What an event source mapping hands to the batcher for these events."""
    return {
        "Records": [
            {
                "messageId": f"00000000-0000-0000-0000-{number:012d}",
                "receiptHandle": "none",
                "body": json.dumps(event),
                "attributes": {"ApproximateReceiveCount": "1"},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": queue_arn,
                "awsRegion": "us-east-1",
            }
            for number, event in enumerate(events)
        ]
    }
