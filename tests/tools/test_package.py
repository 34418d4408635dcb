"""The distribution: what `python -m build` puts into it, and that it works where nothing but its dependencies is."""

import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator, Sequence
from email.message import Message
from email.parser import Parser
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from typer.core import TyperGroup
from typer.main import get_command

import gatehouse
from demo.synthesis import ROOT
from gatehouse.cli.__main__ import app
from tests.cli.conftest import STANDARD
from tests.tools.test_set_up import normalized, pins
from tools.package import PackageError, check_tag

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
DEPENDENCIES = [Requirement(line) for line in PYPROJECT["project"]["dependencies"]]

#: Imports every module of the package, so also what commands import only when they run.
IMPORTS = """
import importlib, importlib.util, pkgutil, sys, gatehouse
modules = [module.name for module in pkgutil.walk_packages(gatehouse.__path__, "gatehouse.")]
modules = [name for name in modules if not name.startswith("gatehouse.review.")]  # the extra's
for name in modules:
    importlib.import_module(name)
absent = [name for name in sys.argv[1:] if not importlib.util.find_spec(name)]
print(gatehouse.__file__, len(modules), *absent)
"""

#: Prints the help of each command that stands in a line of stdin.
HELP = """
import sys
from gatehouse.cli.__main__ import app
for line in sys.stdin:
    try:
        app([*line.split(), "--help"], prog_name="gatehouse")
    except SystemExit as exit:
        assert not exit.code, line
"""


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what `make package` builds: a source distribution, and a wheel made of it."""
    folder = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder)], ROOT)
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (made,) = dist.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that holds the wheel, what its metadata asks for, and nothing else."""
    environment = tmp_path_factory.mktemp("environment")
    run([sys.executable, "-m", "venv", "--without-pip", str(environment)], environment)
    executable = environment / "bin" / "python"
    options = ["--quiet", "--no-index", "--no-deps", "--no-warn-script-location"]
    run([sys.executable, "-m", "pip", "--python", str(executable), "install", *options, str(wheel)], environment)
    (packages,) = environment.glob("lib/python3*/site-packages")
    for file in {file for name in closure(DEPENDENCIES) for file in top_level_files(name)}:
        (packages / file.name).symlink_to(file)
    return executable


