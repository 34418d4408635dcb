"""Objects that were in the bucket before: judged where they are, by their own lane, beside uploads with events."""

from pathlib import Path

import pytest

from demo.pipeline import DemoUpload
from tests.chaos.cloud import put_quietly
from tests.chaos.moderate_run import CONSTANTS, SETTINGS
from tests.e2e.images import BLOCKED, CLEAN
from tests.e2e.pipeline import Pipeline
from tests.e2e.terminal import Terminal


@pytest.fixture(scope="module")
def settings() -> str:
    return SETTINGS.replace("events: {bus: verdicts}", "")


@pytest.fixture
def terminal(pipeline: Pipeline, tmp_path: Path) -> Terminal:
    return Terminal(pipeline, tmp_path, constants=CONSTANTS)


def test_each_object_is_judged_once_by_its_lane_and_analyzed_by_the_backfill(
    pipeline: Pipeline, terminal: Terminal
) -> None:
    keys = [f"{prefix}{n}.jpg" for prefix in ("main/", "kids/", "chat/") for n in range(3)]
    versions = put_quietly(pipeline, [DemoUpload(key, BLOCKED if "0" in key else CLEAN) for key in keys])

    counted = terminal.gatehouse("moderate", "start", "--dry-run")
    done = terminal.gatehouse("moderate", "start", "--yes")
    again = terminal.gatehouse("moderate", "start", "--yes")

    assert (counted["objects"], done["done"], again["objects"], again["skipped"]["known"]) == (9, 9, 0, 9)
    items = {item["key"]: item for item in pipeline.verdicts()}
    assert {key: item["version_id"] for key, item in items.items()} == versions
    assert {(item["source"], item["key"][:5], item["policy"]["name"]) for item in items.values()} == {
        ("listing", "main/", "standard"),
        ("listing", "kids/", "strict"),
        ("listing", "chat/", "permissive"),
    }
    backfill = {execution["name"] for execution in pipeline.executions(machine="BackfillStateMachineArn")}
    assert {item["batch_id"] for item in items.values()} <= backfill
    assert set(pipeline.analyzed().values()) == {1}
    assert {flag["object"]["key"] for flag in pipeline.wait_for_flags(2)} <= set(keys)


def test_an_upload_over_a_listed_object_is_the_newest(pipeline: Pipeline, terminal: Terminal) -> None:
    old = put_quietly(pipeline, [DemoUpload("main/over.jpg", CLEAN)])
    new = pipeline.upload("main/over.jpg", BLOCKED)
    (upload,) = pipeline.wait_for_verdicts(1, "main/over.jpg")

    found = terminal.gatehouse("moderate", "start", "--yes", "--prefix", "main/over")

    assert (upload["version_id"], found["skipped"]["known"]) == (new, 1)
    newest = pipeline.verdict("main/over.jpg")
    assert newest is not None
    assert newest["version_id"] == new != old["main/over.jpg"]
