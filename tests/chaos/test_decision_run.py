"""A small run of decisions: `make chaos ARGS=decisions` has the large ones, with `gatehouse policy apply` as typed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gatehouse.cli.aws.verdict_table import Selection
from gatehouse.cli.clock import Clock
from gatehouse.cli.connection import Connection
from gatehouse.cli.deployment import Deployment
from gatehouse.cli.policy.apply_run import ApplyRun
from gatehouse.cli.policy.replay_run import ReplayEnding
from gatehouse.configuration.policies import compile_policy
from localcloud.endpoint import command_line_environment
from tests.chaos.cloud import BUS, ENVIRONMENT, TIME_SCALE, hasten
from tests.chaos.decision_plan import LATER_SETTINGS, MILDER, SETTINGS, STANDARD, STRICTER
from tests.chaos.decision_run import Apply, run
from tests.e2e.conftest import Assemblies, Deploy
from tests.e2e.pipeline import Pipeline

UPLOADS, SEED = 24, 12


@pytest.fixture(scope="module")
def pipeline(deployed: Deploy) -> Iterator[Pipeline]:
    with deployed(SETTINGS, time_scale=TIME_SCALE, environment=ENVIRONMENT) as pipeline:
        hasten(pipeline)
        pipeline.listen(BUS)
        yield pipeline


@pytest.fixture
def impatient(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> Apply:
    """What `policy apply --publish` does, without the minute in which functions follow the pointer."""
    for name, value in command_line_environment(pipeline.cloud.endpoint).items():
        monkeypatch.setenv(name, value)
    connection, clock = Connection(), Clock(pause=lambda _: None)

    def apply(file: Path) -> None:
        ending = ReplayEnding.OVERTAKEN
        while ending is not ReplayEnding.COMPLETE:
            policy, deployment = compile_policy(file), Deployment.find(connection)
            replay = ApplyRun.of(policy, file, connection, deployment, clock)
            replay.make_active(lambda _: None)
            ending = replay.judge_again(
                Selection(), segments=4, wait_seconds=1, publish=True, tell=lambda _: None
            ).ending

    return apply


def test_people_policies_and_a_deploy_at_the_same_time_leave_one_history_that_subscribers_know(
    pipeline: Pipeline, assemblies: Assemblies, impatient: Apply, tmp_path: Path
) -> None:
    done = run(
        pipeline,
        SEED,
        UPLOADS,
        later=assemblies(LATER_SETTINGS),
        folder=tmp_path,
        apply=impatient,
        policies=(STANDARD, STRICTER, MILDER),  # batchers go by what they read up to half a minute ago
    )

    assert done.violations == [], f"make chaos ARGS='decisions --uploads {UPLOADS} --seed {SEED}'; {done.evidence}"
    assert sum(done.verdicts.values()) == done.uploads == UPLOADS
    assert sum(done.acts.values()) >= UPLOADS
    assert done.replayed > 0
