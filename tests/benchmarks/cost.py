"""What a million images cost beside Rekognition, what they cost by format, what a million changes of verdicts cost, and
what the gate costs: documented prices times counted calls.

    make cost

prints the tables of docs/cost.md. The calls are those that test_call_counts.py, test_image_analysis.py and
test_change_counts.py in tests/unit/lambdas count, the transitions those of the workflow's definition, sizes and
durations come from the code's own figures; what is assumed says so.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gatehouse.aws.flag_topic import MAX_MESSAGES
from gatehouse.configuration.call_rate import (
    DEFAULT_CALLS_PER_SECOND,
    LARGE_REGION_CALLS_PER_SECOND,
    CallRate,
)
from gatehouse.moderation.decision import Decision, acted, appeal, decide
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.lane import Priority
from gatehouse.moderation.person import Person
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import (
    DECISION_INDEX_PARTITION,
    DECISION_INDEX_PROJECTION,
    INDEX_PARTITION,
    INDEX_PROJECTION,
    INDEX_SORT,
    OBJECT,
    VERSION,
    claim_item,
    verdict_item,
)
from lambdas.analyzer.image_analysis import parallel_renderings
from lambdas.outcomes.gatekeeper import PARALLEL_TAGS
from stacks.constructs.image_analyzer import memory_size
from stacks.constructs.renderer import Renderer
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
TAG_MONTH = 0.65e-6  # of an object, in S3

#: Assumed: how many images have labels, and are flagged.
LABELED, FLAGGED = 0.2, 0.05
#: Assumed, since nothing was measured on AWS: seconds of a function's run beside what is counted, and a bulk job's.
BATCHER_SECONDS, BATCHER_SECONDS_AN_UPLOAD = 1.0, 0.001
ANALYZER_SECONDS = 1.5
RESULTS_SECONDS, RESULTS_SECONDS_AN_UPLOAD = 1.5, 0.001
JOB_SECONDS = 600
OUTCOMES_SECONDS, OUTCOMES_SECONDS_A_PUBLISH, OUTCOMES_SECONDS_A_TAG = 0.1, 0.05, 0.1

_BATCHER_GIGABYTES = 1.0
_RESULTS_GIGABYTES = 1769 / 1024
_OUTCOMES_GIGABYTES = 0.5
_RENDERER_GIGABYTES = Renderer.MEMORY_SIZE / 1024
_A_KILOBYTE = 1024

#: The two indexes of the verdict table: partition key, and what is in it beside the keys.
_INDEXES = ((INDEX_PARTITION, INDEX_PROJECTION), (DECISION_INDEX_PARTITION, DECISION_INDEX_PROJECTION))


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
        least = LEAST_FAST_CHUNK if self.priority is Priority.FAST else self.rate.least_chunk
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
        # file of each chunk, where its lines are in the index but for the first, and its result file again; each image,
        # by Rekognition; its first bytes, by the image engine; and those of each that is approved.
        s3_reads = 3 + (3 if is_bulk else 4 * chunks - 1 + n) + n + n * (1 - FLAGGED)
        a_batch = {
            "EventBridge": n * EVENT,
            "SQS": (n + 2 * math.ceil(n / 10) + 3 * chunks) * QUEUE_REQUEST,
            "Lambda": (2 + chunks) * FUNCTION_REQUEST
            + FUNCTION_GIGABYTE_SECOND
            * (
                _BATCHER_GIGABYTES * (BATCHER_SECONDS + n * BATCHER_SECONDS_AN_UPLOAD)
                + _RESULTS_GIGABYTES * (RESULTS_SECONDS + n * RESULTS_SECONDS_AN_UPLOAD)
                + memory_size(self.priority, self.rate) / 1024 * analyzer_seconds
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


@dataclass(frozen=True, slots=True)
class ChangeCase:
    """A change of a verdict by a person, as it comes to Outcomes: so many in each invocation."""

    name: str
    before: Verdict
    after: Verdict
    an_invocation: int

    @property
    def publishes(self) -> int:
        """Calls of an invocation to the topic."""
        return math.ceil(self.an_invocation / MAX_MESSAGES)

    def dollars(self) -> dict[str, float]:
        """USD for a million changes, by service."""
        seconds = OUTCOMES_SECONDS + self.publishes * OUTCOMES_SECONDS_A_PUBLISH
        invocation = FUNCTION_REQUEST + seconds * _OUTCOMES_GIGABYTES * FUNCTION_GIGABYTE_SECOND
        return {
            "DynamoDB": MILLION * (READ_UNIT + change_units(self.before, self.after) * WRITE_UNIT),
            "Streams": 0.0,  # Lambda's reads of a stream are free (CostOptimization_StreamsUsage.html)
            "Lambda": MILLION * invocation / self.an_invocation,
            "SNS": MILLION * PUBLISH,
        }


def change_units(before: Verdict, after: Verdict) -> int:
    """Write units of the UpdateItem that changes a verdict, with the indexes'.

    It takes what the larger of both items takes. In an index an entry with other keys is deleted, and put anew, each of
    them a write (DynamoDB Developer Guide, GSI.html, "Write capacity units").
    """
    old, new = verdict_item(before), verdict_item(after)
    entries = [_entry(item, *index) for index in _INDEXES for item in (old, new)]
    return max(_units(old), _units(new)) + sum(_units(entry) for entry in entries if entry)


def _entry(item: Mapping[str, Any], partition: str, projected: tuple[str, ...]) -> Mapping[str, Any]:
    """An item's entry in an index; empty where it has none. A change moves every entry: their keys have its time."""
    if partition not in item:
        return {}
    return {name: item[name] for name in (OBJECT, VERSION, partition, INDEX_SORT, *projected) if name in item}


