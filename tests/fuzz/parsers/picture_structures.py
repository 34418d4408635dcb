"""What the renderer reads of a picture before any decoder does: frames, headers, boxes and color profiles."""

from random import Random

from gatehouse.moderation.image_format import ImageFormat
from gatehouse.moderation.rendition import RefusalCode, RefusedError
from lambdas.renderer.boxes import has_two_pictures
from lambdas.renderer.color_profile import ColorSpace, color_space_of
from lambdas.renderer.file_frames import read_gif, read_png
from lambdas.renderer.file_headers import check_bmp, with_alpha_said
from tests.fuzz.mutation import mutated_bytes
from tests.fuzz.parser import Case, Parser
from tests.unit.lambdas.animated_files import COMPOSED
from tests.unit.lambdas.boxed_files import clap, with_box, with_own_transfer
from tests.unit.lambdas.color_profiles import COMMON, GREYS, HOSTILE, cmyk
from tests.unit.lambdas.drawn_pictures import animated, drawn, frames, gif_of, heic, written

_MOST_FRAMES = 50
_CODES = frozenset({RefusalCode.UNREADABLE_IMAGE, RefusalCode.UNSUPPORTED_FORMAT, RefusalCode.TOO_MANY_FRAMES})

_PROFILES = (*COMMON.values(), *GREYS.values(), *HOSTILE.values(), cmyk())
_STILL_AVIF = written(drawn((20, 16)), "AVIF")
_BOXED = (
    *(_STILL_AVIF, with_own_transfer(_STILL_AVIF, 16), animated("AVIF", frames(3, (20, 16))), heic(), heic("two")),
    with_box(_STILL_AVIF, (b"meta", b"iprp", b"ipco"), clap(9, 9)),
)
_GIFS = (gif_of(3), *(body for name, body in COMPOSED.items() if name.endswith(".gif")))
_PNGS = (
    *(body for name, body in COMPOSED.items() if name.endswith(".png")),
    *(written(drawn((20, 16)).convert(mode), "PNG", icc_profile=_PROFILES[0]) for mode in ("RGB", "P", "RGBA")),
)
_HEADED = (
    *(written(drawn((20, 16)), "WEBP", lossless=lossless, xmp=b"<x/>") for lossless in (True, False)),
    animated("WEBP", frames(3, (20, 16))),
    *(written(drawn((20, 16)), "BMP"), b"BM" + bytes(12) + (124).to_bytes(4, "little") + bytes(120)),
)


def _changed(random: Random, body: bytes) -> bytes:
    """A file with changes, mostly where its structure stands."""
    changed = bytearray(body)
    for _ in range(random.randint(0, 4)):
        if changed:
            changed[min(int(random.expovariate(1 / 120)), len(changed) - 1)] = random.choice((0, 1, 2, 127, 128, 255))
    return mutated_bytes(random, bytes(changed), 2)


def _profile(random: Random) -> Case:
    return _changed(random, random.choice(_PROFILES))


def _boxed(random: Random) -> Case:
    return _changed(random, random.choice(_BOXED))


def _framed(random: Random) -> Case:
    return _changed(random, random.choice(random.choice((_GIFS, _PNGS))))


def _headed(random: Random) -> Case:
    return _changed(random, random.choice(_HEADED))


def _check_profile(case: Case) -> bool:
    assert isinstance(case, bytes)
    try:
        return color_space_of(case) in ColorSpace
    except RefusedError as error:
        assert error.code is RefusalCode.UNSUPPORTED_FORMAT
        return False


def _check_boxes(case: Case) -> bool:
    assert isinstance(case, bytes)
    try:
        has_two_pictures(case, ImageFormat.HEIC if case[8:9] == b"h" else ImageFormat.AVIF)
    except RefusedError as error:
        assert error.code in _CODES
        return False
    return True


def _check_frames(case: Case) -> bool:
    assert isinstance(case, bytes)
    try:
        animation = (read_gif if case.startswith(b"GIF") else read_png)(case, _MOST_FRAMES)
    except RefusedError as error:
        assert error.code in _CODES
        return False
    if animation:
        assert 1 <= len(animation.parts) <= _MOST_FRAMES + 1
        assert all(len(part.file()) <= len(case) + 1_000 for part in animation.parts)
    return True


def _check_headers(case: Case) -> bool:
    assert isinstance(case, bytes)
    said = with_alpha_said(case)
    assert len(said) == len(case)
    assert with_alpha_said(said) == said
    try:
        check_bmp(case, "RGB")
    except RefusedError as error:
        assert error.code is RefusalCode.UNSUPPORTED_FORMAT
        return False
    return True


PARSERS = (
    Parser("color_profile.color_space_of", _profile, _check_profile, 2),
    Parser("boxes.has_two_pictures", _boxed, _check_boxes, 2),
    Parser("file_frames.read_gif and read_png", _framed, _check_frames, 2),
    Parser("file_headers.with_alpha_said and check_bmp", _headed, _check_headers),
)
