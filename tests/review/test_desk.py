"""A decision waits, is sent once, and is never lost."""

import errno
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import pytest
from botocore.exceptions import ClientError

from gatehouse.aws.verdict_table import Identity
from gatehouse.cli.clock import Clock
from gatehouse.cli.review.act_run import Acted, Outcome
from gatehouse.moderation.change import Cause
from gatehouse.moderation.decision import Decision, DecisionRefusedError
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.review.desk import WAIT_SECONDS, Desk
from gatehouse.review.journal import Entry, Journal
from tests.cli.review.conftest import MO, acts, blocked_by, in_review, sent_back
from tests.unit.builders import NOON

A, B, C = (in_review(key) for key in ("a.jpg", "b.jpg", "c.jpg"))
SPAM = Decision("spam", None)


@dataclass
class Table:
    """What a desk writes to."""

    written: list[tuple[str, Status]] = field(default_factory=list)
    outcome: Outcome = Outcome.DONE
    error: Exception | None = None
    meanwhile: Callable[[], None] = lambda: None

    def write(self, entry: Entry, seen: Verdict) -> Acted:
        self.meanwhile()
        if self.error:
            raise self.error
        self.written.append((seen.upload.key, entry.status))
        return Acted("", entry.identity, self.outcome, None if self.outcome is Outcome.DONE else "somebody was faster")


@dataclass
class Bench:
    folder: Path
    table: Table = field(default_factory=Table)
    now: float = 100.0
    settled: list[tuple[Identity, bool]] = field(default_factory=list)
    desk: Desk = field(init=False)

    def __post_init__(self) -> None:
        self.desk = self.start()

    def start(self) -> Desk:
        clock = Clock(now=lambda: NOON, monotonic=lambda: self.now)
        write = lambda entry, seen: self.table.write(entry, seen)  # noqa: E731
        settled = lambda *what: self.settled.append(what)  # noqa: E731
        return Desk(MO, ("spam", "context", "other"), Journal(self.folder), write, clock, settled)

    def block(self, *verdicts: Verdict, page: str = "page") -> str:
        group = "".join(verdict.upload.key for verdict in verdicts)
        self.desk.decide(page, verdicts, Status.BLOCKED, SPAM, group)
        return group


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_decision_is_sent_when_it_has_waited_and_only_then(bench: Bench) -> None:
    bench.block(A)
    assert bench.desk.send_due() == WAIT_SECONDS
    bench.now += WAIT_SECONDS - 0.1
    bench.block(B)
    assert bench.desk.send_due() == pytest.approx(0.1)
    assert (bench.table.written, bench.settled) == ([], [])

    bench.now += 0.1
    assert bench.desk.send_due() == pytest.approx(WAIT_SECONDS - 0.1)
    assert bench.table.written == [("a.jpg", Status.BLOCKED)]
    assert bench.settled == [(A.upload.identity, True)]
    assert (bench.desk.decided, [news.outcome for _, news in bench.desk.news("page")]) == (1, [Outcome.DONE])
    assert bench.desk.news("page", 1) == []

    bench.now += 60
    assert bench.desk.send_due() is None
    assert bench.desk.send_due() is None
    assert [key for key, _ in bench.table.written] == ["a.jpg", "b.jpg"]


def test_undo_takes_back_what_was_decided_at_once_and_what_was_sent_stays(bench: Bench) -> None:
    first, both = bench.block(A), bench.block(B, C)
    bench.block(in_review("d.jpg"), page="other")

    assert [pending.seen for pending in bench.desk.undo(both)] == [B, C]
    assert [pending.seen for pending in bench.desk.undo(both)] == [B, C]  # who asked did not hear the answer
    assert [pending.seen for pending in bench.desk.undo(first)] == [A]
    assert bench.desk.undo(both) == []

    bench.desk.decide("page", [A], Status.BLOCKED, SPAM, "again")
    bench.desk.send_now("page")
    assert bench.desk.undo("again") == []
    assert bench.table.written == [("a.jpg", Status.BLOCKED)]
    bench.desk.close()
    assert [key for key, _ in bench.table.written] == ["a.jpg", "d.jpg"]
    assert list(bench.folder.iterdir()) == []


def test_what_is_being_sent_can_not_be_undone_or_decided_again(bench: Bench) -> None:
    seen: list[object] = []

    def meanwhile() -> None:
        seen.append(bench.desk.undo("group"))
        seen.append(bench.desk.is_at_hand(A.upload.identity))
        bench.desk.decide("page", [A], Status.BLOCKED, SPAM, "group")  # the same once more, as its answer was lost
        with pytest.raises(DecisionRefusedError, match=r"you decided on a\.jpg a moment ago"):
            bench.block(A)

    bench.table.meanwhile = meanwhile
    bench.desk.decide("page", [A], Status.BLOCKED, SPAM, "group")
    bench.desk.send_now()

    assert seen == [[], True]
    assert bench.table.written == [("a.jpg", Status.BLOCKED)]
    assert not bench.desk.is_at_hand(A.upload.identity)


def test_a_stop_waits_for_what_is_being_written(bench: Bench) -> None:
    is_writing, may_write = Event(), Event()

    def meanwhile() -> None:
        is_writing.set()
        assert may_write.wait(60)

    bench.table.meanwhile = meanwhile
    bench.table.error = ClientError({"Error": {"Code": "InternalServerError"}}, "UpdateItem")
    bench.block(A)
    sending, closing = Thread(target=bench.desk.send_now), Thread(target=bench.desk.close)
    sending.start()
    assert is_writing.wait(60)
    closing.start()
    may_write.set()
    closing.join(60)

    assert [entry.identity for entry in bench.start().unsent] == [A.upload.identity]


