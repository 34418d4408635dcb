"""Where decisions wait for a few seconds, so that they can be undone, before they are written to the table."""

import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from gatehouse.aws.verdict_table import Identity
from gatehouse.cli.clock import Clock
from gatehouse.cli.errors import user_message
from gatehouse.cli.review.act_run import Acted, Outcome
from gatehouse.moderation.decision import Act, Decision, DecisionRefusedError, acted, confirm, decide
from gatehouse.moderation.moment import iso
from gatehouse.moderation.person import Person
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.review.journal import Entry, Journal

#: How long a decision can be undone.
WAIT_SECONDS = 5.0
_PARALLEL_WRITES = 8
#: How long a stopping app waits for a write; the SDK tries it several times.
_LONGEST_WRITE_SECONDS = 60.0


def waits_as_sample(seen: Verdict) -> bool:
    """Whether approving it confirms the policy's approval."""
    return seen.status is Status.APPROVED and seen.is_sample


def act_on(seen: Verdict, status: Status, person: Person, decision: Decision, at: str) -> Act:
    """What a decision of the page is: who approves a sample confirms it, so that it remains the policy's.

    Raises:
        DecisionRefusedError: people can't decide so.
    """
    if status is Status.APPROVED and waits_as_sample(seen):
        return confirm(person, decision.note, at)
    return decide(status, person, decision, at)


@dataclass(frozen=True, slots=True)
class Pending:
    """A decision that waits.

    Attributes:
        page: which page of the browser made it.
        group: what was decided at once, and is undone at once.
        seen: the verdict that the person saw. The write is about it, and about no other.
        due: when it is sent, on the monotonic clock.
    """

    entry: Entry
    page: str
    group: str
    seen: Verdict
    due: float


@dataclass(frozen=True, slots=True)
class News:
    """What became of a decision that was sent.

    Attributes:
        why: why nothing was written, as a sentence without a period; None if it was.
        is_kept: whether it may be sent again.
    """

    entry: Entry
    outcome: Outcome | None
    why: str | None
    is_kept: bool

    def to_document(self) -> dict[str, Any]:
        """The news for the page."""
        outcome = self.outcome.value if self.outcome else "unsent"
        return {**self.entry.to_document(), "outcome": outcome, "why": self.why, "kept": self.is_kept}


