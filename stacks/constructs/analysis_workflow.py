"""The analysis workflow: the state machine that processes the batches of one priority."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from gatehouse.moderation.lane import Priority
from stacks.constructs.accepted_findings import accept_finding
from stacks.constructs.alarm import PERIOD, AlarmScope, create_alarm
from stacks.constructs.encryption_key import VENDED_LOGS, EncryptionKey
from stacks.constructs.image_analyzer import ImageAnalyzer
from stacks.constructs.log_group import create_log_group
from stacks.constructs.results_writer import ResultsWriter
from stacks.constructs.runtime import Runtime
from stacks.constructs.storage import Storage
from stacks.constructs.upload_bucket import UploadBucket
from stacks.constructs.workflow.workflow_definition import WorkflowDefinition


class AnalysisWorkflow(Construct):
    """A Standard state machine; an execution is named after its batch and its input is `{"batch_id": ...}`.

    Rekognition reads the manifest and the images, and writes its results, with the permissions of this machine's role
    (StartMediaAnalysisJob has no role parameter). The image engine reads images with its Analyzer's role.

    Args:
        analyzer: the image engine of the workflow's priority.
        knows_bulk: whether a lane of the priority may use bulk. If none may, the role has no permissions for it.
        backfill_batches: batches that are analyzed at the same time, where the priority is backfill.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        runtime: Runtime,
        storage: Storage,
        results: ResultsWriter,
        analyzer: ImageAnalyzer,
        knows_bulk: bool,
        backfill_batches: int,
    ) -> None:
        super().__init__(scope, id)
        self.priority = analyzer.priority
        # No two stacks of an account and Region have the same name.
        name = f"{VENDED_LOGS}{cdk.Aws.STACK_NAME}-{self.priority}"
        log_group = create_log_group(
            self, "Logs", retention_days=runtime.log_retention_days, key=runtime.key, name=name
        )
        definition = WorkflowDefinition(
            self,
            "Definition",
            work=storage.work,
            results=results,
            analyzer=analyzer,
            knows_bulk=knows_bulk,
            backfill_batches=backfill_batches,
            key=runtime.key,
        )
        self.state_machine = sfn.StateMachine(
            self,
            "StateMachine",
            comment="Takes a batch of uploads to its verdicts",
            definition_body=sfn.DefinitionBody.from_chainable(definition.start),
            query_language=sfn.QueryLanguage.JSONATA,
            tracing_enabled=True,
            logs=sfn.LogOptions(destination=log_group, level=sfn.LogLevel.ERROR, include_execution_data=False),
        )
        self.state_machine.grant_task_response(analyzer.function)
        results.grant_invoke(self.state_machine)
        if knows_bulk:
            storage.work.grant_read_manifests(self.state_machine)
            storage.work.grant_write_analyses(self.state_machine)
            storage.uploads.grant_read_uploads(self.state_machine)
        if self.priority is Priority.BACKFILL:
            self._grant_list_executions()
        if runtime.key:
            self._grant_key(runtime.key, knows_bulk=knows_bulk)
        else:
            accept_finding(
                log_group, "CKV_AWS_158", "CloudWatch encrypts logs with its own key; encryption_key sets another."
            )
        self._accept_findings(storage.uploads, knows_bulk=knows_bulk)

    def grant_run(self, grantee: iam.IGrantable) -> None:
        """Allow starting and describing an execution, and redriving one that stopped."""
        self.state_machine.grant_start_execution(grantee)
        self.state_machine.grant_execution(grantee, "states:DescribeExecution", "states:RedriveExecution")

    def grant_look(self, grantee: iam.IGrantable) -> None:
        """Allow describing a batch's execution."""
        self.state_machine.grant_execution(grantee, "states:DescribeExecution")

    def grant_sweep(self, grantee: iam.IGrantable) -> None:
        """Allow listing and describing executions, and redriving one that stopped."""
        iam.Grant.add_to_principal(
            grantee=grantee, actions=["states:ListExecutions"], resource_arns=[self.state_machine.state_machine_arn]
        )
        self.state_machine.grant_execution(grantee, "states:DescribeExecution", "states:RedriveExecution")

    def metric_started(self) -> cloudwatch.Metric:
        """Batches whose analysis started."""
        return self.state_machine.metric_started(period=PERIOD, statistic="Sum")

    def metric_succeeded(self) -> cloudwatch.Metric:
        """Batches that succeeded."""
        return self.state_machine.metric_succeeded(period=PERIOD, statistic="Sum")

    def metric_failed(self) -> cloudwatch.Metric:
        """Batches whose analysis failed or whose verdicts could not be written."""
        return self.state_machine.metric_failed(period=PERIOD, statistic="Sum")

    def metric_aborted(self) -> cloudwatch.Metric:
        """Batches that were stopped by hand."""
        return self.state_machine.metric_aborted(period=PERIOD, statistic="Sum")

    def create_alarms(self, scope: AlarmScope) -> Sequence[cloudwatch.Alarm]:
        """The workflow's alarms, created in another scope."""
        return [
            create_alarm(
                scope,
                f"priority {self.priority} batches failed",
                self.metric_failed(),
                section="Batches failed",
                meaning=f"Priority {self.priority}: a batch's analysis failed for all or some of its uploads, and they "
                "are FAILED, or its verdicts could not be written.",
            ),
            create_alarm(
                scope,
                f"priority {self.priority} batches aborted",
                self.metric_aborted(),
                section="Batches aborted",
                meaning=f"Priority {self.priority}: a batch was stopped; its uploads are PENDING until it is redriven.",
            ),
        ]

    def _grant_key(self, key: EncryptionKey, *, knows_bulk: bool) -> None:
        key.grant_read_objects(self.state_machine)
        key.grant_send_messages(self.state_machine)
        if knows_bulk:
            key.grant_start_jobs(self.state_machine)

    def _grant_list_executions(self) -> None:
        """Allow the machine to list its own executions. This is a separate policy, because it names the machine, and
        the machine depends on its role's default policy."""
        statement = iam.PolicyStatement(
            actions=["states:ListExecutions"], resources=[self.state_machine.state_machine_arn]
        )
        policy = iam.Policy(self, "ListExecutions", statements=[statement])
        policy.attach_to_role(self.state_machine.role)

    def _accept_findings(self, uploads: UploadBucket, *, knows_bulk: bool) -> None:
        accept_finding(
            self,
            "SF1",
            "Errors are logged; Step Functions keeps every step of an execution for 90 days.",
        )
        accept_finding(
            self,
            "IAM5",
            "Neither X-Ray's actions nor those for log delivery have resource types, and a media analysis job has none "
            "before it is started (Service Authorization Reference).",
            ending="::*",
        )
        accept_finding(self, "IAM5", "A batch gets its id when it is created.", ending="/batches/*/execution.json")
        if knows_bulk:
            accept_finding(self, "CKV_AWS_111", "A media analysis job has no resource before it is started.")
            reason = "Rekognition reads every upload that a batch names."
            accept_finding(self, "IAM5", reason, ending=uploads.objects_finding)
            accept_finding(self, "IAM5", "A batch gets its id when it is created.", ending="/batches/*/manifest.jsonl")
            accept_finding(self, "IAM5", "A job's files have its id in their names.", ending="/analysis/bulk/*")
