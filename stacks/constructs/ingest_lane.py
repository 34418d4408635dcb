"""A lane's way in: from the watched bucket's events to batches."""

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
from stacks.constructs.analysis_workflow import AnalysisWorkflow
from stacks.constructs.lane_alarms import LaneAlarms
from stacks.constructs.lane_metrics import LaneMetrics
from stacks.constructs.policy_parameter import PolicyParameter
from stacks.constructs.queue import create_queue
from stacks.constructs.runtime import Runtime
from stacks.constructs.service_function import ServiceFunction
from stacks.constructs.storage import Storage
from stacks.constructs.upload_bucket import UploadBucket

#: The longest a batcher may take. A claim older than this belongs to a run that is over.
_BATCHER_TIMEOUT = cdk.Duration.seconds(60)

#: SQS keeps messages this long at most; they outlast a week-long outage.
_RETENTION = cdk.Duration.days(14)

#: A message comes back when its visibility timeout ends, after six minutes or more: an outage of less than an hour
#: costs no message. Lambda's guide asks for five or more (services-sqs-configure.html).
_MAX_RECEIVES = 10


class IngestLane(Construct):
    """Rule, queue and batcher of a lane, with a dead-letter queue behind the rule and one behind the queue.

    Events go to the queue untransformed: a key is the uploader's choice, and EventBridge's templates do not escape it.

    Args:
        workflow: of the lane's priority.
        other_workflows: of other priorities: a batch may have been started before the lane's priority was changed.
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
    ) -> None:
        super().__init__(scope, id)
        self.name = settings.name
        self.workflow = workflow
        self._key = runtime.key
        self._lane = settings.lane
        policies = {name: storage.policies[name] for name in settings.policies}
        # What could not be moderated outlives the lane: renaming or removing one must not forget it.
        self.dead_letter_queue = self._queue("DeadLetterQueue", cdk.RemovalPolicy.RETAIN)
        # Lambda refuses a queue whose messages come back while their function may still run; the guide asks for six
        # times its timeout and the window on top (services-sqs-configure.html).
        window = cdk.Duration.seconds(settings.max_wait)
        self.queue = self._queue(
            "Queue",
            cdk.RemovalPolicy.DESTROY,
            visibility_timeout=cdk.Duration.seconds(6 * _BATCHER_TIMEOUT.to_seconds()).plus(window),
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letter_queue, max_receive_count=_MAX_RECEIVES),
        )
        # With SQS's own key in any case: what keeps EventBridge from using a customer's key is to lose no event.
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
            ).to_variables(),
        )
        self._grant(storage, policies.values(), other_workflows)
        self._feed(self.batcher.function, settings)

    def grant_admit(self, grantee: iam.IGrantable) -> None:
        """Allow putting an upload's event into the lane's queue again."""
        iam.Grant.add_to_principal(grantee=grantee, actions=["sqs:SendMessage"], resource_arns=[self.queue.queue_arn])
        if self._key:
            self._key.grant_send_messages(grantee)

    def create_alarms(self, scope: Construct) -> Sequence[cloudwatch.Alarm]:
        """The lane's alarms, made in another scope."""
        return LaneAlarms(scope, self._lane, self.metrics, self.batcher).create()

    def _grant(
        self, storage: Storage, policies: Iterable[PolicyParameter], other_workflows: Iterable[AnalysisWorkflow]
    ) -> None:
        batcher = self.batcher.function
        storage.verdicts.grant_claim(batcher)
        storage.work.grant_write_batches(batcher)
        storage.work.grant_read_settings(batcher)
        storage.work.grant_register(batcher, self.name)
        storage.work.grant_follow_policies(batcher)
        storage.work.grant_list(batcher)
        for policy in policies:
            policy.grant_read(batcher)
        self.workflow.grant_run(batcher)
        for other in other_workflows:
            other.grant_look(batcher)
        for file in ("manifest.jsonl", "uploads.jsonl", "execution.json", "batch.json"):
            accept_finding(self, "IAM5", "Batches get their ids as they are made.", ending=f"/batches/*/{file}")
        accept_finding(self, "IAM5", "Batches get their ids as they are made.", ending=f"/open/{self.name}/*.json")
        accept_finding(self, "IAM5", "A policy's file has its hash for a name.", ending="/policies/*")
        accept_finding(self, "IAM5", "An execution has its batch's name.", ending=":*")

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
