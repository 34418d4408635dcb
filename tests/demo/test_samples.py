"""The samples: deterministic, harmless, and planted with what the demo is to show."""

import io
from pathlib import Path

import pytest
from PIL import Image

from demo.samples import Sample, sample_images, write_samples
from localcloud.rekognition.images import MOST_BYTES_OF_AN_OBJECT, open_image
from localcloud.rekognition.planted_labels import find

SAMPLES = {sample.key: sample for sample in sample_images()}


def test_samples_are_the_same_every_time_and_small() -> None:
    assert sample_images() == sample_images()
    assert len(SAMPLES) == len(sample_images())
    assert max(len(sample.body) for sample in SAMPLES.values()) < 20_000


def test_the_published_example_is_planted_as_published() -> None:
    image = open_image(SAMPLES["illustrated-explosion.jpg"].body, MOST_BYTES_OF_AN_OBJECT)

    findings = find(image)

    assert [(label.name, label.confidence) for label in findings.labels] == [("Explosions and Blasts", 92.6)]
    assert [(entry.name, entry.confidence) for entry in findings.content_types] == [("Illustrated", 93.9)]


@pytest.mark.parametrize(
    "sample", [sample for sample in SAMPLES.values() if sample.body.startswith((b"\xff\xd8", b"\x89PNG"))]
)
def test_an_image_can_be_decoded_to_its_end(sample: Sample) -> None:
    with Image.open(io.BytesIO(sample.body)) as image:
        image.load()
        assert image.size == (320, 240)


def test_written_samples_are_the_uploaded_ones(tmp_path: Path) -> None:
    folder = tmp_path
    write_samples(folder)

    assert {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()} == {
        key: sample.body for key, sample in SAMPLES.items()
    }
