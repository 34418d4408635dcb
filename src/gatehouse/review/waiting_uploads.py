"""What a reviewer gets to see next: what waits, oldest first, without what other reviewers look at."""

import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count

from gatehouse.aws.verdict_table import Identity
from gatehouse.cli.aws.verdict_table import OperatorsVerdictTable
from gatehouse.cli.clock import Clock
from gatehouse.cli.review.listed_uploads import ListedUploads, ReviewSelection
from gatehouse.moderation.decision import DecisionRefusedError
from gatehouse.moderation.person import Person
from gatehouse.moderation.review_hold import HOLD, held, is_held_by_another
from gatehouse.moderation.verdict import Verdict

#: Uploads of one look at the table that are remembered; the others are found when these are decided.
MOST = 1000
#: Seconds after which a look that found too little is repeated, and after which any is.
_SOON, _LATER = 3.0, 60.0
#: Seconds that a request waits for a look.
_PATIENCE = 30.0
#: Seconds after which a page does not know of an upload that it does not name.
_FORGOTTEN_SECONDS = 60.0
#: Holds are extended when less than this is left.
_EXTEND_BELOW = HOLD - timedelta(minutes=2)
#: A page that has said nothing for so many seconds is gone. Browsers let a hidden page speak once a minute.
PAGE_SECONDS = 200.0


class _Look:
    """One search for what waits. It runs in a thread of its own, and can be read while it runs."""

    def __init__(self, find: Callable[[], Iterator[Verdict]], begun: float) -> None:
        self.begun = begun
        self.found: list[Verdict] = []
        self.has_more = self.is_done = False
        self.error: Exception | None = None
        self._find = find
        self._grown = threading.Condition()
        threading.Thread(target=self._run, name="look", daemon=True).start()

    def _run(self) -> None:
        try:
            for verdict in self._find():
                with self._grown:
                    if len(self.found) == MOST:
                        self.has_more = True
                        break
                    self.found.append(verdict)
                    self._grown.notify_all()
        except Exception as error:  # whoever asks next gets it
            self.error = error
        with self._grown:
            self.is_done = True
            self._grown.notify_all()

    def each(self) -> Iterator[Verdict]:
        """What is found, as it is found.

        Raises:
            ClientError, VerdictTableBusyError: the search failed.
        """
        for n in count():
            if not self._has(n):
                break
            yield self.found[n]
        if self.error:
            raise self.error

    def _has(self, n: int) -> bool:
        """Whether there is an n-th upload, which may take a moment to know."""
        with self._grown:
            self._grown.wait_for(lambda: len(self.found) > n or self.is_done, _PATIENCE)
            return len(self.found) > n


@dataclass(frozen=True, slots=True)
class _Holding:
    """An upload that a page of this app holds.

    Attributes:
        verdict: with the claim.
        known: when the page got it, or named it last; on the monotonic clock.
    """

    page: str
    verdict: Verdict
    known: float

    @property
    def until(self) -> datetime:
        """When the hold ends."""
        claim = self.verdict.review_claim
        return datetime.fromisoformat(claim.until) if claim else datetime.min


@dataclass(frozen=True, slots=True)
class Counts:
    """What a look found.

    Attributes:
        waiting: uploads that nobody has decided.
        elsewhere: of them, those that other reviewers look at now.
        is_all: whether the look is complete, and there are no more.
    """

    waiting: int
    elsewhere: int
    is_all: bool


