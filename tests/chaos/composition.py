"""Composes a randomized run from a seed: uploads of every kind to every lane, and faults among them."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.chaos import table
from tests.chaos.cloud import BULK_LANES
from tests.chaos.ledger import Kind
from tests.chaos.strikes import BATCHER, RESULTS, Call, Document, strikes_at

#: Uploads of each kind and lane, in proportion.
_KINDS = {Kind.CLEAN: 60, Kind.BLOCKED: 14, Kind.REVIEW: 12, Kind.TEXT: 9, Kind.EMPTY: 5}
_LANES = dict.fromkeys(BULK_LANES[:2], 24) | {"image": 20, "auto": 15, "fast": 5, "backfill": 12}

#: What the keys of a run begin with, one for each lane; and of the lanes that have no engine but Bulk Analysis.
PREFIXES = tuple(f"{lane}/random/" for lane in _LANES)
BULK_PREFIXES = tuple(f"{lane}/random/" for lane in (*BULK_LANES[:2], "backfill"))

#: One in so many uploads replaces an earlier one's bytes.
_OVERWRITES = 20
#: Uploads between two moments at which something may be armed.
_STRETCH = (20, 120)

#: In one of so many stretches is an image that Rekognition never has an answer for.
_POISONED = 4
#: How Rekognition throttles for long: one call a second passes, until the run lifts it after hours of the cloud's time.
#: Of images only: batches whose jobs can't be started for so long are FAILED, which a row of the table has.
_THROTTLED_FOR_LONG = {"requests_per_second": {"DetectModerationLabels": 1}}

#: Uploads in a chunk of the image engine at most, on the cloud these runs have.
CHUNK = 35


@dataclass(frozen=True, slots=True)
class Stretch:
    """What happens next: faults and switches first, then uploads, each of another object.

    Attributes:
        paid_again: analyses that the faults cost at most, if they strike.
        poisoned: keys that Rekognition never has an answer for from now on: those of the stretches before, and its own.
    """

    faults: tuple[Document, ...]
    switches: Mapping[str, Any]
    uploads: tuple[tuple[str, Kind], ...]
    paid_again: int
    poisoned: tuple[str, ...] = ()


def compose(seed: int, uploads: int) -> list[Stretch]:
    """The run of a seed: the same uploads and the same faults between the same uploads, each time."""
    chance = random.Random(seed)
    stretches: list[Stretch] = []
    keys: list[str] = []
    poisoned: tuple[str, ...] = ()
    while len(keys) < uploads:
        size = min(chance.randint(*_STRETCH), uploads - len(keys))
        planned = dict(_uploads(chance, size, keys))
        faults, switches, paid_again = _misfortune(chance)
        asked = _asked_about(planned)
        if asked and chance.randrange(_POISONED) == 0:
            poisoned += (chance.choice(asked),)
        switches = {**switches, "fail_images": list(poisoned)}
        stretches.append(Stretch(faults, switches, tuple(planned.items()), paid_again, poisoned))
        keys += planned
    return stretches


def _uploads(chance: random.Random, count: int, earlier: Sequence[str]) -> Iterator[tuple[str, Kind]]:
    kinds = list(_KINDS)
    for number in range(count):
        kind = chance.choices(kinds, list(_KINDS.values()))[0]
        if earlier and chance.randrange(_OVERWRITES) == 0:
            yield chance.choice(earlier), kind
        else:
            prefix = chance.choices(PREFIXES, list(_LANES.values()))[0]
            yield f"{prefix}{len(earlier) + number:06}.jpg", kind


def _asked_about(uploads: Mapping[str, Kind]) -> list[str]:
    """Keys of the pictures that the image engine asks about, as far as their lanes tell."""
    return [key for key, kind in uploads.items() if kind.is_paid and not key.startswith(BULK_PREFIXES)]


def _misfortune(chance: random.Random) -> tuple[tuple[Document, ...], Mapping[str, Any], int]:
    """Faults and switches of a stretch, and the analyses that they cost at most."""
    calls = [step.call for step in table.steps() if step.situation not in table.RARE]
    faults: list[Document] = []
    paid_again = 0
    for _ in range(chance.choice((0, 1, 1, 2, 3))):
        call = chance.choice(calls)
        nth = chance.randint(1, 30 if call.call == "rekognition:DetectModerationLabels" else 3)
        strike = chance.choice(list(strikes_at(call.at(nth))))
        faults.append(strike.document)
        paid_again += CHUNK if table.costs(call, strike) else 0
    if chance.randrange(3) == 0:
        faults.append(chance.choice(_partial(chance)))
    if chance.randrange(3) == 0:
        faults.append(chance.choice(_deliveries(chance)))
    if chance.randrange(3) == 0:
        faults.append(chance.choice(_large_answers(chance)))
    switches = chance.choice(_switches(chance)) if chance.randrange(2) == 0 else {}
    return tuple(faults), {"concurrent_jobs": None, **switches}, paid_again


def _partial(chance: random.Random) -> list[Document]:
    transactions = [Call(caller, "dynamodb:TransactWriteItems") for caller in (BATCHER, RESULTS)]
    reasons = chance.choice((["TransactionConflict"], ["None", "TransactionConflict"], ["ThrottlingError", "None"]))
    entries = sorted(chance.sample(range(10), chance.randint(1, 9)))
    return [
        *(call.struck("cancel", reasons=reasons, times=chance.randint(1, 3)) for call in transactions),
        Call(RESULTS, "sns:PublishBatch").struck("partial", entries=entries, times=chance.randint(1, 3)),
        Call(RESULTS, "dynamodb:BatchGetItem").struck("partial", entries=entries, times=chance.randint(1, 3)),
    ]


def _deliveries(chance: random.Random) -> list[Document]:
    times = chance.randint(5, 60)
    return [
        {"delivery": "duplicate", "times": times, "copies": chance.randint(1, 2)},
        {"delivery": "duplicate", "times": times, "copies": 1, "seconds": 3},
        {"delivery": "reorder", "times": times, "seed": chance.randrange(1000)},
        {"delivery": "delay", "times": times, "seconds": chance.choice((0.5, 2))},
    ]


def _large_answers(chance: random.Random) -> list[Document]:
    nth, times = chance.randint(1, 5), chance.randint(1, 2)
    return [call.at(nth).struck("enlarge", times=times) for call in table.calls_of_any_size()]


def _switches(chance: random.Random) -> list[Mapping[str, Any]]:
    few = chance.randint(1, 20)
    failing = {"operation": "DetectModerationLabels", "error": "InternalServerError", "times": few}
    return [
        {"throttle_calls": few},
        _THROTTLED_FOR_LONG,
        {"concurrent_jobs": chance.randint(0, 2)},
        {"fail_next_calls": [failing]},
        {"fail_next_jobs": [{"code": chance.choice(table.TRANSIENT_FAILURES), "message": "Told to fail."}]},
        {"drop_result_lines": few},
        {"duplicate_result_lines": few},
        {"garble_result_lines": few},
        {"shuffle_results": 1},
        {"truncate_results": 1},
        {"omit_summary": 1},
    ]
