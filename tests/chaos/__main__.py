"""`make chaos`: the fault table, a randomized run and one of decisions with fresh seeds, and the runs that failed once.

Or `ARGS="table [part of rows' names ...]"`, `ARGS="random"`, `ARGS="decisions"`, `ARGS="moderate"`, `ARGS="gate"`,
`ARGS="walk"`. The exit status is 1 if any invariant was violated, or any fault did not strike.
"""

import argparse
import secrets
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from gatehouse.console import console_for
from localcloud.cloud import LocalCloud
from tests.chaos import decision_plan, decision_run, gate_run, moderate_run, report, table
from tests.chaos.cloud import ENVIRONMENT, TIME_SCALE, deployed, synthesized
from tests.chaos.gate_walk import GateWalk
from tests.chaos.random_run import run
from tests.chaos.row import Row
from tests.chaos.table_run import play
from tests.e2e.short_waits import COMMAND_CONSTANTS

#: Uploads of a randomized run, if nothing else is said.
_UPLOADS = 2_000

#: And of one of decisions.
_DECIDED_UPLOADS = 500

#: Objects from before, of a run of `gatehouse moderate`.
_OBJECTS = 1_000

#: Objects of a bucket that is closed and opened again.
_WALKED_OBJECTS = 2_000

#: Uploads of a run against the gate.
_GATED_UPLOADS = 1_000

#: The randomized runs that ever failed, one in each line, as they are asked for.
FAILED_ONCE = Path(__file__).with_name("failed_runs.txt")


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; returns the exit status."""
    console = console_for()
    found: list[str] = []
    for asked in parts(sys.argv[1:] if arguments is None else arguments):
        if asked.command == "moderate":
            found += _moderate(console, asked.seed, asked.objects)
            continue
        if asked.command == "gate":
            found += _gate(console, asked.seed, asked.uploads)
            continue
        if asked.command == "walk":
            found += _walk(console, asked.objects)
            continue
        if asked.command == "decisions":
            found += _decisions(console, asked.seed, asked.uploads)
            continue
        with deployed() as pipeline:
            if asked.command == "table":
                played = report.fault_table(console, play(pipeline, _chosen(asked.filter)))
                found += [sentence for one in played for sentence in one.violations]
            else:
                console.print(f"randomized run: --uploads {asked.uploads} --seed {asked.seed}")
                found += report.random_run(console, run(pipeline, asked.seed, asked.uploads)).violations
    return int(bool(found))


def _moderate(console: Console, seed: int, objects: int) -> list[str]:
    console.print(f"run of moderate: --objects {objects} --seed {seed}")
    with tempfile.TemporaryDirectory(prefix="gatehouse-moderate-") as name, deployed(moderate_run.SETTINGS) as pipeline:
        done = moderate_run.run(pipeline, seed, objects, Path(name))
    return report.moderate_run(console, done).violations


def _gate(console: Console, seed: int, uploads: int) -> list[str]:
    console.print(f"run against the gate: --uploads {uploads} --seed {seed}")
    with (
        tempfile.TemporaryDirectory(prefix="gatehouse-gate-") as name,
        deployed(gate_run.SETTINGS, follows_soon=True) as pipeline,
    ):
        folder = Path(name)
        apply = decision_run.by_command(pipeline, folder, COMMAND_CONSTANTS)
        done = gate_run.run(pipeline, seed, uploads, folder=folder, apply=apply)
    return report.gate_run(console, done).violations


def _walk(console: Console, objects: int) -> list[str]:
    console.print(f"walk through docs/gate.md: --objects {objects}")
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="gatehouse-walk-") as name,
        LocalCloud.start(time_scale=TIME_SCALE, environment=ENVIRONMENT) as cloud,
    ):
        found = list(GateWalk(cloud, Path(name), objects).walk())
    for sentence in found:
        console.print(f"VIOLATED {sentence}", markup=False, soft_wrap=True)
    console.print(f"{objects:,} objects: {len(found)} violations in {time.monotonic() - began:.0f} s")
    return found


def _decisions(console: Console, seed: int, uploads: int) -> list[str]:
    console.print(f"run of decisions: --uploads {uploads} --seed {seed}")
    with (
        tempfile.TemporaryDirectory(prefix="gatehouse-decisions-") as name,
        deployed(decision_plan.SETTINGS) as pipeline,
    ):
        folder = Path(name)
        later, apply = synthesized(folder, decision_plan.LATER_SETTINGS), decision_run.by_command(pipeline, folder)
        done = decision_run.run(pipeline, seed, uploads, later=later, folder=folder, apply=apply)
    return report.decision_run(console, done).violations


def parts(arguments: Sequence[str]) -> list[argparse.Namespace]:
    """What is run for a command line, one after the other, each on a cloud of its own."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    commands = parser.add_subparsers(dest="command", help="all of them, if none is named")
    rows = commands.add_parser("table", help="the fault table")
    rows.add_argument("filter", nargs="*", help="only rows whose name has one of these texts")
    chance = commands.add_parser("random", help="a randomized run")
    decisions = commands.add_parser("decisions", help="a run in which people, policies and a deploy change verdicts")
    for run_parser, uploads in ((chance, _UPLOADS), (decisions, _DECIDED_UPLOADS)):
        seed = secrets.randbelow(1_000_000)
        run_parser.add_argument("--uploads", type=int, default=uploads)
        run_parser.add_argument("--seed", type=int, default=seed, help="of a run to be repeated")
    gated = commands.add_parser("gate", help="a reader with broad rights, while verdicts come and go")
    gated.add_argument("--uploads", type=int, default=_GATED_UPLOADS)
    gated.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000), help="of a run to be repeated")
    walked = commands.add_parser("walk", help="a bucket from before, closed and opened again as docs/gate.md says")
    walked.add_argument("--objects", type=int, default=_WALKED_OBJECTS)
    before = commands.add_parser("moderate", help="objects from before, while the command and functions are killed")
    before.add_argument("--objects", type=int, default=_OBJECTS)
    before.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000), help="of a run to be repeated")
    asked = parser.parse_args(arguments)
    if asked.command:
        return [asked]
    failed_once = [line.split() for line in FAILED_ONCE.read_text("utf-8").splitlines()]
    each_kind = [[kind] for kind in ("table", "random", "decisions", "moderate", "gate", "walk")]
    return [parser.parse_args(each) for each in (*each_kind, *failed_once)]


def _chosen(filters: list[str]) -> list[Row]:
    rows = list(table.rows())
    return [row for row in rows if not filters or any(text.lower() in row.name.lower() for text in filters)]


if __name__ == "__main__":
    sys.exit(main())
