"""Outcomes, on the verdict table's stream: opens and closes the gate, and announces changed verdicts."""

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
from gatehouse.aws.verdict_table import VerdictTable
from gatehouse.aws.version_listing import VersionListing
from gatehouse.aws.version_tags import VersionTags
from gatehouse.contracts.function_metrics import OutcomesMetric
from gatehouse.contracts.outcomes_environment import OutcomesEnvironment
from gatehouse.moderation.flag_publisher import FlagPublisher
from lambdas.event_sender import event_sender, log_events_kept
from lambdas.outcomes.change_announcer import Announced, ChangeAnnouncer
from lambdas.outcomes.gatekeeper import PARALLEL_TAGS, Gated, Gatekeeper

logger = Logger()
metrics = Metrics()
tracer = Tracer(auto_patch=False)

#: A topic that does not answer leaves time for a response about the other records.
_CONFIG = Config(retries={"mode": "standard", "max_attempts": 3}, connect_timeout=3, read_timeout=5)

_LONGEST_PROBLEM = 500
_CLOSE = "close"


@cache
def _announcer() -> ChangeAnnouncer:
    environment = OutcomesEnvironment.read(os.environ)
    return ChangeAnnouncer(
        FlagPublisher(FlagTopic(boto3.client("sns", config=_CONFIG), environment.flag_topic_arn)),
        QueueSender(boto3.client("sqs", config=_CONFIG), environment.failure_queue_url),
        event_sender(environment.events, _CONFIG),
    )


@cache
def _gatekeeper() -> Gatekeeper | None:
    environment = OutcomesEnvironment.read(os.environ)
    if environment.verdict_table is None:
        return None
    config = _CONFIG.merge(Config(max_pool_connections=PARALLEL_TAGS))
    return Gatekeeper(
        VerdictTable(boto3.client("dynamodb", config=config), environment.verdict_table),
        VersionTags(boto3.client("s3", config=config)),
        VersionListing(boto3.client("s3", config=config)),
        QueueSender(boto3.client("sqs", config=_CONFIG), environment.failure_queue_url),
        mark_blocked=environment.mark_blocked,
    )


@logger.inject_lambda_context
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Follow the changes in a stream's records. Returns the partial batch response.

    Lambda delivers the records again from the lowest sequence number in the response (Developer Guide,
    services-ddb-batchfailurereporting.html). The gate comes first: revoking must not wait for subscribers.

    `gate check --repair` invokes it with `{"close": [{bucket, key, version_id}, ...]}`: versions that have
    the tag and no verdict.
    """
    gatekeeper = _gatekeeper()
    if gatekeeper and _CLOSE in event:
        return {"closed": gatekeeper.close(event[_CLOSE])}
    identities, changes = sequence_numbers(event), read_records(event)
    gated = gatekeeper.follow(changes) if gatekeeper else None
    if gated:
        _report_gate(identities, gated)
    refused = set(gated.refused) if gated else set()
    # What is delivered again has its flags then.
    announced = _announcer().announce(changes[: min(refused, default=len(changes))])
    _report(identities, announced)
    refused |= set(announced.refused)
    return {"batchItemFailures": [{"itemIdentifier": identities[position]} for position in sorted(refused)]}


def _report_gate(identities: Sequence[str], gated: Gated) -> None:
    counts = {
        OutcomesMetric.VERSIONS_OPENED: gated.opened,
        OutcomesMetric.VERSIONS_CLOSED: gated.closed,
        OutcomesMetric.VERSIONS_UNOPENED: len(gated.unopened),
        OutcomesMetric.TAGS_REFUSED: len(gated.refused),
    }
    for metric, count in counts.items():
        metrics.add_metric(metric, MetricUnit.Count, count)
    for time, waits in {
        OutcomesMetric.VERDICT_TO_OPEN: gated.milliseconds_to_open,
        OutcomesMetric.CHANGE_TO_CLOSED: gated.milliseconds_to_close,
    }.items():
        for waited in waits:
            metrics.add_metric(time, MetricUnit.Milliseconds, waited)
    logger.info("gate", extra={"records": len(identities), "counts": counts})
    for (name, version), why in gated.unopened.items():
        logger.error("not opened", extra={"object": name, "version": version, "problem": why})
    for position, problem in sorted(gated.refused.items()):
        logger.error(
            "not tagged", extra={"sequence_number": identities[position], "problem": problem[:_LONGEST_PROBLEM]}
        )


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
