"""A verdict: an upload, what Rekognition said of it, and what the policy made of that."""

from dataclasses import dataclass

from gatehouse.moderation.analysis import Analysis
from gatehouse.moderation.change import Cause, Change, HistoryEntry
from gatehouse.moderation.claim import Claim
from gatehouse.moderation.decision import Decision, ReviewClaim
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.failure import Failure
from gatehouse.moderation.reason import PolicyReference, Reason
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import Upload

#: Who decided, where no person did.
BY_POLICY = "policy"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A final verdict. Judged uploads have an analysis and a policy; UNSUPPORTED and FAILED ones have a failure.

    Attributes:
        decided_at: ISO 8601, UTC.
        engine: BULK or IMAGE, or None for an upload that was refused before any analysis.
        adapter_asked: the adapter the lane asked for; compare `analysis.adapter`, the one that answered.
        decided_by: `BY_POLICY`, a person (`Person.decided_by`), or None where nobody had anything to decide.
        decided_by_name: that the person wants to be shown under, or None.
        decision: the person's; None where no person decided.
        revision: how often the item was changed after its first final verdict.
        change: the last of these changes; None for a first verdict.
        history: what people did, and the replays after that; oldest first.
        recused: `person:<id>` of who must not decide next, as their own decision is doubted; or None.
        review_claim: whoever holds it, or held it last; None for nobody.
        is_sample: whether it was drawn for people to look at, and has not changed since.
    """

    claim: Claim
    status: Status
    decided_at: str
    reasons: tuple[Reason, ...] = ()
    analysis: Analysis | None = None
    failure: Failure | None = None
    policy: PolicyReference | None = None
    engine: Engine | None = None
    job_id: str | None = None
    min_confidence: float | None = None
    adapter_asked: str | None = None
    decided_by: str | None = None
    decided_by_name: str | None = None
    decision: Decision | None = None
    revision: int = 0
    change: Change | None = None
    history: tuple[HistoryEntry, ...] = ()
    recused: str | None = None
    review_claim: ReviewClaim | None = None
    is_sample: bool = False

    @property
    def upload(self) -> Upload:
        """The upload the verdict speaks of, and of no other version of the object."""
        return self.claim.upload

    @property
    def last_act(self) -> HistoryEntry | None:
        """The last thing that a person did about it, perhaps before a replay; None for nothing."""
        return next((entry for entry in reversed(self.history) if entry.cause is not Cause.POLICY), None)

    @property
    def is_pinned(self) -> bool:
        """Whether the analysis is of these very bytes, because the engine could name their version."""
        return self.engine is not None and self.engine.names_versions and self.upload.version_id is not None
