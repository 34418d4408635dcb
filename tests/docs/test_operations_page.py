"""The shell functions that docs/operations.md defines do what the page says, whatever the keys are."""

import json
import os
import re
import stat
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.docs.test_placeholders import ROOT

PAGE = (ROOT / "docs" / "operations.md").read_text("utf-8")
FUNCTIONS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[0]

#: Stands in for the AWS CLI: writes down what it is asked, a line of JSON each, and answers with what lies beside it.
AWS = """#!/usr/bin/env python3
import json, pathlib, sys
here = pathlib.Path(__file__).parent
with (here / "asked").open("a") as asked:
    asked.write(json.dumps(sys.argv[1:]) + "\\n")
answer = here / sys.argv[2]
if not answer.exists():
    sys.exit(f"no answer for {sys.argv[2]}")
sys.stdout.buffer.write(answer.read_bytes())
"""


class Shell:
    """A shell into which the page's functions were pasted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "aws").write_text(AWS, "utf-8")
        (folder / "aws").chmod(stat.S_IRWXU)

    def answers(self, **answers: str) -> None:
        """What the AWS CLI prints, by its command with underscores."""
        for command, answer in answers.items():
            (self._folder / command.replace("_", "-")).write_text(answer, "utf-8")

    def run(self, line: str) -> "subprocess.CompletedProcess[str]":
        environment = {**os.environ, "PATH": f"{self._folder}:{os.environ['PATH']}"}
        command = ["bash", "-c", f"{FUNCTIONS}\n{line}"]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    def asked(self, command: str) -> list[list[str]]:
        """The arguments of each call of this command."""
        calls = [json.loads(line) for line in (self._folder / "asked").read_text("utf-8").splitlines()]
        return [arguments for arguments in calls if arguments[1] == command]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def test_a_log_is_found_on_whatever_page_of_the_stacks_resources_it_stands(shell: Shell) -> None:
    """The AWS CLI applies a query to each page by itself, and a page without a match may print an empty line."""
    shell.answers(list_stack_resources="\n\n/the/group\n", filter_log_events="a line\n")

    done = shell.run("logs DefaultLaneBatcher pattern")

    assert (done.returncode, done.stdout) == (0, "a line\n")
    (arguments,) = shell.asked("filter-log-events")
    assert arguments[arguments.index("--log-group-name") + 1] == "/the/group"


def test_a_function_that_is_not_there_is_told(shell: Shell) -> None:
    shell.answers(list_stack_resources="\n", filter_log_events="")

    done = shell.run("logs DefaultLaneBatchr")

    assert (done.returncode, done.stderr) == (1, "no such function: DefaultLaneBatchr\n")
    assert shell.asked("filter-log-events") == []


@pytest.mark.parametrize(("arguments", "day"), [("FAILED 2026-11-24", "2026-11-24"), ("FAILED", None)])
def test_failures_of_another_day_than_today_can_be_asked_for(shell: Shell, arguments: str, day: str | None) -> None:
    shell.answers(describe_stacks="table\n", query="[]")
    before = datetime.now(UTC)

    assert shell.run(f"today {arguments}").returncode == 0

    days = {day} if day else {moment.strftime("%Y-%m-%d") for moment in (before, datetime.now(UTC))}
    partitions = [json.loads(asked[-1])[":day"]["S"].split("#") for asked in shell.asked("query")]
    assert [partition[2] for partition in partitions] == list("0123456789")
    assert {partition[0] for partition in partitions} == {"FAILED"}
    assert {partition[1] for partition in partitions} <= days


def test_objects_give_no_orders_to_the_terminal(shell: Shell) -> None:
    key = "default s3://uploads/\x1b[2J\x9b\u202egpj.jpg"
    shell.answers(describe_stacks="table\n", query=json.dumps([key], ensure_ascii=False))

    printed = shell.run("today BLOCKED").stdout

    assert not {"\x1b", "\x9b", "\u202e"} & set(printed)
    assert json.loads(printed.partition("]\n")[0] + "]") == [key]
