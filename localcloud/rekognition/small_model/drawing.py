"""Whether a picture is drawn: its areas are flat, its edges are hard, and the network half thinks so."""

import numpy as np
from PIL import Image

_LONGEST_SIDE = 512

# Found on sample drawings and photographs; the tests state how it does on drawn pictures.
_FLAT = 1
_STRONG = 48
_LEAST_FLAT = 0.65
_LEAST_STRONG = 0.012
_LEAST_SUSPICION = 0.15
_SURE = 0.7


def is_drawing(picture: Image.Image, suspicion: float) -> bool:
    """Decide by the pixels of an RGB `picture`, and by the probability (0-1) that the network gives to drawings."""
    if suspicion > _SURE:
        return True
    if suspicion <= _LEAST_SUSPICION:
        return False
    copy = picture.convert("L")
    scale = _LONGEST_SIDE / max(copy.size)
    if scale < 1:
        size = (max(1, round(copy.width * scale)), max(1, round(copy.height * scale)))
        copy = copy.resize(size, Image.Resampling.NEAREST)
    gray = np.asarray(copy).astype(np.int16)
    across = np.abs(np.diff(gray, axis=1))[:-1]
    down = np.abs(np.diff(gray, axis=0))[:, :-1]
    gradient = np.maximum(across, down)
    return bool((gradient <= _FLAT).mean() > _LEAST_FLAT and (gradient > _STRONG).mean() > _LEAST_STRONG)
