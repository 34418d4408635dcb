"""How many uploads fit a batch, and how many bulk jobs 100,000 of them take: `python -m tests.benchmarks.batches`.

An invocation of Lambda has a payload of 6 MB (Lambda quotas), and a record of a queue's event far more than a message's
body: the record is one as the Lambda Developer Guide shows it (with-sqs.html), with a handle of typical length.
"""

import json
import math

from gatehouse.moderation.batch import MAX_UPLOADS
from gatehouse.moderation.listed_version import ListedVersion
from gatehouse.moderation.upload_event import listing_message
from tests.unit.builders import an_upload, s3_event

PAYLOAD_BYTES = 6 * 1024 * 1024
UPLOADS = 100_000

_RECORD = {
    "messageId": "2e1424d4-f796-459a-8184-9c92662be6da",
    "receiptHandle": "A" * 412,
    "body": "",
    "attributes": {
        "ApproximateReceiveCount": "1",
        "SentTimestamp": "1545082650636",
        "SenderId": "AROAIENQZJOLO23YVJ4VO:a-session-name-of-a-role",
        "ApproximateFirstReceiveTimestamp": "1545082650649",
    },
    "messageAttributes": {},
    "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
    "eventSource": "aws:sqs",
    "eventSourceARN": "arn:aws:sqs:us-east-1:111122223333:gatehouse-pipeline-DefaultLaneQueue0123456789",
    "awsRegion": "us-east-1",
}


def bodies() -> dict[str, str]:
    """Messages, with a key of 45 characters."""
    upload = an_upload(
        "user-uploads/2026/11/22/5f1c3a9e0b7d4c21.jpg",
        bucket="gatehouse-uploads-111122223333",
        version_id="3HL4kqtJlcpXroDTDmJ.rmSpXd3dIbrH",
    )
    event = s3_event(upload)
    listed = ListedVersion(
        upload.bucket, upload.key, upload.version_id, upload.etag, upload.size, modified_at=upload.uploaded_at
    )
    return {
        "an upload's event": json.dumps(event, separators=(",", ":")),
        "its `detail` alone": json.dumps(event["detail"], separators=(",", ":")),
        "a listed object's message": listing_message(listed),
        "an empty message": "",
    }


def record_bytes(body: str) -> int:
    """Of a message, in the payload."""
    return len(json.dumps(_RECORD | {"body": body}, separators=(",", ":"))) + 1


def table() -> str:
    """The figures, in Markdown."""
    lines = [
        f"| message | bytes | in the payload | fit a batch | jobs of {UPLOADS:,} |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, body in bodies().items():
        size = record_bytes(body)
        fit = min(MAX_UPLOADS, PAYLOAD_BYTES // size)
        lines.append(f"| {name} | {len(body)} | {size:,} | {fit:,} | {math.ceil(UPLOADS / fit)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
