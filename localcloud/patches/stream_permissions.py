"""A reader of a stream needs the permission on that stream.

AWS: `dynamodb:DescribeStream`, `GetShardIterator` and `GetRecords` are authorized on the stream's ARN (Service
Authorization Reference, list_amazondynamodb.html).
ministack 1.5.33: requires them on `*`, which a policy that names a stream does not grant.

Wraps `iam_actions.extract_resource_arn`.
"""

import json
from typing import Any

from ministack.core import iam_actions
from ministack.services import dynamodb_streams

from localcloud.patches.seam import Seam, check

SEAMS = (
    Seam(
        "ministack.core.iam_actions",
        "extract_resource_arn",
        ("service", "method", "path", "headers", "body", "query_params", "region", "account_id"),
    ),
    Seam("ministack.services.dynamodb_streams", "_decode_iterator", ("token",)),
)


def install() -> None:
    """Authorize reading on the stream."""
    check(SEAMS)
    extract = iam_actions.extract_resource_arn

    def extract_resource_arn(
        service: str,
        method: str,
        path: str,
        headers: Any,
        body: bytes,
        query_params: Any,
        region: str,
        account_id: str,
    ) -> str:
        stream = _stream(body) if service == "dynamodbstreams" else None
        return stream or str(extract(service, method, path, headers, body, query_params, region, account_id))

    iam_actions.extract_resource_arn = extract_resource_arn


def _stream(body: bytes) -> str | None:
    """The stream that a request names, directly or by an iterator."""
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        return None
    if not isinstance(request, dict):
        return None
    iterator = dynamodb_streams._decode_iterator(str(request.get("ShardIterator", ""))) or {}
    named = request.get("StreamArn") or iterator.get("arn")
    return named if isinstance(named, str) else None
