"""Outcomes: announces changed verdicts from the verdict table's stream."""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config

from gatehouse.aws.flag_topic import FlagTopic
from gatehouse.aws.queue_sender import QueueSender
from gatehouse.aws.verdict_stream import read_records, sequence_numbers
from gatehouse.contracts.function_metrics import OutcomesMetric
from gatehouse.contracts.outcomes_environment import OutcomesEnvironment
from gatehouse.moderation.flag_publisher import FlagPublisher
from lambdas.event_sender import event_sender, log_events_kept
from lambdas.outcomes.change_announcer import Announced, ChangeAnnouncer

logger = Logger()
metrics = Metrics()
tracer = Tracer(auto_patch=False)

#: A topic that does not answer leaves time for a response about the other records.
_CONFIG = Config(retries={"mode": "standard", "max_attempts": 3}, connect_timeout=3, read_timeout=5)

_LONGEST_PROBLEM = 500


@cache
def _announcer() -> ChangeAnnouncer:
    environment = OutcomesEnvironment.read(os.environ)
    return ChangeAnnouncer(
        FlagPublisher(FlagTopic(boto3.client("sns", config=_CONFIG), environment.flag_topic_arn)),
        QueueSender(boto3.client("sqs", config=_CONFIG), environment.failure_queue_url),
        event_sender(environment.events, _CONFIG),
    )


@logger.inject_lambda_context
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Announce the changes in a stream's records. Returns the partial batch response.

    Lambda delivers the records again from the lowest sequence number in the response (Developer Guide,
    services-ddb-batchfailurereporting.html).
    """
    identities = sequence_numbers(event)
    announced = _announcer().announce(read_records(event))
    _report(identities, announced)
    return {"batchItemFailures": [{"itemIdentifier": identities[position]} for position in sorted(announced.refused)]}


def _report(identities: Sequence[str], announced: Announced) -> None:
    counts = {
        OutcomesMetric.CHANGES_ANNOUNCED: len(announced.verdicts),
        OutcomesMetric.CHANGES_REFUSED: len(announced.refused),
        OutcomesMetric.CHANGES_UNREADABLE: len(announced.unreadable),
    }
    if announced.events:
        counts |= {
            OutcomesMetric.EVENTS_SENT: announced.events.sent,
            OutcomesMetric.EVENTS_KEPT: announced.events.kept,
        }
    for name, count in counts.items():
        metrics.add_metric(name, MetricUnit.Count, count)
    for waited in announced.milliseconds(datetime.now(UTC)):
        metrics.add_metric(OutcomesMetric.CHANGE_TO_FLAG, MetricUnit.Milliseconds, waited)
    logger.info("announced", extra={"records": len(identities), "counts": counts})
    if announced.events and announced.events.kept:
        log_events_kept(logger, announced.events)
    for position, problem in sorted(announced.refused.items()):
        logger.error("refused", extra={"sequence_number": identities[position], "problem": problem[:_LONGEST_PROBLEM]})
    for position, change in sorted(announced.unreadable.items()):
        named = {"object": change.object, "version": change.version, "problem": change.problem[:_LONGEST_PROBLEM]}
        logger.error("unreadable", extra={"sequence_number": identities[position], **named})
