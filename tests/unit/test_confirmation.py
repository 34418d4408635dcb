from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.moderation.confirmation import StoredObject, aliases_of, doubt
from lambdas.moderation.upload import Upload
from tests.unit.builders import an_upload
from tests.unit.test_upload import KEYS

CLAIMED = "2026-11-22T12:00:00.500Z"
BEFORE, SAME_SECOND, AFTER = "2026-11-22T11:59:59.000Z", "2026-11-22T12:00:00.000Z", "2026-11-22T12:00:01.000Z"


def _code(upload: Upload, stored: StoredObject | None, aliases: dict[str, bool] | None = None) -> str | None:
    failure = doubt(upload, CLAIMED, stored, aliases)
    return failure.code if failure else None


def _stored(upload: Upload, last_modified: str = BEFORE, **fields: Any) -> StoredObject:
    return StoredObject(
        **{"version_id": upload.version_id, "etag": upload.etag, "last_modified": last_modified} | fields
    )


@pytest.mark.parametrize("version_id", [None, "null", "v1"])
def test_the_uploads_own_bytes_leave_no_doubt(version_id: str | None) -> None:
    upload = an_upload(version_id=version_id)

    assert _code(upload, _stored(upload)) is None


@pytest.mark.parametrize("version_id", ["v2", "null", None])
def test_another_current_version_is_a_doubt(version_id: str | None) -> None:
    upload = an_upload(version_id="v1")

    assert _code(upload, _stored(upload, version_id=version_id)) == "NotAnalyzed"


def test_a_versions_age_does_not_matter() -> None:
    upload = an_upload(version_id="v1")

    assert _code(upload, _stored(upload, AFTER)) is None


def test_a_version_behind_a_delete_marker_is_a_doubt() -> None:
    assert _code(an_upload(version_id="v1"), None) == "NotAnalyzed"


@pytest.mark.parametrize("version_id", [None, "null"])
def test_an_unversioned_object_that_is_gone_is_superseded(version_id: str | None) -> None:
    assert _code(an_upload(version_id=version_id), None) == "Superseded"


@pytest.mark.parametrize("version_id", [None, "null"])
def test_other_bytes_under_an_unversioned_key_supersede(version_id: str | None) -> None:
    upload = an_upload(version_id=version_id)

    assert _code(upload, _stored(upload, etag="other")) == "Superseded"


@pytest.mark.parametrize("version_id", [None, "null"])
@pytest.mark.parametrize(("last_modified", "code"), [(SAME_SECOND, None), (AFTER, "Superseded")])
def test_equal_bytes_stored_after_the_claim_may_hide_others_that_were_analysed(
    version_id: str | None, last_modified: str, code: str | None
) -> None:
    upload = an_upload(version_id=version_id)

    assert _code(upload, _stored(upload, last_modified)) == code


def test_a_bucket_that_became_versioned_is_compared_by_bytes() -> None:
    upload = an_upload(version_id=None)

    assert _code(upload, _stored(upload, version_id="null")) is None
    assert _code(upload, _stored(upload, version_id="v1", etag="other")) == "Superseded"


@pytest.mark.parametrize(
    ("version_id", "exists", "code"),
    [
        ("v1", True, "NotAnalyzed"),
        ("v1", False, None),
        (None, True, "NotAnalyzed"),
        (None, False, "NotAnalyzed"),  # it may have existed: without versioning nothing remembers
        ("null", False, "NotAnalyzed"),
    ],
)
def test_an_object_the_manifest_could_also_mean_is_a_doubt(
    version_id: str | None, exists: bool, code: str | None
) -> None:
    upload = an_upload("a+b.jpg", version_id=version_id)

    assert _code(upload, _stored(upload), {"a b.jpg": exists, "other": False}) == code


@pytest.mark.parametrize(
    ("key", "aliases"),
    [
        ("plain/key-1_(2).jpg", ()),
        ("red flower.jpg", ()),
        ("naïve 😀.jpg", ()),
        ("a+b.jpg", ("a b.jpg",)),
        ("%41.jpg", ("A.jpg",)),
        ("a%2Bb+c", ("a+b c", "a+b+c")),
        ("100%.jpg", ()),
        ("a.jpg?versionId=1", ("a.jpg",)),
        ("a.jpg#part", ("a.jpg",)),
        ("a?b#c", ("a", "a?b")),
        ("?", ()),
        ("%3F", ("?",)),
        ("x/../clean.jpg", ("clean.jpg",)),
        ("x//y.jpg", ("x/y.jpg",)),
        ("/clean.jpg", ("clean.jpg",)),
        ("clean.jpg ", ("clean.jpg",)),
    ],
)
def test_aliases_are_the_other_readings_of_a_key(key: str, aliases: tuple[str, ...]) -> None:
    assert aliases_of(key) == aliases


@given(key=KEYS)
def test_a_key_is_never_its_own_alias_and_an_alias_is_never_empty(key: str) -> None:
    assert not {key, ""} & set(aliases_of(key))


@given(key=st.text(st.characters(categories=["L", "N", "S", "P"], exclude_characters="%+?#./"), min_size=1))
def test_a_key_without_special_characters_has_no_alias(key: str) -> None:
    assert aliases_of(key) == ()


@pytest.mark.parametrize("version_id", [None, "null"])
def test_a_multipart_upload_in_an_unversioned_bucket_is_never_confirmed(version_id: str | None) -> None:
    """Its time of change is when it was begun: the same bytes may have been put back after others were analysed."""
    upload = an_upload("large.jpg", version_id=version_id, etag="9b2cf535f27731c974343645a3985328-2")
    assert _code(upload, _stored(upload)) == "Unconfirmable"


@pytest.mark.parametrize("version_id", [None, "null"])
def test_a_key_that_no_manifest_named_can_be_taken_for_no_other(version_id: str | None) -> None:
    upload = an_upload("a+b%20c.jpg", version_id=version_id)

    assert _code(upload, _stored(upload), {}) is None
    assert _code(upload, _stored(upload, AFTER), {}) == "Superseded"


def test_a_multipart_upload_in_a_versioned_bucket_is_confirmed_by_its_version() -> None:
    upload = an_upload("large.jpg", version_id="v1", etag="9b2cf535f27731c974343645a3985328-2")
    assert _code(upload, _stored(upload)) is None
