from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gatehouse.moderation.confirmation import StoredObject, aliases_of, doubt, speaks_of
from gatehouse.moderation.moment import iso, second
from gatehouse.moderation.upload import Upload
from tests.unit.builders import an_upload
from tests.unit.moderation.test_upload import KEYS

CLAIMED = "2026-11-22T12:00:00.500Z"
BEFORE, SAME_SECOND, AFTER = "2026-11-22T11:59:59.000Z", "2026-11-22T12:00:00.000Z", "2026-11-22T12:00:01.000Z"


def _code(upload: Upload, stored: StoredObject | None, aliases: dict[str, bool] | None = None) -> str | None:
    failure = doubt(upload, CLAIMED, stored, aliases)
    return failure.code if failure else None


def _stored(upload: Upload, last_modified: str = BEFORE, **fields: Any) -> StoredObject:
    return StoredObject(
        **{"version_id": upload.version_id, "etag": upload.etag, "last_modified": last_modified} | fields
    )


@pytest.mark.parametrize("version_id", [None, "v1"])
def test_the_uploads_own_bytes_leave_no_doubt(version_id: str | None) -> None:
    upload = an_upload(version_id=version_id)

    assert _code(upload, _stored(upload)) is None


@pytest.mark.parametrize("version_id", ["v2", None])
def test_another_current_version_is_a_doubt(version_id: str | None) -> None:
    upload = an_upload(version_id="v1")

    assert _code(upload, _stored(upload, version_id=version_id)) == "NotAnalyzed"


def test_a_versions_age_does_not_matter() -> None:
    upload = an_upload(version_id="v1")

    assert _code(upload, _stored(upload, AFTER)) is None


def test_a_version_behind_a_delete_marker_is_a_doubt() -> None:
    assert _code(an_upload(version_id="v1"), None) == "NotAnalyzed"


def test_an_unversioned_object_that_is_gone_is_superseded() -> None:
    assert _code(an_upload(), None) == "Superseded"


def test_other_bytes_under_an_unversioned_key_supersede() -> None:
    upload = an_upload()

    assert _code(upload, _stored(upload, etag="other")) == "Superseded"


@pytest.mark.parametrize(
    ("uploaded_at", "last_modified", "code"),
    [
        ("2026-11-22T11:59:58.000Z", BEFORE, None),  # stored again, but before anything was analyzed
        ("2026-11-22T11:59:59.999Z", SAME_SECOND, "Superseded"),
        ("2026-11-22T12:00:00.000Z", SAME_SECOND, None),  # the upload itself was that quick
        ("2026-11-22T12:00:00.000Z", AFTER, "Superseded"),
        ("2026-11-22T12:00:01.000Z", AFTER, None),  # the batcher's clock is behind S3's
    ],
)
def test_equal_bytes_stored_after_the_claim_may_hide_others_that_were_analyzed(
    uploaded_at: str, last_modified: str, code: str | None
) -> None:
    upload = an_upload(uploaded_at=uploaded_at)

    assert _code(upload, _stored(upload, last_modified)) == code


#: Milliseconds of a few seconds, so that seconds are often equal.
MOMENTS = st.integers(0, 4_000)


def _at(milliseconds: int) -> str:
    return iso(datetime(2026, 11, 22, 12, tzinfo=UTC) + timedelta(milliseconds=milliseconds))


def _last_modified(milliseconds: int) -> str:
    """As S3 says it."""
    return f"{second(_at(milliseconds))}.000Z"


