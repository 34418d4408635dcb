"""Results: from a finished analysis to verdicts and flags."""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config

from gatehouse.aws.flag_topic import FlagTopic
from gatehouse.aws.upload_bucket import PARALLEL_LOOKS, UploadBucket
from gatehouse.aws.verdict_table import VerdictTable
from gatehouse.aws.version_listing import VersionListing
from gatehouse.aws.work_bucket import WorkBucket
from gatehouse.contracts.function_metrics import Dimension, ResultsMetric
from gatehouse.contracts.results_environment import ResultsEnvironment
from gatehouse.moderation.flag_publisher import FlagPublisher
from gatehouse.moderation.in_flight import IN_FLIGHT
from gatehouse.moderation.policy.model_drift import MAX_NAMES, loggable, other_versions, unknown_labels
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from lambdas.event_sender import event_sender, log_events_kept
from lambdas.results.request import Request
from lambdas.results.settlement import Settled, Settlement

logger = Logger()
metrics = Metrics()
tracer = Tracer(auto_patch=False)  # segments for thousands of calls would swamp the trace

#: AWS does not document the error for an account to which Bulk Analysis is closed.
_BULK_REFUSED = (
    "the media analysis job could not be started: either the state machine's role lacks a permission, or Bulk Analysis "
    "is closed to this account (as to all that had not used it before 30 April 2026) or absent from this Region; the "
    "image engine analyzed the batch"
)
_BULK_FAILED = "no media analysis job could be started or succeeded; the image engine analyzed the batch"

_OTHER = "Rekognition's model is not the policies' one; docs/operations.md#model-version-changed says what to do"
_UNKNOWN = "the taxonomy lacks these labels; docs/operations.md#unknown-label-seen says how to write a rule for one"

_LONGEST_PROBLEM = 500

_CONFIG = Config(
    retries={"mode": "standard", "max_attempts": 8},
    connect_timeout=3,
    read_timeout=30,
    max_pool_connections=PARALLEL_LOOKS,
    parameter_validation=False,  # requests are built here, and looking through a transaction of 100 items takes long
)


@cache
def _settlement() -> Settlement:
    environment = ResultsEnvironment.read(os.environ)
    s3 = boto3.client("s3", config=_CONFIG)
    days = environment.retention_days
    return Settlement(
        table=VerdictTable(boto3.client("dynamodb", config=_CONFIG), environment.verdict_table),
        work=WorkBucket(s3, environment.work_bucket),
        uploads=UploadBucket(s3, finds_animations=environment.animation_check),
        flags=FlagPublisher(
            FlagTopic(boto3.client("sns", config=_CONFIG), environment.flag_topic_arn), calls=IN_FLIGHT
        ),
        notify=frozenset(environment.notify),
        retention=timedelta(days=days) if days is not None else None,
        now=lambda: datetime.now(UTC),
        events=event_sender(environment.events, _CONFIG),
        versions=None if environment.animation_check else VersionListing(s3),
    )


