"""A run against the gate from outside: a reader with broad rights reads whatever there is, all the time.

Meanwhile pictures are uploaded, overwritten, deleted, decided about and reported, policies are applied with and without
announcing what they change, Outcomes is killed and refused, and its records come late and twice. What the reader gets
is compared with what was approved then.
"""

import json
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import cycle, pairwise
from pathlib import Path
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from gatehouse.moderation.change import Cause
from gatehouse.moderation.decision import Act, Decision, DecisionRefusedError, decide, report
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import HISTORY, STATUS, verdict_from_item
from localcloud.process_environment import REGION
from tests.chaos.acts import now
from tests.chaos.decision_plan import MILDER, STRICTER, write_policy
from tests.chaos.observation import Observation
from tests.chaos.reviewer import Reviewer
from tests.chaos.strikes import OUTCOMES, Call
from tests.chaos.watch import Watch
from tests.e2e.assumed_role import assume
from tests.e2e.images import BLOCKED, CLEAN, REVIEW
from tests.e2e.pipeline import Pipeline

SETTINGS: Final = """
events: {bus: verdicts}
gate: {mode: tag}
image_engine: {calls_per_second: 250}
lanes: {default: {formats: []}}
"""

_BROAD: Final = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
_READERS: Final = 3
#: A reader rests for so many times what a read took, so that it slows the pipeline down by a part only.
_REST: Final = 1.0
_UPLOADS_A_STRETCH: Final = 50
_DECISIONS: Final = 25
_SETTLE_SECONDS: Final = 600.0
_POLL_SECONDS: Final = 0.5
#: A read that began so long before an approval may have been answered after it.
_REQUEST_SECONDS: Final = 5.0
#: A revocation that takes longer is none, however busy the machine.
_LONGEST_SECONDS: Final = 120.0
_DECISION = Decision("policy-violation", None)

Version = tuple[str, str]

#: Versions of the policy, one after the other, and whether what they change is announced. All of them are applied.
_POLICIES: Final = ((MILDER, False), (STRICTER, False), (MILDER, True), (STRICTER, True))
#: Verdicts there are of so many of the uploads before the next ones are made.
_UNDER_WAY: Final = 0.7

#: Makes a policy file the active version, and judges by it again what there is; announces what changes, or does not.
Apply = Callable[[Path, bool], None]


@dataclass(frozen=True, slots=True)
class GateRun:
    """What became of a run.

    Attributes:
        reads: that were tried, and how many of them were answered.
        least: how often the version was read that was read least.
        revoked: approvals that were taken back.
        replayed: by a policy.
        delays: seconds from each to the last time that its version was read nevertheless; 0 if it was not.
    """

    seed: int
    uploads: int
    seconds: float
    statuses: Mapping[str, int]
    reads: int
    answered: int
    least: int
    revoked: int
    replayed: int
    delays: Sequence[float]
    struck: int
    violations: list[str]

    def percentile(self, share: float) -> float:
        """A percentile of the delays, in seconds."""
        found = sorted(self.delays)
        return found[min(len(found) - 1, int(share * len(found)))] if found else 0.0


@dataclass(slots=True)
class _Reader:
    """Reads versions that exist, at random, for as long as the run lasts.

    Attributes:
        answered: version -> when each read that was answered had begun.
    """

    client: Any
    bucket: str
    versions: list[Version] = field(default_factory=list)
    answered: defaultdict[Version, list[float]] = field(default_factory=lambda: defaultdict(list))
    reads: Counter[Version] = field(default_factory=Counter)
    stop: threading.Event = field(default_factory=threading.Event)

    def read_on(self, seed: int) -> None:
        chance = random.Random(seed)
        while not self.stop.is_set():
            if not self.versions:
                time.sleep(0.05)
                continue
            began = time.monotonic()
            # What was touched last is what may go wrong.
            recent = self.versions[-60:] if chance.random() < 0.5 else self.versions
            self.read(chance.choice(recent))

            time.sleep(_REST * (time.monotonic() - began))

    def read(self, version: Version) -> bool:
        began = time.time()
        self.reads[version] += 1
        try:
            self.client.get_object(Bucket=self.bucket, Key=version[0], VersionId=version[1])["Body"].close()
        except ClientError:
            return False
        self.answered[version].append(began)
        return True


