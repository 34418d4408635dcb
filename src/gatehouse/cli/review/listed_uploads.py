"""Finds uploads that wait for people, or that people decided, in the indexes, and reads their current items."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import TYPE_CHECKING

from gatehouse.aws.verdict_table import ITEMS_A_CALL, Item, identity_of
from gatehouse.cli.aws.verdict_table import PARALLEL_QUERIES, WHOLE_VERDICT, OperatorsVerdictTable
from gatehouse.moderation.change import Cause
from gatehouse.moderation.decision import DECIDING
from gatehouse.moderation.document import MISSHAPEN
from gatehouse.moderation.opinion import Opinion, opinion_on
from gatehouse.moderation.person import PREFIX
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import INDEX_SORT, verdict_from_item

if TYPE_CHECKING:
    from gatehouse.cli.clock import Clock
    from gatehouse.cli.connection import Connection
    from gatehouse.cli.deployment import Deployment


@dataclass(frozen=True, slots=True)
class ReviewSelection:
    """Selects uploads to list; a value of None does not restrict them.

    Attributes:
        since: only those that got their status at this time or later; ISO 8601, UTC.
        status: only those with this status; required unless `is_decided`.
        lane: only those of this lane.
        label: only those with this label, even if no rule matched it.
        reason: only those flagged by a rule or a label of this name, or decided, appealed or reported with this code.
        causes: only those whose status is from an act of one of these kinds.
        by: only those that this person decided: `person:<id>`, or the id.
        is_decided: only those that people decided, from the index of decisions, which includes approvals and samples
            that were confirmed.
        is_sample: only samples that nobody has looked at yet; `status` is APPROVED then.
    """

    since: str
    status: Status | None = Status.REVIEW
    lane: str | None = None
    label: str | None = None
    reason: str | None = None
    causes: frozenset[Cause] = frozenset()
    by: str | None = None
    is_decided: bool = False
    is_sample: bool = False

    def takes(self, verdict: Verdict) -> bool:
        """Whether an upload is selected."""
        return (
            self.status in (None, verdict.status)
            and self.lane in (None, verdict.claim.lane)
            and (not self.is_decided or (verdict.change is not None and verdict.change.cause in DECIDING))
            and (not self.causes or (verdict.change is not None and verdict.change.cause in self.causes))
            and (self.by is None or _decided_by(verdict) == f"{PREFIX}{self.by.removeprefix(PREFIX)}")
            and (self.label is None or self.label.casefold() in _labels(verdict))
            and (self.reason is None or self.reason.casefold() in _reasons(verdict))
        )


@dataclass(frozen=True, slots=True)
class ListedUploads:
    """Finds uploads with ten Queries a day, and one BatchGetItem for each hundred. Keeps a few hundred in memory."""

    table: OperatorsVerdictTable

    @classmethod
    def of(cls, connection: "Connection", deployment: "Deployment", clock: "Clock") -> "ListedUploads":
        """The uploads of a deployment."""
        return cls(OperatorsVerdictTable.of(connection, deployment, PARALLEL_QUERIES, pause=clock.pause))

    def find(self, selection: ReviewSelection, today: date) -> Iterator[Verdict]:
        """The selected uploads, oldest first. Malformed items, and uploads that have changed, are omitted.

        Raises:
            VerdictTableBusyError, ClientError: the table could not be read.
        """
        if selection.is_sample:
            index = self.table.samples(selection.since, today)
        elif selection.is_decided or selection.status is None:
            index = self.table.decided_by_people(selection.since, today)
        else:
            index = self.table.in_status(selection.status, selection.since, today)
        with closing(index) as entries:
            wanted = (entry for entry in entries if selection.lane in (None, entry.get("lane")))
            while some := list(islice(wanted, ITEMS_A_CALL)):
                yield from (verdict for verdict in self.standing(some) if selection.takes(verdict))

    def opinions(self, since: str, lane: str | None, today: date) -> Iterator[tuple[Verdict, Opinion]]:
        """Uploads with people's last words on them since then, also where a policy has changed the status again.

        Args:
            since: ISO 8601, UTC.
            lane: of this lane only; None for all.

        Raises:
            VerdictTableBusyError, ClientError: the table could not be read.
        """
        with closing(self.table.decided_by_people(since, today)) as entries:
            wanted = (entry for entry in entries if lane in (None, entry.get("lane")))
            while some := list(islice(wanted, ITEMS_A_CALL)):
                for verdict in self.standing(some):
                    try:
                        opinion = opinion_on(verdict)
                    except MISSHAPEN:
                        continue
                    if opinion is not None and opinion.at >= since:
                        yield verdict, opinion

    def standing(self, entries: list[Item]) -> Iterator[Verdict]:
        """What stands now, of the entries that speak of it: the index follows the table within moments."""
        places = {identity_of(entry): str(entry[INDEX_SORT]) for entry in entries}
        items = {identity_of(item): item for page in self.table.read(places, WHOLE_VERDICT) for item in page}
        for identity, place in places.items():
            try:
                verdict = verdict_from_item(items[identity])
            except MISSHAPEN:
                continue
            if place.startswith(f"{verdict.decided_at}#"):
                yield verdict


def _decided_by(verdict: Verdict) -> str | None:
    return verdict.last_act.by if verdict.last_act else None


def _labels(verdict: Verdict) -> Iterable[str]:
    return [label.name.casefold() for label in verdict.analysis.labels] if verdict.analysis else []


def _reasons(verdict: Verdict) -> set[str]:
    fired = {name.casefold() for reason in verdict.reasons for name in (reason.rule, reason.label)}
    return fired | ({verdict.decision.reason} if verdict.decision else set())
