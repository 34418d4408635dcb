"""Performs people's acts on uploads, with one conditional write each. A lost race is retried once, then reported."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Any

from gatehouse.aws.verdict_table import ITEMS_A_CALL, Identity, Item, identity_of
from gatehouse.cli.aws.upload_bucket import OperatorsUploadBucket
from gatehouse.cli.aws.verdict_table import WHOLE_VERDICT, OperatorsVerdictTable
from gatehouse.cli.clock import Clock
from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.review.named_upload import NamedUpload
from gatehouse.cli.review.verdict_report import who
from gatehouse.moderation.change import Cause, HistoryEntry
from gatehouse.moderation.decision import Act, DecisionRefusedError, acted
from gatehouse.moderation.document import MISSHAPEN
from gatehouse.moderation.moment import iso
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import BATCH_ID, CLAIMED_AT, STATUS, expiry, verdict_from_item

if TYPE_CHECKING:
    from gatehouse.cli.connection import Connection
    from gatehouse.cli.deployment import Deployment

#: Uploads processed concurrently, and the size of the clients' connection pools.
PARALLEL_ACTS = 16

#: Writes of one act, where what was seen still stands: a transaction was on the item, or a review claim has ended.
_TRIES = 2


class Outcome(StrEnum):
    """The outcome for an upload."""

    DONE = "done"
    #: The same person had already made the same decision for the same reason.
    ALREADY = "already"
    #: It is no longer what the person saw.
    LOST = "lost"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Acted:
    """An upload and its outcome.

    Attributes:
        name: the name that the user wrote.
        identity: of its item; None if none was found.
        why: why nothing was done, or not all of it, as a sentence; None otherwise.
        seen: the status and revision before the act; None if there was nothing to act on.
        is_analyzed: whether an engine analyzed it.
    """

    name: str
    identity: Identity | None
    outcome: Outcome
    why: str | None = None
    seen: tuple[Status, int] | None = None
    is_analyzed: bool = True

    def to_document(self) -> dict[str, Any]:
        """The upload for scripts."""
        uri, version = self.identity or (None, None)
        return {
            "named": self.name,
            "object": uri,
            "version": version,
            "outcome": self.outcome.value,
            "from": self.seen and self.seen[0].value,
            "why": self.why,
        }


@dataclass(slots=True)
class ActReport:
    """The outcomes, in the order in which the uploads were named."""

    uploads: list[Acted] = field(default_factory=list)

    @property
    def counts(self) -> Counter[Outcome]:
        """The number of uploads by outcome."""
        return Counter(one.outcome for one in self.uploads)

    @property
    def done(self) -> list[Acted]:
        """The uploads on which the act was done, each once, although it may have been named twice."""
        return list({one.identity: one for one in self.uploads if one.outcome is Outcome.DONE}.values())

    @property
    def undone(self) -> list[Acted]:
        """The uploads that are not as the person wants them."""
        return [one for one in self.uploads if one.outcome in (Outcome.LOST, Outcome.REFUSED)]

    @property
    def explained(self) -> list[Acted]:
        """The uploads of which something has to be said."""
        return [one for one in self.uploads if one.why]

    def after(self, run: "ActReport") -> "ActReport":
        """The report of a run over what this dry run found ready: in the order of this one, and the rest as it says."""
        results = {one.identity: one for one in run.uploads}
        kept = (results.pop(one.identity, None) if one.outcome is Outcome.DONE else one for one in self.uploads)
        return ActReport([one for one in kept if one is not None])

    def to_document(self) -> dict[str, Any]:
        """The report for scripts."""
        counts = self.counts
        return {
            **{outcome.value: counts[outcome] for outcome in Outcome},
            "uploads": [one.to_document() for one in self.uploads],
        }


class _RefusedError(Exception):
    """The upload can't be acted on."""


class _LostError(Exception):
    """The upload is not what the person saw."""


