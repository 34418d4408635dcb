"""An upload: one version of one S3 object, as EventBridge reports it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gatehouse.moderation.document import whole
from gatehouse.moderation.moment import iso

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

#: Far beyond any S3 object, and within the 38 digits of a DynamoDB number.
_SIZE_LIMIT = 2**63


class UnreadableUploadError(ValueError):
    """What is about an upload lacks what a verdict can't do without, or is in a form that is not read."""


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
        return cls.from_event({"name": document["bucket"]}, stored, {"time": document["uploaded_at"]})

    @classmethod
    def from_event(cls, bucket: Mapping[str, Any], stored: Mapping[str, Any], event: Mapping[str, Any]) -> "Upload":
        """The upload of an event, and of the `bucket` and `object` in its detail.

        Raises:
            UnreadableUploadError: a field that a verdict can't do without is missing, or is none that S3 gives.
        """
        return cls(
            bucket=_bucket(bucket),
            key=_text(stored, "key"),
            version_id=version_named(_optional_text(stored, "version-id")),
            etag=_etag(stored),
            size=_size(stored),
            sequencer=_sequencer(stored),
            uploaded_at=_time(event),
        )


def version_named(version_id: str | None) -> str | None:
    """A version id, or None if it names no version.

    Where a version id comes in, from S3, an event, an item or a person, it goes through here: beyond, None is the only
    way to have no version.
    """
    return None if version_id in _NO_VERSION else version_id


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
