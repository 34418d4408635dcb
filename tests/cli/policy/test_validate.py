"""`policy validate`: what synthesis would say, before it is run and without AWS."""

import json
from pathlib import Path

import pytest

from gatehouse.cli.policy.policy_source import short
from tests.cli.conftest import STANDARD, STRICT, Run, policy_of

SETTINGS = "lanes: {default: {policy: standard, min_confidence: %s}}\n"


@pytest.fixture
def policies(here: Path) -> Path:
    """A folder with the two policies."""
    folder = here / "policies"
    folder.mkdir()
    (folder / "standard.yaml").write_text(STANDARD, encoding="utf-8")
    (folder / "strict.yaml").write_text(STRICT, encoding="utf-8")
    return folder


@pytest.mark.usefixtures("policies")
def test_policies_without_a_mistake_are_told_with_name_version_and_hash(run: Run) -> None:
    result = run("validate")

    digits = short(policy_of(STANDARD).hash)
    assert f"policies/standard.yaml: ok, standard version 1 ({digits})" in result.stdout
    assert "policies/strict.yaml: ok, strict version 1" in result.stdout
    assert "There is no ./gatehouse.yaml" in result.stdout
    assert result.exit_code == 0


def test_every_file_with_a_mistake_is_told_with_line_and_remedy(run: Run, policies: Path) -> None:
    (policies / "standard.yaml").write_text(STANDARD.replace("Violence", "Violense"), encoding="utf-8")
    (policies / "strict.yaml").write_text(STRICT.replace("block: 40", "review: 40, block: 40"), encoding="utf-8")

    result = run("validate")

    lines = result.stdout.splitlines()
    assert lines[0].startswith("policies/standard.yaml:5: rules: Violense:")
    assert "did you mean 'Violence'?" in lines[0]
    assert lines[1].startswith("policies/strict.yaml:5: rules: Violence: review: never fires")
    assert result.exit_code == 1


def test_one_mistake_does_not_hide_the_others_of_its_file(run: Run, policies: Path) -> None:
    text = STANDARD.replace("Violence", "Violense").replace("Alcohol: allow", "Alcohol: forbid")
    (policies / "standard.yaml").write_text(text, encoding="utf-8")

    lines = run("validate").stdout.splitlines()

    assert lines[0].startswith("policies/standard.yaml:5: rules: Violense:")
    assert lines[1].startswith("policies/standard.yaml:6: rules: Alcohol:")
    assert lines[2].startswith("policies/strict.yaml: ok")


def test_what_may_not_be_meant_is_noted_and_no_mistake(run: Run, policies: Path) -> None:
    (policies / "strict.yaml").write_text(STRICT + "  Explicit Nudity: {block: 40}\n", encoding="utf-8")

    result = run("validate")
    (_, strict) = json.loads(run("validate", "--output", "json").stdout)["policies"]

    lines = result.stdout.splitlines()
    position = next(n for n, line in enumerate(lines) if line.startswith("policies/strict.yaml: ok"))
    assert lines[position + 1].startswith("  note: Explicit Nudity: ")
    assert (strict["ok"], strict["errors"]) == (True, [])
    assert [f"  note: {note}" for note in strict["notes"]] == [lines[position + 1]]
    assert result.exit_code == 0


def test_only_the_files_named_are_checked(run: Run, policies: Path) -> None:
    (policies / "strict.yaml").write_text("rules: [", encoding="utf-8")
    draft = policies.parent / "draft.yaml"
    draft.write_text(STANDARD, encoding="utf-8")

    result = run("validate", "draft.yaml")

    assert result.stdout.startswith("draft.yaml: ok, standard version 1")
    assert result.exit_code == 0


def test_a_policy_named_unlike_its_file_is_a_mistake_where_it_would_be_deployed(run: Run, policies: Path) -> None:
    (policies / "strict.yaml").rename(policies / "kids.yaml")

    result = run("validate")

    assert "policies/kids.yaml:1: name: 'strict' is not the file name; write name: kids" in result.stdout
    assert result.exit_code == 1


@pytest.mark.parametrize("name", ["policies/kids.yaml", "./policies/../policies/kids.yaml"])
def test_a_file_that_would_be_deployed_is_not_called_right_and_then_refused(
    run: Run, here: Path, policies: Path, name: str
) -> None:
    (here / "gatehouse.yaml").write_text(SETTINGS % 30, encoding="utf-8")
    (policies / "strict.yaml").rename(policies / "kids.yaml")

    result = run("validate", name)

    assert result.stdout.startswith(f"{Path(name)}:1: name: 'strict' is not the file name; write name: kids")
    assert "ok" not in result.stdout
    assert result.exit_code == 1


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("{review: 0.8}", ["Violence: 0.8 is below one percent; confidences go to 100; write 80 if you mean that"]),
        (
            "{review: 1, block: 80}",
            ["Violence: 1 is one percent; confidences go to 100; write 100 if you mean that"],
        ),
        (
            "{block: 40, when: [{content_types: {Illustrated: 0.75}, then: {block: 0.955}}]}",
            [
                "Violence: 0.75 is below one percent; confidences go to 100; write 75 if you mean that",
                "Violence: 0.955 is below one percent; confidences go to 100; write 95.5 if you mean that",
            ],
        ),
        ("{review: 0, block: 1.5}", []),
    ],
)
def test_a_threshold_that_looks_like_a_fraction_is_noted(run: Run, policies: Path, rule: str, told: list[str]) -> None:
    (policies / "strict.yaml").write_text(
        f'name: strict\nversion: "1"\ndefault: {{review: 50}}\nrules:\n  Violence: {rule}\n', encoding="utf-8"
    )

    result = run("validate", "policies/strict.yaml")

    assert [line for line in result.stdout.splitlines() if "note" in line] == [f"  note: {note}" for note in told]
    assert result.exit_code == 0


