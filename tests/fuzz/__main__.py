"""`python -m tests.fuzz`: fuzz every parser of outside data, and say how many cases each was given.

Exit status 1 if a parser broke its contract, with a line to replay each failure.
"""

import argparse
import os
import secrets
import sys
import traceback
from collections.abc import Sequence

from tests.fuzz.parsers import PARSERS
from tests.fuzz.supervision import Failure, Report, fuzz, shares
from tests.fuzz.worker import shown

_CASES = 120_000


def main(arguments: Sequence[str]) -> int:
    """Run as the arguments say; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz the parsers of outside data.")
    parser.add_argument("--cases", type=int, default=_CASES, help="in all, shared out by weight (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=None, help="a whole number; one is drawn if it is left out")
    parser.add_argument("--parser", default="", metavar="PART", help="only parsers with this in their name")
    parser.add_argument("--replay", metavar="PARSER/SEED/NUMBER", help="run one case in this process and show it")
    options = parser.parse_args(arguments)
    if options.replay:
        return _replay(options.replay)
    chosen = [one for one in PARSERS if options.parser in one.name]
    if not chosen:
        parser.error(f"no parser has {options.parser!r} in its name; there are {', '.join(p.name for p in PARSERS)}")
    seed = secrets.randbelow(2**32) if options.seed is None else options.seed
    report = fuzz(shares(chosen, options.cases), seed, processes=os.cpu_count() or 1)
    _print(report, seed)
    return 1 if report.failures else 0


def _print(report: Report, seed: int) -> None:
    failures = {name: [failure for failure in report.failures if failure.parser == name] for name in report.cases}
    print(f"{'parser':42} {'cases':>8} {'accepted':>9} {'failures':>9}")
    for name, cases in sorted(report.cases.items()):
        print(f"{name:42} {cases:8,} {report.accepted[name]:9,} {len(failures[name]):9,}")
    accepted = sum(report.accepted.values())
    print(f"{'all, seed ' + str(seed):42} {report.cases.total():8,} {accepted:9,} {len(report.failures):9,}")
    first: dict[tuple[str, str], Failure] = {}
    for failure in report.failures:
        first.setdefault((failure.parser, failure.problem), failure)
    for (name, problem), failure in first.items():
        print(f"\n{name}: {problem}")
        print(f"  {report.smallest.get((name, problem), failure.case)}")
        print(f"  make fuzz ARGS='--replay {name}/{seed}/{failure.number}'")


def _replay(address: str) -> int:
    name, seed, number = address.rsplit("/", 2)
    parser = next((one for one in PARSERS if one.name == name), None)
    if parser is None:
        print(f"There is no parser {name}; there are {', '.join(one.name for one in PARSERS)}.")
        return 2
    case = parser.case(int(seed), int(number))
    print(shown(case))
    try:
        print("accepted" if parser.check(case) else "refused, as its docstring says")
    except Exception:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
