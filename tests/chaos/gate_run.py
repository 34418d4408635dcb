"""A run against the gate from outside: a reader with broad rights reads whatever there is, all the time.

Meanwhile pictures are uploaded, overwritten, deleted, decided about and appealed against, and Outcomes is killed and
refused. What the reader gets is compared with what was approved then.
"""

import json
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from gatehouse.moderation.decision import Act, Decision, DecisionRefusedError, decide, report
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from gatehouse.moderation.verdict_item import HISTORY, STATUS, verdict_from_item
from localcloud.process_environment import REGION
from tests.chaos.acts import now
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
_UPLOADS_A_STRETCH: Final = 50
_DECISIONS: Final = 25
_SETTLE_SECONDS: Final = 180.0
_POLL_SECONDS: Final = 0.5
#: A read that began so long before an approval may have been answered after it.
_REQUEST_SECONDS: Final = 5.0
_DECISION = Decision("policy-violation", None)

Version = tuple[str, str]


@dataclass(frozen=True, slots=True)
class GateRun:
    """What became of a run.

    Attributes:
        reads: that were tried, and how many of them were answered.
        revoked: decisions that took an approval back.
        delays: seconds from each to the last time that its version was read nevertheless; 0 if it was not.
    """

    seed: int
    uploads: int
    seconds: float
    statuses: Mapping[str, int]
    reads: int
    answered: int
    revoked: int
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
            # What was touched last is what may go wrong.
            recent = self.versions[-60:] if chance.random() < 0.5 else self.versions
            self.read(chance.choice(recent))

    def read(self, version: Version) -> bool:
        began = time.time()
        self.reads[version] += 1
        try:
            self.client.get_object(Bucket=self.bucket, Key=version[0], VersionId=version[1])["Body"].close()
        except ClientError:
            return False
        self.answered[version].append(began)
        return True


def run(pipeline: Pipeline, seed: int, uploads: int) -> GateRun:
    """Let it happen, wait for the end, and compare."""
    chance, began = random.Random(seed), time.monotonic()
    reader = _reader(pipeline)
    people = [Reviewer(pipeline, name) for name in ("alice", "bob")]
    revoked: dict[Version, float] = {}
    struck = 0
    with Watch(pipeline.verdicts) as watch, ThreadPoolExecutor(_READERS) as threads:
        reading = [threads.submit(reader.read_on, seed + n) for n in range(_READERS)]
        try:
            keys: list[str] = []
            for stretch in range(0, uploads, _UPLOADS_A_STRETCH):
                pipeline.cloud.clear_faults()
                pipeline.cloud.faults(*(_fault(chance) for _ in range(3)))
                count = min(_UPLOADS_A_STRETCH, uploads - stretch)
                for n in range(count):
                    is_new = not keys or chance.random() < 0.7
                    key = f"gate/{stretch + n:06}.jpg" if is_new else chance.choice(keys)
                    keys += [key] if is_new else []
                    body = chance.choice((CLEAN, CLEAN, BLOCKED, REVIEW))
                    reader.versions.append((key, pipeline.upload(key, body)))
                _decide(chance, pipeline, people, revoked)
                if chance.random() < 0.5:
                    pipeline.cloud.client("s3").delete_object(Bucket=reader.bucket, Key=chance.choice(keys))
                struck += sum(fault["fired"] for fault in pipeline.cloud.all_faults())
            pipeline.cloud.clear_faults()
            end = time.monotonic() + _SETTLE_SECONDS
            while _differences(pipeline, reader) and time.monotonic() < end:
                time.sleep(_POLL_SECONDS)
        finally:
            reader.stop.set()
        for future in reading:
            future.result()
        observed = Observation(pipeline, watch).of(("gate/",))
    found = [*_differences(pipeline, reader), *_read_too_early(pipeline, reader)]
    delays = [max([0.0, *(at - when for at in reader.answered[version])]) for version, when in revoked.items()]
    return GateRun(
        seed=seed,
        uploads=uploads,
        seconds=time.monotonic() - began,
        statuses=Counter(item[STATUS] for item in observed.items),
        reads=reader.reads.total(),
        answered=sum(map(len, reader.answered.values())),
        revoked=len(revoked),
        delays=delays,
        struck=struck,
        violations=found,
    )


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


def _decide(
    chance: random.Random, pipeline: Pipeline, people: Sequence[Reviewer], revoked: dict[Version, float]
) -> None:
    """People decide about some of what there is: they approve, block and report."""
    verdicts = [verdict_from_item(item) for item in pipeline.verdicts() if item[STATUS] != Status.PENDING]
    for verdict in chance.sample(verdicts, min(_DECISIONS, len(verdicts))):
        reviewer = chance.choice(people)
        act = _act(chance, verdict, reviewer)
        try:
            is_done = act is not None and reviewer.write(verdict, act).is_done
        except DecisionRefusedError:
            continue  # their own decision is doubted, or they decided on it before
        version = verdict.upload.key, str(verdict.upload.version_id)
        if is_done and verdict.status is Status.APPROVED:
            revoked.setdefault(version, time.time())
        elif is_done:
            revoked.pop(version, None)  # approved again, perhaps


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


def _differences(pipeline: Pipeline, reader: _Reader) -> list[str]:
    """Versions that the reader can read though they are not approved, or can't though they are."""
    statuses = {(item["key"], item.get("version_id")): item[STATUS] for item in pipeline.verdicts("gate/")}
    found = []
    for version in reader.versions:
        status, is_open = statuses.get(version), reader.read(version)
        if is_open != (status == Status.APPROVED):
            found.append(f"{version[0]} ({version[1]}) is {status}, and {'readable' if is_open else 'not readable'}")
    return found


def _read_too_early(pipeline: Pipeline, reader: _Reader) -> list[str]:
    """Versions that were read and never approved, or before they were."""
    approved = {
        (item["key"], item.get("version_id")): moment
        for item in pipeline.verdicts("gate/")
        if (moment := _first_approved(item)) is not None
    }
    found = []
    for (key, version), reads in reader.answered.items():
        moment = approved.get((key, version))
        if moment is None:
            found.append(f"{key} ({version}) was read, and never approved")
        elif min(reads) < moment - _REQUEST_SECONDS:
            found.append(f"{key} ({version}) was read {moment - min(reads):.1f} s before it was approved")
    return found


def _first_approved(item: Mapping[str, Any]) -> float | None:
    """When a version was approved for the first time, as its item says; None if it never was."""
    entries = item.get(HISTORY, [])
    times = [entry["since"] for entry in entries if entry["from"] == Status.APPROVED]
    times += [entry["at"] for entry in entries if entry["to"] == Status.APPROVED]
    if item[STATUS] == Status.APPROVED and not entries:
        times.append(item["decided_at"])
    return min((datetime.fromisoformat(at).timestamp() for at in times), default=None)
