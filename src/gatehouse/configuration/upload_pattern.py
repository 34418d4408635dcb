"""Which of a bucket's events a lane asks EventBridge for.

A rule can say "begins with" and "ends with" about a key, but not both, so it takes what narrows most and the batcher
checks the whole of the lane again. What a rule lets through too much costs a message; what it would hold back too much
would be an upload without a verdict.
"""

import json
from typing import Any

from gatehouse.moderation.lane import Lane

#: Characters of an event pattern (EventBridge User Guide, quotas: "Event pattern size").
MAX_PATTERN_LENGTH = 2048

#: EventBridge compares numbers up to this; a larger size matches no numeric filter (User Guide, content filtering).
_LARGEST_NUMBER = 5_000_000_000

_LONGEST_BUCKET_NAME = 63


def upload_detail(lane: Lane, bucket_name: str) -> dict[str, Any]:
    """The `detail` part of the event pattern for the uploads of a lane."""
    upload: dict[str, Any] = {}
    if key := _key_filter(lane):
        upload["key"] = key
    if lane.max_size is not None and lane.max_size <= _LARGEST_NUMBER:
        upload["size"] = [{"numeric": [">=", lane.min_size, "<=", lane.max_size]}]
    bucket = {"bucket": {"name": [bucket_name]}}
    return {**bucket, "object": upload} if upload else bucket


def pattern_length(lane: Lane) -> int:
    """The length of the lane's event pattern in characters, for a bucket with the longest possible name."""
    detail = upload_detail(lane, "b" * _LONGEST_BUCKET_NAME)
    pattern = {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": detail}
    return len(json.dumps(pattern, separators=(",", ":")))


def _key_filter(lane: Lane) -> list[dict[str, Any]]:
    if lane.prefixes != ("",):
        return [{"prefix": prefix} for prefix in lane.prefixes]
    if barred := [*lane.exclude_prefixes, *lane.other_lanes_prefixes]:
        return [{"anything-but": {"prefix": barred}}]
    return [{"suffix": {"equals-ignore-case": suffix}} for suffix in lane.suffixes]
