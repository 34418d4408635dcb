"""Events of verdicts: before they are final, at least once, and never in their way."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from gatehouse.aws.event_bus import EventBus
from gatehouse.aws.queue_sender import MessageNotSentError, QueueSender
from gatehouse.moderation.status import FINAL, FLAGGED, Status
from gatehouse.moderation.verdict_events import VerdictEvents
from lambdas.results.request import Request
from tests.unit.aws_calls import Killed, an_error
from tests.unit.builders import result_line
from tests.unit.conftest import no_pause
from tests.unit.lambdas.court import BLOCKED, CLEAN, Court

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

REFUSED = an_error("AccessDeniedException", "no")


@dataclass
class Events:
    """What a bus has taken, and the dead-letter queue."""

    sqs: "SQSClient"
    kept: str
    received: list[dict[str, Any]] = field(default_factory=list)

    def take(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """PutEvents' answer where all is well."""
        entries = json.loads(request["body"])["Entries"]
        self.received += entries
        return {"FailedEntryCount": 0, "Entries": [{"EventId": str(n)} for n in range(len(entries))]}

    def details(self) -> list[dict[str, Any]]:
        """The documents of all events."""
        return [json.loads(entry["Detail"]) for entry in self.received]

    def all_kept(self) -> list[dict[str, Any]]:
        """The documents in the dead-letter queue."""
        found = []
        while messages := self.sqs.receive_message(QueueUrl=self.kept, MaxNumberOfMessages=10).get("Messages"):
            found += [json.loads(message["Body"]) for message in messages]
        return found


@pytest.fixture
def events(court: Court) -> Events:
    """Where the court's events go: for every final status."""
    bus, sqs = boto3.client("events"), boto3.client("sqs")
    bus.create_event_bus(Name="pictures")
    events = Events(sqs, sqs.create_queue(QueueName="kept")["QueueUrl"])
    court.storage.calls.watch(bus, sqs)
    court.storage.calls.answer_always("PutEvents", events.take)
    court.events = VerdictEvents(EventBus(bus, "pictures"), QueueSender(sqs, events.kept), FINAL, pause=no_pause)
    return events


def a_batch(court: Court, clean: int = 2, blocked: int = 2) -> Request:
    """A batch of uploads whose job has ended."""
    found = [court.upload(f"{n:03}.jpg") for n in range(clean + blocked)]
    court.claim(found)
    return court.answer([result_line(upload.object, CLEAN if n < clean else BLOCKED) for n, upload in enumerate(found)])


def test_every_verdict_is_an_event_that_says_what_the_flag_says(court: Court, events: Events) -> None:
    settled = court.settle(a_batch(court))

    assert sorted(detail["status"] for detail in events.details()) == ["APPROVED", "APPROVED", "BLOCKED", "BLOCKED"]
    assert {entry["DetailType"] for entry in events.received} == {"Gatehouse Verdict"}
    details = {detail["id"]: detail for detail in events.details()}
    flags = court.flags()
    assert len(flags) == 2
    assert all(details[flag["id"]] == flag for flag in flags)
    assert settled.announcement is not None
    assert (settled.announcement.sent, settled.announcement.kept, events.all_kept()) == (4, 0, [])


def test_only_statuses_that_were_asked_for_are_events(court: Court, events: Events) -> None:
    assert court.events is not None
    court.events = VerdictEvents(court.events.sink, court.events.dead_letters, FLAGGED)

    court.settle(a_batch(court))

    assert {detail["status"] for detail in events.details()} == {"BLOCKED"}


def test_without_a_bus_nobody_is_called(court: Court) -> None:
    court.settle(a_batch(court))

    assert not {"PutEvents", "DescribeEventBus", "SendMessageBatch"} & set(court.storage.calls.made)


@pytest.mark.parametrize("operation", ["DescribeEventBus", "PutEvents"])
def test_a_bus_that_refuses_holds_up_no_verdict_and_its_events_are_kept(
    court: Court, events: Events, operation: str
) -> None:
    court.storage.calls.answer_always(operation, lambda _: dict(REFUSED))

    settled = court.settle(a_batch(court))

    assert settled.counts() == {Status.APPROVED: 2, Status.BLOCKED: 2}
    assert set(court.statuses().values()) == {"APPROVED", "BLOCKED"}
    kept = events.all_kept()
    assert sorted(document["status"] for document in kept) == ["APPROVED", "APPROVED", "BLOCKED", "BLOCKED"]
    assert {flag["id"] for flag in court.flags()} < {document["id"] for document in kept}
    assert not court.is_open()


def test_a_deleted_bus_holds_up_no_verdict(court: Court, events: Events) -> None:
    boto3.client("events").delete_event_bus(Name="pictures")

    assert len(court.settle(a_batch(court)).verdicts) == 4

    assert len(events.all_kept()) == 4
    assert court.storage.calls.made["PutEvents"] == 0


def test_a_bus_that_refuses_is_asked_once_for_many_verdicts(court: Court, events: Events) -> None:
    court.storage.calls.answer_always("PutEvents", lambda _: dict(REFUSED))

    assert len(court.settle(a_batch(court, clean=130)).verdicts) == 132

    assert court.storage.calls.made["PutEvents"] == 1
    assert len(events.all_kept()) == 132


@pytest.mark.parametrize("answer", [an_error("AccessDenied"), {"Failed": [{"Id": "0", "Code": "InternalError"}]}])
def test_what_neither_the_bus_nor_the_queue_takes_is_not_final(
    court: Court, events: Events, answer: dict[str, Any]
) -> None:
    request = a_batch(court)
    court.storage.calls.answer_always("PutEvents", lambda _: dict(REFUSED))
    court.storage.calls.answer_next("SendMessageBatch", answer)

    with pytest.raises((ClientError, MessageNotSentError)):
        court.settle(request)

    assert set(court.statuses().values()) == {"PENDING"}
    assert len(court.settle(request).verdicts) == 4
    assert len({document["id"] for document in events.all_kept()}) == 4


@pytest.mark.parametrize("when", ["before", "after"])
def test_whoever_dies_while_announcing_announces_again_with_the_same_ids(
    court: Court, events: Events, when: Any
) -> None:
    request = a_batch(court)
    court.storage.calls.kill("PutEvents", when)

    with pytest.raises(Killed):
        court.settle(request)
    assert set(court.statuses().values()) == {"PENDING"}
    court.settle(request)

    assert len(events.received) == (4 if when == "before" else 8)
    assert len({detail["id"] for detail in events.details()}) == 4
