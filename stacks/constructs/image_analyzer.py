"""The image engine: the chunk queue and the function behind it, for the lanes of one priority."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from constructs import Construct

from gatehouse.contracts.analyzer_environment import AnalyzerEnvironment
from gatehouse.contracts.function_metrics import AnalyzerMetric, Dimension, Service
from gatehouse.moderation.lane import Priority
from stacks.constructs.accepted_findings import accept_finding
from stacks.constructs.alarm import create_alarm
from stacks.constructs.encryption_key import EncryptionKey
from stacks.constructs.function_metric import function_metric
from stacks.constructs.queue import create_queue
from stacks.constructs.queue_metrics import metric_oldest, metric_stalled, metric_waiting
from stacks.constructs.regional_rate import RegionalRate
from stacks.constructs.runtime import Runtime
from stacks.constructs.service_function import ServiceFunction
from stacks.constructs.storage import Storage

#: The longest a run may take. A worker that died is replaced when its message comes back, after six times as long.
_TIMEOUT = cdk.Duration.seconds(120)


def memory_size(priority: Priority) -> int:
    """The Analyzer's memory in MB.

    Waiting for turns and answers is nearly all it does, and is paid by the megabyte. Where seconds count, so does the
    start of an instance, which is faster with more.
    """
    return 1024 if priority is Priority.FAST else 256


class ImageAnalyzer(Construct):
    """Chunk queue, Analyzer and the mapping between them, whose MaximumConcurrency is the brake.

    At most `rate.workers` Analyzers run at a time, each at its part of the rate, whatever number of batches is open:
    the rate is kept without counting anything. A chunk that nobody can take yet waits in the queue.

    The queue has no dead-letter queue. A chunk belongs to a step of an execution: the Analyzer gives it up after some
    deliveries, and drops it when the step is over. What is left is gone when the retention ends, which is longer than
    any step waits.

    Args:
        rate: the calls a second that the lanes of this priority may make.
        knows_bulk: whether a lane of the priority may use bulk, which leaves uploads over.
    """

    #: How long a step waits for its chunk without a sign of life. A chunk may wait in the queue for hours, and nobody
    #: sends a sign for it then. So this only ends what was lost; an Analyzer that died is replaced long before.
    HEARTBEAT = cdk.Duration.days(1)

    #: How long a step waits for a chunk that does give signs of life: throttling is waited for as long as it lasts, and
    #: puts the chunk back again and again. It ends before the batch's files do, which are kept for 30 days or more.
    TIMEOUT = cdk.Duration.days(14)

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        runtime: Runtime,
        storage: Storage,
        priority: Priority,
        rate: RegionalRate,
        knows_bulk: bool,
    ) -> None:
        super().__init__(scope, id)
        self.priority = priority
        self.rate = rate
        self._stalled_after = 3 if priority is Priority.FAST else 6
        self.queue = create_queue(
            self,
            "ChunkQueue",
            key=runtime.key,
            # Six times the function's timeout, as Lambda's guide asks (services-sqs-configure.html).
            visibility_timeout=cdk.Duration.seconds(6 * _TIMEOUT.to_seconds()),
            retention_period=cdk.Duration.seconds(2 * self.HEARTBEAT.to_seconds()),
        )
        accept_finding(
            self.queue, "SQS3", "A chunk is given up by its Analyzer or its workflow; a dead letter would outlive both."
        )
        self.service = ServiceFunction(
            self,
            "Analyzer",
            service=Service.ANALYZER,
            runtime=runtime,
            memory_size=memory_size(priority),
            timeout=_TIMEOUT,
            environment=AnalyzerEnvironment(
                rate=rate.calls_per_worker,
                chunk_queue_url=self.queue.queue_url,
                priority=priority.value,
                work_bucket=storage.work.bucket.bucket_name,
            ).to_variables(),
            # A chunk that runs out of time is sent into the queue that invoked its run. That is no runaway: a run sends
            # its own chunk and no other, once, when its time is up, and only while the chunk's step waits for it. So
            # there are never more messages than chunks, nor more runs than MaximumConcurrency; images that keep failing
            # end by their number of tries, throttled ones with the throttling, and all of them with their execution.
            may_loop=True,
        )
        self.function = self.service.function
        self._grant(storage, runtime.key, knows_bulk=knows_bulk)
        self.function.add_event_source_mapping(
            "Chunks",
            event_source_arn=self.queue.queue_arn,
            batch_size=1,
            max_concurrency=rate.max_concurrency,  # reserved concurrency would break small new accounts
        )

    def metric(self, metric: AnalyzerMetric) -> cloudwatch.Metric:
        """A metric that the function's code writes."""
        return function_metric(Service.ANALYZER, metric, dimensions={Dimension.PRIORITY: self.priority.value})

    def metric_oldest_chunk(self) -> cloudwatch.Metric:
        """Seconds the oldest chunk has been waiting for an Analyzer."""
        return metric_oldest(self.queue)

    def metric_waiting_chunks(self) -> cloudwatch.Metric:
        """Chunks that wait for an Analyzer."""
        return metric_waiting(self.queue)

    def create_alarms(self, scope: Construct) -> Sequence[cloudwatch.Alarm]:
        """The engine's alarms, made in another scope."""
        return [
            create_alarm(
                scope,
                "AnalyzerKeepsFailing",
                self.service.metric_errors(),
                section="The Analyzer keeps failing",
                meaning=f"Priority {self.priority}: the function that analyzes images has failed again and again.",
                periods=9,
                breaching=3,
            ),
            create_alarm(
                scope,
                "AnalyzerStoppedAsLoop",
                self.service.metric_stopped_as_loop(),
                section="The Analyzer is stopped as a loop",
                meaning=f"Priority {self.priority}: Lambda refuses chunks that were put back often, and they wait.",
            ),
            create_alarm(
                scope,
                "ChunksPutBack",
                self.metric(AnalyzerMetric.CHUNKS_PUT_BACK),
                section="Analysis is throttled",
                meaning=f"Priority {self.priority}: Rekognition lets fewer calls through than it should, or fails.",
                periods=6,
                breaching=3,
            ),
            create_alarm(
                scope,
                "ChunksStalled",
                metric_stalled(self.queue),
                section="Work stands still",
                meaning=f"Priority {self.priority}: chunks of images wait and none is taken.",
                periods=self._stalled_after,
                breaching=self._stalled_after,
            ),
            create_alarm(
                scope,
                "ChunksWait",
                self.metric_oldest_chunk(),
                section="Chunks wait too long",
                meaning=f"Priority {self.priority}: images have waited for the image engine for far too long.",
                threshold=self._too_long().to_seconds(),
            ),
        ]

    def _too_long(self) -> cdk.Duration:
        return cdk.Duration.minutes(15) if self.priority is Priority.FAST else cdk.Duration.hours(6)

    def _grant(self, storage: Storage, key: EncryptionKey | None, *, knows_bulk: bool) -> None:
        reason = "Batches get their ids as they are made."
        storage.uploads.grant_read_versions(self.function)
        storage.work.grant_analyze_chunks(self.function)
        if knows_bulk:
            storage.work.grant_read_leftovers(self.function)
            accept_finding(self, "IAM5", reason, ending="/batches/*/leftovers.jsonl")
        storage.work.grant_list(self.function)
        iam.Grant.add_to_principal(
            grantee=self.function, actions=["rekognition:DetectModerationLabels"], resource_arns=["*"]
        )
        iam.Grant.add_to_principal(
            grantee=self.function,
            actions=["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:SendMessage"],
            resource_arns=[self.queue.queue_arn],
        )
        if key:
            key.grant_receive_messages(self.function)
            key.grant_send_messages(self.function)
        for ending in ("/uploads.jsonl", "/stragglers-*.jsonl", "/analysis/image/*"):
            accept_finding(self, "IAM5", reason, ending=f"/batches/*{ending}")
        accept_finding(
            self, "IAM5", "Rekognition reads whatever upload a chunk names.", ending=storage.uploads.objects_finding
        )
        accept_finding(
            self,
            "IAM5",
            "Without an adapter DetectModerationLabels has no resource (Service Authorization Reference).",
            ending="::*",
        )
