"""What a million images cost beside Rekognition: documented prices times counted calls.

    make cost

prints the table of docs/cost.md. The calls are those that tests/unit/lambdas/test_call_counts.py counts, the
transitions those of the workflow's definition, sizes and durations come from the code's own figures; what is assumed
says so.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gatehouse.configuration.call_rate import (
    DEFAULT_CALLS_PER_SECOND,
    LARGE_REGION_CALLS_PER_SECOND,
    LEAST_CHUNK,
    CallRate,
)
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.lane import Priority
from gatehouse.moderation.verdict_item import claim_item, verdict_item
from stacks.constructs.image_analyzer import memory_size
from stacks.constructs.workflow.image_engine_states import LEAST_FAST_CHUNK
from tests.unit.builders import a_claim, a_verdict, an_analysis, an_upload

MILLION = 1_000_000

#: USD in us-east-1, beyond free tiers, from AWS's price lists as they were in 2026.
REKOGNITION_IMAGE = 0.001  # the first million a month
EVENT = 1e-6  # EventBridge, opt-in events; pages disagree whether those of S3 are charged, so this is the dear reading
QUEUE_REQUEST = 0.4e-6
FUNCTION_REQUEST = 0.2e-6
FUNCTION_GIGABYTE_SECOND = 0.0000133334  # arm64
TRANSITION = 25e-6  # Step Functions, Standard
WRITE_UNIT = 0.625e-6  # DynamoDB on demand: 1 KB; a transaction takes two
READ_UNIT = 0.125e-6  # 4 KB, consistent
S3_WRITE = 5e-6
S3_READ = 0.4e-6
PUBLISH = 0.5e-6

#: Assumed: how many images have labels, and are flagged.
LABELED, FLAGGED = 0.2, 0.05
#: Assumed, since nothing was measured on AWS: seconds of a function's run beside what is counted, and a bulk job's.
BATCHER_SECONDS, BATCHER_SECONDS_AN_UPLOAD = 1.0, 0.001
ANALYZER_SECONDS = 1.5
RESULTS_SECONDS, RESULTS_SECONDS_AN_UPLOAD = 1.5, 0.001
JOB_SECONDS = 600

_BATCHER_GIGABYTES = 1.0
_RESULTS_GIGABYTES = 1769 / 1024
_A_KILOBYTE = 1024


@dataclass(frozen=True, slots=True)
class Case:
    """A batch of `uploads` images."""

    name: str
    engine: Engine
    uploads: int
    rate: CallRate
    priority: Priority = Priority.LIVE

    @property
    def chunks(self) -> int:
        """Chunks of the image engine; the workflow's own arithmetic."""
        if self.engine is Engine.BULK:
            return 0
        least = LEAST_FAST_CHUNK if self.priority is Priority.FAST else LEAST_CHUNK
        size = min(self.rate.chunk_size, max(least, math.ceil(self.uploads / self.rate.workers)))
        return math.ceil(self.uploads / size)

    @property
    def transitions(self) -> int:
        """States that an execution goes through."""
        if self.engine is Engine.BULK:
            return 8 + 3 * looks(JOB_SECONDS)
        return (6 if self.priority is Priority.FAST else 8) + self.chunks

    def dollars(self) -> dict[str, float]:
        """USD for a million images, by service."""
        n, chunks, is_bulk = self.uploads, self.chunks, self.engine is Engine.BULK
        analyzer_seconds = 0.0 if is_bulk else n / self.rate.calls_per_worker + chunks * ANALYZER_SECONDS
        # The batch's four files and its entry in the register, which is deleted for nothing; what the job writes, or a
        # file for each chunk.
        s3_writes = 5 + (2 if is_bulk else chunks)
        # What the workflow reads, batch.json and the index; the manifest, results and summary, or index and result
        # file of each chunk and its result file again; each image, by Rekognition; and the first bytes of each that is
        # approved.
        s3_reads = 3 + (3 if is_bulk else 3 * chunks) + n + n * (1 - FLAGGED)
        a_batch = {
            "EventBridge": n * EVENT,
            "SQS": (n + 2 * math.ceil(n / 10) + 3 * chunks) * QUEUE_REQUEST,
            "Lambda": (2 + chunks) * FUNCTION_REQUEST
            + FUNCTION_GIGABYTE_SECOND
            * (
                _BATCHER_GIGABYTES * (BATCHER_SECONDS + n * BATCHER_SECONDS_AN_UPLOAD)
                + _RESULTS_GIGABYTES * (RESULTS_SECONDS + n * RESULTS_SECONDS_AN_UPLOAD)
                + memory_size(self.priority) / 1024 * analyzer_seconds
            ),
            "Step Functions": self.transitions * TRANSITION,
            "DynamoDB": n * (write_units() * WRITE_UNIT + READ_UNIT),
            "S3": s3_writes * S3_WRITE + s3_reads * S3_READ,
            "SNS": n * FLAGGED * PUBLISH,
        }
        return {service: dollars / n * MILLION for service, dollars in a_batch.items()}