def test_a_name_that_differs_is_the_only_line_of_its_file_whatever_else_is_wrong(
    run: Run, here: Path, policies: Path
) -> None:
    (here / "gatehouse.yaml").write_text(SETTINGS % 30, encoding="utf-8")
    (policies / "adults.yaml").write_text("rules: [", encoding="utf-8")
    noted = STRICT + "  Explicit Nudity: {block: 40}\n"
    for name in ("kids", "teens"):
        (policies / f"{name}.yaml").write_text(noted, encoding="utf-8")

    lines = run("validate").stdout.splitlines()

    assert [line.partition(": ")[0] for line in lines] == [
        "policies/adults.yaml:1",
        "policies/kids.yaml:1",
        "policies/standard.yaml",
        "policies/strict.yaml",
        "policies/teens.yaml:1",
    ]


def test_a_file_that_a_deploy_passes_over_is_told_with_the_name_it_needs(run: Run, policies: Path) -> None:
    (policies / "strict.yaml").rename(policies / "strict.yml")

    result = run("validate")

    assert "policies/strict.yml is ignored; rename it to strict.yaml" in result.stdout.splitlines()
    assert json.loads(run("validate", "--output", "json").stdout)["notes"] == [
        "policies/strict.yml is ignored; rename it to strict.yaml"
    ]
    assert result.exit_code == 0

    (policies / "standard.yaml").unlink()

    assert run("validate").stderr == (
        "There is no policy in ./policies; policies/strict.yml is ignored; rename it to strict.yaml.\n"
    )


@pytest.mark.usefixtures("policies")
def test_settings_that_are_not_there_are_told_with_the_option(run: Run) -> None:
    result = run("validate", "--settings", "nosuch.yaml")

    assert result.stdout.splitlines()[-1] == "nosuch.yaml is not a file; name one with --settings"
    assert result.exit_code == 1


@pytest.mark.usefixtures("policies")
def test_lanes_that_can_use_the_policies_are_told_to_have_been_checked(run: Run, here: Path) -> None:
    (here / "gatehouse.yaml").write_text(SETTINGS % 30, encoding="utf-8")

    result = run("validate")

    assert "gatehouse.yaml: ok, its lanes can use the policies in policies" in result.stdout
    assert result.exit_code == 0


@pytest.mark.usefixtures("policies")
def test_a_threshold_below_what_a_lane_asks_for_is_a_mistake(run: Run, here: Path) -> None:
    (here / "other.yaml").write_text(SETTINGS % 55, encoding="utf-8")

    result = run("validate", "--settings", "other.yaml")

    assert "other.yaml:1: lanes.default.min_confidence: 55 hides" in result.stdout
    assert "write at most 50" in result.stdout
    assert result.exit_code == 1


def test_a_mistake_is_told_once_though_the_settings_need_the_file_too(run: Run, here: Path, policies: Path) -> None:
    (here / "gatehouse.yaml").write_text(SETTINGS % 30, encoding="utf-8")
    (policies / "standard.yaml").write_text("rules: [", encoding="utf-8")

    result = run("validate")

    assert result.stdout.count("policies/standard.yaml:1: not YAML") == 1
    assert "gatehouse.yaml: ok" not in result.stdout
    assert result.exit_code == 1


def test_scripts_get_one_document(run: Run, here: Path, policies: Path) -> None:
    (here / "gatehouse.yaml").write_text(SETTINGS % 30, encoding="utf-8")
    (policies / "strict.yaml").write_text("rules: [", encoding="utf-8")

    result = run("validate", "--output", "json")

    document = json.loads(result.stdout)
    standard, strict = document["policies"]
    assert standard == {
        "file": "policies/standard.yaml",
        "ok": True,
        "name": "standard",
        "version": "1",
        "hash": policy_of(STANDARD).hash,
        "errors": [],
        "notes": [],
    }
    assert (strict["file"], strict["ok"]) == ("policies/strict.yaml", False)
    assert len(strict["errors"]) == 1
    assert strict["errors"][0].startswith("policies/strict.yaml:1: not YAML")
    assert document["settings"] == {"file": "gatehouse.yaml", "ok": False, "errors": strict["errors"]}
    assert document["ok"] is False
    assert result.exit_code == 1


def test_a_folder_without_policies_is_told(run: Run) -> None:
    result = run("validate")

    assert result.stdout == ""
    assert result.stderr == ("There is no policy in ./policies; name files, or run this beside that folder.\n")
    assert result.exit_code == 1


def test_a_file_that_is_not_there_is_told(run: Run) -> None:
    result = run("validate", "nothing.yaml")

    assert result.stdout.startswith("nothing.yaml: can't be read: No such file or directory")
    assert result.exit_code == 1


def test_the_shipped_policies_are_valid(run: Run) -> None:
    root = Path(__file__).resolve().parents[3]

    result = run("validate", *map(str, sorted((root / "policies").glob("*.yaml"))))

    assert result.exit_code == 0


def test_a_number_of_thousands_of_digits_is_not_repeated(tmp_path: Path, gatehouse: Run) -> None:
    file = tmp_path / "odd.yaml"
    file.write_text(f"name: odd\nversion: {'9' * 5000}\n", encoding="utf-8")

    result = gatehouse("policy", "validate", str(file))

    assert result.exit_code == 1
    assert f"{file}:2: " in result.stdout + result.stderr
    assert all(len(line) < 400 for line in (result.stdout + result.stderr).splitlines())
