"""`logs`: what all functions say, in one stream."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from gatehouse.cli.clock import Clock
from gatehouse.cli.logs import logs_command
from tests.cli.conftest import Deployed, Run
from tests.unit.aws_calls import an_error
from tests.unit.builders import NOON

START = int(NOON.timestamp() * 1000)
RESULTS = {
    "level": "INFO",
    "message": "settled",
    "batch_id": "batch-1",
    "counts": {"UploadsJudged": 2},
    "service": "results",
    "function_request_id": "r-1",
}


OF_BATCH = '($.batch_id = "batch-1" || $.execution_arn = "*:batch-1")'
BAD = "({})".format(
    " || ".join(
        [
            *(f'$.level = "{level}"' for level in ("ERROR", "WARNING", "CRITICAL")),
            *(f'$.type = "*{end}"' for end in ("Failed", "TimedOut", "Aborted", "FailStateEntered")),
            *(f'$.record.status = "{status}"' for status in ("error", "failure", "timeout")),
        ]
    )
)
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:live:batch-1"
STATE_FAILED = {"id": "7", "type": "TaskFailed", "details": {"resource": "invoke"}, "execution_arn": EXECUTION}
TIMED_OUT = {"type": "platform.report", "record": {"status": "timeout", "metrics": {"durationMs": 900_000.0}}}


class Logs:
    """Log groups, each answering one event a page."""

    def __init__(self, deployed: Deployed) -> None:
        self.asked: list[dict[str, Any]] = []
        self.events: dict[str, list[tuple[int, str]]] = {
            "/batcher": [(START + 1000, "not json\n"), (START + 3000, '{"level": "ERROR", "message": "failed"}')],
            "/results": [(START + 2000, json.dumps(RESULTS))],
            "/workflow": [],
        }
        groups = {
            "DefaultLaneBatcherLogs0A1B2C3D": "/batcher",
            "ResultsWriterResultsLogs0A1B2C3D": "/results",
            "LiveAnalysisLogs0A1B2C3D": "/workflow",
        }
        resources = [
            {"LogicalResourceId": name, "PhysicalResourceId": group, "ResourceType": "AWS::Logs::LogGroup"}
            for name, group in groups.items()
        ]
        bucket = {"LogicalResourceId": "Logs0A1B2C3D", "PhysicalResourceId": "b", "ResourceType": "AWS::S3::Bucket"}
        deployed.calls.answer_always("ListStackResources", lambda _: {"StackResourceSummaries": [bucket, *resources]})
        deployed.calls.answer_always("FilterLogEvents", self._answer)

    def _answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        asked = json.loads(request["body"])
        self.asked.append(asked)
        last = asked.get("endTime", 2 * START)
        events = [event for event in self.events[asked["logGroupName"]] if asked["startTime"] <= event[0] <= last]
        start = int(asked.get("nextToken", 0))
        more = {"nextToken": str(start + 1)} if start + 1 < len(events) else {}
        page = [{"timestamp": at, "message": message} for at, message in events[start : start + 1]]
        return {"events": page, **more}


@pytest.fixture
def written(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> Logs:
    monkeypatch.setattr(logs_command, "CLOCK", Clock(now=lambda: NOON + timedelta(hours=6)))
    return Logs(deployed)


def test_lines_of_all_functions_are_printed_in_order(gatehouse: Run, written: Logs) -> None:
    result = gatehouse("logs")

    assert result.stdout.splitlines() == [
        "2026-11-22T12:00:01.000Z - DefaultLaneBatcher not json",
        '2026-11-22T12:00:02.000Z INFO ResultsWriterResults settled batch_id=batch-1 counts={"UploadsJudged":2}',
        "2026-11-22T12:00:03.000Z ERROR DefaultLaneBatcher failed",
    ]
    assert result.stderr == "3 lines of 3 logs since 6h.\n"
    assert min(asked["startTime"] for asked in written.asked) == START
    assert not any("filterPattern" in asked for asked in written.asked)


def test_scripts_get_the_entries_whole(gatehouse: Run, written: Logs) -> None:
    entries = json.loads(gatehouse("logs", "--function", "results", "--output", "json").stdout)

    assert entries == [{"at": "2026-11-22T12:00:02.000Z", "function": "ResultsWriterResults", "entry": RESULTS}]
    assert {asked["logGroupName"] for asked in written.asked} == {"/results"}


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        (("--batch", "batch-1"), f"{{ {OF_BATCH} }}"),
        (("--errors",), f"{{ {BAD} }}"),
        (("--batch", "batch-1", "--errors"), f"{{ {OF_BATCH} && {BAD} }}"),
        (("--pattern", '{ $.message = "batch stuck" }'), '{ $.message = "batch stuck" }'),
    ],
)
def test_cloudwatch_filters(gatehouse: Run, written: Logs, arguments: tuple[str, ...], pattern: str) -> None:
    assert gatehouse("logs", *arguments).exit_code == 0
    assert {asked["filterPattern"] for asked in written.asked} == {pattern}


@pytest.mark.parametrize(
    ("entry", "arguments", "said"),
    [
        (STATE_FAILED, ("--errors",), "ERROR LiveAnalysis TaskFailed"),
        (STATE_FAILED, ("--batch", "batch-1"), "TaskFailed"),
        (STATE_FAILED, ("--batch", "batch-1", "--errors"), "TaskFailed"),
        (TIMED_OUT, ("--errors",), "timeout"),
    ],
)
def test_failures_without_a_level_are_errors(
    gatehouse: Run, written: Logs, entry: dict[str, Any], arguments: tuple[str, ...], said: str
) -> None:
    written.events["/workflow"] = [(START + 5000, json.dumps(entry))]

    assert said in gatehouse("logs", *arguments).stdout
    assert gatehouse("logs", "--function", "live", "--batch", "batch-2").stdout == ""


def test_what_a_limit_leaves_is_the_newest_and_no_more_is_read(gatehouse: Run, written: Logs) -> None:
    hour = 3_600_000
    written.events["/results"] = [(START + n * hour, json.dumps({"message": f"hour {n}"})) for n in range(6)]

    result = gatehouse("logs", "--limit", "2")

    assert [line.split(maxsplit=3)[3] for line in result.stdout.splitlines()] == ["hour 4", "hour 5"]
    assert "Older ones may be left out (--limit 2)" in result.stderr
    assert min(asked["startTime"] for asked in written.asked) > START, "what is older is not asked for"


def test_a_line_is_told_once_wherever_a_span_begins(gatehouse: Run, written: Logs) -> None:
    minute = 60_000
    written.events["/results"] = [(START + n * minute, json.dumps({"message": f"m{n}"})) for n in range(360)]

    told = [line.rsplit(maxsplit=1)[-1] for line in gatehouse("logs", "--function", "results").stdout.splitlines()]

    assert told == [f"m{n}" for n in range(360)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--function", "Batchr"), "there are DefaultLaneBatcher, LiveAnalysis, ResultsWriterResults"),
        (("--batch", 'x" }'), "is no batch's id"),
        (("--batch", "b", "--pattern", "p"), "leave out --batch"),
        (("--since", "soon"), "is not a time"),
    ],
)
def test_what_cannot_be_meant_is_refused(gatehouse: Run, written: Logs, arguments: tuple[str, ...], said: str) -> None:
    result = gatehouse("logs", *arguments)

    assert (result.exit_code, said in result.stderr) == (1, True)
    assert written.asked == []


def test_a_missing_permission_is_told(gatehouse: Run, written: Logs, deployed: Deployed) -> None:
    deployed.calls.answer_always("FilterLogEvents", lambda _: an_error("AccessDeniedException", "no"))

    result = gatehouse("logs")

    assert (result.exit_code, "FilterLogEvents was refused" in result.stderr) == (1, True)


def test_a_log_gives_no_orders_to_the_terminal(gatehouse: Run, written: Logs) -> None:
    written.events["/results"] = [(START, "\x1b[2J")]

    assert "\x1b" not in gatehouse("logs", "--function", "results").stdout


@pytest.mark.parametrize(
    "noise",
    [
        '{"_aws": {"Timestamp": 1}, "UploadsJudged": [1.0]}',
        "START RequestId: 730b35b8 Version: $LATEST",
        "REPORT RequestId: 730b35b8\tDuration: 2212 ms",
        '{"type": "platform.report", "record": {"status": "success"}}',
        '{"type": "platform.start"}',
    ],
)
def test_metrics_and_notes_of_runs_are_left_out_unless_asked_for(gatehouse: Run, written: Logs, noise: str) -> None:
    written.events["/results"] = [(START, noise)]

    assert gatehouse("logs", "--function", "results").stdout == ""
    assert len(gatehouse("logs", "--function", "results", "--all").stdout.splitlines()) == 1


def test_a_run_that_timed_out_is_no_noise(gatehouse: Run, written: Logs) -> None:
    written.events["/results"] = [(START, '{"type": "platform.report", "record": {"status": "timeout"}}')]

    assert "timeout" in gatehouse("logs", "--function", "results").stdout


def test_what_a_filter_let_through_is_looked_at_again(gatehouse: Run, written: Logs) -> None:
    assert [line.split()[1] for line in gatehouse("logs", "--errors").stdout.splitlines()] == ["ERROR"]
    assert "settled" in gatehouse("logs", "--batch", "batch-1").stdout
    assert gatehouse("logs", "--batch", "batch-2").stdout == ""
