"""Whether an adapter judges better than the base model, at a policy's own thresholds."""

from dataclasses import dataclass, field
from typing import Any

from gatehouse.moderation.analysis import Analysis
from gatehouse.moderation.interval import Share
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.status import Status
from gatehouse.moderation.training_manifest import TestedImage


@dataclass(slots=True)
class ModelErrors:
    """What a policy makes of a model's answers.

    Attributes:
        unsafe, safe: test images that people gave a label, and none.
        approved: unsafe images that would be approved.
        flagged: safe images that would not.
    """

    unsafe: int = 0
    safe: int = 0
    approved: int = 0
    flagged: int = 0

    def add(self, policy: Policy, analysis: Analysis, *, is_unsafe: bool) -> None:
        """Judge an image."""
        is_approved = policy.judge(analysis).status is Status.APPROVED
        self.unsafe += is_unsafe
        self.safe += not is_unsafe
        self.approved += is_unsafe and is_approved
        self.flagged += not is_unsafe and not is_approved

    @property
    def wrong(self) -> int:
        """All images that are judged otherwise than people would."""
        return self.approved + self.flagged

    def to_document(self) -> dict[str, Any]:
        """The shares for scripts."""
        return {
            "wrong_approvals": Share(self.approved, self.unsafe).to_document(),
            "wrong_flags": Share(self.flagged, self.safe).to_document(),
        }


@dataclass(slots=True)
class AdapterComparison:
    """An adapter and the base model on the same test images."""

    policy: Policy
    base: ModelErrors = field(default_factory=ModelErrors)
    adapter: ModelErrors = field(default_factory=ModelErrors)

    def add(self, image: TestedImage) -> None:
        """Judge a test image by both."""
        self.base.add(self.policy, image.base, is_unsafe=image.is_unsafe)
        self.adapter.add(self.policy, image.adapter, is_unsafe=image.is_unsafe)

    @property
    def is_better(self) -> bool:
        """Whether the adapter is wrong less often, and approves no more of what people would not."""
        return self.adapter.wrong < self.base.wrong and self.adapter.approved <= self.base.approved

    def to_document(self) -> dict[str, Any]:
        """The comparison for scripts."""
        return {
            "policy": self.policy.reference.to_document(),
            "images": self.base.safe + self.base.unsafe,
            "base": self.base.to_document(),
            "adapter": self.adapter.to_document(),
            "is_better": self.is_better,
        }
