"""Why a policy decided as it did, and which one it was."""

from dataclasses import dataclass
from typing import Any, NamedTuple


class Reason(NamedTuple):
    """Why: the rule that fired, on which label, at what confidence, with which outcome, against which threshold.

    `content_type` is the kind of image that chose the threshold, or None if it is the rule's own.
    """

    rule: str
    label: str
    confidence: float
    outcome: str
    threshold: float
    content_type: str | None = None

    def to_document(self) -> dict[str, Any]:
        """The reason as flags and items carry it."""
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
    """Which policy decided."""

    name: str
    version: str
    hash: str

    def to_document(self) -> dict[str, str]:
        """The reference as flags and items carry it."""
        return {"name": self.name, "version": self.version, "hash": self.hash}
