"""Set-up: each step once, again when what it was made from changed, and one process at a time."""

import importlib.metadata
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from demo.synthesis import ROOT
from tools import set_up
from tools.set_up import SetUpError, Step

REQUIREMENTS = sorted(path.name for path in ROOT.glob("requirements*.txt"))

#: What functions' assets hold.
SHIPPED = sorted(f"lambdas/{path.name}" for path in (ROOT / "lambdas").glob("requirements*.txt"))

#: What an example needs, installed beside what everything needs.
EXAMPLE = "examples/analyzers/requirements.txt"

_PIN = re.compile(r"([A-Za-z0-9._-]+)==([^\s;]+)( ;[^\\]*)?((?: --hash=sha256:[0-9a-f]{64})+)")


def pins(name: str) -> dict[str, str]:
    """Normalized package name -> version, of a requirements file; each must be exact, and have its files' hashes."""
    found: dict[str, str] = {}
    for line in re.sub(r" \\\n +", " ", (ROOT / name).read_text(encoding="utf-8")).splitlines():
        if line and not line.startswith("#"):
            match = _PIN.fullmatch(line)
            assert match, f"{name}: {line[:80]!r} is not an exact pin with hashes"
            found[normalized(match[1])] = match[2]
    return found


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


class Journal:
    """Steps that only note that they were done."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[str] = []
        self.failing: set[str] = set()
        steps = {
            "base": Step("base", ("base.txt",), (), self._install("base")),
            "more": Step("more", ("base.txt", "more.txt"), ("base",), self._install("more")),
        }
        monkeypatch.setattr(set_up, "STEPS", steps)

    def _install(self, name: str) -> Callable[[Path], None]:
        def install(root: Path) -> None:
            (root / name).mkdir(exist_ok=True)
            self.done.append(name)
            if name in self.failing:
                raise SetUpError("no network")

        return install


@pytest.fixture
def journal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Journal:
    for name in ("base.txt", "more.txt"):
        (tmp_path / name).write_text("1", encoding="utf-8")
    return Journal(monkeypatch)


def test_a_step_is_done_once_after_those_it_needs(journal: Journal, tmp_path: Path) -> None:
    set_up.set_up(["more"], tmp_path)
    set_up.set_up(["more", "base"], tmp_path)

    assert journal.done == ["base", "more"]


def test_a_step_is_done_again_when_a_file_it_was_made_from_changed(journal: Journal, tmp_path: Path) -> None:
    set_up.set_up(["more"], tmp_path)
    (tmp_path / "more.txt").write_text("2", encoding="utf-8")
    set_up.set_up(["more"], tmp_path)

    assert journal.done == ["base", "more", "more"]


def test_a_step_that_failed_is_done_again(journal: Journal, tmp_path: Path) -> None:
    journal.failing = {"base"}
    with pytest.raises(SetUpError):
        set_up.set_up(["more"], tmp_path)
    journal.failing = set()
    set_up.set_up(["more"], tmp_path)

    assert journal.done == ["base", "base", "more"]


def test_what_can_be_missing_stops_nothing_and_is_tried_again(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spare = Step("spare", ("more.txt",), ("base",), journal._install("spare"), without_it="planted labels still work.")
    monkeypatch.setitem(set_up.STEPS, "spare", spare)
    journal.failing = {"spare"}

    set_up.set_up(["spare", "more"], tmp_path)
    assert "no network\nGoing on without it: planted labels still work." in capsys.readouterr().err
    set_up.set_up(["spare"], tmp_path)

    assert journal.done == ["base", "spare", "more", "spare"]


def test_a_step_whose_product_was_deleted_is_done_again(journal: Journal, tmp_path: Path) -> None:
    set_up.set_up(["more"], tmp_path)
    (tmp_path / "more" / ".set-up-more").unlink()
    (tmp_path / "more").rmdir()
    set_up.set_up(["more"], tmp_path)

    assert journal.done == ["base", "more", "more"]


def test_this_environment_is_exactly_what_the_requirement_files_say() -> None:
    expected = pins("requirements.txt") | pins("requirements-dev.txt")

    installed = {
        normalized(distribution.name): distribution.version for distribution in importlib.metadata.distributions()
    }

    example = pins(EXAMPLE) if pins(EXAMPLE).keys() & installed.keys() else {}
    assert {name: version for name, version in installed.items() if name not in ("pip", "setuptools")} == (
        expected | example
    )


def test_no_package_is_missing_from_the_requirement_files() -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "pip", "check"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )

    assert checked.returncode == 0, checked.stdout


def test_the_files_that_are_installed_side_by_side_share_no_package() -> None:
    side_by_side = ("requirements.txt", "requirements-dev.txt", EXAMPLE)

    assert len({package for name in side_by_side for package in pins(name)}) == sum(
        len(pins(name)) for name in side_by_side
    )


@pytest.mark.parametrize("name", [*REQUIREMENTS, *SHIPPED, EXAMPLE])
def test_every_package_is_pinned_exactly_with_hashes_and_no_file_says_where_it_comes_from(name: str) -> None:
    assert pins(name)
    assert "://" not in (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("step", ["python", "test", "aws-cli", "checkov", "onnx-example"])
def test_nothing_is_installed_without_its_hash(step: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    commands: list[list[str]] = []
    (tmp_path / ".venv/lib/python3.11/site-packages").mkdir(parents=True)
    monkeypatch.setattr(set_up, "_run", lambda command, *_: commands.append(command))
    monkeypatch.setattr(set_up, "_create_environment", lambda *_, **__: None)

    set_up.STEPS[step].install(tmp_path)

    assert commands
    assert all("--require-hashes" in command for command in commands)


def test_set_up_notices_a_change_of_anything_that_is_shipped() -> None:
    assert set(set_up.STEPS["runtime"].inputs) == set(SHIPPED)


def test_the_functions_dependencies_are_the_tested_ones() -> None:
    shipped = {package: version for name in SHIPPED for package, version in pins(name).items()}
    tested = pins("requirements.txt") | pins("requirements-dev.txt")

    assert shipped
    assert {name: tested.get(name) for name in shipped} == shipped
