"""The smallest images Rekognition takes, with the labels the local one is to report."""

import io
from functools import cache

from PIL import Image

from localcloud.rekognition.planted_labels import plant
from tests.unit.pngs import animated


@cache
def image(label: str | None = None, confidence: float = 99.0, shade: int = 200) -> bytes:
    """A gray JPEG of 80 x 80 pixels; different shades are different bytes."""
    picture = io.BytesIO()
    Image.new("L", (80, 80), shade).save(picture, "JPEG")
    if label is None:
        return picture.getvalue()
    return plant(picture.getvalue(), {"ModerationLabels": [{"Name": label, "Confidence": confidence}]})


def picture(image_format: str, label: str | None = None) -> bytes:
    """A picture of one of Pillow's formats."""
    file = io.BytesIO()
    Image.new("RGB", (80, 80), (200, 180, 160)).save(file, image_format)
    if label is None:
        return file.getvalue()
    return plant(file.getvalue(), {"ModerationLabels": [{"Name": label, "Confidence": 99.0}]})


CLEAN = image()
BLOCKED = image("Weapon Violence")
REVIEW = image("Graphic Violence", 85.0)
RENDERED, RENDERED_BLOCKED = picture("WEBP"), picture("WEBP", "Weapon Violence")
#: Its first frame is clean, and nobody looks at the other one.
ANIMATED = animated()
