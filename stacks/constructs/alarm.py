"""Alarms that say what they mean and where the operator reads on."""

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

#: Metrics are looked at over this time.
PERIOD = cdk.Duration.minutes(5)


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


def _description(meaning: str, section: str) -> str:
    return f'{meaning} See docs/operations.md, "{section}".'
