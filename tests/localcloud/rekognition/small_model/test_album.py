"""A folder of harmless pictures, looked at by the small model and judged by the standard policy."""

from gatehouse.moderation.status import FLAGGED
from tests.benchmarks.small_model import looked_at_album
from tests.localcloud.rekognition.small_model.album import Kind

SUFFIXES = {"jpeg", "png", "webp", "avif", "tiff", "bmp", "gif", "moving.gif", "apng", "moving.webp"}


def test_sixty_harmless_pictures_in_ten_formats_are_approved_and_drawings_are_known_as_drawn() -> None:
    found = looked_at_album()

    assert len(found) == 60
    assert {looked.name.partition(".")[2] for looked in found} == SUFFIXES
    assert {looked.kind for looked in found} == set(Kind)
    flagged = [(looked.name, looked.reasons) for looked in found if looked.status in FLAGGED]
    assert len(flagged) <= 3, flagged
    assert sum(looked.illustrated for looked in found if looked.kind == Kind.DRAWING) >= 17
    assert [looked.name for looked in found if looked.kind == Kind.PHOTO and looked.illustrated] == []
    assert {len(looked.seconds) for looked in found if looked.kind == Kind.ANIMATION} == {3}