@logger.inject_lambda_context
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Settle a batch. Returns its id and how many uploads ended in each status.

    Raises:
        FlagNotPublishedError: everything else is final; a retry sends the refused flags again.
    """
    request = Request.parse(event)
    try:
        settled = _settlement().settle(request)
        _report(request, settled)  # before anything else can fail: a retry no longer sees what is final
        if settled.refusals:
            raise settled.refusals[0]
        _settlement().close(request.batch_id, settled)
    except Exception as error:
        logger.error("not settled", extra={"batch_id": request.batch_id, "problem": repr(error)[:_LONGEST_PROBLEM]})
        raise
    return {"batch_id": request.batch_id, **settled.to_document()}


def _report(request: Request, settled: Settled) -> None:
    batch_id, fallback = request.batch_id, request.fallback
    metrics.add_dimension(Dimension.LANE, settled.lane)
    counts = settled.counts()
    analyses = [verdict.analysis for verdict in settled.verdicts if verdict.analysis]
    other_models = other_versions(analyses, ResultsEnvironment.read(os.environ).model_version)
    strange = unknown_labels(analyses)
    # These uploads are found again by a retry, so only the run that succeeds counts them.
    once = 0 if settled.refusals else 1
    leftovers = once * settled.leftovers
    is_late = request.analysis.image_pass.is_of_stragglers
    judged = {
        ResultsMetric.UPLOADS_JUDGED: len(settled.verdicts),
        ResultsMetric.UPLOADS_APPROVED: counts[Status.APPROVED],
        ResultsMetric.UPLOADS_FLAGGED: settled.flagged,
        ResultsMetric.UPLOADS_BLOCKED: counts[Status.BLOCKED],
        ResultsMetric.UPLOADS_UNSUPPORTED: counts[Status.UNSUPPORTED],
        ResultsMetric.UPLOADS_FAILED: counts[Status.FAILED],
        ResultsMetric.VERDICTS_MISSING: settled.missing,
        ResultsMetric.ADAPTER_IGNORED: settled.adapter_ignored,
        ResultsMetric.OTHER_MODEL_ANSWERS: other_models.total(),
        ResultsMetric.UNKNOWN_LABELS: len(strange),
        ResultsMetric.UNMATCHED_RESULT_LINES: once * settled.unmatched_lines,
        ResultsMetric.UPLOADS_UNANSWERED: once * settled.unanswered,
        ResultsMetric.LEFTOVERS: leftovers,
        ResultsMetric.STRAGGLERS: 0 if is_late else once * settled.left - leftovers,  # each upload once
        ResultsMetric.IMAGES_ANALYZED_IN_BULK: _analyzed_in_bulk(request, settled.verdicts, leftovers),
        ResultsMetric.BULK_REFUSED: int(fallback is not None and fallback.is_refusal),
        ResultsMetric.BULK_FAILED: int(fallback is not None and not fallback.is_refusal),
    }
    if settled.announcement:
        judged |= {
            ResultsMetric.EVENTS_SENT: settled.announcement.sent,
            ResultsMetric.EVENTS_KEPT: settled.announcement.kept,
        }
    for name, count in judged.items():
        metrics.add_metric(name, MetricUnit.Count, count)
    for verdict in settled.verdicts:
        if verdict.upload.is_listed:  # it was uploaded long before anybody waited for its verdict
            continue
        waited = datetime.fromisoformat(verdict.decided_at) - datetime.fromisoformat(verdict.upload.uploaded_at)
        metrics.add_metric(ResultsMetric.UPLOAD_TO_VERDICT, MetricUnit.Milliseconds, waited.total_seconds() * 1000)
    logger.info("settled", extra={"batch_id": batch_id, "lane": settled.lane, "counts": judged})
    if settled.announcement and settled.announcement.kept:
        log_events_kept(logger, settled.announcement, batch_id=batch_id)
    if settled.adapter_ignored:
        logger.warning("answers do not come from the requested adapter; has it expired?", extra={"batch_id": batch_id})
    if other_models:
        answers = {loggable(version): count for version, count in other_models.most_common(MAX_NAMES)}
        logger.warning("another model answered", extra={"batch_id": batch_id, "answers": answers, "problem": _OTHER})
    if strange:
        parents = {loggable(name): loggable(parent) for name, parent in islice(strange.items(), MAX_NAMES)}
        logger.warning("unknown labels", extra={"batch_id": batch_id, "parents": parents, "problem": _UNKNOWN})
    if fallback is not None:
        problem = _BULK_REFUSED if fallback.is_refusal else _BULK_FAILED
        logger.warning(
            "image engine took over",
            extra={"batch_id": batch_id, "problem": problem, "error": fallback.failure.to_document()},
        )


def _analyzed_in_bulk(request: Request, verdicts: Sequence[Verdict], leftovers: int) -> int:
    """Images that a bulk job charges for, at most: it does not report which of the leftovers it analyzed."""
    run = request.analysis
    if not run.engine.reads_manifest or run.failure:
        return 0
    return sum(verdict.engine is run.engine for verdict in verdicts) + leftovers
