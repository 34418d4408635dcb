"""Alarms and dashboards."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

from gatehouse.configuration.settings import Settings
from stacks.constructs.dashboards.business_dashboard import BusinessDashboard
from stacks.constructs.dashboards.technical_dashboard import TechnicalDashboard
from stacks.constructs.flag_topic import FlagTopic
from stacks.pipeline_stack import PipelineStack


class MonitoringStack(cdk.Stack):
    """The alarms that the pipeline's constructs define, their notifications, and the dashboards."""

    def __init__(self, scope: Construct, *, settings: Settings, flags: FlagTopic, pipeline: PipelineStack) -> None:
        super().__init__(scope, f"{settings.name}-monitoring", description="Gatehouse: alarms and dashboards")
        alarms: list[cloudwatch.Alarm] = []
        for owner in (flags, *pipeline.alarm_owners):
            alarms.extend(owner.create_alarms(Construct(self, owner.node.id)))
        if settings.alarm_topic_arn:
            self._send(alarms, settings.alarm_topic_arn)
        lanes, analyzers = pipeline.lanes, list(pipeline.analyzers.values())
        BusinessDashboard(self, "Business", lanes=lanes, analyzers=analyzers)
        TechnicalDashboard(
            self,
            "Technical",
            lanes=lanes,
            workflows=list(pipeline.workflows.values()),
            analyzers=analyzers,
            results=pipeline.results,
            sweeper=pipeline.sweeper,
            outcomes=pipeline.outcomes,
            renderer=pipeline.renderer,
            flags=flags,
            events=pipeline.events,
            alarms=alarms,
        )

    def _send(self, alarms: Sequence[cloudwatch.Alarm], topic_arn: str) -> None:
        action = actions.SnsAction(sns.Topic.from_topic_arn(self, "AlarmTopic", topic_arn))
        for alarm in alarms:
            alarm.add_alarm_action(action)
