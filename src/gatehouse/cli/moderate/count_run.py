"""Counts and writes down what a moderation is about: before anything is sent, and in bounded memory."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from gatehouse.cli.aws.verdict_table import PARALLEL_QUERIES, OperatorsVerdictTable
from gatehouse.cli.bucket.listed_objects import ListedObject
from gatehouse.cli.deployed_lanes import DeployedLanes
from gatehouse.cli.moderate.moderation import PART_SIZE, Moderation, Phase, Skipped
from gatehouse.cli.moderate.moderation_files import ModerationFiles
from gatehouse.moderation.document import MISSHAPEN, text
from gatehouse.moderation.lane import Lane
from gatehouse.moderation.listed_version import ListedVersion
from gatehouse.moderation.upload import Upload
from gatehouse.moderation.upload_event import listing_message
from gatehouse.moderation.verdict_item import STATUS

#: Attributes that tell which version an item is about.
KNOWING = (
    *("bucket", "key", "version_id", "etag", "size", "sequencer", "listed_after", "uploaded_at"),
    STATUS,
)

_Entry = tuple[ListedObject, Lane]


def version_of(bucket: str, listed: ListedObject) -> ListedVersion:
    """An object as the message to the batcher has it."""
    return ListedVersion(bucket, listed.key, listed.version_id, listed.etag, listed.size, listed.modified_at)


@dataclass(frozen=True, slots=True)
class Known:
    """What the table knows of an object.

    Attributes:
        status: of its item; None if it has none that can be read.
        is_unclear: whether there is no such item, but one that can't be read and may be its own.
    """

    status: str | None
    is_unclear: bool = False


def known_of(table: OperatorsVerdictTable, listed: ListedVersion) -> Known:
    """What is known of an object. One Query."""
    items: list[tuple[Upload, str]] = []
    is_unclear = False
    for item in table.items_of(listed.object, attributes=KNOWING):
        try:
            items.append((Upload.from_document(item), text(item[STATUS])))
        except MISSHAPEN:
            is_unclear = True
    same = listed.among(upload for upload, _ in items)
    if same is None:
        return Known(None, is_unclear)
    return Known(next(status for upload, status in items if upload == same))


@dataclass(slots=True)
class CountRun:
    """Goes through a listing, a part at a time. The state is written after each part, so another run goes on there.

    Attributes:
        table: with a connection for each of `PARALLEL_QUERIES` threads.
        files: where parts and state are written; None for a dry run.
        tell: shows a sentence about the progress.
    """

    bucket: str
    lanes: DeployedLanes
    table: OperatorsVerdictTable
    files: ModerationFiles | None
    tell: Callable[[str], None]

    def count(self, moderation: Moderation, listed: Iterable[ListedObject]) -> None:
        """Count everything that is left to count.

        Args:
            listed: what is behind `moderation.behind`.

        Raises:
            MovedError: another command wrote the state.
            ClientError: a call failed.
        """
        found = iter(listed)
        part: list[_Entry] = []
        with ThreadPoolExecutor(PARALLEL_QUERIES) as threads:
            while some := list(islice(found, PART_SIZE)):
                selected = list(self._selected(moderation, some))
                found_items = threads.map(
                    lambda entry: known_of(self.table, version_of(self.bucket, entry[0])), selected
                )
                for entry, known in zip(selected, found_items, strict=True):
                    if known.is_unclear:
                        moderation.skip(Skipped.UNREADABLE, entry[0].key)
                    elif known.status is None:
                        part.append(entry)
                        moderation.add(entry[1], entry[0])
                    else:
                        moderation.skip(Skipped.KNOWN, entry[0].key)
                self._write(moderation, part, some)
                part = []
                self.tell(f"Counting: {moderation.listed:,} listed, {moderation.objects:,} to be moderated")
        moderation.phase = Phase.COUNTED
        if self.files:
            self.files.save(moderation)

    def _selected(self, moderation: Moderation, some: Iterable[ListedObject]) -> Iterator[_Entry]:
        """Those to look up, with their lanes. The others are only counted."""
        for listed in some:
            if not moderation.selection.takes(listed):
                continue
            moderation.listed += 1
            lane = self.lanes.owning(listed.key, listed.size)
            if lane is None:
                moderation.skip(Skipped.NO_LANE, listed.key)
            elif listed.modified_at > moderation.young:
                moderation.skip(Skipped.TOO_YOUNG, listed.key)
            elif listed.version_id is None and "-" in listed.etag:
                moderation.skip(Skipped.UNCONFIRMABLE, listed.key)
            else:
                yield listed, lane

    def _write(self, moderation: Moderation, part: Iterable[_Entry], some: list[ListedObject]) -> None:
        lines = [
            {"lane": lane.name, "message": listing_message(version_of(self.bucket, listed))} for listed, lane in part
        ]
        if self.files and lines:
            self.files.write_part(moderation, moderation.parts, lines)
        moderation.parts += bool(lines)
        moderation.behind = (
            some[-1].key if moderation.inventory is None else str(int(moderation.behind or 0) + len(some))
        )
        if self.files:
            self.files.save(moderation)
