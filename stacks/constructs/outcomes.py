"""Outcomes: the function on the verdict table's stream, which announces changes and opens and closes the gate."""

from collections.abc import Sequence
from typing import Final

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from gatehouse.contracts.function_metrics import OutcomesMetric, Service
from gatehouse.contracts.outcomes_environment import OutcomesEnvironment
from gatehouse.contracts.outcomes_filter import outcomes_filter
from gatehouse.moderation.gate import Gate
from stacks.constructs.accepted_findings import accept_finding
from stacks.constructs.alarm import PERIOD, STANDING, AlarmScope, create_alarm
from stacks.constructs.encryption_key import EncryptionKey
from stacks.constructs.function_metric import function_metric
from stacks.constructs.queue import create_queue
from stacks.constructs.queue_metrics import metric_waiting
from stacks.constructs.runtime import Runtime
from stacks.constructs.service_function import ServiceFunction
from stacks.constructs.storage import Storage
from stacks.constructs.verdict_events import VerdictEvents

#: Number of retries before Lambda gives records up. Splitting a batch does not count (Lambda Developer Guide,
#: services-ddb-params.html).
_RETRIES: Final = 20

#: A stream forgets a record after 24 hours (DynamoDB Developer Guide, Streams.html). One that could not be delivered is
#: given up before, so that the failure queue names it.
_MAX_AGE: Final = cdk.Duration.hours(20)

#: Records of an invocation at most: ten calls to SNS.
_BATCH_SIZE: Final = 100

_TOO_LATE: Final = cdk.Duration.minutes(15)

_LATE_REVOCATION: Final = cdk.Duration.minutes(1)

#: The longest retention that SQS supports.
_RETENTION: Final = cdk.Duration.days(14)


