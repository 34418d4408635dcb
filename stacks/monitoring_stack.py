"""Alarms and dashboards."""

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

from gatehouse.configuration.settings import Settings
from gatehouse.contracts.alarm_texts import Severity
from gatehouse.contracts.stack_outputs import MonitoringOutput
from stacks.constructs.alarm import AlarmScope
from stacks.constructs.alarm_topic import AlarmTopic
from stacks.constructs.dashboards.business_dashboard import BusinessDashboard
from stacks.constructs.dashboards.dashboard_url import console_urls
from stacks.constructs.dashboards.technical_dashboard import TechnicalDashboard
from stacks.constructs.encryption_key import EncryptionKey
from stacks.constructs.flag_topic import FlagTopic
from stacks.pipeline_stack import PipelineStack


class MonitoringStack(cdk.Stack):
    """The alarms that the pipeline's constructs define, their notifications, and the dashboards."""

    def __init__(
        self,
        scope: Construct,
        *,
        settings: Settings,
        flags: FlagTopic,
        pipeline: PipelineStack,
        key: EncryptionKey | None,
    ) -> None:
        super().__init__(scope, f"{settings.name}-monitoring", description="Gatehouse: alarms and dashboards")
        alarm_actions = self._actions(settings, key)
        alarms: list[cloudwatch.Alarm] = []
        for owner in (flags, *pipeline.alarm_owners):
            alarm_scope = AlarmScope(
                self, owner.node.id, deployment=settings.name, docs_url=settings.docs_url, actions=alarm_actions
            )
            alarms.extend(owner.create_alarms(alarm_scope))
        lanes, analyzers = pipeline.lanes, list(pipeline.analyzers.values())
        business = BusinessDashboard(self, "Business", lanes=lanes, analyzers=analyzers)
        technical = TechnicalDashboard(
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
        url = console_urls(self)
        cdk.CfnOutput(self, MonitoringOutput.BUSINESS_DASHBOARD_URL.value, value=url(business.dashboard))
        cdk.CfnOutput(self, MonitoringOutput.TECHNICAL_DASHBOARD_URL.value, value=url(technical.dashboard))

    def _actions(self, settings: Settings, key: EncryptionKey | None) -> Mapping[Severity, cloudwatch.IAlarmAction]:
        """What alarms of each severity do: they tell the same topic, unless the settings name one for tickets."""
        pages: sns.ITopic
        if settings.alarm_topic_arn:
            pages = sns.Topic.from_topic_arn(self, "AlarmTopic", settings.alarm_topic_arn)
        else:
            pages = AlarmTopic(self, "Alarms", email=settings.alarm_email, key=key).topic
        cdk.CfnOutput(self, MonitoringOutput.ALARM_TOPIC_ARN.value, value=pages.topic_arn)
        tickets = pages
        if settings.ticket_topic_arn:
            tickets = sns.Topic.from_topic_arn(self, "TicketTopic", settings.ticket_topic_arn)
        return {Severity.PAGE: actions.SnsAction(pages), Severity.TICKET: actions.SnsAction(tickets)}
