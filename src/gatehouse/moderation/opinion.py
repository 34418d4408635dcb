"""What a person said about an upload that a policy had judged."""

from dataclasses import dataclass
from datetime import datetime

from gatehouse.moderation.analysis import Analysis
from gatehouse.moderation.change import Cause
from gatehouse.moderation.decision import DECIDING
from gatehouse.moderation.reason import Reason
from gatehouse.moderation.status import JUDGED, Status
from gatehouse.moderation.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Opinion:
    """A person's last word on an upload.

    Attributes:
        at: when; ISO 8601, UTC.
        by: `person:<id>`.
        policys: the status that the policy had given. UNSUPPORTED or FAILED where none had judged it.
        persons: the status that the person says it should have.
        is_sample: whether the upload was drawn, and not found because somebody had a doubt.
        waited: seconds from when it came into REVIEW until this; None if it did not wait there.
        reason: the person's reason code.
        reasons: why the policy had given its status; empty if another policy has judged the upload since.
    """

    at: str
    by: str
    lane: str
    key: str
    policys: Status
    persons: Status
    is_sample: bool
    waited: float | None
    reason: str
    reasons: tuple[Reason, ...]
    analysis: Analysis | None

    @property
    def agrees(self) -> bool:
        """Whether the person agrees with the policy. In REVIEW it had a doubt: rightly, if the person blocks it."""
        return (self.policys is Status.APPROVED) == (self.persons is Status.APPROVED)

    @property
    def is_about_a_judgment(self) -> bool:
        """Whether a policy had judged it."""
        return self.policys in JUDGED


def opinion_on(verdict: Verdict) -> Opinion | None:
    """A person's last word, or None if there is none: nobody decided, or it was appealed or reported after that.

    Raises:
        TypeError, ValueError: a time in the history is none.
    """
    act = verdict.last_act
    if act is None or act.cause not in DECIDING or act.after not in (Status.APPROVED, Status.BLOCKED):
        return None
    until = verdict.history.index(act) + 1
    replays = [n for n, entry in enumerate(verdict.history[:until]) if entry.cause is Cause.POLICY]
    acts = verdict.history[replays[-1] + 1 if replays else 0 : until]
    return Opinion(
        at=act.at,
        by=act.by,
        lane=verdict.claim.lane,
        key=verdict.upload.key,
        policys=acts[0].before,
        persons=act.after,
        is_sample=any(entry.sample for entry in acts),
        waited=_seconds(act.since, act.at) if act.before is Status.REVIEW else None,
        reason=act.reason,
        reasons=verdict.reasons if until == len(verdict.history) else (),
        analysis=verdict.analysis,
    )


def _seconds(since: str, at: str) -> float:
    """Seconds between two moments; 0 where clocks disagree."""
    return max(0.0, (datetime.fromisoformat(at) - datetime.fromisoformat(since)).total_seconds())