class Outcomes(Construct):
    """The function, its event filter, and the queue for records that were given up.

    Most writes do not reach the function: Lambda passes on only changes after a first verdict that must be announced
    and, with a gate, verdicts that open or close it. The rest costs nothing.

    Args:
        gate: its mode, and what it tags.
        role_path: of the one role that may change the gate's tag.
        events: sends verdicts as events; None if no events are sent.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        runtime: Runtime,
        storage: Storage,
        events: VerdictEvents | None,
        gate: Gate,
        role_path: str,
    ) -> None:
        super().__init__(scope, id)
        self._gate = gate
        # It describes records that were given up, and is kept when the stack is deleted.
        self.failure_queue = create_queue(
            self, "FailureQueue", key=runtime.key, retention_period=_RETENTION, removal_policy=cdk.RemovalPolicy.RETAIN
        )
        accept_finding(self.failure_queue, "SQS3", "This queue receives the records that Lambda gives up.")
        self.service = ServiceFunction(
            self,
            "Outcomes",
            service=Service.OUTCOMES,
            runtime=runtime,
            memory_size=512,
            timeout=cdk.Duration.minutes(3),
            environment=OutcomesEnvironment(
                flag_topic_arn=storage.flags.topic.topic_arn,
                failure_queue_url=self.failure_queue.queue_url,
                verdict_table=storage.verdicts.table.table_name if gate.sets_tags else None,
                mark_blocked=gate.mark_blocked,
                events=events.environment if events else None,
            ).to_variables(),
            role_path=role_path,
        )
        self.function = self.service.function
        storage.verdicts.grant_read_stream(self.function)
        storage.flags.grant_publish(self.function)
        if events:
            events.grant_announce(self.function)
        if gate.sets_tags:
            storage.verdicts.grant_read_verdicts(self.function)
            storage.uploads.grant_tag(self.function)
            reason = "Any upload's version may be approved, and is tagged then."
            accept_finding(self, "IAM5", reason, ending=storage.uploads.objects_finding)
        self._grant_give_up(runtime.key)
        self._feed(storage.verdicts.stream_arn)

    def _grant_give_up(self, key: EncryptionKey | None) -> None:
        """Lambda sends what it gives up in the function's name, and the function what it can't read."""
        iam.Grant.add_to_principal(
            grantee=self.function, actions=["sqs:SendMessage"], resource_arns=[self.failure_queue.queue_arn]
        )
        if key:
            key.grant_send_messages(self.function)

    def _feed(self, stream_arn: str) -> None:
        mapping = self.function.add_event_source_mapping(
            "Changes",
            event_source_arn=stream_arn,
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            batch_size=_BATCH_SIZE,
            bisect_batch_on_error=True,
            retry_attempts=_RETRIES,
            report_batch_item_failures=True,
            max_record_age=_MAX_AGE,
            filters=[lambda_.FilterCriteria.filter(pattern) for pattern in outcomes_filter(self._gate)],
        )
        resource = mapping.node.default_child
        assert isinstance(resource, lambda_.CfnEventSourceMapping)  # noqa: S101 - narrows the type
        # The library's own destination would grant more than sending.
        resource.add_property_override("DestinationConfig.OnFailure.Destination", self.failure_queue.queue_arn)

    def metric(self, metric: OutcomesMetric, statistic: str = "Sum") -> cloudwatch.Metric:
        """A metric that the function's code writes."""
        return function_metric(Service.OUTCOMES, metric, dimensions={}, statistic=statistic)

    def metric_given_up(self) -> cloudwatch.Metric:
        """The number of batches of records that were given up."""
        return metric_waiting(self.failure_queue)

    def metric_iterator_age(self) -> cloudwatch.Metric:
        """The age, in milliseconds, of the newest change that an invocation has read."""
        return self.function.metric("IteratorAge", period=PERIOD, statistic="Maximum")

    def create_alarms(self, scope: AlarmScope) -> Sequence[cloudwatch.Alarm]:
        """Create the function's alarms in another scope."""
        return [*self._create_alarms(scope), *(self._create_gate_alarms(scope) if self._gate.sets_tags else ())]

    def _create_gate_alarms(self, scope: AlarmScope) -> Sequence[cloudwatch.Alarm]:
        return [
            create_alarm(
                scope,
                "revocation late",
                self.metric(OutcomesMetric.CHANGE_TO_CLOSED, "Maximum"),
                section="Revocation late",
                meaning="An image that is no longer approved could be read for longer than a minute.",
                threshold=_LATE_REVOCATION.to_milliseconds(),
            ),
            create_alarm(
                scope,
                "tags refused",
                self.metric(OutcomesMetric.TAGS_REFUSED),
                section="Revocation late",
                meaning="S3 refuses to tag images, so what is no longer approved may still be readable.",
                periods=3,
                breaching=2,
            ),
            create_alarm(
                scope,
                "approved images stay closed",
                self.metric(OutcomesMetric.VERSIONS_UNOPENED),
                section="Approved images stay closed",
                meaning="Approved images can't be tagged, so nobody can read them.",
                periods=STANDING,
            ),
        ]

    def _create_alarms(self, scope: AlarmScope) -> Sequence[cloudwatch.Alarm]:
        return [
            create_alarm(
                scope,
                "Outcomes keeps failing",
                self.service.metric_errors(),
                section="Outcomes keeps failing",
                meaning="The function that announces changed verdicts keeps failing.",
                periods=9,
                breaching=3,
            ),
            create_alarm(
                scope,
                "changes announced late",
                self.metric_iterator_age(),
                section="Changes announced late",
                meaning="Changed verdicts wait to be announced; after a day the stream no longer has them.",
                threshold=_TOO_LATE.to_milliseconds(),
            ),
            create_alarm(
                scope,
                "changes given up",
                self.metric_given_up(),
                section="Changes given up",
                meaning="Changed verdicts could not be announced, so subscribers do not have them.",
            ),
            create_alarm(
                scope,
                "changes unreadable",
                self.metric(OutcomesMetric.CHANGES_UNREADABLE),
                section="Changes unreadable",
                meaning="Something other than Gatehouse wrote decisions in a format that can't be read or announced.",
                periods=STANDING,
            ),
        ]
