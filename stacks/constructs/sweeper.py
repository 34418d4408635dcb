"""The sweeper: a scheduled function that restarts stuck uploads."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from constructs import Construct

from gatehouse.contracts.function_metrics import Service, SweeperMetric
from gatehouse.contracts.sweep_schedule import BackfillRoute, LaneRoute, Schedule
from gatehouse.contracts.sweeper_environment import SweeperEnvironment
from gatehouse.moderation.lane import Priority
from stacks.constructs.accepted_findings import accept_finding
from stacks.constructs.alarm import AlarmScope, create_alarm, create_silence_alarm
from stacks.constructs.analysis_workflow import AnalysisWorkflow
from stacks.constructs.function_metric import function_metric
from stacks.constructs.ingest_lane import IngestLane
from stacks.constructs.runtime import Runtime
from stacks.constructs.service_function import ServiceFunction
from stacks.constructs.storage import Storage

#: Time between two sweeps. A sweep makes only a few calls when nothing is stuck.
INTERVAL: Final = cdk.Duration.minutes(15)

#: Minimum age of a batch to be checked: longer than a batcher may run, and than most batches take.
_MIN_AGE: Final = timedelta(minutes=30)

#: Alarms look at an hour. A long sweep reports late, and the next two sweeps skip a batch that was just put back; an
#: alarm must not clear for either reason.
_PERIODS: Final = 4

#: Hours after which a batch that is still being analyzed is overdue. A job has a day, and so does a chunk.
_OVERDUE_HOURS: Final = {Priority.FAST: 2, Priority.LIVE: 48}

#: A backfill batch may wait for its turn for weeks, but only for this part of its files' retention.
_OVERDUE_PART: Final = 0.8


class Sweeper(Construct):
    """The function, its schedule and its permissions.

    The schedule's event names the lanes, because it may have 8,192 characters (EventBridge API reference, Target),
    while a function's whole environment is limited to 4 KB.

    Args:
        lanes: of the deployment.
        backfill_workflow: analyzes objects from before, of all lanes; None if none are moderated.
        work_retention_days: how long a batch's files are kept.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        runtime: Runtime,
        storage: Storage,
        lanes: Sequence[IngestLane],
        backfill_workflow: AnalysisWorkflow | None,
        work_retention_days: int,
    ) -> None:
        super().__init__(scope, id)
        self.service = ServiceFunction(
            self,
            "Sweeper",
            service=Service.SWEEPER,
            runtime=runtime,
            memory_size=512,
            timeout=cdk.Duration.minutes(15),
            environment=SweeperEnvironment(
                verdict_table=storage.verdicts.table.table_name, work_bucket=storage.work.bucket.bucket_name
            ).to_variables(),
        )
        self.function = self.service.function
        # No retries: the next sweep starts over, and a failure should count once.
        self.function.configure_async_invoke(retry_attempts=0)
        workflows = list(
            dict.fromkeys([*(lane.workflow for lane in lanes), *([backfill_workflow] if backfill_workflow else [])])
        )
        self._grant(storage, lanes, workflows)
        longest = _OVERDUE_PART * 24 * work_retention_days
        schedule = Schedule(
            lanes={
                lane.name: LaneRoute(
                    lane.name,
                    lane.queue.queue_url,
                    _OVERDUE_HOURS.get(lane.workflow.priority, longest),
                    lane.backfill.queue.queue_url if lane.backfill else None,
                )
                for lane in lanes
            },
            state_machine_arns=tuple(workflow.state_machine.state_machine_arn for workflow in workflows),
            min_age=_MIN_AGE,
            backfill=BackfillRoute(backfill_workflow.state_machine.state_machine_arn, longest)
            if backfill_workflow
            else None,
        )
        rule = events.Rule(
            self,
            "Schedule",
            description="Sweeps for uploads that are stuck in Gatehouse",
            schedule=events.Schedule.rate(INTERVAL),
        )
        rule.add_target(
            targets.LambdaFunction(
                self.function,
                event=events.RuleTargetInput.from_object(schedule.to_document()),
            )
        )

    def metric(self, metric: SweeperMetric) -> cloudwatch.Metric:
        """A custom metric that the function writes at each sweep."""
        return function_metric(Service.SWEEPER, metric, dimensions={}, statistic="Maximum", period=INTERVAL)

    def create_alarms(self, scope: AlarmScope) -> Sequence[cloudwatch.Alarm]:
        """The sweeper's alarms, created in another scope."""
        return [
            create_alarm(
                scope,
                "uploads stuck",
                self.metric(SweeperMetric.UPLOADS_STUCK),
                section="Uploads stuck",
                meaning="Uploads are PENDING, nothing is processing them, and the sweeper could not restart them.",
                periods=_PERIODS,
            ),
            create_alarm(
                scope,
                "batches overdue",
                self.metric(SweeperMetric.BATCHES_OVERDUE),
                section="Batches overdue",
                meaning="A batch has been analyzed for far longer than it should.",
                periods=_PERIODS,
            ),
            create_alarm(
                scope,
                "sweeper keeps failing",
                self.service.metric_errors(),
                section="The sweeper keeps failing",
                meaning="The function that restarts stuck uploads has failed again and again.",
                periods=9,
                breaching=2,
            ),
            create_silence_alarm(
                scope,
                "sweeper does not run",
                self.function.metric_invocations(period=cdk.Duration.hours(1), statistic="Sum"),
                section="The sweeper does not run",
                meaning="The sweeper has not run for an hour, so stuck uploads stay stuck.",
            ),
        ]

    def _grant(
        self,
        storage: Storage,
        lanes: Sequence[IngestLane],
        workflows: Sequence[AnalysisWorkflow],
    ) -> None:
        storage.work.grant_sweep(self.function)
        storage.verdicts.grant_read_claims(self.function)
        for workflow in workflows:
            workflow.grant_sweep(self.function)
        for lane in lanes:
            lane.grant_admit(self.function)
        accept_finding(self, "IAM5", "A batch gets its id when it is created.", ending="/open/*/*.json")
        accept_finding(self, "IAM5", "An execution is named after its batch.", ending=":*")
