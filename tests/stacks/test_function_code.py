"""The functions' assets hold all they import, are the same everywhere, and are made without a container."""

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from gatehouse.configuration.policies import compile_policies
from localcloud.patches.foreign_packages import remove_foreign_packages
from stacks.constructs.function_code import assemble_code, assemble_renderer
from stacks.lambda_dependencies import (
    HEIC_REQUIREMENTS,
    RENDERER_REQUIREMENTS,
    REQUIREMENTS,
    DependenciesError,
    install_dependencies,
    installed_dependencies,
)

ROOT = Path(__file__).resolve().parents[2]
POLICIES = compile_policies(ROOT / "policies").files(["standard", "strict"])

#: Imports both handlers with nothing but the asset and what the runtime brings, and looks where wrapt came from.
PROGRAM = """
import importlib, sys
for module in ("lambdas.batcher.handler", "lambdas.results.handler"):
    assert callable(importlib.import_module(module).handler)
from lambdas.shipped_policies import read_policy
print(read_policy("standard").name)
for name in ("aws_lambda_powertools", "aws_xray_sdk", "jmespath", "wrapt", "lambdas", "gatehouse.moderation"):
    assert sys.modules[name].__file__.startswith(sys.path[0]), name
"""


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("asset") / "code"
    assemble_code(folder, POLICIES, install_dependencies())
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_handlers_import_with_the_asset_and_boto3_alone(code: Path, tmp_path: Path) -> None:
    runtime = tmp_path / "runtime"
    runtime.mkdir()
    packages = Path(sys.modules["pytest"].__file__ or "").parents[1]
    for name in ("boto3", "botocore", "s3transfer", "urllib3", "dateutil", "six.py"):
        (runtime / name).symlink_to(packages / name)
    (runtime / "jmespath").symlink_to(packages / "jmespath")
    program = f"import sys\nsys.path[:0] = [{str(code)!r}]\nsys.path.append({str(runtime)!r})\n{PROGRAM}"
    environment = {
        "AWS_DEFAULT_REGION": "us-east-1",
        "LAMBDA_TASK_ROOT": str(code),
        "POWERTOOLS_SERVICE_NAME": "test",
        "POWERTOOLS_METRICS_NAMESPACE": "Gatehouse",
    }

    imported = subprocess.run(
        [sys.executable, "-S", "-I", "-B", "-c", program], env=environment, capture_output=True, text=True, check=False
    )

    assert (imported.returncode, imported.stdout) == (0, "standard\n"), imported.stderr


def test_the_asset_holds_modules_and_data_and_nothing_compiled(code: Path) -> None:
    files = contents(code)

    assert {Path(name).suffix for name in files} == {".py", ".json"}
    assert {name.split("/")[0] for name in files} == {
        *("aws_lambda_powertools", "aws_xray_sdk", "jmespath", "typing_extensions.py", "wrapt"),
        *("gatehouse", "lambdas", "policies"),
    }
    assert {name for name in files if name.startswith("policies/")} == {
        "policies/standard.json",
        "policies/strict.json",
    }


def test_the_asset_holds_the_handlers_the_domain_the_adapters_and_the_contracts_as_they_are(code: Path) -> None:
    package = ROOT / "src" / "gatehouse"
    modules = [path for room in ("aws", "contracts", "moderation") for path in (package / room).rglob("*.py")]
    lambdas = [path for path in (ROOT / "lambdas").rglob("*.py") if path.parent.name != "renderer"]
    ours = {str(path.relative_to(ROOT)) for path in lambdas}
    ours |= {str(path.relative_to(ROOT / "src")) for path in modules}

    assert {name for name in contents(code) if name.startswith(("lambdas/", "gatehouse/"))} == ours


def test_the_asset_is_small(code: Path) -> None:
    assert sum(path.stat().st_size for path in code.rglob("*") if path.is_file()) < 5_000_000


def test_the_asset_is_the_same_each_time(code: Path, tmp_path: Path) -> None:
    assemble_code(tmp_path / "again", POLICIES, installed_dependencies())

    assert contents(tmp_path / "again") == contents(code)


def test_a_policy_changes_the_asset(code: Path, tmp_path: Path) -> None:
    assemble_code(tmp_path / "other", POLICIES | {"standard.json": "{}"}, installed_dependencies())

    assert contents(tmp_path / "other") != contents(code)


@pytest.mark.parametrize("requirements", [REQUIREMENTS, RENDERER_REQUIREMENTS, HEIC_REQUIREMENTS])
def test_every_dependency_is_pinned_to_a_version_and_a_hash(requirements: Path) -> None:
    lines = requirements.read_text("utf-8").replace("\\\n", "").splitlines()
    pins = [line.split() for line in lines if not line.startswith("#")]

    assert pins
    assert all("==" in name and options and options[0].startswith("--hash=sha256:") for name, *options in pins)


def test_nothing_is_fetched_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_dependencies()
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("pip was started"))

    assert install_dependencies() == installed_dependencies()


def test_missing_dependencies_are_told_with_the_command_that_fetches_them(tmp_path: Path) -> None:
    with pytest.raises(DependenciesError, match=r"run: python -m stacks\.lambda_dependencies"):
        installed_dependencies(cache=tmp_path)


def test_a_failed_fetch_leaves_nothing_that_looks_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("gatehouse-no-such-package==1 --hash=sha256:" + "0" * 64, encoding="utf-8")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    cache = tmp_path / "cache"

    with pytest.raises(DependenciesError, match=r"pip could not fetch requirements\.txt"):
        install_dependencies(requirements, cache)

    assert os.listdir(cache) == []


