"""Sixty harmless pictures in ten formats, drawn by chance: like what people have on a disk, but for a camera's own."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from tests.localcloud.rekognition.small_model.drawn import SIZE, blurred_noise, comic
from tests.unit.lambdas.drawn_pictures import animated, written

_WIDTH, _HEIGHT = SIZE


class Kind(StrEnum):
    """What a picture of the album is."""

    PHOTO = "photos"
    DRAWING = "drawings"
    SCREENSHOT = "screenshots"
    ANIMATION = "animations"


@dataclass(frozen=True, slots=True)
class Picture:
    """A file, of the album or somebody's own."""

    name: str
    kind: str
    body: bytes


def album() -> Iterator[Picture]:
    """The pictures: twenty photos, twenty drawings, ten screenshots, ten animations."""
    for n in range(20):
        scene = (landscape, still_life, clouds, blurred_noise)[n % 4]
        yield _picture(Kind.PHOTO, n, scene(n), ("JPEG", "WEBP", "AVIF", "TIFF", "BMP")[n // 4])
    for n in range(20):
        yield _picture(Kind.DRAWING, n, comic(100 + n), ("PNG", "GIF", "WEBP", "JPEG")[n % 4])
    for n in range(10):
        yield _picture(Kind.SCREENSHOT, n, screenshot(n), ("PNG", "BMP", "WEBP", "AVIF", "TIFF")[n % 5])
    for n in range(10):
        file_format, suffix = (("GIF", "moving.gif"), ("PNG", "apng"), ("WEBP", "moving.webp"))[n % 3]
        frames = moving(n, 3)
        yield Picture(f"{Kind.ANIMATION}-{n:02}.{suffix}", Kind.ANIMATION, animated(file_format, frames, duration=80))


def _picture(kind: Kind, number: int, picture: Image.Image, file_format: str) -> Picture:
    return Picture(f"{kind}-{number:02}.{file_format.lower()}", kind, written(picture, file_format))


def landscape(seed: int) -> Image.Image:
    """Hazy ridges under a sky, with grain."""
    dice = np.random.default_rng(seed)
    rows = np.linspace(0, 1, _HEIGHT, dtype=np.float32)[:, None, None]
    low, high = dice.uniform(150, 245, 3), dice.uniform(60, 190, 3)
    pixels = np.broadcast_to(high * (1 - rows) + low * rows, (_HEIGHT, _WIDTH, 3)).astype(np.float32).copy()
    columns = np.arange(_WIDTH)
    for layer in range(5):
        ridge = np.full(_WIDTH, 180.0 + 80 * layer)
        for _ in range(4):
            ridge += dice.uniform(4, 34) * np.sin(columns / dice.uniform(14, 160) + dice.uniform(0, 7))
        color = low * (1 - (layer + 1) / 6) + dice.uniform(10, 70, 3) * (layer + 1) / 6
        below = np.arange(_HEIGHT)[:, None] > ridge[None, :]
        texture = dice.normal(0, 3 + 3 * layer, (_HEIGHT, _WIDTH, 1))
        pixels = np.where(below[..., None], color + texture, pixels)
    return _developed(pixels, dice)


def still_life(seed: int) -> Image.Image:
    """Balls on a table, with light from the left and soft shadows."""
    dice = np.random.default_rng(seed)
    y, x = np.mgrid[0:_HEIGHT, 0:_WIDTH].astype(np.float32)
    table = y > 380
    pixels = np.where(table[..., None], dice.uniform(70, 150, 3), dice.uniform(120, 220, 3)) + (x / 14)[..., None]
    for left in (170, 400, 620):
        radius, middle = dice.uniform(50, 110), left + dice.uniform(-30, 30)
        top = 470 - radius
        shadow = np.exp(-(((x - middle - 30) / radius / 1.3) ** 2) - ((y - 475) / 26) ** 2)
        pixels *= (1 - 0.55 * shadow)[..., None]
        across, down = (x - middle) / radius, (y - top) / radius
        inside = across**2 + down**2 < 1
        depth = np.sqrt(np.clip(1 - across**2 - down**2, 0, 1))
        light = np.clip(0.25 + 0.75 * (-0.5 * across - 0.5 * down + 0.7 * depth), 0.1, 1)
        pixels = np.where(inside[..., None], dice.uniform(60, 255, 3) * light[..., None], pixels)
    return _developed(pixels, dice)


def clouds(seed: int) -> Image.Image:
    """Noise of every size on blue."""
    dice = np.random.default_rng(seed)
    cover = np.zeros((_HEIGHT, _WIDTH), np.float32)
    for power in range(2, 8):
        coarse = Image.fromarray(dice.uniform(0, 255, (3 * 2**power // 4, 2**power)).astype(np.uint8))
        cover += np.asarray(coarse.resize(SIZE, Image.Resampling.BICUBIC), np.float32) / 2**power
    share = np.clip((cover - np.percentile(cover, 45)) / 40, 0, 1)[..., None]
    return _developed(np.array((70, 120, 190)) * (1 - share) + np.array((240, 240, 245)) * share, dice)


def _developed(pixels: NDArray[np.floating[Any]], dice: np.random.Generator) -> Image.Image:
    grain = dice.normal(0, 5, pixels.shape)
    picture = Image.fromarray((pixels + grain).clip(0, 255).astype(np.uint8))
    return picture.filter(ImageFilter.GaussianBlur(0.8))


def screenshot(seed: int) -> Image.Image:
    """Windows with lines of text, buttons and a chart."""
    dice = random.Random(seed)
    is_dark = seed % 2 == 1
    paper, ink = ((28, 30, 36), (220, 222, 226)) if is_dark else ((252, 252, 252), (40, 44, 52))
    picture = Image.new("RGB", SIZE, (52, 84, 120) if is_dark else (214, 222, 230))
    pen = ImageDraw.Draw(picture)
    for _ in range(dice.randrange(1, 4)):
        left, top = dice.randrange(20, 240), dice.randrange(20, 160)
        right, bottom = left + dice.randrange(360, 540), top + dice.randrange(240, 400)
        pen.rectangle((left, top, right, bottom), fill=paper, outline=ink)
        pen.rectangle((left, top, right, top + 26), fill=(70, 110, 170))
        for line in range(top + 40, bottom - 60, 18):
            words = " ".join(["lorem", "ipsum", "dolor", "sit", "amet"][: dice.randrange(1, 6)])
            pen.text((left + 14, line), words, fill=ink, font_size=12)
        for bar in range(6):
            height = dice.randrange(8, 50)
            edge = right - 150 + 22 * bar
            pen.rectangle((edge, bottom - height, edge + 16, bottom - 4), fill=(90, 160, 90))
    return picture


def moving(seed: int, count: int) -> Sequence[Image.Image]:
    """A comic or a landscape, with a ball that rolls through it."""
    scene = (comic(200 + seed) if seed % 2 else landscape(200 + seed)).resize((400, 300))
    found = []
    for n in range(count):
        frame = scene.copy()
        left = 40 + 100 * n
        ImageDraw.Draw(frame).ellipse((left, 200, left + 60, 260), fill=(230, 200, 60), outline="black", width=3)
        found.append(frame)
    return found
