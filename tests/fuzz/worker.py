"""The process that runs cases: `python -m tests.fuzz.worker MODULE SEED`, told what to run on its standard input.

It says on its standard output, one JSON array a line, which case begins, what failed, and how many were accepted. It is
expendable: a case that never ends or kills it is found out by `tests.fuzz.supervision`, which starts another one.
"""

import faulthandler
import importlib
import json
import os
import resource
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.fuzz.parser import Case, Parser

ROOT = Path(__file__).resolve().parents[2]

#: Address space of the process. What a case needs beyond it is a failure, and not the machine's memory.
_MOST_MEMORY = 3 * 1024**3

#: How often a failing case is tried again in a smaller form.
_SHRINKING_TRIES = 400


def main(module: str, seed: int) -> None:
    """Run what the standard input names: a JSON array of [parser, first case, cases]."""
    faulthandler.enable()  # tells where the process was when it is aborted
    with suppress(ValueError, OSError):  # some systems know no such bound
        resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    parsers: dict[str, Parser] = {parser.name: parser for parser in importlib.import_module(module).PARSERS}
    said = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a parser prints is no report

    def say(*words: object) -> None:
        os.write(said, json.dumps(words).encode() + b"\n")

    for name, first, count in json.load(sys.stdin):
        _run(parsers[name], seed, range(first, first + count), say)
    say("end")


def _run(parser: Parser, seed: int, numbers: range, say: Callable[..., None]) -> None:
    accepted = 0
    known: set[str] = set()
    for number in numbers:
        say("drawing", parser.name, number)
        case = parser.case(seed, number)
        say("case", parser.name, number)
        try:
            accepted += parser.check(case)
        except Exception as error:
            problem = problem_of(error)
            say("failure", parser.name, number, problem, shown(case))
            if problem not in known:
                known.add(problem)
                say("shrunk", parser.name, problem, shown(shrunk(parser, case, problem)))
    say("accepted", parser.name, accepted)


def problem_of(error: Exception) -> str:
    """What went wrong and where, the same for cases that break the same line."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(str(ROOT))]
    ours = [frame for frame in frames if ".venv" not in frame.filename]
    place = f"{Path(ours[-1].filename).relative_to(ROOT)}:{ours[-1].lineno}" if ours else "?"
    said = str(error).partition("\n")[0] if isinstance(error, AssertionError) else ""
    return f"{type(error).__name__} in {place}{': ' if said else ''}{shown(said)[1:-1]}"


def shown(case: Case) -> str:
    """A case as it can be pasted into Python, if it is not too long."""
    text = repr(case)
    return text if len(text) <= 1000 else f"{text[:800]} ... {text[-150:]} ({len(case)} long)"


def shrunk(parser: Parser, case: Case, problem: str) -> Case:
    """A smaller case with the same problem: pieces are left out for as long as it stays."""
    tries, size = 0, len(case) // 2
    place = problem.partition(":")[0]
    while size and tries < _SHRINKING_TRIES:
        start = 0
        while start < len(case) and tries < _SHRINKING_TRIES:
            smaller = case[:start] + case[start + size :]  # type: ignore[operator]  # both are of one kind
            tries += 1
            if _has(parser, smaller, place):
                case = smaller
            else:
                start += size
        size //= 2
    return case


def _has(parser: Parser, case: Case, place: str) -> bool:
    try:
        parser.check(case)
    except Exception as error:
        return problem_of(error).partition(":")[0] == place
    return False


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
