"""Whoever holds docs/contracts/operator-policy.json may use every command that only looks, and change nothing."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from demo.pipeline import DemoUpload
from demo.synthesis import ROOT
from localcloud.process_environment import REGION
from tests.e2e.assumed_role import ACCOUNT, assume
from tests.e2e.images import BLOCKED
from tests.e2e.pipeline import Pipeline
from tests.e2e.terminal import Terminal

POLICY = (ROOT / "docs" / "contracts" / "operator-policy.json").read_text("utf-8")


@pytest.fixture
def operator(pipeline: Pipeline, tmp_path: Path) -> Terminal:
    text = POLICY
    for name, value in {
        "PARTITION": "aws",
        "NAME": "gatehouse",
        "REGION": REGION,
        "ACCOUNT": ACCOUNT,
        "TABLE": pipeline.outputs["VerdictTableName"],
        "UPLOADS": pipeline.outputs["UploadBucketName"],
        "WORK": pipeline.outputs["WorkBucketName"],
        "TOPIC": pipeline.outputs["FlagTopicArn"],
        "ALARMS": pipeline.outputs["AlarmTopicArn"],
    }.items():
        text = re.sub(rf"\b{name}\b", value, text)
    policy = json.loads(text)
    # The local cloud asks for it in the place of lambda:GetFunctionRecursionConfig.
    policy["Statement"].append({"Effect": "Allow", "Action": "lambda:GetFunction", "Resource": "*"})
    return Terminal(pipeline, tmp_path, assume(pipeline, "Operator", "ann", json.dumps(policy)))


@pytest.fixture
def verdict(pipeline: Pipeline, prefix: str) -> dict[str, Any]:
    pipeline.upload_many([DemoUpload(f"{prefix}cat.jpg", BLOCKED)])
    (found,) = pipeline.wait_for_verdicts(1, prefix)
    return dict(found)


def test_every_command_that_only_looks_may_look(operator: Terminal, verdict: dict[str, Any]) -> None:
    key = verdict["key"]
    looks = (
        ("verdict", key, "--history"),
        ("list",),
        ("list", "--status", "APPROVED"),
        ("review", "list", "--status", "BLOCKED"),
        ("review", "list", "--decided"),
        ("review", "show", key),
        ("review", "history", key),
        ("policy", "status"),
        ("policy", "explain", key),
        ("policy", "diff", "standard", "standard"),
        ("status",),
        ("logs",),
        ("queue", "list"),
        ("batch", "list", "--status", "running"),
        ("batch", "show", verdict["batch_id"]),
        ("reconcile", "--min-age", "0"),
        ("doctor",),
        ("export", "--to", "all.jsonl"),
        ("jobs", "list"),
        ("jobs", "show", "0" * 64),
        ("adapter", "list"),
        ("moderate", "status"),
        ("review", "stats"),
    )
    in_order = {"reconcile": {0, 3}, "jobs show": {0, 1}, "moderate status": {0, 1}}
    for line in looks:
        done = operator.run(*line)
        assert "was refused" not in done.stdout + done.stderr, line
        codes = in_order.get(" ".join(line[:2]), in_order.get(line[0], {0}))
        assert done.returncode in codes, f"{line}\n{done.stderr}"
    assert "UpdateItem was refused" in operator.refused("review", "block", key, "--reason", "spam", "--yes")
