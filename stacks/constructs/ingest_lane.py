"""A lane's ingest path: from the watched bucket's events to batches."""

from collections.abc import Iterable, Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from gatehouse.configuration.settings import LaneSettings
from gatehouse.configuration.upload_pattern import upload_detail
from gatehouse.contracts.batcher_environment import BatcherEnvironment
from gatehouse.contracts.function_metrics import Service
from stacks.constructs.accepted_findings import accept_finding
from stacks.constructs.alarm import AlarmScope
from stacks.constructs.analysis_workflow import AnalysisWorkflow
from stacks.constructs.backfill_queue import BackfillQueue
from stacks.constructs.lane_alarms import LaneAlarms
from stacks.constructs.lane_metrics import LaneMetrics
from stacks.constructs.policy_parameter import PolicyParameter
from stacks.constructs.queue import create_queue
from stacks.constructs.runtime import Runtime
from stacks.constructs.service_function import ServiceFunction
from stacks.constructs.storage import Storage
from stacks.constructs.upload_bucket import UploadBucket

#: The batcher's timeout. A claim older than this belongs to a run that has ended.
_BATCHER_TIMEOUT = cdk.Duration.seconds(60)

#: SQS's maximum retention: messages survive a week-long outage.
_RETENTION = cdk.Duration.days(14)

#: A failed message is delivered again after its visibility timeout, six minutes or more, so an outage of less than an
#: hour loses no message. Lambda's guide recommends five or more (services-sqs-configure.html).
_MAX_RECEIVES = 10


