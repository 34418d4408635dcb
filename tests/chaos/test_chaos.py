"""The rows with the most to lose, and a small randomized run: `make chaos` has all of them."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from tests.chaos import evidence, random_run, report, table
from tests.chaos.cloud import BUS, ENVIRONMENT, SETTINGS, TIME_SCALE, hasten
from tests.chaos.ledger import Kind
from tests.chaos.row import Row
from tests.chaos.stage import Stage
from tests.chaos.table_run import play
from tests.e2e.conftest import Deploy
from tests.e2e.pipeline import Pipeline

#: What could lose an upload, approve one by accident, keep back a flag, or pay twice. Functions that die on an upload's
#: way are not among them: they die at every step in tests/e2e/test_crashes.py and test_image_engine.py, which wait once
#: for all.
ROWS = (
    "Batcher: start execution: no answer after its effect [bulk]",
    "Batcher: claim: canceled, conflict for some [bulk]",
    "Workflow: start job: no answer after its effect [bulk]",
    "Workflow: invoke Results: answer too large, with leftovers [bulk]",
    "Results: publish flags: some refused three times [bulk]",
    "Results: read claims: all unprocessed [bulk]",
    "Results: send events: to a bus that is deleted [bulk]",
    "Results: send events: all refused for longer than it is tried [bulk]",
    "Results: keep events: refused [bulk]",
    "Auto: job's results: file ends in a line [auto]",
    "Bulk: objects: overwritten before their job reads them [bulk]",
    "Bulk: objects: pictures over what holds none, before its job reads it [bulk]",
    "Events: come thrice, the last ones late [bulk]",
    "Changes: a delivery: comes twice, and kills Outcomes after [image]",
    "Reviewer: write: no answer after its effect [image]",
)
#: A run with an image that Rekognition never has an answer for.
UPLOADS, SEED = 80, 7


@pytest.fixture(scope="module")
def pipeline(deployed: Deploy) -> Iterator[Pipeline]:
    with deployed(SETTINGS, time_scale=TIME_SCALE, environment=ENVIRONMENT) as pipeline:
        hasten(pipeline)
        pipeline.listen(BUS)
        yield pipeline


def test_the_rows_with_the_most_to_lose_violate_nothing(pipeline: Pipeline) -> None:
    rows = [row for row in table.rows() if row.name in ROWS]
    assert len(rows) == len(ROWS)

    played = list(play(pipeline, rows))

    assert {one.row.name: list(one.violations) for one in played} == {row.name: [] for row in rows}, [
        str(one.evidence) for one in played if one.evidence
    ]


def test_what_explains_a_violated_row_is_kept_and_named(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def goes_wrong(stage: Stage) -> None:
        (entry,) = stage.upload([(f"{stage.prefix}a.jpg", Kind.BLOCKED)])
        stage.ledger.add(replace(entry, kind=Kind.CLEAN))

    monkeypatch.setattr(evidence, "ROOT", tmp_path)
    row = Row("Nobody", "tells blocked from clean", "fast", situation=goes_wrong, switches={"throttle_calls": 0})
    console = Console(record=True, width=400)

    (played,) = report.fault_table(console, play(pipeline, [row]))

    assert played.violations
    (file,) = (tmp_path / evidence.FOLDER).iterdir()
    assert played.evidence == file
    assert str(file) in console.export_text()
    kept = json.loads(file.read_text("utf-8"))
    assert kept["name"] == row.name
    assert kept["violations"] == list(played.violations)
    assert {"switches": {"throttle_calls": 0}} in kept["faults"]
    ((key, told),) = kept["objects"].items()
    assert key.endswith("/a.jpg")
    assert [verdict["status"] for verdict in told["verdicts"]] == ["BLOCKED"]


def test_what_does_not_come_about_is_told_with_the_state_of_all_lanes(pipeline: Pipeline) -> None:
    with pytest.raises(AssertionError, match=r"a sweep did not come true .*\n.*queued 0, dead letters 0"):
        pipeline.wait_until(lambda: False, deadline=0, why="a sweep")


def test_a_randomized_run_ends_with_a_final_verdict_for_each_upload(pipeline: Pipeline) -> None:
    run = random_run.run(pipeline, SEED, UPLOADS)

    assert run.violations == [], f"make chaos ARGS='random --uploads {UPLOADS} --seed {SEED}'; {run.evidence}"
    assert sum(run.verdicts.values()) == run.uploads == UPLOADS
    assert set(run.poisoned) == {"FAILED"}
