"""An object that a listing found: uploaded before Gatehouse watched the bucket, or with an event that never came.

It has no sequencer, so its place among the uploads of its key is found from the items that exist. The rule is
conservative: an object gets a place only if it sorts after every upload known to be older and before every upload known
to be newer. So an upload with an event, which has a greater sequencer than every older upload, is never hidden.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from gatehouse.moderation.confirmation import StoredObject, speaks_of
from gatehouse.moderation.moment import second
from gatehouse.moderation.upload import FIRST, SEQUENCER_DIGITS, Upload

#: How long after an upload S3 sends its event, at most, where the two have to be put in order.
_EVENT_DELAY = timedelta(minutes=1)


class NoPlace(StrEnum):
    """Why a listed object is not moderated."""

    #: The version no longer exists, or was overwritten in place: what replaced it has an event.
    GONE = "gone"
    #: Whether it is older or newer than an upload with an item is unknown: they came within a minute.
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class ListedVersion:
    """The current version of an object, as a listing has it.

    Attributes:
        version_id: None if the object is overwritten in place (`upload.version_named`).
        etag: without quotes.
        size: bytes.
        modified_at: LastModified, to the second; ISO 8601, UTC, milliseconds.
    """

    bucket: str
    key: str
    version_id: str | None
    etag: str
    size: int
    modified_at: str

    @property
    def object(self) -> str:
        """`s3://bucket/key`."""
        return f"s3://{self.bucket}/{self.key}"

    def among(self, known: Iterable[Upload]) -> Upload | None:
        """The upload that is this version, if it is known.

        Without a version id, an upload that was not modified after its event is the same one.
        """
        stored = StoredObject(self.version_id, self.etag, self.modified_at)
        return next(
            (
                upload
                for upload in known
                if (self.version_id is not None and upload.version_id == self.version_id)
                or (upload.size == self.size and speaks_of(upload, stored))
            ),
            None,
        )

    def placed(self, known: Sequence[Upload], order: Sequence[str | None] | None) -> Upload | NoPlace:
        """This version as an upload with its place among the known ones, or why it has none.

        Args:
            known: all uploads of the object that have an item, none of which is this version.
            order: version ids of the object's versions in S3's listing, the newest first; None if nothing else is
                known of the object, so that no order is needed.
        """
        if order is not None and self.version_id not in order:
            return NoPlace.GONE
        older: list[str] = []
        newer: list[str] = []
        for upload in known:
            is_older = self._follows(upload, order or ())
            if is_older is None:
                return NoPlace.UNCLEAR
            (older if is_older else newer).append(upload.version)
        if newer and self.version_id is None:
            return NoPlace.GONE
        upload = self.after(max(older, default=FIRST)[:SEQUENCER_DIGITS])
        is_between = all(version < upload.version for version in older) and all(
            upload.version < version for version in newer
        )
        return upload if is_between else NoPlace.UNCLEAR

    def _follows(self, upload: Upload, order: Sequence[str | None]) -> bool | None:
        """Whether this version is newer than a known upload; None if that is unknown.

        S3 lists an object's versions in the order in which they were stored, the newest first (API reference,
        ListObjectVersions). An upload that the listing does not have was deleted, or overwritten in place. Then its
        event's time decides. It is not before the modification, and may be a little after it.
        """
        if upload.version_id is not None and upload.version_id in order:
            return order.index(upload.version_id) > order.index(self.version_id)
        later = datetime.fromisoformat(second(upload.uploaded_at)) - datetime.fromisoformat(second(self.modified_at))
        return None if timedelta(0) <= later <= _EVENT_DELAY else later < timedelta(0)

    def after(self, place: str) -> Upload:
        """This version as an upload with this place: a padded sequencer, or `FIRST`."""
        return Upload(
            bucket=self.bucket,
            key=self.key,
            version_id=self.version_id,
            etag=self.etag,
            size=self.size,
            sequencer=None,
            uploaded_at=self.modified_at,
            listed_after=place,
        )
