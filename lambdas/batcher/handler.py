"""The batcher: from a queue's messages to a started batch."""

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config

from gatehouse.aws.executions import Executions
from gatehouse.aws.policy_parameters import PolicyParameters
from gatehouse.aws.verdict_table import VerdictTable
from gatehouse.aws.version_listing import VersionListing
from gatehouse.aws.work_bucket import WorkBucket
from gatehouse.contracts.batcher_environment import BatcherEnvironment
from gatehouse.contracts.function_metrics import BatcherMetric, Dimension
from gatehouse.moderation.batch import Batch
from gatehouse.moderation.lane import Priority
from gatehouse.moderation.status import Status
from lambdas.batcher.active_policies import ActivePolicies
from lambdas.batcher.admission import Admission, Admitted
from lambdas.batcher.listed_objects import PARALLEL_LOOKS, ListedObjects, Places
from lambdas.batcher.messages import Messages
from lambdas.shipped_policies import read_policy

logger = Logger()
metrics = Metrics()
tracer = Tracer(auto_patch=False)  # a segment for each call would swamp the trace

_CONFIG = Config(
    retries={"mode": "standard", "max_attempts": 5},
    connect_timeout=3,
    read_timeout=10,
    parameter_validation=False,  # requests are built here, and looking through a transaction of 100 items takes long
)
_PARALLEL_CONFIG = _CONFIG.merge(Config(max_pool_connections=PARALLEL_LOOKS))


@cache
def _work() -> WorkBucket:
    return WorkBucket(boto3.client("s3", config=_CONFIG), BatcherEnvironment.read(os.environ).work_bucket)


@cache
def _policies() -> ActivePolicies:
    names = BatcherEnvironment.read(os.environ).policy_parameters
    parameters = PolicyParameters(boto3.client("ssm", config=_CONFIG), names)
    return ActivePolicies(parameters, _work(), shipped=read_policy, clock=time.time)


@cache
def _table() -> VerdictTable:
    client = boto3.client("dynamodb", config=_PARALLEL_CONFIG)
    return VerdictTable(client, BatcherEnvironment.read(os.environ).verdict_table)


@cache
def _admission() -> Admission:
    environment = BatcherEnvironment.read(os.environ)
    states = boto3.client("stepfunctions", config=_CONFIG)
    return Admission(
        lane=environment.lane,
        policies=_policies().current,
        table=_table(),
        work=_work(),
        executions=Executions(states, environment.state_machine_arn),
        other_executions=[Executions(states, arn) for arn in environment.other_state_machine_arns],
        now=_now,
    )


@cache
def _backfill() -> Admission:
    """Admits listed objects on the lane's terms, but with the backfill's priority and workflow, if there is one."""
    environment, own = BatcherEnvironment.read(os.environ), _admission()
    backfill = environment.backfill_state_machine_arn
    if backfill in (None, environment.state_machine_arn):
        return own
    states = boto3.client("stepfunctions", config=_CONFIG)
    others = [arn for arn in environment.other_state_machine_arns if arn != backfill]
    return replace(
        own,
        lane=replace(own.lane, priority=Priority.BACKFILL),
        executions=Executions(states, backfill),
        other_executions=[own.executions, *(Executions(states, arn) for arn in others)],
    )


@cache
def _listed_objects() -> ListedObjects | None:
    """None where objects from before are not moderated."""
    if BatcherEnvironment.read(os.environ).backfill_state_machine_arn is None:
        return None
    return ListedObjects(_table(), VersionListing(boto3.client("s3", config=_PARALLEL_CONFIG)), _now)


def _now() -> datetime:
    return datetime.now(UTC)


@logger.inject_lambda_context
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Admit the messages of a lane's queue. Returns the partial batch response."""
    timeout = timedelta(milliseconds=context.get_remaining_time_in_millis())
    admission = _admission()
    messages = Messages.read(admission.lane, event["Records"])
    places, duplicates = _look_up(messages)
    messages.uploads |= places.uploads
    uploads = [upload for upload in messages.uploads.values() if upload.identity not in duplicates]
    live = [upload for upload in uploads if not upload.is_listed]
    admitted = admission.admit(live, timeout, messages.resubmitted)
    if listed := [upload for upload in uploads if upload.is_listed]:
        admitted.add(_backfill().admit(listed, timeout, messages.resubmitted))
    _report(admission.lane.name, messages, admitted, places, len(duplicates))
    return messages.response(admitted.come_back)


def _look_up(messages: Messages) -> tuple[Places, set[tuple[str, str]]]:
    """Places of the listed objects, and identities of the uploads whose version was listed before."""
    listed_objects = _listed_objects()
    if listed_objects is None:
        problem = "objects from listings are not moderated; set existing_objects: true in gatehouse.yaml and deploy"
        messages.malformed |= dict.fromkeys(messages.listed, problem)
        return Places(), set()
    return listed_objects.find_places(messages.listed), listed_objects.listed_already(messages.uploads.values())


def _report(lane: str, messages: Messages, admitted: Admitted, places: Places, duplicates: int) -> None:
    uploads = [entry for batch in admitted.batches for entry in batch.uploads]
    metrics.add_dimension(Dimension.LANE, lane)
    counts = {
        BatcherMetric.UPLOADS_BATCHED: len(uploads),
        BatcherMetric.UPLOADS_UNSUPPORTED: sum(entry.refused_as(Status.UNSUPPORTED) for entry in uploads),
        BatcherMetric.UPLOADS_IGNORED: messages.ignored,
        BatcherMetric.UPLOADS_RECLAIMED: admitted.reclaimed,
        BatcherMetric.UPLOADS_RESUBMITTED: admitted.resubmitted,
        BatcherMetric.MESSAGES_MALFORMED: len(messages.malformed),
        BatcherMetric.BATCHES_STARTED: len(admitted.batches),
        BatcherMetric.BATCHES_REDRIVEN: admitted.redriven,
        BatcherMetric.STUCK_AFTER_SUCCESS: admitted.stuck_after_success,
        BatcherMetric.POLICIES_UNKNOWN: len(_policies().unknown),
    }
    if _listed_objects() is not None:
        counts[BatcherMetric.UPLOADS_KNOWN] = places.known + duplicates
        counts[BatcherMetric.UPLOADS_WITHOUT_PLACE] = places.without.total()
    for name, count in counts.items():
        metrics.add_metric(name, MetricUnit.Count, count)
    batches = {batch.batch_id: _versions(batch) for batch in admitted.batches}
    logger.info("admitted", extra={"lane": lane, "batches": batches, "counts": counts})
    for policy, policy_hash in _policies().unknown.items():
        problem = "the active version is not known here; judged by the version that was deployed with this function"
        logger.warning("policy unknown", extra={"policy": policy, "hash": policy_hash, "problem": problem})
    for why, count in places.without.items():
        logger.warning("listed objects not moderated", extra={"why": why.value, "count": count})
    for identity, problem in messages.malformed.items():
        logger.warning("malformed message", extra={"message_id": identity, "problem": problem})


def _versions(batch: Batch) -> dict[str, dict[str, str]]:
    """Which version of each policy a batch is judged by."""
    return {name: {"version": policy.version, "hash": policy.hash} for name, policy in batch.policies.items()}
