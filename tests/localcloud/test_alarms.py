"""Alarms of a template as the monitoring stack has them."""

from typing import Any

import pytest

from gatehouse.contracts.function_metrics import ResultsMetric
from tests.localcloud.workbench import Workbench, unique

EXPRESSION = {"Id": "share", "Expression": "100 * flagged / judged", "ReturnData": True}
BAND = {"Id": "band", "Expression": "ANOMALY_DETECTION_BAND(share, 3)", "ReturnData": True}


def query(id: str, metric: str) -> dict[str, Any]:
    dimensions = [{"Name": "lane", "Value": "default"}]
    described = {"Namespace": "Gatehouse", "MetricName": metric, "Dimensions": dimensions}
    return {"Id": id, "MetricStat": {"Metric": described, "Period": 3600, "Stat": "Sum"}, "ReturnData": False}


QUERIES = [query("flagged", ResultsMetric.UPLOADS_FLAGGED), query("judged", ResultsMetric.UPLOADS_JUDGED)]


def template(**properties: Any) -> dict[str, Any]:
    """A template of one alarm on an expression."""
    alarm = {
        "AlarmDescription": "Unusual.",
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "EvaluationPeriods": 4,
        "TreatMissingData": "notBreaching",
        **properties,
    }
    return {
        "Resources": {"Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": alarm}},
        "Outputs": {"Alarm": {"Value": {"Ref": "Alarm"}}},
    }


def described(workbench: Workbench, alarm: str) -> dict[str, Any]:
    (found,) = workbench.client("cloudwatch").describe_alarms(AlarmNames=[alarm])["MetricAlarms"]
    return dict(found)


def test_an_alarm_on_an_expression_is_described_as_it_was_written(workbench: Workbench) -> None:
    alarm = workbench.deployed(template(Metrics=[EXPRESSION, *QUERIES], Threshold=40))["Alarm"]

    found = described(workbench, alarm)

    assert found["Metrics"] == [EXPRESSION, *QUERIES]
    assert (found["Threshold"], found["AlarmDescription"], found["StateValue"]) == (40, "Unusual.", "INSUFFICIENT_DATA")
    assert not {"MetricName", "Namespace", "Period", "Statistic", "Dimensions"} & found.keys()


def test_an_alarm_on_a_band_has_the_band_for_a_threshold(workbench: Workbench) -> None:
    wanted = [BAND, EXPRESSION, *QUERIES]
    outside = "LessThanLowerOrGreaterThanUpperThreshold"
    alarm = workbench.deployed(template(Metrics=wanted, ThresholdMetricId="band", ComparisonOperator=outside))["Alarm"]

    found = described(workbench, alarm)

    assert (found["Metrics"], found["ThresholdMetricId"], found["ComparisonOperator"]) == (wanted, "band", outside)
    assert "Threshold" not in found


def test_an_alarm_on_an_expression_may_change_and_keeps_its_state(workbench: Workbench) -> None:
    stack = unique("stack")
    alarm = workbench.deployed(template(Metrics=[EXPRESSION, *QUERIES], Threshold=40), stack)["Alarm"]
    workbench.client("cloudwatch").set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="a test")

    assert workbench.deployed(template(Metrics=[EXPRESSION, *QUERIES], Threshold=50), stack)["Alarm"] == alarm

    found = described(workbench, alarm)
    assert (found["Threshold"], found["StateValue"]) == (50, "ALARM")


@pytest.mark.parametrize(
    "properties",
    [{}, {"Threshold": 1, "ThresholdMetricId": "band"}, {"Threshold": 1, "MetricName": "X", "Namespace": "Y"}],
)
def test_an_alarm_that_aws_would_refuse_is_refused(workbench: Workbench, properties: dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match=r"FAILED|ROLLBACK"):
        workbench.deployed(template(Metrics=[BAND, EXPRESSION, *QUERIES], **properties))


def test_an_alarm_on_one_metric_is_as_before(workbench: Workbench) -> None:
    one = {"MetricName": "Errors", "Namespace": "AWS/Lambda", "Statistic": "Sum", "Period": 300, "Threshold": 1}
    alarm = workbench.deployed(template(**one))["Alarm"]

    found = described(workbench, alarm)

    assert {key: found[key] for key in one} == one
    assert "Metrics" not in found
