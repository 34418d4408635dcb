"""Your own ONNX image classifier as the local cloud's analyzer.

    python3 -m tools.set_up onnx-example
    GATEHOUSE_ANALYZER_MODEL=model.onnx make demo IMAGES=photos ANALYZER=examples.analyzers.onnx_file:OnnxFile

model.onnx has one input, 1 x 3 x height x width or 1 x height x width x 3, and one output: a score for each class. What
the classes mean stands in model.json beside it:

    {"outputs": ["Weapons", "Illustrated", null], "scores": "softmax", "mean": [0.485, 0.456, 0.406],
     "deviation": [0.229, 0.224, 0.225], "version": "my model 3"}

An output is the name of a label of the moderation taxonomy, version 7.0, of a content type, or null if it means
nothing. `scores` is `softmax` (one of the classes), `sigmoid` (any of them), or `probabilities` if the network ends
with one of these. Red, green and blue of 0 to 1 are reduced by `mean` and divided by `deviation`.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from PIL.Image import Resampling

from gatehouse.moderation.policy.rule import CONTENT_TYPES
from gatehouse.moderation.policy.taxonomy import PARENTS
from localcloud.rekognition.findings import Finding, Findings
from localcloud.rekognition.images import Image
from localcloud.rekognition.small_model.pixels import decode

_ROOT = Path(__file__).resolve().parents[2]


class OnnxFile:
    """Runs the model on one thread, and can be called from several."""

    def __init__(self) -> None:
        """Raises KeyError, OSError or ValueError if the model or its description can't be used."""
        file = _ROOT / os.path.expanduser(os.environ["GATEHOUSE_ANALYZER_MODEL"])
        described = json.loads(file.with_suffix(".json").read_text("utf-8"))
        self._outputs: list[str | None] = described["outputs"]
        if unknown := [name for name in self._outputs if name and name not in {*PARENTS, *CONTENT_TYPES}]:
            raise ValueError(f"{unknown} are neither labels of taxonomy 7.0 nor content types")
        self._probabilities = _PROBABILITIES[described.get("scores", "softmax")]
        self._mean = np.array(described.get("mean", (0, 0, 0)), np.float32)
        self._deviation = np.array(described.get("deviation", (1, 1, 1)), np.float32)
        self._version = str(described.get("version", file.name))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        (self._input,) = self._session.get_inputs()
        _, *sides = self._input.shape
        if not (len(sides) == 3 and all(isinstance(side, int) for side in sides) and 3 in (sides[0], sides[2])):
            raise ValueError(f"its input is {self._input.shape}, not 1 x 3 x height x width or 1 x height x width x 3")
        self._channels_first = sides[0] == 3
        self._height, self._width = sides[1:] if self._channels_first else sides[:2]

    def analyze(self, image: Image) -> Findings:
        """Look at one image, upright, in RGB and without transparency."""
        picture = decode(image.body).resize((self._width, self._height), Resampling.BILINEAR)
        values = (np.asarray(picture, np.float32) / 255 - self._mean) / self._deviation
        if self._channels_first:
            values = values.transpose(2, 0, 1)
        scores = np.asarray(self._session.run(None, {self._input.name: values[None]})[0], np.float64).ravel()
        named = [
            Finding(name, round(100 * float(probability), 4))
            for name, probability in zip(self._outputs, self._probabilities(scores), strict=True)
            if name
        ]
        return Findings(
            tuple(found for found in named if found.name not in CONTENT_TYPES),
            tuple(found for found in named if found.name in CONTENT_TYPES),
            self._version,
        )


_PROBABILITIES: dict[str, Callable[[Any], Any]] = {
    "softmax": lambda scores: np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum(),
    "sigmoid": lambda scores: 1 / (1 + np.exp(-scores)),
    "probabilities": lambda scores: scores,
}
