"""Judges stored uploads again after a policy's pointer has moved, until the new policy has judged all of them.

Why no upload is missed: a function reads the pointer again after at most 30 s, and after it has written its claims. So
one minute after the pointer moved, every upload that is not in the table yet will be judged by the new policy. All
others are in the table: a scan that starts then finds them final, and judges them again, or PENDING, and waits for
them. A run stops when another pointer or a deploy has overtaken it. It checks this often enough to have stopped writing
before the next run begins to scan.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum, StrEnum
from typing import Any

from gatehouse.aws.upload_bucket import UploadBucket
from gatehouse.aws.verdict_table import Identity, Item, identity_of
from gatehouse.cli.aws.verdict_table import OperatorsVerdictTable, Selection
from gatehouse.cli.clock import Clock, Moment
from gatehouse.cli.policy.stored_verdict import PolicyNameFor, governing_policy, is_sent_back, judged_verdict
from gatehouse.moderation.document import MISSHAPEN
from gatehouse.moderation.moment import iso
from gatehouse.moderation.person import is_person
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.replay import Replayed, is_replayable, replay
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import BATCH_ID, CLAIMED_AT, STATUS, expiry

#: Concurrent UpdateItem calls.
PARALLEL_WRITES = 32

#: Seconds between two checks that the policy is still active. This is far below `FOLLOWED_AFTER`, the time that another
#: run waits after moving the pointer. So everything written after a check is written before that run begins to scan.
LOOK_SECONDS = 15.0

#: Seconds between two checks of the uploads that the run waits for.
AWAIT_SECONDS = 15.0


class ReplayEnding(Enum):
    """How a run ended. A complete one has judged everything selected, and its counts say which statuses it kept.

    All others can be repeated.
    """

    COMPLETE = "complete"
    STILL_PENDING = "still pending"
    OVERTAKEN = "overtaken"


@dataclass(slots=True)
class Report:
    """What a run did.

    Attributes:
        looked_at: items that the scan found.
        changed: items rewritten, by old and new status.
        unchanged: items whose status the policy confirms; they still name the policy that decided them.
        current: items that the policy had already decided.
        unknowable: items that keep their status because the policy judges labels below their stored min_confidence.
        unconfirmed: items that are not approved because their object may not be the one that was analyzed.
        adapter_ignored: items that are not approved because the lane's adapter did not answer.
        left_alone: items that the policy does not judge, by the reason.
        unreadable: malformed items.
        announced: changed items that are published to the sinks.
        awaited: uploads that were PENDING when the scan found them.
        still_pending: those of them that were PENDING until the end.
        lost_races: decisions that somebody else made between a read and a write; the items were read again.
    """

    looked_at: int = 0
    changed: Counter[tuple[Status, Status]] = field(default_factory=Counter)
    unchanged: int = 0
    current: int = 0
    unknowable: int = 0
    unconfirmed: int = 0
    adapter_ignored: int = 0
    left_alone: Counter["LeftAlone"] = field(default_factory=Counter)
    unreadable: int = 0
    announced: int = 0
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
            "left_alone": {why.name.lower(): self.left_alone[why] for why in LeftAlone},
            "unreadable": self.unreadable,
            "announced": self.announced,
            "awaited": self.awaited,
            "still_pending": self.still_pending,
            "lost_races": self.lost_races,
        }


class LeftAlone(StrEnum):
    """Why an item is none of the policy's business."""

    OTHER_POLICY = "under another policy"
    DECIDED = "a person decided"
    SENT_BACK = "appealed or reported, and waits for a person"
    NO_LABELS = "has no labels"


#: Batch id and time of PENDING uploads' claims.
_Claims = dict[Identity, tuple[str, str]]


class _OvertakenError(Exception):
    """Another version was applied, or the deployment changed: nothing more must be written."""


