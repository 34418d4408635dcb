"""EventBridge checks the entries of PutEvents, keeps their time, and authorizes the lookup of a bus on that bus.

AWS: an entry without Source, DetailType or Detail fails with `InvalidArgument`, and one whose Detail is not a JSON
object with `MalformedDetail`; if no entry has all three, the call fails (API reference, PutEventsRequestEntry and
PutEventsResultEntry). The total size of a call's entries must be below 256 KB, counted as in the user guide
(eb-putevent-size.html; the API's model says 1 MB, and we use the lower limit). An event's `time` is the entry's `Time`.
A bus that does not exist causes no error: the events are lost (aws/aws-sdk#186, aws/aws-cli#9186; not documented by
AWS). DescribeEventBus is authorized on the bus (service authorization reference, Amazon EventBridge).
ministack 1.5.33: accepts anything, sets events' time to its own, and authorizes DescribeEventBus on a rule.

Wraps `eventbridge._put_events`, `eventbridge._pattern_event_view` and `iam_actions.extract_resource_arn`.
"""

import contextvars
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import eventbridge

from localcloud.patches import authorization
from localcloud.patches.seam import Seam, check

SEAMS = (
    Seam("ministack.services.eventbridge", "_put_events", ("data", "allow_aws_source")),
    Seam("ministack.services.eventbridge", "_pattern_event_view", ("event",)),
    Seam(
        "ministack.core.responses",
        "error_response_json",
        ("code", "message", "status", "extra", "message_key", "content_type"),
    ),
    authorization.RESOURCE_SEAM,
)

_MOST_BYTES = 256 * 1024
_MOST_ENTRIES = 10
_TIME_BYTES = 14
_NEEDED = ("Source", "DetailType", "Detail")
_DESCRIBE = "AWSEvents.DescribeEventBus"

_time: contextvars.ContextVar[int | None] = contextvars.ContextVar("gatehouse_entry_time", default=None)


def install() -> None:
    """Check entries, and the right permission."""
    check(SEAMS)
    put, view = eventbridge._put_events, eventbridge._pattern_event_view

    def put_events(data: Mapping[str, Any], allow_aws_source: bool = False) -> Any:
        entries: Sequence[Mapping[str, Any]] = data.get("Entries", [])
        if sum(map(_size, entries)) >= _MOST_BYTES:
            return _refusal("Total size of the entries in the request is over the limit.")
        if entries and not any(_has_everything(entry) for entry in entries):
            return _refusal(f"{', '.join(_NEEDED)} are required arguments.")
        if len(entries) > _MOST_ENTRIES:
            return put(data, allow_aws_source)  # which refuses it
        answers = [_put_one(put, entry, allow_aws_source) for entry in entries]
        failed = sum("ErrorCode" in answer for answer in answers)
        return json_response({"FailedEntryCount": failed, "Entries": answers})

    def event_view(event: dict[str, Any]) -> Any:
        if (moment := _time.get()) is not None:
            event["Time"] = moment
        return view(event)

    eventbridge._put_events = put_events
    eventbridge._pattern_event_view = event_view
    authorization.authorize_on("events", _described_bus)


def _described_bus(headers: Mapping[str, str], body: bytes, region: str, account_id: str) -> str | None:
    """The ARN of the bus that a DescribeEventBus call names."""
    if headers.get("x-amz-target") != _DESCRIBE:
        return None
    name = str(json.loads(body or b"{}").get("Name", "default"))
    return name if name.startswith("arn:") else f"arn:aws:events:{region}:{account_id}:event-bus/{name}"


def _put_one(put: Any, entry: Mapping[str, Any], allow_aws_source: bool) -> dict[str, Any]:
    """Put one entry with its own time; returns its answer."""
    if not _has_everything(entry):
        missing = next(name for name in _NEEDED if not entry.get(name))
        return _failure(
            "InvalidArgument", f"Parameter {missing} is not valid. Reason: {missing} is a required argument."
        )
    if not _is_object(entry["Detail"]):
        return _failure("MalformedDetail", "Detail is malformed.")
    token = _time.set(int(entry["Time"]) if "Time" in entry else None)
    try:
        _, _, body = put({"Entries": [entry]}, allow_aws_source)
    finally:
        _time.reset(token)
    (answer,) = json.loads(body)["Entries"]
    return dict(answer)


def _has_everything(entry: Mapping[str, Any]) -> bool:
    return all(entry.get(name) for name in _NEEDED)


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _size(entry: Mapping[str, Any]) -> int:
    texts = [entry.get("Source", ""), entry.get("DetailType", ""), entry.get("Detail", ""), *entry.get("Resources", ())]
    return (_TIME_BYTES if "Time" in entry else 0) + sum(len(text.encode()) for text in texts)


def _failure(code: str, message: str) -> dict[str, Any]:
    return {"ErrorCode": code, "ErrorMessage": message}


def _refusal(problem: str) -> Any:
    return error_response_json("ValidationException", problem, 400)