def test_compiled_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(_: Path, target: Path, _kind: object) -> None:
        (target / "package").mkdir(parents=True)
        (target / "package" / "fast.cpython-313-x86_64-linux-gnu.so").touch()

    monkeypatch.setattr("stacks.lambda_dependencies._fetch", fetch)

    with pytest.raises(
        DependenciesError, match=r"not pure Python: fast\.cpython.*pin a version with a py3-none-any wheel"
    ):
        install_dependencies(cache=tmp_path / "cache")


#: Imports the renderer's handler and decodes a picture, with the asset's modules and this machine's decoders.
RENDERER_PROGRAM = """
import importlib, io, json, sys
assert callable(importlib.import_module("lambdas.renderer.handler").handler)
from PIL import Image
from gatehouse.contracts.render_call import RenderRequest
from lambdas.renderer.decoder import Decoder
from lambdas.renderer.presigned_object import PresignedObject
from lambdas.renderer.rendering import Rendering
decoder = Decoder(heic=True)
decoder.prepare()
file = io.BytesIO()
Image.new("RGB", (100, 100)).save(file, "WEBP")
print(Rendering(PresignedObject(), decoder).decode(file.getvalue(), RenderRequest("")).description.format)
for name in ("aws_lambda_powertools", "lambdas.renderer", "gatehouse.moderation"):
    assert sys.modules[name].__file__.startswith(sys.path[0]), name
"""


@pytest.fixture(scope="module")
def renderer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("renderer") / "code"
    decoders = [install_dependencies(file, compiled=True) for file in (RENDERER_REQUIREMENTS, HEIC_REQUIREMENTS)]
    assemble_renderer(folder, [install_dependencies(), *decoders])
    return folder


def test_the_renderer_runs_with_its_asset_and_decoders_alone(renderer: Path, tmp_path: Path) -> None:
    code, runtime = tmp_path / "code", tmp_path / "runtime"
    shutil.copytree(renderer, code)
    runtime.mkdir()
    remove_foreign_packages(code)
    packages = Path(sys.modules["pytest"].__file__ or "").parents[1]
    decoders = ("PIL", "pillow.libs", "pi_heif", "pi_heif.libs", f"_pi_heif{sysconfig.get_config_var('EXT_SUFFIX')}")
    for name in (*decoders, "boto3", "botocore", "s3transfer", "urllib3", "dateutil", "six.py", "jmespath"):
        (runtime / name).symlink_to(packages / name)
    program = f"import sys\nsys.path[:0] = [{str(code)!r}]\nsys.path.append({str(runtime)!r})\n{RENDERER_PROGRAM}"

    imported = subprocess.run(
        [sys.executable, "-S", "-I", "-B", "-c", program],
        env={"AWS_DEFAULT_REGION": "us-east-1", "LAMBDA_TASK_ROOT": str(code), "POWERTOOLS_SERVICE_NAME": "test"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (imported.returncode, imported.stdout) == (0, "WEBP\n"), imported.stderr


def test_the_renderers_asset_holds_its_own_code_the_domain_and_the_contracts_only(renderer: Path) -> None:
    names = contents(renderer)

    assert {name for name in names if name.startswith("lambdas/")} == {
        str(path.relative_to(ROOT)) for path in (ROOT / "lambdas" / "renderer").glob("*.py")
    }
    assert {name.split("/")[1] for name in names if name.startswith("gatehouse/")} == {"contracts", "moderation"}
    assert not [name for name in names if name.startswith("policies/")]


def test_the_renderers_asset_is_compiled_for_lambdas_processor(renderer: Path) -> None:
    extensions = {path.name for path in renderer.rglob("*.so")}

    assert {"_imaging", "_imagingcms", "_webp", "_avif", "_pi_heif"} <= {name.partition(".")[0] for name in extensions}
    assert all("cpython-313-aarch64-linux-gnu" in name for name in extensions)
    assert sum(path.stat().st_size for path in renderer.rglob("*") if path.is_file()) < 50_000_000


def test_without_heic_nothing_of_it_is_part_of_the_renderers_asset(tmp_path: Path) -> None:
    decoder = install_dependencies(RENDERER_REQUIREMENTS, compiled=True)
    assemble_renderer(tmp_path / "code", [install_dependencies(), decoder])

    assert not [name for name in contents(tmp_path / "code") if "heif" in name.lower() or "265" in name]


def test_the_renderers_asset_is_the_same_wherever_it_is_made(renderer: Path, tmp_path: Path) -> None:
    """Fetched anew, into another folder, by a pip that installs for another Python than the one it runs on."""
    decoders = [install_dependencies(file, tmp_path / "cache", compiled=True) for file in (RENDERER_REQUIREMENTS,)]
    decoders.append(installed_dependencies(HEIC_REQUIREMENTS))
    assemble_renderer(tmp_path / "again", [installed_dependencies(), *decoders])

    assert contents(tmp_path / "again") == contents(renderer)


@pytest.mark.parametrize("head", [b"\x7fELF\x02\x01" + bytes(12) + b"\x3e\0", b"", b"\xcf\xfa\xed\xfe" + bytes(20)])
def test_code_for_another_processor_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: bytes) -> None:
    def fetch(_: Path, target: Path, _kind: object) -> None:
        (target / "package.libs").mkdir(parents=True)
        (target / "package.libs" / "libfast-1234.so.1.2").write_bytes(head)

    monkeypatch.setattr("stacks.lambda_dependencies._fetch", fetch)

    with pytest.raises(DependenciesError, match=r"not for Lambda's arm64: libfast-1234\.so\.1\.2"):
        install_dependencies(RENDERER_REQUIREMENTS, tmp_path / "cache", compiled=True)
