"""Why a policy reached its judgment, and which policy it was."""

from dataclasses import dataclass
from typing import Any, NamedTuple


class Reason(NamedTuple):
    """The rule that matched, its label and confidence, the outcome, and the threshold.

    `content_type` is the content type that selected the threshold, or None if it is the rule's own.
    """

    rule: str
    label: str
    confidence: float
    outcome: str
    threshold: float
    content_type: str | None = None

    def to_document(self) -> dict[str, Any]:
        """The reason as written into flags and items."""
        document: dict[str, Any] = {
            "rule": self.rule,
            "label": self.label,
            "confidence": self.confidence,
            "outcome": self.outcome,
            "threshold": self.threshold,
        }
        return document | ({"content_type": self.content_type} if self.content_type else {})


@dataclass(frozen=True, slots=True)
class PolicyReference:
    """The policy that judged, and its version."""

    name: str
    version: str
    hash: str

    def to_document(self) -> dict[str, str]:
        """The reference as written into flags and items."""
        return {"name": self.name, "version": self.version, "hash": self.hash}
