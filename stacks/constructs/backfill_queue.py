"""A lane's backfill queue: objects that were in the bucket before, as `gatehouse moderate` names them."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.constructs.alarm import AlarmScope, create_alarm
from stacks.constructs.encryption_key import EncryptionKey
from stacks.constructs.queue import create_queue
from stacks.constructs.queue_metrics import metric_stalled, metric_waiting

#: A batcher looks each object up, about 300 a second, so that this many take a quarter of its minute. Some more would
#: fit an invocation's 6 MB (docs/decisions/0025-uploads-of-a-job.md).
_BATCH_SIZE = 4_000

#: How long an object waits for its batch to fill.
_WINDOW = cdk.Duration.seconds(20)

#: The fewest that a mapping can have (Lambda API reference, ScalingConfig). Batches wait for their turn anyway.
_CONCURRENCY = 2


class BackfillQueue(Construct):
    """Queue, dead-letter queue, and the mapping to the lane's batcher, with a concurrency of its own: what waits here
    delays no upload.

    Args:
        lane: the lane's name.
        batcher: the lane's.
        batcher_timeout: of the function.
        retention: how long messages are kept.
        max_receives: deliveries after which a message becomes a dead letter.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        lane: str,
        batcher: lambda_.Function,
        batcher_timeout: cdk.Duration,
        key: EncryptionKey | None,
        retention: cdk.Duration,
        max_receives: int,
    ) -> None:
        super().__init__(scope, id)
        self._lane = lane
        self._key = key
        # Dead letters outlive the lane, as those of uploads do.
        self.dead_letter_queue = create_queue(
            self, "DeadLetterQueue", key=key, retention_period=retention, removal_policy=cdk.RemovalPolicy.RETAIN
        )
        self.queue = create_queue(
            self,
            "Queue",
            key=key,
            retention_period=retention,
            removal_policy=cdk.RemovalPolicy.DESTROY,
            visibility_timeout=cdk.Duration.seconds(6 * batcher_timeout.to_seconds()).plus(_WINDOW),
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letter_queue, max_receive_count=max_receives),
        )
        iam.Grant.add_to_principal(
            grantee=batcher,
            actions=["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
            resource_arns=[self.queue.queue_arn],
        )
        batcher.add_event_source_mapping(
            "ListedObjects",
            event_source_arn=self.queue.queue_arn,
            batch_size=_BATCH_SIZE,
            max_batching_window=_WINDOW,
            max_concurrency=_CONCURRENCY,
            report_batch_item_failures=True,
        )

    def grant_send(self, grantee: iam.IGrantable) -> None:
        """Allow putting objects into the queue."""
        iam.Grant.add_to_principal(grantee=grantee, actions=["sqs:SendMessage"], resource_arns=[self.queue.queue_arn])
        if self._key:
            self._key.grant_send_messages(grantee)

    def create_alarms(self, scope: AlarmScope) -> Sequence[cloudwatch.Alarm]:
        """The queue's alarms, created in another scope."""
        return [
            create_alarm(
                scope,
                f"{self._lane} backfill in dead-letter queue",
                metric_waiting(self.dead_letter_queue),
                section="Backfill stopped",
                lane=self._lane,
                meaning=f"Lane {self._lane}: objects from before could not be put into a batch and have no verdict.",
            ),
            create_alarm(
                scope,
                f"{self._lane} backfill stands still",
                metric_stalled(self.queue),
                section="Backfill stopped",
                lane=self._lane,
                meaning=f"Lane {self._lane}: objects from before wait and none is put into a batch.",
                periods=6,
                breaching=6,
            ),
        ]