@dataclass(slots=True)
class Desk:
    """The decisions of one reviewer.

    Attributes:
        write: writes a decision to the table, about the verdict that was seen.
        reasons: the codes that the deployment has.
        settled: called when an upload needs nobody to hold it any more, with whether it was decided.
    """

    person: Person
    reasons: Sequence[str]
    journal: Journal
    write: Callable[[Entry, Verdict], Acted]
    clock: Clock
    settled: Callable[[Identity, bool], None] = lambda _identity, _is_decided: None
    wait_seconds: float = WAIT_SECONDS
    decided: int = 0
    _pending: dict[Identity, Pending] = field(default_factory=dict)
    _sending: dict[Identity, Pending] = field(default_factory=dict)
    _news: dict[str, deque[tuple[int, News]]] = field(default_factory=dict)
    _unsent: dict[str, tuple[Entry, Verdict | None]] = field(default_factory=dict)
    _undone: Sequence[Pending] = ()
    #: What was taken lately, whatever became of it.
    _groups: deque[str] = field(default_factory=lambda: deque(maxlen=1000))
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _changed: threading.Condition = field(init=False)
    _closed: bool = False

    def __post_init__(self) -> None:
        """List what apps before this one could not send."""
        self._changed = threading.Condition(self._lock)
        self._unsent = {entry.id: (entry, None) for entry in self.journal.unsent}

    @property
    def unsent(self) -> list[Entry]:
        """Decisions that were not written, oldest first, and may be sent again."""
        with self._lock:
            return [entry for entry, _ in self._unsent.values()]

    def decide(self, page: str, seen: Sequence[Verdict], status: Status, decision: Decision, group: str) -> None:
        """Decide on these uploads, all or none. A group that was taken already is not decided twice.

        Args:
            group: the name of what is decided and undone at once.

        Raises:
            DecisionRefusedError: nobody may decide so, one of them was decided already, or the disk is full.
        """
        at = iso(self.clock.now())
        if decision.reason not in self.reasons:
            raise DecisionRefusedError(f"{decision.reason!r} is not a reason here; use {', '.join(self.reasons)}")
        acts = [act_on(verdict, status, self.person, decision, at) for verdict in seen]
        for verdict, act in zip(seen, acts, strict=True):
            acted(verdict, act)  # raises where this person may not
        due = self.clock.monotonic() + self.wait_seconds
        with self._changed:
            if self.has_taken(group):
                return
            if taken := [v for v in seen if v.upload.identity in {*self._pending, *self._sending}]:
                raise DecisionRefusedError(f"you decided on {taken[0].upload.key} a moment ago, perhaps in another tab")
            if self._closed:
                raise DecisionRefusedError("the page is being stopped; start it again to decide")
            entries = [
                Entry(uuid.uuid4().hex, verdict.upload.identity, status, act.decision, self.person.decided_by, at)
                for verdict, act in zip(seen, acts, strict=True)
            ]
            replaced = {verdict.upload.identity for verdict in seen}
            earlier = [entry.id for entry in self.unsent if entry.identity in replaced]
            self._note(entries)
            for entry_id in earlier:
                self.dismiss(entry_id)
            for entry, verdict in zip(entries, seen, strict=True):
                self._pending[entry.identity] = Pending(entry, page, group, verdict, due)
            self._groups.append(group)
            self._changed.notify_all()

    def has_taken(self, group: str) -> bool:
        """Whether a group of decisions was taken before; its answer may have been lost."""
        with self._lock:
            return group in self._groups

    def _note(self, entries: Sequence[Entry]) -> None:
        """Have the decisions on the disk, all or none."""
        try:
            for entry in entries:
                self.journal.write(entry)
        except OSError as error:
            for entry in entries:
                self.journal.settle(entry.id, "undone")
            raise DecisionRefusedError(
                f"it can't be noted on this disk ({error.strerror}): free some space there, then decide again"
            ) from error

    def undo(self, group: str) -> list[Pending]:
        """Take back what was decided at once, if it still waits; returns it, or nothing if it was sent.

        Who asks a second time, because the answer was lost, gets the same.
        """
        with self._lock:
            if undone := [pending for pending in self._pending.values() if pending.group == group]:
                self._undone = undone
            for pending in undone:
                del self._pending[pending.entry.identity]
                self.journal.settle(pending.entry.id, "undone")
            return [pending for pending in self._undone if pending.group == group]

    def waiting(self, page: str) -> list[tuple[Pending, float]]:
        """What this page decided and can undo, oldest first, with the seconds that are left."""
        now = self.clock.monotonic()
        with self._lock:
            return [(pending, pending.due - now) for pending in self._pending.values() if pending.page == page]

    def can_send_again(self, entry_id: str) -> bool:
        """Whether it is known what the person saw; of decisions of an app before this one it is not."""
        return self._unsent.get(entry_id, (None, None))[1] is not None

    def is_at_hand(self, identity: Identity) -> bool:
        """Whether a decision on this upload waits, is being written, or may be sent again."""
        with self._lock:
            kept = (entry.identity for entry, seen in self._unsent.values() if seen is not None)
            return identity in self._pending or identity in self._sending or identity in kept

    def news(self, page: str, heard: int = 0) -> list[tuple[int, News]]:
        """What became of this page's decisions, numbered.

        Args:
            heard: the number of the last news that the page had; what is older is forgotten.
        """
        with self._lock:
            news = self._news.get(page, deque())
            while news and news[0][0] <= heard:
                news.popleft()
            return list(news)

    def send_due(self) -> float | None:
        """Send what has waited long enough; returns the seconds until the next is due, or None if nothing waits."""
        now = self.clock.monotonic()
        with self._lock:
            due = [pending for pending in self._pending.values() if pending.due <= now]
        self._send(due)
        with self._lock:
            left = [pending.due for pending in self._pending.values()]
        return min(left) - self.clock.monotonic() if left else None

    def send_now(self, page: str | None = None) -> None:
        """Send what waits, of one page or of all; it can't be undone any more."""
        with self._lock:
            waiting = [pending for pending in self._pending.values() if page in (None, pending.page)]
        self._send(waiting)

    def send_again(self, entry_id: str) -> News | None:
        """Send a decision that was not written before; None if what the person saw then is not known any more."""
        with self._lock:
            entry, seen = self._unsent.get(entry_id, (None, None))
            if entry is None or seen is None:
                return None
            del self._unsent[entry_id]
            pending = self._sending[entry.identity] = Pending(entry, "", entry.id, seen, 0.0)
        return self._write(pending)

    def dismiss(self, entry_id: str, how: str = "dismissed") -> None:
        """Give up a decision that was not sent."""
        with self._lock:
            if self._unsent.pop(entry_id, None) is not None:
                self.journal.settle(entry_id, how)

    def run(self) -> None:
        """Send what is due until the desk is closed."""
        while not self._closed:
            pause = self.send_due()
            with self._changed:
                if not self._closed:
                    self._changed.wait(pause if pause is None else max(pause, 0.0))

    def close(self) -> list[Entry]:
        """Send everything that waits; returns what could not be sent, which the journal keeps."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self.send_now()
        with self._changed:  # what another thread is writing
            is_written = self._changed.wait_for(lambda: not self._sending, _LONGEST_WRITE_SECONDS)
        left = self.unsent
        self.journal.close(is_empty=is_written and not left)
        return left

    def _send(self, some: Sequence[Pending]) -> None:
        with self._lock:  # what was undone or sent meanwhile is not there any more
            taken = [pending for pending in some if self._pending.pop(pending.entry.identity, None) is pending]
            self._sending |= {pending.entry.identity: pending for pending in taken}
        if len(taken) == 1:
            self._write(taken[0])
        elif taken:
            with ThreadPoolExecutor(min(_PARALLEL_WRITES, len(taken))) as threads:
                list(threads.map(self._write, taken))

    def _write(self, pending: Pending) -> News:
        entry = pending.entry
        try:
            done = self.write(entry, pending.seen)
            outcome, why = done.outcome, done.why
        except Exception as error:  # whatever it is, the decision is kept
            outcome, why = None, user_message(error) or f"It could not be sent ({error!r})."
        news = News(entry, outcome, why, is_kept=outcome is None)
        with self._lock:
            self._sending.pop(entry.identity, None)
            if outcome is None:
                kept = replace(entry, why=why)
                with suppress(OSError):  # the file has the decision, if not why it waits
                    self.journal.write(kept)
                self._unsent[entry.id] = (kept, pending.seen)
            else:
                self.journal.settle(entry.id, outcome.value)
                self.decided += outcome in (Outcome.DONE, Outcome.ALREADY)
            if pending.page:
                self._news.setdefault(pending.page, deque(maxlen=1000)).append((next(self._numbers), news))
            self._changed.notify_all()
        self.settled(entry.identity, outcome in (Outcome.DONE, Outcome.ALREADY))
        return news
