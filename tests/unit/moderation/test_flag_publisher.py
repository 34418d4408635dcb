from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatehouse.moderation.flag import Flag
from gatehouse.moderation.flag_publisher import FlagPublisher, Refusal, Sent

MOST_FLAGS, MOST_BYTES = 10, 1_000
NOT_NOW, NEVER = Refusal("InternalError", is_final=False), Refusal("InvalidParameter", is_final=True)


@dataclass
class Sink:
    """Takes what it is sent, but for what `refusals` says of each call."""

    refusals: Sequence[Mapping[int, Refusal]] = ()
    most_flags: int = MOST_FLAGS
    most_bytes: int = MOST_BYTES
    calls: list[tuple[str, ...]] = field(default_factory=list)

    def size(self, flag: Flag) -> int:
        return len(flag.body)

    def publish(self, flags: Sequence[Flag]) -> Mapping[int, Refusal]:
        n = len(self.calls)
        self.calls.append(tuple(flag.id for flag in flags))
        return self.refusals[n] if n < len(self.refusals) else {}


def _flags(*sizes: int) -> list[Flag]:
    return [Flag(str(n), "x" * size, {}) for n, size in enumerate(sizes)]


def _publish(sink: Sink, flags: Sequence[Flag]) -> tuple[list[Sent], list[float]]:
    """What is said of each call, and the pauses made."""
    pauses: list[float] = []
    return list(FlagPublisher(sink, pauses.append).publish(flags)), pauses


def test_flags_that_failed_alone_are_sent_again_after_a_pause() -> None:
    sink = Sink([{2: NOT_NOW, 0: NOT_NOW}, {1: NOT_NOW}, {}])

    sent, pauses = _publish(sink, _flags(1, 1, 1))

    assert sink.calls == [("0", "1", "2"), ("2", "0"), ("0",)]
    assert [(one.flags, one.refused, one.error, one.is_closed) for one in sent] == [(3, frozenset(), None, False)]
    assert len(pauses) == 2


def test_a_flag_that_never_gets_through_is_given_up() -> None:
    sink = Sink([{1: NOT_NOW}, *[{0: NOT_NOW}] * 5])

    (sent,), _ = _publish(sink, _flags(1, 1, 1))

    assert sink.calls == [("0", "1", "2"), *[("1",)] * 5]
    assert (sent.refused, str(sent.error)) == (frozenset({1}), "1 of 3 flags were refused: InternalError")


def test_a_flag_the_sink_finds_fault_with_is_not_sent_again() -> None:
    sink = Sink([{1: NEVER}])

    (sent,), pauses = _publish(sink, _flags(1, 1, 1))

    assert (len(sink.calls), pauses, sent.refused) == (1, [], frozenset({1}))
    assert str(sent.error) == "1 of 3 flags were refused: InvalidParameter"


def test_a_faulty_flag_does_not_keep_others_from_their_retry() -> None:
    sink = Sink([{0: NEVER, 1: NOT_NOW}, {0: NEVER}])

    (sent,), _ = _publish(sink, _flags(1, 1, 1))

    assert sink.calls == [("0", "1", "2"), ("0", "1")]
    assert sent.refused == {0}


def test_a_refused_flag_holds_up_no_other_call() -> None:
    sink = Sink([{9: NEVER}])

    sent, _ = _publish(sink, _flags(*[1] * 12))

    assert [(one.flags, one.refused, one.is_closed) for one in sent] == [(10, {9}, False), (2, frozenset(), False)]


def test_a_sink_that_refuses_a_full_call_is_given_up() -> None:
    sink = Sink([dict.fromkeys(range(MOST_FLAGS), NEVER)])

    sent, _ = _publish(sink, _flags(*[1] * 25))

    assert [(one.flags, len(one.refused), one.is_closed) for one in sent] == [(10, 10, True)]
    assert len(sink.calls) == 1


def test_calls_under_way_when_a_sink_is_given_up_are_reported() -> None:
    """What they sent is published, so that nobody has to send it again."""
    sink = Sink([dict.fromkeys(range(MOST_FLAGS), NEVER)])

    sent = list(FlagPublisher(sink, calls=2).publish(_flags(*[1] * 4 * MOST_FLAGS)))

    assert [(one.flags, len(one.refused), one.is_closed) for one in sent] == [(10, 10, True), (10, 0, False)]
    assert len(sink.calls) == 2


def test_a_sink_that_refuses_a_call_that_is_not_full_is_asked_again() -> None:
    sink = Sink([{0: NEVER}])

    sent, _ = _publish(sink, _flags(MOST_BYTES, 1))

    assert [(one.refused, one.is_closed) for one in sent] == [({0}, False), (frozenset(), False)]


def test_a_call_is_made_when_its_answer_is_asked_for() -> None:
    sink = Sink()
    sent = FlagPublisher(sink).publish(_flags(*[1] * 25))

    assert sink.calls == []
    assert next(sent).flags == MOST_FLAGS
    assert len(sink.calls) == 1


@pytest.mark.parametrize(("over", "calls"), [(0, 1), (1, 2)])
def test_a_call_may_be_filled_to_the_last_byte(over: int, calls: int) -> None:
    sent, _ = _publish(Sink(), _flags(MOST_BYTES // 2, MOST_BYTES // 2 + over))

    assert len(sent) == calls


@given(sizes=st.lists(st.integers(0, MOST_BYTES), max_size=60))
def test_flags_are_grouped_in_order_as_the_sink_allows(sizes: list[int]) -> None:
    sink = Sink()

    sent, _ = _publish(sink, _flags(*sizes))

    assert [identity for call in sink.calls for identity in call] == [str(n) for n in range(len(sizes))]
    assert [one.flags for one in sent] == [len(call) for call in sink.calls]
    bytes_of = [sum(sizes[int(identity)] for identity in call) for call in sink.calls]
    assert all(1 <= len(call) <= MOST_FLAGS for call in sink.calls)
    assert all(size <= MOST_BYTES for size in bytes_of)
    for n, (call, after) in enumerate(pairwise(sink.calls)):
        assert len(call) == MOST_FLAGS or bytes_of[n] + sizes[int(after[0])] > MOST_BYTES
