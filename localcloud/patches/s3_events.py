"""S3's events on EventBridge have the same structure as on AWS, and do not delay uploads.

AWS: `detail.object` contains `version-id` if the bucket is versioned, `detail` has no `event-version`, and the
envelope's `time` is in whole seconds (S3 User Guide, "Amazon S3 event message structure for EventBridge").
ministack 1.5.33: omits the version, adds `event-version: 1.0`, and writes `time` with milliseconds. The rest is as on
AWS: the key is not encoded, the sequencer grows per object, `reason` names the API. It also starts a thread per event
and waits for it to begin, which takes a third of the time of an upload.

Replaces `s3._fire_s3_event_async`, and wraps `eventbridge._dispatch_event` to correct the event.
"""

import contextvars
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ministack.services import eventbridge, s3

from localcloud.patches.seam import Seam, check

_EVENT_PARAMETERS = ("bucket_name", "key", "event_name", "size", "etag", "deletion_type")
_MORE_PARAMETERS = ("object_extra", "record_extra")
SEAMS = (
    Seam("ministack.services.s3", "_fire_s3_event_async", (*_EVENT_PARAMETERS, "version_id", *_MORE_PARAMETERS)),
    Seam(
        "ministack.services.s3",
        "_fire_s3_event",
        (*_EVENT_PARAMETERS, "restore_event_data", "version_id", "sequencer", *_MORE_PARAMETERS),
    ),
    Seam("ministack.services.s3", "_next_event_sequencer", ("event_name",)),
    Seam("ministack.services.s3", "_bucket_notifications"),
    Seam("ministack.services.s3", "_parse_notification_config", ("bucket_name",)),
    Seam("ministack.services.eventbridge", "_dispatch_event", ("event", "view")),
)

# Several threads, so that one slow target does not stop all deliveries. They share only Python's own lock.
_deliveries = ThreadPoolExecutor(4, "s3-events")
_version: contextvars.ContextVar[str | None] = contextvars.ContextVar("gatehouse_event_version", default=None)


def install() -> None:
    """Correct the structure of S3's events on EventBridge."""
    check(SEAMS)
    dispatch = eventbridge._dispatch_event

    def dispatch_event(event: dict[str, Any], view: Any = None) -> None:
        if event.get("Source") == "aws.s3" and view is None:
            event = {**event, "Detail": _detail(event["Detail"]), "Time": f"{event['Time'][:19]}Z"}
        dispatch(event, view)

    eventbridge._dispatch_event = dispatch_event
    s3._fire_s3_event_async = _fire


def _fire(
    bucket_name: str,
    key: str,
    event_name: str,
    size: int = 0,
    etag: str = "",
    deletion_type: str | None = None,
    version_id: str | None = None,
    object_extra: dict[str, Any] | None = None,
    record_extra: dict[str, Any] | None = None,
) -> None:
    """Deliver an event in the background; see `s3._fire_s3_event_async`."""
    # Who hears of it is decided as the object is written; the delivery looks again.
    notifications = s3._bucket_notifications.get(bucket_name, "")
    if "EventBridgeConfiguration" not in notifications and not s3._parse_notification_config(bucket_name):
        return
    # Taken here, in the order of the requests.
    sequencer = s3._next_event_sequencer(event_name)

    def deliver() -> None:
        _version.set(version_id)
        s3._fire_s3_event(
            bucket_name,
            key,
            event_name,
            size,
            etag,
            deletion_type,
            version_id=version_id,
            sequencer=sequencer,
            object_extra=object_extra,
            record_extra=record_extra,
        )

    # The context has the request's account and region.
    _deliveries.submit(contextvars.copy_context().run, deliver)


def _detail(text: str) -> str:
    detail = json.loads(text)
    detail.pop("event-version", None)
    if version := _version.get():
        detail["object"]["version-id"] = version
    return json.dumps(detail)
