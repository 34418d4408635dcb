"""The one asset that every function runs from."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from aws_cdk import aws_lambda as lambda_

from stacks.lambda_dependencies import installed_dependencies

_ROOT = Path(__file__).resolve().parents[2]

#: What the functions run: package -> its folder. Of the package `gatehouse`, they have the domain, the AWS adapters and
#: the contracts with the stacks.
_SOURCES = {
    "lambdas": _ROOT / "lambdas",
    "gatehouse/aws": _ROOT / "src" / "gatehouse" / "aws",
    "gatehouse/contracts": _ROOT / "src" / "gatehouse" / "contracts",
    "gatehouse/moderation": _ROOT / "src" / "gatehouse" / "moderation",
}


@contextmanager
def function_code(policies: Mapping[str, str]) -> Iterator[lambda_.Code]:
    """The code for functions made within the context; the library copies it when the first of them is made.

    Its hash changes only with what the functions run: the files are the same on every machine.

    Args:
        policies: file name -> content.

    Raises:
        DependenciesError: the dependencies were not fetched yet.
    """
    with tempfile.TemporaryDirectory() as folder:
        assembled = Path(folder, "code")
        assemble_code(assembled, policies, installed_dependencies())
        yield lambda_.Code.from_asset(str(assembled))


def assemble_code(target: Path, policies: Mapping[str, str], dependencies: Path) -> None:
    """Put our packages, the policies and the dependencies side by side in a new folder."""
    shutil.copytree(dependencies, target, ignore=shutil.ignore_patterns("__pycache__"))
    for package, sources in _SOURCES.items():
        for source in sources.rglob("*.py"):
            copy = target / package / source.relative_to(sources)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
    folder = target / "policies"
    folder.mkdir()
    for name, content in policies.items():
        (folder / name).write_text(content, encoding="utf-8")
