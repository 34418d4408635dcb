"""What subscribers are told of some objects, in whatever order and however often, and what holds in the end."""

import json
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gatehouse.moderation.decision import Decision, acted, appeal, decide
from gatehouse.moderation.flag import Flag
from gatehouse.moderation.person import Person
from gatehouse.moderation.status import Status
from gatehouse.moderation.verdict import Verdict
from tests.unit.builders import a_claim, a_verdict, an_upload

MIRA, SAM = Person("reviewers/mira"), Person("reviewers/sam")
_WHY = Decision("context", None)
_KEYS = ("cat.jpg", 'a b/ü "quoted".jpg', "dog.png")


def histories() -> dict[str, list[Verdict]]:
    """Object -> its verdicts in their order: three uploads of each, every one changed eleven times.

    Eleven, so that who compares revisions as text is found out; and sequencers of different lengths. One object has a
    first verdict that was announced and never written, and another one that was.
    """
    claim = a_claim(an_upload("twice.jpg"))
    never_written = a_verdict(Status.APPROVED, claim)
    written = replace(a_verdict(Status.BLOCKED, claim), decided_at="2026-11-22T12:07:00.000Z")
    return {"s3://uploads/twice.jpg": [never_written, written]} | {
        f"s3://uploads/{key}": [
            verdict for n, sequencer in enumerate(("FF", "0100", "00aa00")) for verdict in _changes(key, n, sequencer)
        ]
        for key in _KEYS
    }


def _changes(key: str, n: int, sequencer: str) -> list[Verdict]:
    upload = an_upload(key, sequencer, version_id=None if n == 0 else f"v{n}")
    found = [a_verdict(Status.REVIEW, a_claim(upload))]
    for number in range(11):
        at = f"2026-11-23T12:{number:02}:00.000Z"
        before = found[-1]
        if before.status is Status.BLOCKED:
            act = appeal(SAM, _WHY, at)
        else:
            act = decide(Status.BLOCKED if before.status is Status.REVIEW else Status.APPROVED, MIRA, _WHY, at)
        found.append(acted(replace(before, recused=None), act))
    return found


def flags(seed: int) -> list[dict[str, Any]]:
    """All flags, each up to three times, in a random order."""
    chance = random.Random(seed)
    told = [json.loads(Flag.of(verdict).body) for verdicts in histories().values() for verdict in verdicts]
    often = [flag for flag in told for _ in range(chance.randint(1, 3))]
    chance.shuffle(often)
    return often


def as_event(flag: Mapping[str, Any]) -> dict[str, Any]:
    """A flag as EventBridge delivers it."""
    stored = flag["object"]
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": "Gatehouse Verdict",
        "source": "gatehouse",
        "account": "111122223333",
        "time": f"{flag['decided_at'][:19]}Z",
        "region": "eu-west-1",
        "resources": [f"arn:aws:s3:::{stored['bucket']}/{stored['key']}"],
        "detail": flag,
    }


def newest() -> dict[str, tuple[str, int, str]]:
    """Object -> version, revision and status that hold in the end."""
    last = {name: verdicts[-1] for name, verdicts in histories().items()}
    return {name: (one.upload.version, one.revision, one.status.value) for name, one in last.items()}
