"""cdk-nag finds nothing but what was accepted, with its reason, next to the code it speaks of."""

import json
from pathlib import Path

import aws_cdk as cdk
import cdk_nag
import pytest

from gatehouse.configuration.policies import compile_policies
from stacks.application import build_application
from stacks.lambda_dependencies import install_dependencies
from tests.stacks.conftest import EXISTING_KEY, OWN_KEY, ROOT, settings_of
from tests.stacks.findings import Finding, acceptances, unaccepted, unneeded

SETTINGS = {
    "shipped": (ROOT / "gatehouse.yaml").read_text("utf-8"),
    "own key": OWN_KEY,
    "everything": EXISTING_KEY,
    "gate": "{gate: {mode: tag}, lanes: {default: {}}}",
}


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
    accepted = acceptances(app, of_checkov=False)

    assert unaccepted(findings, accepted) == []
    assert unneeded(findings, accepted) == []
    assert all(len(acceptance.reason) > 20 for acceptance in accepted)


def reported(folder: Path) -> list[Finding]:
    (report,) = json.loads((folder / "validation-report.json").read_text("utf-8"))["pluginReports"]
    findings = []
    for violation in report["violations"]:
        rule, _, detail = violation["ruleName"].removeprefix("AwsSolutions-").partition("[")
        for construct in violation["violatingConstructs"]:
            findings.append(Finding(rule, construct["constructPath"], detail.removesuffix("]")))  # noqa: PERF401
    return findings
