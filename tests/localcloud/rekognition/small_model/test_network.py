"""The small model in numpy against the original: the numbers are what reference/reference.cjs prints."""

import base64
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from localcloud.rekognition.analyzer_choice import SMALL_MODEL_FOLDER
from localcloud.rekognition.small_model import weights
from localcloud.rekognition.small_model.network import Network
from localcloud.rekognition.small_model.pixels import network_input

Numbers = NDArray[np.int64]
Color = Callable[[Numbers, Numbers], tuple[Numbers, Numbers, Numbers]]


def chosen(condition: NDArray[np.bool_], yes: tuple[int, ...], no: tuple[int, ...]) -> tuple[Numbers, Numbers, Numbers]:
    red, green, blue = (np.where(condition, one, other) for one, other in zip(yes, no, strict=True))
    return red, green, blue


PICTURES: Mapping[str, tuple[int, int, Color]] = {
    "stripes": (300, 180, lambda x, y: ((x * 5) % 256, (y * 3) % 256, ((x + y) * 2) % 256)),
    "blocks": (224, 224, lambda x, y: chosen((x // 40 + y // 30) % 2 == 1, (250, 240, 20), (10, 60, 200))),
    "disc": (
        500,
        400,
        lambda x, y: chosen((x - 250) ** 2 + (y - 200) ** 2 < 120**2, (214, 60, 60), (240, 240, 235)),
    ),
    "waves": (97, 411, lambda x, y: ((x * x + y) % 256, (x + y * y) % 256, (x * y) % 256)),
    "tall": (90, 2000, lambda x, y: (y % 256, (y >> 3) % 256, (x * 2) % 256)),
}

ORIGINAL = {
    "stripes": (0.123369, 0.140586, 0.148621, 0.535193, 0.052232),
    "blocks": (0.546582, 0.024185, 0.401871, 0.022358, 0.005004),
    "disc": (0.525538, 0.003531, 0.470842, 0.000069, 0.000019),
    "waves": (0.392566, 0.027335, 0.572657, 0.005917, 0.001524),
    "tall": (0.774534, 0.020604, 0.192959, 0.008844, 0.003059),
}


def drawn(name: str) -> Image.Image:
    width, height, color = PICTURES[name]
    y, x = np.mgrid[0:height, 0:width]
    return Image.fromarray(np.stack(np.broadcast_arrays(*color(x, y)), axis=-1).astype(np.uint8))


@pytest.fixture(scope="module")
def network() -> Network:
    return Network(weights.read(SMALL_MODEL_FOLDER))


@pytest.mark.parametrize("name", PICTURES)
def test_it_sees_what_the_original_sees(network: Network, name: str) -> None:
    assert network.probabilities(network_input(drawn(name))) == pytest.approx(ORIGINAL[name], abs=1e-3)


def test_other_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / weights.MODEL_SCRIPT).write_bytes((SMALL_MODEL_FOLDER / weights.MODEL_SCRIPT).read_bytes())
    (tmp_path / weights.WEIGHTS_SCRIPT).write_text(f'"{base64.b64encode(bytes(3000)).decode()}"')

    with pytest.raises(weights.WeightsError, match=r"other weights than those of nsfwjs 4\.4\.0; delete it"):
        weights.read(tmp_path)


def test_missing_weights_are_an_error_that_says_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(weights.WeightsError, match="run make demo with a network"):
        weights.read(tmp_path)