def run(pipeline: Pipeline, seed: int, uploads: int, *, folder: Path, apply: Apply) -> GateRun:
    """Let it happen, wait for the end, and compare.

    Args:
        folder: for the policies' files.
    """
    chance, began = random.Random(seed), time.monotonic()
    reader = _reader(pipeline)
    people = [Reviewer(pipeline, name) for name in ("alice", "bob")]
    over = threading.Event()
    struck = 0
    with Watch(pipeline.verdicts) as watch, ThreadPoolExecutor(_READERS + 1) as threads:
        reading = [threads.submit(reader.read_on, seed + n) for n in range(_READERS)]
        applying = threads.submit(_apply_on, apply, folder, over)
        try:
            keys: list[str] = []
            for stretch in range(0, uploads, _UPLOADS_A_STRETCH):
                pipeline.cloud.clear_faults()
                pipeline.cloud.faults(*(_fault(chance) for _ in range(3)), _delivery(chance))
                count = min(_UPLOADS_A_STRETCH, uploads - stretch)
                for n in range(count):
                    is_new = not keys or chance.random() < 0.7
                    key = f"gate/{stretch + n:06}.jpg" if is_new else chance.choice(keys)
                    keys += [key] if is_new else []
                    body = chance.choice((CLEAN, CLEAN, BLOCKED, REVIEW, REVIEW))
                    reader.versions.append((key, pipeline.upload(key, body)))
                _await_verdicts(pipeline, stretch + count)
                _decide(chance, pipeline, people)
                _delete(chance, pipeline, reader)
                struck += sum(fault["fired"] for fault in pipeline.cloud.all_faults())
            over.set()
            applying.result()
            pipeline.cloud.clear_faults()
            _settle(pipeline, reader)
        finally:
            over.set()
            reader.stop.set()
        for future in reading:
            future.result()
        observed = Observation(pipeline, watch).of(("gate/",))
    found = _differences(pipeline, reader, reader.versions)
    items = {(item["key"], item["version_id"]): item for item in observed.items}
    revoked = [(version, *each) for version, item in items.items() for each in _revocations(item)]
    delays = [_delay(reader.answered[version], *times) for version, *times, _ in revoked]
    late = [delay for delay in delays if delay > _LONGEST_SECONDS]
    return GateRun(
        seed=seed,
        uploads=uploads,
        seconds=time.monotonic() - began,
        statuses=Counter(item[STATUS] for item in observed.items),
        reads=reader.reads.total(),
        answered=sum(map(len, reader.answered.values())),
        least=min((reader.reads[version] for version in reader.versions), default=0),
        revoked=len(revoked),
        replayed=sum(cause == Cause.POLICY for *_, cause in revoked),
        delays=delays,
        struck=struck,
        violations=[
            *found.values(),
            *_read_too_early(items, reader),
            *(f"a version was read {delay:.0f} s after its approval was taken back" for delay in late),
        ],
    )


def _apply_on(apply: Apply, folder: Path, over: threading.Event) -> None:
    """Apply one policy after the other: the milder one approves what the stricter one blocks."""
    for n, (version, publish) in enumerate(cycle(_POLICIES)):
        if over.is_set() and n >= len(_POLICIES):
            return
        apply(write_policy(folder, version), publish)


def _delete(chance: random.Random, pipeline: Pipeline, reader: _Reader) -> None:
    """Delete an object, or one of its versions for good."""
    key, version = chance.choice(reader.versions)
    if chance.random() < 0.5:
        pipeline.cloud.client("s3").delete_object(Bucket=reader.bucket, Key=key)
    elif chance.random() < 0.5:
        reader.versions = [each for each in reader.versions if each != (key, version)]
        pipeline.cloud.client("s3").delete_object(Bucket=reader.bucket, Key=key, VersionId=version)


def _settle(pipeline: Pipeline, reader: _Reader) -> None:
    """Wait until every version has its verdict, and is readable or not as that says."""
    end = time.monotonic() + _SETTLE_SECONDS
    different: Iterable[Version] = reader.versions
    while (different := _differences(pipeline, reader, different)) and time.monotonic() < end:
        time.sleep(_POLL_SECONDS)


def _reader(pipeline: Pipeline) -> _Reader:
    credentials = assume(pipeline, "Outsider", "eve", json.dumps(_BROAD))
    client = boto3.client(
        "s3",
        endpoint_url=pipeline.cloud.endpoint,
        region_name=REGION,
        aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
        aws_session_token=credentials["AWS_SESSION_TOKEN"],
        config=Config(max_pool_connections=_READERS, retries={"total_max_attempts": 1}),
    )
    return _Reader(client, pipeline.upload_bucket)


def _fault(chance: random.Random) -> Mapping[str, object]:
    """Something that goes wrong with a call of Outcomes."""
    call = chance.choice(
        (
            *("dynamodb:BatchGetItem", "s3:GetObjectVersionTagging", "s3:PutObjectVersionTagging"),
            "s3:DeleteObjectVersionTagging",
        )
    )
    action, when = chance.choice((("kill", "before"), ("kill", "after"), ("throttle", "before")))
    named = Call(OUTCOMES, call, nth=chance.randint(1, 6))
    if action == "throttle":
        code = "SlowDown" if call.startswith("s3:") else "ProvisionedThroughputExceededException"
        return named.struck("error", when="before", code=code, status=503 if code == "SlowDown" else 400)
    return named.struck("kill", when=when)


