"""A rule: what a policy makes of a label at a confidence, and where the kind of image changes that."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

#: Content types that the guide names (Developer Guide, moderation-api.html). The field of the API is free text.
CONTENT_TYPES = ("Animated", "Illustrated")


class Outcome(StrEnum):
    """What a rule makes of a label, mildest first."""

    ALLOW = "allow"
    REVIEW = "review"
    BLOCK = "block"

    @property
    def severity(self) -> int:
        """0 for the mildest."""
        return _SEVERITY[self.value]


class UnseenFrames(StrEnum):
    """What a policy makes of an image with frames that were not looked at, if no label keeps it from being approved."""

    REVIEW = "review"
    APPROVE = "approve"


_SEVERITY = {outcome.value: severity for severity, outcome in enumerate(Outcome)}


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Confidences of 0-100, reached when equal. Neither given means allow."""

    review: float | None = None
    block: float | None = None

    def severity(self, confidence: float) -> int:
        """How severe the outcome is at this confidence, as in `Outcome.severity`; asked for every label."""
        if self.block is not None and confidence >= self.block:
            return 2
        return 1 if self.review is not None and confidence >= self.review else 0

    def reached(self, severity: int) -> float | None:
        """The threshold that an outcome of this severity has reached; None for the mildest."""
        return (None, self.review, self.block)[severity]

    @property
    def lowest(self) -> float | None:
        """The confidence from which they make a difference, or None."""
        return self.block if self.review is None else self.review


@dataclass(frozen=True, slots=True)
class Refinement:
    """Thresholds that hold instead where one of the content types reaches its confidence."""

    content_types: Mapping[str, float]
    then: Thresholds

    def reached_by(self, found: Mapping[str, float]) -> str | None:
        """The first content type that reaches its confidence. `found` holds an image's content types."""
        return next((name for name, least in self.content_types.items() if found.get(name, -1.0) >= least), None)


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds for a label and for all below it that have no rule of their own.

    Attributes:
        name: the label the rule was written for, `default`, or `unknown label`.
        when: looked at in order; the first that is reached replaces the thresholds whole.
    """

    name: str
    thresholds: Thresholds = Thresholds()
    when: tuple[Refinement, ...] = ()

    def thresholds_for(self, found: Mapping[str, float]) -> tuple[Thresholds, str | None]:
        """What holds for an image with these content types, and the one that decided so (None if none did)."""
        for refinement in self.when:
            content_type = refinement.reached_by(found)
            if content_type is not None:
                return refinement.then, content_type
        return self.thresholds, None

    @property
    def alternatives(self) -> tuple[Thresholds, ...]:
        """Every thresholds that may hold, whatever the kind of image."""
        return (self.thresholds, *(refinement.then for refinement in self.when))
