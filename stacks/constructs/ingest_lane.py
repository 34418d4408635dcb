"""A lane's way in: from the watched bucket's events to batches."""

from collections.abc import Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from gatehouse.configuration.function_environment import batcher_environment
from gatehouse.configuration.settings import LaneSettings
from gatehouse.configuration.upload_pattern import upload_detail
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.lane import Priority
from stacks.constructs.accepted_findings import accept_finding
from stacks.constructs.alarm import STANDING, create_alarm, create_band_alarm
from stacks.constructs.analysis_workflow import AnalysisWorkflow
from stacks.constructs.encryption_key import EncryptionKey
from stacks.constructs.lane_metrics import LEAST_FAILED, LaneMetrics
from stacks.constructs.policy_parameter import PolicyParameter
from stacks.constructs.queue import create_queue
from stacks.constructs.service_function import ServiceFunction
from stacks.constructs.upload_bucket import UploadBucket
from stacks.constructs.verdict_table import VerdictTable
from stacks.constructs.work_bucket import WorkBucket

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
        policies: the pointers of the lane's policies, by the policies' names.
        workflow: of the lane's priority.
        other_workflows: of other priorities: a batch may have been started before the lane's priority was changed.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        settings: LaneSettings,
        code: lambda_.Code,
        uploads: UploadBucket,
        work: WorkBucket,
        verdicts: VerdictTable,
        policies: Mapping[str, PolicyParameter],
        workflow: AnalysisWorkflow,
        other_workflows: Sequence[AnalysisWorkflow],
        log_retention_days: int,
        key: EncryptionKey | None,
    ) -> None:
        super().__init__(scope, id)
        self.name = settings.lane.name
        self.workflow = workflow
        self._key = key
        self._adapter = settings.lane.adapter
        self._engine = settings.lane.engine
        is_fast = settings.lane.priority is Priority.FAST
        self._too_long = cdk.Duration.minutes(5 if is_fast else 30)
        self._stalled_after = 3 if is_fast else 6
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
            rule=self._route_uploads(settings, uploads),
            queue=self.queue,
            dead_letter_queue=self.dead_letter_queue,
            undelivered_queue=self.undelivered_queue,
        )
        self.batcher = ServiceFunction(
            self,
            "Batcher",
            service="batcher",
            code=code,
            memory_size=1024,
            timeout=_BATCHER_TIMEOUT,
            log_retention_days=log_retention_days,
            key=key,
            environment=batcher_environment(
                settings.lane,
                policy_parameters=cdk.Stack.of(self).to_json_string(
                    {name: policy.parameter.parameter_name for name, policy in policies.items()}
                ),
                verdict_table=verdicts.table.table_name,
                work_bucket=work.bucket.bucket_name,
                state_machine_arn=workflow.state_machine.state_machine_arn,
                other_state_machine_arns=[other.state_machine.state_machine_arn for other in other_workflows],
            ),
        )
        batcher = self.batcher.function
        verdicts.grant_claim(batcher)
        work.grant_write_batches(batcher)
        work.grant_read_settings(batcher)
        work.grant_register(batcher, self.name)
        work.grant_follow_policies(batcher)
        work.grant_tell_missing(batcher)
        for policy in policies.values():
            policy.grant_read(batcher)
        workflow.grant_run(batcher)
        for other in other_workflows:
            other.grant_look(batcher)
        for file in ("manifest.jsonl", "uploads.jsonl", "execution.json", "batch.json"):
            accept_finding(self, "IAM5", "Batches get their ids as they are made.", ending=f"/batches/*/{file}")
        accept_finding(self, "IAM5", "Batches get their ids as they are made.", ending=f"/open/{self.name}/*.json")
        accept_finding(self, "IAM5", "A policy's file has its hash for a name.", ending="/policies/*")
        accept_finding(self, "IAM5", "An execution has its batch's name.", ending=":*")
        self._feed(batcher, settings)

    def grant_admit(self, grantee: iam.IGrantable) -> None:
        """Allow putting an upload's event into the lane's queue again."""
        iam.Grant.add_to_principal(grantee=grantee, actions=["sqs:SendMessage"], resource_arns=[self.queue.queue_arn])
        if self._key:
            self._key.grant_send_messages(grantee)

    def create_alarms(self, scope: Construct) -> Sequence[cloudwatch.Alarm]:
        """The lane's alarms, made in another scope."""
        return [*self._waiting_alarms(scope), *self._verdict_alarms(scope), *self._drift_alarms(scope)]

    def _waiting_alarms(self, scope: Construct) -> Sequence[cloudwatch.Alarm]:
        """On uploads that do not become batches."""
        return [
            create_alarm(
                scope,
                "DeadLetters",
                self.metrics.dead_letters(),
                section="Uploads in a dead-letter queue",
                meaning=f"Lane {self.name}: uploads could not be put into a batch and have no verdict.",
            ),
            create_alarm(
                scope,
                "Undelivered",
                self.metrics.undelivered(),
                section="Undelivered events",
                meaning=f"Lane {self.name}: EventBridge could not deliver uploads to the lane's queue.",
            ),
            create_alarm(
                scope,
                "Lost",
                self.metrics.lost(),
                section="Events lost",
                meaning=f"Lane {self.name}: EventBridge could keep uploads nowhere, and nobody knows of them.",
            ),
            create_alarm(
                scope,
                "NotBatched",
                self.metrics.oldest_upload(),
                section="Uploads wait too long",
                meaning=f"Lane {self.name}: an upload has waited for far too long to be put into a batch.",
                threshold=self._too_long.to_seconds(),
            ),
            create_alarm(
                scope,
                "Stalled",
                self.metrics.stalled(),
                section="Work stands still",
                meaning=f"Lane {self.name}: uploads wait and none is put into a batch.",
                periods=self._stalled_after,
                breaching=self._stalled_after,
            ),
            create_alarm(
                scope,
                "BatcherKeepsFailing",
                self.batcher.metric_errors(),
                section="The batcher keeps failing",
                meaning=f"Lane {self.name}: the function that makes batches has failed again and again.",
                periods=9,
                breaching=3,
            ),
        ]

    def _verdict_alarms(self, scope: Construct) -> Sequence[cloudwatch.Alarm]:
        """On verdicts that are none, or not the ones that were asked for."""
        alarms = [
            create_alarm(
                scope,
                "PolicyUnknown",
                self.metrics.batcher("PoliciesUnknown"),
                section="Active policy unknown",
                meaning=f"Lane {self.name}: uploads are judged by an older policy than the one that was deployed.",
                periods=6,
                breaching=3,
            ),
            create_alarm(
                scope,
                "UploadsFailed",
                self.metrics.failed(),
                section="Uploads failed",
                meaning=f"Lane {self.name}: many uploads could not be analysed and are FAILED.",
            ),
            create_alarm(
                scope,
                "CallsFail",
                self.metrics.straggling(),
                section="Rekognition's calls fail",
                meaning=f"Lane {self.name}: only failed calls came back for many uploads; they are asked about again "
                "for about an hour, and end FAILED after that.",
            ),
            create_alarm(
                scope,
                "VerdictsMissing",
                self.metrics.results("VerdictsMissing"),
                section="Verdicts missing",
                meaning=f"Lane {self.name}: a batch has fewer verdicts than uploads.",
            ),
        ]
        if self._engine.reads_manifest:
            alarms.append(
                create_alarm(
                    scope,
                    "LinesUnmatched",
                    self.metrics.results("UnmatchedResultLines"),
                    section="Result lines unmatched",
                    meaning=f"Lane {self.name}: a bulk job's result lines and its batch's uploads do not add up.",
                    periods=STANDING,
                )
            )
        if self._engine.leaves_leftovers:
            alarms.append(
                create_alarm(
                    scope,
                    "LinesMissing",
                    self.metrics.results("UploadsUnanswered"),
                    section="Result lines unmatched",
                    meaning=f"Lane {self.name}: bulk jobs say nothing of many of their uploads, which are paid twice.",
                    threshold=LEAST_FAILED,
                    periods=STANDING,
                )
            )
        if self._engine is Engine.AUTO:
            alarms.append(
                create_alarm(
                    scope,
                    "BulkRefused",
                    self.metrics.results("BulkRefused"),
                    section="Bulk Analysis refused",
                    meaning=f"Lane {self.name}: Rekognition refused a bulk job; the image engine took over.",
                    periods=STANDING,
                )
            )
        if self._adapter:
            alarms.append(
                create_alarm(
                    scope,
                    "AdapterIgnored",
                    self.metrics.results("AdapterIgnored"),
                    section="Adapter ignored",
                    meaning=f"Lane {self.name}: Rekognition answered without the lane's adapter; has it expired?",
                    periods=STANDING,
                )
            )
        return alarms

    def _drift_alarms(self, scope: Construct) -> Sequence[cloudwatch.Alarm]:
        """On signs that the policies no longer fit what Rekognition says, or what is uploaded."""
        return [
            create_alarm(
                scope,
                "ModelChanged",
                self.metrics.results("OtherModelAnswers"),
                section="Model version changed",
                meaning=f"Lane {self.name}: Rekognition answers with another model than the policies are for.",
                periods=STANDING,
            ),
            create_alarm(
                scope,
                "UnknownLabels",
                self.metrics.results("UnknownLabels"),
                section="Unknown label seen",
                meaning=f"Lane {self.name}: Rekognition found something that the taxonomy has no name for.",
                periods=STANDING,
            ),
            create_band_alarm(
                scope,
                "FlaggedShare",
                self.metrics.flagged_share(),
                section="Flagged share unusual",
                meaning=f"Lane {self.name}: a far larger or smaller share of the uploads is flagged than usual.",
                periods=4,
                breaching=3,
            ),
        ]

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
