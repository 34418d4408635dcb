"""The port for what looks at an image, and what reads the labels planted in it."""

from typing import Protocol

from gatehouse.moderation.policy.taxonomy import PARENTS
from localcloud.rekognition import planted_labels
from localcloud.rekognition.errors import INVALID_PARAMETERS, ErrorName, ServiceError
from localcloud.rekognition.findings import Finding, Findings
from localcloud.rekognition.images import Image

#: Characters of what is wrong with a plant: it quotes the plant, which may be long.
_LONGEST_PROBLEM = 300


class ModerationModel(Protocol):
    """Looks at one image. Stateless by contract: it is called from several threads at once."""

    def analyze(self, image: Image) -> Findings:
        """Find labels of the moderation taxonomy, version 7.0, and content types; parents need not be among them.

        Raises:
            ServiceError: this image can't be analyzed; it ends with this error and the others go on.
        """
        ...


class PlantedLabels:
    """Finds the labels planted in the image's comments, else in its S3 metadata.

    What has no plant is looked at by `other`; without it, it is a clean image.
    """

    def __init__(self, other: ModerationModel | None = None) -> None:
        self._other = other

    def analyze(self, image: Image) -> Findings:
        """See `ModerationModel`; a malformed plant is an InvalidParameterException, never "no labels"."""
        try:
            planted = planted_labels.planted(image)
        except planted_labels.MalformedPlantError as error:
            raise ServiceError(
                ErrorName.INVALID_PARAMETER, f"{INVALID_PARAMETERS}: planted labels: {str(error)[:_LONGEST_PROBLEM]}"
            ) from error
        if planted is not None:
            return planted
        return self._other.analyze(image) if self._other else Findings()


class CheckedModel:
    """A model of the user's: whatever is wrong with it ends the image with an error, never as "no labels"."""

    def __init__(self, name: str, model: ModerationModel) -> None:
        self._name = name
        self._model = model

    def analyze(self, image: Image) -> Findings:
        """See `ModerationModel`."""
        try:
            findings = self._model.analyze(image)
            for label in findings.labels:
                if label.name not in PARENTS:
                    raise ValueError(f"{label.name!r} is no label of the taxonomy, version 7.0")
            for found in (*findings.labels, *findings.content_types):
                _check_confidence(found)
        except ServiceError:
            raise
        except Exception as error:  # whatever the user's code raises, or gives back
            problem = f"{type(error).__name__}: {error}"[:_LONGEST_PROBLEM]
            raise ServiceError(ErrorName.INVALID_PARAMETER, f"The analyzer {self._name} failed: {problem}") from error
        return findings


def _check_confidence(found: Finding) -> None:
    if not 0 <= found.confidence <= 100:  # nor is it not-a-number, which would be above no threshold
        raise ValueError(f"the confidence of {found.name!r} is {found.confidence}, not a number from 0 to 100")
