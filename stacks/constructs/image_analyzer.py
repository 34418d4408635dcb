"""The image engine: the chunk queue and the function behind it, for the lanes of one priority."""

import math
from collections.abc import Sequence
from functools import partial

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from constructs import Construct

from gatehouse.configuration.call_rate import CallRate
from gatehouse.contracts.analyzer_environment import AnalyzerEnvironment
from gatehouse.contracts.function_metrics import AnalyzerMetric, Dimension, Service
from gatehouse.contracts.pascal_case import pascal_case
from gatehouse.moderation.lane import Priority
from stacks.constructs.accepted_findings import accept_finding
from stacks.constructs.alarm import AlarmScope, create_alarm
from stacks.constructs.encryption_key import EncryptionKey
from stacks.constructs.function_metric import function_metric
from stacks.constructs.queue import create_queue
from stacks.constructs.queue_metrics import metric_oldest, metric_stalled, metric_waiting
from stacks.constructs.regional_rate import RegionalRate
from stacks.constructs.renderer import Renderer
from stacks.constructs.runtime import Runtime
from stacks.constructs.service_function import ServiceFunction
from stacks.constructs.storage import Storage

#: The function's timeout. If a worker dies, its message becomes visible again after six times as long.
_TIMEOUT = cdk.Duration.seconds(120)


def memory_size(priority: Priority, rate: CallRate) -> int:
    """The Analyzer's memory in MB, at its part of a rate.

    It mostly waits for its turn and for answers, and waiting costs more with more memory. But for each call a second it
    needs processor time, which comes with memory, and room for the renditions that are judged at the same time. In a
    fast lane, where seconds count, instances get more memory because they start faster.
    """
    return 1024 if priority is Priority.FAST else 384 + 32 * max(0, math.ceil(rate.calls_per_worker) - 5)


class ImageAnalyzer(Construct):
    """Chunk queue, Analyzer and the mapping between them, whose MaximumConcurrency limits the rate.

    At most `rate.workers` Analyzers run at a time, each at its part of the rate, however many batches are open. So the
    rate is kept without a counter. A chunk waits in the queue until an Analyzer is free.

    The queue has no dead-letter queue. A chunk belongs to a step of an execution: the Analyzer gives it up after a
    number of deliveries, and drops it when the step is over. Anything left expires with the retention period, which is
    longer than any step waits.

    Args:
        rate: the calls per second that the lanes of this priority may make.
        renderer: decodes what Rekognition does not read.
        knows_bulk: whether a lane of the priority may use bulk, which leaves uploads over.
    """

    #: How long a step waits for its chunk without a heartbeat. A chunk may wait in the queue for days without one, so
    #: this only ends steps whose chunk was lost. An Analyzer that died is replaced much sooner.
    HEARTBEAT = cdk.Duration.days(5)

    #: How long a step waits for a chunk that sends heartbeats. While Rekognition throttles, a chunk is put back again
    #: and again. This limit ends before the batch's files expire, which are kept for 30 days or more.
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
        renderer: Renderer,
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
            memory_size=rate.number(partial(memory_size, priority)),
            timeout=_TIMEOUT,
            environment=AnalyzerEnvironment(
                rate=rate.calls_per_worker,
                chunk_queue_url=self.queue.queue_url,
                priority=priority.value,
                renderer=renderer.function.function_name,
                work_bucket=storage.work.bucket.bucket_name,
            ).to_variables(),
            # A chunk that runs out of time is sent back to the queue that invoked the run. This can't run away: a run
            # sends only its own chunk, once, when its time is up, and only while the chunk's step waits for it. So
            # there are never more messages than chunks, or more runs than MaximumConcurrency. Images that keep failing
            # end after a number of tries, throttled ones when the throttling ends, and all with their execution.
            may_loop=True,
        )
        self.function = self.service.function
        self._grant(storage, runtime.key, knows_bulk=knows_bulk)
        renderer.grant_invoke(self.function)
        self.function.add_event_source_mapping(
            "Chunks",
            event_source_arn=self.queue.queue_arn,
            batch_size=1,
            max_concurrency=rate.max_concurrency,  # reserved concurrency would break small new accounts
        )

    def metric(self, metric: AnalyzerMetric) -> cloudwatch.Metric:
        """A custom metric that the function writes."""
        return function_metric(Service.ANALYZER, metric, dimensions={Dimension.PRIORITY: self.priority.value})

    def metric_oldest_chunk(self) -> cloudwatch.Metric:
        """Seconds the oldest chunk has been waiting for an Analyzer."""
        return metric_oldest(self.queue)

    def metric_waiting_chunks(self) -> cloudwatch.Metric:
        """Chunks waiting for an Analyzer."""
        return metric_waiting(self.queue)

    def create_alarms(self, scope: AlarmScope) -> Sequence[cloudwatch.Alarm]:
        """The engine's alarms, created in another scope."""
        return [
            create_alarm(
                scope,
                f"priority {self.priority} Analyzer keeps failing",
                self.service.metric_errors(),
                section="The Analyzer keeps failing",
                function=f"{pascal_case(self.priority)}ImagesAnalyzer",
                meaning=f"Priority {self.priority}: the function that analyzes images has failed again and again.",
                periods=9,
                breaching=3,
            ),
            create_alarm(
                scope,
                f"priority {self.priority} Analyzer is stopped as a loop",
                self.service.metric_stopped_as_loop(),
                section="The Analyzer is stopped as a loop",
                meaning=f"Priority {self.priority}: Lambda refuses chunks that were put back often, and they wait.",
            ),
            create_alarm(
                scope,
                f"priority {self.priority} analysis is throttled",
                self.metric(AnalyzerMetric.CHUNKS_PUT_BACK),
                section="Analysis is throttled",
                meaning=f"Priority {self.priority}: Rekognition lets fewer calls through than it should, or fails.",
                periods=6,
                breaching=3,
            ),
            create_alarm(
                scope,
                f"priority {self.priority} chunks stand still",
                metric_stalled(self.queue),
                section="Work stands still",
                meaning=f"Priority {self.priority}: chunks of images wait and none is taken.",
                periods=self._stalled_after,
                breaching=self._stalled_after,
            ),
            create_alarm(
                scope,
                f"priority {self.priority} chunks wait too long",
                self.metric_oldest_chunk(),
                section="Chunks wait too long",
                meaning=f"Priority {self.priority}: images have waited for the image engine for far too long.",
                threshold=self._too_long().to_seconds(),
            ),
        ]

    def _too_long(self) -> cdk.Duration:
        return cdk.Duration.minutes(15) if self.priority is Priority.FAST else cdk.Duration.hours(6)

    def _grant(self, storage: Storage, key: EncryptionKey | None, *, knows_bulk: bool) -> None:
        reason = "A batch gets its id when it is created."
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
            self, "IAM5", "Rekognition reads every upload that a chunk names.", ending=storage.uploads.objects_finding
        )
        accept_finding(
            self,
            "IAM5",
            "Without an adapter DetectModerationLabels has no resource (Service Authorization Reference).",
            ending="::*",
        )
