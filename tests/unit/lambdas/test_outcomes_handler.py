"""Outcomes, as Lambda invokes it with records of the verdict table's stream."""

import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from boto3.dynamodb.types import TypeSerializer
from botocore.exceptions import ClientError
from moto import mock_aws

from gatehouse.aws.flag_topic import FlagTopic
from gatehouse.contracts.events_environment import EventsEnvironment
from gatehouse.contracts.function_metrics import OutcomesMetric
from gatehouse.contracts.unreadable_change import UnreadableChange
from gatehouse.moderation.change import Cause, Change
from gatehouse.moderation.decision import Decision, acted, appeal, decide, report
from gatehouse.moderation.flag import flag_id
from gatehouse.moderation.moment import iso
from gatehouse.moderation.person import Person
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import claim_item, verdict_item
from lambdas.outcomes import handler as outcomes
from tests.emitted_metrics import EMITTED, GATE_METRICS
from tests.unit.aws_calls import AwsCalls
from tests.unit.builders import a_claim, a_verdict, an_upload
from tests.unit.emitted import dimensions_in, metrics_in
from tests.unit.lambda_context import a_context

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

# A failed invocation reports none.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")

ALICE, BOB = Person("alice"), Person("Reviewers/bob", "Bob")
NOW = iso(datetime.now(UTC))


@dataclass
class Deployed:
    """The deployed function, its log, and a queue that subscribes to the flag topic."""

    log: io.StringIO
    calls: AwsCalls
    queue_url: str
    failures_url: str

    def invoke(self, *records: Mapping[str, Any]) -> list[str]:
        """Returns the sequence numbers that are to be delivered again."""
        answer = outcomes.handler({"Records": list(records)}, a_context())
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def flags(self) -> list[dict[str, Any]]:
        """The flags that were published since the last look."""
        sqs, found = boto3.client("sqs"), []
        while messages := sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                found.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def named_as_unreadable(self) -> list[UnreadableChange]:
        """What the failure queue names."""
        answer = boto3.client("sqs").receive_message(QueueUrl=self.failures_url, MaxNumberOfMessages=10)
        found = [UnreadableChange.parse(message["Body"]) for message in answer.get("Messages", [])]
        return [change for change in found if change]

    def logged(self, message: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log.getvalue().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("message") == message]


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployed]:
    with mock_aws(config={"core": {"reset_boto3_session": False}}):
        sns, sqs = boto3.client("sns"), boto3.client("sqs")
        topic = sns.create_topic(Name="flags")["TopicArn"]
        url = sqs.create_queue(QueueName="subscriber")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
        monkeypatch.setenv("FLAG_TOPIC_ARN", topic)
        failures = sqs.create_queue(QueueName="failures")["QueueUrl"]
        monkeypatch.setenv("FAILURE_QUEUE_URL", failures)
        log, calls = io.StringIO(), AwsCalls()
        monkeypatch.setattr(outcomes.logger.registered_handler, "stream", log)
        outcomes._announcer.cache_clear()
        monkeypatch.setattr(outcomes, "FlagTopic", _watched_topic(calls))
        yield Deployed(log, calls, url, failures)
        outcomes._announcer.cache_clear()


def _watched_topic(calls: AwsCalls) -> Callable[["SNSClient", str], FlagTopic]:
    def topic(client: "SNSClient", arn: str) -> FlagTopic:
        calls.watch(client)
        return FlagTopic(client, arn)

    return topic


