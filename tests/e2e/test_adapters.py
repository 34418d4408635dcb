"""From uploads to verdicts, to decisions, to training data, to an adapter, to a lane that has it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.pipeline import DemoUpload
from tests.e2e.conftest import Assemblies, Deploy
from tests.e2e.images import BLOCKED, CLEAN, image
from tests.e2e.pipeline import Pipeline
from tests.e2e.terminal import Terminal

SETTINGS = "{image_engine: {calls_per_second: 250}, lanes: {default: {samples: 1, engine: image}}}"
WITH_ADAPTER = '{{image_engine: {{calls_per_second: 250}}, lanes: {{default: {{engine: image, adapter: "{arn}"}}}}}}'
TRAINING = "training-data"
DECIDE = ("--reason", "context", "--yes")
#: The policy has people look at these, and people find nothing wrong with them.
GAMES = [image("Gambling", 95.0, shade) for shade in range(100, 110)]
QUICK = {"gatehouse.cli.adapter.train_command._PAUSE": 0.1}


@pytest.fixture(scope="module")
def pipeline(deployed: Deploy) -> Iterator[Pipeline]:
    with deployed(SETTINGS) as pipeline:
        pipeline.cloud.client("s3").create_bucket(Bucket=TRAINING)
        yield pipeline


def test_decisions_become_an_adapter_that_answers_better(
    pipeline: Pipeline, assemblies: Assemblies, tmp_path: Path
) -> None:
    terminal = Terminal(pipeline, tmp_path, constants=QUICK)
    pipeline.upload_many(
        [DemoUpload(f"games/{n}.jpg", body) for n, body in enumerate(GAMES)]
        + [DemoUpload("bad.jpg", BLOCKED), DemoUpload("good.jpg", CLEAN)]
    )
    items = {item["key"]: item for item in pipeline.wait_for_verdicts(12, deadline=240)}
    assert {item["status"] for key, item in items.items() if key.startswith("games/")} == {"REVIEW"}

    # People decide.
    (sample,) = terminal.gatehouse("review", "list", "--samples")
    assert sample["object"].endswith("/good.jpg")
    name = {key: f"{item['object']}@{item['version']}" for key, item in items.items()}
    assert terminal.gatehouse("review", "confirm", name["good.jpg"], "--yes")["done"] == 1
    assert terminal.gatehouse("review", "block", name["bad.jpg"], *DECIDE)["done"] == 1
    games = [name[key] for key in name if key.startswith("games/")]
    assert terminal.gatehouse("review", "approve", *games, *DECIDE)["done"] == len(GAMES)
    numbers = terminal.gatehouse("review", "stats", "--since", "1d", "--thresholds")
    assert (numbers["wrong_review"]["count"], numbers["wrong_review"]["of"]) == (10, 10)
    assert (numbers["wrong_approvals"]["count"], numbers["wrong_approvals"]["of"]) == (0, 1)
    assert [one["rule"] for one in numbers["thresholds"]["standard"]]

    # What they decided trains an adapter.
    exported = terminal.gatehouse("adapter", "export", "--to", f"s3://{TRAINING}/first", "--since", "1d", "--yes")
    assert exported["images"] == 12
    where = ("--manifest", exported["manifest"], "--project", "shop", "--version", "first")
    trained = terminal.gatehouse("adapter", "train", *where, "--yes")
    assert trained["status"] == "TRAINING_COMPLETED", trained
    assert [each["arn"] for each in terminal.gatehouse("adapter", "list")] == [trained["arn"]]
    compared = terminal.gatehouse("adapter", "compare", trained["arn"])
    assert compared["is_better"]

    # The lane has it.
    settings = WITH_ADAPTER.format(arn=trained["arn"])
    pipeline.cloud.deploy(assemblies(settings))
    pipeline.upload_many([DemoUpload("later.jpg", image("Gambling", 95.0, 150)), DemoUpload("worse.jpg", BLOCKED)])
    later = {item["key"]: item for item in pipeline.wait_for_verdicts(14, deadline=240)}
    assert later["later.jpg"]["status"] == "APPROVED"
    assert later["later.jpg"]["adapter"] == {"asked": trained["arn"], "answered": trained["arn"]}
    assert later["worse.jpg"]["status"] == "BLOCKED"
