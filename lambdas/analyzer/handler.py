"""The Analyzer: from a chunk of a batch to its result lines."""

import os
import time
from collections.abc import Mapping
from functools import cache
from threading import Semaphore
from typing import Any

import boto3
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.config import Config

from gatehouse.aws.chunk_queue import ChunkQueue
from gatehouse.aws.image_moderation import ImageModeration
from gatehouse.aws.presigned_uploads import PresignedUploads
from gatehouse.aws.renderer_function import RendererFunction
from gatehouse.aws.task_tokens import TaskTokens
from gatehouse.aws.upload_head import UploadHeads
from gatehouse.aws.work_bucket import WorkBucket
from gatehouse.contracts.analyzer_environment import AnalyzerEnvironment
from gatehouse.contracts.function_metrics import AnalyzerMetric, Dimension
from gatehouse.moderation.chunk import ChunkMessageError
from lambdas.analyzer.chunk_analysis import CLOSING_SECONDS, PARALLEL_CALLS, ChunkAnalysis, ChunkOutcome, ChunkRun
from lambdas.analyzer.image_analysis import ANSWER_SECONDS, RENDER_SECONDS, ImageAnalysis, parallel_renderings
from lambdas.analyzer.pace import Pace

logger = Logger()
metrics = Metrics()
tracer = Tracer(auto_patch=False)  # segments for a hundred calls would swamp the trace

_CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=2, read_timeout=5)
_REKOGNITION_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 1},  # botocore's own retries would bypass the pace
    connect_timeout=3,
    read_timeout=ANSWER_SECONDS,
    max_pool_connections=PARALLEL_CALLS,
)
_UPLOADS_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 2},
    connect_timeout=2,
    read_timeout=5,
    max_pool_connections=PARALLEL_CALLS,
    # With both, presigned URLs name the Region's own endpoint, which never redirects.
    signature_version="s3v4",
    s3={"addressing_style": "virtual"},
)
_RENDERER_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 1},
    connect_timeout=3,
    read_timeout=RENDER_SECONDS,
)


@cache
def _environment() -> AnalyzerEnvironment:
    return AnalyzerEnvironment.read(os.environ)


@cache
def _analysis() -> ChunkAnalysis:
    environment = _environment()
    uploads = boto3.client("s3", config=_UPLOADS_CONFIG)
    renderings = parallel_renderings(environment.calls_per_second)
    pool = Config(max_pool_connections=renderings)
    renderer = boto3.client("lambda", config=_RENDERER_CONFIG.merge(pool))
    images = ImageAnalysis(
        moderation=ImageModeration(boto3.client("rekognition", config=_REKOGNITION_CONFIG)),
        heads=UploadHeads(uploads),
        uploads=PresignedUploads(uploads),
        renderer=RendererFunction(renderer, environment.renderer),
        pace=Pace(environment.calls_per_second, time.monotonic, time.sleep),
        clock=time.monotonic,
        renderings=Semaphore(renderings),
    )
    return ChunkAnalysis(
        work=WorkBucket(boto3.client("s3", config=_CONFIG), environment.work_bucket),
        tokens=TaskTokens(boto3.client("stepfunctions", config=_CONFIG)),
        queue=ChunkQueue(boto3.client("sqs", config=_CONFIG), environment.chunk_queue_url),
        images=images,
        clock=time.monotonic,
        pause=time.sleep,
    )


@logger.inject_lambda_context
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handler(event: Mapping[str, Any], context: LambdaContext) -> None:
    """Analyze the chunk of the single message (the mapping's batch size is 1).

    A message that the workflow did not send is dropped: no step waits for it.

    Raises:
        ClientError: an outage; the message is delivered again.
    """
    (record,) = event["Records"]
    until = time.monotonic() + context.get_remaining_time_in_millis() / 1000 - CLOSING_SECONDS
    metrics.add_dimension(Dimension.PRIORITY, _environment().priority)
    try:
        run = _analysis().analyze(record["body"], int(record["attributes"]["ApproximateReceiveCount"]), until)
    except ChunkMessageError as error:
        metrics.add_metric(AnalyzerMetric.MESSAGES_MALFORMED, MetricUnit.Count, 1)
        logger.error("malformed message", extra={"message_id": record["messageId"], "problem": str(error)[:1000]})
        return
    _report(run)


def _report(run: ChunkRun) -> None:
    counts = {
        AnalyzerMetric.IMAGES_ANALYZED: run.analyzed - run.rendered,
        AnalyzerMetric.IMAGES_RENDERED: run.rendered,
        AnalyzerMetric.FRAMES_ANALYZED: run.frames,
        AnalyzerMetric.IMAGES_REFUSED: run.refused,
        AnalyzerMetric.CALLS_THROTTLED: run.throttled,
        AnalyzerMetric.CALLS_FAILED: run.failed,
        AnalyzerMetric.CHUNKS_PUT_BACK: int(run.outcome is ChunkOutcome.PUT_BACK),
        AnalyzerMetric.CHUNKS_GIVEN_UP: int(run.outcome is ChunkOutcome.GIVEN_UP),
    }
    for name, count in counts.items():
        metrics.add_metric(name, MetricUnit.Count, count)
    chunk = {"batch_id": run.chunk.batch_id, "pass": run.chunk.image_pass.value, "first": run.chunk.first}
    images = {"known": run.known, "straggling": run.straggling}
    logger.info("chunk", extra={**chunk, "outcome": run.outcome.value, **images, "counts": counts})