@dataclass(slots=True)
class WaitingUploads:
    """Finds and holds uploads for the pages of one reviewer. All its methods may be called from several threads."""

    table: OperatorsVerdictTable
    person: Person
    clock: Clock
    is_at_hand: Callable[[Identity], bool]
    _looks: dict[ReviewSelection, _Look] = field(default_factory=dict)
    _holdings: dict[Identity, _Holding] = field(default_factory=dict)
    #: Uploads that were decided here, with the revision that was seen. The next look does not find them any more.
    _done: dict[Identity, int] = field(default_factory=dict)
    #: Uploads that are not what was found, or held by others, and when that was noticed.
    _lost: dict[Identity, float] = field(default_factory=dict)
    _reserved: set[Identity] = field(default_factory=set)
    _skipped: dict[str, set[Identity]] = field(default_factory=dict)
    #: Pages that are closed. Each load of a page has a name of its own.
    _left: set[str] = field(default_factory=set)
    _silent: set[str] = field(default_factory=set)
    _spoke: dict[str, float] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    #: Who takes waits for who gives back: a claim names the person, so a late release would end the next page's hold.
    _turn: threading.RLock = field(default_factory=threading.RLock)

    def next(self, page: str, selection: ReviewSelection, want: int) -> list[Verdict]:
        """Up to so many further uploads, which the page now holds.

        Raises:
            ClientError, VerdictTableBusyError: the table could not be read or written.
        """
        self._hear(page)
        with self._turn:
            return self._next(page, selection, want)

    def _next(self, page: str, selection: ReviewSelection, want: int) -> list[Verdict]:
        found: list[Verdict] = []
        look = self._look(selection, _LATER)
        for again in (False, True):
            if again:
                newer = self._look(selection, _SOON)
                if newer is look:
                    break
                look = newer
            for verdict in look.each():
                if len(found) == want:
                    return found
                if mine := self._reserve(page, verdict):
                    found.append(mine)
        return found

    def counts(self, selection: ReviewSelection) -> Counts:
        """What the last look found, as far as it is."""
        look = self._looks.get(selection)
        if look is None:
            return Counts(0, 0, is_all=False)
        now = self.clock.now()
        left = [verdict for verdict in list(look.found) if not self._is_decided(verdict)]
        elsewhere = sum(is_held_by_another(verdict, self.person, now) for verdict in left)
        return Counts(len(left), elsewhere, look.is_done and not look.has_more)

    def take(self, page: str, verdict: Verdict) -> Verdict | None:
        """Hold an upload that was asked for by name; None if that can't be.

        Raises:
            DecisionRefusedError: another person holds it, or has to decide it.
        """
        self._hear(page)
        held(verdict, self.person, self.clock.now())
        with self._turn:
            return self._hold(page, verdict)

    def seen(self, page: str, identity: Identity) -> Verdict | None:
        """The verdict that this page shows; None if it does not hold the upload."""
        with self._lock:
            found = self._holdings.get(identity)
        return found.verdict if found and found.page == page else None

    def known(self, identity: Identity) -> Verdict | None:
        """The verdict of an upload that some page of this app holds."""
        found = self._holdings.get(identity)
        return found.verdict if found else None

    def keep(self, page: str, believed: Collection[Identity]) -> list[Identity]:
        """Extend the holds of a page that is open; returns what it does not hold any more.

        What the page does not know of goes to whoever is next: the answer that would have shown it was lost.

        Args:
            believed: what the page takes for its own. It may have been silent, and given back what it held.

        Raises:
            ClientError: the table could not be written.
        """
        self._hear(page)
        now, moment = self.clock.now(), self.clock.monotonic()
        with self._lock:
            mine = {identity: holding for identity, holding in self._holdings.items() if holding.page == page}
            known = {identity for identity in mine if identity in believed or self.is_at_hand(identity)}
            self._holdings |= {identity: replace(mine[identity], known=moment) for identity in known}
        ending = [identity for identity in known if mine[identity].until - now < _EXTEND_BELOW]
        ended = [identity for identity in ending if self._hold(page, mine[identity].verdict) is None]
        lost = [identity for identity in ended if not self.is_at_hand(identity)]
        if forgotten := [each for each in mine.keys() - known if moment - mine[each].known > _FORGOTTEN_SECONDS]:
            self._release(forgotten, page)
        gone = [each for each in believed if each not in lost and self.seen(page, each) is None]
        return lost + [identity for identity in gone if not self.is_at_hand(identity)]

    def skip(self, page: str, identity: Identity) -> None:
        """Give an upload back, and do not show it to this page again.

        Raises:
            ClientError: the table could not be written.
        """
        self._skipped.setdefault(page, set()).add(identity)
        self._release([identity], page)

    def leave(self, page: str) -> None:
        """Give back what a page holds that is closed; but not what was decided on it.

        Raises:
            ClientError: the table could not be written.
        """
        with self._lock:
            self._left.add(page)
            mine = [identity for identity, holding in self._holdings.items() if holding.page == page]
        self._release([identity for identity in mine if not self.is_at_hand(identity)], page)
        self._skipped.pop(page, None)
        self._spoke.pop(page, None)

    def leave_silent(self) -> None:
        """Do so for pages that have said nothing for a while."""
        now = self.clock.monotonic()
        for page in [page for page, spoke in list(self._spoke.items()) if now - spoke > PAGE_SECONDS]:
            self._silent.add(page)
            self.leave(page)

    def settle(self, identity: Identity, is_decided: bool) -> None:
        """Forget an upload whose decision was written, or could not be."""
        with self._lock:
            holding = self._holdings.pop(identity, None)
            if holding and is_decided:
                self._done[identity] = holding.verdict.revision

    def close(self) -> None:
        """Give everything back.

        Raises:
            ClientError: the table could not be written.
        """
        self._release(list(self._holdings), None)

    def _hear(self, page: str) -> None:
        """A page that speaks is open, even if it was silent for so long that it counted as closed."""
        with self._lock:
            if page in self._silent:
                self._silent.discard(page)
                self._left.discard(page)
            self._spoke[page] = self.clock.monotonic()

    def _look(self, selection: ReviewSelection, longest: float) -> _Look:
        """The last look, or a new one if that is older than so many seconds, or failed."""
        now = self.clock.monotonic()
        with self._lock:
            look = self._looks.get(selection)
            if look is None or (look.is_done and (look.error or now - look.begun > longest)):
                listed = ListedUploads(self.table)
                today = self.clock.now().date()
                look = _Look(lambda: listed.find(selection, today), now)
                self._looks[selection] = look
            return look

    def _is_decided(self, verdict: Verdict) -> bool:
        identity = verdict.upload.identity
        return self._done.get(identity) == verdict.revision or self.is_at_hand(identity)

    def _reserve(self, page: str, verdict: Verdict) -> Verdict | None:
        """Hold what nobody holds, and no other page of this app is about to."""
        identity = verdict.upload.identity
        with self._lock:
            if not self._is_free(page, verdict):
                return None
            self._reserved.add(identity)
        try:
            return self._hold(page, verdict)
        finally:
            self._reserved.discard(identity)

    def _is_free(self, page: str, verdict: Verdict) -> bool:
        identity = verdict.upload.identity
        return (
            not self._is_decided(verdict)
            and identity not in self._holdings
            and identity not in self._reserved
            and self.clock.monotonic() - self._lost.get(identity, -_LATER) >= _LATER
            and identity not in self._skipped.get(page, ())
            and verdict.recused != self.person.decided_by
            and not is_held_by_another(verdict, self.person, self.clock.now())
        )

    def _hold(self, page: str, verdict: Verdict) -> Verdict | None:
        """Take or extend a hold; None if the upload is not what was seen, or another reviewer has it."""
        now, identity = self.clock.now(), verdict.upload.identity
        try:
            mine = held(verdict, self.person, now)
        except DecisionRefusedError:
            return None
        if not self.table.hold(mine, now):
            with self._lock:
                self._holdings.pop(identity, None)
                self._lost[identity] = self.clock.monotonic()
            return None
        with self._lock:
            has_left = page in self._left
            self._holdings[identity] = _Holding(page, mine, self.clock.monotonic())
        if has_left:  # it was closed while it was asking
            self._release([identity], page)
            return None
        return mine

    def _release(self, identities: list[Identity], page: str | None) -> None:
        with self._turn:
            for identity in identities:
                with self._lock:
                    holding = self._holdings.get(identity)
                    if holding is None or page not in (None, holding.page):
                        continue
                    del self._holdings[identity]
                self.table.release(identity, self.person.decided_by)
