"""Small previews of pictures, as data that a page can hold."""

import base64
import io

from PIL import Image, ImageOps

_SIDE = 320
_QUALITY = 80
# A preview is not worth more memory than this, whatever a file says of itself.
_MOST_PIXELS = 100_000_000


def thumbnail(body: bytes) -> str | None:
    """A `data:` URL of a JPEG of at most 320 x 320 pixels; None if `body` is no picture that Pillow can read."""
    try:
        with Image.open(io.BytesIO(body)) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                return None
            picture.draft("RGB", (2 * _SIDE, 2 * _SIDE))
            upright = ImageOps.exif_transpose(picture).convert("RGBA")
    except Exception:  # decoders raise whatever a damaged file leads them to
        return None
    upright.thumbnail((_SIDE, _SIDE))
    white = Image.new("RGBA", upright.size, "white")
    output = io.BytesIO()
    Image.alpha_composite(white, upright).convert("RGB").save(output, "JPEG", quality=_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(output.getvalue()).decode()}"
