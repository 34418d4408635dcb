"""From findings to Rekognition's answer: parents added, confidences filtered, labels ordered."""

from typing import Any

from gatehouse.moderation.policy.taxonomy import PARENTS, ancestors, level
from localcloud.rekognition.findings import Finding, Findings


def answer(findings: Findings, min_confidence: float, adapter: str | None) -> dict[str, Any]:
    """The response of DetectModerationLabels, which is also what a job's result line holds.

    A label brings its ancestors along with its own confidence, and the deepest level comes first, as in the Developer
    Guide's example (procedure-moderate-images.html). A label found several times has its highest confidence. Labels
    under `min_confidence` (0-100) are left out. `ProjectVersion` is there if an `adapter` was used.

    Raises:
        KeyError: a label that the taxonomy does not have.
    """
    confidences: dict[str, float] = {}
    for label in findings.labels:
        for name in (label.name, *ancestors(label.name)):
            confidences[name] = max(label.confidence, confidences.get(name, 0.0))
    kept = [Finding(name, confidence) for name, confidence in confidences.items() if confidence >= min_confidence]
    kept.sort(key=lambda label: (-level(label.name), -label.confidence, label.name))
    response: dict[str, Any] = {
        "ModerationLabels": [
            {
                "Confidence": label.confidence,
                "Name": label.name,
                "ParentName": PARENTS[label.name],
                "TaxonomyLevel": level(label.name),
            }
            for label in kept
        ],
        "ModerationModelVersion": findings.model_version,
        "ContentTypes": [{"Confidence": found.confidence, "Name": found.name} for found in findings.content_types],
    }
    if adapter is not None:
        response["ProjectVersion"] = adapter
    return response
