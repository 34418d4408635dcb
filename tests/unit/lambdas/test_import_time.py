"""What a cold start pays for: which modules an import brings in, not how long it takes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[3]
_LIST_MODULES = (
    "import sys, json, importlib; importlib.import_module(sys.argv[1]); print(json.dumps(list(sys.modules)))"
)

#: Modules that a handler has no use for and that take long to import.
HEAVY = {"pydantic", "yaml", "requests", "aiohttp", "numpy", "PIL", "rich", "jsonschema", "fastjsonschema", "moto"}
_PACKAGES = _ROOT / "src"
_PYTHONPATH = f"{_ROOT}:{_PACKAGES}"
DOMAIN = sorted(
    ".".join(path.relative_to(_PACKAGES).with_suffix("").parts)
    for room in ("contracts", "moderation")
    for path in (_PACKAGES / "gatehouse" / room).rglob("[a-z]*.py")
)


def _top_level_modules(name: str) -> set[str]:
    """The top-level modules in a fresh interpreter that imported `name`, without those it starts with."""
    environment = {"AWS_DEFAULT_REGION": "us-east-1", "PYTHONPATH": _PYTHONPATH}
    loaded = []
    for module in (name, "sys"):
        command = [sys.executable, "-c", _LIST_MODULES, module]
        output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=60).stdout
        loaded.append({module.partition(".")[0] for module in json.loads(output)})
    return loaded[0] - loaded[1]


@pytest.mark.parametrize("function", ["analyzer", "batcher", "outcomes", "results", "sweeper"])
def test_a_handler_imports_nothing_heavy(function: str) -> None:
    assert not _top_level_modules(f"lambdas.{function}.handler") & (HEAVY | {"difflib"})


def test_the_domain_and_the_contracts_are_made_of_the_standard_library_alone() -> None:
    code = "; ".join(f"import {module}" for module in DOMAIN)
    command = [
        sys.executable,
        "-c",
        f"import sys; before = set(sys.modules); {code}; print(*set(sys.modules) - before)",
    ]
    environment = {"PYTHONPATH": _PYTHONPATH}
    output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=60).stdout

    foreign = {module.partition(".")[0] for module in output.split()} - set(sys.stdlib_module_names) - {"gatehouse"}

    assert {"gatehouse.moderation.policy.policy", "gatehouse.contracts.batcher_environment"} <= set(output.split())
    assert foreign == set()
