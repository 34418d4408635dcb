"""What a model finds in an image, before parents are added and confidences filtered."""

from dataclasses import dataclass

from gatehouse.moderation.policy.taxonomy import VERSION


@dataclass(frozen=True, slots=True)
class Finding:
    """A moderation label or a content type by its name, with a confidence of 0-100."""

    name: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything found in one image. No labels is a statement: the model looked and found nothing.

    `model_version` is what the verdict says about who looked; Rekognition's own is the taxonomy's.
    """

    labels: tuple[Finding, ...] = ()
    content_types: tuple[Finding, ...] = ()
    model_version: str = VERSION
