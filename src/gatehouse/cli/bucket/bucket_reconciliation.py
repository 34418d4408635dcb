"""Compares the bucket with the table: finds current objects without a verdict. Changes nothing."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import islice
from typing import Any

from gatehouse.aws.verdict_table import Item
from gatehouse.cli.aws.verdict_table import PARALLEL_QUERIES, OperatorsVerdictTable
from gatehouse.cli.bucket.listed_objects import ListedObject
from gatehouse.cli.bucket.lookup import cheapest_lookup
from gatehouse.cli.bucket.table_snapshot import TableSnapshot
from gatehouse.cli.deployed_lanes import DeployedLanes
from gatehouse.moderation.confirmation import StoredObject, speaks_of
from gatehouse.moderation.document import MISSHAPEN
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import Upload
from gatehouse.moderation.verdict_item import BATCH_ID, CLAIMED_AT, STATUS

#: Objects in memory at the same time: enough to keep all threads busy.
_AT_A_TIME = 50 * PARALLEL_QUERIES


class ObjectStanding(StrEnum):
    """What the verdict table has for an object's current version.

    For EXPIRED it has nothing either, but the object is so old that its verdict would have expired.
    """

    DECIDED = "decided"
    PENDING = "pending"
    UNKNOWN = "unknown"
    OTHER_VERSION = "other-version"
    EXPIRED = "expired"


#: Nothing is in progress for these, and nothing will start by itself.
UNJUDGED = (ObjectStanding.UNKNOWN, ObjectStanding.OTHER_VERSION)


@dataclass(frozen=True, slots=True)
class Finding:
    """An object without a verdict on its current version.

    Attributes:
        batch_id, claimed_at: set if it is PENDING.
    """

    listed: ListedObject
    lane: str
    standing: ObjectStanding
    batch_id: str | None = None
    claimed_at: str | None = None

    def to_document(self) -> dict[str, Any]:
        """The finding for scripts."""
        return {
            "key": self.listed.key,
            "version_id": self.listed.version_id,
            "etag": self.listed.etag,
            "modified_at": self.listed.modified_at,
            "lane": self.lane,
            "standing": self.standing.value,
            "batch_id": self.batch_id,
            "claimed_at": self.claimed_at,
        }


@dataclass(slots=True)
class ReconciliationReport:
    """The result of a comparison.

    Attributes:
        standings: number of objects by lane and standing.
        outside: number of objects whose key or size matches no lane.
        young: number of objects that were not looked up because they are too new to have a verdict.
        old: number of objects that were not looked up because they are older than the selection.
        examples: the first findings.
        pending_since: the oldest claim of the PENDING ones; ISO 8601, UTC.
        lookup: how objects were looked up (`Lookup.to_document`).
    """

    standings: Counter[tuple[str, ObjectStanding]] = field(default_factory=Counter)
    outside: int = 0
    young: int = 0
    old: int = 0
    examples: list[Finding] = field(default_factory=list)
    pending_since: str | None = None
    lookup: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def listed(self) -> int:
        """All objects that were listed."""
        return self.standings.total() + self.outside + self.young + self.old

    def of(self, standing: ObjectStanding) -> int:
        """The number of objects with this standing, in all lanes."""
        return sum(count for (_, found), count in self.standings.items() if found is standing)

    @property
    def without_verdict(self) -> int:
        """The number of objects that should have a verdict on their current version, but have none."""
        return self.unjudged + self.of(ObjectStanding.PENDING)

    @property
    def unjudged(self) -> int:
        """The number of those that get no verdict by themselves, unless their events wait in a queue."""
        return sum(map(self.of, UNJUDGED))

    def to_document(self) -> dict[str, Any]:
        """The report for scripts."""
        return {
            "listed": self.listed,
            "standings": [
                {"lane": lane, "standing": standing.value, "count": count}
                for (lane, standing), count in sorted(self.standings.items())
            ],
            "without_verdict": self.without_verdict,
            "unjudged": self.unjudged,
            "pending_since": self.pending_since,
            "outside_every_lane": self.outside,
            "too_young": self.young,
            "too_old": self.old,
            "lookup": dict(self.lookup),
            "examples": [finding.to_document() for finding in self.examples],
        }


@dataclass(frozen=True, slots=True)
class BucketReconciliation:
    """A comparison.

    Attributes:
        table: with a connection for each of `PARALLEL_QUERIES` threads.
        prefix: of the keys of all listed objects.
        since: objects modified before this are left out; ISO 8601, UTC.
        until: objects modified after this are too young.
        verdicts_since: verdicts of objects modified before this may have expired; None if verdicts never do.
        examples: how many findings to keep.
        record: called with every finding.
        explain: shows the sentence that says how objects are looked up.
        tell: shows a sentence about the progress.
    """

    bucket: str
    lanes: DeployedLanes
    table: OperatorsVerdictTable
    prefix: str
    since: str | None
    until: str
    verdicts_since: str | None
    examples: int
    record: Callable[[Finding], object]
    explain: Callable[[str], None]
    tell: Callable[[str], None]

    def compare(self, listed: Iterable[ListedObject]) -> ReconciliationReport:
        """Look up every object.

        What a Scan has no final verdict for is looked up again by a Query, which is consistent: nothing is reported
        that was judged since the Scan began. Each is a Query of one item, and another one if that item is about another
        version.

        Raises:
            ClientError: a call failed, or was throttled repeatedly.
            CommandError: the disk is full.
        """
        report = ReconciliationReport()
        with (
            cheapest_lookup(
                self.table,
                self.bucket,
                self.prefix,
                listed,
                concerns=self._concerns,
                explain=self.explain,
                tell=self.tell,
            ) as lookup,
            ThreadPoolExecutor(PARALLEL_QUERIES) as threads,
        ):
            report.lookup = lookup.to_document()
            candidates = self._candidates(lookup.listed, report)
            while some := list(islice(candidates, _AT_A_TIME)):
                for finding in self._found(some, lookup.snapshot, threads):
                    self._add(finding, report)
                self.tell(f"Comparing: {report.listed:,} listed, {report.without_verdict:,} without a verdict")
        return report

    def _candidates(
        self, listed: Iterable[ListedObject], report: ReconciliationReport
    ) -> Iterator[tuple[ListedObject, str]]:
        """The objects to look up, with their lanes. The others are only counted."""
        for entry in listed:
            owner = self.lanes.owner(entry.key, entry.size)
            if owner is None:
                report.outside += 1
            elif self._is_young(entry):
                report.young += 1
            elif self._is_old(entry):
                report.old += 1
            else:
                yield entry, owner

    def _concerns(self, entry: ListedObject) -> bool:
        """Whether an object is one to look up."""
        is_left_out = self._is_young(entry) or self._is_old(entry)
        return not is_left_out and self.lanes.owner(entry.key, entry.size) is not None

    def _is_young(self, entry: ListedObject) -> bool:
        return entry.modified_at > self.until

    def _is_old(self, entry: ListedObject) -> bool:
        return self.since is not None and entry.modified_at < self.since

    def _found(
        self, some: Sequence[tuple[ListedObject, str]], snapshot: TableSnapshot | None, threads: ThreadPoolExecutor
    ) -> Iterator[Finding]:
        """The findings about some objects, in their order."""
        seen: dict[str, Finding] = {}
        if snapshot:
            for listed, lane in some:
                finding = self._finding(listed, lane, snapshot.items_of(self._uri(listed)))
                if finding.standing is ObjectStanding.DECIDED:
                    seen[listed.key] = finding
        asked = threads.map(self._look_up, (candidate for candidate in some if candidate[0].key not in seen))
        for listed, _ in some:
            yield seen.get(listed.key) or next(asked)

    def _look_up(self, candidate: tuple[ListedObject, str]) -> Finding:
        listed, lane = candidate
        return self._finding(listed, lane, self.table.of_object(self._uri(listed)))

    def _finding(self, listed: ListedObject, lane: str, items: Iterable[Item]) -> Finding:
        known = False
        for item in items:
            known = True
            if STATUS in item and _speaks_of(item, listed):
                if item[STATUS] != Status.PENDING:
                    return Finding(listed, lane, ObjectStanding.DECIDED)
                return Finding(listed, lane, ObjectStanding.PENDING, item.get(BATCH_ID), item.get(CLAIMED_AT))
        if self.verdicts_since and listed.modified_at < self.verdicts_since:
            return Finding(listed, lane, ObjectStanding.EXPIRED)
        return Finding(listed, lane, ObjectStanding.OTHER_VERSION if known else ObjectStanding.UNKNOWN)

    def _uri(self, listed: ListedObject) -> str:
        return f"s3://{self.bucket}/{listed.key}"

    def _add(self, finding: Finding, report: ReconciliationReport) -> None:
        report.standings[finding.lane, finding.standing] += 1
        if finding.standing is ObjectStanding.DECIDED:
            return
        self.record(finding)
        if finding.standing is ObjectStanding.EXPIRED:
            return
        if finding.claimed_at:
            report.pending_since = min(report.pending_since or finding.claimed_at, finding.claimed_at)
        if len(report.examples) < self.examples:
            report.examples.append(finding)


def _speaks_of(item: Item, listed: ListedObject) -> bool:
    """Whether an item is about these bytes, by the same comparison that a reader makes."""
    try:
        upload = Upload.from_document(item)
    except MISSHAPEN:
        return False
    if not listed.has_version:
        upload = replace(upload, version_id=None)
    return speaks_of(upload, StoredObject(listed.version_id, listed.etag, listed.modified_at))
