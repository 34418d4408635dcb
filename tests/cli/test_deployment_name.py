"""Commands are about the deployment that a deploy from the same place would make, unless somebody names another one."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import STANDARD, Deployed, Run
from tests.unit.aws_calls import an_error

Asked = Callable[..., str]


@pytest.fixture
def asked(deployed: Deployed, run: Run) -> Asked:
    """The name of the deployment that a command with these options asks AWS about."""

    def asked(*arguments: str) -> str:
        stacks: list[str] = []

        def describe(request: Mapping[str, Any]) -> dict[str, Any]:
            stacks.append(request["body"]["StackName"])
            return an_error("ValidationError", "there is none")

        deployed.calls.answer_always("DescribeStacks", describe)
        run("status", *arguments)
        return stacks[0].removesuffix("-storage")

    return asked


def test_without_any_settings_it_is_called_gatehouse(asked: Asked) -> None:
    assert asked() == "gatehouse"


def test_the_nearest_name_wins(asked: Asked, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "gatehouse.yaml").write_text("name: of-the-folder\n", "utf-8")
    assert asked() == "of-the-folder"
    (here / "other.yaml").write_text("name: of-the-settings\n", "utf-8")
    monkeypatch.setenv("GATEHOUSE_SETTINGS", "other.yaml")
    assert asked() == "of-the-settings"
    monkeypatch.setenv("GATEHOUSE_DEPLOYMENT", "of-the-shell")
    assert asked() == "of-the-shell"
    assert asked("--deployment", "of-the-option") == "of-the-option"


def test_the_variable_goes_before_the_folders_file_and_the_help_says_so(
    asked: Asked, gatehouse: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "gatehouse.yaml").write_text("name: of-the-folder\n", "utf-8")
    monkeypatch.setenv("GATEHOUSE_DEPLOYMENT", "of-the-shell")

    assert asked() == "of-the-shell"
    said = " ".join(gatehouse("verdict", "-h").stdout.split())
    assert "else the variable GATEHOUSE_DEPLOYMENT, which goes before any file; else" in said


def test_settings_without_a_name_have_the_one_that_a_deploy_gives_them(
    asked: Asked, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "gatehouse.yaml").write_text("name: of-the-folder\n", "utf-8")
    (here / "other.yaml").write_text("lanes: {default: {}}\n", "utf-8")
    monkeypatch.setenv("GATEHOUSE_SETTINGS", "other.yaml")

    assert asked() == "gatehouse"


def test_variables_that_are_empty_say_nothing(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GATEHOUSE_DEPLOYMENT", "GATEHOUSE_SETTINGS"):
        monkeypatch.setenv(name, "")

    assert asked() == "gatehouse"


def test_a_mistake_elsewhere_in_the_settings_hides_no_deployment(asked: Asked, here: Path) -> None:
    (here / "gatehouse.yaml").write_text("name: mine\nno_such_key: 1\nlanes: {default: {engine: magic}}\n", "utf-8")

    assert asked() == "mine"


@pytest.mark.parametrize("text", ["name: [", "name: Not A Name", "- a list"])
def test_settings_that_can_not_be_read_are_named_in_one_line(
    asked: Asked, run: Run, here: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (here / "other.yaml").write_text(text, "utf-8")
    monkeypatch.setenv("GATEHOUSE_SETTINGS", "other.yaml")

    result = run("status")

    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert result.stderr.startswith("other.yaml:1: ")
    assert "--deployment" in result.stderr
    assert asked("--deployment", "mine") == "mine", "who names it needs no settings"


@pytest.mark.usefixtures("deployed")
def test_settings_that_are_not_there_are_named_in_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEHOUSE_SETTINGS", "gone.yaml")

    assert run("status").stderr.startswith("gone.yaml:1: can't be read: No such file or directory;")


def test_what_works_offline_asks_for_no_deployment(run: Run, here: Path) -> None:
    (here / "gatehouse.yaml").write_text("name: [", "utf-8")
    (here / "standard.yaml").write_text(STANDARD, "utf-8")
    (here / "answer.json").write_text('{"ModerationLabels": [], "ModerationModelVersion": "7.0"}', "utf-8")

    assert run("judge", "standard.yaml", "answer.json").exit_code == 0


def test_validate_checks_the_settings_that_a_deploy_would_take(
    run: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "policies").mkdir()
    (here / "policies" / "standard.yaml").write_text(STANDARD, "utf-8")
    (here / "other.yaml").write_text("lanes: {default: {policy: unknown}}\n", "utf-8")
    monkeypatch.setenv("GATEHOUSE_SETTINGS", "other.yaml")

    result = run("validate")

    assert (result.exit_code, "other.yaml:1: lanes.default.policy" in result.stdout) == (1, True)
