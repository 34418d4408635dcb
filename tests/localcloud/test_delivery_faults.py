"""Faults in EventBridge's deliveries: again, in another order, late, and never not at all."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from localcloud.faults import deliveries
from localcloud.faults.delivery_fault import DeliveryFault
from tests.localcloud.workbench import ACCOUNT, REGION, Workbench, eventually, unique


class Bus:
    """A rule that passes the events of a source on to a queue."""

    def __init__(self, workbench: Workbench) -> None:
        self.workbench = workbench
        self.source = unique("source")
        rule = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{self.source}"
        self.queue, queue_arn = workbench.queue()
        allow = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue_arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        workbench.client("sqs").set_queue_attributes(QueueUrl=self.queue, Attributes={"Policy": policy})
        events = workbench.client("events")
        events.put_rule(Name=self.source, EventPattern=json.dumps({"source": [self.source]}))
        events.put_targets(Rule=self.source, Targets=[{"Id": "queue", "Arn": queue_arn}])
        self._received: list[int] = []

    def arm(self, **fault: Any) -> None:
        self.workbench.faults("POST", **fault)

    def put(self, *numbers: int) -> None:
        for number in numbers:
            detail = json.dumps({"number": number, "key": f"kéy-{number}"})
            self.workbench.client("events").put_events(
                Entries=[{"Source": self.source, "DetailType": "Number", "Detail": detail}]
            )

    def received(self, count: int) -> list[int]:
        """The numbers that have come so far, in their order, once they are so many."""
        eventually(lambda: len(self._look()) >= count)
        return self._received

    def _look(self) -> list[int]:
        bodies = [json.loads(message["Body"]) for message in self.workbench.messages(self.queue)]
        self._received += [body["detail"]["number"] for body in bodies]
        return self._received


@pytest.fixture
def bus(workbench: Workbench) -> Iterator[Bus]:
    yield Bus(workbench)
    workbench.faults("DELETE")


def fault(workbench: Workbench) -> dict[str, Any]:
    [armed] = workbench.faults()
    return armed


def test_an_event_comes_several_times_and_the_next_one_once(bus: Bus) -> None:
    bus.arm(delivery="duplicate", copies=2)
    bus.put(1, 2)
    assert bus.received(4) == [1, 1, 1, 2]
    assert (fault(bus.workbench)["seen"], fault(bus.workbench)["fired"]) == (2, 1)


def test_copies_can_come_later(bus: Bus) -> None:
    bus.arm(delivery="duplicate", copies=2, seconds=60)
    bus.put(1, 2)
    assert bus.received(2) == [1, 2]
    bus.workbench.faults("DELETE")
    assert bus.received(4) == [1, 2, 1, 1]


def test_events_come_in_another_order_that_the_seed_decides(workbench: Workbench) -> None:
    orders = []
    for seed in (1, 1, 2):
        bus = Bus(workbench)
        bus.arm(delivery="reorder", times=8, seed=seed, seconds=60)
        bus.put(*range(8))
        orders.append(bus.received(8))
        workbench.faults("DELETE")
    assert [sorted(order) for order in orders] == [list(range(8))] * 3
    assert orders[0] == orders[1] != orders[2]
    assert orders[0] != list(range(8))


def test_events_that_wait_for_others_come_when_those_do_not(bus: Bus) -> None:
    bus.arm(delivery="reorder", times=8, seconds=0.2)
    bus.put(1, 2)
    assert sorted(bus.received(2)) == [1, 2]
    bus.put(3)
    assert bus.received(3)[2] == 3


@pytest.mark.parametrize("held", [{"delivery": "reorder", "times": 8}, {"delivery": "delay", "times": 8}])
def test_what_is_held_comes_when_faults_are_cleared(bus: Bus, held: dict[str, Any]) -> None:
    bus.arm(**held, seconds=3600)
    bus.put(1, 2)
    eventually(lambda: fault(bus.workbench)["fired"] == 2)
    assert bus.workbench.messages(bus.queue) == []
    bus.workbench.faults("DELETE")
    assert sorted(bus.received(2)) == [1, 2]


@pytest.mark.parametrize(
    ("fault", "times"),
    [
        ({"delivery": "reorder", "times": 2}, 1),
        ({"delivery": "delay"}, 1),
        ({"delivery": "duplicate", "copies": 2}, 3),
    ],
    ids=lambda value: value["delivery"] if isinstance(value, dict) else "",
)
def test_what_meets_a_fault_just_before_it_is_cleared_is_not_held_after_that(fault: dict[str, Any], times: int) -> None:
    came = []
    armed = DeliveryFault.from_document({**fault, "seconds": 3600})
    deliveries.strike(armed, lambda: came.append("event"), is_armed=lambda _: False)
    assert came == ["event"] * times


def test_a_delayed_event_is_overtaken(bus: Bus) -> None:
    bus.arm(delivery="delay", seconds=3600)
    bus.put(1, 2)
    assert bus.received(1) == [2]
    bus.workbench.faults("DELETE")
    assert bus.received(2) == [2, 1]


def test_a_fault_is_aimed_at_one_event(bus: Bus) -> None:
    bus.arm(delivery="duplicate", matching="kéy-2")
    bus.put(1, 2, 3)
    assert bus.received(4) == [1, 2, 2, 3]


def test_a_fault_of_a_call_is_no_fault_of_a_delivery(bus: Bus) -> None:
    bus.arm(caller="function", call="s3:PutObject", when="before")
    bus.put(1)
    assert bus.received(1) == [1]
