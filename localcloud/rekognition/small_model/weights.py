"""The weights of nsfwjs' MobileNetV2, as its npm package holds them: base64 inside a script, a byte for each number."""

import base64
import hashlib
import math
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

#: Names, inside the package's `dist/models/mobilenet_v2`, of the two scripts that `read` needs.
MODEL_SCRIPT = "model.min.js"
WEIGHTS_SCRIPT = "group1-shard1of1.min.js"

#: Of nsfwjs 4.4.0.
_SHA256 = "8e7dddbb16acacc1bf1601b1b8a761e730ff934b7f2d7771312b2f000e5f5f13"

_LONG_BASE64 = re.compile(r"[A-Za-z0-9+/=]{1000,}")
_ENTRY = re.compile(
    r'\{name:"(?P<name>[\w/]+)",shape:\[(?P<shape>[\d,]+)\],dtype:"float32",'
    r'quantization:\{min:(?P<least>[-.\de]+),scale:(?P<scale>[-.\de]+),dtype:"uint8"\}\}'
)


class WeightsError(Exception):
    """The weights are not there, or not the expected ones. The message says how to get them."""


def read(folder: Path) -> Mapping[str, Array]:
    """Read the two scripts in `folder`: the name of a weight -> its numbers, in the layout of Keras.

    Raises:
        WeightsError: a script is missing, or holds other weights.
    """
    try:
        model = (folder / MODEL_SCRIPT).read_text("utf-8")
        encoded = _LONG_BASE64.search((folder / WEIGHTS_SCRIPT).read_text("utf-8"))
    except OSError as error:
        raise WeightsError(f"{error.filename} can't be read: {error.strerror}; run make demo with a network") from error
    stored_weights = base64.b64decode(encoded[0]) if encoded else b""
    if hashlib.sha256(stored_weights).hexdigest() != _SHA256:
        raise WeightsError(f"{folder} holds other weights than those of nsfwjs 4.4.0; delete it and run make again")
    weights, start = {}, 0
    for entry in _ENTRY.finditer(model):
        shape = tuple(int(side) for side in entry["shape"].split(","))
        stored = np.frombuffer(stored_weights, np.uint8, math.prod(shape), start)
        numbers = stored * float(entry["scale"]) + float(entry["least"])
        weights[entry["name"]] = numbers.astype(np.float32).reshape(shape)
        start += stored.size
    if start != len(stored_weights):
        raise WeightsError(f"{folder / MODEL_SCRIPT} does not describe its weights; delete {folder} and run make again")
    return weights
