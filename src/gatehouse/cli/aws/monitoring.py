"""What CloudWatch knows of a deployment: the age of queues, the day's counts, and alarms.

Limits: 500 metrics a GetMetricData (API reference); a deployment has 20 lanes at most.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from gatehouse.contracts.alarm_texts import Severity, alarm_prefix, read_alarm_text

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

#: SQS sends a queue's metrics every minute, some minutes late (Developer Guide, sqs-monitoring-using-cloudwatch.html).
_RECENT = timedelta(minutes=15)
_MINUTE, _HOUR = 60, 3600


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric, by all that identifies it."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]

    def to_query(self, id: str, statistic: str, period: int) -> dict[str, Any]:
        """A query of GetMetricData for it."""
        dimensions = [{"Name": name, "Value": value} for name, value in self.dimensions.items()]
        metric = {"Namespace": self.namespace, "MetricName": self.name, "Dimensions": dimensions}
        return {"Id": id, "MetricStat": {"Metric": metric, "Period": period, "Stat": statistic}}


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm of the deployment.

    Attributes:
        since: when it began or ceased to ring.
        text: what it means, and its section of docs/operations.md.
        first_command: what is typed behind `gatehouse` first when it rings; None if its description does not say.
        topics: ARNs of the SNS topics that are told when it rings.
        severity: how soon somebody has to act; None if its description does not say.
    """

    name: str
    is_ringing: bool
    since: datetime | None
    text: str
    topics: tuple[str, ...] = ()
    first_command: str | None = None
    severity: Severity | None = None


class Monitoring:
    """Reads metrics and alarms.

    Args:
        client: a CloudWatch client.
    """

    def __init__(self, client: "CloudWatchClient") -> None:
        self._client = client

    def oldest_messages(self, queues: Iterable[str], now: datetime) -> dict[str, float]:
        """Seconds that the oldest message of each queue has waited, by the queue's name; 0 without one. One call."""
        names = list(queues)
        metrics = [Metric("AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": name}) for name in names]
        latest = self._values(metrics, "Maximum", _MINUTE, now - _RECENT, now)
        return {name: values[0] if values else 0.0 for name, values in zip(names, latest, strict=True)}

    def sums(self, metrics: Iterable[Metric], since: datetime, now: datetime) -> list[float]:
        """What each metric adds up to since then. One call."""
        return [sum(values) for values in self._values(list(metrics), "Sum", _HOUR, since, now)]

    def maximum(self, metric: Metric, since: datetime, now: datetime) -> float | None:
        """The greatest value of a metric since then; None without one. One call."""
        (values,) = self._values([metric], "Maximum", _MINUTE, since, now)
        return max(values, default=None)

    def alarms(self, deployment: str) -> list[Alarm]:
        """A deployment's alarms, pages first: a DescribeAlarms for each hundred."""
        pages = self._client.get_paginator("describe_alarms").paginate(
            AlarmNamePrefix=alarm_prefix(deployment), PaginationConfig={"PageSize": 100}
        )
        found = [_alarm(alarm) for page in pages for alarm in page["MetricAlarms"]]
        return sorted(found, key=lambda alarm: alarm.severity is not Severity.PAGE)

    def _values(
        self, metrics: list[Metric], statistic: str, period: int, since: datetime, now: datetime
    ) -> list[list[float]]:
        """Each metric's values, the latest first."""
        if not metrics:
            return []
        queries: Any = [metric.to_query(f"m{n}", statistic, period) for n, metric in enumerate(metrics)]
        answer = self._client.get_metric_data(
            MetricDataQueries=queries, StartTime=since, EndTime=now, ScanBy="TimestampDescending"
        )
        found: dict[str, list[float]] = {}
        for result in answer["MetricDataResults"]:
            found.setdefault(result["Id"], []).extend(result["Values"])
        return [found.get(f"m{n}", []) for n in range(len(metrics))]


def _alarm(alarm: Mapping[str, Any]) -> Alarm:
    """StateUpdatedTimestamp moves with every new reason, too; StateTransitionedTimestamp does not (API reference)."""
    text = read_alarm_text(alarm.get("AlarmDescription", ""))
    return Alarm(
        name=alarm["AlarmName"],
        is_ringing=alarm.get("StateValue") == "ALARM",
        since=alarm.get("StateTransitionedTimestamp") or alarm.get("StateUpdatedTimestamp"),
        text=text.meaning,
        topics=tuple(alarm.get("AlarmActions", ())),
        first_command=text.first_command,
        severity=text.severity,
    )
