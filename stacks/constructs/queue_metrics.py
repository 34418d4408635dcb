"""A queue's own metrics (SQS Developer Guide, sqs-available-cloudwatch-metrics.html)."""

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sqs as sqs

from stacks.constructs.alarm import PERIOD


def metric_waiting(queue: sqs.IQueue) -> cloudwatch.Metric:
    """Messages that nobody has received yet, or that came back."""
    return queue.metric_approximate_number_of_messages_visible(period=PERIOD, statistic="Maximum")


def metric_oldest(queue: sqs.IQueue) -> cloudwatch.Metric:
    """Seconds that the oldest message has been in the queue."""
    return queue.metric_approximate_age_of_oldest_message(period=PERIOD, statistic="Maximum")


def metric_stalled(queue: sqs.IQueue) -> cloudwatch.MathExpression:
    """1 where messages were in the queue, received or not, and none was done with; else 0.

    The age of the oldest message does not tell this alone: it rises where work merely piles up, and SQS leaves messages
    out of it that were received several times without success, which is how they stand when every attempt fails.
    """
    return cloudwatch.MathExpression(
        expression="IF((waiting + FILL(received, 0) > 0) AND (FILL(done, 0) == 0), 1, 0)",
        using_metrics={
            "waiting": metric_waiting(queue),
            "received": queue.metric_approximate_number_of_messages_not_visible(period=PERIOD, statistic="Maximum"),
            "done": queue.metric_number_of_messages_deleted(period=PERIOD, statistic="Sum"),
        },
        label="Messages wait and none is done with",
        period=PERIOD,
    )
