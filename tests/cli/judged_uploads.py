"""Uploads that a policy has judged, with real objects behind them, and a clock nobody has to wait for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gatehouse.cli.clock import Clock
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.verdict import BY_POLICY, Verdict
from tests.cli.conftest import UPLOADS, Deployed
from tests.unit.builders import NOON, a_claim, an_analysis, an_upload

#: Claimed after every object of these tests was stored, whenever they run; and before.
LATER, EARLIER = "2199-01-01T00:00:00.000Z", "1999-01-01T00:00:00.000Z"


def a_judged(
    key: str,
    confidences: Mapping[str, float],
    policy: Policy,
    *,
    upload: Mapping[str, Any] | None = None,
    claim: Mapping[str, Any] | None = None,
    analysis: Mapping[str, Any] | None = None,
    **fields: Any,
) -> Verdict:
    """What `policy` decided on an upload with these labels."""
    answer = an_analysis(confidences, **analysis or {})
    judgment = policy.judge(answer)
    held = a_claim(an_upload(key, **upload or {}), **{"claimed_at": LATER, **(claim or {})})
    defaults: dict[str, Any] = {
        "reasons": judgment.reasons,
        "analysis": answer,
        "policy": policy.reference,
        "engine": Engine.BULK,
        "min_confidence": 30.0,
        "decided_by": BY_POLICY,
    }
    return Verdict(held, judgment.status, "2026-11-22T12:01:00.000Z", **defaults | fields)


def put_object(deployed: Deployed, key: str) -> dict[str, Any]:
    """Store an object; gives the upload's fields that tell its bytes."""
    return {"etag": deployed.s3.put_object(Bucket=UPLOADS, Key=key, Body=b"bytes")["ETag"].strip('"')}


@dataclass
class PatientClock:
    """A clock that only moves when somebody pauses; `meanwhile` happens during each pause, in order."""

    seconds: float = 0.0
    pauses: list[float] = field(default_factory=list)
    meanwhile: list[Callable[[], object]] = field(default_factory=list)

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        self.pauses.append(seconds)
        self.seconds += seconds
        if self.meanwhile:
            self.meanwhile.pop(0)()

    def now(self) -> datetime:
        """Noon at first."""
        return NOON + timedelta(seconds=self.seconds)

    @property
    def clock(self) -> Clock:
        """The clock that a run takes."""
        return Clock(now=self.now, monotonic=lambda: self.seconds, pause=self.pause)
