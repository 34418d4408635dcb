"""Training of Custom Moderation adapters: what is read, what is learned, and the files that come out.

Sources: Developer Guide, using-adapters-manifest-files.html; API reference, CreateProjectVersion. The local adapter has
one thing to learn: labels that the base model finds in training images and that no image confirms are left out of its
answers. It is a stand-in for testing the way from decisions to an adapter, and says nothing about real adapters.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gatehouse.moderation.policy.taxonomy import PARENTS, ancestors
from localcloud.rekognition import manifest
from localcloud.rekognition.caller import Caller
from localcloud.rekognition.errors import ServiceError
from localcloud.rekognition.inspection import Inspector
from localcloud.rekognition.storage import ObjectStorage, ObjectUnreadable

GROUND_TRUTH = "content-moderation-groundtruth"
#: Both models' answers in the output manifest are from this confidence (Developer Guide).
OUTPUT_CONFIDENCE = 5.0
#: Images of a training manifest at most (Developer Guide, adapters-bulk-analysis.html).
MOST_IMAGES = 10_000
#: Of the training images, every one of these is a test image where the service makes the split (undocumented).
_TEST_EVERY = 5


class TrainingFailed(Exception):  # noqa: N818 - the end of a training, which is an outcome
    """Why a training fails; the message is the version's StatusMessage."""


@dataclass(frozen=True, slots=True)
class TrainingImage:
    """A line of a training manifest: an image, and the labels that people gave it."""

    source_ref: str
    bucket: str
    key: str
    labels: tuple[str, ...]

    def line(self, **answers: Any) -> dict[str, Any]:
        """The line of an output manifest."""
        truth = {"ModerationLabels": [{"Name": name} for name in self.labels]}
        return {"source-ref": self.source_ref, GROUND_TRUTH: truth, **answers}


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training came to.

    Attributes:
        left_out: labels that the adapter leaves out.
        files: name -> text of the output files.
    """

    left_out: frozenset[str]
    f1: float
    files: Mapping[str, str]


def read_images(storage: ObjectStorage, caller: Caller, assets: Iterable[Mapping[str, Any]]) -> list[TrainingImage]:
    """The images of the manifests.

    Raises:
        TrainingFailed: a manifest can't be read, or has a line that is not of the documented form.
    """
    images: list[TrainingImage] = []
    for asset in assets:
        place = asset["GroundTruthManifest"]["S3Object"]
        try:
            body = storage.read(caller, place["Bucket"], place["Name"], place.get("Version")).body
            lines = manifest.parse(body)
        except (ObjectUnreadable, manifest.ManifestError) as error:
            raise TrainingFailed(f"The manifest can't be used: {error}") from error
        documents = [json.loads(line) for line in body.split(b"\n") if line.strip()]
        for line, document in zip(lines, documents, strict=True):
            if isinstance(line, manifest.InvalidLine):
                raise TrainingFailed(f"Line {line.number} of the manifest: {line.problem}")
            images.append(TrainingImage(line.source_ref, line.bucket, line.key, _labels(line.number, document)))
    if len({image.bucket for image in images}) > 1:
        raise TrainingFailed("All images of a dataset have to be in one bucket.")
    return images


def _labels(number: int, document: Mapping[str, Any]) -> tuple[str, ...]:
    try:
        names = tuple(entry["Name"] for entry in document[GROUND_TRUTH]["ModerationLabels"])
    except (KeyError, TypeError) as error:
        raise TrainingFailed(f"Line {number} of the manifest has no {GROUND_TRUTH} of the documented form.") from error
    unknown = [name for name in names if name not in PARENTS]
    if unknown:
        raise TrainingFailed(f"Line {number} of the manifest names {unknown[0]!r}, which is no moderation label.")
    return names


def split(images: Sequence[TrainingImage]) -> tuple[list[TrainingImage], list[TrainingImage]]:
    """Images to train with, and to test with."""
    tests = list(images[::_TEST_EVERY])
    return [image for n, image in enumerate(images) if n % _TEST_EVERY], tests


def train(
    inspector: Inspector,
    caller: Caller,
    training: Sequence[TrainingImage],
    testing: Sequence[TrainingImage],
    *,
    arn: str,
    threshold: float,
) -> Trained:
    """Train, and test.

    Raises:
        TrainingFailed: an image can't be read.
    """
    found: set[str] = set()
    confirmed: set[str] = set()
    for image in training:
        found |= {label["Name"] for label in _look(inspector, caller, image, threshold)["ModerationLabels"]}
        confirmed |= {above for name in image.labels for above in (name, *ancestors(name))}
    left_out = frozenset(found - confirmed)
    lines, counts = [], {"BaseModel": _Counts(), "Adapter": _Counts()}
    for image in testing:
        base = _look(inspector, caller, image, OUTPUT_CONFIDENCE)
        adapted = _without(base, left_out) | {"ProjectVersion": arn}
        lines.append(image.line(**{"detect-moderation-labels": adapted, "detect-moderation-labels-base-model": base}))
        for name, answer in (("BaseModel", base), ("Adapter", adapted)):
            counts[name].add(answer, threshold, is_unsafe=bool(image.labels))
    f1 = counts["Adapter"].f1
    evaluation = {
        "AggregatedEvaluationResults": {"F1Score": f1},
        "EvaluationDetails": {
            "Labels": sorted({name for image in (*training, *testing) for name in image.labels}),
            "NumberOfTestingImages": len(testing),
            "NumberOfTrainingImages": len(training),
            "ProjectVersionArn": arn,
        },
        "ContentModeration": {
            "InputConfidenceThresholdEvalResults": {
                "ConfidenceThreshold": threshold,
                "AggregatedEvaluationResults": {name: each.document() for name, each in counts.items()},
                "LabelEvaluationResults": [],
            },
            "AllConfidenceThresholdsEvalResults": [],
        },
    }
    files = {
        "training_manifest_output.jsonl": "".join(f"{_json(image.line())}\n" for image in training),
        "testing_manifest_output.jsonl": "".join(f"{_json(line)}\n" for line in lines),
        "evaluation_summary.json": _json(evaluation),
    }
    return Trained(left_out, f1, files)


def _without(answer: Mapping[str, Any], left_out: frozenset[str]) -> dict[str, Any]:
    labels = [label for label in answer["ModerationLabels"] if label["Name"] not in left_out]
    return {**answer, "ModerationLabels": labels}


def _look(inspector: Inspector, caller: Caller, image: TrainingImage, confidence: float) -> dict[str, Any]:
    try:
        return inspector.inspect_object(caller, image.bucket, image.key, min_confidence=confidence, adapter=None)
    except ServiceError as error:
        raise TrainingFailed(f"{image.source_ref} can't be used: {error.message}") from error


class _Counts:
    """Test images by what people and a model say of them."""

    def __init__(self) -> None:
        self._counts = {"TruePositive": 0, "FalsePositive": 0, "TrueNegative": 0, "FalseNegative": 0}

    def add(self, answer: Mapping[str, Any], threshold: float, *, is_unsafe: bool) -> None:
        flagged = any(label["Confidence"] >= threshold for label in answer["ModerationLabels"])
        kind = ("True" if flagged is is_unsafe else "False") + ("Positive" if flagged else "Negative")
        self._counts[kind] += 1

    @property
    def f1(self) -> float:
        hits, misses = self._counts["TruePositive"], self._counts["FalsePositive"] + self._counts["FalseNegative"]
        return 2 * hits / (2 * hits + misses) if hits or misses else 1.0

    def document(self) -> dict[str, Any]:
        return {**self._counts, "F1Score": self.f1}


def _json(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
