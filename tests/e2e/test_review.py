"""Reviewers, auditors and an intake with the policies of docs/contracts/decision.md, and a console in Node."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from demo.pipeline import DemoUpload
from demo.synthesis import ROOT
from localcloud.process_environment import REGION
from tests.e2e.assumed_role import ACCOUNT, assume
from tests.e2e.images import BLOCKED, CLEAN
from tests.e2e.pipeline import Pipeline
from tests.e2e.terminal import Terminal

PAGE = (ROOT / "docs" / "contracts" / "decision.md").read_text("utf-8")
EXAMPLE = ROOT / "examples" / "console"

DECIDE = ("--reason", "context", "--yes")


def policy(role: str, pipeline: Pipeline) -> str:
    """The policy of the page, for this deployment."""
    text: str
    (text,) = re.findall(rf"^### {role}\n.*?^```json\n(.*?)\n```$", PAGE, re.MULTILINE | re.DOTALL)
    for name, value in {
        "REGION": REGION,
        "ACCOUNT": ACCOUNT,
        "TABLE": pipeline.outputs["VerdictTableName"],
        "BUCKET": pipeline.outputs["UploadBucketName"],
        "WORK": pipeline.outputs["WorkBucketName"],
    }.items():
        text = re.sub(rf"\b{name}\b", value, text)
    return text


def credentials(role: str, pipeline: Pipeline, session: str = "kim") -> Mapping[str, str]:
    """The environment of somebody who has assumed a role with that policy alone."""
    return assume(pipeline, role, session, policy(role, pipeline))


@pytest.fixture
def uploads(pipeline: Pipeline, prefix: str) -> dict[str, dict[str, Any]]:
    """What waits, what is approved and what is blocked, by key without the prefix."""
    pipeline.upload_many(
        [DemoUpload(f"{prefix}{n}.jpg", BLOCKED) for n in range(3)] + [DemoUpload(f"{prefix}clean.jpg", CLEAN)]
    )
    verdicts = pipeline.wait_for_verdicts(4, prefix)
    return {verdict["key"].removeprefix(prefix): verdict for verdict in verdicts}


def named(item: Mapping[str, Any]) -> str:
    return f"{item['object']}@{item['version']}"


def test_each_role_may_do_its_work_and_nothing_else(
    pipeline: Pipeline, tmp_path: Path, prefix: str, uploads: dict[str, dict[str, Any]]
) -> None:
    def terminal(role: str) -> Terminal:
        return Terminal(pipeline, tmp_path, credentials(role, pipeline))

    reviewer, auditor, intake = terminal("Reviewer"), terminal("Auditor"), terminal("Intake")
    first, second = named(uploads["0.jpg"]), named(uploads["1.jpg"])
    clean = named(uploads["clean.jpg"])

    listed = reviewer.gatehouse("review", "list", "--status", "BLOCKED")
    assert {entry["object"] for entry in listed} >= {uploads["0.jpg"]["object"]}
    assert reviewer.gatehouse("review", "approve", first, *DECIDE)["done"] == 1
    assert reviewer.gatehouse("review", "block", second, *DECIDE)["done"] == 1
    assert reviewer.gatehouse("review", "approve", first, *DECIDE)["already"] == 1

    assert intake.gatehouse("review", "appeal", second, "--note", "a toy", "--yes")["done"] == 1
    assert intake.gatehouse("review", "report", clean, "--yes")["done"] == 1
    assert len(intake.gatehouse("review", "history", second)["history"]) == 2
    assert "Query was refused" in intake.refused("review", "list")
    (unseen,) = intake.gatehouse("review", "approve", clean, *DECIDE, status=1)["uploads"]
    assert "S3 does not let you check whether it still exists (403)" in unseen["why"]

    (appealed,) = [entry for entry in auditor.gatehouse("review", "list") if entry["object"] in second]
    assert appealed["recused"] == "person:Reviewer-kim/kim"
    assert len(auditor.gatehouse("review", "list", "--decided")) == 1
    assert auditor.gatehouse("review", "show", clean)["change"]["cause"] == "report"
    for line in (("block", clean, *DECIDE), ("appeal", named(uploads["2.jpg"]), "--yes"), ("report", first, "--yes")):
        told = auditor.refused("review", *line)
        assert "UpdateItem was refused" in told
        assert "Ask whoever manages the account for that permission" in told
    assert reviewer.gatehouse("review", "block", second, *DECIDE, status=1)["refused"] == 1


@pytest.mark.parametrize("role", ["Reviewer", "Intake"])
def test_nobody_may_write_what_the_machine_judged(
    pipeline: Pipeline, uploads: dict[str, dict[str, Any]], role: str
) -> None:
    found, item = credentials(role, pipeline, "mo"), uploads["0.jpg"]
    client: Any = boto3.client(
        "dynamodb",
        endpoint_url=pipeline.cloud.endpoint,
        region_name=REGION,
        aws_access_key_id=found["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=found["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=found["AWS_SESSION_TOKEN"],
    )

    with pytest.raises(ClientError, match="is not authorized to perform: dynamodb:UpdateItem"):
        client.update_item(
            TableName=pipeline.outputs["VerdictTableName"],
            Key={"object": {"S": item["object"]}, "version": {"S": item["version"]}},
            UpdateExpression="SET labels = :none",
            ExpressionAttributeValues={":none": {"L": []}},
        )


def test_a_console_in_node_and_the_command_take_turns(
    pipeline: Pipeline, tmp_path: Path, uploads: dict[str, dict[str, Any]]
) -> None:
    modules = EXAMPLE / "node_modules"
    assert modules.is_dir(), "the example's packages are missing: python3 -m tools.set_up console-example"
    terminal = Terminal(pipeline, tmp_path)
    item = uploads["0.jpg"]

    def console(verb: str, person: str, status: int = 0) -> str:
        done = subprocess.run(
            [
                *(str(ROOT / ".venv" / "bin" / "node"), str(EXAMPLE / "decide.mjs")),
                *(pipeline.outputs["VerdictTableName"], item["object"], item["version"], verb, person),
                *("--retention", pipeline.outputs["VerdictRetentionDays"]),
                *(("--reasons", pipeline.outputs["DecisionReasons"]) if verb in ("approve", "block") else ()),
                *(("--reason", "context", "--name", "Kim") if verb in ("approve", "block") else ()),
            ],
            env=terminal.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, f"{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    assert console("approve", "kim") == f"{named(item)}: APPROVED\n"
    assert terminal.gatehouse("review", "block", named(item), *DECIDE, status=1)["refused"] == 1
    assert terminal.gatehouse("review", "block", named(item), *DECIDE, "--replace")["done"] == 1
    assert console("appeal", "intake") == f"{named(item)}: REVIEW\n"
    assert "only what is BLOCKED can be sent back so, and it is REVIEW" in console("appeal", "intake", status=1)
    assert console("block", "kim") == f"{named(item)}: BLOCKED\n"

    document = terminal.gatehouse("review", "show", named(item))
    assert (document["status"], document["revision"], document["decided_by"]) == ("BLOCKED", 4, "person:kim")
    assert document["decided_by_name"] == "Kim"
    assert [entry["cause"] for entry in document["history"]] == ["decision", "decision", "appeal", "decision"]
    listed = terminal.gatehouse("review", "list", "--decided", "--by", "kim")
    assert item["object"] in [entry["object"] for entry in listed]
