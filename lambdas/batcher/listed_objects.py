"""Listed objects: which of them are known already, and the place of the others among the uploads of their key."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from gatehouse.aws.verdict_table import Item, VerdictTable
from gatehouse.aws.version_listing import VersionListing
from gatehouse.moderation.document import MISSHAPEN
from gatehouse.moderation.listed_version import ListedVersion, NoPlace
from gatehouse.moderation.moment import iso
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import Upload
from gatehouse.moderation.verdict_item import STATUS, VERSION

#: Objects looked up at the same time, and the size of the clients' connection pools.
PARALLEL_LOOKS = 16

#: `gatehouse moderate` leaves objects of the last hour to their events, so an event younger than this is not about a
#: listed object.
YOUNG = timedelta(minutes=30)

_ATTRIBUTES = (
    *("bucket", "key", "version_id", "etag", "size", "sequencer", "listed_after", "uploaded_at"),
    *(VERSION, STATUS),
)

_Entry = TypeVar("_Entry")
_Found = TypeVar("_Found")


@dataclass(slots=True)
class Places:
    """What was found out about listed objects.

    Attributes:
        uploads: message id -> upload, to be claimed.
        known: number of objects with an item: nothing is to do.
        without: number of objects that are not moderated, by reason.
    """

    uploads: dict[str, Upload] = field(default_factory=dict)
    known: int = 0
    without: Counter[NoPlace] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class ListedObjects:
    """Looks listed objects up, with a consistent Query for each.

    S3's listing is asked for the order of versions only if an object has other uploads.

    Attributes:
        now: the current time, with a zone.
    """

    table: VerdictTable
    versions: VersionListing
    now: Callable[[], datetime]

    def find_places(self, listed: Mapping[str, ListedVersion]) -> Places:
        """Look up listed objects, by message id.

        An object that is PENDING as a listed one is claimed again under the same key, like any redelivered message: its
        batcher may have died.

        Raises:
            ClientError: a call failed; deliver the messages again.
        """
        places = Places()
        for identity, found in zip(listed, _in_parallel(self._place, listed.values()), strict=True):
            if found is None:
                places.known += 1
            elif isinstance(found, NoPlace):
                places.without[found] += 1
            else:
                places.uploads[identity] = found
        return places

    def listed_already(self, uploads: Iterable[Upload]) -> set[tuple[str, str]]:
        """Identities of the uploads whose version was listed before its event came, and which have no item themselves.

        Only late events are looked up, and those of multipart uploads, which are listed with the time when they were
        initiated (S3 User Guide, UsingMetadata.html).

        Raises:
            ClientError: a call failed.
        """
        young = iso(self.now() - YOUNG)
        late = [
            upload
            for upload in uploads
            if upload.version_id is not None
            and not upload.is_listed
            and (upload.uploaded_at < young or "-" in upload.etag)
        ]
        return {
            upload.identity
            for upload, is_listed in zip(late, _in_parallel(self._is_listed, late), strict=True)
            if is_listed
        }

    def _is_listed(self, upload: Upload) -> bool:
        items = list(self._items(upload.object))
        return all(item[VERSION] != upload.version for item in items) and any(
            item.get("listed_after") is not None and item.get("version_id") == upload.version_id for item in items
        )

    def _place(self, listed: ListedVersion) -> Upload | NoPlace | None:
        items = list(self._items(listed.object))
        try:
            known = [Upload.from_document(item) for item in items]
        except MISSHAPEN:  # an item that somebody else wrote
            return NoPlace.UNCLEAR
        if same := listed.among(known):
            is_pending = items[known.index(same)][STATUS] == Status.PENDING.value
            return same if same.is_listed and is_pending else None
        return listed.placed(known, self.versions.order(listed.bucket, listed.key) if known else None)

    def _items(self, object_uri: str) -> Iterable[Item]:
        return self.table.items_of(object_uri, attributes=_ATTRIBUTES)


def _in_parallel(look: Callable[[_Entry], _Found], entries: Iterable[_Entry]) -> Sequence[_Found]:
    with ThreadPoolExecutor(PARALLEL_LOOKS) as threads:
        return list(threads.map(look, entries))