def a_record(number: int, before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> dict[str, Any]:
    """A record of a MODIFY (Lambda Developer Guide, with-ddb-example.html)."""
    images = {"NewImage": after} | ({} if before is None else {"OldImage": before})
    typed = {
        name: {key: TypeSerializer().serialize(value) for key, value in item.items()} for name, item in images.items()
    }
    keys = {name: typed["NewImage"][name] for name in ("object", "version")}
    return {
        "eventID": f"{number:032}",
        "eventName": "MODIFY",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {"SequenceNumber": f"{number:021}", "StreamViewType": "NEW_AND_OLD_IMAGES", "Keys": keys, **typed},
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:123456789012:table/verdicts/stream/2026-11-22T00:00:00.000",
    }


def a_change(number: int, before: Verdict, after: Verdict) -> dict[str, Any]:
    return a_record(number, verdict_item(before), verdict_item(after))


def blocked(key: str) -> tuple[Verdict, Verdict]:
    """A verdict, and what a person decided about it."""
    verdict = a_verdict(claim=a_claim(an_upload(key)))
    return verdict, acted(verdict, decide(Status.BLOCKED, ALICE, Decision("policy-violation", None), NOW))


def test_what_people_do_is_announced_whatever_its_status(deployed: Deployed) -> None:
    verdict = a_verdict(claim=a_claim(an_upload("cat.jpg")))
    approved = acted(verdict, decide(Status.APPROVED, ALICE, Decision("false-positive", "It is a toy."), NOW))
    reported = acted(approved, report(BOB, Decision("report", None), NOW))
    refused = acted(reported, decide(Status.BLOCKED, BOB, Decision("illegal", None), NOW))
    appealed = acted(refused, appeal(ALICE, Decision("appeal", None), NOW))
    steps = [verdict, approved, reported, refused, appealed]

    again = deployed.invoke(*(a_change(n, *pair) for n, pair in enumerate(pairwise(steps))))

    found = {flag["revision"]: flag for flag in deployed.flags()}
    assert again == []
    assert [(found[n]["status"], found[n]["cause"], found[n]["decided_by"]) for n in sorted(found)] == [
        ("APPROVED", "decision", "person:alice"),
        ("REVIEW", "report", "person:Reviewers/bob"),
        ("BLOCKED", "decision", "person:Reviewers/bob"),
        ("REVIEW", "appeal", "person:alice"),
    ]
    assert found[1]["decision"] == {"reason": "false-positive", "note": "It is a toy."}
    assert [found[n]["id"] for n in sorted(found)] == [flag_id(step) for step in steps[1:]]


def test_a_replay_is_announced_if_it_asks_for_it(deployed: Deployed) -> None:
    before = a_verdict()
    loud = replace(
        before, status=Status.BLOCKED, revision=1, change=Change(Cause.POLICY, announce=True), decided_at=NOW
    )
    silent = replace(loud, change=Change(Cause.POLICY, announce=False))

    deployed.invoke(a_change(1, before, loud), a_change(2, before, silent))

    assert [(flag["cause"], flag["revision"]) for flag in deployed.flags()] == [("policy", 1)]


def test_a_write_that_makes_no_revision_is_no_news(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    _, decided = blocked("cat.jpg")
    item = verdict_item(decided)

    deployed.invoke(
        a_record(1, item, {**item, "review_claim": {"by": "person:bob", "until": NOW}}),
        a_record(2, verdict_item(a_verdict()), claim_item(a_claim())),
    )

    assert deployed.flags() == []
    assert metrics_in(capsys.readouterr().out)[OutcomesMetric.CHANGES_UNREADABLE] == [0]


def test_a_record_that_comes_twice_has_the_same_id(deployed: Deployed) -> None:
    record = a_change(1, *blocked("cat.jpg"))

    deployed.invoke(record, record)
    deployed.invoke(record)

    assert len({flag["id"] for flag in deployed.flags()}) == 1


def test_a_refused_flag_is_delivered_again_and_holds_up_no_other(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatehouse.moderation.flag_publisher.pause_seconds", lambda *_, **__: 0)
    deployed.calls.answer_always("PublishBatch", lambda sent: _refusing("dog.jpg", sent))
    records = [a_change(n, *blocked(key)) for n, key in enumerate(("cat.jpg", "dog.jpg", "fox.jpg"))]

    again = deployed.invoke(*records)

    assert again == [records[1]["dynamodb"]["SequenceNumber"]]
    assert [line["sequence_number"] for line in deployed.logged("refused")] == again


def _refusing(key: str, request: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a PublishBatch, as it goes over the wire, that refuses the flags about a key for good."""
    sent = request["body"]
    prefixes = [name.removesuffix(".Message") for name in sent if name.endswith(".Message")]
    refused = [prefix for prefix in prefixes if json.loads(sent[f"{prefix}.Message"])["object"]["key"] == key]
    return {"Failed": [{"Id": sent[f"{name}.Id"], "Code": "InvalidParameter", "SenderFault": True} for name in refused]}


def test_a_topic_that_is_gone_fails_the_invocation(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLAG_TOPIC_ARN", "arn:aws:sns:us-east-1:123456789012:gone")
    outcomes._announcer.cache_clear()

    with pytest.raises(ClientError):
        deployed.invoke(a_change(1, *blocked("cat.jpg")))


@pytest.mark.parametrize(
    "broken",
    [
        {"revision": {"S": "two"}},
        {"history": {"L": [{"M": {}}]}},
        {"change": {"M": {"announce": {"BOOL": True}}}},
        {"status": {"S": "SHOWN"}},
        {"labels": {"X": "y"}},
        {"decided_at": {"S": "yesterday"}},
        {"decided_at": {"S": "2026-11-23T09:00:00"}},
    ],
)
def test_an_item_that_nobody_can_read_is_counted_and_holds_up_no_other(
    deployed: Deployed, broken: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    hostile, good = a_change(1, *blocked("cat.jpg")), a_change(2, *blocked("dog.jpg"))
    hostile["dynamodb"]["NewImage"] |= broken

    again = deployed.invoke(hostile, good)

    assert again == []
    assert [flag["object"]["key"] for flag in deployed.flags()] == ["dog.jpg"]
    assert len(deployed.logged("unreadable")) == 1
    (named,) = deployed.named_as_unreadable()
    assert (named.object, named.version) == ("s3://uploads/cat.jpg", an_upload("cat.jpg").version)
    assert metrics_in(capsys.readouterr().out)[OutcomesMetric.CHANGES_UNREADABLE] == [1]


def test_a_change_that_was_written_without_the_next_revision_is_noticed(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    _, decided = blocked("cat.jpg")
    item = verdict_item(decided)

    for change in ({"status": "APPROVED"}, {"decided_by": "person:bob"}, {"decided_at": "2026-11-24T00:00:00.000Z"}):
        deployed.invoke(a_record(1, item, {**item, **change}))

    assert deployed.flags() == []
    assert metrics_in(capsys.readouterr().out)[OutcomesMetric.CHANGES_UNREADABLE] == [1, 1, 1]


@pytest.mark.parametrize("time", ["2026-11-24T09:00:00+02:00", "2026-11-24T09:00:00Z", "2026-11-24 09:00", "soon"])
def test_a_time_of_another_form_is_unreadable_as_it_would_be_sorted_wrong(deployed: Deployed, time: str) -> None:
    before, after = blocked("cat.jpg")

    deployed.invoke(a_change(1, before, replace(after, decided_at=time)))

    assert deployed.flags() == []
    assert len(deployed.named_as_unreadable()) == 1


def test_events_of_what_is_delivered_again_wait_for_that(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in EventsEnvironment("default", "unused", ()).to_variables().items():
        monkeypatch.setenv(name, value)
    outcomes._announcer.cache_clear()
    monkeypatch.setattr("gatehouse.moderation.flag_publisher.pause_seconds", lambda *_, **__: 0)
    deployed.calls.answer_always("PublishBatch", lambda sent: _refusing("dog.jpg", sent))

    deployed.invoke(*(a_change(n, *blocked(key)) for n, key in enumerate(("cat.jpg", "dog.jpg", "fox.jpg"))))

    assert metrics_in(capsys.readouterr().out)[OutcomesMetric.EVENTS_SENT] == [1]


def test_an_item_that_could_not_be_read_is_announced_once_it_is_written_as_it_should_be(deployed: Deployed) -> None:
    _, decided = blocked("cat.jpg")
    mended = a_change(1, decided, replace(decided, revision=2))
    mended["dynamodb"]["OldImage"] |= {"revision": {"S": "one"}}

    deployed.invoke(mended)

    assert [flag["revision"] for flag in deployed.flags()] == [2]


def test_each_run_writes_its_metrics(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    deployed.invoke(a_change(1, *blocked("cat.jpg")))

    output = capsys.readouterr().out
    found = metrics_in(output)
    of_events = {OutcomesMetric.EVENTS_SENT, OutcomesMetric.EVENTS_KEPT}
    assert {*found, *of_events, *GATE_METRICS} == EMITTED["outcomes"].names
    assert dimensions_in(output) == {EMITTED["outcomes"].dimensions}
    assert found[OutcomesMetric.CHANGES_ANNOUNCED] == [1]
    assert found[OutcomesMetric.CHANGE_TO_FLAG][0] >= 0


@pytest.mark.parametrize("bus", ["default", "pictures"])
def test_a_change_is_an_event_too_whatever_the_statuses_of_first_verdicts(
    deployed: Deployed, bus: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = boto3.client("sqs").create_queue(QueueName="kept")["QueueUrl"]
    for name, value in EventsEnvironment(bus, kept, (Status.REVIEW,)).to_variables().items():
        monkeypatch.setenv(name, value)
    outcomes._announcer.cache_clear()

    deployed.invoke(a_change(1, *blocked("cat.jpg")), a_change(2, *blocked("dog.jpg")))

    is_there = bus == "default"  # nobody has made the other one
    emitted = metrics_in(capsys.readouterr().out)
    sent, lost = emitted[OutcomesMetric.EVENTS_SENT], emitted[OutcomesMetric.EVENTS_KEPT]
    assert (sent, lost) == (([2], [0]) if is_there else ([0], [2]))
    messages = boto3.client("sqs").receive_message(QueueUrl=kept, MaxNumberOfMessages=10).get("Messages", [])
    assert [json.loads(message["Body"])["cause"] for message in messages] == ([] if is_there else ["decision"] * 2)
    assert len(deployed.logged("events kept")) == (0 if is_there else 1)
    assert len(deployed.flags()) == 2