@dataclass(frozen=True, slots=True)
class ActRun:
    """Performs the same act on many uploads.

    Attributes:
        act: what the person does, at a moment in ISO 8601.
        retention: how long a final verdict is kept from its change on, or None forever.
        dry_run: look, and write nothing.
        replaces: decide, too, what another person has decided, where the name does not say that this was seen.
        unanalyzed: approve, too, what no engine has analyzed.
    """

    act: Callable[[str], Act]
    table: OperatorsVerdictTable
    uploads: OperatorsUploadBucket
    retention: timedelta | None
    clock: Clock
    dry_run: bool = False
    replaces: bool = False
    unanalyzed: bool = False

    @classmethod
    def of(
        cls,
        connection: "Connection",
        deployment: "Deployment",
        act: Callable[[str], Act],
        clock: Clock,
        *,
        dry_run: bool = False,
        replaces: bool = False,
        unanalyzed: bool = False,
    ) -> "ActRun":
        """A run about a deployment's uploads."""
        s3 = connection.client("s3", PARALLEL_ACTS)
        return cls(
            act,
            OperatorsVerdictTable.of(connection, deployment, PARALLEL_ACTS, is_patient=False, pause=clock.pause),
            OperatorsUploadBucket(s3, finds_animations=deployment.animation_check),
            deployment.verdict_retention,
            clock,
            dry_run,
            replaces,
            unanalyzed,
        )

    def run(
        self,
        names: Iterable[NamedUpload],
        report: ActReport,
        rate: float | None = None,
        tell: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Act on each upload. The report is complete even if this raises.

        Args:
            rate: the maximum number of uploads to start per second.
            tell: called with the number of finished uploads.

        Raises:
            ClientError, VerdictTableBusyError: a call failed, and would also fail for the other uploads.
        """
        begun = self.clock.monotonic()
        running: deque[Future[Acted]] = deque()

        def collect(most: int) -> None:
            while len(running) > most:
                report.uploads.append(running[0].result())
                running.popleft()
                tell(len(report.uploads))

        with ThreadPoolExecutor(PARALLEL_ACTS) as threads:
            try:
                for n, (named, item) in enumerate(self._found(names)):
                    if rate is not None and (early := begun + n / rate - self.clock.monotonic()) > 0:
                        self.clock.pause(early)
                    collect(2 * PARALLEL_ACTS)
                    running.append(threads.submit(self.one, named, item))
                collect(0)
            finally:  # writes in progress will finish
                left = [future for future in running if not future.cancel()]
                report.uploads += [future.result() for future in left if future.exception() is None]

    def _found(self, names: Iterable[NamedUpload]) -> Iterator[tuple[NamedUpload, Item | None]]:
        """Uploads with their items, a hundred at a time, if their names identify the item."""
        for some in _hundreds(names):
            identities = dict.fromkeys(named.identity for named in some if named.identity)
            items = {identity_of(item): item for page in self.table.read(identities, WHOLE_VERDICT) for item in page}
            for named in some:
                yield named, items.get(named.identity) if named.identity else None

    def one(self, named: NamedUpload, item: Item | None = None) -> Acted:
        """Act on an upload.

        Args:
            item: the upload's item, if it has already been read.

        Raises:
            ClientError, VerdictTableBusyError: a call failed.
        """
        item = item or named.find(self.table)
        if item is None:
            return Acted(str(named), None, Outcome.REFUSED, named.missing)
        identity = identity_of(item)
        try:
            seen = _verdict(item)
        except _RefusedError as error:
            return Acted(str(named), identity, Outcome.REFUSED, str(error))
        try:
            outcome, why = self._act(named, seen)
        except _LostError as error:
            outcome, why = Outcome.LOST, str(error)
        except (_RefusedError, DecisionRefusedError) as error:
            outcome, why = Outcome.REFUSED, str(error)
        return Acted(str(named), identity, outcome, why, (seen.status, seen.revision), seen.analysis is not None)

    def _act(self, named: NamedUpload, seen: Verdict) -> tuple[Outcome, str | None]:
        """What became of it, and what was not done."""
        if self._is_done(seen):
            return Outcome.ALREADY, self._note_kept(seen)
        if named.seen not in (None, (seen.status, seen.revision)):
            raise _LostError(f"it changed after you saw it: {_standing(seen)}")
        if not self.replaces and named.seen is None and self._is_anothers_decision(seen):
            by = who(str(seen.decided_by), seen.decided_by_name)
            raise _RefusedError(
                f"{by} decided {seen.status} at {seen.decided_at}; look at it with `{COMMAND} review show`, and add "
                "--replace to decide otherwise"
            )
        made: list[HistoryEntry] = []
        for _ in range(_TRIES):
            after = self._after(seen)
            if after.status is Status.APPROVED:
                self._ensure_approvable(seen)
            made.append(after.history[-1])
            if self.dry_run or self._write(seen, after):
                return Outcome.DONE, None
            now = self._look_again(seen)
            if not set(made).isdisjoint(now.history):  # a write went through, and its answer was lost
                return Outcome.DONE, None
            if self._is_done(now):
                return Outcome.ALREADY, self._note_kept(now)
            if not _is_unchanged(seen, now):
                raise _LostError(f"somebody changed it first: {_standing(now)}")
            seen = now
        raise _LostError("other writes kept getting in the way; run the same command again")

    def _ensure_approvable(self, verdict: Verdict) -> None:
        """Check what only an approval requires.

        Raises:
            _RefusedError: no engine has analyzed it, or its bytes are not there.
        """
        if verdict.analysis is None and not self.unanalyzed:
            code = f" ({verdict.failure.code})" if verdict.failure else ""
            raise _RefusedError(
                f"it was never analyzed: it is {verdict.status}{code}; look at the picture, and add --unanalyzed to "
                "approve it"
            )
        if absence := self.uploads.absence(verdict.upload):
            raise _RefusedError(absence)

    def _note_kept(self, verdict: Verdict) -> str | None:
        """That the note was not changed, if it would have been."""
        note, stored = self.act(verdict.decided_at).decision.note, verdict.decision and verdict.decision.note
        if note is None or note == stored:
            return None
        return (
            f"your decision of {verdict.decided_at} was kept and the new note dropped, because status and reason are "
            "the same; to write another note, decide for another reason"
        )

    def _after(self, verdict: Verdict) -> Verdict:
        return acted(verdict, self.act(iso(self.clock.now())))

    def _write(self, before: Verdict, after: Verdict) -> bool:
        return self.table.rewrite(before, after, expiry(self.clock.now(), self.retention))

    def _look_again(self, seen: Verdict) -> Verdict:
        pages = self.table.read([seen.upload.identity], WHOLE_VERDICT)
        items = [item for page in pages for item in page]
        if not items:
            raise _LostError("its verdict has expired in the meantime; there is nothing left to decide")
        try:
            return _verdict(items[0])
        except _RefusedError as error:
            raise _LostError(f"it changed in the meantime: {error}") from error

    def _is_anothers_decision(self, verdict: Verdict) -> bool:
        """Whether this is a decision, and another person's stands."""
        act, change = self.act(verdict.decided_at), verdict.change
        return (
            act.cause is Cause.DECISION
            and change is not None
            and change.cause is Cause.DECISION
            and verdict.decided_by != act.person.decided_by
        )

    def _is_done(self, verdict: Verdict) -> bool:
        """Whether the current status is from the same act: the same person, status and reason."""
        act, change, last = self.act(verdict.decided_at), verdict.change, verdict.last_act
        if change is None or last is None or change.cause is not last.cause:
            return False
        made = act.cause, act.status, act.person.decided_by, act.decision.reason
        return (last.cause, last.after, last.by, last.reason) == made


def _hundreds(names: Iterable[NamedUpload]) -> Iterator[list[NamedUpload]]:
    left = iter(names)
    while some := list(islice(left, ITEMS_A_CALL)):
        yield some


def _verdict(item: Item) -> Verdict:
    """The verdict of an item.

    Raises:
        _RefusedError: it has none that people can act on.
    """
    if item.get(STATUS) == Status.PENDING:
        raise _RefusedError(f"it is not judged yet: batch {item.get(BATCH_ID)} claimed it at {item.get(CLAIMED_AT)}")
    try:
        return verdict_from_item(item)
    except MISSHAPEN as error:
        raise _RefusedError(
            f"its verdict was written by another version of Gatehouse or by hand ({error!r})"
        ) from error


def _is_unchanged(seen: Verdict, now: Verdict) -> bool:
    """Whether it is the verdict that was seen; who holds it for a look may have changed.

    An upload that is analyzed anew has no revision again, and another claim.
    """
    return (now.revision, now.status, now.claim) == (seen.revision, seen.status, seen.claim)


def _standing(verdict: Verdict) -> str:
    by = f" by {verdict.decided_by}" if verdict.decided_by else ""
    return f"it is {verdict.status}{by} since {verdict.decided_at}; look at it again before you decide"
