"""What the bus does not take is kept, and what it takes of a function's time is bounded."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatehouse.moderation.flag import Flag
from gatehouse.moderation.flag_publisher import Refusal
from gatehouse.moderation.status import FINAL
from gatehouse.moderation.verdict_events import Announcement, VerdictEvents
from tests.unit.clock import Clock

NOT_NOW, NEVER = Refusal("ThrottlingException", is_final=False), Refusal("AccessDeniedException", is_final=True)
ALL = dict.fromkeys(range(10), NEVER)


@dataclass
class Bus:
    """Takes what it is sent, but for what `refusals` says of each call, and takes `seconds` for each."""

    clock: Clock = field(default_factory=Clock)
    refusals: Sequence[Mapping[int, Refusal]] = ()
    opens: bool = True
    seconds: float = 0
    most_flags: int = 10
    most_bytes: int = 1_000
    looks: int = 0
    calls: list[tuple[str, ...]] = field(default_factory=list)

    def is_open(self) -> bool:
        self.looks += 1
        return self.opens

    def size(self, flag: Flag) -> int:
        return len(flag.body)

    def publish(self, flags: Sequence[Flag]) -> Mapping[int, Refusal]:
        self.clock.sleep(self.seconds)
        n = len(self.calls)
        self.calls.append(tuple(flag.id for flag in flags))
        return self.refusals[n] if n < len(self.refusals) else {}


@dataclass
class Kept:
    """A dead-letter queue."""

    bodies: list[str] = field(default_factory=list)
    refuses: bool = False

    def send(self, bodies: Iterable[str]) -> None:
        if self.refuses:
            raise RuntimeError("no")
        self.bodies += bodies


def flags(count: int) -> list[Flag]:
    return [Flag(str(n), f"body {n}", {}) for n in range(count)]


def begin(bus: Bus, kept: Kept, seconds: float = 60) -> Announcement:
    return VerdictEvents(bus, kept, FINAL, bus.clock.monotonic, bus.clock.sleep).begin(seconds)


def test_events_go_out_ten_a_call_and_the_bus_is_looked_for_once() -> None:
    bus, kept = Bus(), Kept()
    run = begin(bus, kept)

    run.announce(flags(25))
    run.announce(flags(1))

    assert [len(call) for call in bus.calls] == [10, 10, 5, 1]
    assert (run.sent, run.kept, kept.bodies, bus.looks, run.problems) == (26, 0, [], 1, set())


def test_where_there_is_nothing_to_announce_nobody_is_asked() -> None:
    bus = Bus()

    begin(bus, Kept(refuses=True)).announce([])

    assert (bus.looks, bus.calls) == (0, [])


def test_what_fails_alone_is_tried_alone_three_times_and_then_kept() -> None:
    bus, kept = Bus(refusals=[{1: NOT_NOW, 2: NOT_NOW}, {0: NOT_NOW}, {0: NOT_NOW}]), Kept()
    run = begin(bus, kept)

    run.announce(flags(3))

    assert bus.calls == [("0", "1", "2"), ("1", "2"), ("1",)]
    assert (run.sent, run.kept, kept.bodies) == (2, 1, ["body 1"])
    assert run.problems == {"1 of 3 flags were refused: ThrottlingException"}


def test_a_bus_that_is_gone_gets_nothing_and_everything_is_kept() -> None:
    bus, kept = Bus(opens=False), Kept()
    run = begin(bus, kept)

    run.announce(flags(12))
    run.announce(flags(3))

    assert (bus.looks, bus.calls) == (1, [])
    assert (run.sent, run.kept, len(kept.bodies)) == (0, 15, 15)


def test_a_bus_that_refuses_a_full_call_is_asked_no_more_in_this_run() -> None:
    bus, kept = Bus(refusals=[{}, ALL]), Kept()
    run = begin(bus, kept)

    run.announce(flags(35))
    run.announce(flags(10))

    assert len(bus.calls) == 2
    assert (run.sent, run.kept) == (10, 35)


def test_a_slow_bus_takes_its_time_and_no_more() -> None:
    bus, kept = Bus(seconds=25), Kept()
    run = begin(bus, kept, seconds=60)

    for _ in range(5):
        run.announce(flags(10))

    assert len(bus.calls) == 3  # two make fifty seconds, the third is waited for
    assert (run.sent, run.kept) == (30, 20)
    assert "the bus was given up: it is too slow" in run.problems


def test_a_dead_letter_queue_that_refuses_is_told_and_nothing_counts_as_kept() -> None:
    run = begin(Bus(opens=False), Kept(refuses=True))

    with pytest.raises(RuntimeError):
        run.announce(flags(3))

    assert run.kept == 0


@given(
    refusals=st.lists(st.dictionaries(st.integers(0, 9), st.sampled_from([NOT_NOW, NEVER])), max_size=12),
    counts=st.lists(st.integers(0, 35), max_size=4),
    opens=st.booleans(),
)
def test_every_event_is_taken_by_the_bus_or_kept(
    refusals: list[dict[int, Refusal]], counts: list[int], opens: bool
) -> None:
    bus, kept = Bus(opens=opens), Kept()
    taken: set[str] = set()

    def publish(sent: Sequence[Flag]) -> Mapping[int, Refusal]:
        answer = {n: refusal for n, refusal in (refusals.pop(0) if refusals else {}).items() if n < len(sent)}
        taken.update(flag.body for n, flag in enumerate(sent) if n not in answer)
        return answer

    bus.publish = publish  # type: ignore[method-assign,assignment]
    run = begin(bus, kept)
    begun = 0
    for count in counts:
        run.announce([Flag(str(n), f"body {n}", {}) for n in range(begun, begun + count)])
        begun += count

    assert taken | set(kept.bodies) == {f"body {n}" for n in range(begun)}
    assert taken & set(kept.bodies) == set()
    assert (run.sent, run.kept) == (len(taken), len(kept.bodies))
