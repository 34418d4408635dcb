"""Seconds of the Analyzer that are billed for an image, beside those of one function for each upload.

    python -m tests.benchmarks.billed

A model: chunks, rates and calls are the code's own (`CallRate`, test_call_counts.py); how long Rekognition takes is
varied, and how long any other call takes is assumed. The function for each upload asks Rekognition, puts an item, and
publishes what is flagged. Batcher and Results are not in it: neither's time depends on Rekognition.
"""

import math
from dataclasses import dataclass

from gatehouse.configuration.call_rate import DEFAULT_CALLS_PER_SECOND, LARGE_REGION_CALLS_PER_SECOND, CallRate
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.lane import Priority
from lambdas.analyzer.chunk_analysis import PARALLEL_CALLS
from stacks.constructs.image_analyzer import memory_size
from tests.benchmarks.cost import FLAGGED, Case

#: Assumed: seconds of a call of S3, Step Functions, DynamoDB or SNS.
CALL_SECONDS = 0.02

#: Of a chunk: heartbeat, where its lines are, its lines, its result file; the first image's look; results, success.
CALLS_A_CHUNK = 7

#: Seconds of a call of Rekognition.
LATENCIES = (0.1, 0.19, 0.3, 1.0, 5.0)


@dataclass(frozen=True, slots=True)
class Billed:
    """An image's part of the billed seconds of a batch, where a call of Rekognition takes `latency`."""

    case: Case
    latency: float

    @property
    def analyzer(self) -> float:
        """Of all runs of the Analyzer, if each chunk is done in one."""
        rate = min(self.case.rate.calls_per_worker, PARALLEL_CALLS / self.latency)
        turns = (self.case.uploads - self.case.chunks) / rate  # nobody waits for a chunk's first
        fixed = self.case.chunks * (CALLS_A_CHUNK * CALL_SECONDS + self.latency)
        return (turns + fixed) / self.case.uploads

    @property
    def one_function(self) -> float:
        """Of one function for each upload."""
        return self.latency + CALL_SECONDS * (1 + FLAGGED)

    @property
    def ratio(self) -> float:
        """How many times less the Analyzer's are."""
        return self.one_function / self.analyzer


def cases() -> list[Case]:
    """Batches of one live lane, or a fast one with a quarter of the calls beside it."""
    large, other = CallRate(LARGE_REGION_CALLS_PER_SECOND), CallRate(DEFAULT_CALLS_PER_SECOND)
    fast = CallRate(LARGE_REGION_CALLS_PER_SECOND / 4)
    return [
        *(Case(f"{n:,} a batch, 50 calls/s", Engine.IMAGE, n, large) for n in (1, 10, 100, 1_000, 10_000)),
        *(Case(f"{n:,} a batch, 20 calls/s", Engine.IMAGE, n, CallRate(20)) for n in (10, 1_000)),
        *(Case(f"{n:,} a batch, 5 calls/s", Engine.IMAGE, n, other) for n in (10, 1_000)),
        Case("fast lane, 10 a batch, 12.5 calls/s", Engine.IMAGE, 10, fast, Priority.FAST),
    ]


def table() -> str:
    """The figures, in Markdown: milliseconds, and how many times less that is than one function for each upload."""
    heads = [f"Rekognition {latency * 1000:g} ms" for latency in LATENCIES]
    lines = [
        f"| ms of the Analyzer an image | MB | {' | '.join(heads)} |",
        "| --- |" + " ---: |" * (len(heads) + 1),
    ]
    for case in cases():
        found = [Billed(case, latency) for latency in LATENCIES]
        figures = [f"{math.ceil(each.analyzer * 1000)} ({each.ratio:.1f}x)" for each in found]
        lines.append(f"| {case.name} | {memory_size(case.priority, case.rate)} | {' | '.join(figures)} |")
    each = [f"{math.ceil(Billed(cases()[0], latency).one_function * 1000)}" for latency in LATENCIES]
    lines.append(f"| one function for each upload | | {' | '.join(each)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