def _delivery(chance: random.Random) -> Mapping[str, object]:
    """Records of the stream that come late, or twice."""
    of = {"of": "stream", "times": chance.randint(1, 5), "seconds": chance.choice((0.0, 0.5, 2.0))}
    return {"delivery": "delay", **of} if chance.random() < 0.5 else {"delivery": "duplicate", "copies": 1, **of}


def _decide(chance: random.Random, pipeline: Pipeline, people: Sequence[Reviewer]) -> None:
    """People decide about some of what there is: they approve, block and report."""
    verdicts = [verdict_from_item(item) for item in _final(pipeline)]
    for verdict in chance.sample(verdicts, min(_DECISIONS, len(verdicts))):
        reviewer = chance.choice(people)
        act = _act(chance, verdict, reviewer)
        if act is not None:
            with suppress(DecisionRefusedError):  # their own decision is doubted, or they decided on it before
                reviewer.write(verdict, act)


def _await_verdicts(pipeline: Pipeline, made: int) -> None:
    """Wait for verdicts of most of the uploads that were made."""
    pipeline.wait_until(lambda: len(_final(pipeline)) >= _UNDER_WAY * made, _SETTLE_SECONDS, "verdicts of most uploads")


def _final(pipeline: Pipeline) -> list[dict[str, Any]]:
    return [item for item in pipeline.verdicts("gate/") if item[STATUS] != Status.PENDING]


def _act(chance: random.Random, verdict: Verdict, reviewer: Reviewer) -> Act | None:
    match verdict.status:
        case Status.APPROVED:
            make = chance.choice((_block, _report))
            return make(reviewer)
        case Status.REVIEW:
            status = chance.choice((Status.APPROVED, Status.BLOCKED))
            return decide(status, reviewer.person, _DECISION, now())
    return None


def _block(reviewer: Reviewer) -> Act:
    return decide(Status.BLOCKED, reviewer.person, _DECISION, now())


def _report(reviewer: Reviewer) -> Act:
    return report(reviewer.person, _DECISION, now())


def _differences(pipeline: Pipeline, reader: _Reader, versions: Iterable[Version]) -> dict[Version, str]:
    """Versions that the reader can read though they are not approved, or can't though they are, or have no verdict."""
    statuses = {(item["key"], item.get("version_id")): item[STATUS] for item in pipeline.verdicts("gate/")}
    found = {}
    for version in versions:
        status, is_open = statuses.get(version), reader.read(version)
        if status in (None, Status.PENDING) or is_open != (status == Status.APPROVED):
            readable = "readable" if is_open else "not readable"
            found[version] = f"{version[0]} ({version[1]}) is {status}, and {readable}"
    return found


def _read_too_early(items: Mapping[Version, Mapping[str, Any]], reader: _Reader) -> Iterator[str]:
    """Versions that were read and never approved, or before they were."""
    for version, reads in reader.answered.items():
        item = items.get(version)
        approved = [at for at, status in _timeline(item) if status == Status.APPROVED] if item else []
        if not approved:
            yield f"{version[0]} ({version[1]}) was read, and never approved"
        elif min(reads) < min(approved) - _REQUEST_SECONDS:
            early = min(approved) - min(reads)
            yield f"{version[0]} ({version[1]}) was read {early:.1f} s before it was approved"


def _revocations(item: Mapping[str, Any]) -> Iterator[tuple[float, float, str]]:
    """When approvals were taken back, until when, and by what."""
    causes = [entry["cause"] for entry in item.get(HISTORY, [])]
    stages = [*_timeline(item), (float("inf"), item[STATUS])]
    for ((_, before), (at, status)), (until, _), cause in zip(pairwise(stages), stages[2:], causes, strict=False):
        if before == Status.APPROVED and status != Status.APPROVED:
            yield at, until, cause


def _timeline(item: Mapping[str, Any]) -> list[tuple[float, str]]:
    """When a version came into each of its statuses, the first one first."""
    entries = item.get(HISTORY, [])
    stages = [(entries[0]["since"], entries[0]["from"])] if entries else [(item.get("decided_at"), item[STATUS])]
    stages += [(entry["at"], entry["to"]) for entry in entries]
    return [(datetime.fromisoformat(at).timestamp(), status) for at, status in stages if at]


def _delay(reads: Sequence[float], at: float, until: float) -> float:
    """Seconds from a revocation to the last read that was answered and had begun after it; 0 if there was none."""
    return max((began - at for began in reads if at < began < until - _REQUEST_SECONDS), default=0.0)