def change_cases() -> list[ChangeCase]:
    """What the page tells of."""
    upload = an_upload("user-uploads/2026/11/22/5f1c3a9e0b7d4c21.jpg", version_id="3HL4kqtJlcpXroDTDmJ.rmSpXd3dIbrH")
    labels = {"Violence": 92.6, "Graphic Violence": 92.6, "Explosions and Blasts": 92.6}
    claim = a_claim(upload, batch_id="5f" * 16)
    waiting = a_verdict(Status.REVIEW, claim, analysis=an_analysis(labels))
    alice, bob = Person("Reviewers/alice@example.com"), Person("Reviewers/bob@example.com")
    at = "2026-11-23T09:00:00.000Z"
    approved = acted(waiting, decide(Status.APPROVED, alice, Decision("false-positive", None), at))
    blocked = acted(waiting, decide(Status.BLOCKED, alice, Decision("policy-violation", None), at))
    appealed = acted(blocked, appeal(bob, Decision("context", None), at))
    return [
        ChangeCase("approved by a person, one at a time", waiting, approved, 1),
        ChangeCase("blocked by a person, one at a time", waiting, blocked, 1),
        ChangeCase("blocked, a hundred at once", waiting, blocked, 100),
        ChangeCase("appealed, one at a time", blocked, appealed, 1),
    ]


def _by_service(what: str, found: Mapping[str, Mapping[str, float]]) -> str:
    """A table in Markdown: USD for a million of something, by case and service."""
    services = list(next(iter(found.values())))
    lines = [
        f"| USD for a million {what} | " + " | ".join((*services, "together")) + " |",
        "| --- |" + " ---: |" * (len(services) + 1),
    ]
    for name, dollars in found.items():
        figures = [f"{dollars[service]:.2f}" for service in services]
        lines.append(f"| {name} | " + " | ".join((*figures, f"{sum(dollars.values()):.2f}")) + " |")
    return "\n".join(lines)


def change_table() -> str:
    """The page's table of changes, in Markdown."""
    found = {case.name: case.dollars() for case in change_cases()}
    return _by_service("changes", found)


@dataclass(frozen=True, slots=True)
class GateCase:
    """Approved versions that get the gate's tag, or one that loses it; so many records in each invocation of Outcomes.

    Attributes:
        is_filled: whether a command asked for it, by a write of the item.
    """

    name: str
    an_invocation: int
    is_filled: bool = False
    is_closed: bool = False

    def dollars(self) -> dict[str, float]:
        """USD for a million versions, by service."""
        item = verdict_item(a_verdict(claim=a_claim(an_upload()), analysis=an_analysis({}), reasons=()))
        seconds = OUTCOMES_SECONDS + OUTCOMES_SECONDS_A_TAG * math.ceil(self.an_invocation / PARALLEL_TAGS)
        invocation = FUNCTION_REQUEST + seconds * _OUTCOMES_GIGABYTES * FUNCTION_GIGABYTE_SECOND
        reads = 2 * READ_UNIT  # before and after
        write = _units(item) * WRITE_UNIT if self.is_filled else 0.0
        # Deleting tags is not charged.
        return {
            "DynamoDB": MILLION * (reads + write),
            "S3": MILLION * (S3_READ + (0.0 if self.is_closed else S3_WRITE)),
            "tags, a month": 0.0 if self.is_closed else MILLION * TAG_MONTH,
            "Lambda": MILLION * invocation / self.an_invocation,
        }


