"""What a queue message says: EventBridge's "Object Created", a readmission message, or an object that was listed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gatehouse.moderation.listed_version import ListedVersion
from gatehouse.moderation.upload import FIRST, UnreadableUploadError, Upload

#: Name of the field that a readmission message adds to the event, and the source of messages about listed objects.
_OURS = "gatehouse"

#: What EventBridge's events and our messages about listed objects say in `source` and `detail-type`. The lanes' rules
#: let only S3's events through, so that a message about a listed object is from a principal that can send to the queue.
_CREATED = ("aws.s3", "Object Created")
_LISTED = (_OURS, "Object Listed")

#: Prefixes of the event names in S3's older notifications about created objects.
_OLDER_CREATED = ("ObjectCreated", "s3:ObjectCreated")


class MalformedMessageError(ValueError):
    """A queue message is not an S3 event. It belongs in the dead-letter queue, because it can't have a verdict."""


@dataclass(frozen=True, slots=True)
class UploadEvent:
    """The content of a message.

    Attributes:
        is_readmitted: whether it is a readmission message. EventBridge passes S3's events unchanged, and an uploader
            can't add to them: only a principal that can send to the queue can set this.
        resubmit_of: the batch that the upload is taken from to be analyzed again; None if the message names none.
    """

    upload: Upload
    is_readmitted: bool = False
    resubmit_of: str | None = None


def parse_event(body: str) -> UploadEvent | ListedVersion | None:
    """Read the body of a queue message: an EventBridge "Object Created" event, untransformed, or a message of ours.

    Returns:
        The event, or the object that was listed; None for an S3 event that is not about a created object: a test event,
        a delete.

    Raises:
        UnreadableUploadError: the body is about an upload but lacks a field that a verdict needs, or it is an S3
            notification of the older kind.
        MalformedMessageError: the body is anything else.

    The key is not decoded: EventBridge events contain it unencoded, unlike the older notifications to SQS.
    """
    try:
        event = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedMessageError(f"the message is not JSON: {error}") from error
    if not isinstance(event, dict):
        raise MalformedMessageError("the message is not an event")
    if event.get("Event") == "s3:TestEvent":
        return None
    inner = _without_envelope(event)
    if _is_older_notification(inner):
        raise UnreadableUploadError("the message is an S3 notification of the older kind; only EventBridge's are read")
    if inner is not event and _is_created(inner):
        raise UnreadableUploadError("the message is an EventBridge event in an SNS envelope; only bare events are read")
    if _kind(event) == _LISTED:
        return _listed(event)
    if event.get("source") != "aws.s3" or not isinstance(event.get("detail-type"), str):
        raise MalformedMessageError("the message is not an S3 event from EventBridge")
    if not _is_created(event):
        return None
    detail = _mapping(event, "detail")
    stored = {name: value for name, value in _mapping(detail, "object").items() if name != "listed_after"}
    return _upload_event(Upload.from_event(_mapping(detail, "bucket"), stored, event), event)


def _listed(event: Mapping[str, Any]) -> UploadEvent | ListedVersion:
    """A message about an object that was listed, or that readmits it: then it has its place."""
    detail = _mapping(event, "detail")
    stored = {"listed_after": FIRST, **_mapping(detail, "object")}
    upload = Upload.from_event(_mapping(detail, "bucket"), stored, event)
    if isinstance(event.get(_OURS), dict):
        return _upload_event(upload, event)
    return ListedVersion(
        upload.bucket, upload.key, upload.version_id, upload.etag, upload.size, modified_at=upload.uploaded_at
    )


def _upload_event(upload: Upload, event: Mapping[str, Any]) -> UploadEvent:
    ours = event.get(_OURS)
    if not isinstance(ours, dict):
        return UploadEvent(upload)
    batch_id = ours.get("resubmit_of")
    return UploadEvent(upload, is_readmitted=True, resubmit_of=batch_id if isinstance(batch_id, str) else None)


def readmission_message(upload: Upload, resubmit_of: str | None = None) -> str:
    """A message that readmits the upload to its lane's queue: `parse_event` reads the same upload from it.

    Args:
        resubmit_of: the batch that left the upload FAILED or PENDING, if another batch should start over.
    """
    kind = _LISTED if upload.is_listed else _CREATED
    order = {"listed_after": upload.listed_after} if upload.is_listed else {"sequencer": upload.sequencer}
    event = _message(kind, upload, upload.uploaded_at, order)
    event[_OURS] = {} if resubmit_of is None else {"resubmit_of": resubmit_of}
    return json.dumps(event, separators=(",", ":"))


def listing_message(listed: ListedVersion) -> str:
    """A message about an object that was listed: `parse_event` reads the same one from it."""
    return json.dumps(_message(_LISTED, listed, listed.modified_at, {}), separators=(",", ":"))


def _message(
    kind: tuple[str, str], version: Upload | ListedVersion, time: str, order: Mapping[str, Any]
) -> dict[str, Any]:
    stored = {"key": version.key, "size": version.size, "etag": version.etag, **order}
    if version.version_id is not None:
        stored["version-id"] = version.version_id
    source, detail_type = kind
    detail = {"bucket": {"name": version.bucket}, "object": stored}
    return {"source": source, "detail-type": detail_type, "time": time, "detail": detail}


def _kind(event: Mapping[str, Any]) -> tuple[Any, Any]:
    return event.get("source"), event.get("detail-type")


def _is_created(event: Mapping[str, Any]) -> bool:
    return _kind(event) == _CREATED


def _is_older_notification(event: Mapping[str, Any]) -> bool:
    """Whether a message is an upload notification that S3 itself sends to SQS or SNS (S3 User Guide,
    notification-content-structure.html). A record without an event name may be one."""
    records = event.get("Records")
    return isinstance(records, list) and any(
        isinstance(record, dict)
        and (record.get("eventSource") == "aws:s3" or ("eventSource" not in record and "s3" in record))
        and _may_be_created(record.get("eventName"))
        for record in records
    )


def _may_be_created(event_name: Any) -> bool:
    return not isinstance(event_name, str) or event_name.startswith(_OLDER_CREATED)


def _without_envelope(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """The message inside an SNS notification (SNS Developer Guide, sns-sqs-as-subscriber.html), or the event itself."""
    if event.get("Type") != "Notification" or not isinstance(event.get("Message"), str):
        return event
    try:
        inner = json.loads(event["Message"])
    except (ValueError, RecursionError):
        return event
    return inner if isinstance(inner, dict) else event


def _mapping(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = fields.get(name)
    if not isinstance(value, dict):
        raise UnreadableUploadError(f"the event has no {name}")
    return value
