"""Whoever is woken by an alarm reads what it means and where to go on."""

import json
from typing import Any

from tests.stacks.conftest import ROOT, Assembly, only, resources


def alarms(assembly: Assembly) -> list[dict[str, Any]]:
    return [resource["Properties"] for resource in resources(assembly.monitoring, "AWS::CloudWatch::Alarm").values()]


def watched(assembly: Assembly) -> set[str]:
    return {alarm["MetricName"] for alarm in alarms(assembly)}


def test_what_can_lose_or_delay_a_verdict_is_watched(shipped: Assembly) -> None:
    assert watched(shipped) == {
        "ApproximateNumberOfMessagesVisible",
        "ApproximateAgeOfOldestMessage",
        "Errors",
        "ExecutionsFailed",
        "ExecutionsAborted",
        "VerdictsMissing",
        "PoliciesUnknown",
        "ChunksPutBack",
        "BulkRefused",
    }


def alarms_about(assembly: Assembly, metric: str) -> list[dict[str, Any]]:
    return [alarm for alarm in alarms(assembly) if alarm["MetricName"] == metric]


def dimensions(alarm: dict[str, Any]) -> dict[str, Any]:
    return {entry["Name"]: entry["Value"] for entry in alarm["Dimensions"]}


def test_the_image_engine_and_the_workflow_of_every_priority_are_watched(elaborate: Assembly) -> None:
    for priority in ("fast", "live", "backfill"):
        told = [alarm for alarm in alarms(elaborate) if f"Priority {priority}:" in alarm["AlarmDescription"]]

        assert {alarm["MetricName"] for alarm in told} == {
            *("Errors", "ChunksPutBack", "ApproximateAgeOfOldestMessage", "ExecutionsFailed", "ExecutionsAborted")
        }


def test_a_throttled_analyzer_is_noticed_under_the_names_its_code_writes(elaborate: Assembly) -> None:
    found = [dimensions(alarm) for alarm in alarms_about(elaborate, "ChunksPutBack")]

    assert found == [{"priority": priority, "service": "analyzer"} for priority in ("fast", "live", "backfill")]


def test_a_refused_job_is_noticed_in_every_lane_that_would_not_say_so_otherwise(elaborate: Assembly) -> None:
    """A lane that only bulk will do for has failed batches then, and one that never asks for jobs none to refuse."""
    found = {dimensions(alarm)["lane"] for alarm in alarms_about(elaborate, "BulkRefused")}

    assert found == {"default", "profile-pictures", "archive"}


def test_every_dead_letter_queue_of_every_lane_is_watched(elaborate: Assembly) -> None:
    queues = {
        name
        for name in resources(elaborate.pipeline, "AWS::SQS::Queue")
        if "DeadLetterQueue" in name or "UndeliveredQueue" in name
    }
    outputs = elaborate.pipeline["Outputs"]
    dimensions = json.dumps([alarm.get("Dimensions") for alarm in alarms(elaborate)])
    seen = {
        output["Value"]["Fn::GetAtt"][0]
        for name, output in outputs.items()
        if name in dimensions and "Fn::GetAtt" in output["Value"]
    }

    assert len(queues) == 8  # two for each of four lanes
    assert queues <= seen


def test_an_adapter_that_no_longer_answers_is_noticed(elaborate: Assembly) -> None:
    (alarm,) = alarms_about(elaborate, "AdapterIgnored")

    assert dimensions(alarm) == {"lane": "profile-pictures", "service": "results"}


def test_every_alarm_says_what_it_means_and_names_its_section_of_the_operations_guide(elaborate: Assembly) -> None:
    guide = (ROOT / "docs" / "operations.md").read_text("utf-8")
    headings = {line.removeprefix("## ") for line in guide.splitlines() if line.startswith("## ")}
    named = set()
    for alarm in alarms(elaborate):
        meaning, _, section = alarm["AlarmDescription"].partition(' See docs/operations.md, "')
        assert meaning.endswith((".", "?"))
        named.add(section.removesuffix('".'))

    assert named == headings


def test_an_idle_pipeline_raises_no_alarm(shipped: Assembly) -> None:
    assert {alarm["TreatMissingData"] for alarm in alarms(shipped)} == {"notBreaching"}


def test_alarms_go_to_the_topic_of_the_settings_and_nowhere_without_one(shipped: Assembly, elaborate: Assembly) -> None:
    topic = "arn:aws:sns:eu-west-1:111122223333:alarms"

    assert all(alarm["AlarmActions"] == [topic] for alarm in alarms(elaborate))
    assert not any("AlarmActions" in alarm for alarm in alarms(shipped))


def test_the_dashboard_shows_every_lane_and_every_image_engine(elaborate: Assembly) -> None:
    dashboard = only(elaborate.monitoring, "AWS::CloudWatch::Dashboard")["Properties"]["DashboardBody"]
    text = "".join(part if isinstance(part, str) else '"x"' for part in dashboard["Fn::Join"][1])

    for lane in ("default", "profile-pictures", "chat", "archive"):
        assert f'"lane","{lane}"' in text
    for priority in ("fast", "live", "backfill"):
        assert f'"ImagesAnalysed","priority","{priority}"' in text
