"""Where that stands which the bucket has now: the newest verdict may be about bytes that were overwritten."""

from dataclasses import replace
from datetime import datetime

from gatehouse.cli.aws.verdict_table import OperatorsVerdictTable
from gatehouse.cli.verdict.absence import Absence, AbsenceSearch, Reason, Why, bucket_and_key
from gatehouse.cli.verdict.standing import Standing
from gatehouse.moderation.confirmation import speaks_of
from gatehouse.moderation.upload import version_named

_DELETED = "The bucket no longer has the object."
_RESTORED = "It is not the newest upload: a newer one was deleted, so the bucket has this one again."


def current_standing(table: OperatorsVerdictTable, search: AbsenceSearch, uri: str, now: datetime) -> Standing:
    """Where the current bytes of an object stand: one Query and one HeadObject where its newest item is about them.

    Raises:
        CommandError: an item or the lanes can't be read.
        ClientError: a call failed.
    """
    item = table.newest(uri)
    if item is None:
        return Standing(uri, absence=search.of(uri, now))
    newest = Standing.of_item(uri, item)
    if bucket_and_key(uri)[0] != search.deployment.upload_bucket:
        return newest
    stored, unread = search.stored(uri)
    if unread:
        return replace(newest, note=f"{unread.text} It may be overwritten.")
    if stored is None:
        return replace(newest, note=_DELETED)
    if newest.upload and speaks_of(newest.upload, stored.identity):
        return newest
    for older in table.of_object(uri):
        standing = Standing.of_item(uri, older)
        if standing.upload and speaks_of(standing.upload, stored.identity):
            return replace(standing, note=_RESTORED)
    return Standing(uri, absence=search.of_stored(uri, stored, now), earlier=newest)


def version_absence(
    search: AbsenceSearch, uri: str, version: str | None, version_id: str | None, now: datetime
) -> Absence:
    """Why there is no verdict of a version that was named; the object's current one may be on its way.

    Raises:
        CommandError, ClientError: see `AbsenceSearch.of`.
    """
    if version_id and bucket_and_key(uri)[0] == search.deployment.upload_bucket:
        stored, unread = search.stored(uri)
        if stored and stored.identity.version_id == version_named(version_id):
            return search.of_stored(uri, stored, now)
        if unread:
            return Absence((_other_version(version_id), unread))
    return Absence((_other_version(version or version_id),))


def _other_version(version: str | None) -> Reason:
    return Reason(
        Why.NOT_THIS_VERSION,
        f"No verdict is kept of version {version}; leave the version out to see what the bucket has now.",
    )
