"""Whoever is woken by an alarm reads what it means and where to go on."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gatehouse.contracts.alarm_texts import SECTIONS as DESCRIBED
from gatehouse.contracts.alarm_texts import (
    SEVERITY_TAG,
    Severity,
    first_command,
    read_alarm_text,
    section_link,
)
from gatehouse.contracts.function_metrics import (
    AnalyzerMetric,
    BatcherMetric,
    OutcomesMetric,
    RendererMetric,
    ResultsMetric,
    SweeperMetric,
)
from stacks.constructs.lane_metrics import LEAST_JUDGED
from tests.cli.understood import understand
from tests.emitted_metrics import EMITTED
from tests.stacks.aws_metrics import DOCUMENTED
from tests.stacks.conftest import EXISTING_OBJECTS, ROOT, Assembly, only, resources
from tests.stacks.watched_metrics import Watched, dashboards, watched_by_alarm, watched_by_widget


def alarms(assembly: Assembly) -> list[dict[str, Any]]:
    return [resource["Properties"] for resource in resources(assembly.monitoring, "AWS::CloudWatch::Alarm").values()]


def watched(assembly: Assembly) -> set[str]:
    return {metric.name for alarm in alarms(assembly) for metric in watched_by_alarm(alarm)}


def test_what_can_lose_or_delay_a_verdict_is_watched(shipped: Assembly) -> None:
    assert watched(shipped) == {
        "ApproximateNumberOfMessagesVisible",
        "ApproximateNumberOfMessagesNotVisible",
        "ApproximateAgeOfOldestMessage",
        "NumberOfMessagesDeleted",
        "Errors",
        "RecursiveInvocationsDropped",
        "ExecutionsFailed",
        "ExecutionsAborted",
        "InvocationsFailedToBeSentToDlq",
        "NumberOfNotificationsFailed",
        ResultsMetric.UPLOADS_UNANSWERED,
        ResultsMetric.VERDICTS_MISSING,
        BatcherMetric.POLICIES_UNKNOWN,
        AnalyzerMetric.CHUNKS_PUT_BACK,
        ResultsMetric.BULK_REFUSED,
        ResultsMetric.STRAGGLERS,
        ResultsMetric.UPLOADS_FAILED,
        ResultsMetric.UNMATCHED_RESULT_LINES,
        SweeperMetric.UPLOADS_STUCK,
        SweeperMetric.BATCHES_OVERDUE,
        "Invocations",
        ResultsMetric.OTHER_MODEL_ANSWERS,
        ResultsMetric.UNKNOWN_LABELS,
        ResultsMetric.UPLOADS_FLAGGED,
        ResultsMetric.UPLOADS_JUDGED,
        "IteratorAge",
        OutcomesMetric.CHANGES_UNREADABLE,
        RendererMetric.DECODERS_STOPPED,
    }


def alarms_about(assembly: Assembly, metric: str) -> list[dict[str, Any]]:
    """Alarms that look at this metric and no other."""
    return [alarm for alarm in alarms(assembly) if alarm.get("MetricName") == metric]


def alarms_of_section(assembly: Assembly, heading: str) -> list[dict[str, Any]]:
    end = f" See {section_link(heading)}"
    return [alarm for alarm in alarms(assembly) if read_alarm_text(alarm["AlarmDescription"]).meaning.endswith(end)]


def subject(alarm: dict[str, Any]) -> str:
    """The lane or the priority that an alarm is about."""
    return read_alarm_text(alarm["AlarmDescription"]).meaning.partition(":")[0]


def dimensions(alarm: dict[str, Any]) -> dict[str, Any]:
    return {entry["Name"]: entry["Value"] for entry in alarm["Dimensions"]}


def test_the_image_engine_and_the_workflow_of_every_priority_are_watched(elaborate: Assembly) -> None:
    for priority in ("fast", "live", "backfill"):
        told = [alarm for alarm in alarms(elaborate) if f"Priority {priority}:" in alarm["AlarmDescription"]]

        assert {alarm["MetricName"] for alarm in told if "MetricName" in alarm} == {
            *("Errors", "RecursiveInvocationsDropped", AnalyzerMetric.CHUNKS_PUT_BACK, "ApproximateAgeOfOldestMessage"),
            *("ExecutionsFailed", "ExecutionsAborted"),
        }
        assert sum("Metrics" in alarm for alarm in told) == 1


def test_a_throttled_analyzer_is_noticed_under_the_names_its_code_writes(elaborate: Assembly) -> None:
    found = [dimensions(alarm) for alarm in alarms_about(elaborate, AnalyzerMetric.CHUNKS_PUT_BACK)]

    assert found == [{"priority": priority, "service": "analyzer"} for priority in ("fast", "live", "backfill")]


def test_a_loop_that_lambda_stops_is_noticed_in_every_function_that_may_loop(elaborate: Assembly) -> None:
    found = alarms_of_section(elaborate, "The Analyzer is stopped as a loop")
    watched_functions = {json.dumps(alarm["Dimensions"]) for alarm in found}
    outputs = elaborate.pipeline["Outputs"]
    may_loop = [
        name
        for name, function in resources(elaborate.pipeline, "AWS::Lambda::Function").items()
        if function["Properties"].get("RecursiveLoop") == "Allow"
    ]

    assert len(may_loop) == len(watched_functions) == 3
    for function in may_loop:
        exported = [name for name, output in outputs.items() if output["Value"] == {"Ref": function}]
        assert any(name in one for name in exported for one in watched_functions)
    assert {(alarm["Namespace"], alarm["MetricName"], alarm["Threshold"], alarm["Statistic"]) for alarm in found} == {
        ("AWS/Lambda", "RecursiveInvocationsDropped", 1, "Sum")
    }


def test_a_refused_job_is_noticed_in_every_lane_that_would_not_say_so_otherwise(elaborate: Assembly) -> None:
    """A lane that only bulk will do for has failed batches then, and one that never asks for jobs none to refuse."""
    found = {dimensions(alarm)["lane"] for alarm in alarms_about(elaborate, ResultsMetric.BULK_REFUSED)}

    assert found == {"default", "profile-pictures", "archive"}


LANES = {"default", "profile-pictures", "chat", "archive"}


@pytest.mark.parametrize(
    ("heading", "metric"),
    [("Uploads failed", ResultsMetric.UPLOADS_FAILED), ("Rekognition's calls fail", ResultsMetric.STRAGGLERS)],
)
def test_many_failed_uploads_are_noticed_in_every_lane_and_a_few_are_not(
    elaborate: Assembly, heading: str, metric: str
) -> None:
    """One large batch is enough, and so are the small ones of an hour."""
    found = alarms_of_section(elaborate, heading)

    assert {subject(alarm) for alarm in found} == {f"Lane {lane}" for lane in LANES}
    for alarm in found:
        by_id = {metric["Id"]: metric for metric in alarm["Metrics"]}
        (expression,) = (metric["Expression"] for metric in by_id.values() if "Expression" in metric)
        assert expression == "IF(uploads >= 10 AND 20 * uploads >= judged, uploads, 0)"
        names = {name: by_id[name]["MetricStat"] for name in ("uploads", "judged")}
        assert {name: (each["Metric"]["MetricName"], each["Period"], each["Stat"]) for name, each in names.items()} == {
            "uploads": (metric, 3600, "Sum"),
            "judged": (ResultsMetric.UPLOADS_JUDGED, 3600, "Sum"),
        }
        assert (alarm["Threshold"], alarm["EvaluationPeriods"]) == (1, 1)


def test_a_result_line_of_no_upload_is_noticed_wherever_there_may_be_bulk_jobs(
    elaborate: Assembly, image_only: Assembly
) -> None:
    found = alarms_about(elaborate, ResultsMetric.UNMATCHED_RESULT_LINES)

    assert {dimensions(alarm)["lane"] for alarm in found} == LANES - {"chat"}
    assert {(dimensions(alarm)["service"], alarm["Threshold"], alarm["Statistic"]) for alarm in found} == {
        ("results", 1, "Sum")
    }
    missing = alarms_about(elaborate, ResultsMetric.UPLOADS_UNANSWERED)
    assert {dimensions(alarm)["lane"] for alarm in missing} == LANES - {"chat"}
    assert {alarm["Threshold"] for alarm in missing} == {10}
    both = alarms_of_section(elaborate, "Result lines unmatched")
    assert len(both) == len(found) + len(missing)
    assert alarms_of_section(image_only, "Result lines unmatched") == []


def test_a_subscriber_that_flags_do_not_reach_is_noticed(shipped: Assembly) -> None:
    (alarm,) = alarms_of_section(shipped, "Flags undelivered")

    assert (alarm["MetricName"], alarm["Namespace"], alarm["Threshold"]) == (
        "NumberOfNotificationsFailed",
        "AWS/SNS",
        1,
    )


def test_a_fast_lane_is_late_after_minutes_where_others_are_after_half_an_hour_and_hours(elaborate: Assembly) -> None:
    ages = [(subject(alarm), alarm["Threshold"]) for alarm in alarms_about(elaborate, "ApproximateAgeOfOldestMessage")]

    assert sorted(ages) == sorted(
        [
            *(("Lane " + lane, (5 if lane == "chat" else 30) * 60) for lane in LANES),
            ("Priority fast", 15 * 60),
            ("Priority live", 6 * 3600),
            ("Priority backfill", 6 * 3600),
        ]
    )


def test_every_dead_letter_queue_is_watched(elaborate: Assembly) -> None:
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

    assert len(queues) == 9  # two for each of four lanes, and that of events
    assert queues <= seen


def test_an_adapter_that_no_longer_answers_is_noticed(elaborate: Assembly) -> None:
    (alarm,) = alarms_about(elaborate, ResultsMetric.ADAPTER_IGNORED)

    assert dimensions(alarm) == {"lane": "profile-pictures", "service": "results"}


GUIDE = (ROOT / "docs" / "operations.md").read_text("utf-8")
SECTIONS = {
    heading: text
    for heading, _, text in (section.partition("\n") for section in re.split(r"^## ", GUIDE, flags=re.M)[1:])
}


def test_every_alarm_says_what_it_means_and_links_to_its_section_and_every_section_has_an_alarm(
    elaborate: Assembly, synthesized: Callable[[str], Assembly]
) -> None:
    named = set()
    gated = synthesized("{gate: {mode: tag}, lanes: {default: {}}}")
    for alarm in (*alarms(elaborate), *alarms(synthesized(EXISTING_OBJECTS)), *alarms(gated)):
        text = read_alarm_text(alarm["AlarmDescription"])
        meaning, _, link = text.meaning.partition(" See ")
        assert meaning.endswith((".", "?"))
        assert text.first_command
        understand(text.first_command)
        named.add(link)

    assert set(DESCRIBED) == set(SECTIONS)
    assert named == {section_link(heading) for heading in SECTIONS}


@pytest.mark.parametrize(
    ("heading", "link"),
    [
        ("Uploads in a dead-letter queue", "docs/operations.md#uploads-in-a-dead-letter-queue"),
        ("The Analyzer keeps failing", "docs/operations.md#the-analyzer-keeps-failing"),
        ("What's new, 2.0?", "docs/operations.md#whats-new-20"),
    ],
)
def test_a_link_ends_with_the_anchor_that_github_makes_of_a_heading(heading: str, link: str) -> None:
    assert section_link(heading) == link


def test_an_alarm_names_the_lane_and_the_function_that_it_is_about(elaborate: Assembly) -> None:
    def commands(heading: str) -> set[str | None]:
        return {
            read_alarm_text(alarm["AlarmDescription"]).first_command for alarm in alarms_of_section(elaborate, heading)
        }

    assert f"queue show --lane {max(LANES)} --queue dead-letter" in commands("Uploads in a dead-letter queue")
    assert "logs --function ProfilePicturesLaneBatcher --errors" in commands("The batcher keeps failing")
    assert "logs --function FastImagesAnalyzer --errors" in commands("The Analyzer keeps failing")


@pytest.mark.parametrize("heading", SECTIONS)
def test_an_alarm_begins_where_its_section_begins(heading: str) -> None:
    function = "LiveImagesAnalyzer" if "Analyzer" in heading else "DefaultLaneBatcher"
    command = first_command(heading, lane="default", function=function)

    assert f"./gatehouse {command}" in " ".join(SECTIONS[heading].split())


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_section_says_what_it_means_how_to_look_and_what_to_do(heading: str) -> None:
    parts = [part for part in ("Meaning", "Look", "Do") if f"\n**{part}.** " in SECTIONS[heading]]

    assert parts == ["Meaning", "Look", "Do"]


def test_every_link_within_the_guide_leads_to_a_section() -> None:
    headings = re.findall(r"^#{2,3} (.*)$", GUIDE, re.MULTILINE)
    anchors = {section_link(heading).partition("#")[2] for heading in headings}

    assert set(re.findall(r"\]\(#([^)]+)\)", GUIDE)) <= anchors


def test_the_commands_of_the_guide_name_logs_and_outputs_that_there_are(shipped: Assembly) -> None:
    groups = resources(shipped.pipeline, "AWS::Logs::LogGroup")
    logs = set(re.findall(r"gatehouse logs --function ([A-Z]\w+)", GUIDE))
    outputs = set(re.findall(r"\boutput (\w+) (\w+)", GUIDE))

    assert all(sum(group.startswith(f"{name}Logs") for group in groups) == 1 for name in logs)
    assert len(logs) == 6
    assert {stack for stack, _ in outputs} <= {"storage", "pipeline"}
    assert all(name in getattr(shipped, stack)["Outputs"] for stack, name in outputs)


def every_metric(assembly: Assembly) -> Iterator[Watched]:
    for alarm in alarms(assembly):
        yield from watched_by_alarm(alarm)
    for widgets in dashboards(assembly.monitoring).values():
        for widget in widgets:
            yield from watched_by_widget(widget)


def test_every_metric_of_ours_that_is_watched_is_one_that_its_function_writes(
    elaborate: Assembly, image_only: Assembly
) -> None:
    ours = {
        metric for one in (elaborate, image_only) for metric in every_metric(one) if metric.namespace == "Gatehouse"
    }

    for metric in ours:
        emitted = EMITTED[str(dict(metric.dimensions)["service"])]
        assert metric.name in emitted.names
        assert metric.dimension_names == emitted.dimensions
    assert {dict(metric.dimensions)["service"] for metric in ours} == EMITTED.keys()


def test_every_metric_of_awss_that_is_watched_is_documented_with_these_dimensions(elaborate: Assembly) -> None:
    theirs = {metric for metric in every_metric(elaborate) if metric.namespace != "Gatehouse"}

    for metric in theirs:
        assert metric.dimension_names == DOCUMENTED[metric.namespace, metric.name][0]
    assert {(metric.namespace, metric.name) for metric in theirs} == DOCUMENTED.keys()


def test_a_queue_that_nothing_leaves_is_noticed_and_one_that_is_merely_long_is_not(elaborate: Assembly) -> None:
    found = alarms_of_section(elaborate, "Work stands still")

    assert len(found) == len(LANES) + 3
    for alarm in found:
        expression, *queries = alarm["Metrics"]
        assert expression["Expression"] == "IF((waiting + FILL(received, 0) > 0) AND (FILL(done, 0) == 0), 1, 0)"
        looked_at = {query["Id"]: query["MetricStat"]["Metric"]["MetricName"] for query in queries}
        assert looked_at == {
            "waiting": "ApproximateNumberOfMessagesVisible",
            "received": "ApproximateNumberOfMessagesNotVisible",
            "done": "NumberOfMessagesDeleted",
        }
        (queue,) = {json.dumps(query["MetricStat"]["Metric"]["Dimensions"]) for query in queries}
        assert "DeadLetterQueue" not in queue
        is_fast = "chat" in alarm["AlarmDescription"] or "fast" in alarm["AlarmDescription"]
        assert alarm["DatapointsToAlarm"] == alarm["EvaluationPeriods"] == (3 if is_fast else 6)


def test_a_share_of_few_verdicts_says_nothing_and_only_hours_of_an_unusual_one_ring(elaborate: Assembly) -> None:
    found = alarms_of_section(elaborate, "Flagged share unusual")

    assert len(found) == len(LANES)
    for alarm in found:
        band, share, *queries = alarm["Metrics"]
        judged, flagged = (query["Id"] for query in queries)
        assert share["Expression"] == f"IF({judged} >= {LEAST_JUDGED}, 100 * {flagged} / {judged})"
        assert [query["MetricStat"]["Metric"]["MetricName"] for query in queries] == [
            ResultsMetric.UPLOADS_JUDGED,
            ResultsMetric.UPLOADS_FLAGGED,
        ]
        assert {query["MetricStat"]["Period"] for query in queries} == {3600}
        assert band["Expression"] == f"ANOMALY_DETECTION_BAND({share['Id']}, 3)"
        assert (alarm["ThresholdMetricId"], band["ReturnData"], share["ReturnData"]) == (band["Id"], True, True)
        assert alarm["ComparisonOperator"] == "LessThanLowerOrGreaterThanUpperThreshold"
        assert (alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"]) == (3, 4)


@pytest.mark.parametrize("metric", [ResultsMetric.OTHER_MODEL_ANSWERS, ResultsMetric.UNKNOWN_LABELS])
def test_a_model_that_moved_on_is_noticed_in_every_lane_with_its_first_answer(elaborate: Assembly, metric: str) -> None:
    found = alarms_about(elaborate, metric)

    assert {dimensions(alarm)["lane"] for alarm in found} == LANES
    assert {(alarm["Threshold"], alarm["DatapointsToAlarm"], alarm["Statistic"]) for alarm in found} == {(1, 1, "Sum")}


def test_what_lasts_until_somebody_acts_rings_once_and_not_with_each_batch(elaborate: Assembly) -> None:
    lasting = (
        ResultsMetric.OTHER_MODEL_ANSWERS,
        ResultsMetric.UNKNOWN_LABELS,
        ResultsMetric.BULK_REFUSED,
        ResultsMetric.ADAPTER_IGNORED,
        ResultsMetric.UNMATCHED_RESULT_LINES,
    )

    for alarm in (alarm for metric in lasting for alarm in alarms_about(elaborate, metric)):
        assert alarm["Period"] * alarm["EvaluationPeriods"] == 6 * 3600


def test_an_alarm_is_within_cloudwatchs_limits(elaborate: Assembly) -> None:
    """At most a day is looked at, by ten metrics, and said in 1,024 characters (API reference, PutMetricAlarm)."""
    for alarm in alarms(elaborate):
        periods = [query["MetricStat"]["Period"] for query in alarm.get("Metrics", ()) if "MetricStat" in query]
        assert max([*periods, alarm.get("Period", 0)]) * alarm["EvaluationPeriods"] <= 86_400
        assert len(alarm.get("Metrics", ())) <= 10
        assert len(alarm["AlarmDescription"]) <= 1024


def test_an_idle_pipeline_raises_no_alarm(shipped: Assembly) -> None:
    """But one: a pipeline that is never swept is not idle."""
    silent = alarms_about(shipped, "Invocations")

    assert {alarm["TreatMissingData"] for alarm in silent} == {"breaching"}
    assert {alarm["TreatMissingData"] for alarm in alarms(shipped) if alarm not in silent} == {"notBreaching"}


def test_a_sweeper_that_does_not_run_is_noticed(shipped: Assembly) -> None:
    (alarm,) = alarms_about(shipped, "Invocations")

    assert (alarm["ComparisonOperator"], alarm["Threshold"], alarm["Period"]) == ("LessThanThreshold", 1, 3600)
    assert "Sweeper" in json.dumps(alarm["Dimensions"])


TOPIC = "arn:aws:sns:eu-west-1:111122223333:alarms"
TICKETS = "arn:aws:sns:eu-west-1:111122223333:tickets"


def told(alarm: dict[str, Any]) -> Any:
    """Who is told when an alarm rings."""
    (topic,) = alarm["AlarmActions"]
    return topic


def test_alarms_go_to_the_topic_of_the_settings_and_none_is_made(elaborate: Assembly) -> None:
    assert {told(alarm) for alarm in alarms(elaborate)} == {TOPIC}
    assert resources(elaborate.monitoring, "AWS::SNS::Topic") == resources(elaborate.monitoring, "AWS::KMS::Key") == {}
    assert elaborate.monitoring["Outputs"]["AlarmTopicArn"]["Value"] == TOPIC


def test_without_a_topic_one_is_made_that_cloudwatch_may_publish_to_and_the_address_subscribes(
    shipped: Assembly, synthesized: Callable[[str], Assembly]
) -> None:
    emailed = synthesized("{alarm_email: ann@example.com, lanes: {default: {}}}")
    for assembly in (shipped, emailed):
        ((topic, made),) = resources(assembly.monitoring, "AWS::SNS::Topic").items()
        ((key, encryption),) = resources(assembly.monitoring, "AWS::KMS::Key").items()
        policy = only(assembly.monitoring, "AWS::SNS::TopicPolicy")["Properties"]["PolicyDocument"]["Statement"]

        assert all(told(alarm) == {"Ref": topic} for alarm in alarms(assembly))
        assert made["Properties"]["KmsMasterKeyId"] == {"Fn::GetAtt": [key, "Arn"]}
        assert_admits_alarms(policy, "sns:Publish", {"Ref": topic})
        assert_admits_alarms(
            encryption["Properties"]["KeyPolicy"]["Statement"], ["kms:Decrypt", "kms:GenerateDataKey*"], "*"
        )
    assert resources(shipped.monitoring, "AWS::SNS::Subscription") == {}
    subscription = only(emailed.monitoring, "AWS::SNS::Subscription")["Properties"]
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "ann@example.com")


def test_the_topic_that_is_made_is_encrypted_with_the_users_key_which_admits_cloudwatch(own_key: Assembly) -> None:
    topic = only(own_key.monitoring, "AWS::SNS::Topic")["Properties"]
    key = only(own_key.storage, "AWS::KMS::Key")["Properties"]

    assert "EncryptionKey" in json.dumps(topic["KmsMasterKeyId"])
    assert resources(own_key.monitoring, "AWS::KMS::Key") == {}
    assert_admits_alarms(key["KeyPolicy"]["Statement"], ["kms:Decrypt", "kms:GenerateDataKey*"], "*")


def assert_admits_alarms(statements: list[dict[str, Any]], action: object, resource: object) -> None:
    (found,) = [each for each in statements if each["Principal"] == {"Service": "cloudwatch.amazonaws.com"}]
    assert (found["Effect"], found["Action"], found["Resource"]) == ("Allow", action, resource)
    assert found["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_tickets_may_have_a_topic_of_their_own(synthesized: Callable[[str], Assembly]) -> None:
    both = synthesized(f"{{alarm_topic_arn: '{TOPIC}', ticket_topic_arn: '{TICKETS}', lanes: {{default: {{}}}}}}")

    for alarm in alarms(both):
        is_page = read_alarm_text(alarm["AlarmDescription"]).severity is Severity.PAGE
        assert told(alarm) == (TOPIC if is_page else TICKETS)
    assert {told(alarm) for alarm in alarms(both)} == {TOPIC, TICKETS}


def test_an_alarm_says_how_urgent_it_is_in_its_text_and_as_a_tag(elaborate: Assembly) -> None:
    for heading, section in DESCRIBED.items():
        for alarm in alarms_of_section(elaborate, heading):
            assert alarm["AlarmDescription"].startswith(f"[{section.severity}] ")
            assert {"Key": SEVERITY_TAG, "Value": section.severity} in alarm["Tags"]


def test_the_guide_names_all_that_pages_and_nothing_else() -> None:
    (sentence,) = re.findall(r"^\*\*Pages\.\*\* .*?(?=\n\n)", GUIDE, re.MULTILINE | re.DOTALL)
    headings = {section_link(heading).partition("#")[2]: heading for heading in DESCRIBED}

    named = {headings[anchor] for anchor in re.findall(r"\]\(#([^)]+)\)", sentence)}

    assert named == {heading for heading, section in DESCRIBED.items() if section.severity is Severity.PAGE}


#: A lane that is called like a priority, one like an alarm's word, and one with the longest name that a lane may have.
NAMES = f"""
name: {"n" * 40}
existing_objects: true
gate: {{mode: tag}}
events: {{bus: default}}
lanes:
  default: {{}}
  fast: {{prefixes: [fast/]}}
  live: {{prefixes: [live/], priority: fast}}
  priority: {{prefixes: [priority/], priority: backfill}}
  uploads: {{prefixes: [uploads/]}}
  {"l" * 24}: {{prefixes: [long/]}}
