"""Faults in the deliveries of a stream's batches: again and late, and in order."""

from collections.abc import Iterator
from typing import Any

import pytest

from localcloud.faults import armed
from localcloud.faults.delivery_fault import DeliveryFault
from localcloud.faults.document import FaultError
from tests.localcloud.stream_consumer import Consumer
from tests.localcloud.workbench import Workbench, eventually


@pytest.fixture
def consumer(workbench: Workbench) -> Iterator[Consumer]:
    consumer = Consumer(workbench)
    yield consumer
    consumer.disconnect()
    workbench.faults("DELETE")


def arm(consumer: Consumer, **fault: Any) -> None:
    consumer.workbench.faults("POST", of="stream", **fault)


def fired(consumer: Consumer) -> int:
    return int(consumer.workbench.faults()[0]["fired"])


def test_a_batch_comes_several_times_before_the_next_one(consumer: Consumer) -> None:
    arm(consumer, delivery="duplicate", copies=2, matching=consumer.function)
    consumer.write(*"abc")
    consumer.connect(BatchSize=2)
    consumer.come("a,b", "a,b", "a,b", "c")


def test_a_copy_can_come_after_what_was_written_later(consumer: Consumer) -> None:
    arm(consumer, delivery="duplicate", seconds=3600)
    consumer.write("a", "b")
    consumer.connect(BatchSize=1)
    consumer.come("a", "b")
    consumer.workbench.faults("DELETE")
    consumer.come("a", "b", "a")


def test_a_late_batch_holds_up_those_behind_it(consumer: Consumer) -> None:
    arm(consumer, delivery="delay", seconds=3600, matching='"b"')
    consumer.write(*"abc")
    consumer.connect(BatchSize=1)
    eventually(lambda: fired(consumer) == 1)
    consumer.come("a")
    consumer.workbench.faults("DELETE")
    consumer.come("a", "b", "c")


def test_the_answer_to_a_copy_decides_nothing(consumer: Consumer) -> None:
    arm(consumer, delivery="duplicate", copies=1)
    # The first delivery fails; its copy is a success, which does not count.
    consumer.write("a", fails=1)
    consumer.connect()
    consumer.come("a", "a", "a")


def test_a_fault_of_events_does_not_strike_at_a_stream(consumer: Consumer) -> None:
    consumer.workbench.faults("POST", delivery="duplicate", times=5)
    consumer.write("a", "b")
    consumer.connect(BatchSize=1)
    consumer.come("a", "b")
    assert fired(consumer) == 0


def test_a_fault_strikes_at_a_call_that_a_function_makes_for_a_batch(consumer: Consumer) -> None:
    consumer.workbench.faults("POST", caller=consumer.function, call="s3:PutObject", when="after", nth=1, action="kill")
    consumer.write("a")
    consumer.connect()
    consumer.come("a", "a")


@pytest.mark.parametrize("fault", [{"delivery": "reorder", "times": 2}, {"delivery": "delay", "of": "queue"}])
def test_a_fault_that_a_stream_can_not_have_is_refused(fault: dict[str, Any]) -> None:
    with pytest.raises(FaultError):
        armed.read({"of": "stream", "seconds": 1, **fault})


def test_a_fault_of_deliveries_is_one_of_events_unless_it_says_so() -> None:
    assert DeliveryFault.from_document({"delivery": "duplicate"}).of == "events"
