"""Whole files of pictures, decoded as the renderer does: in a process of its own, whatever the bytes are."""

import io
from random import Random

from PIL import Image

from gatehouse.contracts.render_call import MOST_JPEG_BYTES, RenderRequest
from gatehouse.moderation.rendition import Background, RefusalCode, RefusedError
from lambdas.renderer.decoder import Decoder
from lambdas.renderer.presigned_object import PresignedObject
from lambdas.renderer.rendering import Rendering
from localcloud.rekognition.images import MOST_BYTES_IN_A_REQUEST, open_image
from tests.fuzz.mutation import mutated_bytes
from tests.fuzz.parser import Case, Parser
from tests.unit.lambdas.animated_files import COMPOSED
from tests.unit.lambdas.color_profiles import COMMON
from tests.unit.lambdas.drawn_pictures import BOMBS, STILL, animated, drawn, frames, gif_of, tiff_of, written

_DECODER = Decoder(heic=True)
_DECODER.prepare()
#: The fuzzing's own bounds on a case are three times as wide.
_RENDERING = Rendering(PresignedObject(), _DECODER, seconds=20, memory=500 * 1024 * 1024)

_SIZES = ((10, 8), (64, 48), (90, 81))
_FILES = (
    *STILL.values(),
    *(animated(name, frames(3, size)) for name in ("GIF", "PNG", "WEBP", "TIFF", "AVIF", "MPO") for size in _SIZES[:2]),
    *(written(drawn(size).convert(mode), "PNG") for size in _SIZES for mode in ("1", "L", "P", "RGBA", "I;16")),
    *(written(drawn(size).convert(mode), "TIFF") for size in _SIZES for mode in ("1", "CMYK", "LAB", "YCbCr")),
    *(written(drawn(), "TIFF", compression=name) for name in ("tiff_lzw", "jpeg", "tiff_deflate", "packbits", "zstd")),
    *(written(drawn().convert("CMYK"), "JPEG"), written(drawn(), "JPEG", progressive=True)),
    *(gif_of(3), tiff_of(3), *COMPOSED.values()),
    *(written(drawn(), name, icc_profile=COMMON["Display P3"]) for name in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")),
)
#: What a request that is one, and a URL that S3 answered, may end in.
_OF_A_PICTURE = frozenset(code for code in RefusalCode if not code.is_about_the_call) - {
    RefusalCode.GONE,
    RefusalCode.DECODER_CRASHED,
}


def _draw(random: Random) -> Case:
    chance = random.random()
    if chance < 0.05:
        name = random.choice(sorted(BOMBS))
        side = 2 ** random.randint(1, 14) - 1
        file = BOMBS[name](side, random.choice((side, 1, 90)))
    elif chance < 0.1:
        head, tail = random.choice(_FILES), random.choice(_FILES)
        file = head[: random.randint(0, len(head))] + tail[random.randint(0, len(tail)) :]
    else:
        file = random.choice(_FILES)
    if random.random() < 0.3:
        changed = bytearray(file)
        for _ in range(random.randint(1, 8)):
            changed[min(int(random.expovariate(1 / 60)), len(changed) - 1)] = random.choice((0, 1, 127, 128, 255))
        file = bytes(changed)
    return mutated_bytes(random, file)


def _check(case: Case) -> bool:
    assert isinstance(case, bytes)
    is_rendered = _answers(case, RenderRequest(""))
    last = RenderRequest("", frame=len(case) % 3, background=Background.BLACK)
    _answers(case, last)
    return is_rendered


def _answers(case: bytes, request: RenderRequest) -> bool:
    """Whether a JPEG comes of it; a process that died is a failure like one that hung."""
    try:
        answer = _RENDERING.decode(case, request)
    except RefusedError as error:
        assert error.code in _OF_A_PICTURE, error.code
        assert error.message.isascii()
        return False
    assert (answer.description is None) == (request.frame is not None)
    assert len(answer.jpeg) <= MOST_JPEG_BYTES
    found = open_image(answer.jpeg, MOST_BYTES_IN_A_REQUEST)
    with Image.open(io.BytesIO(answer.jpeg), formats=["JPEG"]) as opened:
        opened.load()
        assert opened.size == (found.width, found.height)
    return True


PARSERS = (Parser("renderer.Rendering.decode", _draw, _check, 2),)
