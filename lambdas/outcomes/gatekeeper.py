"""Opens and closes the gate: gives each version the tag that its verdict asks for.

Reads the items consistently, sets the tags, reads the items again, and repeats until both agree. Whatever changes an
item meanwhile leaves a record of its own, and a run that dies in between is delivered again. All items of an object are
in one shard of the stream, so nobody else tags its versions at the same time. A conditional write of a verdict is the
decision; this only follows it.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from gatehouse.aws.verdict_stream import ItemChange, UnreadableRecord
from gatehouse.aws.verdict_table import Identity, Item, VerdictTable, identity_of
from gatehouse.aws.version_listing import VersionListing
from gatehouse.aws.version_tags import VersionTags
from gatehouse.contracts.unreadable_change import UnreadableChange
from gatehouse.moderation.back_off import pause_seconds
from gatehouse.moderation.confirmation import speaks_of
from gatehouse.moderation.document import MISSHAPEN
from gatehouse.moderation.gate import MOST_TAGS, tag_for, tag_in, with_tag
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import Upload
from gatehouse.moderation.verdict_events import DeadLetters
from gatehouse.moderation.verdict_item import OBJECT, STATUS, VERSION

#: Versions that are tagged in parallel; the client's connection pool has the same size.
PARALLEL_TAGS: Final = 16

#: Times that an item may change while its version is being tagged.
_ROUNDS: Final = 5

#: Retries for a version that S3 refuses while it serves others: a permission takes time to propagate.
_TRIES_OF_FORBIDDEN: Final = 3

#: What the tag is chosen by, and what tells an upload without a version id from others of its key.
_ATTRIBUTES: Final = (
    *(OBJECT, VERSION, STATUS, "bucket", "key", "version_id", "etag", "size", "sequencer", "listed_after"),
    *("uploaded_at", "decided_at"),
)

#: HTTP statuses of S3: no such version, or a delete marker in its place; and no permission.
_GONE: Final = frozenset({404, 405})
_REFUSED: Final = 403
#: The errors for one tag too many: another tool may have set its own meanwhile. Which one S3 gives is not documented.
_TOO_MANY: Final = frozenset({"BadRequest", "InvalidTag"})


class Unopened(StrEnum):
    """Why an approved version stays closed. Nothing is done about it until somebody asks again."""

    #: It has ten tags of other tools.
    TAGS_FULL = "TagsFull"
    #: S3 refuses to tag it, while it lets others be tagged.
    FORBIDDEN = "Forbidden"
    #: It has no version id, and the bucket no versioning: other bytes could take its place, and inherit nothing.
    UNVERSIONED = "Unversioned"
    #: It has no version id, and other bytes are in its place.
    REPLACED = "Replaced"


class TagReturnsError(RuntimeError):
    """A tag that was removed is set again and again."""


@dataclass(slots=True)
class Gated:
    """The outcome of an invocation.

    Attributes:
        opened, closed: number of versions that everybody can read now, and no longer.
        unopened: why which approved versions stay closed.
        refused: position of a record -> why it has to be delivered again.
        unreadable: what is known of items that can't be read.
        milliseconds_to_open, milliseconds_to_close: from each verdict to its tag.
    """

    opened: int = 0
    closed: int = 0
    unopened: dict[Identity, Unopened] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)
    unreadable: list[UnreadableChange] = field(default_factory=list)
    milliseconds_to_open: list[float] = field(default_factory=list)
    milliseconds_to_close: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Look:
    """One look at a version.

    Attributes:
        wanted: the tag that it was to have.
        is_changed: whether it got it now.
        was_open: whether everybody could read it before that.
        unopened: why it did not get it.
        error: what S3 answered instead.
    """

    wanted: str | None
    is_changed: bool = False
    was_open: bool = False
    unopened: Unopened | None = None
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Gatekeeper:
    """Sets and removes the tag.

    Attributes:
        failures: keeps messages about items that can't be read.
        mark_blocked: see `Gate`.
        pause: waits the given number of seconds.
    """

    table: VerdictTable
    tags: VersionTags
    versions: VersionListing
    failures: DeadLetters
    mark_blocked: bool
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    pause: Callable[[float], None] = time.sleep

    def follow(self, changes: Sequence[ItemChange | UnreadableRecord]) -> Gated:
        """Give the versions that records are about the tags that their items ask for now. Safe to repeat.

        Raises:
            ClientError, VerdictTableBusyError: the table could not be read. Deliver all records again.
            MessageNotSentError: the queue refused what it was to keep. Likewise.
        """
        gated = Gated()
        positions: dict[Identity, list[int]] = {}
        uploads: dict[Identity, Upload] = {}
        for position, item in _items_in(changes):
            try:
                uploads[identity_of(item)] = Upload.from_document(item)
            except MISSHAPEN as error:
                gated.unreadable.append(UnreadableChange(item[OBJECT], item[VERSION], repr(error)))
                if problem := self._shut(item):
                    gated.refused[position] = problem
            else:
                positions.setdefault(identity_of(item), []).append(position)
        looks = self._settle(uploads, gated) if uploads else {}
        for attempt in range(_TRIES_OF_FORBIDDEN):
            forbidden = _forbidden(looks)
            if not forbidden:
                break
            self.pause(pause_seconds(attempt, first=2.0))
            looks |= self._settle({identity: uploads[identity] for identity in forbidden}, gated)
        gated.unopened |= dict.fromkeys(_forbidden(looks), Unopened.FORBIDDEN)
        was_open = _were_open(changes)
        for identity, look in looks.items():
            if look.unopened:
                gated.unopened[identity] = look.unopened
            elif identity in gated.unopened or not look.error:
                continue
            elif look.wanted is None and identity not in was_open and _status(look.error) == _REFUSED:
                # It was never opened; others must not wait for what S3 does not let us see.
                gated.unreadable.append(UnreadableChange(*identity, f"S3 refuses its tags: {look.error}"))
            else:
                gated.refused |= dict.fromkeys(positions[identity], repr(look.error))
        if gated.unreadable:
            self.failures.send(change.to_text() for change in gated.unreadable)
        return gated

    def close(self, versions: Iterable[Mapping[str, Any]]) -> int:
        """Remove the tag from versions that no item speaks of. Returns the number of those that had it.

        Args:
            versions: each with `bucket`, `key` and `version_id`.

        Raises:
            ClientError: S3 or the table refused.
        """
        closed = 0
        for version in versions:
            bucket, key, version_id = (version[name] for name in ("bucket", "key", "version_id"))
            if self._is_spoken_of(bucket, key, version_id):
                continue  # what changes that item closes the gate, or has done so
            try:
                closed += self._remove(bucket, key, version_id)
            except ClientError as error:
                if _status(error) not in _GONE:
                    raise
        return closed

    def _is_spoken_of(self, bucket: str, key: str, version_id: str | None) -> bool:
        """Whether an item is about this version; without a version id, about the bytes that are there."""
        items = self.table.items_of(f"s3://{bucket}/{key}", attributes=_ATTRIBUTES)
        found = next((item for item in items if (item.get("version_id") or None) == version_id), None)
        return found is not None and (version_id is not None or self._is_stored(Upload.from_document(found)))

    def _shut(self, item: Item) -> str | None:
        """Close the version of an item that can't be read. Returns why that has to be tried again, or None."""
        bucket, key, version_id = (item.get(name) for name in ("bucket", "key", "version_id"))
        if not (isinstance(bucket, str) and isinstance(key, str) and isinstance(version_id, str | None)):
            return None
        try:
            self._remove(bucket, key, version_id)
        except (ClientError, BotoCoreError) as error:
            return None if _status(error) in _GONE else repr(error)
        return None

    def _remove(self, bucket: str, key: str, version_id: str | None, mark: str | None = None) -> bool:
        """Remove the tag, or make it the mark, and see that it stays so. Returns whether the version was open.

        Another tool may have been let say the tag again a moment before, and be late.
        """
        was_open = False
        for _ in range(_ROUNDS):
            tags = self.tags.read(bucket, key, version_id)
            meant = with_tag(tags, mark)
            if meant == tags or len(meant) > MOST_TAGS:
                return was_open
            was_open = was_open or tag_in(tags) == Status.APPROVED
            self.tags.replace(bucket, key, version_id, meant)
        raise TagReturnsError(f"the tag of s3://{bucket}/{key} came back {_ROUNDS} times")

    def _settle(self, uploads: Mapping[Identity, Upload], gated: Gated) -> dict[Identity, _Look]:
        """Tag until tags and items agree; the last look at each version."""
        looks: dict[Identity, _Look] = {}
        items = self._read(uploads)
        outstanding = list(uploads)
        with ThreadPoolExecutor(PARALLEL_TAGS) as threads:
            for _ in range(_ROUNDS):
                wanted = [self._wanted(items.get(identity)) for identity in outstanding]
                asked = [uploads[identity] for identity in outstanding]
                looks |= dict(zip(outstanding, threads.map(self._look, asked, wanted), strict=True))
                changed = [identity for identity in outstanding if looks[identity].is_changed]
                now_items = self._read(changed)
                for identity in changed:
                    self._count(gated, looks[identity], now_items.get(identity))
                items = now_items
                outstanding = [
                    identity for identity in changed if self._wanted(items.get(identity)) != looks[identity].wanted
                ]
                if not outstanding:
                    break
        for identity in outstanding:
            looks[identity] = _Look(None, error=RuntimeError(f"its verdict changed {_ROUNDS} times meanwhile"))
        return looks

    def _look(self, upload: Upload, wanted: str | None) -> _Look:
        """Give a version its tag, and say what became of it."""
        try:
            return self._tag(upload, wanted) if upload.version_id else self._tag_without_version(upload)
        except (ClientError, BotoCoreError, TagReturnsError, *MISSHAPEN) as error:
            return _Look(wanted, error=error)

    def _tag_without_version(self, upload: Upload) -> _Look:
        """Tag what was uploaded to its key without versioning. All such uploads share a version; the newest counts."""
        items = self.table.items_of(upload.object, attributes=_ATTRIBUTES)
        newest = next((item for item in items if not item.get("version_id")), None)
        wanted = self._wanted(newest)
        if newest is None or wanted is None:
            return self._tag(upload, None)
        judged = Upload.from_document(newest)
        unopened = (
            Unopened.UNVERSIONED
            if not self.tags.has_versioning(judged.bucket)
            else None
            if self._is_stored(judged)
            else Unopened.REPLACED
        )
        if unopened:
            self._tag(judged, None)
            return _Look(wanted, unopened=unopened)
        look = self._tag(judged, wanted)
        if look.is_changed and not self._is_stored(judged):
            self._tag(judged, None)
            return _Look(wanted, unopened=Unopened.REPLACED)
        return look

    def _is_stored(self, upload: Upload) -> bool:
        """Whether an upload's bytes are still those without a version id."""
        stored = self.versions.without_id(upload.bucket, upload.key)
        return stored is not None and speaks_of(upload, stored)

    def _tag(self, upload: Upload, wanted: str | None) -> _Look:
        place = upload.bucket, upload.key, upload.version_id
        try:
            if wanted != Status.APPROVED:
                was_open = self._remove(*place, mark=wanted)
                return _Look(wanted, is_changed=was_open, was_open=was_open)
            tags = self.tags.read(*place)
            meant = with_tag(tags, wanted)
            if meant == tags:
                return _Look(wanted)
            if len(meant) > MOST_TAGS:
                return _Look(wanted, unopened=Unopened.TAGS_FULL)
            self.tags.replace(*place, meant)
        except ClientError as error:
            if _status(error) in _GONE:
                return _Look(wanted)
            if error.response["Error"]["Code"] in _TOO_MANY:
                return _Look(wanted, unopened=Unopened.TAGS_FULL)
            raise
        return _Look(wanted, is_changed=True)

    def _wanted(self, item: Item | None) -> str | None:
        """The tag of a version with this item. A status that nobody knows is none that opens."""
        status = item and item.get(STATUS)
        return tag_for(Status(status) if status in list(Status) else None, mark_blocked=self.mark_blocked)

    def _read(self, identities: Iterable[Identity]) -> dict[Identity, Item]:
        pages = self.table.read(identities, _ATTRIBUTES)
        return {identity_of(item): item for items in pages for item in items}

    def _count(self, gated: Gated, look: _Look, item: Item | None) -> None:
        is_open = look.wanted == Status.APPROVED
        gated.opened += is_open
        gated.closed += look.was_open and not is_open
        if item and "decided_at" in item and (is_open or look.was_open):
            waited = (self.now() - datetime.fromisoformat(item["decided_at"])).total_seconds() * 1000
            (gated.milliseconds_to_open if is_open else gated.milliseconds_to_close).append(waited)


