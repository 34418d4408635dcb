"""One answer for a picture of several frames, of what Rekognition said of each."""

from collections.abc import Mapping
from typing import Any

from gatehouse.moderation.analysis import Analysis, ContentType, Label, parse_answer


def merge(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two answers of DetectModerationLabels into one of the same shape.

    A label counts at its highest confidence. A content type counts at its lowest, and only if both answers have it:
    policies may be milder with drawings, and a drawing among the frames makes no drawing of a photo. An adapter
    answered only if it gave both answers.

    Raises:
        ResultLineError: an answer is not of that shape.
    """
    first, second = parse_answer(one), parse_answer(other)
    merged: dict[str, Any] = {
        "ModerationLabels": [_label_document(label) for label in _labels(first, second)],
        "ContentTypes": [
            {"Name": entry.name, "Confidence": entry.confidence} for entry in _content_types(first, second)
        ],
    }
    if model_version := second.model_version or first.model_version:
        merged["ModerationModelVersion"] = model_version
    if first.adapter is not None and first.adapter == second.adapter:
        merged["ProjectVersion"] = first.adapter
    return merged


def _labels(*analyses: Analysis) -> list[Label]:
    highest: dict[str, Label] = {}
    for analysis in analyses:
        for label in analysis.labels:
            if label.name not in highest or label.confidence > highest[label.name].confidence:
                highest[label.name] = label
    return sorted(highest.values(), key=lambda label: (-label.confidence, label.name))


def _content_types(first: Analysis, second: Analysis) -> list[ContentType]:
    known, others = ({entry.name: entry.confidence for entry in each.content_types} for each in (first, second))
    return [ContentType(name, min(known[name], others[name])) for name in sorted(known.keys() & others.keys())]


def _label_document(label: Label) -> dict[str, Any]:
    document = {"Name": label.name, "ParentName": label.parent, "Confidence": label.confidence}
    return document | ({} if label.level is None else {"TaxonomyLevel": label.level})
