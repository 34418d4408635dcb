"""Transparency and colors that only a header tells of are not passed over."""

import io
import struct

import pytest
from PIL import Image

from gatehouse.moderation.rendition import Background, JudgedFrame, RefusalCode, RefusedError
from lambdas.renderer.decoder import Decoder
from lambdas.renderer.file_headers import check_bmp, with_alpha_said
from tests.unit.lambdas.drawn_pictures import animated, drawn, written

BOTH = (Background.WHITE, Background.BLACK)
HIDDEN = Image.new("RGBA", (90, 90), (0, 0, 0, 0))
HIDDEN.paste((0, 0, 0, 255), (20, 20, 60, 60))
_ALPHA = 0x10


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    decoder = Decoder()
    decoder.prepare()
    return decoder


def without_alpha_said(body: bytes) -> bytes:
    """A WebP whose headers deny that it is transparent."""
    changed = bytearray(body)
    if body[12:16] == b"VP8X":
        changed[20] &= ~_ALPHA
    at = -1
    while (at := body.find(b"VP8L", at + 1)) >= 0:
        changed[at + 12] &= ~_ALPHA
    return bytes(changed)


TRANSPARENT = {
    "animated": animated("WEBP", [HIDDEN, HIDDEN.rotate(5)], lossless=True, exact=True),
    "animated, lossy": animated("WEBP", [HIDDEN, HIDDEN.rotate(5)]),
    "lossless": written(HIDDEN, "WEBP", lossless=True, exact=True),
    "lossy": written(HIDDEN, "WEBP"),
}


@pytest.mark.parametrize("name", TRANSPARENT)
def test_a_webp_is_as_transparent_as_its_pixels_are(decoder: Decoder, name: str) -> None:
    denied = without_alpha_said(TRANSPARENT[name])
    assert denied != TRANSPARENT[name]

    description = decoder.describe(denied, 8).description

    assert description is not None
    assert {frame.backgrounds for frame in description.judged} == {BOTH}
    black = Image.open(io.BytesIO(decoder.render(denied, 0, Background.BLACK).jpeg)).convert("L").resize((1, 1))
    white = Image.open(io.BytesIO(decoder.render(denied, 0, Background.WHITE).jpeg)).convert("L").resize((1, 1))
    assert (black.getpixel((0, 0)) or 0) < 10 < 150 < (white.getpixel((0, 0)) or 0)  # type: ignore[operator]


@pytest.mark.parametrize("lossless", [True, False])
def test_an_opaque_webp_stays_opaque(decoder: Decoder, lossless: bool) -> None:
    body = written(drawn(), "WEBP", lossless=lossless, xmp=b"<x/>")
    description = decoder.describe(body, 8).description

    assert description is not None
    assert description.judged == (JudgedFrame(0),)
    assert (with_alpha_said(body) == body) is not lossless


@pytest.mark.parametrize(
    "body", [b"", b"RIFF", b"RIFF\4\0\0\0WEBPVP8X\xff\xff\xff\xff", b"RIFF\4\0\0\0WEBPVP8L\0\0\0\0"]
)
def test_a_damaged_webp_is_left_as_it_is(body: bytes) -> None:
    assert with_alpha_said(body) == body


def bmp(
    bits: int = 32,
    length: int = 124,
    masks: tuple[int, int, int, int] = (0, 0, 0, 0),
    space: bytes = b"BGRs",
    gammas: tuple[float, float, float] = (0, 0, 0),
) -> bytes:
    """Black, 90 x 90. Masks make it one of bit fields."""
    compression = 3 if any(masks[:3]) and bits != 24 else 0
    pixels = bytes(90 * ((90 * bits + 31) // 32 * 4))
    header = struct.pack("<IiiHHIIiiII", length, 90, 90, 1, bits, compression, len(pixels), 0, 0, 0, 0)
    header += struct.pack("<4I4s36x3I", *masks, space, *(round(gamma * 65_536) for gamma in gammas))
    header = header.ljust(length, b"\0")[:length]
    return b"BM" + struct.pack("<IHHI", 14 + length + len(pixels), 0, 0, 14 + length) + header + pixels


def refusal(decoder: Decoder, body: bytes) -> RefusalCode | None:
    try:
        decoder.describe(body, 8)
    except RefusedError as error:
        return error.code
    return None


BGRA = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)


@pytest.mark.parametrize(
    "body",
    [
        bmp(),
        bmp(length=40),
        bmp(length=108),
        bmp(masks=BGRA),
        bmp(masks=(0xFF0000, 0xFF00, 0xFF, 0)),
        bmp(24, masks=BGRA),
        bmp(16, masks=(0x7C00, 0x3E0, 0x1F, 0)),
        bmp(space=bytes(4), gammas=(2.2, 2.2, 2.2)),
        bmp(space=bytes(4), gammas=(0.4545, 0.4545, 0.4545)),
        bmp(space=bytes(4)),
        bmp(length=40, space=b"DEBM"),
    ],
)
def test_a_common_bmp_is_read(decoder: Decoder, body: bytes) -> None:
    assert refusal(decoder, body) is None


@pytest.mark.parametrize(
    "body",
    [
        bmp(16, masks=(0x7C00, 0x3E0, 0x1F, 0x8000)),
        bmp(16, 56, masks=(0x7C00, 0x3E0, 0x1F, 0x8000)),
        bmp(32, masks=(0, 0, 0, 0xFF000000)),
        bmp(space=b"DEBM"),
        bmp(space=b"KNIL"),
        bmp(24, space=bytes(4), gammas=(30, 30, 30)),
        bmp(24, 108, space=bytes(4), gammas=(2.2, 2.2, 0.1)),
    ],
    ids=["16 bits", "16 bits, version 3", "32 bits", "a profile", "a profile elsewhere", "a gamma", "a gamma of blue"],
)
def test_a_bmp_with_more_in_its_header_than_is_read_is_refused(decoder: Decoder, body: bytes) -> None:
    assert refusal(decoder, body) is RefusalCode.UNSUPPORTED_FORMAT


@pytest.mark.parametrize("length", range(0, 138, 7))
def test_a_header_that_was_cut_off_is_left_to_pillow(length: int) -> None:
    check_bmp(bmp(space=b"BGRs")[:length], "RGB")
