"""The local cloud the end-to-end tests share: synthesized once a run, deployed once a module, IAM enforced."""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from demo.synthesis import ROOT, synthesize
from gatehouse.configuration.policies import compile_policies
from gatehouse.configuration.settings import load_settings
from localcloud.cloud import LocalCloud
from stacks.lambda_dependencies import install_dependencies
from stacks.node_runtime import use_packaged_node
from tests.e2e.pipeline import Pipeline

#: A quarter of the waits of `make local`.
TIME_SCALE = 0.005

Assemblies = Callable[[str | None], Path]
Deploy = Callable[..., AbstractContextManager[Pipeline]]

#: Settings for modules that are about media analysis jobs: `auto` has the image engine analyze what is soon done.
BULK = "lanes: {default: {engine: bulk}}"

#: The shipped settings on an account with a large quota: the image engine's pace costs the tests no time.
QUICK = "{image_engine: {calls_per_second: 250}, lanes: {default: {}}}"


@pytest.fixture(scope="session")
def assemblies(tmp_path_factory: pytest.TempPathFactory) -> Assemblies:
    """`assemblies(settings)`: the cloud assembly of a settings file's text, or of the shipped one where it is None.

    The workers of one run share them; the first one that needs one makes it.
    """
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent

    def assembly(settings: str | None) -> Path:
        name = "shipped" if settings is None else hashlib.sha256(settings.encode()).hexdigest()[:12]
        folder = shared / f"{name}.cdk.out"
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / "manifest.json").is_file():
                if settings is None:
                    synthesize(folder)
                else:
                    _synthesize_here(folder, settings)
        return folder

    return assembly


@pytest.fixture(scope="session")
def assembly(assemblies: Assemblies) -> Path:
    """The cloud assembly of the shipped settings."""
    return assemblies(None)


@pytest.fixture(scope="session")
def deployed(assemblies: Assemblies) -> Deploy:
    """`with deployed() as pipeline`: a cloud of its own, for a test that stops, fills or breaks one.

    `settings` is the text of a settings file, the shipped one if it is left out; other keyword arguments go to
    `LocalCloud.start`.
    """

    @contextmanager
    def deploy(
        settings: str | None = None, time_scale: float = TIME_SCALE, environment: dict[str, str] | None = None
    ) -> Iterator[Pipeline]:
        assembly = assemblies(settings)
        with LocalCloud.start(time_scale=time_scale, environment=environment) as cloud:
            yield Pipeline(cloud, cloud.deploy(assembly))

    return deploy


@pytest.fixture(scope="module")
def settings() -> str | None:
    """The text of the settings file that a module's pipeline has; None is the shipped one."""
    return None


@pytest.fixture(scope="module")
def pipeline(deployed: Deploy, settings: str | None) -> Iterator[Pipeline]:
    """The pipeline on a cloud that the tests of one module share; each test uses keys under a prefix of its own."""
    with deployed(settings) as pipeline:
        yield pipeline


@pytest.fixture(autouse=True)
def well_behaved(request: pytest.FixtureRequest) -> Iterator[None]:
    """After a test, the shared cloud misbehaves no more."""
    yield
    if "pipeline" in request.fixturenames:
        cloud = request.getfixturevalue("pipeline").cloud
        cloud.clear_faults()
        cloud.reset_rekognition()


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    """A key prefix that no other test uses."""
    return f"{request.node.name}/"


def _synthesize_here(folder: Path, settings: str) -> None:
    """Synthesize in this process, where the CDK library, once it is loaded, takes a second."""
    install_dependencies()
    use_packaged_node()
    from stacks.application import build_application

    file = folder.with_suffix(".yaml")
    file.write_text(settings, "utf-8")
    policies = compile_policies(ROOT / "policies")
    build_application(load_settings(file, policies), policies, folder).synth()
