"""`status`: every part is seen, in a bounded number of calls, and one that may not be seen hides no other."""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gatehouse.cli.aws import verdict_table
from gatehouse.cli.clock import Clock
from gatehouse.cli.command_name import COMMAND
from gatehouse.cli.status import status_command
from gatehouse.contracts.alarm_texts import alarm_text
from gatehouse.contracts.stack_outputs import BackfillOutput
from gatehouse.moderation.moment import iso
from gatehouse.moderation.status import Status
from tests.cli.conftest import STANDARD, Deployed, Run, queue_url
from tests.cli.judged_uploads import PatientClock
from tests.cli.operated import DEAD, INGEST, UNDELIVERED, Operated
from tests.unit.aws_calls import an_error
from tests.unit.builders import NOON, a_claim, a_verdict, an_upload, uploads

BACKFILL = [output.value for output in BackfillOutput]

ALARM = {
    "AlarmName": "gatehouse uploads stuck",
    "StateValue": "ALARM",
    "StateTransitionedTimestamp": NOON,
    "StateUpdatedTimestamp": NOON + timedelta(minutes=4),
    "AlarmDescription": alarm_text("Uploads are stuck.", "Uploads stuck"),
    "AlarmActions": [],
}


@pytest.fixture
def operated(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> Operated:
    """A deployment with one ringing alarm; it is five past twelve."""
    monkeypatch.setattr(status_command, "CLOCK", Clock(now=lambda: NOON + timedelta(minutes=5)))
    operated = Operated.of(deployed)
    quiet = {**ALARM, "AlarmName": "gatehouse quiet", "StateValue": "OK"}
    deployed.calls.answer_always("DescribeAlarms", lambda _: {"MetricAlarms": [quiet, ALARM]})
    deployed.calls.answer_always("GetMetricData", metrics)
    return operated


def metrics(request: Mapping[str, Any]) -> dict[str, Any]:
    """A queue's oldest message has waited for two minutes; each lane approved 20 uploads in two of the hours."""
    queries = json.loads(request["body"])["MetricDataQueries"]
    results = []
    for query in queries:
        name = query["MetricStat"]["Metric"]["MetricName"]
        values = [120.0] if name == "ApproximateAgeOfOldestMessage" else [15.0, 5.0]
        results.append({"Id": query["Id"], "Values": values})
    return {"MetricDataResults": results}


def document(gatehouse: Run) -> Any:
    result = gatehouse("status", "--output", "json")
    assert result.exit_code == 0
    return json.loads(result.stdout)


def test_every_part_is_told(gatehouse: Run, operated: Operated) -> None:
    deployed = operated.deployed
    operated.put(INGEST, *uploads(3))
    operated.put(DEAD, an_upload())
    operated.execute("batch-1", "RUNNING")
    operated.execute("batch-2", "FAILED", stopDate=NOON)
    operated.execute("batch-3", "FAILED", stopDate=NOON - timedelta(days=3))
    deployed.put(*(a_verdict(Status.BLOCKED, a_claim(upload)) for upload in uploads(4)))
    deployed.put(a_verdict(Status.FAILED, a_claim(an_upload("failed.jpg"))))
    deployed.sns.subscribe(TopicArn=deployed.topic_arn, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:1:queue")

    seen = document(gatehouse)

    (lane,) = [each for each in seen["lanes"] if each["lane"] == "default"]
    assert (lane["waiting"], lane["oldest_seconds"], lane["dead_letters"]) == (3, 120.0, 1)
    assert seen["batches"] == {"running": 1, "failed": 1, "all": True}
    assert seen["today"] == {
        "APPROVED": 40,
        "REVIEW": 0,
        "BLOCKED": 4,
        "UNSUPPORTED": 0,
        "FAILED": 1,
        "all": True,
    }
    # Images and frames of three priorities, and two lanes' images in bulk, each 20.
    assert seen["paid"] == {"images": 160, "usd": 0.16}
    assert [each["protocol"] for each in seen["subscribers"]] == ["sqs"]
    assert (seen["alarms"], [alarm["name"] for alarm in seen["ringing"]]) == (2, [ALARM["AlarmName"]])
    assert seen["ringing"][0]["since"] == iso(NOON)
    assert (seen["drift"], seen["problems"]) == ([], {})
    assert lane["backfill"] is None
    assert (seen["unannounced_changes"], seen["unsent_events"]) == (0, None)


def test_pages_are_told_before_tickets(gatehouse: Run, operated: Operated) -> None:
    ticket = {**ALARM, "AlarmName": "gatehouse a ticket", "AlarmDescription": alarm_text("Odd.", "Unknown label seen")}
    operated.deployed.calls.answer_always("DescribeAlarms", lambda _: {"MetricAlarms": [ticket, ALARM]})

    seen = document(gatehouse)["ringing"]
    told = [line for line in gatehouse("status").stdout.splitlines() if line.startswith("- ")]

    assert [(alarm["name"], alarm["severity"]) for alarm in seen] == [
        ("gatehouse uploads stuck", "page"),
        ("gatehouse a ticket", "ticket"),
    ]
    assert told[0].startswith("- page: gatehouse uploads stuck")
    assert told[1].startswith("- ticket: gatehouse a ticket")


def test_people_are_told_in_sentences_what_to_look_at(gatehouse: Run, operated: Operated) -> None:
    operated.execute("batch-2", "FAILED", stopDate=NOON)
    operated.deployed.put(a_verdict(Status.REVIEW))

    text = gatehouse("status").stdout

    assert "Batches: 0 running, 1 failed or stopped since a day ago." in text
    assert "Today (UTC): 40 APPROVED, 1 REVIEW, 0 BLOCKED, 0 UNSUPPORTED, 0 FAILED." in text
    assert "by CloudWatch, some minutes late; the others are what stands, by the index" in text
    assert "Rekognition today: 160 images, 0.16 USD at list price." in text
    assert "Nobody subscribes to the flag topic" in text
    assert "Alarms: 1 of 2 ring." in text
    first = """logs --function Sweeper --pattern '{ $.message = "batch stuck" }'"""
    assert f"docs/operations.md#uploads-stuck First: `{COMMAND} {first}`." in text
    assert "no drift" not in text
    assert "./policies has no file of standard to compare with" in text


def test_files_that_are_as_the_pointers_say_are_no_drift(gatehouse: Run, operated: Operated, here: Path) -> None:
    (here / "policies").mkdir()
    (here / "policies" / "standard.yaml").write_text(STANDARD, "utf-8")

    assert "no drift between pointers and files" in gatehouse("status").stdout
    assert document(gatehouse)["policies_without_file"] == []


def test_the_backfill_and_dead_letters_are_told_with_the_command_that_shows_them(
    gatehouse: Run, operated: Operated
) -> None:
    outputs = {
        f"{lane}{output}": queue_url(f"{lane}{output}") for lane in ("", "ProfilePictures") for output in BACKFILL
    }
    policies = {"policy": "standard", "policy_overrides": {}, "min_confidence": 30}
    lanes = dict.fromkeys(("default", "profile-pictures"), policies)
    for name in outputs:
        operated.sqs.create_queue(QueueName=name)
    operated.deployed.stacks(lanes, BackfillCallsPerSecond="10", **outputs)
    operated.put("BackfillQueueUrl", *uploads(2))
    operated.put("BackfillDeadLetterQueueUrl", an_upload())
    operated.put(UNDELIVERED, an_upload())

    seen, text = document(gatehouse), gatehouse("status", "--region", "us-east-1").stdout

    (lane,) = [each for each in seen["lanes"] if each["lane"] == "default"]
    assert lane["backfill"] == {"waiting": 2, "in_flight": 0, "dead_letters": 1}
    for queue in ("backfill", "undelivered"):
        command = f"{COMMAND} queue show --lane default --queue {queue} --region us-east-1"
        assert f"Lane default has 1 in its {queue} queue: `{command}`" in text
    assert "Lane profile-pictures has" not in text


def test_a_policy_that_differs_is_told(gatehouse: Run, operated: Operated) -> None:
    operated.deployed.ssm.delete_parameter(Name="parameter-of-standard")

    assert [each["kind"] for each in document(gatehouse)["drift"]] == ["pointer_unreadable"]


@pytest.mark.parametrize(
    ("call", "part", "value"),
    [
        ("GetQueueAttributes", "queues", "lanes"),
        ("ListExecutions", "batches", "batches"),
        ("GetMetricData", "approved", None),
        ("GetMetricData", "paid", "paid"),
        ("ListSubscriptionsByTopic", "subscribers", "subscribers"),
        ("DescribeAlarms", "alarms", "alarms"),
        ("GetParameters", "drift", "drift"),
        ("Query", "indexed", None),
    ],
)
def test_what_may_not_be_looked_at_is_a_sentence_and_hides_nothing_else(
    gatehouse: Run, operated: Operated, call: str, part: str, value: str | None
) -> None:
    operated.deployed.calls.answer_always(call, lambda _: an_error("AccessDenied", "not allowed", 403))

    seen = document(gatehouse)

    assert part in seen["problems"]
    assert f"{call} was refused" in seen["problems"][part]
    assert value is None or seen[value] is None
    assert set(seen["problems"]) <= {part, *(("ages", "approved", "paid") if call == "GetMetricData" else ())}
    assert "could not be looked at" in gatehouse("status").stdout


def test_the_calls_stay_the_same_however_many_uploads_there_are(
    gatehouse: Run, operated: Operated, monkeypatch: pytest.MonkeyPatch
) -> None:
    document(gatehouse)
    few = sum(operated.deployed.calls.made.values())
    for n in range(3):
        operated.execute(f"batch-{n}", "SUCCEEDED")
    operated.deployed.put(*(a_verdict(Status.BLOCKED, a_claim(upload)) for upload in uploads(200)))
    operated.deployed.calls.made.clear()

    document(gatehouse)

    assert sum(operated.deployed.calls.made.values()) == few
    assert few < 100
    monkeypatch.setattr(verdict_table, "_COUNTED_PAGES", 0)
    assert document(gatehouse)["today"]["all"] is False


def test_watching_sees_a_deploy(gatehouse: Run, operated: Operated, monkeypatch: pytest.MonkeyPatch) -> None:
    def deploy() -> None:
        operated.deployed.stack_changes["gatehouse-pipeline"] = {"StackStatus": "UPDATE_IN_PROGRESS"}

    def stop() -> None:
        raise KeyboardInterrupt

    meanwhile: list[Callable[[], object]] = [deploy, stop]
    monkeypatch.setattr(status_command, "CLOCK", PatientClock(meanwhile=meanwhile).clock)

    assert gatehouse("status", "--watch").stdout.count("gatehouse-pipeline is being deployed") == 1


def test_watching_looks_again(gatehouse: Run, operated: Operated, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    meanwhile: list[Callable[[], object]] = [lambda: None, stop]
    patience = PatientClock(meanwhile=meanwhile)
    monkeypatch.setattr(status_command, "CLOCK", patience.clock)

    result = gatehouse("status", "--watch")

    assert result.stdout.count("Lanes, as SQS") == 2
    assert (result.exit_code, result.stderr, patience.pauses) == (0, "", [10.0, 10.0])
    assert gatehouse("status", "--watch", "--output", "json").exit_code == 1
