"""An upload's event, as a queue message carries it: EventBridge's "Object Created", or ours that put one back."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gatehouse.moderation.upload import UnreadableUploadError, Upload

#: Name of what we add to an event that is put into a queue again.
_OURS = "gatehouse"

#: How the names of S3's older notifications begin where an object was created.
_OLDER_CREATED = ("ObjectCreated", "s3:ObjectCreated")


class MalformedMessageError(ValueError):
    """A queue message that is no S3 event: it belongs in the dead-letter queue, since no verdict fits it."""


@dataclass(frozen=True, slots=True)
class UploadEvent:
    """What a message says.

    Attributes:
        is_readmitted: whether we put it into its queue. EventBridge passes events of S3 on as they are, and no uploader
            can add to them: only who may send to the queue can say so.
        resubmit_of: the batch that the upload is to be taken from, to begin anew; None if the message names none.
    """

    upload: Upload
    is_readmitted: bool = False
    resubmit_of: str | None = None


def parse_event(body: str) -> UploadEvent | None:
    """Read the body of a queue message: an EventBridge "Object Created" event, untransformed.

    Returns:
        The event, or None for a message that is an S3 event but creates nothing: a test event, a delete.

    Raises:
        UnreadableUploadError: the body is about an upload and lacks a field a verdict can't do without, or is an S3
            notification of the older kind.
        MalformedMessageError: the body is anything else.

    The key is read as it stands: EventBridge events carry it raw, while the older notifications to SQS encode it.
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
        raise UnreadableUploadError("the message is EventBridge's event in an envelope of SNS; only bare ones are read")
    if event.get("source") != "aws.s3" or not isinstance(event.get("detail-type"), str):
        raise MalformedMessageError("the message is not an event of S3 through EventBridge")
    if not _is_created(event):
        return None
    detail = _mapping(event, "detail")
    upload = Upload.from_event(_mapping(detail, "bucket"), _mapping(detail, "object"), event)
    ours = event.get(_OURS)
    if not isinstance(ours, dict):
        return UploadEvent(upload)
    batch_id = ours.get("resubmit_of")
    return UploadEvent(upload, is_readmitted=True, resubmit_of=batch_id if isinstance(batch_id, str) else None)


def readmission_message(upload: Upload, resubmit_of: str | None = None) -> str:
    """The upload's event once more, for its lane's queue: `parse_event` reads the same upload from it, put back by us.

    Args:
        resubmit_of: the batch that left the upload FAILED or PENDING, where another one is to begin anew.
    """
    stored = {"key": upload.key, "size": upload.size, "etag": upload.etag, "sequencer": upload.sequencer}
    if upload.version_id is not None:
        stored["version-id"] = upload.version_id
    event: dict[str, Any] = {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "time": upload.uploaded_at,
        "detail": {"bucket": {"name": upload.bucket}, "object": stored},
    }
    event[_OURS] = {} if resubmit_of is None else {"resubmit_of": resubmit_of}
    return json.dumps(event, separators=(",", ":"))


def _is_created(event: Mapping[str, Any]) -> bool:
    return (event.get("source"), event.get("detail-type")) == ("aws.s3", "Object Created")


def _is_older_notification(event: Mapping[str, Any]) -> bool:
    """Whether a message is what S3 itself sends to SQS or SNS about an upload (S3 User Guide,
    notification-content-structure.html). A record that does not say what happened may be about one."""
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
    """What an SNS topic was given to send on to SQS (SNS Developer Guide, sns-sqs-as-subscriber.html)."""
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
