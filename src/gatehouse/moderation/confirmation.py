"""Whether an analysis that could not name a version really spoke of the upload's bytes, and whether a verdict does.

A manifest names an object, not a version, so a media analysis job reads whatever is current when it gets there; and
without versioning there is no version to name. Before such an analysis may approve an upload, what is stored now is
compared with what was uploaded. Every doubt ends in a failure or in another analysis, never in an approval.

An ETag is no fingerprint: it is an MD5 of the bytes at best (S3 API reference, Object), and different images can be
made to have the same one. Without a version id, the time of the last modification has to fit as well.
"""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, unquote_plus

from gatehouse.moderation.failure import Failure
from gatehouse.moderation.moment import second
from gatehouse.moderation.upload import Upload

#: The upload's bytes are gone, or nothing can tell whether they are still there: no other analysis would help.
SUPERSEDED = "Superseded"
UNCONFIRMABLE = "Unconfirmable"
#: They can't be read before somebody restores them, or lets us.
_ARCHIVED = "Archived"
_FORBIDDEN = "Forbidden"

#: Codes of doubts that no other analysis will ever remove; and of all that the image engine would not remove now.
UNREPEATABLE = frozenset({SUPERSEDED, UNCONFIRMABLE})
DEFINITE_CODES = UNREPEATABLE | {_ARCHIVED, _FORBIDDEN}

GONE = Failure(SUPERSEDED, "the object was deleted before its analysis could be confirmed")
REPLACED = Failure(SUPERSEDED, "the object was overwritten; the upload that did it has a verdict of its own")
ARCHIVED = Failure(_ARCHIVED, "the object was archived before its approval could be confirmed; restore it, then retry")
FORBIDDEN = Failure(
    _FORBIDDEN, "S3 let us read other objects and not this one, to confirm its approval; let us read it, then retry"
)


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What S3 says of a version of an object.

    Attributes:
        version_id: None where the object is overwritten in place (`upload.version_named`).
        etag: without quotes.
        last_modified: ISO 8601 in UTC, cut to whole seconds.
    """

    version_id: str | None
    etag: str
    last_modified: str


def speaks_of(upload: Upload, stored: StoredObject) -> bool:
    """Whether a verdict on the upload is about what is stored: what a reader asks before an object is shown.

    Without a version id, equal ETags are not enough: what was modified after the upload, to the second, is another one.
    """
    if (upload.version_id, upload.etag) != (stored.version_id, stored.etag):
        return False
    return upload.version_id is not None or second(stored.last_modified) <= second(upload.uploaded_at)


def doubt(
    upload: Upload, claimed_at: str, stored: StoredObject | None, aliases: Mapping[str, bool] | None = None
) -> Failure | None:
    """Why the analysis can't approve this upload, or None if its bytes were the ones analyzed.

    Args:
        upload: the upload an unpinned analysis would approve.
        claimed_at: when its batch claimed it: before the analysis began. Bytes stored later may have been analyzed.
        stored: the object's current version after the analysis ended, None if there is none.
        aliases: for each name in `aliases_of(key)`, whether an object of that name exists or did.

    For a multipart upload the time of the last modification is when it was begun (S3 User Guide, UsingMetadata.html),
    which may be long before, so it tells nothing; such an upload has a dash in its etag.
    """
    if existing := sorted(name for name, exists in (aliases or {}).items() if exists):
        message = f"the manifest's line could also be read as the existing object {existing[0]!r}"
        return Failure("NotAnalyzed", message)
    if upload.version_id is not None:
        if stored is not None and stored.version_id == upload.version_id:
            return None
        return Failure("NotAnalyzed", "another version of the object was current when it was analyzed or soon after")
    if aliases:
        message = "without versioning, nobody can tell which object a key with %, +, ?, # or dots was read as"
        return Failure("NotAnalyzed", f"{message}; turn on versioning")
    if "-" in upload.etag:
        message = "a multipart upload in a bucket without versioning can't be told from a repetition of itself"
        return Failure(UNCONFIRMABLE, f"{message}; turn on versioning")
    if stored is None:
        return GONE
    if stored.etag != upload.etag or _was_modified_since(upload, claimed_at, stored):
        return REPLACED
    return None


def _was_modified_since(upload: Upload, claimed_at: str, stored: StoredObject) -> bool:
    """Whether an object without versions may have been put back after other bytes were analyzed.

    Bytes that are put back after the analysis are modified neither before the claim nor before the upload's event. S3
    tells the second only, so within the second of the claim the event decides: modified in a second after the event's
    means put back, or at least stored again. What happens within the event's own second nobody can tell apart.
    """
    modified = second(stored.last_modified)
    return modified >= second(claimed_at) and modified > second(upload.uploaded_at)


def aliases_of(key: str) -> tuple[str, ...]:
    """Other objects a reader that decodes URIs or tidies paths would take `key` for: empty for a plain key.

    AWS does not document whether a manifest's source-ref is read as plain text or as an encoded URI. Where the two
    readings name different objects, an approval needs to know that the other object does not exist.
    """
    readings = {key.split("?", 1)[0], key.split("#", 1)[0], key}
    decoded = {decode(reading) for reading in readings for decode in (str, unquote, unquote_plus)}
    tidied = {posixpath.normpath(reading).lstrip("/") for reading in decoded}
    stripped = {reading.strip() for reading in decoded}
    return tuple(sorted((decoded | tidied | stripped) - {key, "", "."}))