def _forbidden(looks: Mapping[Identity, _Look]) -> list[Identity]:
    """The versions that S3 refuses to open, while it answers about others.

    A refusal of all is ours to mend, and the stream keeps the records until then. Closing is tried until it succeeds.
    """
    if all(look.error for look in looks.values()):
        return []
    return [
        identity
        for identity, look in looks.items()
        if look.error and look.wanted == Status.APPROVED and _status(look.error) == _REFUSED
    ]


def _were_open(changes: Sequence[ItemChange | UnreadableRecord]) -> set[Identity]:
    """The identities that records say were approved before."""
    return {
        (change.before[OBJECT], change.before[VERSION])
        for change in changes
        if isinstance(change, ItemChange) and change.before and change.before.get(STATUS) == Status.APPROVED
    }


def _items_in(changes: Sequence[ItemChange | UnreadableRecord]) -> Iterator[tuple[int, Item]]:
    """What is known of the item of each record that can be read; of a deleted one, what it was."""
    for position, change in enumerate(changes):
        image = None if isinstance(change, UnreadableRecord) else change.after or change.before
        if image:
            yield position, dict(image)


def _status(error: Exception) -> int | None:
    """The HTTP status of a refusal."""
    return error.response["ResponseMetadata"]["HTTPStatusCode"] if isinstance(error, ClientError) else None
