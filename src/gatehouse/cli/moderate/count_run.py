"""Counts and writes down what a moderation is about: before anything is sent, and in bounded memory."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice

from gatehouse.aws.verdict_table import Item
from gatehouse.cli.aws.verdict_table import PARALLEL_QUERIES, OperatorsVerdictTable
from gatehouse.cli.bucket.listed_objects import ListedObject
from gatehouse.cli.bucket.lookup import cheapest_lookup
from gatehouse.cli.bucket.table_snapshot import TableSnapshot
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
    return _known_by(table.items_of(listed.object, attributes=KNOWING), listed)


def _known_by(items: Iterable[Item], listed: ListedVersion) -> Known:
    """What the items of an object say of it."""
    uploads: list[tuple[Upload, str]] = []
    is_unclear = False
    for item in items:
        try:
            uploads.append((Upload.from_document(item), text(item[STATUS])))
        except MISSHAPEN:
            is_unclear = True
    same = listed.among(upload for upload, _ in uploads)
    if same is None:
        return Known(None, is_unclear)
    return Known(next(status for upload, status in uploads if upload == same))


@dataclass(slots=True)
class CountRun:
    """Goes through a listing, a part at a time. The state is written after each part, so another run goes on there.

    Attributes:
        table: with a connection for each of `PARALLEL_QUERIES` threads.
        files: where parts and state are written; None for a dry run.
        explain: shows the sentence that says how objects are looked up.
        tell: shows a sentence about the progress.
    """

    bucket: str
    lanes: DeployedLanes
    table: OperatorsVerdictTable
    files: ModerationFiles | None
    explain: Callable[[str], None]
    tell: Callable[[str], None]

    def count(self, moderation: Moderation, listed: Iterable[ListedObject]) -> None:
        """Count everything that is left to count.

        What a Scan did not find is not looked up again here. Whether it is known by then is decided by the batcher,
        which reads all items of an object, consistently, before it claims it.

        Args:
            listed: what is behind `moderation.behind`.

        Raises:
            MovedError: another command wrote the state.
            ClientError: a call failed.
            CommandError: the disk is full.
        """
        part: list[_Entry] = []
        with (
            cheapest_lookup(
                self.table,
                self.bucket,
                moderation.selection.prefix,
                listed,
                concerns=partial(self._concerns, moderation),
                explain=self.explain,
                tell=self.tell,
            ) as lookup,
            ThreadPoolExecutor(PARALLEL_QUERIES) as threads,
        ):
            while some := list(islice(lookup.listed, PART_SIZE)):
                selected = list(self._selected(moderation, some))
                for entry, known in zip(selected, self._known(selected, lookup.snapshot, threads), strict=True):
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

    def _known(
        self, selected: Sequence[_Entry], snapshot: TableSnapshot | None, threads: ThreadPoolExecutor
    ) -> Iterator[Known]:
        versions = [version_of(self.bucket, listed) for listed, _ in selected]
        if snapshot is None:
            return threads.map(lambda version: known_of(self.table, version), versions)
        return (_known_by(snapshot.items_of(version.object), version) for version in versions)

    def _selected(self, moderation: Moderation, some: Iterable[ListedObject]) -> Iterator[_Entry]:
        """Those to look up, with their lanes. The others are only counted."""
        for listed in some:
            if not moderation.selection.takes(listed):
                continue
            moderation.listed += 1
            found = self._lane_of(moderation, listed)
            if isinstance(found, Lane):
                yield listed, found
            else:
                moderation.skip(found, listed.key)

    def _lane_of(self, moderation: Moderation, listed: ListedObject) -> Lane | Skipped:
        """The lane of an object to look up, or why it is none."""
        lane = self.lanes.owning(listed.key, listed.size)
        if lane is None:
            return Skipped.NO_LANE
        if listed.modified_at > moderation.young:
            return Skipped.TOO_YOUNG
        if listed.version_id is None and "-" in listed.etag:
            return Skipped.UNCONFIRMABLE
        return lane

    def _concerns(self, moderation: Moderation, listed: ListedObject) -> bool:
        """Whether an object is one to look up."""
        return moderation.selection.takes(listed) and isinstance(self._lane_of(moderation, listed), Lane)

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
