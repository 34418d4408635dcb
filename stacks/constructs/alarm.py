"""Alarms that say what they mean and where the operator reads on."""

import re

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

#: Metrics are looked at over this time.
PERIOD = cdk.Duration.minutes(5)

#: Periods for what lasts until somebody acts: the alarm stays up until six hours went by without it, and notifies once
#: then, not with each batch.
STANDING = 72

#: Standard deviations that the band of usual values is wide to either side. CloudWatch's own default is two, which one
#: value in twenty of a metric that merely varies lies outside of.
_BAND_WIDTH = 3


def section_link(heading: str) -> str:
    """Where a section of the operations guide is, with the anchor that GitHub makes of its heading."""
    return "docs/operations.md#" + re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def create_silence_alarm(
    scope: Construct, id: str, metric: cloudwatch.IMetric, *, section: str, meaning: str
) -> cloudwatch.Alarm:
    """An alarm that rises when something that happens all the time does not.

    CloudWatch takes what is not there yet for silence, too: after the first deployment it rises until the first time.

    Args:
        metric: counts what is to happen, over a time in which it happens for sure.
        section, meaning: as for `create_alarm`.
    """
    return cloudwatch.Alarm(
        scope,
        id,
        metric=metric,
        threshold=1,
        evaluation_periods=1,
        comparison_operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
        treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
        alarm_description=_description(meaning, section),
    )


def create_alarm(
    scope: Construct,
    id: str,
    metric: cloudwatch.IMetric,
    *,
    section: str,
    meaning: str,
    threshold: float = 1,
    periods: int = 1,
    breaching: int = 1,
) -> cloudwatch.Alarm:
    """An alarm that rises when `metric` is at or above `threshold` in `breaching` of the last `periods` periods.

    A message that failed comes back after minutes: a failing function with little to do does not fail in each period.

    Args:
        section: heading in docs/operations.md that says what to do.
        meaning: one sentence for whoever is woken by it.
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
        alarm_description=_description(meaning, section),
    )


def create_band_alarm(
    scope: Construct,
    id: str,
    metric: cloudwatch.IMetric,
    *,
    section: str,
    meaning: str,
    periods: int,
    breaching: int,
) -> cloudwatch.Alarm:
    """An alarm that rises when `metric` leaves the band of its usual values, up or down.

    CloudWatch learns the band from up to two weeks of the metric and goes on learning (User Guide,
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
        alarm_description=_description(meaning, section),
    )


def _description(meaning: str, section: str) -> str:
    return f"{meaning} See {section_link(section)}"
