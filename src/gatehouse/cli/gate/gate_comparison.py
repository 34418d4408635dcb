"""Compares the tags of the bucket's versions with their verdicts, and has what differs put right."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from gatehouse.aws.verdict_table import Identity, Item, identity_of
from gatehouse.aws.version_tags import VersionTags
from gatehouse.aws.work_bucket import WorkBucket
from gatehouse.cli.aws.outcomes import OutcomesFunction
from gatehouse.cli.aws.verdict_table import PARALLEL_QUERIES, OperatorsVerdictTable
from gatehouse.cli.aws.version_listing import StoredVersion
from gatehouse.cli.deployed_lanes import DeployedLanes
from gatehouse.cli.errors import CommandError
from gatehouse.moderation.confirmation import StoredObject, speaks_of
from gatehouse.moderation.document import MISSHAPEN
from gatehouse.moderation.gate import Gate, tag_for, tag_in
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import Upload
from gatehouse.moderation.verdict_item import OBJECT, STATUS, VERSION

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: Where a comparison that was interrupted is gone on with, in the work bucket.
PLACE_KEY: Final = "gate/check.json"

#: Versions that are looked up before the place is written down.
_AT_A_TIME: Final = 50 * PARALLEL_QUERIES
#: Versions without a verdict that one invocation of Outcomes closes.
_CLOSED_AT_A_TIME: Final = 25
#: HTTP statuses for a version that was deleted since it was listed.
_GONE: Final = frozenset({404, 405})

_ATTRIBUTES: Final = (
    *(OBJECT, VERSION, STATUS, "bucket", "key", "version_id", "etag", "size", "sequencer", "listed_after"),
    "uploaded_at",
)


class GateStanding(StrEnum):
    """How a version's tag goes with its verdict."""

    #: Approved, and readable.
    LIT = "lit"
    #: Not approved, and closed.
    CLOSED = "closed"
    #: Approved, and closed.
    DARK = "dark"
    #: Not approved, and readable.
    EXPOSED = "exposed"
    #: Without a verdict, and readable.
    FORGED = "forged"
    #: Blocked, without the tag that lifecycle rules go by; or with it, and not blocked.
    UNMARKED = "unmarked"
    #: Closed for want of a verdict, which a lane would give it.
    UNMODERATED = "unmoderated"
    #: Closed for good: no lane takes its key and size.
    OUTSIDE = "outside"
    #: An older version without a verdict; closed should it become current.
    OLD = "old"
    #: Too new to have a verdict.
    YOUNG = "young"
    #: Readable without a verdict, by the setting `open_prefixes`.
    OPEN = "open"
    #: It could not be looked at.
    UNKNOWN = "unknown"


#: What a repair puts right.
WRONG: Final = (GateStanding.EXPOSED, GateStanding.FORGED, GateStanding.DARK, GateStanding.UNMARKED)


@dataclass(frozen=True, slots=True)
class GateFinding:
    """A version, and how its tag goes with its verdict.

    Attributes:
        identity: of its item, if it has one.
    """

    version: StoredVersion
    standing: GateStanding
    identity: Identity | None = None

    def to_document(self) -> dict[str, Any]:
        """The finding for scripts."""
        return {"key": self.version.key, "version_id": self.version.version_id, "standing": self.standing.value}


@dataclass(slots=True)
class GateReport:
    """The result of a comparison.

    Attributes:
        examples: the first versions of each standing that somebody has to do something about.
        repaired: number of versions whose tags were asked for, or removed.
    """

    standings: Counter[GateStanding] = field(default_factory=Counter)
    examples: dict[GateStanding, list[GateFinding]] = field(default_factory=dict)
    repaired: int = 0

    @property
    def wrong(self) -> int:
        """The number of versions whose tag does not go with their verdict."""
        return sum(self.standings[standing] for standing in WRONG)

    def to_document(self) -> dict[str, Any]:
        """The report for scripts."""
        return {
            "versions": self.standings.total(),
            "standings": {standing.value: self.standings[standing] for standing in GateStanding},
            "repaired": self.repaired,
            "examples": [each.to_document() for found in self.examples.values() for each in found],
        }


class ComparisonPlace(WorkBucket):
    """How far a comparison is, in the work bucket, so that one that was interrupted goes on there."""

    def __init__(self, client: "S3Client", name: str, gate: Gate, *, repairs: bool) -> None:
        super().__init__(client, name)
        self._kind = f"{gate.mode}, {'repairs' if repairs else 'looks'}"

    def read(self) -> tuple[str, Counter[GateStanding]] | None:
        """The key behind which to go on, and what was counted up to there; None if no such comparison is under way.

        Raises:
            CommandError: another version wrote it.
        """
        found = self._found(self._name, PLACE_KEY)
        if found is None:
            return None
        try:
            place = json.loads(found["Body"].read())
            if place["kind"] != self._kind:
                return None
            counted = {GateStanding(name): int(count) for name, count in place["standings"].items()}
            return str(place["behind"]), Counter(counted)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CommandError(f"s3://{self._name}/{PLACE_KEY} can't be read; --restart begins anew.") from error

    def save(self, behind: str, standings: Counter[GateStanding]) -> None:
        """Write it down."""
        counted = {standing.value: count for standing, count in standings.items()}
        self._put(
            PLACE_KEY, json.dumps({"kind": self._kind, "behind": behind, "standings": counted}), "application/json"
        )

    def forget(self) -> None:
        """The comparison has ended."""
        self.close(PLACE_KEY)