class ReplayRun:
    """A run over the table, for one policy.

    Args:
        policy: the one that the pointer has named for at least `FOLLOWED_AFTER` seconds.
        policy_name_for: the name of the policy that judges a lane's key.
        rewrite: `OperatorsVerdictTable.rewrite` of a table that is not patient: a late write could happen after another
            run has begun to scan.
        announce: whether the function on the table's stream publishes changes to the sinks.
        retention: how long a final verdict is kept after its change; None for forever.
        is_active: whether the pointer still names the policy, and neither it nor the deployment has changed.
        tell: shows a sentence about the progress.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        policy_name_for: PolicyNameFor,
        table: OperatorsVerdictTable,
        rewrite: Callable[[Verdict, Verdict, int | None], bool],
        uploads: UploadBucket,
        announce: bool,
        retention: timedelta | None,
        is_active: Callable[[], bool],
        clock: Clock,
        tell: Callable[[str], None],
    ) -> None:
        self._policy = policy
        self._policy_name_for = policy_name_for
        self._table = table
        self._rewrite = rewrite
        self._uploads = uploads
        self._announce = announce
        self._retention = retention
        self._is_active = is_active
        self._clock = clock
        self._tell = tell
        self._report = Report()
        self._awaited: _Claims = {}
        self._looked: Moment | None = None

    def run(self, selection: Selection, *, segments: int, wait_seconds: float) -> Report:
        """Judge the selected uploads again, and the PENDING ones after they become final. Safe to repeat.

        Args:
            segments: the number of parts of the table that are read concurrently.
            wait_seconds: how long to wait for PENDING uploads after the table has been read.

        Raises:
            ClientError, CommandError, VerdictTableBusyError: a call failed. Changes that were written stay; run again
                for the rest.
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
            if self._awaited:
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
        """Wait until none is PENDING under the claim that was read. A later claim's batch has the new policy anyway."""
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
        """Judge items, and repeat it for those that somebody else changes; collect the claims of PENDING ones."""
        while items:
            changes = []
            for item in items:
                if item.get(STATUS) == Status.PENDING:
                    self._collect(item, pending)
                elif replayed := self._judge(item):
                    changes.append(replayed)
            lost = self._write(self._confirmed(changes))
            items = [item for page in self._table.read(lost) for item in page]

    def _collect(self, item: Item, pending: _Claims) -> None:
        try:
            # If the lane no longer exists, only the verdict will say which policy it had.
            if governing_policy(item, self._policy_name_for) in (self._policy.name, None):
                pending[identity_of(item)] = (item[BATCH_ID], item[CLAIMED_AT])
            else:
                self._report.left_alone[LeftAlone.OTHER_POLICY] += 1
        except MISSHAPEN:
            self._report.unreadable += 1

    def _judge(self, item: Item) -> Replayed | None:
        """The item judged again if that changes its status; otherwise None, and the item is counted."""
        report = self._report
        try:
            if why := self._left_alone(item):
                report.left_alone[why] += 1
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

    def _left_alone(self, item: Item) -> LeftAlone | None:
        """Why the policy does not judge an item again, or None.

        Raises:
            one of `MISSHAPEN`: it is malformed.
        """
        if governing_policy(item, self._policy_name_for) != self._policy.name:
            return LeftAlone.OTHER_POLICY
        decided_by = item.get("decided_by")
        if is_person(decided_by):
            return LeftAlone.SENT_BACK if is_sent_back(item) else LeftAlone.DECIDED
        return None if is_replayable(item[STATUS], decided_by) else LeftAlone.NO_LABELS

    def _confirmed(self, changes: Sequence[Replayed]) -> list[Replayed]:
        """The changes without approvals whose object may not be the one that was analyzed."""
        approvals = [replayed.before for replayed in changes if replayed.status is Status.APPROVED]
        doubts = zip(approvals, self._uploads.doubts(approvals), strict=True)
        doubtful = {verdict.upload.identity for verdict, doubt in doubts if doubt}
        self._report.unconfirmed += len(doubtful)
        return [replayed for replayed in changes if replayed.before.upload.identity not in doubtful]

    def _write(self, changes: Sequence[Replayed]) -> list[Identity]:
        """Write changes; returns the uploads whose item has changed since it was judged."""
        report = self._report
        lost: list[Identity] = []
        with ThreadPoolExecutor(PARALLEL_WRITES) as threads:
            # A few at a time, because between any two the table may be slow, or a laptop may sleep.
            for start in range(0, len(changes), PARALLEL_WRITES):
                self._look()
                some = changes[start : start + PARALLEL_WRITES]
                for replayed, done in zip(some, threads.map(self._change, some), strict=True):
                    if done:
                        report.changed[replayed.before.status, replayed.status] += 1
                        report.announced += self._announce
                    else:
                        lost.append(replayed.before.upload.identity)
        report.lost_races += len(lost)
        return lost

    def _change(self, replayed: Replayed) -> bool:
        """Write one change; returns whether it was written."""
        now = self._clock.now()
        after = replayed.verdict(iso(now), announce=self._announce)
        return self._rewrite(replayed.before, after, expiry(now, self._retention))

    def _look(self) -> None:
        """Stop if the policy is no longer active. Only checks from time to time."""
        if self._looked is not None and self._clock.seconds_since(self._looked) < LOOK_SECONDS:
            return
        looked = self._clock.moment()
        if not self._is_active():
            raise _OvertakenError
        self._looked = looked
