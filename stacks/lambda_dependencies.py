"""What the functions import beside our own code and boto3: pinned wheels, fetched once and kept.

    python -m stacks.lambda_dependencies

fetches them into .cache/lambda-dependencies/<hash of the requirements file>/. Synthesis takes them from there and needs
no network. Wheels are unpacked and never built, so no container is needed, and the asset is the same on every machine:
pure Python for all functions, and beside it what the renderer decodes with, compiled for Lambda's arm64.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = _ROOT / "lambdas" / "requirements.txt"
RENDERER_REQUIREMENTS = _ROOT / "lambdas" / "requirements-renderer.txt"
HEIC_REQUIREMENTS = _ROOT / "lambdas" / "requirements-renderer-heic.txt"
CACHE = _ROOT / ".cache" / "lambda-dependencies"

_WHEELS = ("--only-binary", ":all:", "--python-version", "3.13")
#: Wheels for any platform and any Python.
_PURE_PYTHON = ("--platform", "any", "--implementation", "py", "--abi", "none")
#: Wheels for the functions' runtime: Python 3.13 on Amazon Linux 2023, which has glibc 2.34 (Lambda Developer Guide,
#: lambda-runtimes.html; Amazon Linux 2023 User Guide, compare-with-al2.html).
_COMPILED_FOR_LAMBDA = ("--platform", "manylinux_2_28_aarch64", "--implementation", "cp", "--abi", "cp313")

_COMPILED = frozenset({".so", ".pyd", ".dylib", ".dll"})
#: Modules, and the data that aws-xray-sdk reads. The rest is stubs, C sources and web pages of an unused feature.
_IMPORTED = frozenset({".py", ".json"})

#: Extension modules, and the libraries that a wheel brings for them (`libtiff-0c352bdc.so.6.3.0`).
_LIBRARY = re.compile(r"\.so(\.[0-9]+)*$")
#: How a 64-bit little-endian ELF file begins, and where it says for which processor it is: 183 is AArch64 (ELF for the
#: Arm 64-bit Architecture, e_machine).
_ELF, _ELF_MACHINE, _AARCH64 = b"\x7fELF\x02\x01", slice(18, 20), (183).to_bytes(2, "little")


class DependenciesError(Exception):
    """The functions' dependencies are missing or unsuitable. The message says what to do."""


def installed_dependencies(requirements: Path = REQUIREMENTS, cache: Path = CACHE) -> Path:
    """The folder with a requirements file's packages.

    Raises:
        DependenciesError: they were not fetched yet, or for another content of the file.
    """
    folder = _folder(requirements, cache)
    if not folder.is_dir():
        raise DependenciesError(
            "the functions' dependencies are not installed; run: python -m stacks.lambda_dependencies"
        )
    return folder


def install_dependencies(requirements: Path = REQUIREMENTS, cache: Path = CACHE, *, compiled: bool = False) -> Path:
    """Fetch the dependencies unless they are there already, and return their folder.

    Args:
        compiled: whether they are compiled for Lambda's arm64; else they have to be pure Python.

    Raises:
        DependenciesError: pip failed, or a package holds compiled code that it must not hold.
    """
    folder = _folder(requirements, cache)
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".fetching-") as temporary:
        fetched = Path(temporary, "packages")
        _fetch(requirements, fetched, _COMPILED_FOR_LAMBDA if compiled else _PURE_PYTHON)
        _strip(fetched, compiled=compiled)
        try:
            os.rename(fetched, folder)  # atomic: an interrupted fetch leaves nothing that looks complete
        except OSError:
            if not folder.is_dir():  # otherwise another process was faster
                raise
    return folder


def _folder(requirements: Path, cache: Path) -> Path:
    return cache / hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]


def _fetch(requirements: Path, target: Path, kind: Sequence[str]) -> None:
    options = ("--quiet", "--no-input", "--disable-pip-version-check", "--no-deps", "--require-hashes", "--no-compile")
    command = [sys.executable, "-m", "pip", "install", *options, *_WHEELS, *kind]
    completed = subprocess.run(
        [*command, "--target", str(target), "--requirement", str(requirements)], stdin=subprocess.DEVNULL, check=False
    )
    if completed.returncode:
        raise DependenciesError(
            f"pip could not fetch {requirements.name} (see above); check the network and pip's settings, then run: "
            "python -m stacks.lambda_dependencies"
        )


def _strip(folder: Path, *, compiled: bool) -> None:
    """Keep what is imported. Installation records name this machine and would make the asset differ from others'."""
    for leftover in [folder / "bin", *folder.glob("*.dist-info"), *folder.glob("*-stubs")]:
        shutil.rmtree(leftover, ignore_errors=True)
    files = [path for path in folder.rglob("*") if path.is_file()]
    libraries = {path for path in files if _LIBRARY.search(path.name) or path.suffix in _COMPILED}
    wrong = sorted(path.name for path in libraries if not (compiled and _runs_on_lambda(path)))
    if wrong and compiled:
        raise DependenciesError(f"not for Lambda's arm64: {', '.join(wrong)}; pin a version with such a wheel")
    if wrong:
        raise DependenciesError(f"not pure Python: {', '.join(wrong)}; pin a version with a py3-none-any wheel")
    for path in files:
        if path.suffix not in _IMPORTED and path not in libraries:
            path.unlink()


def _runs_on_lambda(library: Path) -> bool:
    with library.open("rb") as file:
        head = file.read(_ELF_MACHINE.stop)
    return head.startswith(_ELF) and head[_ELF_MACHINE] == _AARCH64


def main() -> int:
    """Command line; returns the exit status."""
    try:
        print(install_dependencies())
        for requirements in (RENDERER_REQUIREMENTS, HEIC_REQUIREMENTS):
            print(install_dependencies(requirements, compiled=True))
    except DependenciesError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
