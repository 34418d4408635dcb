"""Plays the rows of the fault table on a deployed pipeline, and judges each by the invariants."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from gatehouse.moderation.verdict_item import STATUS
from tests.chaos import evidence
from tests.chaos.cloud import BULK_LANES
from tests.chaos.invariants import Observed, violations
from tests.chaos.ledger import Ledger
from tests.chaos.observation import Observation
from tests.chaos.row import ANY_ERROR, Row
from tests.chaos.stage import Stage
from tests.chaos.watch import Watch
from tests.e2e.pipeline import Pipeline

_STRIKE_SECONDS = 30.0
_SETTLE_SECONDS = 90.0
_POLL_SECONDS = 0.1

#: Switches of the local Rekognition that count down to nothing as they strike.
_CONSUMED = (
    "drop_result_lines",
    "duplicate_result_lines",
    "shuffle_results",
    "garble_result_lines",
    "truncate_results",
    "omit_summary",
    "omit_results",
    "throttle_calls",
    "fail_next_calls",
    "fail_next_jobs",
)


@dataclass(frozen=True, slots=True)
class Played:
    """What became of a row.

    Attributes:
        analyses: that were paid.
        evidence: what explains its violations, if it has any.
    """

    row: Row
    uploads: int
    verdicts: Mapping[str, int]
    flags: int
    analyses: int
    violations: Sequence[str]
    evidence: Path | None = None


def play(pipeline: Pipeline, rows: Iterable[Row]) -> Iterator[Played]:
    """Play rows, in order; those that concern nothing but a batcher side by side, because they wait for its death."""
    with Watch(pipeline.verdicts) as watch:
        observation = Observation(pipeline, watch)
        for number, wave in enumerate(_waves(rows)):
            yield from _Wave(pipeline, observation, wave, f"{number:03}").play()


def _waves(rows: Iterable[Row]) -> Iterator[list[Row]]:
    for (is_wave, _), group in groupby(rows, key=lambda row: (row.runs_beside_others, repr(row.switches))):
        waiting = list(group)
        size = len(BULK_LANES) if is_wave else 1
        for start in range(0, len(waiting), size):
            wave = waiting[start : start + size]
            yield [row.in_lane(lane) for row, lane in zip(wave, BULK_LANES, strict=False)] if is_wave else wave


class _Wave:
    """Rows that are played at the same time, each in a lane of its own."""

    def __init__(self, pipeline: Pipeline, observation: Observation, rows: Sequence[Row], name: str) -> None:
        self._pipeline = pipeline
        self._observation = observation
        self._rows = rows
        self._stages = [
            Stage(
                pipeline,
                row.lane,
                name,
                row.faults,
                Ledger(row.fails_with, row.paid_again, row.dead_letters, given_up=row.given_up),
            )
            for row in rows
        ]

    def play(self) -> list[Played]:
        """Set up, strike, let settle, judge, clean up."""
        cloud = self._pipeline.cloud
        calls_before = cloud.rekognition_counters()["calls"]
        troubles = {stage.prefix: list[str]() for stage in self._stages}
        if self._rows[0].switches:
            cloud.rekognition(**self._rows[0].switches)
        for row, stage in zip(self._rows, self._stages, strict=True):
            try:
                row.situation(stage)
            except AssertionError as error:
                troubles[stage.prefix].append(f"the situation did not come about: {str(error).splitlines()[0]}")
        _wait(lambda: not self._unstruck(calls_before), _STRIKE_SECONDS)
        unstruck = self._unstruck(calls_before)
        faults = cloud.all_faults()
        cloud.clear_faults()
        cloud.reset_rekognition()
        _wait(self._is_settled, _SETTLE_SECONDS)
        self._observation.tidy()
        played = [
            self._judge(row, stage, troubles[stage.prefix] + unstruck.get(stage.prefix, []), faults)
            for row, stage in zip(self._rows, self._stages, strict=True)
        ]
        if any(one.violations for one in played) or self._observation.dead_letters():
            self._observation.clear()
        for stage in self._stages:
            self._observation.forget(stage.prefix)
        return played

    def _is_settled(self) -> bool:
        return all(self._observation.is_settled((stage.prefix,), stage.ledger) for stage in self._stages)

    def _judge(self, row: Row, stage: Stage, unstruck: Sequence[str], faults: Sequence[Mapping[str, Any]]) -> Played:
        observed = self._observation.of((stage.prefix,), unstruck)
        found = violations(stage.ledger, observed)
        happened = [*faults, {"switches": row.switches}]
        return Played(
            row,
            uploads=len(stage.ledger),
            verdicts=verdict_counts(observed),
            flags=len(observed.flags) + len(observed.announced),
            analyses=sum(observed.analyzed.values()),
            violations=found,
            evidence=evidence.keep(self._pipeline, row.name, stage.ledger, observed, happened, found)
            if found
            else None,
        )

    def _unstruck(self, calls_before: Mapping[str, Mapping[str, int]]) -> dict[str, list[str]]:
        """Prefix of a row -> what of it has not struck yet; rows of which everything has are left out."""
        found = {stage.prefix: stage.unstruck() for stage in self._stages}
        state = self._pipeline.cloud.rekognition_counters()
        row, prefix = self._rows[0], self._stages[0].prefix
        if row.answers:
            for operation, error in row.answers:
                if _errors(state["calls"], operation, error) <= _errors(calls_before, operation, error):
                    found[prefix].append(f"no {operation} was answered with {error}")
        else:
            found[prefix] += [
                f"{name} is not used up" for name in _CONSUMED if name in row.switches and state["switches"][name]
            ]
        return {prefix: sentences for prefix, sentences in found.items() if sentences}


def verdict_counts(observed: Observed) -> Counter[str]:
    """How many verdicts there are of each status."""
    return Counter(str(item[STATUS]) for item in observed.items)


def _errors(calls: Mapping[str, Mapping[str, int]], operation: str, error: str) -> int:
    answers: Mapping[str, Any] = calls.get(operation, {})
    return sum(count for name, count in answers.items() if name == error or (error == ANY_ERROR and name != "OK"))


def _wait(condition: Callable[[], bool], seconds: float) -> None:
    """Wait until a condition holds, or the time is over."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(_POLL_SECONDS)
