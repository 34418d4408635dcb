"""Hostile files end in a refusal with a code: never in an exception, and never in a picture that is not whole."""

import io
import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageCms

from gatehouse.contracts.render_call import MOST_JPEG_BYTES, RenderAnswer, RenderRequest, refusal_document
from gatehouse.moderation.image_format import ImageFormat
from gatehouse.moderation.rendition import Description, JudgedFrame, RefusalCode, RefusedError
from lambdas.renderer import rendering as rendering_module
from lambdas.renderer.decoder import Decoder
from lambdas.renderer.presigned_object import PresignedObject
from lambdas.renderer.rendering import Rendering
from localcloud.rekognition.images import MOST_BYTES_IN_A_REQUEST, open_image
from tests.unit.lambdas.drawn_pictures import BOMBS, STILL, animated, drawn, frames, gif_of, tiff_of, written
from tests.unit.pngs import SIGNATURE, chunk

ROOT = Path(__file__).resolve().parents[3]
MEGABYTE = 1024 * 1024
DESCRIBE = RenderRequest("https://bucket.s3.amazonaws.com/picture?signature")

#: Every still picture, and animations.
FILES = {
    **STILL,
    "progressive JPEG": written(drawn(), "JPEG", progressive=True),
    "MPO": animated("MPO", frames(2, (90, 80))),
    "lossless WEBP": written(drawn(), "WEBP", lossless=True),
    "LZW TIFF": written(drawn(), "TIFF", compression="tiff_lzw"),
    **{f"animated {name}": animated(name, frames(3, (90, 80))) for name in ("GIF", "PNG", "WEBP", "AVIF", "TIFF")},
}

#: Cuts of a file; prime, so that they fall anywhere.
CUTS = 47


@pytest.fixture(scope="module")
def rendering() -> Rendering:
    decoder = Decoder(heic=True)
    decoder.prepare()
    return Rendering(PresignedObject(), decoder, seconds=120)  # the machine may be busy


def outcome(rendering: Rendering, body: bytes, request: RenderRequest = DESCRIBE) -> RefusalCode | RenderAnswer:
    """What comes of a file; a JPEG has to be one that Rekognition takes."""
    try:
        answer = rendering.decode(body, request)
    except RefusedError as error:
        return error.code
    found = open_image(answer.jpeg, MOST_BYTES_IN_A_REQUEST)
    assert (found.format, len(answer.jpeg) <= MOST_JPEG_BYTES) == ("JPEG", True)
    with Image.open(io.BytesIO(answer.jpeg)) as opened:
        opened.load()
    return answer


@pytest.mark.parametrize("name", FILES)
def test_a_whole_file_is_described(rendering: Rendering, name: str) -> None:
    assert isinstance(outcome(rendering, FILES[name]), RenderAnswer)


#: Decodes the files of a folder where nothing was decoded before, and prints what came of each.
FRESH = """
import json, sys
from pathlib import Path
from gatehouse.contracts.render_call import RenderRequest
from gatehouse.moderation.rendition import RefusedError
from lambdas.renderer.decoder import Decoder
from lambdas.renderer.presigned_object import PresignedObject
from lambdas.renderer.rendering import Rendering
decoder = Decoder(heic=True)
decoder.prepare()
known, found = set(sys.modules), {}
for path in Path(sys.argv[1]).iterdir():
    try:
        answer = Rendering(PresignedObject(), decoder).decode(path.read_bytes(), RenderRequest(""))
        found[path.name] = answer.jpeg[:2].hex()
    except RefusedError as error:
        found[path.name] = error.message
for path in Path(sys.argv[1]).iterdir():
    decoder.describe(path.read_bytes(), 8)
print(json.dumps([found, sorted(set(sys.modules) - known)]))
"""


