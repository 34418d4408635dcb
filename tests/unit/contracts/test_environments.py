"""What a template writes for a function is what the function reads."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, Protocol

import pytest

from gatehouse.contracts.analyzer_environment import AnalyzerEnvironment
from gatehouse.contracts.batcher_environment import BatcherEnvironment
from gatehouse.contracts.events_environment import EventsEnvironment
from gatehouse.contracts.renderer_environment import RendererEnvironment
from gatehouse.contracts.results_environment import ResultsEnvironment
from gatehouse.contracts.sweep_schedule import LaneRoute, Schedule
from gatehouse.contracts.sweeper_environment import SweeperEnvironment
from gatehouse.moderation.lane import Lane
from gatehouse.moderation.status import Status

#: What the CDK puts for a text that only CloudFormation knows.
TOKEN = "${Token[Name.123]}"

ANALYZER = AnalyzerEnvironment(rate="2.5", chunk_queue_url=TOKEN, priority="live", renderer=TOKEN, work_bucket=TOKEN)
BATCHER = BatcherEnvironment(
    lane=Lane(name="avatars", policy="strict", policy_overrides=(("art/", "permissive"),)),
    policy_parameters={"strict": TOKEN, "permissive": "parameter"},
    verdict_table=TOKEN,
    work_bucket=TOKEN,
    state_machine_arn=TOKEN,
    other_state_machine_arns=(TOKEN, "arn"),
)
RESULTS = ResultsEnvironment(
    verdict_table=TOKEN,
    work_bucket=TOKEN,
    flag_topic_arn=TOKEN,
    notify=(Status.REVIEW, Status.APPROVED),
    retention_days=365,
    model_version="7.0",
    animation_check=False,
)
EVENTS = EventsEnvironment("arn:aws:events:eu-west-1:444455556666:event-bus/b", TOKEN, (Status.BLOCKED,))


class Environment(Protocol):
    def to_variables(self) -> dict[str, str]: ...

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> Any: ...


@pytest.mark.parametrize(
    "environment",
    [
        ANALYZER,
        BATCHER,
        replace(BATCHER, other_state_machine_arns=()),
        replace(BATCHER, backfill_state_machine_arn=TOKEN),
        RESULTS,
        replace(RESULTS, events=EVENTS),
        replace(RESULTS, events=replace(EVENTS, bus="default", statuses=())),
        replace(RESULTS, notify=(), retention_days=None, animation_check=True),
        RendererEnvironment(heic=True),
        RendererEnvironment(heic=False),
        SweeperEnvironment(verdict_table=TOKEN, work_bucket="work"),
    ],
    ids=lambda environment: type(environment).__name__,
)
def test_a_function_reads_what_the_template_wrote(environment: Environment) -> None:
    assert type(environment).read(environment.to_variables()) == environment


def test_a_rate_that_only_the_region_tells_passes_through() -> None:
    variables = replace(ANALYZER, rate=TOKEN).to_variables()

    assert variables["CALLS_PER_SECOND"] == TOKEN
    assert AnalyzerEnvironment.read(variables | {"CALLS_PER_SECOND": "0.5"}).calls_per_second == 0.5


def test_a_name_that_only_a_deployment_tells_stays_whole_in_the_policies() -> None:
    assert BATCHER.to_variables()["POLICY_PARAMETERS"] == f'{{"strict":"{TOKEN}","permissive":"parameter"}}'


@pytest.mark.parametrize(
    ("environment", "name", "text"),
    [
        (ANALYZER, "CALLS_PER_SECOND", "many"),
        (RESULTS, "ANIMATION_CHECK", "perhaps"),
        (RendererEnvironment(heic=True), "HEIC", "perhaps"),
        (RESULTS, "NOTIFY", "REVIEW,SOME"),
        (RESULTS, "VERDICT_RETENTION_DAYS", "never"),
    ],
)
def test_a_malformed_variable_is_told_before_anything_is_done(environment: Environment, name: str, text: str) -> None:
    with pytest.raises(ValueError, match=text.rpartition(",")[2]):
        type(environment).read(environment.to_variables() | {name: text})


def test_the_sweeper_reads_the_event_that_the_template_wrote() -> None:
    schedule = Schedule(
        lanes={"default": LaneRoute("default", TOKEN, 48), "chat": LaneRoute("chat", "url", 2, TOKEN)},
        state_machine_arns=(TOKEN, "arn"),
        min_age=timedelta(minutes=30),
    )

    assert Schedule.parse(schedule.to_document()) == schedule


def test_a_function_that_sends_no_events_has_no_variable_of_them() -> None:
    assert set(replace(RESULTS, events=EVENTS).to_variables()) - set(RESULTS.to_variables()) == set(
        EVENTS.to_variables()
    )


@pytest.mark.parametrize(("bus", "region"), [("default", None), ("pictures", None), (EVENTS.bus, "eu-west-1")])
def test_a_bus_is_called_in_its_own_region(bus: str, region: str | None) -> None:
    assert replace(EVENTS, bus=bus).region == region