"""


def test_an_alarms_name_says_the_deployment_the_lane_and_what_and_no_two_are_called_the_same(
    shipped: Assembly, synthesized: Callable[[str], Assembly]
) -> None:
    assert "gatehouse default batcher keeps failing" in {alarm["AlarmName"] for alarm in alarms(shipped)}
    assert "gatehouse uploads stuck" in {alarm["AlarmName"] for alarm in alarms(shipped)}
    named = [alarm["AlarmName"] for alarm in alarms(synthesized(NAMES))]
    assert len(set(named)) == len(named)
    assert all(name.startswith("n" * 40 + " ") and len(name) <= 255 and name.isascii() for name in named)


def test_alarms_link_to_their_sections_where_the_docs_are(synthesized: Callable[[str], Assembly]) -> None:
    docs = "https://example.com/gatehouse/blob/main/docs"
    linked = synthesized(
        f"{{docs_url: '{docs}', gate: {{mode: tag}}, events: {{bus: default}}, lanes: {{default: {{}}}}}}"
    )
    anchors = {section_link(heading).partition("#")[2] for heading in SECTIONS}

    for alarm in alarms(linked):
        found = re.search(rf" See {docs}/operations\.md#(\S+) First: ", alarm["AlarmDescription"])
        assert found is not None
        assert found[1] in anchors


@pytest.mark.parametrize(
    ("partition", "region", "host"),
    [
        ("aws", "eu-west-1", "eu-west-1.console.aws.amazon.com"),
        ("aws-us-gov", "us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
        ("aws-cn", "cn-north-1", "cn-north-1.console.amazonaws.cn"),
    ],
)
def test_the_dashboards_addresses_are_those_of_the_partitions_console(
    shipped: Assembly, partition: str, region: str, host: str
) -> None:
    filled_in = {"AWS::Partition": partition, "AWS::Region": region}
    conditions = shipped.monitoring["Conditions"]

    def text(value: Any) -> str:
        if isinstance(value, str):
            return value
        ((function, argument),) = value.items()
        if function == "Fn::Join":
            return "".join(text(part) for part in argument[1])
        if function == "Fn::If":
            left, right = conditions[argument[0]]["Fn::Equals"]
            return text(argument[1] if text(left) == text(right) else argument[2])
        return filled_in.get(argument, f"<{argument}>")

    for which in ("Business", "Technical"):
        url = text(shipped.monitoring["Outputs"][f"{which}DashboardUrl"]["Value"])
        assert url.startswith(f"https://{host}/cloudwatch/home?region={region}#dashboards/dashboard/<{which}Dashboard")
