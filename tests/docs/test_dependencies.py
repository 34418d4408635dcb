"""The arrows of docs/architecture.md: which room of the house may use which."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from demo.synthesis import ROOT

#: Room -> the rooms of ours that its modules may import from; each may import from itself. Longest name wins.
ARROWS: Mapping[str, frozenset[str]] = {
    "app": frozenset({"stacks", "gatehouse.configuration"}),
    "stacks": frozenset({"gatehouse.configuration", "gatehouse.contracts", "gatehouse.moderation"}),
    "lambdas": frozenset({"gatehouse.aws", "gatehouse.contracts", "gatehouse.moderation"}),
    "gatehouse.console": frozenset(),
    "gatehouse.moderation": frozenset(),
    "gatehouse.aws": frozenset({"gatehouse.moderation"}),
    "gatehouse.contracts": frozenset({"gatehouse.moderation"}),
    "gatehouse.configuration": frozenset({"gatehouse.contracts", "gatehouse.moderation"}),
    "gatehouse.cli.aws": frozenset(
        {
            *("gatehouse.aws", "gatehouse.contracts", "gatehouse.moderation"),
            # What all commands have, and no noun's folder.
            *("gatehouse.cli.clock", "gatehouse.cli.connection", "gatehouse.cli.deployment", "gatehouse.cli.errors"),
            *("gatehouse.cli.paste", "gatehouse.cli.share"),
        }
    ),
    "gatehouse.cli": frozenset(
        {
            *("gatehouse.__version__", "gatehouse.aws", "gatehouse.cli.aws", "gatehouse.configuration"),
            "gatehouse.console",
            *("gatehouse.contracts", "gatehouse.moderation"),
            "gatehouse.review",  # by `review open` alone, when it runs
        }
    ),
    "gatehouse.review": frozenset(
        {"gatehouse.aws", "gatehouse.cli", "gatehouse.cli.aws", "gatehouse.console", "gatehouse.moderation"}
    ),
    "localcloud": frozenset(
        {
            *("localcloud.faults", "localcloud.patches", "localcloud.rekognition"),
            *("gatehouse.moderation.document.shown", "gatehouse.moderation.policy.taxonomy"),
        }
    ),
    "localcloud.rekognition": frozenset(
        {
            *("gatehouse.moderation.document.shown", "gatehouse.moderation.image_format.format_of"),
            *("gatehouse.moderation.policy.taxonomy", "localcloud"),
        }
    ),
    "localcloud.patches": frozenset({"localcloud", "localcloud.rekognition"}),
    "localcloud.faults": frozenset({"gatehouse.moderation.document.shown", "localcloud", "localcloud.patches"}),
    "demo": frozenset(
        {
            *("gatehouse.configuration", "gatehouse.console", "gatehouse.contracts", "gatehouse.moderation"),
            *("localcloud", "localcloud.rekognition"),
        }
    ),
    "tools": frozenset(),
}

#: What the package may import that is not ours, beside the standard library.
PACKAGES: Mapping[str, frozenset[str]] = {
    "gatehouse.console": frozenset({"rich"}),
    "gatehouse.moderation": frozenset(),
    "gatehouse.aws": frozenset({"boto3", "botocore"}),
    "gatehouse.contracts": frozenset(),
    "gatehouse.configuration": frozenset({"yaml"}),
    "gatehouse.cli.aws": frozenset({"boto3", "botocore"}),
    "gatehouse.cli": frozenset({"boto3", "botocore", "rich", "typer"}),
    "gatehouse.review": frozenset({"botocore", "jinja2", "starlette", "uvicorn", "yaml"}),
    "tools": frozenset(),
}


def modules() -> Mapping[str, Path]:
    """The modules of everything but the tests, by their names."""
    found = {"app": ROOT / "app.py"}
    for root, parent in (("gatehouse", ROOT / "src"), *((room, ROOT) for room in top_rooms())):
        for path in (parent / root).rglob("*.py"):
            name = ".".join(path.relative_to(parent).with_suffix("").parts).removesuffix(".__init__")
            found[name] = path
    return found


def top_rooms() -> list[str]:
    return sorted({room.partition(".")[0] for room in ARROWS} - {"app", "gatehouse"})


def room_of(module: str) -> str:
    """The room with the longest name that a module is in; the package's own name is in none."""
    rooms = [room for room in ARROWS if module == room or module.startswith(f"{room}.")]
    return max(rooms, key=len, default="")


def imports(path: Path) -> Iterator[str]:
    """Full names of what a module imports, also inside functions and for type checkers only."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


MODULES = modules()


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_uses_only_what_its_room_may(module: str) -> None:
    room = room_of(module)
    if not room:
        assert list(imports(MODULES[module])) == []
        return
    ours = {name.partition(".")[0] for name in ARROWS}

    for name in imports(MODULES[module]):
        if name.partition(".")[0] in ours:
            allowed = room_of(name) in ARROWS[room] or any(
                name == other or name.startswith(f"{other}.") for other in ARROWS[room] - ARROWS.keys()
            )
            assert room_of(name) == room or allowed, f"{module} imports {name}"
        elif room in PACKAGES:
            root = name.partition(".")[0]
            is_stub = root.startswith("mypy_boto3")
            assert root in PACKAGES[room] | sys.stdlib_module_names or is_stub, f"{module} imports {name}"


def test_only_one_command_needs_the_packages_of_the_page_and_only_when_it_runs() -> None:
    users = {
        name
        for name, path in MODULES.items()
        if room_of(name) == "gatehouse.cli"
        and "gatehouse.review" in str([found for found in imports(path) if found.startswith("gatehouse.review")])
    }
    assert users == {"gatehouse.cli.review.open_command"}
    done = subprocess.run(
        [sys.executable, "-c", "import sys, gatehouse.cli.__main__; print('starlette' in sys.modules)"],
        env={"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"


def test_every_folder_with_code_is_a_room() -> None:
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")} | {
        f"gatehouse.{path.parent.name}" for path in (ROOT / "src" / "gatehouse").glob("*/__init__.py")
    }

    assert folders - {"tests"} <= set(ARROWS)


def test_pictures_are_decoded_in_one_place() -> None:
    """Of what is deployed, or builds it; the demo draws its samples, and a model of the local cloud sees pixels."""
    decoding = {
        module
        for module, path in MODULES.items()
        if room_of(module) != "demo"
        and not module.startswith("localcloud.rekognition.small_model.")
        and any(name.partition(".")[0] in ("PIL", "pi_heif", "_pi_heif") for name in imports(path))
    }

    assert decoding == {f"lambdas.renderer.{name}" for name in ("composition", "decoder", "shown_picture")}
