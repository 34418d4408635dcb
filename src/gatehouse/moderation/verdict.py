"""A verdict: an upload, what Rekognition said of it, and what the policy made of that."""

from dataclasses import dataclass

from gatehouse.moderation.analysis import Analysis
from gatehouse.moderation.claim import Claim
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
        decided_by: `BY_POLICY`, a person's id, or None where nobody had anything to decide.
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

    @property
    def upload(self) -> Upload:
        """The upload the verdict speaks of, and of no other version of the object."""
        return self.claim.upload

    @property
    def is_pinned(self) -> bool:
        """Whether the analysis is of these very bytes, because the engine could name their version."""
        return self.engine is not None and self.engine.names_versions and self.upload.version_id is not None
