"""What the functions import beside our own code and boto3: pinned, pure Python, fetched once and kept.

    python -m stacks.lambda_dependencies

fetches it into .cache/lambda-dependencies/<hash of lambdas/requirements.txt>/. Synthesis takes it from there and needs
no network. Pure Python makes one asset forevery processor and every Python; no container is needed to build it.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = _ROOT / "lambdas" / "requirements.txt"
CACHE = _ROOT / ".cache" / "lambda-dependencies"

#: Wheels for any platform and any Python, and nothing that would have to be built.
_PURE_PYTHON = (
    *("--only-binary", ":all:", "--platform", "any", "--implementation", "py", "--abi", "none"),
    *("--python-version", "3.13"),
)
_COMPILED = frozenset({".so", ".pyd", ".dylib", ".dll"})
#: Modules, and the data that aws-xray-sdk reads. The rest is stubs, C sources and the web pages of a feature not used.
_IMPORTED = frozenset({".py", ".json"})


class DependenciesError(Exception):
    """The functions' dependencies are not there, or are not what they must be. The message says what to do."""


def installed_dependencies(requirements: Path = REQUIREMENTS, cache: Path = CACHE) -> Path:
    """The folder with the dependencies' packages.

    Raises:
        DependenciesError: they were not fetched yet, or for another requirements file.
    """
    folder = _folder(requirements, cache)
    if not folder.is_dir():
        raise DependenciesError(
            "the functions' dependencies are not installed; run: python -m stacks.lambda_dependencies"
        )
    return folder


def install_dependencies(requirements: Path = REQUIREMENTS, cache: Path = CACHE) -> Path:
    """Fetch the dependencies unless they are there already, and return their folder.

    Raises:
        DependenciesError: pip failed, or a package holds compiled code.
    """
    folder = _folder(requirements, cache)
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".fetching-") as temporary:
        fetched = Path(temporary, "packages")
        _fetch(requirements, fetched)
        _strip(fetched)
        try:
            os.rename(fetched, folder)  # at once: an interrupted fetch leaves nothing that looks complete
        except OSError:
            if not folder.is_dir():  # otherwise another process was faster
                raise
    return folder


def _folder(requirements: Path, cache: Path) -> Path:
    return cache / hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]


def _fetch(requirements: Path, target: Path) -> None:
    options = ("--quiet", "--no-input", "--disable-pip-version-check", "--no-deps", "--require-hashes", "--no-compile")
    command = [sys.executable, "-m", "pip", "install", *options, *_PURE_PYTHON]
    completed = subprocess.run(
        [*command, "--target", str(target), "--requirement", str(requirements)], stdin=subprocess.DEVNULL, check=False
    )
    if completed.returncode:
        raise DependenciesError(
            f"pip could not fetch {requirements.name} (see above); check the network and pip's settings, then run: "
            "python -m stacks.lambda_dependencies"
        )


def _strip(folder: Path) -> None:
    """Keep what is imported. Installation records name this machine and would make the asset differ from others'."""
    for leftover in [folder / "bin", *folder.glob("*.dist-info"), *folder.glob("*-stubs")]:
        shutil.rmtree(leftover, ignore_errors=True)
    files = [path for path in folder.rglob("*") if path.is_file()]
    if compiled := sorted(path.name for path in files if path.suffix in _COMPILED):
        raise DependenciesError(f"not pure Python: {', '.join(compiled)}; pin a version with a py3-none-any wheel")
    for path in files:
        if path.suffix not in _IMPORTED:
            path.unlink()


def main() -> int:
    """Command line; returns the exit status."""
    try:
        print(install_dependencies())
    except DependenciesError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
