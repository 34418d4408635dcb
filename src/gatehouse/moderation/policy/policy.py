"""A policy: a versioned document of rules that turns an analysis into a judgment."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from gatehouse.moderation.analysis import Analysis
from gatehouse.moderation.policy.judging import Judge, Judgment, Weight
from gatehouse.moderation.policy.policy_document import (
    SCHEMA,
    UNSEEN_FRAMES,
    PolicyError,
    read_header,
    read_rules,
    read_unseen_frames,
    rule_document,
)
from gatehouse.moderation.policy.rule import Outcome, Rule, UnseenFrames
from gatehouse.moderation.reason import PolicyReference
from gatehouse.moderation.status import Status

__all__ = ["Policy", "PolicyError"]


@dataclass(frozen=True)
class Policy:
    """A parsed policy. Two policies with the same canonical document have the same `hash`.

    Attributes:
        unseen_frames: what becomes of an animation that nothing else keeps from being approved, and of which some
            frames were not looked at.
    """

    name: str
    version: str
    default: Rule
    rules: Mapping[str, Rule]
    description: str = ""
    unseen_frames: UnseenFrames = UnseenFrames.REVIEW

    @classmethod
    def from_document(cls, document: object) -> "Policy":
        """Read a policy; `gatehouse.moderation.policy.policy_document` says what a document looks like.

        Raises:
            PolicyError: the document is not of this shape, names an unknown label, or has a part that can't fire.
        """
        name, version, description = read_header(document)
        assert isinstance(document, Mapping)  # noqa: S101 - read_header refuses anything else
        default, rules = read_rules(document)
        return cls(name, version, default, rules, description, read_unseen_frames(document))

    def to_document(self) -> dict[str, Any]:
        """The canonical document: `from_document` of it gives an equal policy with the same hash."""
        unseen = {} if self.unseen_frames is UnseenFrames.REVIEW else {UNSEEN_FRAMES: self.unseen_frames.value}
        return {
            "schema": SCHEMA,
            "name": self.name,
            "version": self.version,
            "description": self.description,
            **unseen,  # the default is not written: policies from before there were frames keep their hashes
            "default": rule_document(self.default),
            "rules": {label: rule_document(self.rules[label]) for label in sorted(self.rules)},
        }

    def to_text(self) -> str:
        """The canonical document as compact JSON: what is stored, and what the hash is taken of."""
        return json.dumps(self.to_document(), sort_keys=True, separators=(",", ":"))

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the canonical document, in hex."""
        return hashlib.sha256(self.to_text().encode()).hexdigest()

    @cached_property
    def reference(self) -> PolicyReference:
        """What verdicts carry."""
        return PolicyReference(self.name, self.version, self.hash)

    @property
    def lowest_threshold(self) -> float:
        """The confidence below which nothing makes a difference; that of unknown labels counts too."""
        return self._judge.lowest_threshold

    def unseen(self, min_confidence: float) -> Outcome:
        """The worst that labels below `min_confidence` could have led to (`Judge.unseen`)."""
        return self._judge.unseen(min_confidence)

    def judge(self, analysis: Analysis) -> Judgment:
        """Judge an analysis. The order of its labels makes no difference."""
        judgment = self._judge.judge(analysis)
        if judgment.status is Status.APPROVED and self.reviews_frames_of(analysis):
            return replace(judgment, status=Status.REVIEW)
        return judgment

    def reviews_frames_of(self, analysis: Analysis) -> bool:
        """Whether somebody has to look at an image because Rekognition was not shown all of its frames."""
        rendition = analysis.rendition
        return self.unseen_frames is UnseenFrames.REVIEW and rendition is not None and not rendition.is_seen_whole

    def weigh(self, analysis: Analysis) -> tuple[Weight, ...]:
        """Every returned label and what became of it: the strongest of each name, by confidence, then by name."""
        return self._judge.weigh(analysis)

    @cached_property
    def _judge(self) -> Judge:
        return Judge(self.default, self.rules)