@dataclass(frozen=True, slots=True)
class GateComparison:
    """A comparison.

    Attributes:
        table: with a connection for each of `PARALLEL_QUERIES` threads; so `tags`.
        outcomes: removes tags that no verdict is behind; None to change nothing.
        until: versions written after this are too young to have a verdict; ISO 8601, UTC.
        now: when a repair asks; likewise.
        examples: how many of each standing to keep.
    """

    bucket: str
    gate: Gate
    lanes: DeployedLanes
    table: OperatorsVerdictTable
    tags: VersionTags
    outcomes: OutcomesFunction | None
    place: ComparisonPlace
    until: str
    now: str
    examples: int
    tell: Callable[[str], None]

    def compare(self, listed: Iterable[StoredVersion], report: GateReport) -> None:
        """Look at every version: its tags, and one Query for the items of its key.

        Args:
            listed: ordered by key, as S3 lists them.
            report: what was counted before, and is added to.

        Raises:
            ClientError: a call failed.
            CommandError: Outcomes did not remove a tag.
        """
        keys = (list(versions) for _, versions in groupby(listed, key=lambda version: version.key))
        with ThreadPoolExecutor(PARALLEL_QUERIES) as threads:
            while some := list(islice(keys, _AT_A_TIME)):
                findings = [finding for found in threads.map(self._look, some) for finding in found]
                if self.outcomes:
                    report.repaired += self._repair(findings, threads)
                for finding in findings:
                    self._add(finding, report)
                self.place.save(some[-1][0].key, report.standings)
                self.tell(f"Comparing: {report.standings.total():,} versions, {report.wrong:,} of them wrong")
        self.place.forget()

    def _look(self, versions: Sequence[StoredVersion]) -> list[GateFinding]:
        """Look at the versions of a key."""
        key = versions[0].key
        if self.gate.open_prefixes and key.startswith(self.gate.open_prefixes):
            return [GateFinding(version, GateStanding.OPEN) for version in versions]
        items = list(self.table.items_of(f"s3://{self.bucket}/{key}", attributes=_ATTRIBUTES))
        compared = (self._compared(version, _item_of(version, items)) for version in versions)
        return [finding for finding in compared if finding]

    def _compared(self, version: StoredVersion, item: Item | None) -> GateFinding | None:
        try:
            tag = tag_in(self.tags.read(self.bucket, version.key, version.version_id))
        except ClientError as error:
            is_gone = error.response["ResponseMetadata"]["HTTPStatusCode"] in _GONE
            return None if is_gone else GateFinding(version, GateStanding.UNKNOWN)
        if item is None:
            return GateFinding(version, self._without_verdict(version, tag))
        wanted = tag_for(Status(item[STATUS]), mark_blocked=self.gate.mark_blocked)
        opening = Status.APPROVED.value
        if tag == wanted:
            standing = GateStanding.LIT if tag == opening else GateStanding.CLOSED
        elif tag == opening:
            standing = GateStanding.EXPOSED
        else:
            standing = GateStanding.DARK if wanted == opening else GateStanding.UNMARKED
        return GateFinding(version, standing, identity_of(item))

    def _without_verdict(self, version: StoredVersion, tag: str | None) -> GateStanding:
        if tag is not None:
            return GateStanding.FORGED
        if not version.is_latest:
            return GateStanding.OLD
        if self.lanes.owner(version.key, version.size) is None:
            return GateStanding.OUTSIDE
        return GateStanding.YOUNG if version.modified_at > self.until else GateStanding.UNMODERATED

    def _repair(self, findings: Sequence[GateFinding], threads: ThreadPoolExecutor) -> int:
        """Have the tags of what is wrong compared again by Outcomes, which alone sets and removes them."""
        assert self.outcomes  # noqa: S101 - narrows the type
        wrong = [finding for finding in findings if finding.standing in WRONG]
        asked = sum(threads.map(self._ask, (finding.identity for finding in wrong if finding.identity)))
        forged = iter([finding.version for finding in wrong if finding.identity is None])
        closed = 0
        while some := list(islice(forged, _CLOSED_AT_A_TIME)):
            named = [{"bucket": self.bucket, "key": each.key, "version_id": each.version_id} for each in some]
            removed = self.outcomes.close(named)
            if removed is None:
                raise CommandError("Outcomes could not remove a tag; its log says why: `logs --function outcomes`.")
            closed += removed
        return asked + closed

    def _ask(self, identity: Identity) -> bool:
        return self.table.ask_gate(identity, self.now)

    def _add(self, finding: GateFinding, report: GateReport) -> None:
        report.standings[finding.standing] += 1
        if finding.standing in (*WRONG, GateStanding.UNMODERATED, GateStanding.OUTSIDE):
            shown = report.examples.setdefault(finding.standing, [])
            if len(shown) < self.examples:
                shown.append(finding)


def _item_of(version: StoredVersion, items: Sequence[Item]) -> Item | None:
    """The item that says whether a version is approved. What has no version id is the newest such upload's."""
    if version.version_id is not None:
        return next((item for item in items if item.get("version_id") == version.version_id), None)
    newest = next((item for item in items if not item.get("version_id")), None)
    return newest if newest is not None and _speaks_of(newest, version) else None


def _speaks_of(item: Item, version: StoredVersion) -> bool:
    try:
        upload = Upload.from_document(item)
    except MISSHAPEN:
        return False
    return speaks_of(upload, StoredObject(None, version.etag, version.modified_at))
