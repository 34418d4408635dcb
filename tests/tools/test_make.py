"""The Makefile's promises that do not need a fresh machine."""

import os
import re
import subprocess
from pathlib import Path

import yaml

from demo.synthesis import ROOT
from tests.chaos.evidence import FOLDER

WORKFLOWS = {path.stem: path for path in (ROOT / ".github" / "workflows").glob("*.yml")}


def make(*arguments: str, search_path: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", *arguments],
        cwd=ROOT,
        env={"PATH": search_path or os.environ["PATH"], "HOME": os.environ.get("HOME", "/")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_is_the_default_and_lists_every_target() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert phony is not None

    listed = re.findall(r"^  make ([\w-]+)", make().stdout, re.MULTILINE)

    assert sorted(listed) == sorted(phony[1].split())


def test_a_machine_without_a_new_enough_python_is_told_so(tmp_path: Path) -> None:
    old_python = tmp_path / "python3"
    old_python.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    old_python.chmod(0o755)
    for tool in ("make", "sh"):
        (tmp_path / tool).symlink_to(f"/bin/{tool}")

    answer = make("demo", search_path=str(tmp_path))

    assert answer.returncode != 0
    assert "Python 3.11 or newer" in answer.stderr


def test_a_deployment_ends_by_saying_when_uploads_are_seen() -> None:
    recipe = (ROOT / "Makefile").read_text("utf-8").split("\ndeploy:", 1)[1].split("\n\n", 1)[0].splitlines()

    assert "about five minutes" in recipe[-1]
    assert "gatehouse reconcile" in recipe[-1]


def test_a_deployment_begins_with_the_doctor() -> None:
    recipe = (ROOT / "Makefile").read_text("utf-8").split("\ndeploy:", 1)[1].split("\n\n", 1)[0]

    assert recipe.index("doctor --before-deploy") < recipe.index("$(CDK) deploy")


def test_ci_runs_make_test_and_nothing_else() -> None:
    commands = [
        line
        for line in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith(("#", "set ", "cd "))
    ]

    assert commands == ["exec make test </dev/null"]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_whatever_a_workflow_makes_is_a_target() -> None:
    targets = set(re.findall(r"^([a-z-]+):.* ## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    made = {name: made_targets(path) for name, path in WORKFLOWS.items()}

    assert all(made.values())
    assert {name: unknown for name, asked in made.items() if (unknown := asked - targets)} == {}


def test_what_explains_a_violated_run_outlives_the_nightly_runner() -> None:
    (job,) = yaml.safe_load(WORKFLOWS["nightly"].read_text("utf-8"))["jobs"].values()
    made, kept = job["steps"][-2:]

    assert made["run"] == "make ${{ matrix.target }}"
    assert kept["if"] == "failure()"
    assert kept["uses"].startswith("actions/upload-artifact@")
    assert Path(kept["with"]["path"]) == FOLDER
    assert kept["with"]["include-hidden-files"] is True, "it leaves out what begins with a dot, like .cache"


def test_a_release_is_built_from_a_tag_and_may_only_read() -> None:
    release = yaml.safe_load(WORKFLOWS["release"].read_text("utf-8"))

    assert release[True] == {"push": {"tags": ["v*"]}}  # YAML 1.1 reads `on` as true
    assert release["permissions"] == {"contents": "read"}
    (job,) = release["jobs"].values()
    assert "permissions" not in job
    assert [step["run"] for step in job["steps"] if "run" in step] == ["make package"]


def test_whoever_opens_an_issue_is_asked_for_harmless_pictures() -> None:
    folder = ROOT / ".github" / "ISSUE_TEMPLATE"
    forms = {path.stem: yaml.safe_load(path.read_text("utf-8")) for path in folder.glob("*.yml")}

    assert forms.pop("config") == {"blank_issues_enabled": False}
    assert sorted(forms) == ["bug", "feature"]
    for form in forms.values():
        told, *_, agreed = form["body"]
        assert "harmless" in told["attributes"]["value"]
        assert "Never attach or link explicit or illegal material" in told["attributes"]["value"]
        assert [option["required"] for option in agreed["attributes"]["options"]] == [True]
    assert "nothing explicit" in (ROOT / ".github" / "pull_request_template.md").read_text("utf-8")


def made_targets(workflow: Path) -> set[str]:
    """What a workflow asks `make` for, in every run of its matrix."""
    made: set[str] = set()
    for job in yaml.safe_load(workflow.read_text("utf-8"))["jobs"].values():
        matrix = job.get("strategy", {}).get("matrix", {})
        for command in (step["run"] for step in job["steps"] if "run" in step):
            asked = command.removeprefix("make ")
            value = re.fullmatch(r"\$\{\{ matrix\.(\w+) \}\}", asked)
            made |= set(matrix[value[1]]) if value else {asked}
    return made


def test_the_workflow_and_the_hooks_call_make_and_no_tool_of_their_own() -> None:
    workflows = {name: path.read_text("utf-8") for name, path in WORKFLOWS.items()}
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")

    for name, workflow in workflows.items():
        commands = re.findall(r"run: (.*)", workflow)
        assert all(re.fullmatch(r"make ([a-z-]+|\$\{\{ matrix\.target \}\})", command) for command in commands), name
        used = re.findall(r"uses: (.*)", workflow)
        assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}( # v.*)?", action) for action in used), name
    assert re.findall(r"run: (.*)", workflows["test"]) == ["make test"]
    assert set(re.findall(r"entry: (.*)", hooks)) == {"make lint"}


def test_a_deployment_to_another_profile_is_looked_at_by_that_profile() -> None:
    for arguments, asked in (("--profile other --require-approval never", " --profile other"), ("", "")):
        lines = make("-n", "deploy", f"ARGS={arguments}").stdout.splitlines()
        (line,) = [line for line in lines if " doctor " in line]
        assert line.rstrip().endswith(f"doctor --before-deploy{asked}")
