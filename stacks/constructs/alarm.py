"""Alarms that say what they mean and link to the operations guide."""

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from gatehouse.contracts.alarm_texts import alarm_text

#: The period over which metrics are evaluated.
PERIOD = cdk.Duration.minutes(5)

#: Periods for a condition that lasts until somebody acts: the alarm clears after six hours without it, so that it
#: notifies once and not for each batch.
STANDING = 72

#: Width of the band of usual values, in standard deviations to either side. CloudWatch's default is two; one value in
#: twenty of an ordinary varying metric lies outside of that.
_BAND_WIDTH = 3


def create_silence_alarm(
    scope: Construct,
    id: str,
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
        section, meaning, lane, function: as for `create_alarm`.
    """
    return cloudwatch.Alarm(
        scope,
        id,
        metric=metric,
        threshold=1,
        evaluation_periods=1,
        comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
        treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
        alarm_description=alarm_text(meaning, section, lane=lane, function=function),
    )


def create_alarm(
    scope: Construct,
    id: str,
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
        section: heading in docs/operations.md that says what to do; `gatehouse.contracts.alarm_texts` has its first
            command.
        meaning: one sentence for the person on call.
        lane, function: what that command needs to know: the lane's name, and the function's logical name.
    """
    return cloudwatch.Alarm(
        scope,
        id,
        metric=metric,
        threshold=threshold,
        evaluation_periods=periods,
        datapoints_to_alarm=breaching,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,  # an idle pipeline sends no metrics
        alarm_description=alarm_text(meaning, section, lane=lane, function=function),
    )


def create_band_alarm(
    scope: Construct,
    id: str,
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
    return cloudwatch.AnomalyDetectionAlarm(
        scope,
        id,
        metric=metric,
        std_devs=_BAND_WIDTH,
        evaluation_periods=periods,
        datapoints_to_alarm=breaching,
        comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_LOWER_OR_GREATER_THAN_UPPER_THRESHOLD,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        alarm_description=alarm_text(meaning, section, lane=lane, function=function),
    )
