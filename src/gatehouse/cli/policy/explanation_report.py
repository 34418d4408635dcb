"""Shows an explanation to people and scripts: how each label was judged, and what would have led to other outcomes."""

from collections.abc import Iterator, Sequence
from typing import Any

from gatehouse.cli.output import Output
from gatehouse.cli.policy.policy_source import short
from gatehouse.console import printable
from gatehouse.moderation.policy import taxonomy
from gatehouse.moderation.policy.explanation import Alternative, Explanation, RuleChange
from gatehouse.moderation.policy.judging import Weight
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.policy_document import UNSEEN_FRAMES
from gatehouse.moderation.policy.rule import Thresholds, UnseenFrames
from gatehouse.moderation.reason import PolicyReference, Reason


def explanation_document(explanation: Explanation, policy: Policy) -> dict[str, Any]:
    """For scripts: keys `policy`, `status`, `reasons`, `labels`, `unknown_labels`, `reviews_frames`, `alternatives`."""
    judgment = explanation.judgment
    return {
        "policy": policy.reference.to_document(),
        "status": judgment.status.value,
        "reasons": [reason.to_document() for reason in judgment.reasons],
        "labels": [_weight_document(weight) for weight in explanation.weights],
        "unknown_labels": list(judgment.unknown_labels),
        "reviews_frames": explanation.reviews_frames,
        "alternatives": [_alternative_document(alternative) for alternative in explanation.alternatives],
    }


def show_explanation(out: Output, explanation: Explanation, subject: str = "It") -> None:
    """For people: each label with its outcome, then what would have led to the other outcomes.

    Args:
        subject: what would have had another outcome.
    """
    _show_weights(out, explanation.weights)
    for line in _about_unknown(explanation.judgment.unknown_labels):
        out.say(line)
    out.say()
    for alternative in explanation.alternatives:
        _show_alternative(out, alternative, subject)


def reason_line(reason: Reason) -> str:
    """A sentence about a reason."""
    kind = f" for {reason.content_type} images" if reason.content_type else ""
    return (
        f"{reason.label} {reason.confidence:g} reaches {reason.outcome} from {reason.threshold:g}, "
        f"by the rule {reason.rule}{kind}"
    )


def policy_words(policy: Policy | PolicyReference) -> str:
    """A policy's name, version and short hash."""
    return f"{policy.name} version {policy.version} ({short(policy.hash)})"


def _about_unknown(names: Sequence[str]) -> Iterator[str]:
    # Imported late: only an answer from an older model needs it.
    from gatehouse.moderation.policy.taxonomy_6_1 import SUCCESSORS

    older = [f"{name} (now {' or '.join(SUCCESSORS[name])})" for name in names if name in SUCCESSORS]
    if older:
        yield (
            f"Names from model 6.1: {', '.join(older)}. Policies are written for taxonomy {taxonomy.VERSION}; judge an "
            "answer from the current model."
        )
    if newer := [name for name in names if name not in SUCCESSORS]:
        yield f"Not in the taxonomy: {', '.join(newer)}. Rekognition's model may be newer."


def _show_weights(out: Output, weights: tuple[Weight, ...]) -> None:
    if not weights:
        out.say("Rekognition returned no labels.")
        return
    columns = ("Label", "Confidence", "Rule", "Its thresholds", "Outcome", "Note")
    table = out.table("Outcome of each label", *columns, sentences=set(columns) - {"Confidence", "Outcome"})
    for weight in weights:
        label = weight.label
        cells = (
            *(label.name, f"{label.confidence:g}", weight.rule),
            *(_thresholds_words(weight.thresholds), weight.outcome.value, _note(weight)),
        )
        table.add_row(*(printable(cell) for cell in cells))
    out.show(table)


def _thresholds_words(thresholds: Thresholds) -> str:
    named = {"review": thresholds.review, "block": thresholds.block}
    return ", ".join(f"{key} {value:g}" for key, value in named.items() if value is not None) or "allow"


def _note(weight: Weight) -> str:
    words = ["fired"] if weight.counts else []
    if weight.content_type:
        words.append(f"image is {weight.content_type}")
    if weight.explained_by:
        words.append(f"comes with {', '.join(label.name for label in weight.explained_by)}")
    return "; ".join(words)


def _show_alternative(out: Output, alternative: Alternative, subject: str) -> None:
    status, changes = alternative.status, alternative.changes
    if alternative.approves_unseen_frames:
        frames = f"{UNSEEN_FRAMES}: {UnseenFrames.APPROVE}"
        out.say(f"It would be {status} with {frames}{', and with all of:' if changes else '.'}")
        for change in changes:
            out.say(f"  {change}")
    elif not changes:
        out.say(f"No policy would make it {status}.")
    elif len(changes) == 1:
        out.say(f"{subject} would be {status} with {changes[0]}.")
    else:
        out.say(f"{subject} would be {status} with {'any one' if alternative.any_of else 'all'} of:")
        for change in changes:
            out.say(f"  {change}")


def _weight_document(weight: Weight) -> dict[str, Any]:
    return {
        "name": weight.label.name,
        "confidence": weight.label.confidence,
        "rule": weight.rule,
        "review": weight.thresholds.review,
        "block": weight.thresholds.block,
        "content_type": weight.content_type,
        "explained_by": [label.name for label in weight.explained_by],
        "outcome": weight.outcome.value,
        "threshold": weight.threshold,
        "counts": weight.counts,
    }


def _alternative_document(alternative: Alternative) -> dict[str, Any]:
    return {
        "status": alternative.status.value,
        "any_of": alternative.any_of,
        "approves_unseen_frames": alternative.approves_unseen_frames,
        "changes": [_change_document(change) for change in alternative.changes],
    }


def _change_document(change: RuleChange) -> dict[str, Any]:
    return {
        "rule": change.rule,
        "content_type": change.content_type,
        "key": change.key,
        "now": change.now,
        "above": change.above,
        "at_most": change.at_most,
        "drops_review": change.drops_review,
        "text": str(change),
    }
