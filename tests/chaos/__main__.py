"""`make chaos`: the fault table, a randomized run with a fresh seed, and the randomized runs that failed once.

Or `ARGS="table [part of rows' names ...]"`, `ARGS="random"`. The exit status is 1 if any
invariant was violated, or any fault did not strike.
"""

import argparse
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

from gatehouse.console import console_for
from tests.chaos import report, table
from tests.chaos.cloud import deployed
from tests.chaos.random_run import run
from tests.chaos.row import Row
from tests.chaos.table_run import play

#: Uploads of a randomized run, if nothing else is said.
_UPLOADS = 2_000

#: The randomized runs that ever failed, one in each line, as they are asked for.
FAILED_ONCE = Path(__file__).with_name("failed_runs.txt")


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; returns the exit status."""
    console = console_for()
    found: list[str] = []
    for asked in parts(sys.argv[1:] if arguments is None else arguments):
        with deployed() as pipeline:
            if asked.command == "table":
                played = report.fault_table(console, play(pipeline, _chosen(asked.filter)))
                found += [sentence for one in played for sentence in one.violations]
            else:
                console.print(f"randomized run: --uploads {asked.uploads} --seed {asked.seed}")
                found += report.random_run(console, run(pipeline, asked.seed, asked.uploads)).violations
    return int(bool(found))


def parts(arguments: Sequence[str]) -> list[argparse.Namespace]:
    """What is run for a command line, one after the other, each on a cloud of its own."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    commands = parser.add_subparsers(dest="command", help="all of them, if none is named")
    rows = commands.add_parser("table", help="the fault table")
    rows.add_argument("filter", nargs="*", help="only rows whose name has one of these texts")
    chance = commands.add_parser("random", help="a randomized run")
    chance.add_argument("--uploads", type=int, default=_UPLOADS)
    chance.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000), help="of a run to be repeated")
    asked = parser.parse_args(arguments)
    if asked.command:
        return [asked]
    failed_once = [line.split() for line in FAILED_ONCE.read_text("utf-8").splitlines()]
    return [parser.parse_args(each) for each in (["table"], ["random"], *failed_once)]


def _chosen(filters: list[str]) -> list[Row]:
    rows = list(table.rows())
    return [row for row in rows if not filters or any(text.lower() in row.name.lower() for text in filters)]


if __name__ == "__main__":
    sys.exit(main())
