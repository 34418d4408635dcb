"""`make scan`: an independent scanner looks at the templates (Checkov, offline, in a virtual environment of its own).

Every finding is either fixed or accepted, with its reason, next to the code it speaks of (`accept_finding`); an
acceptance that nobody needs is a finding, too. Exit status 1 if there is one.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import aws_cdk as cdk

from demo.synthesis import ROOT
from gatehouse.configuration.policies import compile_policies
from stacks.application import build_application
from stacks.lambda_dependencies import install_dependencies
from stacks.node_runtime import use_packaged_node
from tests.stacks.conftest import settings_of
from tests.stacks.findings import Finding, acceptances, unaccepted, unneeded
from tests.stacks.test_findings import SETTINGS

CHECKOV = ROOT / ".venv-checkov" / "bin" / "checkov"

#: Nothing listens there: what Checkov would send or fetch stays here.
_NOWHERE = "http://127.0.0.1:9"


def main() -> int:
    """Scan the templates of all settings the tests of findings look at; returns the exit status."""
    install_dependencies()
    use_packaged_node()
    problems = 0
    for name, settings in SETTINGS.items():
        with tempfile.TemporaryDirectory() as work:
            folder = Path(work, "cdk.out")
            app = build_application(settings_of(settings, Path(work)), compile_policies(ROOT / "policies"), folder)
            app.synth()
            findings = _findings(folder, _paths(app), home=work)
            accepted = acceptances(app, of_checkov=True)
        print(f"{name}: {len(findings)} findings, {len(accepted)} acceptances")
        for finding in unaccepted(findings, accepted):
            print(f"  not accepted: {finding.rule} ({finding.detail}) on {finding.path}")
            problems += 1
        for acceptance in unneeded(findings, accepted):
            print(f"  accepted, but not found: {acceptance.rule} on {acceptance.path}")
            problems += 1
    return 1 if problems else 0


def _paths(app: cdk.App) -> Mapping[tuple[str, str], str]:
    """The constructs' paths by template and logical id."""
    return {
        (construct.stack.template_file, str(construct.stack.resolve(construct.logical_id))): construct.node.path
        for construct in app.node.find_all()
        if isinstance(construct, cdk.CfnResource)
    }


def _findings(folder: Path, paths: Mapping[tuple[str, str], str], home: str) -> list[Finding]:
    command = [str(CHECKOV), "--framework", "cloudformation", "--skip-download", "--quiet", "--compact", "-o", "json"]
    environment = {"PATH": os.environ["PATH"], "HOME": home, "HTTP_PROXY": _NOWHERE, "HTTPS_PROXY": _NOWHERE}
    scan = subprocess.run(
        [*command, "-d", str(folder)], env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if scan.returncode not in (0, 1):  # 1: there are findings
        raise SystemExit(f"Checkov failed with status {scan.returncode}:\n{scan.stderr.decode()[-2000:]}")
    report = json.loads(scan.stdout)
    summary = report["summary"]
    if summary["parsing_errors"] or not summary["passed"]:
        raise SystemExit(f"Checkov could not read the templates: {summary}")
    return [
        Finding(
            check["check_id"],
            paths[check["file_path"].removeprefix("/"), check["resource"].rpartition(".")[2]],
            check["check_name"],
        )
        for check in report["results"]["failed_checks"]
    ]


if __name__ == "__main__":
    sys.exit(main())
