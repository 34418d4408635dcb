"""The event pattern that selects a lane's uploads from a bucket's events.

A rule can match the beginning or the end of a key, but not both. So the pattern uses the most selective condition, and
the batcher checks the rest. An event too many costs a message; an event too few would be an upload without a verdict.
"""

import json
from typing import Any

from gatehouse.moderation.lane import Lane

#: Maximum length of an event pattern, in characters (EventBridge User Guide, quotas: "Event pattern size").
MAX_PATTERN_LENGTH = 2048

#: The largest number in EventBridge's filters; no numeric filter matches a larger size (User Guide, content filtering).
_LARGEST_NUMBER = 5_000_000_000

_LONGEST_BUCKET_NAME = 63


def upload_detail(lane: Lane, bucket_name: str) -> dict[str, Any]:
    """The `detail` part of the event pattern for a lane's uploads."""
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
