"""An upload: one version of one S3 object, as EventBridge told us of it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gatehouse.moderation.document import whole

#: Sequencers are hexadecimal and differ in length; S3's rule is to pad the shorter one with zeros on the left before
#: comparing (S3 User Guide, notification-content-structure.html). AWS shows 16 to 18 digits; no maximum is documented.
SEQUENCER_DIGITS = 40

#: S3 object limit of DetectModerationLabels (Rekognition Developer Guide, limits.html).
MAX_IMAGE_BYTES = 15 * 1024 * 1024

#: An S3 key is at most 1,024 bytes of UTF-8 (S3 User Guide, object-keys.html), and so is a version id.
MAX_TEXT_BYTES = 1024

#: Buckets made before 2018 may have up to 255 characters (S3 User Guide, bucketnamingrules.html). With such a bucket
#: and any key, `s3://bucket/key` fits a partition key's 2,048 bytes.
_BUCKET = re.compile(r"[A-Za-z0-9._-]{3,255}")

#: How "no version" is said. An object that was stored before versioning, or while it is suspended, has the version id
#: `null`, and is overwritten in place while there is no versioning (S3 User Guide, versioning-workflows.html). Events
#: from before name no version; what they say while versioning is suspended is not documented.
_NO_VERSION = (None, "", "null")

#: Name of what we add to an event that is put into a queue again.
_OURS = "gatehouse"

#: How the names of S3's older notifications begin where an object was created.
_OLDER_CREATED = ("ObjectCreated", "s3:ObjectCreated")

#: Far beyond any S3 object, and within the 38 digits of a DynamoDB number.
_SIZE_LIMIT = 2**63


class MalformedMessageError(ValueError):
    """A queue message that is no S3 event: it belongs in the dead-letter queue, since no verdict fits it."""


class UnreadableUploadError(MalformedMessageError):
    """A queue message that is about an upload, in a form that is not read: it must not be lost, either."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One version of one object.

    Attributes:
        key: raw, exactly as S3 stores it.
        version_id: names these bytes and no others; None where the object is overwritten in place (`version_named`).
        etag: without quotes.
        size: bytes.
        sequencer: S3's hexadecimal order of events of one key.
        uploaded_at: the event's time, ISO 8601, UTC, milliseconds.
    """

    bucket: str
    key: str
    version_id: str | None
    etag: str
    size: int
    sequencer: str
    uploaded_at: str

    @property
    def object(self) -> str:
        """`s3://bucket/key`, the verdict table's partition key and the manifest's source-ref."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def version(self) -> str:
        """The verdict table's sort key: orders the uploads of one key, and is the same for duplicate events."""
        return self.sequencer.lower().zfill(SEQUENCER_DIGITS)

    @property
    def identity(self) -> tuple[str, str]:
        """What makes two messages speak of the same upload."""
        return self.object, self.version

    def to_document(self) -> dict[str, Any]:
        """The upload as the uploads index carries it."""
        return {
            "bucket": self.bucket,
            "key": self.key,
            "version_id": self.version_id,
            "etag": self.etag,
            "size": self.size,
            "sequencer": self.sequencer,
            "uploaded_at": self.uploaded_at,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Upload":
        """The upload that an index line or an item carries; without versioning either may lack the version id.

        Raises:
            KeyError, TypeError, ValueError: the document is not one of ours. It is held to what an event is held to, so
                that whatever is read again fits the table.
        """
        stored = {name: document.get(name) for name in ("key", "etag", "sequencer")}
        stored |= {"version-id": document.get("version_id"), "size": whole(document["size"])}
        return _upload({"name": document["bucket"]}, stored, {"time": document["uploaded_at"]})


def version_named(told: str | None) -> str | None:
    """The version id that somebody told, or None if it names no version.

    Where a version id comes in, from S3, an event, an item or a person, it goes through here: beyond, None is the only
    way to have no version.
    """
    return None if told in _NO_VERSION else told


def parse_message(body: str) -> Upload | None:
    """Read the body of a queue message: an EventBridge "Object Created" event, untransformed.

    Returns:
        The upload, or None for a message that is an S3 event but creates nothing: a test event, a delete.

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
    bucket, stored = _mapping(detail, "bucket"), _mapping(detail, "object")
    return _upload(bucket, stored, event)


def readmission_message(upload: Upload, resubmit_of: str | None = None) -> str:
    """The upload's event once more, for its lane's queue; `parse_message` reads the same upload from it.

    It says that it is ours. EventBridge passes events of S3 on as they are, and no uploader can add to them: only who
    may send to the queue can say so.

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


def is_readmitted(body: str) -> bool:
    """Whether a message that `parse_message` could read was put into its queue by us."""
    return _ours(body) is not None


def resubmitted_batch(body: str) -> str | None:
    """The batch that a message that `parse_message` could read wants its upload taken from; None if it names none."""
    batch_id = (_ours(body) or {}).get("resubmit_of")
    return batch_id if isinstance(batch_id, str) else None


def _ours(body: str) -> Mapping[str, Any] | None:
    if f'"{_OURS}"' not in body:
        return None
    ours = json.loads(body).get(_OURS)
    return ours if isinstance(ours, dict) else None


def _upload(bucket: Mapping[str, Any], stored: Mapping[str, Any], event: Mapping[str, Any]) -> Upload:
    """The upload of an event, and of the `bucket` and `object` in its detail."""
    return Upload(
        bucket=_bucket(bucket),
        key=_text(stored, "key"),
        version_id=version_named(_optional_text(stored, "version-id")),
        etag=_etag(stored),
        size=_size(stored),
        sequencer=_sequencer(stored),
        uploaded_at=_time(event),
    )


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


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise UnreadableUploadError(f"the event has no {name}")
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        raise UnreadableUploadError(f"the event's {name} is not valid Unicode") from error
    if size > MAX_TEXT_BYTES:
        raise UnreadableUploadError(f"the event's {name} has {size} bytes; S3 allows {MAX_TEXT_BYTES}")
    return value


def _optional_text(fields: Mapping[str, Any], name: str) -> str | None:
    return None if fields.get(name) in (None, "") else _text(fields, name)


def _bucket(fields: Mapping[str, Any]) -> str:
    name = _text(fields, "name")
    if not _BUCKET.fullmatch(name):
        raise UnreadableUploadError("the event names no bucket that S3 could have")
    return name


def _etag(stored: Mapping[str, Any]) -> str:
    etag = _text(stored, "etag").strip('"')
    if not etag:
        raise UnreadableUploadError("the event has no etag")
    return etag


def _size(stored: Mapping[str, Any]) -> int:
    size = stored.get("size")
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size < _SIZE_LIMIT:
        raise UnreadableUploadError("the event has no size")
    return size


def _sequencer(stored: Mapping[str, Any]) -> str:
    sequencer = _text(stored, "sequencer")
    if len(sequencer) > SEQUENCER_DIGITS or not all(digit in "0123456789abcdefABCDEF" for digit in sequencer):
        raise UnreadableUploadError("the event's sequencer is not a hexadecimal number we can order")
    return sequencer


def _time(event: Mapping[str, Any]) -> str:
    time = _text(event, "time")
    try:
        moment = datetime.fromisoformat(time)
        return iso(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise UnreadableUploadError(f"the event's time {time!r} is not ISO 8601") from error


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and a Z: one fixed width, so that text sorts as time does."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def second(moment: str) -> str:
    """The second of an ISO time in UTC: S3 says no more of when an object was modified. Text sorts as time does."""
    return moment[: len("2026-01-01T00:00:00")]
