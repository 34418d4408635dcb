"""Alarms in a template can use an expression over several metrics, or a band of usual values.

AWS: `AWS::CloudWatch::Alarm` accepts `Metrics` instead of `MetricName`, `Namespace`, `Statistic`, `Period`,
`Dimensions` and `Unit`, and `ThresholdMetricId` instead of `Threshold` for a comparison with an ANOMALY_DETECTION_BAND
(CloudFormation Template Reference, aws-resource-cloudwatch-alarm.html). DescribeAlarms returns them.
ministack 1.5.33: refuses `Metrics`, so a stack with such an alarm can't be deployed.

Here, such an alarm is stored and described, but not evaluated, so it has no data. SetAlarmState works.

Wraps `provisioners._cw_metric_alarm_record`.
"""

from collections.abc import Mapping
from typing import Any

from ministack.services.cloudformation import provisioners

from localcloud.patches.seam import Seam, check

_PROVISIONERS = "ministack.services.cloudformation.provisioners"
SEAMS = (Seam(_PROVISIONERS, "_cw_metric_alarm_record", ("name", "props")),)

#: The properties of an alarm on a single metric.
_OF_ONE_METRIC = ("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Period", "Dimensions", "Unit")


def install() -> None:
    """Store alarms on expressions and on bands."""
    check(SEAMS)
    record_of_one_metric = provisioners._cw_metric_alarm_record

    def metric_alarm_record(name: str, props: Mapping[str, Any]) -> dict[str, Any]:
        if not props.get("Metrics"):
            return dict(record_of_one_metric(name, props))
        if given := [key for key in _OF_ONE_METRIC if props.get(key)]:
            raise ValueError(f"AWS::CloudWatch::Alarm can't have both Metrics and {', '.join(given)}")
        if (props.get("Threshold") is None) == (props.get("ThresholdMetricId") is None):
            raise ValueError("AWS::CloudWatch::Alarm needs either Threshold or ThresholdMetricId")
        others = {key: value for key, value in props.items() if key != "Metrics"}
        record: dict[str, Any] = record_of_one_metric(
            name, {"Threshold": 0, **others, "MetricName": "-", "Namespace": "-"}
        )
        for key in _OF_ONE_METRIC:
            del record[key]
        record["Metrics"] = [_typed(query) for query in props["Metrics"]]
        if band := props.get("ThresholdMetricId"):
            del record["Threshold"]
            record["ThresholdMetricId"] = band
        return record

    provisioners._cw_metric_alarm_record = metric_alarm_record


def _typed(query: Mapping[str, Any]) -> dict[str, Any]:
    """A query with typed numbers and booleans: a template may contain them as text."""
    typed = dict(query)
    if "ReturnData" in typed:
        typed["ReturnData"] = str(typed["ReturnData"]).lower() == "true"
    if "Period" in typed:
        typed["Period"] = int(typed["Period"])
    if "MetricStat" in typed:
        typed["MetricStat"] = {**typed["MetricStat"], "Period": int(typed["MetricStat"]["Period"])}
    return typed
