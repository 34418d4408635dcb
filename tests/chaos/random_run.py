"""A randomized run: thousands of uploads, and faults of every sort at random calls and moments."""

import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gatehouse.moderation.verdict_item import STATUS
from tests.chaos import evidence, table
from tests.chaos.cloud import sweep
from tests.chaos.composition import PREFIXES, Stretch, compose
from tests.chaos.invariants import violations
from tests.chaos.ledger import Ledger
from tests.chaos.observation import Observation
from tests.chaos.stage import upload_all
from tests.chaos.table_run import verdict_counts
from tests.chaos.watch import Watch
from tests.e2e.pipeline import Pipeline

_SETTLE_SECONDS = 900.0
_POLL_SECONDS = 0.5
#: Throttling lasts for so long after the last upload: hours of the cloud's time, and the run's end is in sight.
_THROTTLED_SECONDS = 30.0

_THROTTLED = ("ThrottlingException", "ProvisionedThroughputExceededException")

#: What the last call about an image that Rekognition never has an answer for may have ended with: Rekognition's own
#: error, or a strike at that very call.
POISONED = frozenset({"InternalServerError", "AccessDeniedException", "ConnectionClosedError"})


@dataclass(frozen=True, slots=True)
class RandomRun:
    """What became of a randomized run.

    Attributes:
        struck: faults that struck, by what they did.
        idle: faults that met no call.
        throttled: calls that Rekognition was told to throttle.
        poisoned: status -> how many uploads of images have it that Rekognition never has an answer for.
        watched: final verdicts that were seen while the run went on.
    """

    seed: int
    uploads: int
    verdicts: Mapping[str, int]
    flags: int
    flagged_uploads: int
    analyses: int
    leftovers: int
    struck: Mapping[str, int]
    idle: int
    throttled: int
    poisoned: Mapping[str, int]
    watched: int
    violations: list[str]
    evidence: Path | None


def run(pipeline: Pipeline, seed: int, uploads: int) -> RandomRun:
    """Compose, upload and strike; wait until nothing waits any more; check everything.

    The sweeper comes by where only it helps. Its schedule would have it look at batches of half an hour's age.
    Throttling ends some time after the uploads, so that the run does; poisoned images never get an answer.
    """
    cloud = pipeline.cloud
    stretches = compose(seed, uploads)
    ledger = Ledger(legitimate_failures=frozenset(table.TRANSIENT_FAILURES))
    with Watch(pipeline.verdicts) as watch:
        observation = Observation(pipeline, watch)
        for stretch in stretches:
            cloud.faults(*stretch.faults)
            cloud.rekognition(**stretch.switches)
            ledger.failing |= dict.fromkeys(stretch.poisoned, POISONED)
            upload_all(pipeline, stretch.uploads, ledger)
        cloud.rekognition(concurrent_jobs=None)
        uploaded = time.monotonic()
        while not observation.is_settled(PREFIXES, ledger) and time.monotonic() < uploaded + _SETTLE_SECONDS:
            if time.monotonic() > uploaded + _THROTTLED_SECONDS:
                cloud.rekognition(requests_per_second=None)
            if observation.is_still():
                sweep(pipeline)
            time.sleep(_POLL_SECONDS)
        observation.tidy()
        leftovers = _leftovers(pipeline)
        ledger.paid_again = leftovers + sum(stretch.paid_again for stretch in stretches)
        observed = observation.of(PREFIXES)
        armed, faults, calls = cloud.armed_faults(), cloud.all_faults(), cloud.rekognition_counters()["calls"]
        cloud.clear_faults()
        cloud.reset_rekognition()
    found = violations(ledger, observed)
    happened = [*faults, *({"switches": stretch.switches} for stretch in stretches)]
    name = f"random --uploads {uploads} --seed {seed}"
    struck = _struck(stretches)
    struck.subtract(_name(fault) for fault in armed if not fault["fired"])
    return RandomRun(
        seed=seed,
        uploads=len(ledger),
        verdicts=verdict_counts(observed),
        flags=len(observed.flags),
        flagged_uploads=len({(flag["object"]["key"], flag["version"]) for flag in observed.flags}),
        analyses=sum(observed.analyzed.values()),
        leftovers=leftovers,
        struck=+struck,
        idle=sum(not fault["fired"] for fault in armed),
        throttled=sum(answers.get(error, 0) for answers in calls.values() for error in _THROTTLED),
        poisoned=Counter(item[STATUS] for item in observed.items if item["key"] in stretches[-1].poisoned),
        watched=watch.seen,
        violations=found,
        evidence=evidence.keep(pipeline, name, ledger, observed, happened, found) if found else None,
    )


def _leftovers(pipeline: Pipeline) -> int:
    """Uploads that a job gave no definite answer for: each may be analyzed once more, by its version."""
    return sum(
        len({json.loads(line)["n"] for line in pipeline.work_object(key).splitlines()})
        for key in pipeline.batch_keys()
        if key.endswith("/leftovers.jsonl")
    )


def _struck(stretches: list[Stretch]) -> Counter[str]:
    return Counter(_name(fault) for stretch in stretches for fault in stretch.faults)


def _name(fault: Mapping[str, object]) -> str:
    return str(fault.get("delivery") or fault.get("action"))
