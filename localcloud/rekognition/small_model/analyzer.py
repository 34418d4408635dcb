"""A small open model that looks at pixels, for pictures without planted labels: nsfwjs' MobileNetV2 (MIT).

It knows five classes and nothing of violence, weapons, drugs, gestures or hate symbols. It is not Rekognition: it is
there so that somebody's own pictures are looked at on their own machine.
"""

import threading
from pathlib import Path

from localcloud.rekognition.analyzer_choice import SMALL_MODEL_LABELS
from localcloud.rekognition.findings import Finding, Findings
from localcloud.rekognition.images import Image
from localcloud.rekognition.small_model import weights
from localcloud.rekognition.small_model.drawing import is_drawing
from localcloud.rekognition.small_model.network import Network
from localcloud.rekognition.small_model.pixels import decode, network_input

_VERSION = "nsfwjs 4.4.0"
_EXPLICIT, _SWIMWEAR = SMALL_MODEL_LABELS
_ILLUSTRATED = "Illustrated"


class SmallModel:
    """Looks at one picture at a time: a second one would only make both slower."""

    def __init__(self, folder: Path) -> None:
        """Raises `weights.WeightsError` if `folder` does not hold the weights."""
        self._network = Network(weights.read(folder))
        self._one_at_a_time = threading.Lock()

    def analyze(self, image: Image) -> Findings:
        """See `ModerationModel`. The classes exclude each other, so what two of them mean is as likely as both."""
        with self._one_at_a_time:
            picture = decode(image.body)
            drawing, drawn_explicit, _, explicit, sexy = self._network.probabilities(network_input(picture))
            suspicion = drawing + drawn_explicit
            illustrated = is_drawing(picture, suspicion)
        labels = (
            Finding(_EXPLICIT, _percent(explicit + drawn_explicit)),
            Finding(_SWIMWEAR, _percent(sexy)),
        )
        return Findings(labels, (Finding(_ILLUSTRATED, _percent(suspicion)),) if illustrated else (), _VERSION)


def _percent(probability: float) -> float:
    return round(min(1.0, max(0.0, probability)) * 100, 4)
