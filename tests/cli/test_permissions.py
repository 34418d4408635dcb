"""docs/policies.md lists the permissions that the commands need: all that their calls take, and no others."""

import json
import re
from pathlib import Path

import pytest

from cli.commands import apply as command
from tests.cli.conftest import STANDARD, Deployed, Run, policy_of
from tests.cli.judged_uploads import PatientClock, a_judged, put_object
from tests.cli.noon import make_it_noon
from tests.unit.builders import a_claim, an_answer, an_upload

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "policies.md").read_text("utf-8")

_ROW = re.compile(r"^\| `(?P<action>\w+:\w+)` \| .+ \| (?P<look>yes|-) \| (?P<apply>yes|-) \|$", re.MULTILINE)
_SERVICES = {
    "DescribeStacks": "cloudformation",
    "DescribeStackEvents": "cloudformation",
    "GetParameters": "ssm",
    "GetParameterHistory": "ssm",
    "PutParameter": "ssm",
    "GetObject": "s3",
    "PutObject": "s3",
    "Query": "dynamodb",
    "GetItem": "dynamodb",
    "BatchGetItem": "dynamodb",
    "Scan": "dynamodb",
    "UpdateItem": "dynamodb",
}
#: Calls that are allowed by an action of another name (Service Authorization Reference).
_OTHER_NAMES = {"HeadObject": "s3:GetObject", "ListObjectsV2": "s3:ListBucket", "PublishBatch": "sns:Publish"}
#: No call of its own: with it, S3 tells that an object is not there (API reference, HeadObject, GetObject).
_TO_KNOW_WHAT_IS_MISSING = "s3:ListBucket"

V1 = policy_of(STANDARD)
STANDARD_2 = STANDARD.replace('"1"', '"2"').replace("review: 50, ", "").replace("allow", "{block: 80}")
V2 = policy_of(STANDARD_2)


def granted(column: str) -> set[str]:
    """The actions that the page says are needed."""
    return {row["action"] for row in _ROW.finditer(PAGE) if row[column] == "yes"}


def used(deployed: Deployed) -> set[str]:
    """The actions that allow what was called."""
    return {_OTHER_NAMES.get(call) or f"{_SERVICES[call]}:{call}" for call in deployed.calls.made}


@pytest.fixture(autouse=True)
def uploads(deployed: Deployed, here: Path) -> None:
    """Uploads that version 2 approves, one of them deleted since, one that it blocks, and one under analysis."""
    (here / "standard.yaml").write_text(STANDARD_2, encoding="utf-8")
    deployed.record(V1)
    deployed.put(
        a_judged("kept.jpg", {"Violence": 80.0}, V1, upload=put_object(deployed, "kept.jpg")),
        a_judged("gone.jpg", {"Violence": 80.0}, V1),
        a_judged("stricter.jpg", {"Alcohol": 80.0}, V1),
        a_claim(an_upload("pending.jpg")),
    )


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

    assert used(deployed) == granted("look")


def test_apply_needs_what_the_page_lists(deployed: Deployed, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "CLOCK", PatientClock().clock)

    result = run("apply", "standard.yaml", "--yes", "--publish", "--wait", "0")

    assert result.exit_code == 3  # one is under analysis to the end
    assert used(deployed) | {_TO_KNOW_WHAT_IS_MISSING} == granted("apply")
