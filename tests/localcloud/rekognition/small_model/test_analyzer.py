"""Pictures as they are stored, looked at by the small model."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from localcloud.rekognition.analyzer_choice import SMALL_MODEL_FOLDER, SMALL_MODEL_LABELS
from localcloud.rekognition.errors import ErrorName, ServiceError
from localcloud.rekognition.images import open_image
from localcloud.rekognition.small_model.analyzer import SmallModel
from localcloud.rekognition.small_model.pixels import decode, network_input
from tests.localcloud.rekognition import pictures
from tests.localcloud.rekognition.small_model.drawn import blurred_noise, comic

RED = (200, 30, 40)


def stored(picture: Image.Image, file_format: str = "PNG", **options: Any) -> bytes:
    output = io.BytesIO()
    picture.save(output, file_format, **options)
    return output.getvalue()


@pytest.fixture(scope="module")
def model() -> SmallModel:
    return SmallModel(SMALL_MODEL_FOLDER)


def test_harmless_drawings_are_not_flagged_and_most_are_known_as_drawn(model: SmallModel) -> None:
    found = [model.analyze(open_image(stored(comic(seed)), 10**7)) for seed in range(12)]

    assert {tuple(label.name for label in findings.labels) for findings in found} == {SMALL_MODEL_LABELS}
    assert max(label.confidence for findings in found for label in findings.labels) < 50
    assert sum(findings.content_types != () for findings in found) >= 9
    assert {content_type.name for findings in found for content_type in findings.content_types} == {"Illustrated"}
    assert {findings.model_version for findings in found} == {"nsfwjs 4.4.0"}


@pytest.mark.parametrize("seed", range(6))
def test_light_and_grain_are_no_drawing_and_are_not_flagged(model: SmallModel, seed: int) -> None:
    found = model.analyze(open_image(stored(blurred_noise(seed), "JPEG"), 10**7))

    assert max(label.confidence for label in found.labels) < 50
    assert found.content_types == ()


def test_the_same_pixels_are_the_same_findings_whatever_holds_them(model: SmallModel) -> None:
    direct, paletted = comic(1), comic(1).quantize(colors=32)

    assert model.analyze(open_image(stored(paletted), 10**7)) == model.analyze(
        open_image(stored(paletted.convert("RGB")), 10**7)
    )
    assert model.analyze(open_image(stored(direct.convert("RGBA")), 10**7)) == model.analyze(
        open_image(stored(direct), 10**7)
    )


@pytest.mark.parametrize(
    ("picture", "color"),
    [
        (Image.new("RGBA", (90, 90), (0, 0, 0, 0)), (255, 255, 255)),
        (Image.new("LA", (90, 90), (0, 0)), (255, 255, 255)),
        (Image.new("L", (90, 90), 77), (77, 77, 77)),
        (Image.new("1", (90, 90), 1), (255, 255, 255)),
        (Image.fromarray(np.full((90, 90), 0x4D4D, np.uint16)), (77, 77, 77)),
    ],
    ids=["transparent", "transparent-gray", "gray", "black-and-white", "16-bit"],
)
def test_colors_are_those_that_people_see(picture: Image.Image, color: tuple[int, int, int]) -> None:
    assert decode(stored(picture)).getpixel((5, 5)) == color


def test_a_picture_is_looked_at_upright() -> None:
    sideways = Image.new("RGB", (200, 100), "white")
    sideways.paste(RED, (0, 0, 200, 10))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it a quarter clockwise

    upright = decode(stored(sideways, "PNG", exif=exif))

    assert upright.size == (100, 200)
    assert upright.getpixel((97, 100)) == RED


def test_what_no_decoder_reads_is_an_invalid_image() -> None:
    damaged = bytearray(pictures.jpeg(400, 400))
    del damaged[300:]

    with pytest.raises(ServiceError) as error:
        decode(bytes(damaged))

    assert error.value.name is ErrorName.INVALID_IMAGE_FORMAT


@pytest.mark.parametrize("size", [(80, 80), (1, 3000), (4000, 90), (224, 224)])
def test_any_size_becomes_the_networks_and_keeps_its_corners(size: tuple[int, int]) -> None:
    picture = Image.new("RGB", size, "black")
    picture.putpixel((0, 0), RED)
    picture.putpixel((size[0] - 1, size[1] - 1), RED)

    values = network_input(picture)

    assert values.shape == (224, 224, 3)
    assert values[0, 0] == pytest.approx(np.array(RED) / 255, abs=1e-6)
    assert values[-1, -1] == pytest.approx(np.array(RED) / 255, abs=1e-6)
