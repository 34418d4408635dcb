"""One local cloud for all tests of this package in a worker; every test makes its own resources in it."""

from collections.abc import Iterator

import pytest

from localcloud.cloud import LocalCloud
from tests.localcloud.workbench import Workbench

# A minute of AWS is 0.6 s.
TIME_SCALE = 0.01


@pytest.fixture(scope="package")
def cloud() -> Iterator[LocalCloud]:
    """A running local cloud, with IAM enforced."""
    with LocalCloud.start(time_scale=TIME_SCALE) as cloud:
        yield cloud


@pytest.fixture(scope="package")
def workbench(cloud: LocalCloud) -> Workbench:
    """Short ways to put things into the local cloud."""
    return Workbench(cloud.endpoint)