@given(stored=MOMENTS, uploaded=MOMENTS, claimed=MOMENTS, put_back=MOMENTS)
@example(stored=0, uploaded=0, claimed=1_050, put_back=1_800)
def test_what_is_put_back_after_an_analysis_approves_only_within_a_second(
    stored: int, uploaded: int, claimed: int, put_back: int
) -> None:
    """An upload is stored, told of, claimed; another one's bytes are analyzed; then the first one's come back."""
    stored, uploaded, claimed, put_back = sorted((stored, uploaded, claimed, put_back))
    upload = an_upload(uploaded_at=_at(uploaded))

    own = doubt(upload, _at(claimed), _stored(upload, _last_modified(stored)))
    other = doubt(upload, _at(claimed), _stored(upload, _last_modified(put_back)))

    assert own is None
    assert (other is None) is (put_back // 1000 == uploaded // 1000)


@given(uploaded=MOMENTS, claimed=MOMENTS, modified=MOMENTS)
def test_within_the_second_of_the_claim_only_an_earlier_event_is_a_doubt(
    uploaded: int, claimed: int, modified: int
) -> None:
    upload = an_upload(uploaded_at=_at(uploaded))
    found = doubt(upload, _at(claimed), _stored(upload, _last_modified(modified)))

    if modified // 1000 == claimed // 1000:
        assert (found is not None) is (uploaded // 1000 < claimed // 1000)
    if modified // 1000 < claimed // 1000:
        assert found is None


def test_a_bucket_that_became_versioned_is_compared_by_bytes() -> None:
    upload = an_upload(version_id=None)

    assert _code(upload, _stored(upload, version_id="v1", etag="other")) == "Superseded"


@pytest.mark.parametrize(
    ("version_id", "exists", "code"),
    [
        ("v1", True, "NotAnalyzed"),
        ("v1", False, None),
        (None, True, "NotAnalyzed"),
        (None, False, "NotAnalyzed"),  # it may have existed: without versioning nothing remembers
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


def test_a_multipart_upload_in_an_unversioned_bucket_is_never_confirmed() -> None:
    """Its time of change is when it was begun: the same bytes may have been put back after others were analyzed."""
    upload = an_upload("large.jpg", etag="9b2cf535f27731c974343645a3985328-2")
    assert _code(upload, _stored(upload)) == "Unconfirmable"


def test_a_key_that_no_manifest_named_can_be_taken_for_no_other() -> None:
    upload = an_upload("a+b%20c.jpg")

    assert _code(upload, _stored(upload), {}) is None
    assert _code(upload, _stored(upload, AFTER), {}) == "Superseded"


def test_a_multipart_upload_in_a_versioned_bucket_is_confirmed_by_its_version() -> None:
    upload = an_upload("large.jpg", version_id="v1", etag="9b2cf535f27731c974343645a3985328-2")
    assert _code(upload, _stored(upload)) is None


@pytest.mark.parametrize(
    ("version_id", "stored", "is_about_it"),
    [
        ("v1", {"last_modified": AFTER}, True),
        ("v1", {"version_id": "v2"}, False),
        ("v1", {"version_id": None}, False),
        ("v1", {"etag": "other"}, False),
        (None, {}, True),
        (None, {"last_modified": SAME_SECOND}, True),
        (None, {"last_modified": AFTER}, False),
        (None, {"etag": "other"}, False),
        (None, {"version_id": "v1"}, False),
    ],
)
def test_a_verdict_is_about_its_version_or_about_what_was_not_modified_since(
    version_id: str | None, stored: dict[str, Any], is_about_it: bool
) -> None:
    upload = an_upload(version_id=version_id, uploaded_at="2026-11-22T12:00:00.000Z")

    assert speaks_of(upload, _stored(upload, **stored)) is is_about_it


@given(uploaded=MOMENTS, overwritten=MOMENTS)
def test_other_bytes_of_the_same_etag_are_not_what_a_verdict_is_about_unless_they_came_in_the_same_second(
    uploaded: int, overwritten: int
) -> None:
    uploaded, overwritten = sorted((uploaded, overwritten))
    upload = an_upload(uploaded_at=_at(uploaded))

    seen = speaks_of(upload, _stored(upload, _last_modified(overwritten)))

    assert seen is (uploaded // 1000 == overwritten // 1000)
