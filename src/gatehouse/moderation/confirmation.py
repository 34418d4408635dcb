"""Checks whether an analysis that named no version, or a verdict, is about the bytes that were uploaded.

A manifest names an object, not a version, so a media analysis job reads the version that is current at that moment; and
without versioning there is no version to name. Before such an analysis can approve an upload, the stored object is
compared with the upload. Any doubt results in a failure or in another analysis, never in an approval.

An ETag does not identify content: it is an MD5 of the bytes at best (S3 API reference, Object), and it is possible to
make different images with the same MD5. Without a version id, the time of the last modification has to match as well.
"""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, unquote_plus

from gatehouse.moderation.failure import Failure
from gatehouse.moderation.moment import second
from gatehouse.moderation.upload import Upload

#: The upload's bytes are gone, or nothing shows whether they still exist. Another analysis would not help.
SUPERSEDED = "Superseded"
UNCONFIRMABLE = "Unconfirmable"
#: The bytes can't be read until somebody restores them, or grants access.
_ARCHIVED = "Archived"
_FORBIDDEN = "Forbidden"

#: Codes of doubts that another analysis can never settle; and of all those that the image engine can't settle now.
UNREPEATABLE = frozenset({SUPERSEDED, UNCONFIRMABLE})
DEFINITE_CODES = UNREPEATABLE | {_ARCHIVED, _FORBIDDEN}

GONE = Failure(SUPERSEDED, "the object was deleted before its analysis could be confirmed")
REPLACED = Failure(SUPERSEDED, "the object was overwritten; the upload that replaced it has its own verdict")
ARCHIVED = Failure(_ARCHIVED, "the object was archived before its approval could be confirmed; restore it, then retry")
FORBIDDEN = Failure(
    _FORBIDDEN, "S3 denied reading this object, but not others, to confirm its approval; grant access to it, then retry"
)


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What S3 reports about a version of an object.

    Attributes:
        version_id: None if the object is overwritten in place (`upload.version_named`).
        etag: without quotes.
        last_modified: ISO 8601 in UTC, truncated to whole seconds.
    """

    version_id: str | None
    etag: str
    last_modified: str


def speaks_of(upload: Upload, stored: StoredObject) -> bool:
    """Whether a verdict on the upload is about the stored object. A reader must check this before showing the object.

    Without a version id, equal ETags are not enough: an object modified in a later second than the upload's is
    considered different.
    """
    if (upload.version_id, upload.etag) != (stored.version_id, stored.etag):
        return False
    return upload.version_id is not None or second(stored.last_modified) <= second(upload.uploaded_at)


def doubt(
    upload: Upload, claimed_at: str, stored: StoredObject | None, aliases: Mapping[str, bool] | None = None
) -> Failure | None:
    """Why the analysis can't approve this upload, or None if its bytes were the ones analyzed.

    Args:
        upload: the upload that an unpinned analysis would approve.
        claimed_at: when its batch claimed it, which is before the analysis began. Bytes stored later may be the ones
            that were analyzed.
        stored: the object's current version after the analysis ended, or None if there is none.
        aliases: for each name in `aliases_of(key)`, whether an object with that name exists or existed.

    For a multipart upload, the time of the last modification is when it was initiated (S3 User Guide,
    UsingMetadata.html). That may be long before, so it proves nothing. Such an upload has a hyphen in its ETag.
    """
    if existing := sorted(name for name, exists in (aliases or {}).items() if exists):
        message = f"the manifest's line can also be read as the object {existing[0]!r}, which exists"
        return Failure("NotAnalyzed", message)
    if upload.version_id is not None:
        if stored is not None and stored.version_id == upload.version_id:
            return None
        return Failure("NotAnalyzed", "another version of the object was current during or soon after the analysis")
    if aliases:
        message = "without versioning, it is unknown which object a key with %, +, ?, # or dots was read as"
        return Failure("NotAnalyzed", f"{message}; turn on versioning")
    if "-" in upload.etag:
        message = "in a bucket without versioning, a multipart upload can't be distinguished from a later identical one"
        return Failure(UNCONFIRMABLE, f"{message}; turn on versioning")
    if stored is None:
        return GONE
    if stored.etag != upload.etag or _was_modified_since(upload, claimed_at, stored):
        return REPLACED
    return None


def _was_modified_since(upload: Upload, claimed_at: str, stored: StoredObject) -> bool:
    """Whether an object without versions may have been restored after other bytes were analyzed.

    If the bytes were restored after the analysis, they were modified after both the claim and the upload's event. S3
    reports whole seconds, so within the second of the claim the event decides: an object modified in a later second
    than the event's was stored again. Changes within the event's own second can't be distinguished.
    """
    modified = second(stored.last_modified)
    return modified >= second(claimed_at) and modified > second(upload.uploaded_at)


def aliases_of(key: str) -> tuple[str, ...]:
    """The other keys that a reader that decodes URIs or normalizes paths could read `key` as; none for a plain key.

    AWS does not document whether a manifest's source-ref is read as plain text or as an encoded URI. If the two
    readings name different objects, an approval requires that the other object does not exist.
    """
    readings = {key.split("?", 1)[0], key.split("#", 1)[0], key}
    decoded = {decode(reading) for reading in readings for decode in (str, unquote, unquote_plus)}
    tidied = {posixpath.normpath(reading).lstrip("/") for reading in decoded}
    stripped = {reading.strip() for reading in decoded}
    return tuple(sorted((decoded | tidied | stripped) - {key, "", "."}))
