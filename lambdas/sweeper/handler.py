"""The sweeper: restarts stuck uploads on a schedule."""

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config

from gatehouse.aws.executions import Executions
from gatehouse.aws.queue_sender import QueueSender
from gatehouse.aws.verdict_table import VerdictTable
from gatehouse.aws.work_bucket import WorkBucket
from gatehouse.contracts.function_metrics import SweeperMetric
from gatehouse.contracts.sweep_schedule import Schedule
from gatehouse.contracts.sweeper_environment import SweeperEnvironment
from lambdas.sweeper.sweep import Sweep, Swept

logger = Logger()
metrics = Metrics()
tracer = Tracer(auto_patch=False)

#: Seconds reserved for the last batch of a run: 10,000 uploads need 100 reads and 1,000 sends.
_LAST_BATCH_SECONDS = 240

_TO_NO_AVAIL = "its uploads were put back into their lane's queue before and are still PENDING"

_CONFIG = Config(retries={"mode": "standard", "max_attempts": 8}, connect_timeout=3, read_timeout=10)


@cache
def _client(service: Any) -> Any:
    return boto3.client(service, config=_CONFIG)


def _sweep(schedule: Schedule, until: float) -> Sweep:
    environment = SweeperEnvironment.read(os.environ)
    return Sweep(
        schedule=schedule,
        table=VerdictTable(_client("dynamodb"), environment.verdict_table),
        work=WorkBucket(_client("s3"), environment.work_bucket),
        machines=[Executions(_client("stepfunctions"), arn) for arn in schedule.state_machine_arns],
        queue=partial(QueueSender, _client("sqs")),
        now=lambda: datetime.now(UTC),
        has_time=lambda: time.monotonic() < until,
    )


@logger.inject_lambda_context
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handler(event: Mapping[str, Any], context: LambdaContext) -> None:
    """Sweep the lanes that the schedule names.

    Raises:
        MessageNotSentError, VerdictTableBusyError, ClientError: some batch could not be processed because of an outage.
            The others were processed, and the next sweep starts over.
    """
    until = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - _LAST_BATCH_SECONDS
    swept = _sweep(Schedule.parse(event), until).sweep()
    _report(swept)
    if swept.outages:
        raise swept.outages[0]


def _report(swept: Swept) -> None:
    counts = {
        SweeperMetric.BATCHES_OLD: swept.old,
        SweeperMetric.BATCHES_OVERDUE: len(swept.overdue),
        SweeperMetric.BATCHES_REDRIVEN: len(swept.redriven),
        SweeperMetric.UPLOADS_READMITTED: sum(swept.readmitted.values()),
        SweeperMetric.UPLOADS_STUCK: sum(swept.stuck.values()),
    }
    for name, count in counts.items():
        metrics.add_metric(name, MetricUnit.Count, count)
    logger.info("swept", extra={"counts": counts, "closed": swept.closed, "is_complete": swept.is_complete})
    for batch_id in swept.redriven:
        logger.info("batch redriven", extra={"batch_id": batch_id})
    for batch_id, uploads in swept.readmitted.items():
        logger.info("batch readmitted", extra={"batch_id": batch_id, "uploads": uploads})
    for batch_id in swept.overdue:
        logger.warning("batch overdue", extra={"batch_id": batch_id})
    for batch_id, uploads in swept.stuck.items():
        problem = swept.problems.get(batch_id, _TO_NO_AVAIL)
        logger.error("batch stuck", extra={"batch_id": batch_id, "uploads": uploads, "problem": problem})
    for batch_id in swept.problems.keys() - swept.stuck.keys():
        logger.error("batch not swept", extra={"batch_id": batch_id, "problem": swept.problems[batch_id]})
