"""Before any test module is imported: no test sees the AWS settings of whoever runs it, nor could use them."""

import os
from collections.abc import Iterator

import pytest

from localcloud.process_environment import ACCESS_KEY, REGION, SECRET_KEY

_SETTINGS = {
    "AWS_ACCESS_KEY_ID": ACCESS_KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


def _settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("AWS_")}


for _name in _settings():
    del os.environ[_name]
for _name in ("COLUMNS", "LINES"):  # pytest imports readline, which exports them past os.environ
    os.environ.pop(_name, None)
    os.unsetenv(_name)
os.environ.update(_SETTINGS)


@pytest.fixture(scope="module", autouse=True)
def settings_are_left_as_they_were() -> Iterator[None]:
    """What a module changes of these settings would be found by whichever runs after it in the same process."""
    yield
    assert _settings() == _SETTINGS
