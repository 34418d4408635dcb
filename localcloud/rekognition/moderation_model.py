"""The port for what looks at an image, and the model that comes with the local cloud."""

from typing import Protocol

from localcloud.rekognition import planted_labels
from localcloud.rekognition.errors import INVALID_PARAMETERS, ErrorName, ServiceError
from localcloud.rekognition.findings import Findings
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


class PlantedLabelModel:
    """Finds the labels planted in the image's comments, else in its S3 metadata; no plant means a clean image."""

    def analyze(self, image: Image) -> Findings:
        """See `ModerationModel`; a malformed plant is an InvalidParameterException, never "no labels"."""
        try:
            return planted_labels.find(image)
        except planted_labels.MalformedPlantError as error:
            raise ServiceError(
                ErrorName.INVALID_PARAMETER, f"{INVALID_PARAMETERS}: planted labels: {str(error)[:_LONGEST_PROBLEM]}"
            ) from error
