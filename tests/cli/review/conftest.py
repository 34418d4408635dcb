"""Reviewers at a deployment: it is three o'clock, and whoever types is known to AWS."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from gatehouse.cli.clock import Clock
from gatehouse.cli.review import acting, list_command
from gatehouse.moderation.change import Cause
from gatehouse.moderation.decision import Act, Decision, acted, appeal, decide, report
from gatehouse.moderation.person import Person
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import Upload
from gatehouse.moderation.verdict import Verdict
from tests.cli.conftest import UPLOADS, Deployed, Run
from tests.cli.judged_uploads import LATER
from tests.unit.builders import NOON, a_claim, a_verdict, an_upload

MO, KIM = Person("mo"), Person("Reviewer/kim@example.com")


@dataclass
class Reviewers:
    """The deployment as reviewers use it, and the seconds that commands waited for."""

    deployed: Deployed
    gatehouse: Run
    pauses: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        self.pauses.append(seconds)
        self.seconds += seconds

    def at_the_keyboard(self, arn: str) -> None:
        """Let somebody else type."""
        self.deployed.calls.answer_always("GetCallerIdentity", lambda _: {"Arn": arn, "UserId": "x", "Account": "1"})

    def review(self, *arguments: str, status: int = 0, **options: Any) -> Any:
        """The document that `review` prints for scripts."""
        result = self.gatehouse("review", *arguments, "--output", "json", **options)
        assert result.exit_code == status, f"{result.stdout}\n{result.stderr}"
        return json.loads(result.stdout)

    def stored(self, key: str, *, versioned: bool = True) -> Upload:
        """An upload whose bytes are in the bucket."""
        if versioned:
            configuration: Any = {"Status": "Enabled"}
            self.deployed.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration=configuration)
        answer = self.deployed.s3.put_object(Bucket=UPLOADS, Key=key, Body=b"bytes")
        etag = answer["ETag"].strip('"')
        return an_upload(key, version_id=answer.get("VersionId"), etag=etag, uploaded_at=LATER)

    def item(self, upload: Upload) -> dict[str, Any]:
        """What the table holds of an upload."""
        return self.deployed.items()[upload.identity]

    def statuses(self) -> dict[str, str]:
        """The status of each key."""
        return {item["key"]: item["status"] for item in self.deployed.items().values()}


@pytest.fixture
def reviewers(deployed: Deployed, gatehouse: Run, monkeypatch: pytest.MonkeyPatch) -> Reviewers:
    """Mo types."""
    monkeypatch.delenv("GATEHOUSE_REVIEWER_NAME", raising=False)
    found = Reviewers(deployed, gatehouse)
    clock = Clock(
        now=lambda: NOON + timedelta(hours=3, seconds=found.seconds),
        monotonic=lambda: found.seconds,
        pause=found.pause,
    )
    for command in (acting, list_command):
        monkeypatch.setattr(command, "CLOCK", clock)
    monkeypatch.setattr(list_command, "_WAITING_SINCE", "3d")  # ten queries a day take time here
    found.at_the_keyboard("arn:aws:iam::123456789012:user/mo")
    return found


def in_review(upload: Upload | str = "cat.jpg", *, lane: str = "default", **fields: Any) -> Verdict:
    """What waits for a person: an upload, or that of a key."""
    held = an_upload(upload) if isinstance(upload, str) else upload
    return replace(a_verdict(Status.REVIEW, a_claim(held, lane=lane)), **fields)


def acts(verdict: Verdict, *made: Act) -> Verdict:
    """The verdict after what people did, one after the other."""
    for act in made:
        verdict = acted(verdict, act)
    return verdict


def approved_by(person: Person, at: str = "2026-11-22T13:00:00.000Z", reason: str = "context") -> Act:
    """A person's approval."""
    return decide(Status.APPROVED, person, Decision(reason, None), at)


def blocked_by(person: Person, at: str = "2026-11-22T13:00:00.000Z", reason: str = "spam") -> Act:
    """A person's decision to block."""
    return decide(Status.BLOCKED, person, Decision(reason, None), at)


def a_sample(upload: Upload | str = "cat.jpg", *, lane: str = "default") -> Verdict:
    """An approval that was drawn for people to look at."""
    return replace(in_review(upload, lane=lane), status=Status.APPROVED, reasons=(), is_sample=True)


def sent_back(cause: Cause, at: str = "2026-11-22T14:00:00.000Z") -> Act:
    """An appeal or a report."""
    make: Callable[..., Act] = {Cause.APPEAL: appeal, Cause.REPORT: report}[cause]
    return make(Person("intake"), Decision(cause.value, None), at)