def run(command: Sequence[str], folder: Path, typed: str = "", status: int = 0) -> str:
    """What a command says, of which this is the exit status."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={"HOME": str(folder), "PATH": os.environ["PATH"], "COLUMNS": "80"},
        input=typed,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stdout
    return done.stdout


def closure(requirements: Sequence[Requirement]) -> set[str]:
    """The names of packages that are asked for, and of those that these ask for."""
    found: set[str] = set()
    waiting = list(requirements)
    while waiting:
        requirement = waiting.pop()
        if requirement.name not in found and (not requirement.marker or requirement.marker.evaluate({"extra": ""})):
            found.add(requirement.name)
            waiting += map(Requirement, distribution(requirement.name).requires or ())
    return found


def top_level_files(name: str) -> Iterator[Path]:
    """What an installed distribution has in site-packages."""
    installed = distribution(name)
    for top in {file.parts[0] for file in installed.files or ()} - {"..", "__pycache__"}:
        yield Path(str(installed.locate_file(top)))


def commands(group: TyperGroup, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield words
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from commands(command, (*words, name))
        else:
            yield (*words, name)


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def test_the_source_holds_the_package_and_what_it_is_built_from(dist: Path) -> None:
    top = f"gatehouse_moderation-{gatehouse.__version__}"
    with tarfile.open(dist / f"{top}.tar.gz") as archive:
        names = {member.name.removeprefix(f"{top}/") for member in archive.getmembers() if member.isfile()}

    beside = {name for name in names if not name.startswith("src/gatehouse/")}
    assert beside == {"CHANGELOG.md", "LICENSE", "PKG-INFO", "README.md", "pyproject.toml", ".gitignore"}
    assert names - beside == {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "src" / "gatehouse").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_a_tag_of_this_version_is_built_and_no_other() -> None:
    check_tag({})
    check_tag({"GITHUB_REF_TYPE": "branch", "GITHUB_REF_NAME": "main"})
    check_tag({"GITHUB_REF_TYPE": "tag", "GITHUB_REF_NAME": f"v{gatehouse.__version__}"})
    with pytest.raises(PackageError, match=rf"the tag is v9\.9\.9, .* tag v{re.escape(gatehouse.__version__)}"):
        check_tag({"GITHUB_REF_TYPE": "tag", "GITHUB_REF_NAME": "v9.9.9"})


def test_a_tag_without_release_notes_is_not_built(tmp_path: Path) -> None:
    (tmp_path / "src" / "gatehouse").mkdir(parents=True)
    (tmp_path / "src" / "gatehouse" / "__init__.py").write_text('"""Gatehouse."""\n\n__version__ = "0.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## Unreleased\n\n## 0.1.0 - 2026-12-01\n")

    with pytest.raises(PackageError, match=r"notes in CHANGELOG.md are about 0\.1\.0; write those of 0\.2\.0"):
        check_tag({"GITHUB_REF_TYPE": "tag", "GITHUB_REF_NAME": "v0.2.0"}, tmp_path)


def test_the_wheel_holds_the_package_alone(wheel: Path) -> None:
    source = ROOT / "src"
    ours = {str(path.relative_to(source)) for path in source.glob("gatehouse/**/*") if path.is_file()}
    ours = {name for name in ours if "__pycache__" not in name}
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())

    dist_info = f"gatehouse_moderation-{gatehouse.__version__}.dist-info"
    assert {name for name in names if not name.startswith(f"{dist_info}/")} == ours
    assert names - ours == {
        f"{dist_info}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
    }


def test_the_wheel_says_its_version_license_and_types(wheel: Path) -> None:
    told = metadata(wheel)

    assert (told["Name"], told["Version"]) == ("gatehouse-moderation", gatehouse.__version__)
    assert told["License-Expression"] == "Apache-2.0"
    assert told.get_payload() == (ROOT / "README.md").read_text("utf-8")
    assert (ROOT / "src" / "gatehouse" / "py.typed").is_file()


def test_the_builder_is_the_pinned_one() -> None:
    assert PYPROJECT["build-system"]["requires"] == [f"hatchling=={pins('requirements-dev.txt')['hatchling']}"]


def test_what_is_tested_is_what_a_library_allows() -> None:
    pinned = pins("requirements.txt")
    extras = [Requirement(line) for lines in PYPROJECT["project"]["optional-dependencies"].values() for line in lines]

    assert [str(each) for each in (*DEPENDENCIES, *extras) if pinned[normalized(each.name)] not in each.specifier] == []
    assert [str(each) for each in DEPENDENCIES if re.search("==|<", str(each.specifier))] == []


def test_an_installed_package_needs_neither_the_cdk_nor_a_checkout(python: Path, tmp_path: Path) -> None:
    others = ["aws_cdk", "constructs", "jsii", "ministack", "aws_lambda_powertools", "lambdas", "stacks", "localcloud"]

    file, modules, *absent = run([str(python), "-c", IMPORTS, *others], tmp_path).split()

    assert Path(file).is_relative_to(python.parents[1])
    assert int(modules) > 80
    assert absent == others


def test_an_installed_package_says_what_the_review_page_needs(python: Path, tmp_path: Path) -> None:
    refused = run([str(python.with_name("gatehouse")), "review", "open"], tmp_path, status=1)

    assert "run pip install 'gatehouse-moderation[review]'" in " ".join(refused.split())


def test_an_installed_package_makes_the_schema_for_editors(python: Path, tmp_path: Path) -> None:
    printed = run([str(python), "-m", "gatehouse.configuration.policy_schema"], tmp_path)

    assert printed == (ROOT / "policies" / "policy.schema.json").read_text("utf-8")


def test_each_installed_command_has_help_of_80_columns(python: Path, tmp_path: Path) -> None:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    asked = list(commands(group))

    helped = run([str(python), "-c", HELP], tmp_path, "\n".join(" ".join(words) for words in asked))

    usages = re.findall(r"^Usage: (gatehouse[ a-z-]*)", helped, re.MULTILINE)
    assert [usage.split() for usage in usages] == [["gatehouse", *words] for words in asked]
    long = [line.strip() for line in helped.splitlines() if len(line) > 80]
    assert [line for line in long if not line.startswith("./gatehouse ")] == []  # an example is a line to paste


def test_an_installed_command_validates_and_judges(python: Path, tmp_path: Path) -> None:
    command = str(python.with_name("gatehouse"))
    (tmp_path / "standard.yaml").write_text(STANDARD, encoding="utf-8")
    labels = [{"Name": "Violence", "ParentName": "", "Confidence": 92.5, "TaxonomyLevel": 1}]
    answer = json.dumps({"ModerationLabels": labels, "ModerationModelVersion": "7.0"})

    assert run([command, "--version"], tmp_path) == f"gatehouse {gatehouse.__version__}\n"
    validated = run([command, "policy", "validate", "standard.yaml"], tmp_path)
    assert validated.startswith("standard.yaml: ok, standard version 1")
    judged = run([command, "policy", "judge", "standard.yaml", "-"], tmp_path, answer)
    assert judged.startswith("BLOCKED under standard version 1")


def test_advice_of_an_installed_command_can_be_copied(python: Path, tmp_path: Path) -> None:
    (tmp_path / "report.jsonl").write_text("nothing", encoding="utf-8")

    for command, name in ((python.with_name("gatehouse"), "gatehouse"), (ROOT / "gatehouse", "./gatehouse")):
        advised = run([str(command), "upload-again", "--report", "report.jsonl"], tmp_path, status=1)
        assert f"was not written by `{name} reconcile --report`" in " ".join(advised.split())
