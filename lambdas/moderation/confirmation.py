"""Whether an analysis that could not name a version really spoke of the upload's bytes.

A manifest names an object, not a version, so a media analysis job reads whatever is current when it gets there; and
without versioning there is no version to name. Before such an analysis may approve an upload, what is stored now is
compared with what was uploaded. Every doubt ends in a failure or in another analysis, never in an approval.
"""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, unquote_plus

from lambdas.moderation.upload import Upload
from lambdas.moderation.verdict import Failure

#: The upload's bytes are gone, or nothing can tell whether they are still there: no other analysis would help.
SUPERSEDED = "Superseded"
UNCONFIRMABLE = "Unconfirmable"
UNREPEATABLE = frozenset({SUPERSEDED, UNCONFIRMABLE})


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What HeadObject says of the current version. `last_modified` is ISO 8601 in UTC, cut to whole seconds."""

    version_id: str | None
    etag: str
    last_modified: str


def doubt(
    upload: Upload, claimed_at: str, stored: StoredObject | None, aliases: Mapping[str, bool] | None = None
) -> Failure | None:
    """Why the analysis can't approve this upload, or None if its bytes were the ones analysed.

    Args:
        upload: the upload an unpinned analysis would approve.
        claimed_at: when its batch claimed it: before the job was started. Bytes stored later may have been analysed.
        stored: the object's current version after the job ended, None if there is none.
        aliases: for each name in `aliases_of(key)`, whether an object of that name exists or did.

    Without versioning the time of the last change tells that the same bytes were not put back after others had been
    analysed. For a multipart upload that time is when it was begun (S3 User Guide, UsingMetadata.html), which may be
    long before, so it tells nothing; such an upload has a dash in its etag.
    """
    if existing := sorted(name for name, exists in (aliases or {}).items() if exists):
        message = f"the manifest's line could also be read as the existing object {existing[0]!r}"
        return Failure("NotAnalyzed", message)
    if upload.pin is not None:
        if stored is not None and stored.version_id == upload.pin:
            return None
        return Failure("NotAnalyzed", "another version of the object was current when it was analysed or soon after")
    if aliases:
        message = "without versioning, nobody can tell which object a key with %, +, ?, # or dots was read as"
        return Failure("NotAnalyzed", f"{message}; turn on versioning")
    if "-" in upload.etag:
        message = "a multipart upload in a bucket without versioning can't be told from a repetition of itself"
        return Failure(UNCONFIRMABLE, f"{message}; turn on versioning")
    if stored is None:
        return Failure(SUPERSEDED, "the object was deleted before its analysis could be confirmed")
    if stored.etag != upload.etag or stored.last_modified > claimed_at:
        return Failure(SUPERSEDED, "the object was overwritten; the upload that did it has a verdict of its own")
    return None


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
