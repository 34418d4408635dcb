"""The pages list the permissions that the commands need: all that their calls take, and no others."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gatehouse.cli.batch import list_command as batch_list
from gatehouse.cli.batch import retry_command as retry
from gatehouse.cli.clock import Clock
from gatehouse.cli.policy import apply_command as apply
from gatehouse.cli.queue import message_queue
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.status import Status
from tests.cli.conftest import STANDARD, Deployed, Run, policy_of
from tests.cli.judged_uploads import PatientClock, a_judged, put_object
from tests.cli.noon import make_it_noon
from tests.cli.operated import DEAD, Operated
from tests.unit.builders import NOON, a_claim, a_verdict, an_answer, an_upload

DOCS = Path(__file__).resolve().parents[2] / "docs"
LOOK, APPLY = "status, diff, explain, judge", "apply"

_ACTION = re.compile(r"`\w+:\w+`")
_SERVICES = {
    "DescribeStacks": "cloudformation",
    "DescribeStackEvents": "cloudformation",
    "ListStackResources": "cloudformation",
    "GetFunctionConfiguration": "lambda",
    "GetParameters": "ssm",
    "GetParameterHistory": "ssm",
    "PutParameter": "ssm",
    "GetObject": "s3",
    "GetObjectVersion": "s3",
    "PutObject": "s3",
    "Query": "dynamodb",
    "GetItem": "dynamodb",
    "BatchGetItem": "dynamodb",
    "Scan": "dynamodb",
    "UpdateItem": "dynamodb",
    "GetQueueAttributes": "sqs",
    "ReceiveMessage": "sqs",
    "DescribeExecution": "states",
    "GetExecutionHistory": "states",
    "ListExecutions": "states",
}
#: Calls that are allowed by an action of another name (Service Authorization Reference).
_OTHER_NAMES = {
    "HeadObject": "s3:GetObject",
    "CopyObject": "s3:PutObject",
    "ListObjectsV2": "s3:ListBucket",
    "ListObjectVersions": "s3:ListBucketVersions",
    "PublishBatch": "sns:Publish",
    "SendMessageBatch": "sqs:SendMessage",
    "DeleteMessageBatch": "sqs:DeleteMessage",
    "ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
}
#: No call of its own: with it, S3 tells that an object is not there (API reference, HeadObject, GetObject).
_TO_KNOW_WHAT_IS_MISSING = "s3:ListBucket"

V1 = policy_of(STANDARD)
STANDARD_2 = STANDARD.replace('"1"', '"2"').replace("review: 50, ", "").replace("allow", "{block: 80}")
V2 = policy_of(STANDARD_2)


def granted(page: str, command: str) -> set[str]:
    """The actions that a page says a command needs."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (DOCS / page).read_text("utf-8").splitlines()
        if line.startswith(("| `", "| action |"))
    ]
    start = next(n for n, row in enumerate(rows) if row[0] == "action")
    column = rows[start].index(command)
    actions = {row[0].strip("`"): row[column] for row in rows[start + 1 :] if _ACTION.fullmatch(row[0])}
    assert set(actions.values()) <= {"yes", "-"}
    return {action for action, needed in actions.items() if needed == "yes"}


def used(deployed: Deployed) -> set[str]:
    """The actions that allow what was called."""
    return {_OTHER_NAMES.get(call) or f"{_SERVICES[call]}:{call}" for call in deployed.calls.made}


@pytest.fixture(autouse=True)
def _count_reads_of_versions(deployed: Deployed) -> None:
    """A version is read by an operation's usual name, and allowed by an action of its own."""

    def note(request: Mapping[str, Any]) -> None:
        if "versionId" in request["query_string"]:
            deployed.calls.made["GetObjectVersion"] += 1

    deployed.calls.answer_always("GetObject", note)


@pytest.fixture
def uploads(deployed: Deployed, here: Path) -> None:
    """Uploads that version 2 approves, one of them deleted since, one that it blocks, and one under analysis.

    One of those that it approves was analyzed by its version.
    """
    (here / "standard.yaml").write_text(STANDARD_2, encoding="utf-8")
    deployed.record(V1)
    deployed.put(
        a_judged("kept.jpg", {"Violence": 80.0}, V1, upload=put_object(deployed, "kept.jpg")),
        a_judged("gone.jpg", {"Violence": 80.0}, V1),
        a_judged("version.jpg", {"Violence": 80.0}, V1, upload={"version_id": "v1"}, engine=Engine.IMAGE),
        a_judged("stricter.jpg", {"Alcohol": 80.0}, V1),
        a_claim(an_upload("pending.jpg")),
    )


@pytest.mark.usefixtures("uploads")
def test_commands_that_only_look_need_what_the_page_lists(deployed: Deployed, run: Run, here: Path) -> None:
    (here / "answer.json").write_text(json.dumps(an_answer()), encoding="utf-8")
    deployed.record(V2)
    deployed.ship(V2)
    make_it_noon(deployed)  # the day the uploads were judged

    for line in (
        ("status",),
        ("explain", "kept.jpg"),
        ("explain", "kept.jpg", "--version", an_upload().version),
        ("diff", V1.hash[:8], "standard.yaml"),
        ("judge", "standard", "answer.json"),
    ):
        assert run(*line).exit_code == 0

    assert used(deployed) == granted("policies.md", LOOK)


@pytest.mark.usefixtures("uploads")
def test_apply_needs_what_the_page_lists(deployed: Deployed, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apply, "CLOCK", PatientClock().clock)

    result = run("apply", "standard.yaml", "--yes", "--publish", "--wait", "0")

    assert result.exit_code == 3  # one is under analysis to the end
    assert used(deployed) | {_TO_KNOW_WHAT_IS_MISSING} == granted("policies.md", APPLY)


@pytest.mark.parametrize(
    "command",
    [
        *("queue list", "queue show", "queue redrive", "queue drop", "batch list", "batch show", "batch resubmit"),
        *("retry", "reconcile", "upload-again"),
    ],
)
def test_a_command_for_whoever_is_on_call_needs_what_the_page_lists(
    deployed: Deployed, gatehouse: Run, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(message_queue, "WAIT_SECONDS", 0)
    for module in (batch_list, retry):
        monkeypatch.setattr(module, "CLOCK", Clock(now=lambda: NOON))
    operated = Operated.of(deployed)
    failed, pending = a_claim(an_upload("failed.jpg")), a_claim(an_upload("pending.jpg"))
    operated.write_batch([failed, pending])
    deployed.put(a_verdict(Status.FAILED, failed), pending)
    operated.execute(failed.batch_id, "FAILED")
    operated.put(DEAD, *(claim.upload for claim in (failed, pending)), "not json")
    put_object(deployed, "pending.jpg")
    arguments = {
        "queue drop": ("--reason", "malformed", "--yes"),
        "upload-again": ("pending.jpg", "--yes"),
        "batch show": (failed.batch_id,),
        "batch resubmit": (failed.batch_id, "--yes"),
        "retry": ("--status", "FAILED", "--yes"),
        "reconcile": ("--min-age", "0"),
    }

    gatehouse(*command.split(), *arguments.get(command, ()))

    known = {_TO_KNOW_WHAT_IS_MISSING} if command == "upload-again" else set()
    assert used(deployed) | known == granted("commands.md", command)
