"""Judge again: what another policy makes of the labels a verdict was given on. No engine is asked and nothing written.

Labels below the `min_confidence` of that time were never returned. Where a policy would have judged them, what it makes
of the image is unknowable, and then a verdict may become stricter by what is known, but never milder.
"""

from dataclasses import dataclass, replace

from gatehouse.moderation.change import MAX_HISTORY, Cause, Change, HistoryEntry
from gatehouse.moderation.policy.judging import Judgment
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.status import JUDGED, Status
from gatehouse.moderation.verdict import BY_POLICY, Verdict


def is_replayable(status: str, decided_by: str | None) -> bool:
    """Whether a policy gave this verdict: it then has labels, and no person's decision would be overruled."""
    return status in JUDGED and decided_by == BY_POLICY


@dataclass(frozen=True, slots=True)
class Replayed:
    """A verdict and another policy's judgment on its labels.

    Attributes:
        unknowable: labels that were never returned could have led to something worse than `judgment`.
    """

    before: Verdict
    policy: Policy
    judgment: Judgment
    unknowable: bool

    @property
    def status(self) -> Status:
        """What the labels that are known lead to."""
        return self.judgment.status

    @property
    def adapter_ignored(self) -> bool:
        """Whether the lane had asked for an adapter and another model answered, so that nothing can be approved."""
        asked, analysis = self.before.adapter_asked, self.before.analysis
        return asked is not None and (analysis is None or analysis.adapter != asked)

    @property
    def milder(self) -> bool:
        """Whether the policy is milder on this image than the verdict is."""
        return JUDGED.index(self.status) < JUDGED.index(self.before.status)

    @property
    def changes(self) -> bool:
        """Whether the verdict is to be replaced. An approval still has to be confirmed: see `confirmation`."""
        if self.status is self.before.status or (self.milder and self.unknowable):
            return False
        return not (self.status is Status.APPROVED and self.adapter_ignored)

    def verdict(self, decided_at: str, *, announce: bool) -> Verdict:
        """The new verdict on the same upload and the same analysis.

        Args:
            decided_at: ISO 8601, UTC.
            announce: whether sinks are to hear of it.
        """
        before = self.before
        return replace(
            before,
            status=self.status,
            reasons=self.judgment.reasons,
            policy=self.policy.reference,
            decided_at=decided_at,
            decided_by=BY_POLICY,
            decision=None,
            is_sample=False,
            revision=before.revision + 1,
            change=Change(Cause.POLICY, announce),
            history=self._history(decided_at),
        )

    def _history(self, decided_at: str) -> tuple[HistoryEntry, ...]:
        """The history after the replay: it gets an entry if it has one, and room; a full one stops no policy."""
        before = self.before
        if not 0 < len(before.history) < MAX_HISTORY:
            return before.history
        entry = HistoryEntry(
            cause=Cause.POLICY,
            at=decided_at,
            by=BY_POLICY,
            name=None,
            before=before.status,
            after=self.status,
            since=before.decided_at,
            reason=f"{self.policy.name} {self.policy.version}",
            note=None,
        )
        return (*before.history, entry)


def replay(verdict: Verdict, policy: Policy) -> Replayed:
    """Judge a verdict's labels under a policy.

    Raises:
        ValueError: the verdict is not one that a policy gave.
    """
    if verdict.analysis is None or not is_replayable(verdict.status, verdict.decided_by):
        raise ValueError(
            f"{verdict.upload.object} is {verdict.status}, decided by {verdict.decided_by}: not replayable"
        )
    judgment = policy.judge(verdict.analysis)
    # An item that does not say what was asked for could have been asked for anything.
    asked = 100.0 if verdict.min_confidence is None else verdict.min_confidence
    unknowable = policy.unseen(asked).severity > JUDGED.index(judgment.status)
    return Replayed(verdict, policy, judgment, unknowable)
