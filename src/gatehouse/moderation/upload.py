"""An upload: one version of one S3 object, as EventBridge reports it, or as it was found in a listing."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gatehouse.moderation.document import whole
from gatehouse.moderation.moment import iso

#: Sequencers are hexadecimal and vary in length. To compare them, pad the shorter one with zeros on the left (S3 User
#: Guide, notification-content-structure.html). AWS's examples have 16 to 18 digits; no maximum is documented.
SEQUENCER_DIGITS = 40

#: What an object from a listing is placed after if no older upload of its key is known.
FIRST = "0" * SEQUENCER_DIGITS

#: Digits of the hash that tells two listed versions of one second apart.
_HASH_DIGITS = 16

#: `version` of an item: of an upload with an event, or of a listed object.
VERSION_PATTERN = re.compile(
    rf"[0-9a-f]{{{SEQUENCER_DIGITS}}}(~\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z~[0-9a-f]{{{_HASH_DIGITS}}})?"
)
_PLACE = re.compile(rf"[0-9a-f]{{{SEQUENCER_DIGITS}}}")

#: Size limit of DetectModerationLabels for S3 objects (Rekognition Developer Guide, limits.html).
MAX_IMAGE_BYTES = 15 * 1024 * 1024

#: An S3 key is at most 1,024 bytes of UTF-8 (S3 User Guide, object-keys.html), and so is a version id.
MAX_TEXT_BYTES = 1024

#: Buckets created before 2018 can have names of up to 255 characters (S3 User Guide, bucketnamingrules.html). Even with
#: such a bucket, `s3://bucket/key` fits into a partition key's 2,048 bytes.
_BUCKET = re.compile(r"[A-Za-z0-9._-]{3,255}")

#: Values that mean "no version". An object stored before versioning was enabled, or while it is suspended, has the
#: version id `null`, and is overwritten in place without versioning (S3 User Guide, versioning-workflows.html). Events
#: of a bucket without versioning have no version id; what they have while it is suspended is not documented.
_NO_VERSION = (None, "", "null")

#: Far above the size of any S3 object, and within the 38 digits of a DynamoDB number.
_SIZE_LIMIT = 2**63


class UnreadableUploadError(ValueError):
    """A message about an upload lacks a field that a verdict needs, or has an unsupported format."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One version of one object.

    Attributes:
        key: not encoded, exactly as S3 stores it.
        version_id: identifies these bytes; None if the object is overwritten in place (`version_named`).
        etag: without quotes.
        size: bytes.
        sequencer: S3's hexadecimal number that orders the events of one key; None for a listed object.
        uploaded_at: the event's time, or a listed object's LastModified; ISO 8601, UTC, milliseconds.
        listed_after: of a listed object, the sequencer of the newest upload known to be older, padded; `FIRST` if there
            is none. None for an upload with an event.
    """

    bucket: str
    key: str
    version_id: str | None
    etag: str
    size: int
    sequencer: str | None
    uploaded_at: str
    listed_after: str | None = None

    @property
    def is_listed(self) -> bool:
        """Whether it was found in a listing, without an event."""
        return self.listed_after is not None

    @property
    def object(self) -> str:
        """`s3://bucket/key`, the verdict table's partition key and the manifest's source-ref."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def version(self) -> str:
        """The verdict table's sort key. It orders the uploads of one key, and duplicate events have the same one.

        A tilde sorts after every digit, so that a listed object comes after the upload it is placed after, and before
        every later one.
        """
        if self.listed_after is None:
            return (self.sequencer or "").lower().zfill(SEQUENCER_DIGITS)
        digest = hashlib.sha256((self.version_id or self.etag).encode()).hexdigest()
        return f"{self.listed_after}~{self.uploaded_at}~{digest[:_HASH_DIGITS]}"

    @property
    def identity(self) -> tuple[str, str]:
        """Equal for two messages about the same upload."""
        return self.object, self.version

    def to_document(self) -> dict[str, Any]:
        """The upload as written into the uploads index."""
        placed = {"listed_after": self.listed_after} if self.is_listed else {"sequencer": self.sequencer}
        return {
            "bucket": self.bucket,
            "key": self.key,
            "version_id": self.version_id,
            "etag": self.etag,
            "size": self.size,
            "uploaded_at": self.uploaded_at,
            **placed,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Upload":
        """Read an upload from an index line or an item. Without versioning, either may lack the version id.

        Raises:
            KeyError, TypeError, ValueError: the document is malformed. The same checks apply as for an event, so that
                whatever is read fits the table.
        """
        stored = {name: document.get(name) for name in ("key", "etag", "sequencer", "listed_after")}
        stored |= {"version-id": document.get("version_id"), "size": whole(document["size"])}
        return cls.from_event({"name": document["bucket"]}, stored, {"time": document["uploaded_at"]})

    @classmethod
    def from_event(cls, bucket: Mapping[str, Any], stored: Mapping[str, Any], event: Mapping[str, Any]) -> "Upload":
        """Read an upload from an event and the `bucket` and `object` in its detail.

        A listed object that was placed has `listed_after` in place of a sequencer.

        Raises:
            UnreadableUploadError: a field that a verdict needs is missing, or has a value that S3 does not send.
        """
        return cls(
            bucket=_bucket(bucket),
            key=_text(stored, "key"),
            version_id=version_named(_optional_text(stored, "version-id")),
            etag=_etag(stored),
            size=_size(stored),
            sequencer=_sequencer(stored) if stored.get("listed_after") is None else None,
            uploaded_at=_time(event),
            listed_after=_listed_after(stored),
        )


def version_named(version_id: str | None) -> str | None:
    """A version id, or None if it names no version.

    Every version id from S3, an event, an item or a person goes through here. Everywhere else, None is the only value
    for no version.
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
        raise UnreadableUploadError("the event's bucket name is not valid")
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
        raise UnreadableUploadError(
            f"the event's sequencer is not a hexadecimal number of at most {SEQUENCER_DIGITS} digits"
        )
    return sequencer


def _listed_after(stored: Mapping[str, Any]) -> str | None:
    place = stored.get("listed_after")
    if place is not None and not (isinstance(place, str) and _PLACE.fullmatch(place)):
        raise UnreadableUploadError(f"listed_after is not a number of {SEQUENCER_DIGITS} hexadecimal digits")
    return place


def _time(event: Mapping[str, Any]) -> str:
    time = _text(event, "time")
    try:
        moment = datetime.fromisoformat(time)
        return iso(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise UnreadableUploadError(f"the event's time {time!r} is not ISO 8601") from error