class IngestLane(Construct):
    """Rule, queue and batcher of a lane, with a dead-letter queue for the rule and one for the queue.

    Events go to the queue untransformed: uploaders choose keys, and EventBridge's input transformers do not escape
    them.

    Args:
        workflow: of the lane's priority.
        other_workflows: of other priorities: a batch may have been started before the lane's priority was changed.
        backfill_workflow: analyzes objects from before; one of the others, or the lane's. None if none are moderated.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        runtime: Runtime,
        storage: Storage,
        settings: LaneSettings,
        workflow: AnalysisWorkflow,
        other_workflows: Sequence[AnalysisWorkflow],
        backfill_workflow: AnalysisWorkflow | None,
    ) -> None:
        super().__init__(scope, id)
        self.name = settings.name
        self.workflow = workflow
        self._key = runtime.key
        self._lane = settings.lane
        policies = {name: storage.policies[name] for name in settings.policies}
        # Dead letters outlive the lane: renaming or removing a lane must not delete them.
        self.dead_letter_queue = self._queue("DeadLetterQueue", cdk.RemovalPolicy.RETAIN)
        # Lambda rejects a queue whose visibility timeout is shorter than the function's timeout; the guide recommends
        # six times the timeout plus the batching window (services-sqs-configure.html).
        window = cdk.Duration.seconds(settings.max_wait)
        self.queue = self._queue(
            "Queue",
            cdk.RemovalPolicy.DESTROY,
            visibility_timeout=cdk.Duration.seconds(6 * _BATCHER_TIMEOUT.to_seconds()).plus(window),
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letter_queue, max_receive_count=_MAX_RECEIVES),
        )
        # Always with SQS's own key: if EventBridge can't use a customer's key, it must still be able to store events.
        self.undelivered_queue = create_queue(
            self, "UndeliveredQueue", key=None, retention_period=_RETENTION, removal_policy=cdk.RemovalPolicy.RETAIN
        )
        self.metrics = LaneMetrics(
            self.name,
            rule=self._route_uploads(settings, storage.uploads),
            queue=self.queue,
            dead_letter_queue=self.dead_letter_queue,
            undelivered_queue=self.undelivered_queue,
        )
        self.batcher = ServiceFunction(
            self,
            "Batcher",
            service=Service.BATCHER,
            runtime=runtime,
            memory_size=1024,
            timeout=_BATCHER_TIMEOUT,
            environment=BatcherEnvironment(
                lane=settings.lane,
                policy_parameters={name: policy.parameter.parameter_name for name, policy in policies.items()},
                verdict_table=storage.verdicts.table.table_name,
                work_bucket=storage.work.bucket.bucket_name,
                state_machine_arn=workflow.state_machine.state_machine_arn,
                other_state_machine_arns=tuple(other.state_machine.state_machine_arn for other in other_workflows),
                backfill_state_machine_arn=backfill_workflow.state_machine.state_machine_arn
                if backfill_workflow
                else None,
            ).to_variables(),
        )
        looked_at = [other for other in other_workflows if other is not backfill_workflow]
        self._grant(storage, policies.values(), looked_at)
        self._feed(self.batcher.function, settings)
        self.backfill = self._moderate_existing(storage, backfill_workflow) if backfill_workflow else None

    def grant_admit(self, grantee: iam.IGrantable) -> None:
        """Allow putting an upload's event back into the lane's queue."""
        iam.Grant.add_to_principal(grantee=grantee, actions=["sqs:SendMessage"], resource_arns=[self.queue.queue_arn])
        if self._key:
            self._key.grant_send_messages(grantee)
        if self.backfill:
            self.backfill.grant_send(grantee)

    def create_alarms(self, scope: AlarmScope) -> Sequence[cloudwatch.Alarm]:
        """The lane's alarms, created in another scope."""
        backfill = self.backfill.create_alarms(scope) if self.backfill else []
        return [*LaneAlarms(scope, self._lane, self.metrics, self.batcher).create(), *backfill]

    def _moderate_existing(self, storage: Storage, workflow: AnalysisWorkflow) -> BackfillQueue:
        """A backfill queue, and what the batcher needs to put its objects among the uploads of their keys."""
        batcher = self.batcher.function
        storage.verdicts.grant_query(batcher)
        storage.uploads.grant_list_versions(batcher)
        if workflow is not self.workflow:
            workflow.grant_run(batcher)
        return BackfillQueue(
            self,
            "Backfill",
            lane=self.name,
            batcher=batcher,
            batcher_timeout=_BATCHER_TIMEOUT,
            key=self._key,
            retention=_RETENTION,
            max_receives=_MAX_RECEIVES,
        )

    def _grant(
        self, storage: Storage, policies: Iterable[PolicyParameter], other_workflows: Iterable[AnalysisWorkflow]
    ) -> None:
        batcher = self.batcher.function
        storage.verdicts.grant_claim(batcher)
        storage.work.grant_write_batches(batcher)
        storage.work.grant_read_terms(batcher)
        storage.work.grant_register(batcher, self.name)
        storage.work.grant_follow_policies(batcher)
        storage.work.grant_list(batcher)
        for policy in policies:
            policy.grant_read(batcher)
        self.workflow.grant_run(batcher)
        for other in other_workflows:
            other.grant_look(batcher)
        for file in ("manifest.jsonl", "uploads.jsonl", "execution.json", "batch.json"):
            accept_finding(self, "IAM5", "A batch gets its id when it is created.", ending=f"/batches/*/{file}")
        accept_finding(self, "IAM5", "A batch gets its id when it is created.", ending=f"/open/{self.name}/*.json")
        accept_finding(self, "IAM5", "A policy's file is named after its hash.", ending="/policies/*")
        accept_finding(self, "IAM5", "An execution is named after its batch.", ending=":*")

    def _queue(
        self,
        id: str,
        removal_policy: cdk.RemovalPolicy,
        visibility_timeout: cdk.Duration | None = None,
        dead_letter_queue: sqs.DeadLetterQueue | None = None,
    ) -> sqs.Queue:
        return create_queue(
            self,
            id,
            key=self._key,
            retention_period=_RETENTION,
            removal_policy=removal_policy,
            visibility_timeout=visibility_timeout,
            dead_letter_queue=dead_letter_queue,
        )

    def _route_uploads(self, settings: LaneSettings, uploads: UploadBucket) -> events.Rule:
        rule = events.Rule(
            self,
            "Rule",
            description=f"Uploads of Gatehouse's lane {self.name}",
            event_pattern=events.EventPattern(
                source=["aws.s3"],
                detail_type=["Object Created"],
                detail=upload_detail(settings.lane, uploads.bucket.bucket_name),
            ),
        )
        rule.add_target(targets.SqsQueue(self.queue, dead_letter_queue=self.undelivered_queue))
        accept_finding(self.undelivered_queue, "SQS3", "This queue is the rule target's dead-letter queue.")
        return rule

    def _feed(self, batcher: lambda_.Function, settings: LaneSettings) -> None:
        batcher.add_to_role_policy(
            iam.PolicyStatement(
                actions=["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
                resources=[self.queue.queue_arn],
            )
        )
        if self._key:
            self._key.grant_receive_messages(batcher)
        batcher.add_event_source_mapping(
            "Messages",
            event_source_arn=self.queue.queue_arn,
            batch_size=settings.batch_size,
            max_batching_window=cdk.Duration.seconds(settings.max_wait) if settings.max_wait else None,
            max_concurrency=settings.max_concurrency,  # reserved concurrency would break small new accounts
            report_batch_item_failures=True,
        )
