"""Alarms that say what they mean and where the operator reads on."""

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

#: Metrics are looked at over this time.
PERIOD = cdk.Duration.minutes(5)


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
        alarm_description=f'{meaning} See docs/operations.md, "{section}".',
    )
