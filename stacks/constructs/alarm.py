"""Alarms that say what they mean and how urgent they are, and link to the operations guide."""

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from gatehouse.contracts.alarm_texts import SECTIONS, SEVERITY_TAG, Severity, alarm_name, alarm_text

#: The period over which metrics are evaluated.
PERIOD = cdk.Duration.minutes(5)

#: Periods for a condition that lasts until somebody acts: the alarm clears after six hours without it, so that it
#: notifies once and not for each batch.
STANDING = 72

#: Width of the band of usual values, in standard deviations to either side. CloudWatch's default is two; one value in
#: twenty of an ordinary varying metric lies outside of that.
_BAND_WIDTH = 3


class AlarmScope(Construct):
    """Where a construct makes its alarms, in the stack that notifies people.

    Args:
        deployment: its name.
        docs_url: where the operations guide is; None names the file.
        actions: what an alarm of each severity does when it rings.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        deployment: str,
        docs_url: str | None,
        actions: Mapping[Severity, cloudwatch.IAlarmAction],
    ) -> None:
        super().__init__(scope, id)
        self.deployment, self.docs_url, self.actions = deployment, docs_url, actions

    def description(self, meaning: str, section: str, lane: str | None, function: str | None) -> str:
        """What an alarm tells; arguments as for `create_alarm`."""
        return alarm_text(meaning, section, lane=lane, function=function, docs_url=self.docs_url)

    def arm(self, alarm: cloudwatch.Alarm, section: str) -> cloudwatch.Alarm:
        """Have an alarm tell those whom alarms of its section concern."""
        severity = SECTIONS[section].severity
        cdk.Tags.of(alarm).add(SEVERITY_TAG, severity.value)
        alarm.add_alarm_action(self.actions[severity])
        return alarm


def create_silence_alarm(
    scope: AlarmScope,
    name: str,
    metric: cloudwatch.IMetric,
    *,
    section: str,
    meaning: str,
    lane: str | None = None,
    function: str | None = None,
) -> cloudwatch.Alarm:
    """An alarm that goes off when something that should happen regularly does not.

    Missing data counts as silence: after the first deployment the alarm is on until the first event.

    Args:
        metric: counts the events, over a period that always contains at least one.
        name, section, meaning, lane, function: as for `create_alarm`.
    """
    alarm = cloudwatch.Alarm(
        scope,
        name,
        alarm_name=alarm_name(scope.deployment, name),
        alarm_description=scope.description(meaning, section, lane, function),
        metric=metric,
        threshold=1,
        evaluation_periods=1,
        comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
        treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
    )
    return scope.arm(alarm, section)


def create_alarm(
    scope: AlarmScope,
    name: str,
    metric: cloudwatch.IMetric,
    *,
    section: str,
    meaning: str,
    lane: str | None = None,
    function: str | None = None,
    threshold: float = 1,
    periods: int = 1,
    breaching: int = 1,
) -> cloudwatch.Alarm:
    """An alarm that goes off when `metric` is at or above `threshold` in `breaching` of the last `periods` periods.

    A failed message is delivered again minutes later, so a failing function with little work does not fail in every
    period.

    Args:
        name: what people call it, behind the deployment's name; also its id. An alarm that is renamed is replaced.
        section: heading in docs/operations.md that says what to do; `gatehouse.contracts.alarm_texts` has its severity
            and its first command.
        meaning: one sentence for the person on call.
        lane, function: what that command needs to know: the lane's name, and the function's logical name.
    """
    alarm = cloudwatch.Alarm(
        scope,
        name,
        alarm_name=alarm_name(scope.deployment, name),
        alarm_description=scope.description(meaning, section, lane, function),
        metric=metric,
        threshold=threshold,
        evaluation_periods=periods,
        datapoints_to_alarm=breaching,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,  # an idle pipeline sends no metrics
    )
    return scope.arm(alarm, section)


def create_band_alarm(
    scope: AlarmScope,
    name: str,
    metric: cloudwatch.IMetric,
    *,
    section: str,
    meaning: str,
    lane: str | None = None,
    function: str | None = None,
    periods: int,
    breaching: int,
) -> cloudwatch.Alarm:
    """An alarm that goes off when `metric` leaves the band of its usual values, in either direction.

    CloudWatch learns the band from up to two weeks of the metric and keeps learning (User Guide,
    CloudWatch_Anomaly_Detection.html). Arguments as in `create_alarm`.
    """
    alarm = cloudwatch.AnomalyDetectionAlarm(
        scope,
        name,
        alarm_name=alarm_name(scope.deployment, name),
        alarm_description=scope.description(meaning, section, lane, function),
        metric=metric,
        std_devs=_BAND_WIDTH,
        evaluation_periods=periods,
        datapoints_to_alarm=breaching,
        comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_LOWER_OR_GREATER_THAN_UPPER_THRESHOLD,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
    )
    return scope.arm(alarm, section)
