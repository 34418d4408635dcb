from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatehouse.moderation.flood import LEAST, apart_from_flood
from gatehouse.moderation.upload import Upload
from tests.unit.builders import an_upload


def uploads_of(*keys: str) -> list[Upload]:
    return [an_upload(key, sequencer=f"{n:x}") for n, key in enumerate(keys)]


def keys_of(parts: tuple[object, ...]) -> list[list[str]]:
    return [[upload.key for upload in part] for part in parts]  # type: ignore[attr-defined]


def flood(folder: str, count: int = LEAST) -> list[str]:
    return [f"{folder}{n:04}.jpg" for n in range(count)]


def test_few_uploads_stay_together() -> None:
    found = uploads_of(*flood("flood/", LEAST - 2), "users/1/a.jpg")

    assert apart_from_flood(found) == (found,)
    assert apart_from_flood([]) == ([],)


@pytest.mark.parametrize("folder", ["flood/", "", "users/", "users/9/", "a/b/c/d/e/f/g/"])
@pytest.mark.parametrize("quiet", [["users/1/a.jpg"], ["users/1/a.jpg", "users/2/b.jpg", "pictures/x/y/z.jpg"]])
def test_quiet_uploads_get_a_batch_of_their_own_and_come_first(folder: str, quiet: list[str]) -> None:
    first, rest = keys_of(apart_from_flood(uploads_of(*flood(folder), *quiet)))

    assert sorted(first) == sorted(quiet)
    assert rest == flood(folder)


def test_a_flood_into_many_folders_under_one_is_a_flood() -> None:
    spread = [f"import/{n}/picture.jpg" for n in range(LEAST)]

    first, rest = keys_of(apart_from_flood(uploads_of("users/1/a.jpg", *spread, "users/2/a.jpg")))

    assert sorted(first) == ["users/1/a.jpg", "users/2/a.jpg"]
    assert rest == spread


@pytest.mark.parametrize(
    "keys",
    [flood("pictures/"), flood(""), [f"users/{n}/picture.jpg" for n in range(LEAST)]],
    ids=["one", "root", "each"],
)
def test_uploads_whose_places_are_equally_crowded_stay_together(keys: list[str]) -> None:
    found = uploads_of(*keys)

    assert apart_from_flood(found) == (found,)


def test_the_flood_is_at_least_half_of_all() -> None:
    crowds = [*flood("a/", 90), *flood("b/", 91), *flood("c/", 92)]

    first, rest = keys_of(apart_from_flood(uploads_of(*crowds)))

    assert len(first) <= len(rest)
    assert set(flood("c/", 92)) <= set(rest)


def test_a_key_of_hundreds_of_folders_costs_no_more_than_another() -> None:
    deep = "x/" * 500
    found = uploads_of(*(f"{deep}{n}" for n in range(LEAST)), "users/1/a.jpg")

    assert keys_of(apart_from_flood(found))[0] == ["users/1/a.jpg"]


@given(keys=st.lists(st.text("ab/", max_size=8), max_size=40))
def test_every_upload_is_in_one_part_whatever_its_key_is(keys: list[str]) -> None:
    found = uploads_of(*flood("flood/", LEAST - 20), *keys)

    parts = apart_from_flood(found)

    assert Counter(upload.identity for part in parts for upload in part) == Counter(upload.identity for upload in found)
    assert len(parts) <= 2
