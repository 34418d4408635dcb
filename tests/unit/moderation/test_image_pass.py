import pytest

from gatehouse.moderation.image_pass import ImagePass
from gatehouse.moderation.lane import Priority


def test_each_pass_has_an_index_of_its_own() -> None:
    keys = {image_pass.index_key("b") for image_pass in ImagePass}

    assert len(keys) == len(ImagePass)
    assert ImagePass.FIRST.index_key("b") == "batches/b/uploads.jsonl"
    assert ImagePass.LEFTOVERS.index_key("b") == "batches/b/leftovers.jsonl"
    assert ImagePass.STRAGGLERS_2.index_key("b") == "batches/b/stragglers-2.jsonl"


@pytest.mark.parametrize("begin", [ImagePass.FIRST, ImagePass.LEFTOVERS])
@pytest.mark.parametrize(("priority", "minutes"), [(Priority.FAST, 63), (Priority.LIVE, 63), (Priority.BACKFILL, 7)])
def test_what_fails_is_asked_about_with_growing_pauses_and_not_for_ever(
    begin: ImagePass, priority: Priority, minutes: int
) -> None:
    passes, image_pass = [], begin
    while following := image_pass.next_for_stragglers(priority):
        passes.append(following)
        image_pass = following

    pauses = [image_pass.pause_seconds for image_pass in passes]
    assert pauses == sorted(set(pauses))
    assert sum(pauses) == 60 * minutes
    assert all(image_pass.is_of_stragglers for image_pass in passes)


def test_an_image_that_always_fails_costs_nine_calls() -> None:
    tries, image_pass = 0, ImagePass.FIRST
    while image_pass:
        tries += image_pass.tries
        following = image_pass.next_for_stragglers(Priority.LIVE)
        if following is None:
            break
        image_pass = following

    assert tries == 9


def test_what_is_new_is_not_waited_for() -> None:
    assert {ImagePass.FIRST.pause_seconds, ImagePass.LEFTOVERS.pause_seconds} == {0}
