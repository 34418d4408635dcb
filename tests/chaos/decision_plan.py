"""Composes a run of decisions from a seed: uploads that get every status, three policies, and faults among them."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from demo.synthesis import ROOT
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.lane import Priority
from gatehouse.moderation.status import FINAL, Status
from tests.chaos import table
from tests.chaos.cloud import BUS
from tests.chaos.ledger import Kind
from tests.chaos.strikes import ANALYZER, BATCHER, OUTCOMES, RESULTS, Call, Document, strikes_at

#: Every final verdict is announced, so that a subscriber hears of everything.
_SETTINGS: Mapping[str, Any] = {
    "notify": sorted(status.value for status in FINAL),
    "events": {"bus": BUS},
    "image_engine": {"calls_per_second": 250},
    "lanes": {
        "default": {"formats": []},
        "bulk": {"prefixes": ["bulk/"], "engine": Engine.BULK.value, "formats": []},
        "fast": {"prefixes": ["fast/"], "priority": Priority.FAST.value, "formats": []},
    },
}
SETTINGS = yaml.safe_dump(dict(_SETTINGS))

#: What is deployed while the run goes on: it changes the batchers and Results.
LATER_SETTINGS = yaml.safe_dump({**_SETTINGS, "model_version": "8", "work_retention_days": 60})

#: Prefix of keys -> uploads in proportion.
_PREFIXES = {"pictures/": 60, "bulk/": 25, "fast/": 15}
_KINDS = {
    Kind.CLEAN: 30,
    Kind.ARMED: 15,
    Kind.REVIEW: 15,
    Kind.SMOKING: 15,
    Kind.BLOCKED: 15,
    Kind.TEXT: 5,
    Kind.EMPTY: 2,
    Kind.ANIMATED: 3,
}

#: Versions of the standard policy, and what each makes of the kinds that they differ on.
STANDARD, STRICTER, MILDER = "standard", "stricter", "milder"
_RULES: Mapping[str, Mapping[str, Any]] = {
    STRICTER: {"Weapons": {"block": 80}, "Violence": {"block": 80}},
    MILDER: {"Violence": {"review": 90}},
}
_JUDGED: Mapping[tuple[str, Kind], Status] = {
    (STRICTER, Kind.ARMED): Status.BLOCKED,
    (STRICTER, Kind.REVIEW): Status.BLOCKED,
    (MILDER, Kind.REVIEW): Status.APPROVED,
    (MILDER, Kind.BLOCKED): Status.REVIEW,
}

#: One in so many uploads replaces an earlier one's bytes, or is one that Rekognition never has an answer for.
_OVERWRITES, _POISONED = 10, 40
#: And one in so many is held for a look.
_HELD = 4
#: Stretches of a run at most, and uploads in one of them at least.
_STRETCHES, _LEAST_UPLOADS = 12, 20

#: Calls that are refused in part until Outcomes leaves their rest to another delivery.
_LONGER_THAN_TRIED = 7

#: Who is killed.
_FUNCTIONS = (BATCHER, ANALYZER, RESULTS)
_PUBLISH = Call(OUTCOMES, "sns:PublishBatch")


@dataclass(frozen=True, slots=True)
class DecisionStretch:
    """What happens next: faults first, then uploads, each of another object.

    Attributes:
        poisoned: keys that Rekognition never has an answer for from now on.
        held: keys that a third person looks at now and then, so that nobody else decides on them.
    """

    faults: tuple[Document, ...]
    uploads: tuple[tuple[str, Kind], ...]
    poisoned: tuple[str, ...]
    held: tuple[str, ...]


def compose(seed: int, uploads: int) -> list[DecisionStretch]:
    """The uploads and faults of a seed: the same ones each time."""
    chance = random.Random(seed)
    stretches: list[DecisionStretch] = []
    keys: list[str] = []
    poisoned: tuple[str, ...] = ()
    size = max(_LEAST_UPLOADS, -(-uploads // _STRETCHES))
    while len(keys) < uploads:
        planned = dict(_uploads(chance, min(size, uploads - len(keys)), keys))
        poisoned += tuple(
            key
            for key, kind in planned.items()
            if kind.is_paid and not key.startswith("bulk/") and chance.randrange(_POISONED) == 0
        )
        held = tuple(key for key in planned if chance.randrange(_HELD) == 0)
        stretches.append(DecisionStretch(tuple(_faults(chance)), tuple(planned.items()), poisoned, held))
        keys += planned
    return stretches


def judged(policy: str, kind: Kind) -> Status:
    """What a version of the policy makes of an upload of these bytes."""
    return _JUDGED.get((policy, kind), kind.status)


def write_policy(folder: Path, version: str) -> Path:
    """The standard policy with other rules, as a file that `policy apply` takes."""
    document = yaml.safe_load((ROOT / "policies" / "standard.yaml").read_text("utf-8"))
    document |= {"version": version, "rules": document["rules"] | _RULES[version]}
    file = folder / f"{version}.yaml"
    file.write_text(yaml.safe_dump(document), "utf-8")
    return file


def _uploads(chance: random.Random, count: int, earlier: Sequence[str]) -> Iterator[tuple[str, Kind]]:
    for number in range(count):
        kind = chance.choices(list(_KINDS), list(_KINDS.values()))[0]
        if earlier and chance.randrange(_OVERWRITES) == 0:
            yield chance.choice(earlier), kind
        else:
            prefix = chance.choices(list(_PREFIXES), list(_PREFIXES.values()))[0]
            yield f"{prefix}{len(earlier) + number:06}.jpg", kind


def _faults(chance: random.Random) -> Iterator[Document]:
    """One function killed at a call, or something else that goes wrong there; Outcomes killed; deliveries repeated."""
    steps = [step for step in table.steps() if step.call.caller in _FUNCTIONS and step.situation not in table.RARE]
    for call in (chance.choice(steps).call.at(chance.randint(1, 3)), _PUBLISH.at(chance.randint(1, 4))):
        strikes = list(strikes_at(call))
        kills = [strike for strike in strikes if strike.kills]
        yield chance.choice(kills if chance.randrange(3) else strikes).document
    seconds = chance.choice((0.0, 0.5, 2.0))
    stream = {"of": "stream", "times": chance.randint(1, 5)}
    yield chance.choice(
        (
            {"delivery": "duplicate", "copies": chance.randint(1, 2), "seconds": seconds, **stream},
            {"delivery": "delay", "seconds": seconds, **stream},
        )
    )
    entries = sorted(chance.sample(range(10), chance.randint(1, 9)))
    times = chance.choice((1, 2, _LONGER_THAN_TRIED))
    yield _PUBLISH.at(chance.randint(1, 8)).struck("partial", entries=entries, times=times)
