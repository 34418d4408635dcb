"""docs/gate.md, step by step, on a bucket from before; `python -m tests.chaos walk` does it with 2,000 objects."""

from pathlib import Path

from localcloud.cloud import LocalCloud
from tests.chaos.cloud import ENVIRONMENT, TIME_SCALE
from tests.chaos.gate_walk import GateWalk

OBJECTS = 40


def test_a_bucket_is_closed_and_opened_again_by_the_page_alone(tmp_path: Path) -> None:
    with LocalCloud.start(time_scale=TIME_SCALE, environment=ENVIRONMENT) as cloud:
        assert list(GateWalk(cloud, tmp_path, OBJECTS).walk()) == []
