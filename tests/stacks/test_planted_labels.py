"""Planted labels are the local cloud's: what is deployed neither reads them nor has the code that could."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.rekognition.planted_labels import METADATA_KEY
from tests.stacks.conftest import ROOT, Assembly

#: It has files of our own, whose metadata we wrote; uploads are elsewhere.
_OURS = ROOT / "src" / "gatehouse" / "aws" / "work_bucket.py"

DEPLOYED = [path for folder in ("lambdas", "stacks", "src/gatehouse") for path in sorted((ROOT / folder).rglob("*.py"))]


def imported(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("path", DEPLOYED, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_that_is_deployed_knows_planted_labels(path: Path) -> None:
    source = path.read_text("utf-8")

    assert not [name for name in imported(source) if name.partition(".")[0] == "localcloud"]
    # A result line's member is called detect-moderation-labels.
    assert not re.search(rf"(?<!detect-){METADATA_KEY}|plant", source, re.IGNORECASE)


def test_the_functions_asset_has_no_code_of_the_local_cloud(shipped: Assembly) -> None:
    (asset,) = [folder for folder in shipped.folder.glob("asset.*") if (folder / "policies").is_dir()]

    assert not (asset / "localcloud").exists()
    assert not [path for path in asset.rglob("*") if "planted" in path.name]


@pytest.mark.parametrize(
    "path", [path for path in DEPLOYED if path != _OURS], ids=lambda path: str(path.relative_to(ROOT))
)
def test_nothing_that_is_deployed_looks_at_an_objects_metadata(path: Path) -> None:
    assert not re.search(r"""(\[|get\()["']Metadata["']""", path.read_text("utf-8"))
