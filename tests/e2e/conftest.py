"""The local cloud the end-to-end tests share: synthesized once a run, deployed once a module, IAM enforced."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from local.cloud import TIME_SCALE, LocalCloud
from local.synthesis import synthesize
from tests.e2e.pipeline import Pipeline

Deploy = Callable[..., AbstractContextManager[Pipeline]]


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The synthesized cloud assembly; the workers of one run share it, the first one makes it."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / "cdk.out"
    with (shared / "cdk.out.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "manifest.json").is_file():
            synthesize(folder)
    return folder


@pytest.fixture(scope="session")
def deployed(assembly: Path) -> Deploy:
    """`with deployed() as pipeline`: a cloud of its own, for a test that stops, fills or breaks one.

    Keyword arguments go to `LocalCloud.start`.
    """

    @contextmanager
    def deploy(time_scale: float = TIME_SCALE, environment: dict[str, str] | None = None) -> Iterator[Pipeline]:
        with LocalCloud.start(time_scale=time_scale, environment=environment) as cloud:
            yield Pipeline(cloud, cloud.deploy(assembly))

    return deploy


@pytest.fixture(scope="module")
def pipeline(deployed: Deploy) -> Iterator[Pipeline]:
    """The pipeline on a cloud that the tests of one module share; each test uses keys under a prefix of its own."""
    with deployed() as pipeline:
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
