"""Harmless pictures, drawn by chance: comics, and what a camera could have taken of nothing in particular."""

import random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIZE = (800, 600)


def comic(seed: int) -> Image.Image:
    """Faces, balloons, polygons and hatching with thick black outlines."""
    dice = random.Random(seed)
    picture = Image.new("RGB", SIZE, _color(dice, 150))
    canvas = ImageDraw.Draw(picture)
    for draw in dice.choices((_face, _balloon, _polygon, _hatching), k=dice.randrange(8, 22)):
        draw(canvas, dice, dice.randrange(SIZE[0]), dice.randrange(SIZE[1]), dice.randrange(40, 160))
    return picture


def blurred_noise(seed: int) -> Image.Image:
    """Soft light and shadow with a camera's grain."""
    dice = np.random.default_rng(seed)
    coarse = Image.fromarray(dice.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize(SIZE, Image.Resampling.BICUBIC)
    soft = np.asarray(coarse.filter(ImageFilter.GaussianBlur(20))).astype(np.int16)
    grain = dice.normal(0, 9, soft.shape).astype(np.int16)
    return Image.fromarray((soft + grain).clip(0, 255).astype(np.uint8))


def _face(canvas: ImageDraw.ImageDraw, dice: random.Random, x: int, y: int, size: int) -> None:
    canvas.ellipse([x - size, y - size, x + size, y + size * 0.8], fill=_color(dice), outline="black", width=6)
    for left in (x - 33, x + 17):
        canvas.ellipse([left, y - 20, left + 16, y], fill="black")
    canvas.arc([x - 30, y - 10, x + 30, y + 30], 20, 160, fill="black", width=5)


def _balloon(canvas: ImageDraw.ImageDraw, _dice: random.Random, x: int, y: int, size: int) -> None:
    box = [x - size, y - size / 2, x + size, y + size / 2]
    canvas.rounded_rectangle(box, 15, fill="white", outline="black", width=5)
    canvas.text((x - size + 12, y - 14), "HELLO!", fill="black", font_size=max(14, size // 3))


def _polygon(canvas: ImageDraw.ImageDraw, dice: random.Random, x: int, y: int, size: int) -> None:
    canvas.regular_polygon(
        (x, y, size * 0.7), dice.randrange(3, 8), rotation=dice.randrange(90), fill=_color(dice), outline="black"
    )


def _hatching(canvas: ImageDraw.ImageDraw, dice: random.Random, x: int, y: int, size: int) -> None:
    for down in range(0, size * 2, 14):
        top = y - size + down
        canvas.line([x - size, top, x + size, top + dice.randrange(-20, 20)], fill="black", width=3)


def _color(dice: random.Random, least: int = 0) -> tuple[int, int, int]:
    return dice.randrange(least, 256), dice.randrange(least, 256), dice.randrange(least, 256)
