"""Verdicts as events: the permission to send them to the bus, and the queue for events that it does not accept."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from constructs import Construct

from gatehouse.contracts.events_environment import EventsEnvironment, region_of
from gatehouse.moderation.status import Status
from stacks.constructs.accepted_findings import accept_finding
from stacks.constructs.alarm import AlarmScope, create_alarm
from stacks.constructs.encryption_key import EncryptionKey
from stacks.constructs.queue import create_queue
from stacks.constructs.queue_metrics import metric_waiting

#: The longest retention that SQS supports: time to recreate the bus.
_RETENTION = cdk.Duration.days(14)

_DEFAULT = "default"


class VerdictEvents(Construct):
    """The dead-letter queue, and a function's environment and permissions for sending events. The bus is the user's.

    Args:
        bus: `default`, the name of a bus of this account and Region, or any bus's ARN.
        statuses: final statuses of first verdicts for which an event is sent.
        key: encrypts the queue; None for SQS's own key.
    """

    def __init__(
        self, scope: Construct, id: str, *, bus: str, statuses: Sequence[Status], key: EncryptionKey | None
    ) -> None:
        super().__init__(scope, id)
        self.bus = bus
        self._key = key
        # The queue is kept when events are turned off, because it may contain events that were not sent.
        self.dead_letter_queue = create_queue(
            self, "DeadLetterQueue", key=key, retention_period=_RETENTION, removal_policy=cdk.RemovalPolicy.RETAIN
        )
        accept_finding(self.dead_letter_queue, "SQS3", "This queue is the dead-letter queue of an event bus.")
        self.environment = EventsEnvironment(bus, self.dead_letter_queue.queue_url, tuple(statuses))

    def grant_announce(self, grantee: iam.IGrantable) -> None:
        """Allow sending events to the bus, and keeping those that it does not accept.

        A bus that is given by name is also looked up. The policy of another account's bus must allow the sending as
        well (EventBridge User Guide, eb-event-bus-permissions-manage.html).
        """
        actions = ["events:PutEvents"]
        if self.bus != _DEFAULT and region_of(self.bus) is None:
            actions.append("events:DescribeEventBus")
        iam.Grant.add_to_principal(grantee=grantee, actions=actions, resource_arns=[self._bus_arn()])
        iam.Grant.add_to_principal(
            grantee=grantee, actions=["sqs:SendMessage"], resource_arns=[self.dead_letter_queue.queue_arn]
        )
        if self._key:
            self._key.grant_send_messages(grantee)

    def create_alarms(self, scope: AlarmScope) -> Sequence[cloudwatch.Alarm]:
        """Create the alarms in another scope."""
        return [
            create_alarm(
                scope,
                "events not sent",
                self.metric_dead_letters(),
                section="Events not sent",
                meaning="The event bus did not accept events about verdicts; they are kept for two weeks.",
            )
        ]

    def metric_dead_letters(self) -> cloudwatch.Metric:
        """The number of events that were not sent."""
        return metric_waiting(self.dead_letter_queue)

    def _bus_arn(self) -> str:
        if region_of(self.bus) is not None:
            return self.bus
        return cdk.Stack.of(self).format_arn(service="events", resource="event-bus", resource_name=self.bus)
