"""What may be replaced any day: the lanes, the workflow and the functions."""

import json
from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from gatehouse.configuration.call_rate import share_of
from gatehouse.configuration.policies import PolicyCatalog
from gatehouse.configuration.settings import Settings
from gatehouse.contracts.pascal_case import pascal_case
from gatehouse.moderation.lane import Priority
from stacks.constructs.analysis_workflow import AnalysisWorkflow
from stacks.constructs.function_code import function_code
from stacks.constructs.image_analyzer import ImageAnalyzer
from stacks.constructs.ingest_lane import IngestLane
from stacks.constructs.regional_rate import AccountRate
from stacks.constructs.results_writer import ResultsWriter
from stacks.constructs.sweeper import Sweeper
from stacks.storage_stack import StorageStack


class PipelineStack(cdk.Stack):
    """From upload to verdict."""

    def __init__(self, scope: Construct, *, settings: Settings, policies: PolicyCatalog, storage: StorageStack) -> None:
        super().__init__(scope, f"{settings.name}-pipeline", description="Gatehouse: from upload to verdict")
        with function_code(policies.files(settings.policies)) as code:
            self.results = ResultsWriter(
                self,
                "ResultsWriter",
                code=code,
                uploads=storage.uploads,
                work=storage.work,
                verdicts=storage.verdicts,
                flags=storage.flags,
                notify=settings.notify,
                model_version=settings.model_version,
                verdict_retention_days=settings.verdict_retention_days,
                animation_check=settings.animation_check,
                log_retention_days=settings.log_retention_days,
                key=storage.key,
            )
            self.analyzers = self._image_analyzers(settings, storage, code)
            self.workflows = {
                priority: AnalysisWorkflow(
                    self,
                    f"{pascal_case(priority)}Analysis",
                    uploads=storage.uploads,
                    work=storage.work,
                    results=self.results,
                    analyzer=analyzer,
                    knows_bulk=settings.knows_bulk(priority),
                    backfill_batches=settings.backfill_batches,
                    log_retention_days=settings.log_retention_days,
                    key=storage.key,
                )
                for priority, analyzer in self.analyzers.items()
            }
            self.lanes = [
                IngestLane(
                    self,
                    f"{pascal_case(lane.lane.name)}Lane",
                    settings=lane,
                    code=code,
                    uploads=storage.uploads,
                    work=storage.work,
                    verdicts=storage.verdicts,
                    policies={name: storage.policies[name] for name in lane.lane.policies},
                    workflow=self.workflows[lane.lane.priority],
                    other_workflows=[
                        workflow for priority, workflow in self.workflows.items() if priority is not lane.lane.priority
                    ],
                    log_retention_days=settings.log_retention_days,
                    key=storage.key,
                )
                for lane in settings.lanes
            ]
            self.sweeper = Sweeper(
                self,
                "Sweeper",
                code=code,
                work=storage.work,
                verdicts=storage.verdicts,
                lanes=self.lanes,
                work_retention_days=settings.work_retention_days,
                log_retention_days=settings.log_retention_days,
                key=storage.key,
            )
        self._output(settings)

    @property
    def alarm_owners(self) -> Sequence[ResultsWriter | AnalysisWorkflow | ImageAnalyzer | IngestLane | Sweeper]:
        """The constructs that define alarms."""
        return [self.results, *self.workflows.values(), *self.analyzers.values(), *self.lanes, self.sweeper]

    def _image_analyzers(
        self, settings: Settings, storage: StorageStack, code: lambda_.Code
    ) -> dict[Priority, ImageAnalyzer]:
        """An image engine for each priority that a lane has; together they make the account's calls, and no more."""
        rate = AccountRate(self, "Rate", calls_per_second=settings.image_engine.calls_per_second)
        shares = settings.image_engine.shares
        return {
            priority: ImageAnalyzer(
                self,
                f"{pascal_case(priority)}Images",
                priority=priority,
                rate=rate.share(share_of(priority, shares, settings.priorities)),
                code=code,
                uploads=storage.uploads,
                work=storage.work,
                knows_bulk=settings.knows_bulk(priority),
                log_retention_days=settings.log_retention_days,
                key=storage.key,
            )
            for priority in settings.priorities
        }

    def _output(self, settings: Settings) -> None:
        main = settings.main_lane.lane.priority
        for priority, workflow in self.workflows.items():
            prefix = "" if priority is main else pascal_case(priority)
            machine, analyzer = workflow.state_machine, self.analyzers[priority]
            cdk.CfnOutput(self, f"{prefix}StateMachineArn", value=machine.state_machine_arn)
            cdk.CfnOutput(self, f"{prefix}AnalysisRoleArn", value=machine.role.role_arn)
            cdk.CfnOutput(self, f"{prefix}AnalyzerRoleArn", value=_role(analyzer.function).role_arn)
            cdk.CfnOutput(self, f"{prefix}ChunkQueueUrl", value=analyzer.queue.queue_url)
        cdk.CfnOutput(self, "ResultsRoleArn", value=_role(self.results.function).role_arn)
        cdk.CfnOutput(self, "AnimationCheck", value="on" if settings.animation_check else "off")
        cdk.CfnOutput(self, "LanePolicies", value=_lane_policies(settings))
        cdk.CfnOutput(self, "NotifiedStatuses", value=",".join(settings.notify))
        cdk.CfnOutput(self, "VerdictRetentionDays", value=str(settings.verdict_retention_days or "never"))
        for lane in self.lanes:
            prefix = "" if lane.name == "default" else pascal_case(lane.name)
            cdk.CfnOutput(self, f"{prefix}IngestQueueUrl", value=lane.queue.queue_url)
            cdk.CfnOutput(self, f"{prefix}IngestDeadLetterQueueUrl", value=lane.dead_letter_queue.queue_url)
            cdk.CfnOutput(self, f"{prefix}UndeliveredQueueUrl", value=lane.undelivered_queue.queue_url)


def _role(function: lambda_.Function) -> iam.IRole:
    assert function.role is not None, "a function always has one"  # noqa: S101 - narrows the type
    return function.role


def _lane_policies(settings: Settings) -> str:
    """Which policy judges what, and what Rekognition is asked for: JSON by lane."""
    document = {
        lane.name: {
            "policy": lane.policy,
            "policy_overrides": dict(lane.policy_overrides),
            "min_confidence": lane.min_confidence,
        }
        for lane in (entry.lane for entry in settings.lanes)
    }
    return json.dumps(document, separators=(",", ":"))
