"""The stateless part, which can be replaced at any time: the lanes, the workflows and the functions."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from gatehouse.configuration.call_rate import share_of
from gatehouse.configuration.policies import PolicyCatalog
from gatehouse.configuration.settings import LaneSettings, Settings
from gatehouse.contracts.gate_policy import tagger_path
from gatehouse.contracts.pascal_case import pascal_case
from gatehouse.contracts.stack_outputs import (
    BACKFILL_CALLS_PER_SECOND,
    BackfillOutput,
    EventsOutput,
    LaneOutput,
    PipelineOutput,
    PriorityOutput,
)
from gatehouse.contracts.texts import days_text, lane_policies_text, on_off_text
from gatehouse.moderation.image_format import ImageFormat
from gatehouse.moderation.lane import Priority
from stacks.constructs.analysis_workflow import AnalysisWorkflow
from stacks.constructs.encryption_key import EncryptionKey
from stacks.constructs.function_code import function_code, renderer_code
from stacks.constructs.image_analyzer import ImageAnalyzer
from stacks.constructs.ingest_lane import IngestLane
from stacks.constructs.outcomes import Outcomes
from stacks.constructs.regional_rate import AccountRate
from stacks.constructs.renderer import Renderer
from stacks.constructs.results_writer import ResultsWriter
from stacks.constructs.runtime import Runtime
from stacks.constructs.storage import Storage
from stacks.constructs.sweeper import Sweeper
from stacks.constructs.verdict_events import VerdictEvents


class PipelineStack(cdk.Stack):
    """Everything between an upload and its verdict."""

    def __init__(
        self,
        scope: Construct,
        *,
        settings: Settings,
        policies: PolicyCatalog,
        storage: Storage,
        key: EncryptionKey | None,
    ) -> None:
        super().__init__(scope, f"{settings.name}-pipeline", description="Gatehouse: from upload to verdict")
        self.renderer = self._renderer(settings, key)
        with function_code(policies.files(settings.policies)) as code:
            runtime = Runtime(code=code, log_retention_days=settings.log_retention_days, key=key)
            self.events = self._verdict_events(settings, key)
            self.results = ResultsWriter(
                self,
                "ResultsWriter",
                runtime=runtime,
                storage=storage,
                notify=settings.notify,
                model_version=settings.model_version,
                verdict_retention_days=settings.verdict_retention_days,
                animation_check=settings.animation_check,
                events=self.events,
            )
            self.analyzers = self._image_analyzers(settings, runtime, storage)
            self.workflows = self._analysis_workflows(settings, runtime, storage)
            self.lanes = [
                self._ingest_lane(lane, runtime, storage, existing_objects=settings.existing_objects)
                for lane in settings.lanes
            ]
            self.sweeper = Sweeper(
                self,
                "Sweeper",
                runtime=runtime,
                storage=storage,
                lanes=self.lanes,
                backfill_workflow=self.workflows[Priority.BACKFILL] if settings.existing_objects else None,
                work_retention_days=settings.work_retention_days,
            )
            self.outcomes = Outcomes(
                self,
                "Outcomes",
                runtime=runtime,
                storage=storage,
                events=self.events,
                gate=settings.gate,
                role_path=tagger_path(settings.name),
            )
        self._output(settings)

    @property
    def alarm_owners(
        self,
    ) -> Sequence[
        ResultsWriter | AnalysisWorkflow | ImageAnalyzer | IngestLane | Renderer | Sweeper | Outcomes | VerdictEvents
    ]:
        """The constructs that define alarms."""
        events = [self.events] if self.events else []
        functions = (self.results, self.sweeper, self.outcomes, self.renderer)
        return [*functions, *self.workflows.values(), *self.analyzers.values(), *self.lanes, *events]

    def _verdict_events(self, settings: Settings, key: EncryptionKey | None) -> VerdictEvents | None:
        """What events need, where the settings name a bus."""
        if settings.events.bus is None:
            return None
        bus, statuses = settings.events.bus, settings.events.statuses
        return VerdictEvents(self, "VerdictEvents", bus=bus, statuses=statuses, key=key)

    def _renderer(self, settings: Settings, key: EncryptionKey | None) -> Renderer:
        """The one renderer of all image engines, with what the lanes' formats need and no more."""
        heic = ImageFormat.HEIC in settings.formats
        with renderer_code(heic=heic) as code:
            runtime = Runtime(code=code, log_retention_days=settings.log_retention_days, key=key)
            return Renderer(self, "Renderer", runtime=runtime, heic=heic)

    def _image_analyzers(self, settings: Settings, runtime: Runtime, storage: Storage) -> dict[Priority, ImageAnalyzer]:
        """An image engine for each priority in use; together they stay within the account's rate."""
        rate = AccountRate(self, "Rate", calls_per_second=settings.image_engine.calls_per_second)
        shares = settings.image_engine.shares
        return {
            priority: ImageAnalyzer(
                self,
                f"{pascal_case(priority)}Images",
                runtime=runtime,
                storage=storage,
                priority=priority,
                rate=rate.share(share_of(priority, shares, settings.priorities)),
                renderer=self.renderer,
                knows_bulk=settings.knows_bulk(priority),
            )
            for priority in settings.priorities
        }

    def _analysis_workflows(
        self, settings: Settings, runtime: Runtime, storage: Storage
    ) -> dict[Priority, AnalysisWorkflow]:
        """A workflow for each image engine, of the same priority."""
        return {
            priority: AnalysisWorkflow(
                self,
                f"{pascal_case(priority)}Analysis",
                runtime=runtime,
                storage=storage,
                results=self.results,
                analyzer=analyzer,
                knows_bulk=settings.knows_bulk(priority),
                backfill_batches=settings.backfill_batches,
            )
            for priority, analyzer in self.analyzers.items()
        }

    def _ingest_lane(
        self, lane: LaneSettings, runtime: Runtime, storage: Storage, *, existing_objects: bool
    ) -> IngestLane:
        """A lane that starts the workflow of its priority, and may describe executions of the others."""
        others = [workflow for priority, workflow in self.workflows.items() if priority is not lane.priority]
        return IngestLane(
            self,
            f"{pascal_case(lane.name)}Lane",
            runtime=runtime,
            storage=storage,
            settings=lane,
            workflow=self.workflows[lane.priority],
            other_workflows=others,
            backfill_workflow=self.workflows[Priority.BACKFILL] if existing_objects else None,
        )

    def _output(self, settings: Settings) -> None:
        main = settings.main_lane.priority
        for priority, workflow in self.workflows.items():
            machine, analyzer = workflow.state_machine, self.analyzers[priority]
            values = {
                PriorityOutput.STATE_MACHINE_ARN: machine.state_machine_arn,
                PriorityOutput.ANALYSIS_ROLE_ARN: machine.role.role_arn,
                PriorityOutput.ANALYZER_ROLE_ARN: _role(analyzer.function).role_arn,
                PriorityOutput.CHUNK_QUEUE_URL: analyzer.queue.queue_url,
            }
            for output, value in values.items():
                cdk.CfnOutput(self, output.of(priority, main=main), value=value)
        for single, text in {
            PipelineOutput.RESULTS_ROLE_ARN: _role(self.results.function).role_arn,
            PipelineOutput.ANIMATION_CHECK: on_off_text(settings.animation_check),
            PipelineOutput.LANE_POLICIES: lane_policies_text(entry.lane for entry in settings.lanes),
            PipelineOutput.DECISION_REASONS: ",".join(settings.decision_reasons),
            PipelineOutput.VERDICT_RETENTION_DAYS: days_text(settings.verdict_retention_days),
            PipelineOutput.OUTCOMES_ROLE_ARN: _role(self.outcomes.function).role_arn,
            PipelineOutput.OUTCOMES_FUNCTION_NAME: self.outcomes.function.function_name,
            PipelineOutput.CHANGE_FAILURE_QUEUE_URL: self.outcomes.failure_queue.queue_url,
        }.items():
            cdk.CfnOutput(self, single.value, value=text)
        if self.events:
            cdk.CfnOutput(self, EventsOutput.EVENT_BUS.value, value=self.events.bus)
            dead_letters = self.events.dead_letter_queue.queue_url
            cdk.CfnOutput(self, EventsOutput.DEAD_LETTER_QUEUE_URL.value, value=dead_letters)
        for lane in self.lanes:
            urls = {
                LaneOutput.INGEST_QUEUE_URL: lane.queue.queue_url,
                LaneOutput.INGEST_DEAD_LETTER_QUEUE_URL: lane.dead_letter_queue.queue_url,
                LaneOutput.UNDELIVERED_QUEUE_URL: lane.undelivered_queue.queue_url,
            }
            for of_lane, url in urls.items():
                cdk.CfnOutput(self, of_lane.of(lane.name), value=url)
            if lane.backfill:
                queues = {
                    BackfillOutput.QUEUE_URL: lane.backfill.queue.queue_url,
                    BackfillOutput.DEAD_LETTER_QUEUE_URL: lane.backfill.dead_letter_queue.queue_url,
                }
                for of_backfill, url in queues.items():
                    cdk.CfnOutput(self, of_backfill.of(lane.name), value=url)
        if settings.existing_objects:
            rate = self.analyzers[Priority.BACKFILL].rate.calls_per_second
            cdk.CfnOutput(self, BACKFILL_CALLS_PER_SECOND, value=rate)


def _role(function: lambda_.Function) -> iam.IRole:
    assert function.role is not None, "a function always has one"  # noqa: S101 - narrows the type
    return function.role
