"""Calls to AWS that a change of a verdict takes: the numbers that docs/cost.md rests on."""

from typing import Any

import boto3
import pytest
from botocore.config import Config

from gatehouse.aws.flag_topic import FlagTopic
from gatehouse.aws.queue_sender import QueueSender
from gatehouse.aws.verdict_stream import ItemChange
from gatehouse.cli.aws.verdict_table import OperatorsVerdictTable
from gatehouse.moderation.decision import Decision, acted, decide
from gatehouse.moderation.flag_publisher import FlagPublisher
from gatehouse.moderation.person import Person
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import verdict_item
from lambdas.outcomes.change_announcer import ChangeAnnouncer
from tests.benchmarks.cost import change_cases
from tests.unit.aws_calls import AwsCalls
from tests.unit.builders import a_claim, a_verdict, uploads

ALICE = Person("alice")


@pytest.fixture
def calls() -> AwsCalls:
    return AwsCalls()


def _client(calls: AwsCalls, service: Any) -> Any:
    client = boto3.client(service, config=Config(parameter_validation=False))
    calls.watch(client)
    return client


def _changes(count: int) -> list[tuple[Verdict, Verdict]]:
    """Verdicts and what a person decided about them."""
    waiting = [a_verdict(Status.REVIEW, a_claim(upload)) for upload in uploads(count)]
    decision, at = Decision("policy-violation", None), "2026-11-23T09:00:00.000Z"
    return [(verdict, acted(verdict, decide(Status.BLOCKED, ALICE, decision, at))) for verdict in waiting]


def test_a_decision_is_one_write_and_no_other_call(calls: AwsCalls) -> None:
    calls.answer_always("UpdateItem", lambda _: {})
    table = OperatorsVerdictTable(_client(calls, "dynamodb"), "verdicts", lambda _: None)

    ((before, after),) = _changes(1)
    assert table.rewrite(before, after, None)

    assert calls.made == {"UpdateItem": 1}


@pytest.mark.parametrize("changes", sorted({case.an_invocation for case in change_cases()}))
def test_an_invocation_makes_a_publish_for_each_ten_changes_and_no_other_call(calls: AwsCalls, changes: int) -> None:
    calls.answer_always("PublishBatch", lambda _: {})
    announcement = ChangeAnnouncer(
        FlagPublisher(FlagTopic(_client(calls, "sns"), "arn:aws:sns:us-east-1:123456789012:f")),
        QueueSender(_client(calls, "sqs"), "https://sqs.us-east-1.amazonaws.com/123456789012/failures"),
    )

    announced = announcement.announce(
        [ItemChange(verdict_item(before), verdict_item(after)) for before, after in _changes(changes)]
    )

    (publishes,) = {case.publishes for case in change_cases() if case.an_invocation == changes}
    assert len(announced.verdicts) == changes
    assert calls.made == {"PublishBatch": publishes}
