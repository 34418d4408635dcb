"""What the boxes of an AVIF or a HEIC say of how it is shown is done, or the file is refused."""

import pytest
from PIL import Image

from gatehouse.moderation.image_format import ImageFormat
from gatehouse.moderation.rendition import Description, RefusalCode, RefusedError
from lambdas.renderer.boxes import has_two_pictures
from lambdas.renderer.decoder import Decoder
from tests.unit.lambdas.boxed_files import (
    box,
    clap,
    nclx,
    place,
    with_box,
    with_brand,
    with_own_transfer,
    with_primary_of,
    with_transfer,
)
from tests.unit.lambdas.drawn_pictures import BLUE, GREEN, RED, animated, drawn, frames, heic, written

STILL = written(drawn(), "AVIF")
MOVING = animated("AVIF", [drawn(corner=corner) for corner in (RED, GREEN, BLUE)])
OTHER = written(Image.new("RGB", (128, 96), GREEN), "AVIF")
SAMPLE_ENTRY = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"av01")
PROPERTIES = (b"meta", b"iprp", b"ipco")


def refusal(body: bytes, image_format: ImageFormat = ImageFormat.AVIF) -> RefusalCode:
    with pytest.raises(RefusedError) as refused:
        has_two_pictures(body, image_format)
    return refused.value.code


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    decoder = Decoder(heic=True)
    decoder.prepare()
    return decoder


def described(decoder: Decoder, body: bytes) -> Description | RefusalCode:
    try:
        description = decoder.describe(body, 8).description
    except RefusedError as error:
        return error.code
    assert description
    return description


def test_what_their_writers_write_is_read(decoder: Decoder) -> None:
    assert not has_two_pictures(STILL, ImageFormat.AVIF)
    assert has_two_pictures(MOVING, ImageFormat.AVIF)
    for name in ("drawn", "two", "turned"):
        assert not has_two_pictures(heic(name), ImageFormat.HEIC)


@pytest.mark.parametrize(
    "body", [with_box(STILL, PROPERTIES, clap(64, 64)), with_box(MOVING, SAMPLE_ENTRY, clap(9, 9))]
)
def test_a_picture_of_which_a_part_is_shown_is_refused(body: bytes) -> None:
    assert refusal(body) is RefusalCode.UNSUPPORTED_FORMAT


def test_a_part_of_a_heic_is_what_its_library_shows() -> None:
    assert not has_two_pictures(with_box(heic(), PROPERTIES, clap(64, 64)), ImageFormat.HEIC)


@pytest.mark.parametrize("transfer", [1, 2, 6, 13])
def test_a_transfer_of_screens_is_taken(transfer: int) -> None:
    assert not has_two_pictures(with_transfer(STILL, transfer), ImageFormat.AVIF)
    assert has_two_pictures(with_transfer(MOVING, transfer), ImageFormat.AVIF)


@pytest.mark.parametrize("transfer", [0, 4, 8, 9, 10, 16, 18, 255])
@pytest.mark.parametrize(
    "body", [STILL, MOVING, with_box(heic(), PROPERTIES, nclx(1))], ids=["still", "moving", "heic"]
)
def test_any_other_transfer_is_refused(body: bytes, transfer: int) -> None:
    image_format = ImageFormat.HEIC if body[8:12] == b"heic" else ImageFormat.AVIF

    assert refusal(with_transfer(body, transfer), image_format) is RefusalCode.UNSUPPORTED_FORMAT


def test_what_a_picture_says_of_its_transfer_counts_where_its_file_says_nothing(decoder: Decoder) -> None:
    assert isinstance(described(decoder, with_own_transfer(STILL, 13)), Description)
    for transfer in (8, 16, 18):
        assert refusal(with_own_transfer(STILL, transfer)) is RefusalCode.UNSUPPORTED_FORMAT


