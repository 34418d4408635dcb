"""`make local` as a user sees it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator

import pytest

from demo.commands import gatehouse_commands
from demo.synthesis import ROOT


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "demo", *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )


@pytest.fixture
def running() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process, and what it printed until it was ready."""
    process = start("--port", "0")
    try:
        assert process.stdout is not None
        printed: list[str] = []
        for line in process.stdout:
            printed.append(line)
            if "Ctrl-C ends it" in line:
                break
        yield process, "".join(printed)
    finally:
        process.kill()
        process.communicate()


def test_it_runs_until_told_to_stop_and_prints_outputs_and_lines_to_paste(
    running: tuple[subprocess.Popen[str], str],
) -> None:
    process, printed = running
    endpoint = re.search(r"The local cloud runs at (http://127\.0\.0\.1:(\d+))\.", printed)
    assert endpoint is not None, printed
    outputs = dict(re.findall(r"^  (\w+) = (\S+)$", printed, re.MULTILINE))

    with urllib.request.urlopen(f"{endpoint[1]}/_gatehouse/rekognition", timeout=10) as answer:
        assert json.load(answer)["jobs_started"] == 0
    process.send_signal(signal.SIGINT)
    remainder, _ = process.communicate(timeout=60)

    assert process.returncode == 0
    assert "nothing is left running" in remainder
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(endpoint[2]))) != 0
    assert set(outputs) == {
        *("UploadBucketName", "WorkBucketName", "VerdictTableName", "FlagTopicArn", "PolicyParameterName", "Gate"),
        *("StandardPolicyParameterName", "LanePolicies", "DecisionReasons", "VerdictRetentionDays"),
        *("ResultsRoleArn", "OutcomesRoleArn", "OutcomesFunctionName", "ChangeFailureQueueUrl", "AnimationCheck"),
        *("StateMachineArn", "AnalysisRoleArn", "AnalyzerRoleArn", "ChunkQueueUrl"),
        *("IngestQueueUrl", "IngestDeadLetterQueueUrl", "UndeliveredQueueUrl"),
        *("AlarmTopicArn", "BusinessDashboardUrl", "TechnicalDashboardUrl"),
    }
    typed = [line for line in printed.splitlines() if line.startswith("./gatehouse ")]
    assert typed == [command.line for command in gatehouse_commands("illustrated-explosion.jpg")]
    assert printed.index(typed[-1]) < printed.index("  UploadBucketName = ")
    pasted = [line for line in printed.splitlines() if ".venv-aws/bin/aws" in line]
    for call in ("s3 cp", "dynamodb query", "start-media-analysis-job", "list-media-analysis-jobs"):
        assert any(call in line for line in pasted), call


def test_a_port_that_is_taken_is_answered_with_how_to_choose_another() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start("--port", str(port))
        output, _ = process.communicate(timeout=60)

    assert process.returncode == 1
    assert f"make local PORT={port + 1}" in output


def test_a_switch_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEHOUSE_REKOGNITION_NO_SUCH_SWITCH", "1")
    process = start("--port", "0")
    printed, _ = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "GATEHOUSE_REKOGNITION_NO_SUCH_SWITCH is not a setting" in printed
