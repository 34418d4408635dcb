"""Judge stored uploads again after a policy's pointer has moved, until none is left that the old policy alone decided.

Why none is left. A function looks at the pointer again after 30 s at most, and after its claims are written. So a
minute after the pointer moved, an upload that is not in the table yet will be judged by the new policy. All others are
in the table: a scan from then on meets them final, and judges them again, or PENDING, and then waits for them. A run
stops when it finds that it was overtaken, by another pointer or by a deploy, and looks so often that it is silent
before the next run begins to scan.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import islice
from typing import Any

from gatehouse.aws.upload_bucket import UploadBucket
from gatehouse.aws.verdict_table import Identity, Item, identity_of
from gatehouse.cli.aws.verdict_table import OperatorsVerdictTable, Selection
from gatehouse.cli.clock import Clock, Moment
from gatehouse.cli.policy.stored_verdict import PolicyNameFor, governing_policy, judged_verdict
from gatehouse.moderation.document import MISSHAPEN
from gatehouse.moderation.flag import Flag
from gatehouse.moderation.flag_publisher import FlagPublisher, Sent
from gatehouse.moderation.moment import iso
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.replay import Replayed, is_replayable, replay
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import BATCH_ID, CLAIMED_AT, STATUS

#: UpdateItem calls in flight.
PARALLEL_WRITES = 32

#: Seconds between two looks whether the policy is active still: so far below `FOLLOWED_AFTER` that what is written
#: after a look is written before another run, which waits that long after it has moved the pointer, begins to scan.
LOOK_SECONDS = 15.0

#: Seconds between two looks at the uploads that are awaited.
AWAIT_SECONDS = 15.0


class ReplayEnding(Enum):
    """How a run ended. A complete one has judged all that was selected, and its counts say what it kept all the same.

    Any other may be run again.
    """

    COMPLETE = "complete"
    STILL_PENDING = "still pending"
    FLAGS_REFUSED = "flags refused"
    OVERTAKEN = "overtaken"


@dataclass(slots=True)
class Report:
    """What a run did.

    Attributes:
        looked_at: items the scan found.
        changed: items rewritten, by old and new status.
        unchanged: items whose status the policy confirms; they keep the record of the policy that decided them.
        current: items the policy had decided already.
        unknowable: items that keep a status because the policy asks below their stored min_confidence.
        unconfirmed: items that are not approved because their object is not surely the one that was analyzed.
        adapter_ignored: items that are not approved because the adapter that was asked for did not answer.
        left_alone: items under another policy, decided by a person, or without labels.
        unreadable: items of another make.
        published: flags sent.
        unpublished: those of the changed that became stricter though their flag was refused.
        refused: items that keep a status stricter than the policy's because their flag was refused.
        awaited: uploads the scan met PENDING.
        still_pending: those of them that were so to the end.
        lost_races: decisions that somebody else made between a look and a write; the items were looked at again.
    """

    looked_at: int = 0
    changed: Counter[tuple[Status, Status]] = field(default_factory=Counter)
    unchanged: int = 0
    current: int = 0
    unknowable: int = 0
    unconfirmed: int = 0
    adapter_ignored: int = 0
    left_alone: int = 0
    unreadable: int = 0
    published: int = 0
    unpublished: int = 0
    refused: int = 0
    awaited: int = 0
    still_pending: int = 0
    lost_races: int = 0
    ending: ReplayEnding = ReplayEnding.COMPLETE

    def to_document(self) -> dict[str, Any]:
        """The report for scripts."""
        return {
            "ending": self.ending.value,
            "looked_at": self.looked_at,
            "changed": [
                {"from": before.value, "to": after.value, "count": count}
                for (before, after), count in sorted(self.changed.items())
            ],
            "unchanged": self.unchanged,
            "current": self.current,
            "unknowable": self.unknowable,
            "unconfirmed_approvals": self.unconfirmed,
            "adapter_ignored": self.adapter_ignored,
            "left_alone": self.left_alone,
            "unreadable": self.unreadable,
            "published": self.published,
            "changed_unpublished": self.unpublished,
            "refused_flags": self.refused,
            "awaited": self.awaited,
            "still_pending": self.still_pending,
            "lost_races": self.lost_races,
        }


#: Batch id and time of the claims that PENDING uploads are seen under.
_Claims = dict[Identity, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class _Change:
    """A verdict to be written, and whether it is so without the flag that it should have had."""

    before: Verdict
    after: Verdict
    milder: bool
    unpublished: bool = False


class _OvertakenError(Exception):
    """Another version was applied, or something deployed: nothing must be written any more."""


class ReplayRun:
    """A run over the table, for one policy.

    Args:
        policy: the one the pointer has named for `FOLLOWED_AFTER` seconds or more.
        policy_name_for: which policy governs a lane's key.
        rewrite: `OperatorsVerdictTable.rewrite` of a table that is not patient: what is written long after a look may
            come after another run has begun to scan.
        flags: publishes changed verdicts before they are written; None to publish nothing.
        notified: the statuses that are published.
        is_active: whether the pointer still names the policy, and neither it nor the deployment was changed since.
        tell: shows a sentence about what is going on.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        policy_name_for: PolicyNameFor,
        table: OperatorsVerdictTable,
        rewrite: Callable[[Verdict, Verdict], bool],
        uploads: UploadBucket,
        flags: FlagPublisher | None,
        notified: frozenset[Status],
        is_active: Callable[[], bool],
        clock: Clock,
        tell: Callable[[str], None],
    ) -> None:
        self._policy = policy
        self._policy_name_for = policy_name_for
        self._table = table
        self._rewrite = rewrite
        self._uploads = uploads
        self._flags = flags
        self._notified = notified
        self._is_active = is_active
        self._clock = clock
        self._tell = tell
        self._report = Report()
        self._awaited: _Claims = {}
        self._looked: Moment | None = None
        self._is_closed = False

    def run(self, selection: Selection, *, segments: int, wait_seconds: float) -> Report:
        """Judge the selected uploads again, and those that are PENDING once they are final. Safe to repeat.

        Args:
            segments: in how many parts at once the table is read.
            wait_seconds: how long PENDING uploads are waited for once the table is read.

        Raises:
            ClientError, CommandError, VerdictTableBusyError: what is written stays so; run again for the rest.
        """
        report = self._report
        try:
            self._scan(selection, segments)
            self._wait_for_pending(self._clock.monotonic() + wait_seconds)
            if not self._is_active():
                raise _OvertakenError
        except _OvertakenError:
            report.ending = ReplayEnding.OVERTAKEN
        else:
            if report.refused or report.unpublished:
                report.ending = ReplayEnding.FLAGS_REFUSED
            elif self._awaited:
                report.ending = ReplayEnding.STILL_PENDING
        report.still_pending = len(self._awaited)
        return report

    def _scan(self, selection: Selection, segments: int) -> None:
        report = self._report
        with closing(self._table.scan(selection, segments=segments, consistent=True)) as pages:
            for page in pages:
                report.looked_at += len(page)
                self._settle(page, self._awaited)
                report.awaited = len(self._awaited)
                self._tell(f"Judging again: {report.looked_at:,} looked at, {report.changed.total():,} changed")

    def _wait_for_pending(self, deadline: float) -> None:
        """Look again until none is PENDING under the claim seen. A later claim's batch has the new policy anyway."""
        while self._awaited:
            pending: _Claims = {}
            for page in self._table.read(self._awaited):
                self._settle(page, pending)
            self._awaited = dict(self._awaited.items() & pending.items())
            left = deadline - self._clock.monotonic()
            if not self._awaited or left <= 0:
                return
            self._tell(f"Waiting for uploads that were being analyzed: {len(self._awaited):,}, up to {left:.0f} s more")
            self._clock.pause(min(AWAIT_SECONDS, left))
            self._look()

    def _settle(self, items: Sequence[Item], pending: _Claims) -> None:
        """Judge items, and again those that somebody else decides meanwhile; collect the claims of PENDING ones."""
        while items:
            changes = []
            for item in items:
                if item.get(STATUS) == Status.PENDING:
                    self._collect(item, pending)
                elif replayed := self._judge(item):
                    changes.append(replayed)
            lost = self._write(self._published(self._confirmed(changes)))
            items = [item for page in self._table.read(lost) for item in page]

    def _collect(self, item: Item, pending: _Claims) -> None:
        try:
            # Of a lane that is gone, only the verdict will say which policy it had.
            if governing_policy(item, self._policy_name_for) in (self._policy.name, None):
                pending[identity_of(item)] = (item[BATCH_ID], item[CLAIMED_AT])
            else:
                self._report.left_alone += 1
        except MISSHAPEN:
            self._report.unreadable += 1

    def _judge(self, item: Item) -> Replayed | None:
        """The item judged again, if that changes its status; else it is counted."""
        report = self._report
        try:
            governed = governing_policy(item, self._policy_name_for) == self._policy.name
            if not governed or not is_replayable(item[STATUS], item.get("decided_by")):
                report.left_alone += 1
                return None
            verdict = judged_verdict(item)
        except MISSHAPEN:
            report.unreadable += 1
            return None
        if verdict.policy is not None and verdict.policy.hash == self._policy.hash:
            report.current += 1
            return None
        replayed = replay(verdict, self._policy)
        if replayed.changes:
            return replayed
        if replayed.unknowable:
            report.unknowable += 1
        elif replayed.status is not verdict.status:
            report.adapter_ignored += 1
        else:
            report.unchanged += 1
        return None

    def _confirmed(self, changes: Sequence[Replayed]) -> list[Replayed]:
        """All but the approvals whose object is not surely the one that was analyzed."""
        approvals = [replayed.before for replayed in changes if replayed.status is Status.APPROVED]
        doubts = zip(approvals, self._uploads.doubts(approvals), strict=True)
        doubtful = {verdict.upload.identity for verdict, doubt in doubts if doubt}
        self._report.unconfirmed += len(doubtful)
        return [replayed for replayed in changes if replayed.before.upload.identity not in doubtful]

    def _published(self, changes: Sequence[Replayed]) -> list[_Change]:
        """The changes that may be written, their flags sent: all but milder ones whose flag was refused.

        A flag can be refused forever. What the policy rejects must not stay approved for that, even if nobody hears.
        """
        decided_at = iso(self._clock.now())
        decided = [_Change(replayed.before, replayed.verdict(decided_at), replayed.milder) for replayed in changes]
        if self._flags is None:
            return decided
        ready = [change for change in decided if change.after.status not in self._notified]
        waiting = [change for change in decided if change.after.status in self._notified]
        queue = iter(waiting)
        for sent in self._sent(self._flags, waiting):
            for n, change in enumerate(islice(queue, sent.flags)):
                if n not in sent.refused:
                    ready.append(change)
                else:
                    ready += self._unpublished(change)
        for change in queue:
            ready += self._unpublished(change)
        return ready

    def _sent(self, flags: FlagPublisher, changes: Sequence[_Change]) -> Iterator[Sent]:
        """Publish the changes' flags, call by call. A sink that takes nothing is given up for the rest of the run."""
        if self._is_closed:
            return
        for sent in flags.publish((Flag.of(change.after) for change in changes), before_call=self._look):
            self._report.published += sent.flags - len(sent.refused)
            self._is_closed = sent.is_closed
            yield sent

    def _unpublished(self, change: _Change) -> list[_Change]:
        """What may be written of a change whose flag is not out."""
        if change.milder:
            self._report.refused += 1
            return []
        return [replace(change, unpublished=True)]

    def _write(self, changes: Sequence[_Change]) -> list[Identity]:
        """Write changes; returns the uploads whose item no longer was what was judged."""
        report = self._report
        lost: list[Identity] = []
        with ThreadPoolExecutor(PARALLEL_WRITES) as threads:
            # A few at a time: between any two of them a table may be slow, or a laptop asleep.
            for start in range(0, len(changes), PARALLEL_WRITES):
                self._look()
                some = changes[start : start + PARALLEL_WRITES]
                written = threads.map(lambda change: self._rewrite(change.before, change.after), some)
                for change, done in zip(some, written, strict=True):
                    if done:
                        report.changed[change.before.status, change.after.status] += 1
                        report.unpublished += change.unpublished
                    else:
                        lost.append(change.before.upload.identity)
        report.lost_races += len(lost)
        return lost

    def _look(self) -> None:
        """Stop if the policy is not active any more. Looks now and then only."""
        if self._looked is not None and self._clock.seconds_since(self._looked) < LOOK_SECONDS:
            return
        looked = self._clock.moment()
        if not self._is_active():
            raise _OvertakenError
        self._looked = looked