def gate_table() -> str:
    """The page's table of the gate, in Markdown."""
    found = {
        case.name: case.dollars()
        for case in (
            GateCase("approved, one at a time", 1),
            GateCase("approved, a hundred at once", 100),
            GateCase("approved before the gate (`gate fill`)", 100, is_filled=True),
            GateCase("revoked, one at a time", 1, is_closed=True),
        )
    }
    return _by_service("versions", found)


@dataclass(frozen=True, slots=True)
class FileCase:
    """An upload of a format, judged by the image engine.

    Attributes:
        renderings: calls of the renderer, each of which fetches the file.
        analyses: answers of Rekognition, which it charges.
        seconds: of one rendering; measured for 12 million pixels on one machine (docs/decisions/0018-renderer.md).
    """

    name: str
    renderings: int
    analyses: int
    seconds: float = 0.0

    @property
    def reads(self) -> int:
        """GETs of the file before its approval: its first bytes, and what the renderer fetches."""
        return 1 + self.renderings

    def dollars(self) -> dict[str, float]:
        """USD for a million such uploads, by service; what any upload costs beside that is in the other table."""
        rate = CallRate(LARGE_REGION_CALLS_PER_SECOND)
        at_a_time = parallel_renderings(rate.calls_per_worker)
        waiting = self.renderings * self.seconds * memory_size(Priority.LIVE, rate) / 1024 / at_a_time
        working = self.renderings * self.seconds * _RENDERER_GIGABYTES
        return {
            "S3": MILLION * self.reads * S3_READ,
            "Lambda": MILLION * (self.renderings * FUNCTION_REQUEST + (working + waiting) * FUNCTION_GIGABYTE_SECOND),
            "Rekognition": MILLION * self.analyses * REKOGNITION_IMAGE,
        }


def file_cases() -> dict[str, FileCase]:
    """What the page tells of, by the names that test_image_analysis.py has files for and counts the calls of."""
    return {
        "plain": FileCase("JPEG or PNG, as it is", 0, 1),
        "small": FileCase("JPEG too large or too small for Rekognition", 1, 1, 0.3),
        "WEBP": FileCase("WebP", 1, 1, 0.55),
        "AVIF": FileCase("AVIF", 1, 1, 0.65),
        "HEIC": FileCase("HEIC", 1, 1, 0.8),
        "GIF": FileCase("GIF", 1, 1, 0.4),
        "TIFF": FileCase("TIFF", 1, 1, 0.65),
        "BMP": FileCase("BMP", 1, 1, 0.3),
        "clear": FileCase("WebP with transparent parts", 2, 2, 0.55),
        "three": FileCase("animation of 3 frames", 3, 3, 0.4),
        "many": FileCase("animation of 8 frames or more", 8, 8, 0.4),
        "cut": FileCase("WebP that is cut off", 1, 0, 0.55),
    }


def file_table() -> str:
    """The page's table of formats, in Markdown."""
    services = ("S3", "Lambda", "Rekognition")
    lines = [
        "| USD for a million uploads | GETs | renderings | analyses | " + " | ".join((*services, "together")) + " |",
        "| --- |" + " ---: |" * (len(services) + 4),
    ]
    for case in file_cases().values():
        dollars = case.dollars()
        figures = [f"{dollars[service]:,.2f}" for service in services]
        counts = map(str, (case.reads, case.renderings, case.analyses))
        lines.append(f"| {case.name} | " + " | ".join((*counts, *figures, f"{sum(dollars.values()):,.2f}")) + " |")
    return "\n".join(lines)


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
        *(Case(f"image, {n:,} a batch", Engine.IMAGE, n, large) for n in (50, 200, 1_000, 3_000)),
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
    print(f"{table()}\n\n{file_table()}\n\n{change_table()}\n\n{gate_table()}")
