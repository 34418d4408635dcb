"""A team changes its policy with the command line while uploads go on, and nothing is left under the old one."""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from demo.pipeline import DemoUpload
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict_item import STATUS
from localcloud.cloud import LocalCloud
from tests.e2e.conftest import QUICK, TIME_SCALE, Assemblies
from tests.e2e.images import image
from tests.e2e.pipeline import Pipeline
from tests.e2e.short_waits import COMMAND_CONSTANTS, with_short_waits
from tests.e2e.terminal import Terminal

ROOT = Path(__file__).resolve().parents[2]

#: Label and confidence of an image -> its status under policies/standard.yaml, and under the change below.
FATES = {
    None: (Status.APPROVED, Status.APPROVED),
    ("Weapons", 85.0): (Status.APPROVED, Status.BLOCKED),
    ("Graphic Violence", 85.0): (Status.REVIEW, Status.APPROVED),
    ("Smoking", 96.0): (Status.REVIEW, Status.REVIEW),
    ("Weapon Violence", 99.0): (Status.BLOCKED, Status.REVIEW),
}
KINDS = tuple(FATES)
CHANGE = {"Weapons": {"block": 80}, "Violence": {"review": 90}}


class Team:
    """People who change a policy at a terminal."""

    def __init__(self, terminal: Terminal, folder: Path) -> None:
        self._terminal = terminal
        self._folder = folder

    def gatehouse(self, *arguments: str) -> dict[str, Any]:
        """What `gatehouse policy ...` answers."""
        answer: dict[str, Any] = self._terminal.gatehouse("policy", *arguments)
        return answer

    def write(self, version: str, rules: Mapping[str, Any]) -> str:
        """The standard policy with some rules replaced, as a file; returns its path."""
        document = yaml.safe_load((ROOT / "policies" / "standard.yaml").read_text("utf-8"))
        document |= {"version": version, "rules": document["rules"] | rules}
        path = self._folder / f"standard-{version}.yaml"
        path.write_text(yaml.safe_dump(document), "utf-8")
        return str(path)


@pytest.fixture(scope="module")
def pipeline(assemblies: Assemblies, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """Any engine will do."""
    assembly = with_short_waits(assemblies(QUICK), tmp_path_factory.mktemp("assembly"))
    with LocalCloud.start(time_scale=TIME_SCALE) as cloud:
        yield Pipeline(cloud, cloud.deploy(assembly))


@pytest.fixture
def team(pipeline: Pipeline, tmp_path: Path) -> Team:
    return Team(Terminal(pipeline, tmp_path, constants=COMMAND_CONSTANTS), tmp_path)


def uploads(prefix: str, count: int) -> list[DemoUpload]:
    """Images of every kind, in turns."""
    return [DemoUpload(f"{prefix}{n:04}.jpg", image(*(KINDS[n % len(KINDS)] or ()))) for n in range(count)]


def fates(items: list[dict[str, Any]], prefix: str, position: int) -> dict[str, Status]:
    """What each of these uploads should be: under the old policy (0) or the new one (1)."""
    return {
        item["key"]: FATES[KINDS[int(item["key"].removeprefix(prefix).removesuffix(".jpg")) % len(KINDS)]][position]
        for item in items
    }


@contextmanager
def uploads_going_on(pipeline: Pipeline, prefix: str) -> Iterator[list[str]]:
    """Uploads one image after the other, of every kind in turns; gives the keys so far."""
    done, keys = threading.Event(), list[str]()

    def go_on() -> None:
        while not done.wait(0.1):
            n = len(keys)
            key = f"{prefix}{n:04}.jpg"
            pipeline.upload(key, image(*(KINDS[n % len(KINDS)] or ())))
            keys.append(key)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield keys
    finally:
        done.set()
        thread.join()


def test_a_change_reaches_what_was_uploaded_before_meanwhile_and_after(
    pipeline: Pipeline, team: Team, prefix: str
) -> None:
    before, meanwhile = f"{prefix}before/", f"{prefix}meanwhile/"
    pipeline.upload_many(uploads(before, 60))
    items = pipeline.wait_for_verdicts(60, before)
    assert {item["key"]: item[STATUS] for item in items} == fates(items, before, 0)
    change = team.write("2", CHANGE)

    difference = team.gatehouse("diff", "standard", change, "--since", "1h", "--prefix", before)

    flips = {(flip["from"], flip["to"]): (flip["count"], flip["labels"]) for flip in difference["flips"]}
    assert difference["judged"] == 60
    assert flips == {
        ("APPROVED", "BLOCKED"): (12, {"Weapons": 12}),
        ("REVIEW", "APPROVED"): (12, {"Graphic Violence": 12}),
        ("BLOCKED", "REVIEW"): (12, {"Weapon Violence": 12}),
    }
    assert {item["key"]: item[STATUS] for item in pipeline.verdicts(before)} == fates(items, before, 0)

    with uploads_going_on(pipeline, meanwhile) as keys:
        pipeline.wait_until(lambda: len(keys) > 10, why="uploads")
        report = team.gatehouse("apply", change, "--yes", "--publish")
        uploaded_when_done = len(keys)

    items = pipeline.wait_for_verdicts(60 + len(keys), prefix)
    stored = {item["key"]: item[STATUS] for item in items}
    expected = fates([i for i in items if i["key"].startswith(before)], before, 1) | fates(
        [i for i in items if i["key"].startswith(meanwhile)], meanwhile, 1
    )
    assert uploaded_when_done > 50
    assert stored == expected
    assert report["ending"] == "complete"
    assert sum(change["count"] for change in report["changed"]) >= 36

    # What the new policy flags and the old one did not is published under its final status, once the stream was read.
    flagged = {(key, status) for key, status in stored.items() if status != Status.APPROVED}

    def all_published() -> bool:
        return flagged <= {(flag["object"]["key"], flag["status"]) for flag in pipeline.flags(prefix)}

    pipeline.wait_until(all_published, why="a flag under the final status of each flagged upload")

    again = team.gatehouse("apply", change, "--yes", "--publish")

    assert again["changed"] == []
    assert {item["key"]: item[STATUS] for item in pipeline.verdicts(prefix)} == stored


def test_a_verdict_says_why_and_what_would_have_changed_it(pipeline: Pipeline, team: Team, prefix: str) -> None:
    key = f"{prefix}kitchen.jpg"
    pipeline.upload(key, image("Smoking", 96.0))
    pipeline.wait_for_verdicts(1, prefix)

    explanation = team.gatehouse("explain", key)
    status = team.gatehouse("status")

    assert explanation[STATUS] == "REVIEW"
    assert Counter(reason["label"] for reason in explanation["reasons"]) == {"Smoking": 1}
    assert [policy["name"] for policy in status["policies"]] == ["standard"]
