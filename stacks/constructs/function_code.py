"""The assets that functions run from: one for all but the renderer, which has its own.

What decodes pictures is part of no other function, and the renderer has nothing but what it needs.
"""

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from aws_cdk import aws_lambda as lambda_

from stacks.lambda_dependencies import HEIC_REQUIREMENTS, RENDERER_REQUIREMENTS, installed_dependencies

_ROOT = Path(__file__).resolve().parents[2]

#: Package -> its folder. Of the package `gatehouse`, all functions have the domain and the contracts with the stacks.
_DOMAIN = {
    "gatehouse/contracts": _ROOT / "src" / "gatehouse" / "contracts",
    "gatehouse/moderation": _ROOT / "src" / "gatehouse" / "moderation",
}
_RENDERER = {"lambdas/renderer": _ROOT / "lambdas" / "renderer"}
_OTHERS = {"lambdas": _ROOT / "lambdas", "gatehouse/aws": _ROOT / "src" / "gatehouse" / "aws"}


@contextmanager
def function_code(policies: Mapping[str, str]) -> Iterator[lambda_.Code]:
    """The code for functions made within the context, but for the renderer; the library copies it when the first of
    them is made.

    Its hash changes only with the code that the functions run: the files are the same on every machine.

    Args:
        policies: file name -> content.

    Raises:
        DependenciesError: the dependencies have not been fetched.
    """
    with tempfile.TemporaryDirectory() as folder:
        assembled = Path(folder, "code")
        assemble_code(assembled, policies, installed_dependencies())
        yield lambda_.Code.from_asset(str(assembled))


@contextmanager
def renderer_code(*, heic: bool) -> Iterator[lambda_.Code]:
    """The code for a renderer made within the context.

    Args:
        heic: whether it can decode HEIC, too.

    Raises:
        DependenciesError: the dependencies were not fetched yet.
    """
    decoders = [installed_dependencies(RENDERER_REQUIREMENTS)]
    if heic:
        decoders.append(installed_dependencies(HEIC_REQUIREMENTS))
    with tempfile.TemporaryDirectory() as folder:
        assembled = Path(folder, "code")
        assemble_renderer(assembled, [installed_dependencies(), *decoders])
        yield lambda_.Code.from_asset(str(assembled))


def assemble_renderer(target: Path, dependencies: Iterable[Path]) -> None:
    """Put the renderer, the domain and the dependencies side by side in a new folder."""
    for folder in dependencies:
        _copy_dependencies(folder, target)
    _copy_sources(_DOMAIN | _RENDERER, target)


def assemble_code(target: Path, policies: Mapping[str, str], dependencies: Path) -> None:
    """Put our packages but the renderer, the policies and the dependencies side by side in a new folder."""
    _copy_dependencies(dependencies, target)
    _copy_sources(_DOMAIN | _OTHERS, target)
    for package in _RENDERER:
        shutil.rmtree(target / package)
    folder = target / "policies"
    folder.mkdir()
    for name, content in policies.items():
        (folder / name).write_text(content, encoding="utf-8")


def _copy_dependencies(folder: Path, target: Path) -> None:
    shutil.copytree(folder, target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)


def _copy_sources(packages: Mapping[str, Path], target: Path) -> None:
    for package, sources in packages.items():
        for source in sources.rglob("*.py"):
            copy = target / package / source.relative_to(sources)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
