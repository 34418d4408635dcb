"""Before any test module is imported: no test sees the AWS settings of whoever runs it, nor could use them."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import count
from typing import Any

import botocore.session
import pytest

from gatehouse.aws.event_bus import EventBus
from gatehouse.aws.flag_topic import FlagTopic
from gatehouse.moderation.flag import SCHEMA, Flag
from localcloud.process_environment import ACCESS_KEY, REGION, SECRET_KEY
from tests.contracts import check_flag
from tests.fast_moto import make_fast

#: Flags of one test that are held against the schema; some tests publish thousands alike.
_CHECKED_FLAGS = 300

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


@pytest.fixture(scope="session", autouse=True)
def models_are_read_once() -> Iterator[None]:
    """Tests and commands make many sessions; let them share what botocore reads of its services from disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", cache(botocore.session.create_loader))
        yield


@pytest.fixture(scope="session", autouse=True)
def moto_is_fast() -> Iterator[None]:
    """See `tests.fast_moto`."""
    with pytest.MonkeyPatch.context() as patch:
        make_fast(patch)
        yield


@pytest.fixture(scope="module", autouse=True)
def settings_are_left_as_they_were() -> Iterator[None]:
    """What a module changes of these settings would be found by whichever runs after it in the same process."""
    yield
    assert _settings() == _SETTINGS


@pytest.fixture(autouse=True)
def what_is_published_keeps_to_its_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test publishes in this process; what functions of the local cloud do, `tests.e2e.pipeline` sees."""
    numbers = count()

    def checked(publish: Callable[..., Any]) -> Callable[..., Any]:
        def look_and_publish(sink: Any, flags: Sequence[Flag]) -> Mapping[int, Any]:
            for flag in flags:
                if SCHEMA in flag.body and next(numbers) < _CHECKED_FLAGS:
                    check_flag(flag.body)
            answer: Mapping[int, Any] = publish(sink, flags)
            return answer

        return look_and_publish

    for sink in (FlagTopic, EventBus):
        monkeypatch.setattr(sink, "publish", checked(sink.publish))
