"""One local cloud for all tests of a worker; every test makes its own resources in it."""

import os
from collections.abc import Iterator

import pytest

from local.cloud import LocalCloud
from tests.local.workbench import Workbench

# A minute of AWS is 0.6 s.
TIME_SCALE = 0.01


@pytest.fixture(scope="session", autouse=True)
def no_settings_of_the_user() -> Iterator[None]:
    """Nothing of the developer's AWS profile takes part in a test."""
    with pytest.MonkeyPatch.context() as environment:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            environment.delenv(name)
        environment.setenv("AWS_CONFIG_FILE", os.devnull)
        environment.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        yield


@pytest.fixture(scope="session")
def cloud() -> Iterator[LocalCloud]:
    """A running local cloud, with IAM enforced."""
    with LocalCloud.start(time_scale=TIME_SCALE) as cloud:
        yield cloud


@pytest.fixture(scope="session")
def workbench(cloud: LocalCloud) -> Workbench:
    """Short ways to put things into the local cloud."""
    return Workbench(cloud.endpoint)
