"""`make second-engine`: an interpreter and a validator that are not ours look at the synthesized workflows.

AWS's own validator reads the definitions of all settings below. Then each scenario runs on the local cloud's Step
Functions and on LocalStack's, with the reference implementation of JSONata in the latter, and what each state was given
and gave, each call, each wait and the end are compared. Exit status 1 if the validator finds anything, if the engines
differ in an unknown way, or if a known difference is gone.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from demo.synthesis import ROOT
from gatehouse.configuration.policies import compile_policies
from stacks.application import build_application
from stacks.lambda_dependencies import install_dependencies
from stacks.node_runtime import use_packaged_node
from tests.second_engine.comparison import differences
from tests.second_engine.known_differences import unknown, unneeded
from tests.second_engine.scenarios import SCENARIOS
from tests.stacks.conftest import ELABORATE, EXISTING_KEY, IMAGE_ONLY, settings_of
from tests.stacks.test_aws_limits import VARIANTS
from tests.stacks.workflow import Workflow

ENVIRONMENT = ROOT / ".venv-second-engine"
PACKAGE = "tests.second_engine"

#: The settings whose definitions the validator reads.
SETTINGS: Mapping[str, str] = {
    **VARIANTS,
    "elaborate": ELABORATE,
    "image only": IMAGE_ONLY,
    "existing key": EXISTING_KEY,
}

#: The workflows of the scenarios: of which settings, and what its name begins with.
WORKFLOWS = {
    "live": ("shipped", "Live"),
    "fast": ("elaborate", "Fast"),
    "backfill": ("elaborate", "Backfill"),
    "image only": ("image only", "Live"),
    "keyed": ("existing key", "Live"),
}


def main() -> int:
    """Ask both; returns the exit status."""
    install_dependencies()
    use_packaged_node()
    problems = _validate()
    problems += _compare()
    return 1 if problems else 0


def _validate() -> int:
    """Have the validator read all definitions. Returns the number of its findings."""
    definitions = {
        f"{settings}: {name}": workflow.definition
        for settings in SETTINGS
        for name, workflow in _workflows(settings).items()
    }
    findings = _process(["node", str(Path(__file__).with_name("validator.js"))], definitions)
    assert findings.keys() == definitions.keys()
    for name, found in findings.items():
        for finding in found:
            print(f"  {name}, {finding}")
    count = sum(len(found) for found in findings.values())
    print(f"AWS's validator: {len(definitions)} definitions, {count} findings")
    return count


def _compare() -> int:
    """Run the scenarios on both engines. Returns the number of problems."""
    documents = [scenario.to_document(_workflow(scenario.workflow)) for scenario in SCENARIOS]
    ours = _process([sys.executable, "-m", f"{PACKAGE}.local_engine"], documents)
    theirs = _process([str(ENVIRONMENT / "bin" / "python"), "-m", f"{PACKAGE}.independent_engine"], documents)
    assert ours.keys() == theirs.keys() == {scenario.name for scenario in SCENARIOS}
    found = [difference for name in ours for difference in differences(name, ours[name], theirs[name])]
    problems = [str(difference) for difference in unknown(found)]
    problems += [f"{scenario}, {part}: known to differ, and does not" for scenario, part in unneeded(found)]
    for problem in problems:
        print(f"  {problem}")
    states = sum(len(run["states"]) + len(run["parts"]) for run in ours.values())
    same = len(ours) - len({difference.scenario for difference in found})
    print(
        f"LocalStack's interpreter: {len(ours)} scenarios, {states} states entered and left: {same} identical,"
        f" {len(ours) - same} different, {len(problems)} problems"
    )
    return len(problems)


def _workflow(name: str) -> Workflow:
    settings, beginning = WORKFLOWS[name]
    return next(found for machine, found in _workflows(settings).items() if machine.startswith(beginning))


@cache
def _workflows(settings: str) -> Mapping[str, Workflow]:
    """The workflows of settings, by logical id."""
    with tempfile.TemporaryDirectory() as work:
        loaded = settings_of(SETTINGS[settings], Path(work))
        folder = Path(work, "cdk.out")
        build_application(loaded, compile_policies(ROOT / "policies"), folder).synth()
        template = json.loads((folder / f"{loaded.name}-pipeline.template.json").read_text("utf-8"))
    return {
        name: Workflow.of(resource, is_large_region=True)
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::StepFunctions::StateMachine"
    }


def _process(command: Sequence[str], document: Any) -> dict[str, Any]:
    """What a process of an environment of its own makes of a document."""
    ended = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"NODE_PATH": str(ENVIRONMENT / "node_modules")},
        input=json.dumps(document),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise SystemExit(f"{' '.join(command)} failed with status {ended.returncode}; see above")
    answer: dict[str, Any] = json.loads(ended.stdout)
    return answer


if __name__ == "__main__":
    sys.exit(main())
