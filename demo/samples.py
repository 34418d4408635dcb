"""The sample images of `make demo`: drawn by code, tiny, harmless, and always the same.

The labels that the local Rekognition reports are planted in the images, because it does not analyze pixels. So a
picture of a beach umbrella represents a photograph of swimwear, and a gray card represents content that nobody should
have to see.
"""

import io
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageColor, ImageDraw

from localcloud.rekognition.planted_labels import plant

_SIZE = (320, 240)
_CENTER = (160, 130)
_Draw = ImageDraw.ImageDraw


@dataclass(frozen=True, slots=True)
class Sample:
    """One file to upload. `about` says in a few words why it is included."""

    key: str
    body: bytes
    about: str


def sample_images() -> tuple[Sample, ...]:
    """The samples, in the order in which they are shown; keys are unique."""
    return (
        Sample("sunset.jpg", _jpeg(_sunset), "a clean photograph"),
        Sample(
            "illustrated-explosion.jpg",
            _jpeg(_explosion, {"Explosions and Blasts": 92.6}, {"Illustrated": 93.9}),
            "the example Amazon published",
        ),
        Sample(
            "beach-umbrella.jpg",
            _jpeg(_umbrella, {"Female Swimwear or Underwear": 94.2}),
            "an image for review",
        ),
        Sample("wine-still-life.jpg", _jpeg(_wine, {"Alcoholic Beverages": 97.8}), "a label the policy allows"),
        Sample("cigarette.png", _png(_cigarette, {"Smoking": 96.4}, {"Illustrated": 88.0}), "a PNG that is flagged"),
        Sample("gray-card.png", _png(_card, {"Weapon Violence": 98.1}), "represents blocked content"),
        Sample("party/50% off + 🎉 for you.png", _png(_balloons), "a key with spaces, + and an emoji"),
        Sample("notes.jpg", b"Shopping list: apples, bread, paint.\n", "a text file with a JPEG suffix"),
        Sample("empty.jpg", b"", "no bytes at all"),
        Sample("sunset.gif", _encoded(_sunset, "GIF"), "a GIF, which is rendered for Rekognition"),
    )


def landscape(number: int, labels: Mapping[str, float]) -> bytes:
    """One of many pictures of hills, another one for each number, with these labels planted."""

    def draw(canvas: _Draw) -> None:
        hue = number * 37 % 360
        top, bottom = (
            ImageColor.getrgb(f"hsl({(hue + turn) % 360},{45}%,{light}%)") for turn, light in ((0, 38), (40, 78))
        )
        _sky(canvas, top[:3], bottom[:3])
        left, height = 30 + number * 53 % 220, 30 + number * 29 % 70
        canvas.ellipse([left, height, left + 52, height + 52], fill=(255, 240, 205))
        for layer in range(3):
            base, step = 130 + 32 * layer, 60 + 17 * ((number + layer) % 4)
            tops = [(x, base + 22 * math.sin((x + number * 41) / step + layer)) for x in range(0, 321, 8)]
            canvas.polygon([(0, 240), *tops, (320, 240)], fill=_hue(hue + 180, 22, 34 - 9 * layer))

    return _jpeg(draw, labels)


def write_samples(folder: Path) -> None:
    """Write the samples as files under `folder`; existing files are not changed."""
    for sample in sample_images():
        path = folder / sample.key
        if not path.is_file() or path.read_bytes() != sample.body:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(sample.body)


def _jpeg(
    draw: Callable[[_Draw], None],
    labels: Mapping[str, float] | None = None,
    content_types: Mapping[str, float] | None = None,
) -> bytes:
    return _planted(_encoded(draw, "JPEG"), labels or {}, content_types or {})


def _png(
    draw: Callable[[_Draw], None],
    labels: Mapping[str, float] | None = None,
    content_types: Mapping[str, float] | None = None,
) -> bytes:
    return _planted(_encoded(draw, "PNG"), labels or {}, content_types or {})


def _planted(image: bytes, labels: Mapping[str, float], content_types: Mapping[str, float]) -> bytes:
    if not labels and not content_types:
        return image
    return plant(image, {"ModerationLabels": _findings(labels), "ContentTypes": _findings(content_types)})


def _findings(confidences: Mapping[str, float]) -> list[dict[str, object]]:
    return [{"Name": name, "Confidence": confidence} for name, confidence in confidences.items()]


def _encoded(draw: Callable[[_Draw], None], image_format: str) -> bytes:
    image = Image.new("RGB", _SIZE)
    draw(ImageDraw.Draw(image))
    buffer = io.BytesIO()
    image.save(buffer, image_format)
    return buffer.getvalue()