def looks(job_seconds: float) -> int:
    """How often a job is looked at until it has ended (`bulk_engine_states`)."""
    waited, count = 0.0, 0
    while waited < job_seconds:
        waited += max(20, min(150, waited // 2), min(600, waited // 24))
        count += 1
    return count


def write_units() -> float:
    """Write units for an upload's claim and its verdict, each in a transaction, and for the index where it is in it."""
    upload = an_upload("user-uploads/2026/11/22/5f1c3a9e0b7d4c21.jpg", version_id="3HL4kqtJlcpXroDTDmJ.rmSpXd3dIbrH")
    claim = a_claim(upload, batch_id="5f" * 16)
    labels = {"Violence": 92.6, "Graphic Violence": 92.6, "Explosions and Blasts": 92.6}
    verdict = a_verdict(claim=claim, analysis=an_analysis(labels))
    clean = _units(verdict_item(a_verdict(claim=claim, analysis=an_analysis({}), reasons=())))
    labeled = _units(verdict_item(verdict))
    return 2 * _units(claim_item(claim)) + 2 * ((1 - LABELED) * clean + LABELED * labeled) + FLAGGED


def _units(item: Mapping[str, Any]) -> int:
    return math.ceil(_size(item) / _A_KILOBYTE)


def _size(value: Any) -> int:
    """Bytes as DynamoDB counts them (Developer Guide, CapacityUnitCalculations.html); numbers at their longest."""
    if isinstance(value, Mapping):
        return 3 + sum(len(name.encode()) + _size(entry) + 1 for name, entry in value.items())
    if isinstance(value, list):
        return 3 + sum(_size(entry) + 1 for entry in value)
    return len(value.encode()) if isinstance(value, str) else 21 if value is not None else 1


def cases() -> list[Case]:
    """What the page tells of: one live lane, or a fast one beside it."""
    large, other = CallRate(LARGE_REGION_CALLS_PER_SECOND), CallRate(DEFAULT_CALLS_PER_SECOND)
    fast = CallRate(LARGE_REGION_CALLS_PER_SECOND * 0.25)
    return [
        *(Case(f"image, {n:,} a batch", Engine.IMAGE, n, large) for n in (100, 200, 1_000, 3_000)),
        *(Case(f"image, {n:,} a batch, 5 calls/s", Engine.IMAGE, n, other) for n in (100, 300)),
        *(Case(f"bulk, {n:,} a batch", Engine.BULK, n, large) for n in (100, 300, 1_000, 4_000)),
        *(Case(f"fast lane, {n:,} a batch", Engine.IMAGE, n, fast, Priority.FAST) for n in (1, 10)),
    ]


def table() -> str:
    """The page's table, in Markdown."""
    found = {case.name: case.dollars() for case in cases()}
    services = list(next(iter(found.values())))
    lines = [
        "| USD for a million images | " + " | ".join((*services, "together", "of Rekognition's price")) + " |",
        "| --- |" + " ---: |" * (len(services) + 2),
    ]
    for name, dollars in found.items():
        total = sum(dollars.values())
        share = total / (REKOGNITION_IMAGE * MILLION)
        figures = [f"{dollars[service]:.2f}" for service in services]
        lines.append(f"| {name} | " + " | ".join((*figures, f"{total:.2f}", f"{share:.2%}")) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
