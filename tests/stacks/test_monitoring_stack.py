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
        "UploadsFailed",
        "UnmatchedResultLines",
        "UploadsStuck",
        "BatchesOverdue",
        "Invocations",
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


LANES = {"default", "profile-pictures", "chat", "archive"}


def sections(assembly: Assembly, metric: str) -> set[str]:
    return {
        alarm["AlarmDescription"].partition(' See docs/operations.md, "')[2].removesuffix('".')
        for alarm in alarms_about(assembly, metric)
    }


def test_many_failed_uploads_are_noticed_in_every_lane_and_a_few_are_not(elaborate: Assembly) -> None:
    found = alarms_about(elaborate, "UploadsFailed")

    assert [dimensions(alarm)["service"] for alarm in found] == ["results"] * len(LANES)
    assert {dimensions(alarm)["lane"] for alarm in found} == LANES
    assert {(alarm["Threshold"], alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"]) for alarm in found} == {
        (10, 2, 3)
    }
    assert {alarm["Statistic"] for alarm in found} == {"Sum"}
    assert sections(elaborate, "UploadsFailed") == {"Uploads failed"}


def test_a_result_line_of_no_upload_is_noticed_wherever_there_may_be_bulk_jobs(
    elaborate: Assembly, image_only: Assembly
) -> None:
    found = alarms_about(elaborate, "UnmatchedResultLines")

    assert {dimensions(alarm)["lane"] for alarm in found} == LANES - {"chat"}
    assert {(dimensions(alarm)["service"], alarm["Threshold"], alarm["Statistic"]) for alarm in found} == {
        ("results", 1, "Sum")
    }
    assert sections(elaborate, "UnmatchedResultLines") == {"Result lines unmatched"}
    assert alarms_about(image_only, "UnmatchedResultLines") == []
    assert len(alarms_about(image_only, "UploadsFailed")) == 2


def test_the_new_alarms_watch_what_results_writes(elaborate: Assembly) -> None:
    source = (ROOT / "lambdas" / "results" / "handler.py").read_text("utf-8")

    for metric in ("UploadsFailed", "UnmatchedResultLines"):
        assert f'"{metric}": ' in source


def test_a_fast_lane_is_late_after_minutes_where_others_are_after_half_an_hour_and_hours(elaborate: Assembly) -> None:
    ages = [
        (alarm["AlarmDescription"].partition(":")[0], alarm["Threshold"])
        for alarm in alarms_about(elaborate, "ApproximateAgeOfOldestMessage")
    ]

    assert sorted(ages) == sorted(
        [
            *(("Lane " + lane, (5 if lane == "chat" else 30) * 60) for lane in LANES),
            ("Priority fast", 15 * 60),
            ("Priority live", 6 * 3600),
            ("Priority backfill", 6 * 3600),
        ]
    )


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
    """But one: a pipeline that is never swept is not idle."""
    found = {alarm["MetricName"]: alarm["TreatMissingData"] for alarm in alarms(shipped)}

    assert found.pop("Invocations") == "breaching"
    assert set(found.values()) == {"notBreaching"}


def test_a_sweeper_that_does_not_run_is_noticed(shipped: Assembly) -> None:
    (alarm,) = alarms_about(shipped, "Invocations")

    assert (alarm["ComparisonOperator"], alarm["Threshold"], alarm["Period"]) == ("LessThanThreshold", 1, 3600)
    assert "Sweeper" in json.dumps(alarm["Dimensions"])


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
