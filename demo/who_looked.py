"""Whose labels a demo shows, and what they can't show."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from demo.synthesis import ROOT
from gatehouse.configuration.policies import compile_policies
from gatehouse.moderation.policy.taxonomy import ancestors
from localcloud.rekognition.analyzer_choice import PLANTED, SMALL_MODEL, SMALL_MODEL_LABELS

_PLANTED_LABELS = (
    "Labels here are planted in the pictures (docs/local-cloud.md); nobody looked at pixels. A picture without planted "
    "labels has none, whatever it shows."
)
_SMALL_MODEL = (
    "These labels come from a small model on this machine, nsfwjs' MobileNetV2, not from Rekognition. It finds "
    "explicit pictures and swimwear, and recognizes drawings; it errs on either side."
)
_BLIND = "It sees no violence, weapons, drugs, alcohol, gambling, gestures or hate symbols"


def who_looked(items: Iterable[Mapping[str, Any]], analyzer: str) -> Sequence[str]:
    """Sentences for people, about the labels of these verdict items."""
    if analyzer == PLANTED:
        return (_PLANTED_LABELS,)
    if analyzer != SMALL_MODEL:
        return (f"These labels come from {analyzer}, not from Rekognition.",)
    silent = _rules_that_cannot_fire({item["policy"]["name"] for item in items if item.get("policy")})
    rules = f", so these rules can't fire: {', '.join(silent)}." if silent else "."
    return (_SMALL_MODEL, f"{_BLIND}{rules}")


def _rules_that_cannot_fire(policies: Iterable[str]) -> list[str]:
    """Labels with a rule that flags, where the small model finds neither the label nor one below it."""
    known = compile_policies(ROOT / "policies").policies
    findable = {name for label in SMALL_MODEL_LABELS for name in (label, *ancestors(label))}
    return sorted(
        {
            label
            for name in policies
            if name in known
            for label, rule in known[name].rules.items()
            if label not in findable and any(thresholds.lowest is not None for thresholds in rule.alternatives)
        }
    )
