"""A lane's metrics: of its queues, and of the functions that process its uploads."""

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_sqs as sqs

from gatehouse.contracts.function_metrics import BatcherMetric, Dimension, ResultsMetric, Service
from stacks.constructs.alarm import PERIOD
from stacks.constructs.function_metric import function_metric
from stacks.constructs.queue_metrics import metric_oldest, metric_stalled, metric_waiting

#: The flagged share of an hour means something only with this many verdicts: two flags of three uploads do not.
LEAST_JUDGED = 100

#: Failed uploads in an hour before the alarm: one now and then is normal. Where there are many verdicts, the failed
#: ones must also be this part of them: one in twenty.
LEAST_FAILED = 10
_FAILED_OF_JUDGED = 20


class LaneMetrics:
    """The metrics of one lane, for its alarms and for the dashboards.

    Args:
        lane: its name.
    """

    def __init__(
        self,
        lane: str,
        *,
        rule: events.IRule,
        queue: sqs.IQueue,
        dead_letter_queue: sqs.IQueue,
        undelivered_queue: sqs.IQueue,
    ) -> None:
        self.lane = lane
        self._rule = rule
        self._queue = queue
        self._dead_letter_queue = dead_letter_queue
        self._undelivered_queue = undelivered_queue

    def dead_letters(self) -> cloudwatch.Metric:
        """Messages in the dead-letter queue."""
        return metric_waiting(self._dead_letter_queue)

    def undelivered(self) -> cloudwatch.Metric:
        """Events that EventBridge could not deliver to the queue."""
        return metric_waiting(self._undelivered_queue)

    def lost(self) -> cloudwatch.Metric:
        """Events that EventBridge could deliver neither to the queue nor to its dead-letter queue."""
        return cloudwatch.Metric(
            namespace="AWS/Events",
            metric_name="InvocationsFailedToBeSentToDlq",
            dimensions_map={"RuleName": self._rule.rule_name},
            statistic="Sum",
            period=PERIOD,
        )

    def waiting(self) -> cloudwatch.Metric:
        """Uploads waiting for a batch."""
        return metric_waiting(self._queue)

    def oldest_upload(self) -> cloudwatch.Metric:
        """Seconds the oldest upload has been waiting for a batch."""
        return metric_oldest(self._queue)

    def stalled(self) -> cloudwatch.MathExpression:
        """1 while uploads wait and none are put into a batch; else 0."""
        return metric_stalled(self._queue)

    def batcher(self, metric: BatcherMetric) -> cloudwatch.Metric:
        """A custom metric of the batcher, summed."""
        return function_metric(Service.BATCHER, metric, dimensions={Dimension.LANE: self.lane})

    def results(self, metric: ResultsMetric, statistic: str = "Sum") -> cloudwatch.Metric:
        """A custom metric of Results."""
        return function_metric(Service.RESULTS, metric, dimensions={Dimension.LANE: self.lane}, statistic=statistic)

    def upload_to_verdict(self, statistic: str) -> cloudwatch.Metric:
        """Milliseconds from upload to verdict."""
        return self.results(ResultsMetric.UPLOAD_TO_VERDICT, statistic)

    def failed(self) -> cloudwatch.MathExpression:
        """An hour's FAILED uploads if there are many of them; else 0."""
        return self._if_many(ResultsMetric.UPLOADS_FAILED, "many uploads FAILED")

    def straggling(self) -> cloudwatch.MathExpression:
        """An hour's uploads for which every call failed, if there are many of them; else 0."""
        return self._if_many(ResultsMetric.STRAGGLERS, "many uploads whose every call failed")

    def _if_many(self, metric: ResultsMetric, label: str) -> cloudwatch.MathExpression:
        """One of Results' metrics over an hour, since a large batch ends in one moment."""
        many = f"uploads >= {LEAST_FAILED} AND {_FAILED_OF_JUDGED} * uploads >= judged"
        return cloudwatch.MathExpression(
            expression=f"IF({many}, uploads, 0)",
            using_metrics={"uploads": self.results(metric), "judged": self.results(ResultsMetric.UPLOADS_JUDGED)},
            label=label,
            period=cdk.Duration.hours(1),
        )

    def flagged_share(self) -> cloudwatch.MathExpression:
        """Percent of an hour's verdicts that are flagged; no data in an hour with few verdicts."""
        lane = self.lane.replace("-", "_")  # a graph of several lanes needs several ids
        judged, flagged = f"judged_{lane}", f"flagged_{lane}"
        return cloudwatch.MathExpression(
            expression=f"IF({judged} >= {LEAST_JUDGED}, 100 * {flagged} / {judged})",
            using_metrics={
                judged: self.results(ResultsMetric.UPLOADS_JUDGED),
                flagged: self.results(ResultsMetric.UPLOADS_FLAGGED),
            },
            label=self.lane,
            period=cdk.Duration.hours(1),
        )