def test_two_tabs_do_not_decide_one_upload_twice(bench: Bench) -> None:
    bench.block(A)
    with pytest.raises(DecisionRefusedError, match="perhaps in another tab"):
        bench.desk.decide("other", [B, A], Status.APPROVED, Decision("context", None), "both")
    bench.desk.close()
    assert bench.table.written == [("a.jpg", Status.BLOCKED)]


@pytest.mark.parametrize(
    ("verdict", "decision", "why"),
    [
        (A, Decision("boredom", None), "use spam, context, other"),
        (A, Decision("other", None), "needs a note"),
        (A, Decision("spam", "x" * 501), "500 characters"),
        (acts(in_review(), blocked_by(MO), sent_back(Cause.APPEAL)), SPAM, "another person has to decide"),
    ],
)
def test_what_nobody_may_decide_never_waits(bench: Bench, verdict: Verdict, decision: Decision, why: str) -> None:
    with pytest.raises(DecisionRefusedError, match=why):
        bench.desk.decide("page", [B, verdict], Status.BLOCKED, decision, "both")
    bench.desk.close()
    assert bench.table.written == []


def test_what_a_full_disk_does_not_take_is_not_decided(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(entry: Entry) -> None:
        if entry.identity == B.upload.identity:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(entry)

    write = bench.desk.journal.write
    monkeypatch.setattr(bench.desk.journal, "write", full)
    with pytest.raises(DecisionRefusedError, match="No space left on device"):
        bench.block(A, B)
    bench.block(C)
    assert bench.desk.close() == []
    assert bench.table.written == [("c.jpg", Status.BLOCKED)]


def test_a_full_disk_does_not_cost_what_was_kept_before(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Entry) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    bench.table.error = RuntimeError("odd")
    bench.block(A)
    bench.desk.send_now()
    kept = bench.desk.unsent
    monkeypatch.setattr(bench.desk.journal, "write", full)
    with pytest.raises(DecisionRefusedError):
        bench.desk.decide("page", [A], Status.BLOCKED, SPAM, "anew")
    assert bench.desk.unsent == kept != []
    assert not bench.desk.has_taken("anew")


def test_a_group_that_was_written_is_not_decided_again(bench: Bench) -> None:
    group = bench.block(A)
    bench.desk.send_now()
    assert bench.desk.has_taken(group)
    bench.desk.decide("page", [A], Status.BLOCKED, SPAM, group)
    bench.desk.close()
    assert bench.table.written == [("a.jpg", Status.BLOCKED)]


def test_a_decision_that_was_not_sent_is_kept_though_the_disk_is_full(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Entry) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    bench.table.error = RuntimeError("odd")
    bench.block(A)
    with monkeypatch.context() as patch:
        patch.setattr(bench.desk.journal, "write", full)
        bench.desk.send_now()
        (kept,) = bench.desk.unsent
    bench.table.error = None
    assert bench.desk.can_send_again(kept.id)
    assert bench.desk.send_again(kept.id) is not None
    assert bench.table.written == [("a.jpg", Status.BLOCKED)]


def test_a_lost_decision_is_told_and_not_kept(bench: Bench) -> None:
    bench.table.outcome = Outcome.LOST
    bench.block(A)
    bench.desk.send_now()

    ((number, news),) = bench.desk.news("page")
    assert bench.desk.news("page") == [(number, news)]  # its answer may be lost
    assert bench.desk.news("page", number) == []
    assert (news.outcome, news.why, news.is_kept) == (Outcome.LOST, "somebody was faster", False)
    assert (bench.desk.unsent, bench.desk.decided, bench.settled) == ([], 0, [(A.upload.identity, False)])


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "UpdateItem"), "UpdateItem was refused"),
        (RuntimeError("odd"), "could not be sent"),
    ],
)
def test_what_could_not_be_sent_is_kept_until_it_is_sent_or_given_up(bench: Bench, error: Exception, why: str) -> None:
    bench.table.error = error
    bench.block(A, B)
    bench.desk.send_now()
    first, second = bench.desk.unsent
    assert why in str(first.why)
    assert bench.desk.is_at_hand(A.upload.identity)
    assert [news.is_kept for _, news in bench.desk.news("page")] == [True, True]

    bench.table.error = None
    news = bench.desk.send_again(first.id)
    assert news is not None
    assert news.outcome is Outcome.DONE
    assert bench.desk.send_again(first.id) is None
    bench.desk.dismiss(second.id)
    assert bench.desk.unsent == bench.desk.close() == []
    assert len(bench.table.written) == 1


def test_what_could_not_be_sent_is_listed_at_the_next_start_and_decided_anew(bench: Bench) -> None:
    bench.table.error = RuntimeError("odd")
    bench.block(A)
    (left,) = bench.desk.close()
    bench.table.error = None

    bench.desk = bench.start()

    assert [entry.id for entry in bench.desk.unsent] == [left.id]
    assert not bench.desk.can_send_again(left.id)
    assert bench.desk.send_again(left.id) is None  # nobody knows what the person saw
    assert not bench.desk.is_at_hand(A.upload.identity)
    bench.block(A)
    assert bench.desk.unsent == []
    assert bench.desk.close() == []
    assert bench.table.written == [("a.jpg", Status.BLOCKED)]


def test_a_desk_that_runs_sends_by_itself_and_stops(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.desk.clock = Clock()
    bench.desk.wait_seconds = 0.01
    running = Thread(target=bench.desk.run)
    running.start()
    bench.block(A)
    while not bench.table.written:  # what it waits for comes true, or the run is cut
        running.join(0.01)
    bench.desk.close()
    running.join(10)
    assert not running.is_alive()
    with pytest.raises(DecisionRefusedError, match="being stopped"):
        bench.block(B)