def test_nothing_is_left_to_import_in_the_decoding_process_which_can_open_no_file(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    files = FILES | {
        **{
            f"{name} with everything": written(drawn(), name, exif=exif, icc_profile=profile, xmp=b"<x/>")
            for name in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")
        },
        "grey PNG": written(drawn().convert("L"), "PNG", icc_profile=profile),
        "CMYK JPEG": written(drawn().convert("CMYK"), "JPEG"),
        "LAB TIFF": written(drawn().convert("LAB"), "TIFF"),
        "palette PNG": written(drawn().convert("P"), "PNG", transparency=3),
    }
    for name, body in files.items():
        (tmp_path / name).write_bytes(body)
    packages = f"{ROOT}:{ROOT / 'src'}"

    completed = subprocess.run(
        [sys.executable, "-c", FRESH, str(tmp_path)],
        env={"PYTHONPATH": packages},
        capture_output=True,
        text=True,
        check=False,
    )

    assert completed.returncode == 0, completed.stderr
    found, imported = json.loads(completed.stdout)
    assert found == dict.fromkeys(files, "ffd8")
    assert imported == []


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_was_cut_off_is_refused_or_has_lost_nothing_that_is_shown(rendering: Rendering, name: str) -> None:
    body = FILES[name]
    whole = outcome(rendering, body)

    for part in range(1, CUTS):
        found = outcome(rendering, body[: len(body) * part // CUTS])

        assert found in (RefusalCode.UNREADABLE_IMAGE, RefusalCode.UNSUPPORTED_FORMAT) or found == whole


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_flipped_bits_ends_in_an_answer_or_a_refusal(rendering: Rendering, name: str) -> None:
    body = FILES[name]

    for n in range(24):
        damaged = bytearray(body)
        damaged[(n * n * 7 + 5 * n + 12) % len(body)] ^= 1 << (n % 8)
        outcome(rendering, bytes(damaged))


@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.parametrize("size", [(10_000, 5_001), (16_383, 16_383), (65_500, 65_500), (2**24, 2**24), (2**31 - 1, 1)])
def test_a_header_that_says_too_many_pixels_is_refused(rendering: Rendering, name: str, size: tuple[int, int]) -> None:
    try:
        body = BOMBS[name](*size)
    except (struct.error, OverflowError):
        return  # the format can't even say it

    assert outcome(rendering, body) in (RefusalCode.TOO_MANY_PIXELS, RefusalCode.UNREADABLE_IMAGE)


@pytest.mark.parametrize("name", sorted(set(BOMBS) - {"HEIC"}))
def test_pixels_are_counted_before_they_are_decoded(rendering: Rendering, name: str) -> None:
    """With no memory for them, there is a count all the same. libheif has bounds of its own before it."""
    frugal = Rendering(rendering.objects, rendering.decoder, rendering.seconds, memory=64 * MEGABYTE)

    assert outcome(frugal, BOMBS[name](9_000, 9_000)) is RefusalCode.TOO_MANY_PIXELS


def compressed_pixels(width: int, height: int) -> bytes:
    return zlib.compress(bytes((1 + 3 * width) * height), 1)


def png_bomb(width: int, height: int) -> bytes:
    """Few bytes that are many black pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return SIGNATURE + header + chunk(b"IDAT", compressed_pixels(width, height)) + chunk(b"IEND")


def apng_bomb(width: int, height: int, count: int) -> bytes:
    """The same, again and again."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    parts = [SIGNATURE, header, chunk(b"acTL", struct.pack(">II", count, 0))]
    pixels, number = compressed_pixels(width, height), 0
    for n in range(count):
        parts.append(chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, width, height, 0, 0, 1, 10, 0, 0)))
        number += 1
        parts.append(chunk(b"fdAT", struct.pack(">I", number) + pixels) if n else chunk(b"IDAT", pixels))
        number += bool(n)
    return b"".join([*parts, chunk(b"IEND")])


def text_bomb() -> bytes:
    """A text of 128 MB, compressed, before the pixels."""
    deflate = zlib.compressobj(9)
    packed = b"".join([deflate.compress(bytes(MEGABYTE)) for _ in range(128)]) + deflate.flush()
    file = written(drawn(), "PNG")
    return file[:33] + chunk(b"zTXt", b"Comment\0\0" + packed) + file[33:]


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: gif_of(100_000), RefusalCode.TOO_MANY_FRAMES),
        (lambda: tiff_of(20_000), RefusalCode.TOO_MANY_FRAMES),
        (lambda: apng_bomb(8, 8, 1_001), RefusalCode.TOO_MANY_FRAMES),
        (text_bomb, RefusalCode.UNREADABLE_IMAGE),
        (lambda: b"\xff\xd8\xff" + b"\xff\xe0\0\x02" * 500_000, RefusalCode.UNREADABLE_IMAGE),
        (lambda: SIGNATURE + chunk(b"tEXt") * 300_000, RefusalCode.UNREADABLE_IMAGE),
        (lambda: b"GIF89a" + bytes(2 * MEGABYTE), RefusalCode.UNREADABLE_IMAGE),
        (lambda: b"II*\0\x08\0\0\0" + b"\xff" * MEGABYTE, RefusalCode.UNREADABLE_IMAGE),
        (lambda: b"", RefusalCode.UNREADABLE_IMAGE),
        (lambda: written(drawn(), "PNG").replace(b"IDAT", b"acTL", 1), RefusalCode.UNREADABLE_IMAGE),
    ],
    ids=["gif frames", "tiff pages", "apng frames", "text", "segments", "chunks", "zeros", "tags", "empty", "acTL"],
)
def test_a_bomb_is_refused(rendering: Rendering, make: Callable[[], bytes], expected: RefusalCode) -> None:
    assert outcome(rendering, make()) is expected


