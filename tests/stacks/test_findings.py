"""cdk-nag finds nothing but what was accepted, with its reason, next to the code it speaks of."""

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import cdk_nag
import pytest

from stacks.application import build_application
from stacks.constructs.accepted_findings import ACCEPTED_FINDING
from stacks.lambda_dependencies import install_dependencies
from stacks.policies import compile_policies
from tests.stacks.conftest import ELABORATE, ROOT, settings_of

SETTINGS = {"shipped": (ROOT / "gatehouse.yaml").read_text("utf-8"), "elaborate": ELABORATE}


@pytest.mark.parametrize("name", SETTINGS)
def test_every_finding_is_accepted_and_every_acceptance_is_needed(tmp_path: Path, name: str) -> None:
    install_dependencies()
    app = build_application(
        settings_of(SETTINGS[name], tmp_path), compile_policies(ROOT / "policies"), tmp_path / "cdk.out"
    )
    cdk.Validations.of(app).add_plugins(cdk_nag.AwsSolutionsChecks())
    with pytest.raises(RuntimeError, match="ValidationFailed"):  # by the accepted findings; they are read below
        app.synth()

    findings = reported(tmp_path / "cdk.out")
    accepted = acceptances(app)

    assert [finding for finding in findings if not any(accepts(entry, finding) for entry in accepted)] == []
    assert [entry for entry in accepted if not any(accepts(entry, finding) for finding in findings)] == []
    assert all(len(entry["reason"]) > 20 for entry in accepted)


def reported(folder: Path) -> list[tuple[str, str]]:
    """Rule, with its detail in brackets, and the path of the construct."""
    (report,) = json.loads((folder / "validation-report.json").read_text("utf-8"))["pluginReports"]
    return [
        (violation["ruleName"].removeprefix("AwsSolutions-"), construct["constructPath"])
        for violation in report["violations"]
        for construct in violation["violatingConstructs"]
    ]


def acceptances(app: cdk.App) -> list[dict[str, Any]]:
    return [
        {**entry.data, "path": construct.node.path}
        for construct in app.node.find_all()
        for entry in construct.node.metadata
        if entry.type == ACCEPTED_FINDING
    ]


def accepts(entry: dict[str, Any], finding: tuple[str, str]) -> bool:
    name, path = finding
    rule, _, detail = name.partition("[")
    return (
        rule == entry["rule"]
        and detail.removesuffix("]").endswith(entry["ending"])
        and (path == entry["path"] or path.startswith(entry["path"] + "/"))
    )
