"""Runs workers, restarts those that a case stops, and gathers what they say."""

import json
import os
import select
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import IO

from tests.fuzz.parser import Parser
from tests.fuzz.worker import ROOT

#: Seconds without a word from a worker after which its case is taken to hang. Cases take milliseconds, the worst a
#: second or two; the machine may be busy.
PATIENCE = 60.0

#: A parser that hangs or dies more often is not given further cases: each costs the patience above.
_MOST_STOPS = 3


@dataclass(frozen=True, slots=True)
class Failure:
    """A case that broke its parser's contract.

    Attributes:
        problem: what and where, the same for cases that break the same line; or that the case hung or killed
            its process.
        case: as text to be pasted into Python, cut if it is long; empty where the process could not say.
    """

    parser: str
    number: int
    problem: str
    case: str = ""


@dataclass(slots=True)
class Report:
    """What came of a run.

    Attributes:
        cases: parser -> how many were tried.
        accepted: parser -> how many of them it took for valid.
        smallest: (parser, problem) -> the smallest case that was found for it.
    """

    cases: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    smallest: dict[tuple[str, str], str] = field(default_factory=dict)

    def add(self, other: "Report") -> None:
        """Take in what came of another part of the run."""
        self.cases += other.cases
        self.accepted += other.accepted
        self.failures += other.failures
        self.smallest |= other.smallest


def shares(parsers: Sequence[Parser], cases: int) -> list[tuple[str, int, int]]:
    """The parsers' first cases and numbers of cases, by weight, `cases` or a few more in all."""
    whole = sum(parser.weight for parser in parsers)
    return [(parser.name, 0, -(-cases * parser.weight // whole)) for parser in parsers]


def fuzz(
    tasks: Sequence[tuple[str, int, int]],
    seed: int,
    *,
    module: str = "tests.fuzz.parsers",
    processes: int = 1,
    patience: float = PATIENCE,
) -> Report:
    """Run tasks of (parser, first case, cases) in as many processes.

    Args:
        module: has the `PARSERS`.
        patience: seconds that a case may take.
    """
    report = Report()
    with ThreadPoolExecutor(processes) as threads:
        parts = [tasks[n::processes] for n in range(processes)]
        for part in threads.map(lambda some: _supervised(some, seed, module, patience), parts):
            report.add(part)
    return report


def _supervised(tasks: Iterable[tuple[str, int, int]], seed: int, module: str, patience: float) -> Report:
    report, stops = Report(), Counter[str]()
    left = list(tasks)
    while left:
        stop = _one_process(left, seed, module, patience, report)
        if stop is None:
            break
        if stop.parser not in (name for name, _, _ in left):
            raise RuntimeError(f"a worker could not even start: {stop.problem}")
        stops[stop.parser] += 1
        left = left[[name for name, _, _ in left].index(stop.parser) :]
        name, first, count = left[0]
        done = stop.number + 1 - first
        rest = [] if stops[name] > _MOST_STOPS or done >= count else [(name, stop.number + 1, count - done)]
        left = [*rest, *left[1:]]
    return report


def _one_process(
    tasks: Sequence[tuple[str, int, int]], seed: int, module: str, patience: float, report: Report
) -> Failure | None:
    """Run tasks in a process; the failure that stopped it, or None if it came to its end."""
    with TemporaryFile() as trouble, TemporaryFile() as told:
        told.write(json.dumps(tasks).encode())
        told.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.worker", module, str(seed)],
            stdin=told,
            stdout=subprocess.PIPE,
            stderr=trouble,
            cwd=ROOT,
        )
        try:
            return _listen(process, patience, report, trouble)
        finally:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()


def _listen(process: "subprocess.Popen[bytes]", patience: float, report: Report, trouble: IO[bytes]) -> Failure | None:
    assert process.stdout is not None
    current = ("", 0)
    is_shrinking = is_drawing = False
    pending = b""
    while True:
        # Before its first word, a worker has to import what it tests, on a machine that may be busy.
        is_ready = select.select([process.stdout], [], [], patience if current[0] else patience + 60)[0]
        told = os.read(process.stdout.fileno(), 65_536) if is_ready else b""
        if not told:
            problem = "the process died" if is_ready else f"no end within {patience:g} seconds"
            if is_drawing:
                problem += ", and not in the parser: its case was still being drawn"
            failure = Failure(*current, f"{problem}: {_where(process, trouble)}")
            if not is_shrinking:
                report.failures.append(failure)
            return failure
        *lines, pending = (pending + told).split(b"\n")
        for line in lines:
            word, *rest = json.loads(line)
            is_shrinking, is_drawing = word == "failure", word == "drawing"
            if word == "drawing":
                current = (rest[0], rest[1])
            elif word == "case":
                report.cases[rest[0]] += 1
            elif word == "failure":
                report.failures.append(Failure(*rest))
            elif word == "shrunk":
                report.smallest.setdefault((rest[0], rest[1]), rest[2])
            elif word == "accepted":
                report.accepted[rest[0]] += rest[1]
            else:
                process.wait(10)  # it has files to take away
                return None


def _where(process: "subprocess.Popen[bytes]", trouble: IO[bytes]) -> str:
    """Where a worker was when it stopped, or is now that it is stopped."""
    if process.poll() is None:
        process.send_signal(signal.SIGABRT)  # it has asked for its stack to be written then
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            return "it can't even be aborted"
    trouble.seek(0)
    lines = [line.strip() for line in trouble.read().decode("utf-8", "replace").splitlines() if line.strip()]
    ours = [line for line in lines if line.startswith("File") and str(ROOT) in line and ".venv" not in line]
    return (ours or lines or [f"exit code {process.returncode}"])[0].replace(f"{ROOT}/", "")
