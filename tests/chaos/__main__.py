"""`make chaos`: the fault table, then a randomized run; or `ARGS="table [part of rows' names ...]"`, `ARGS="random"`.

The exit status is 1 if any invariant was violated, or any fault did not strike.
"""

import argparse
import secrets
import sys

from gatehouse.console import console_for
from tests.chaos import report, table
from tests.chaos.cloud import deployed
from tests.chaos.random_run import run
from tests.chaos.row import Row
from tests.chaos.table_run import play

#: Uploads of a randomized run, if nothing else is said.
_UPLOADS = 2_000


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    commands = parser.add_subparsers(dest="command", help="both, if none is named")
    rows = commands.add_parser("table", help="the fault table")
    rows.add_argument("filter", nargs="*", help="only rows whose name has one of these texts")
    chance = commands.add_parser("random", help="a randomized run")
    chance.add_argument("--uploads", type=int, default=_UPLOADS)
    chance.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000), help="of a run to be repeated")
    asked = parser.parse_args(arguments)
    console = console_for()
    found: list[str] = []
    for command in [asked.command] if asked.command else ["table", "random"]:
        options = asked if asked.command else parser.parse_args([command])
        with deployed() as pipeline:
            if command == "table":
                played = report.fault_table(console, play(pipeline, _chosen(options.filter)))
                found += [sentence for one in played for sentence in one.violations]
            else:
                console.print(f"randomized run: --uploads {options.uploads} --seed {options.seed}")
                found += report.random_run(console, run(pipeline, options.seed, options.uploads)).violations
    return int(bool(found))


def _chosen(filters: list[str]) -> list[Row]:
    rows = list(table.rows())
    return [row for row in rows if not filters or any(text.lower() in row.name.lower() for text in filters)]


if __name__ == "__main__":
    sys.exit(main())