def _sky(canvas: _Draw, top: tuple[int, int, int], bottom: tuple[int, int, int]) -> None:
    """Fill the canvas with a vertical gradient."""
    width, height = _SIZE
    for row in range(height):
        share = row / (height - 1)
        red, green, blue = (round(start + (end - start) * share) for start, end in zip(top, bottom, strict=True))
        canvas.line([(0, row), (width, row)], fill=(red, green, blue))


def _sunset(canvas: _Draw) -> None:
    _sky(canvas, (36, 44, 98), (250, 160, 90))
    canvas.ellipse([120, 110, 200, 190], fill=(255, 226, 140))
    canvas.polygon([(0, 200), (90, 130), (190, 205), (260, 150), (320, 200), (320, 240), (0, 240)], fill=(48, 36, 60))


def _hue(degrees: int, saturation: int, lightness: int) -> tuple[int, int, int]:
    """A color; saturation and lightness in percent."""
    red, green, blue = ImageColor.getrgb(f"hsl({degrees % 360},{saturation}%,{lightness}%)")[:3]
    return red, green, blue


def _star(center: tuple[int, int], outer: float, inner: float, points: int) -> list[tuple[float, float]]:
    corners = []
    for corner in range(points * 2):
        radius = inner if corner % 2 else outer
        angle = math.pi * corner / points
        corners.append((center[0] + radius * math.sin(angle), center[1] - radius * math.cos(angle)))
    return corners


def _explosion(canvas: _Draw) -> None:
    """A comic book's bang."""
    _sky(canvas, (120, 190, 235), (225, 240, 250))
    for outer, inner, color in ((110, 62, (214, 50, 36)), (84, 46, (250, 150, 30)), (56, 30, (255, 236, 110))):
        canvas.polygon(_star(_CENTER, outer, inner, 12), fill=color, outline=(30, 20, 20))
    canvas.text((132, 118), "BANG!", fill=(30, 20, 20), font_size=22)


def _umbrella(canvas: _Draw) -> None:
    _sky(canvas, (110, 190, 240), (200, 230, 245))
    canvas.rectangle([0, 170, 320, 240], fill=(238, 214, 160))
    canvas.line([(160, 70), (160, 200)], fill=(120, 84, 50), width=5)
    for stripe in range(6):
        color = (226, 60, 70) if stripe % 2 else (250, 250, 245)
        canvas.pieslice([70, 50, 250, 190], 180 + stripe * 30, 210 + stripe * 30, fill=color)


def _wine(canvas: _Draw) -> None:
    _sky(canvas, (70, 50, 44), (130, 96, 74))
    canvas.rectangle([0, 185, 320, 240], fill=(92, 60, 40))
    canvas.rounded_rectangle([80, 80, 125, 200], 8, fill=(24, 60, 40))
    canvas.rectangle([95, 40, 110, 85], fill=(24, 60, 40))
    canvas.rectangle([84, 120, 121, 160], fill=(236, 226, 200))
    canvas.chord([180, 70, 250, 150], 0, 180, fill=(120, 16, 40))
    canvas.line([(215, 150), (215, 195)], fill=(220, 226, 230), width=4)
    canvas.line([(195, 197), (235, 197)], fill=(220, 226, 230), width=5)


def _cigarette(canvas: _Draw) -> None:
    _sky(canvas, (226, 230, 234), (206, 212, 218))
    canvas.rectangle([70, 130, 110, 150], fill=(214, 150, 80))
    canvas.rectangle([110, 130, 235, 150], fill=(250, 250, 250), outline=(160, 160, 160))
    canvas.rectangle([235, 130, 246, 150], fill=(230, 90, 40))
    for curl in range(3):
        canvas.arc(
            [236 + curl * 6, 60 + curl * 18, 266 + curl * 6, 92 + curl * 18], 90, 300, fill=(140, 140, 150), width=3
        )


def _card(canvas: _Draw) -> None:
    canvas.rectangle([0, 0, *_SIZE], fill=(150, 150, 150))
    canvas.rectangle([40, 40, 280, 200], outline=(90, 90, 90), width=3)
    canvas.text((88, 106), "nothing to see here", fill=(70, 70, 70), font_size=17)


def _balloons(canvas: _Draw) -> None:
    _sky(canvas, (250, 240, 220), (255, 250, 240))
    for left, top, color in ((70, 50, (226, 70, 80)), (135, 30, (70, 130, 210)), (200, 60, (250, 190, 60))):
        canvas.line([(left + 25, top + 60), (160, 220)], fill=(120, 120, 120), width=2)
        canvas.ellipse([left, top, left + 50, top + 64], fill=color)
