"""A randomized run: thousands of uploads, and faults of every sort at random calls and moments."""

import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

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


@dataclass(frozen=True, slots=True)
class RandomRun:
    """What became of a randomized run.

    Attributes:
        struck: faults that struck, by what they did.
        idle: faults that met no call.
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
    watched: int
    violations: list[str]
    evidence: Path | None


def run(pipeline: Pipeline, seed: int, uploads: int) -> RandomRun:
    """Compose, upload and strike; wait until nothing waits any more; check everything.

    The sweeper comes by where only it helps. Its schedule would have it look at batches of half an hour's age.
    """
    cloud = pipeline.cloud
    stretches = compose(seed, uploads)
    ledger = Ledger(legitimate_failures=frozenset(table.TRANSIENT_FAILURES))
    with Watch(pipeline.verdicts) as watch:
        observation = Observation(pipeline, watch)
        for stretch in stretches:
            cloud.faults(*stretch.faults)
            cloud.rekognition(**stretch.switches)
            upload_all(pipeline, stretch.uploads, ledger)
        cloud.rekognition(concurrent_jobs=None)
        end = time.monotonic() + _SETTLE_SECONDS
        while not observation.is_settled(PREFIXES, ledger) and time.monotonic() < end:
            if observation.is_still():
                sweep(pipeline)
            time.sleep(_POLL_SECONDS)
        observation.tidy()
        leftovers = _leftovers(pipeline)
        ledger.paid_again = leftovers + sum(stretch.paid_again for stretch in stretches)
        observed = observation.of(PREFIXES)
        armed, faults = cloud.armed_faults(), cloud.all_faults()
        cloud.clear_faults()
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
        analyses=sum(observed.analysed.values()),
        leftovers=leftovers,
        struck=+struck,
        idle=sum(not fault["fired"] for fault in armed),
        watched=watch.seen,
        violations=found,
        evidence=evidence.keep(pipeline, name, ledger, observed, happened, found) if found else None,
    )


def _leftovers(pipeline: Pipeline) -> int:
    """Uploads that a job gave no definite answer for: each may be analysed once more, by its version."""
    return sum(
        len({json.loads(line)["n"] for line in pipeline.work_object(key).splitlines()})
        for key in pipeline.batch_keys()
        if key.endswith("/leftovers.jsonl")
    )


def _struck(stretches: list[Stretch]) -> Counter[str]:
    return Counter(_name(fault) for stretch in stretches for fault in stretch.faults)


def _name(fault: Mapping[str, object]) -> str:
    return str(fault.get("delivery") or fault.get("action"))