def test_each_frames_track_is_looked_at_too() -> None:
    """The first sample's place in the file is another one than the item's, so that only the track leads there."""
    animation = MOVING + box(b"mdat", with_own_transfer(STILL, 16)[STILL.index(b"mdat") + 4 :])
    table = place(MOVING, (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stco"))[-1]
    moved = animation[: table + 16] + (len(MOVING) + 8).to_bytes(4, "big") + animation[table + 20 :]

    assert refusal(moved) is RefusalCode.UNSUPPORTED_FORMAT


def tone_mapped(body: bytes, *, is_shared: bool = False) -> bytes:
    """The file with another look of its picture for brighter screens, and that look's transfer (ISO/IEC 21496-1)."""
    number = 1 + body.count(b"infe")
    properties = place(body, PROPERTIES)[-1]
    known = sum(1 for _ in _kinds(body, properties))
    body = with_box(body, PROPERTIES, nclx(16))
    association = number.to_bytes(2, "big") + bytes((1, known + 1))
    associations = (2 if is_shared else 1).to_bytes(4, "big") + association
    if is_shared:
        associations += (1).to_bytes(2, "big") + bytes((1, known + 1))
    body = with_box(body, (b"meta", b"iprp"), box(b"ipma", bytes(4) + associations))
    return with_box(body, (b"meta", b"iinf"), box(b"infe", b"\2\0\0\0" + number.to_bytes(2, "big") + b"\0\0tmap\0"))


def _kinds(body: bytes, start: int) -> list[bytes]:
    size, at, found = int.from_bytes(body[start : start + 4], "big"), start + 8, []
    while at < start + size:
        found.append(body[at + 4 : at + 8])
        at += int.from_bytes(body[at : at + 4], "big")
    return found


def test_how_a_picture_looks_on_brighter_screens_does_not_count() -> None:
    assert not has_two_pictures(tone_mapped(STILL), ImageFormat.AVIF)
    assert not has_two_pictures(tone_mapped(heic()), ImageFormat.HEIC)
    assert refusal(tone_mapped(STILL, is_shared=True)) is RefusalCode.UNSUPPORTED_FORMAT


def test_an_animation_with_its_first_frame_beside_it_is_judged_by_its_frames(decoder: Decoder) -> None:
    description = described(decoder, MOVING)

    assert isinstance(description, Description)
    assert (description.frames, description.distinct_frames) == (3, 3)


@pytest.mark.parametrize("brand", [b"avis", b"avif", b"mif1", b"msf1"])
def test_an_animation_with_another_picture_beside_it_is_refused(decoder: Decoder, brand: bytes) -> None:
    """Programs that do not play it show that picture, and which ones they are depends on the brand."""
    body = with_brand(with_primary_of(MOVING, OTHER), brand)

    assert described(decoder, body) is RefusalCode.UNSUPPORTED_FORMAT


def test_a_picture_with_an_animation_beside_it_is_judged_by_all_that_may_be_shown(decoder: Decoder) -> None:
    description = described(decoder, with_brand(MOVING, b"avif"))

    assert isinstance(description, Description)
    assert description.frames == 3


def test_a_heic_that_moves_is_refused() -> None:
    assert refusal(heic() + box(b"moov"), ImageFormat.HEIC) is RefusalCode.UNSUPPORTED_FORMAT


@pytest.mark.parametrize(
    "body",
    [
        STILL[:-1],
        STILL + b"junk",
        STILL + b"\0\0\0\4free",
        STILL + box(b"free") * 10_001,
        STILL + STILL[STILL.index(b"meta") - 4 :],
        with_box(STILL, PROPERTIES, b"\0\0\0\x20free"),
        with_box(STILL, (b"meta", b"iprp"), box(b"ipma", b"\0\0\0\0\0\0\0\xff")),
    ],
    ids=["cut off", "junk", "no size", "many boxes", "twice", "too long", "few associations"],
)
def test_boxes_that_do_not_hold_together_are_refused(body: bytes) -> None:
    assert refusal(body) is RefusalCode.UNREADABLE_IMAGE


def test_longer_animations_are_read(decoder: Decoder) -> None:
    description = described(decoder, animated("AVIF", frames(12, (90, 90))))

    assert isinstance(description, Description)
    assert description.frames == 12
