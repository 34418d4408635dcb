"""A queue's own metrics (SQS Developer Guide, sqs-available-cloudwatch-metrics.html)."""

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sqs as sqs

from stacks.constructs.alarm import PERIOD


def metric_waiting(queue: sqs.IQueue) -> cloudwatch.Metric:
    """Messages that can be received."""
    return queue.metric_approximate_number_of_messages_visible(period=PERIOD, statistic="Maximum")


def metric_oldest(queue: sqs.IQueue) -> cloudwatch.Metric:
    """Seconds that the oldest message has been in the queue."""
    return queue.metric_approximate_age_of_oldest_message(period=PERIOD, statistic="Maximum")


def metric_stalled(queue: sqs.IQueue) -> cloudwatch.MathExpression:
    """1 if there were messages in the queue, received or not, and none was deleted; else 0.

    The age of the oldest message is not enough. It also rises when work merely piles up, and SQS excludes messages from
    it that were received several times without success, which is the case when every attempt fails.
    """
    return cloudwatch.MathExpression(
        expression="IF((waiting + FILL(received, 0) > 0) AND (FILL(done, 0) == 0), 1, 0)",
        using_metrics={
            "waiting": metric_waiting(queue),
            "received": queue.metric_approximate_number_of_messages_not_visible(period=PERIOD, statistic="Maximum"),
            "done": queue.metric_number_of_messages_deleted(period=PERIOD, statistic="Sum"),
        },
        label="Messages wait and none is processed",
        period=PERIOD,
    )
