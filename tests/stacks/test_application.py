"""The application as a whole: what it writes, and how it fails."""

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import aws_cdk
import pytest

from tests.stacks.conftest import ROOT, Assembly


def run_app(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "app.py")],
        cwd=tmp_path,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def templates_as_text(assembly: Assembly) -> str:
    return json.dumps(assembly.templates)


def test_the_same_settings_give_the_same_files_byte_for_byte(tmp_path: Path) -> None:
    """Invariant I8: in another process, with another hash seed, account, Region, and no network to ask."""
    nowhere = {
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "AWS_EC2_METADATA_DISABLED": "1",
    }
    first = run_app(tmp_path, CDK_OUTDIR=str(tmp_path / "first"), PYTHONHASHSEED="1")
    second = run_app(
        tmp_path,
        CDK_OUTDIR=str(tmp_path / "second"),
        PYTHONHASHSEED="2",
        CDK_DEFAULT_ACCOUNT="111122223333",
        CDK_DEFAULT_REGION="eu-west-1",
        **nowhere,
    )

    for synthesis in (first, second):
        assert (synthesis.returncode, synthesis.stdout) == (0, "")
        assert synthesis.stderr.startswith("Warning: nobody is told when an alarm rings.")
        assert synthesis.stderr.count("\n") == 1
    assert files(tmp_path / "first") == files(tmp_path / "second")


@pytest.mark.parametrize(
    "listener", ["alarm_email: ann@example.com", "alarm_topic_arn: arn:aws:sns:eu-west-1:111122223333:alarms"]
)
def test_with_somebody_to_tell_there_is_no_warning(tmp_path: Path, listener: str) -> None:
    (tmp_path / "mine.yaml").write_text(f"{listener}\nlanes: {{default: {{}}}}\n", encoding="utf-8")

    done = run_app(tmp_path, GATEHOUSE_SETTINGS="mine.yaml", CDK_OUTDIR=str(tmp_path / "out"))

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_settings_mistake_ends_in_its_line_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("lanes:\n  default:\n    max_wait: 301\n", encoding="utf-8")

    done = run_app(tmp_path, GATEHOUSE_SETTINGS="mine.yaml", CDK_OUTDIR=str(tmp_path / "out"))

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        "mine.yaml:3: lanes.default.max_wait: 301 is not from 0 to 300; write seconds within that range\n"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("fixture", ["shipped", "elaborate"])
def test_nothing_is_made_by_custom_resources_or_containers(request: pytest.FixtureRequest, fixture: str) -> None:
    assembly: Assembly = request.getfixturevalue(fixture)
    kinds = {resource["Type"] for template in assembly.templates for resource in template["Resources"].values()}

    assert not {kind for kind in kinds if kind.startswith("Custom::") or kind == "AWS::CloudFormation::CustomResource"}
    for manifest in assembly.folder.glob("*.assets.json"):
        assert json.loads(manifest.read_text("utf-8"))["dockerImages"] == {}


def test_no_physical_name_is_fixed(shipped: Assembly) -> None:
    names = {
        *("BucketName", "FunctionName", "QueueName", "RoleName", "RuleName", "TableName", "TopicName", "PolicyName"),
        *("AlarmName", "DashboardName", "LogGroupName", "StateMachineName", "Name"),
    }
    fixed = {
        (name, resource["Type"])
        for template in shipped.templates
        for resource in template["Resources"].values()
        for name in names & set(resource.get("Properties", {}))
        if isinstance(resource["Properties"][name], str)
    }

    # A policy's name is one within its role, which has no fixed name; an alarm's begins with the deployment's.
    assert {kind for _, kind in fixed} <= {"AWS::IAM::Policy", "AWS::CloudWatch::Alarm"}


def test_no_account_or_region_is_written_down(shipped: Assembly) -> None:
    manifest: dict[str, Any] = json.loads((shipped.folder / "manifest.json").read_text("utf-8"))
    environments = {
        artifact["environment"] for artifact in manifest["artifacts"].values() if artifact.get("environment")
    }

    assert environments == {"aws://unknown-account/unknown-region"}
    assert "missing" not in manifest  # nothing is left for a lookup


def test_templates_hold_no_paths_and_no_usage_data(shipped: Assembly) -> None:
    text = templates_as_text(shipped)

    assert "aws:cdk:path" not in text
    assert "aws:asset:path" not in text
    assert "CDKMetadata" not in text


def test_the_feature_flags_are_those_the_library_recommends() -> None:
    settings = json.loads((ROOT / "cdk.json").read_text("utf-8"))
    package = next(Path(aws_cdk.__file__).parent.glob("_jsii/aws-cdk-lib@*.tgz"))
    with tarfile.open(package) as archive:
        recommended = archive.extractfile("package/recommended-feature-flags.json")
        assert recommended is not None
        assert settings["context"] == json.load(recommended)


def test_the_command_line_adds_nothing_to_the_templates() -> None:
    settings = json.loads((ROOT / "cdk.json").read_text("utf-8"))

    assert (settings["pathMetadata"], settings["assetMetadata"], settings["versionReporting"]) == (False, False, False)


@pytest.mark.parametrize("fixture", ["shipped", "elaborate", "own_key", "existing_key"])
def test_cfn_lint_finds_nothing(request: pytest.FixtureRequest, fixture: str) -> None:
    assembly: Assembly = request.getfixturevalue(fixture)
    templates = sorted(str(path) for path in assembly.folder.glob("*.template.json"))

    # W3005: the CDK writes DependsOn beside a reference that implies it.
    command = [str(Path(sys.executable).parent / "cfn-lint"), "--regions", "us-east-1", "eu-west-1"]
    lint = subprocess.run(
        [*command, "--ignore-checks", "W3005", "--", *templates], capture_output=True, text=True, check=False
    )

    assert (lint.returncode, lint.stdout) == (0, ""), lint.stdout + lint.stderr


def test_all_mistakes_of_the_settings_are_told_before_anything_is_built(tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text("nam: pictures\nlanes:\n  default:\n    prefixes: [kids/*]\n", encoding="utf-8")

    answer = run_app(tmp_path, GATEHOUSE_SETTINGS=str(settings), CDK_OUTDIR=str(tmp_path / "out"))

    assert answer.returncode == 1
    first, second = answer.stderr.splitlines()
    assert first == f"{settings}:1: nam: unknown key; did you mean name?"
    assert second.startswith(f"{settings}:4: lanes.default.prefixes: ")
    assert not (tmp_path / "out").exists()