def test_a_small_file_of_many_pixels_is_decoded_within_its_memory(rendering: Rendering) -> None:
    assert isinstance(outcome(rendering, png_bomb(7_000, 7_000)), RenderAnswer)


def test_what_takes_too_much_memory_is_refused(rendering: Rendering) -> None:
    frugal = Rendering(rendering.objects, rendering.decoder, rendering.seconds, memory=32 * MEGABYTE)

    assert outcome(frugal, png_bomb(7_000, 7_000)) is RefusalCode.TOO_MUCH_MEMORY
    assert isinstance(outcome(frugal, STILL["PNG"]), RenderAnswer)


def test_what_takes_too_long_is_refused_and_the_next_file_is_not(rendering: Rendering) -> None:
    hasty = Rendering(rendering.objects, rendering.decoder, seconds=0.05)

    assert outcome(hasty, apng_bomb(1_500, 1_500, 170)) is RefusalCode.DECODE_TIMEOUT
    assert isinstance(outcome(rendering, STILL["PNG"]), RenderAnswer)


@pytest.mark.parametrize("told", [b"", b"no json", b"[]", b"{}", b'{"jpeg": "AAAA"}', b"[" * 100_000])
def test_a_decoder_that_was_taken_over_is_not_believed(
    rendering: Rendering, told: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rendering_module, "answer_of", lambda *_, **__: told)

    assert outcome(rendering, STILL["PNG"]) is RefusalCode.DECODER_CRASHED


@pytest.mark.parametrize("code", RefusalCode)
def test_a_decoder_that_was_taken_over_may_only_say_what_a_decoder_can(
    rendering: Rendering, code: RefusalCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not that the object is gone, nor that the call failed; and the words are the function's own."""
    told = json.dumps(refusal_document(RefusedError(code, "words of a picture"))).encode()
    monkeypatch.setattr(rendering_module, "answer_of", lambda *_, **__: told)

    with pytest.raises(RefusedError) as refused:
        rendering.decode(STILL["PNG"], DESCRIBE)

    allowed = {code for code in RefusalCode if code.value.startswith(("Un", "TooMany", "TooMuch", "NoSuch"))}
    assert refused.value.code is (code if code in allowed else RefusalCode.DECODER_CRASHED)
    assert refused.value.message.isascii()
    assert "words" not in refused.value.message


DESCRIBED = Description(ImageFormat.PNG, 9, 9, 1, 9, 9, tuple(JudgedFrame(n) for n in range(9)))


@pytest.mark.parametrize(
    ("request_", "description"),
    [
        (DESCRIBE, None),
        (DESCRIBE, DESCRIBED),
        (replace(DESCRIBE, most_frames=9), replace(DESCRIBED, format=ImageFormat.GIF)),
        (replace(DESCRIBE, frame=0), DESCRIBED),
    ],
    ids=["not described", "more frames than asked for", "another format", "described"],
)
def test_a_decoder_that_was_taken_over_may_only_answer_what_was_asked(
    rendering: Rendering, request_: RenderRequest, description: Description | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = json.dumps(RenderAnswer(b"\xff\xd8\xff", description).to_document()).encode()
    monkeypatch.setattr(rendering_module, "answer_of", lambda *_, **__: told)

    with pytest.raises(RefusedError) as refused:
        rendering.decode(STILL["PNG"], request_)

    assert refused.value.code is RefusalCode.DECODER_CRASHED


def test_an_error_that_nobody_foresaw_is_a_refusal(rendering: Rendering, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Decoder, "describe", fail)

    assert outcome(rendering, STILL["PNG"]) is RefusalCode.UNREADABLE_IMAGE


@pytest.mark.parametrize("name", STILL)
def test_a_frame_that_is_not_there_is_refused(rendering: Rendering, name: str) -> None:
    assert outcome(rendering, STILL[name], RenderRequest("", frame=1)) is RefusalCode.NO_SUCH_FRAME
