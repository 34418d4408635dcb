"""Alarms of a template may look at an expression over several metrics, or at a band of usual values.

AWS: `AWS::CloudWatch::Alarm` takes `Metrics` in place of `MetricName`, `Namespace`, `Statistic`, `Period`, `Dimensions`
and `Unit`, and `ThresholdMetricId` in place of `Threshold` where an ANOMALY_DETECTION_BAND is what is compared with
(CloudFormation Template Reference, aws-resource-cloudwatch-alarm.html). DescribeAlarms gives them back.
ministack 1.5.33: refuses `Metrics`, so a stack with such an alarm can't be deployed.

Such an alarm is stored and described here, and stays without data: nothing evaluates it. SetAlarmState still moves it.

Wraps `provisioners._cw_metric_alarm_record`.
"""

from collections.abc import Mapping
from typing import Any

from ministack.services.cloudformation import provisioners

from localcloud.patches.seam import Seam, check

_PROVISIONERS = "ministack.services.cloudformation.provisioners"
SEAMS = (Seam(_PROVISIONERS, "_cw_metric_alarm_record", ("name", "props")),)

#: What an alarm has of a single metric.
_OF_ONE_METRIC = ("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Period", "Dimensions", "Unit")


def install() -> None:
    """Store alarms on expressions and on bands."""
    check(SEAMS)
    record_of_one_metric = provisioners._cw_metric_alarm_record

    def metric_alarm_record(name: str, props: Mapping[str, Any]) -> dict[str, Any]:
        if not props.get("Metrics"):
            return dict(record_of_one_metric(name, props))
        if given := [key for key in _OF_ONE_METRIC if props.get(key)]:
            raise ValueError(f"AWS::CloudWatch::Alarm has Metrics, and {', '.join(given)} beside them")
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
    """A query with its numbers and truth values as such: a template may write them as text."""
    typed = dict(query)
    if "ReturnData" in typed:
        typed["ReturnData"] = str(typed["ReturnData"]).lower() == "true"
    if "Period" in typed:
        typed["Period"] = int(typed["Period"])
    if "MetricStat" in typed:
        typed["MetricStat"] = {**typed["MetricStat"], "Period": int(typed["MetricStat"]["Period"])}
    return typed
