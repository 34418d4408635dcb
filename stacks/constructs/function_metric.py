"""References to the custom metrics that our functions write."""

from collections.abc import Mapping
from enum import StrEnum

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from gatehouse.contracts.function_metrics import METRICS_NAMESPACE, Dimension, Service
from stacks.constructs.alarm import PERIOD


def function_metric(
    service: Service,
    metric: StrEnum,
    *,
    dimensions: Mapping[Dimension, str],
    statistic: str = "Sum",
    period: cdk.Duration = PERIOD,
) -> cloudwatch.Metric:
    """A metric of a function.

    Args:
        metric: a member of this service's enumeration.
        dimensions: all dimensions that the function writes it with, except `service`.
    """
    return cloudwatch.Metric(
        namespace=METRICS_NAMESPACE,
        metric_name=metric.value,
        dimensions_map={
            Dimension.SERVICE.value: service.value,
            **{dimension.value: value for dimension, value in dimensions.items()},
        },
        statistic=statistic,
        period=period,
    )
