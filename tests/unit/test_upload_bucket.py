from collections.abc import Sequence

import pytest
from botocore.exceptions import ClientError

from lambdas.aws.upload_bucket import UploadBucket
from lambdas.moderation.confirmation import StoredObject, aliases_of
from lambdas.moderation.engine import Engine
from lambdas.moderation.upload import Upload
from lambdas.moderation.verdict import Status, Verdict
from tests.unit.builders import a_claim, a_verdict, an_upload
from tests.unit.conftest import UPLOADS, Storage


def current(storage: Storage, uploads: Sequence[Upload]) -> list[tuple[StoredObject | None, dict[str, bool]]]:
    """What S3 has for each upload and for the names its line in a manifest could be read as."""
    bucket = UploadBucket(storage.s3)
    return [bucket.current(upload, aliases_of(upload.key)) for upload in uploads]


def _put(storage: Storage, key: str, body: bytes = b"bytes") -> tuple[str | None, str]:
    answer = storage.s3.put_object(Bucket=UPLOADS, Key=key, Body=body)
    return answer.get("VersionId"), answer["ETag"].strip('"')


def test_an_unversioned_object_is_known_by_its_etag_and_age(storage: Storage) -> None:
    version_id, etag = _put(storage, "cat.jpg")

    ((stored, aliases),) = current(storage, [an_upload("cat.jpg")])

    assert stored is not None
    assert (stored.version_id, stored.etag, aliases) == (version_id, etag, {})
    assert stored.last_modified.endswith(".000Z")
    assert version_id is None


def test_of_a_versioned_object_the_current_version_counts(storage: Storage) -> None:
    storage.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": "Enabled"})
    first, _ = _put(storage, "cat.jpg", b"first")
    second, _ = _put(storage, "cat.jpg", b"second")

    ((stored, _),) = current(storage, [an_upload("cat.jpg")])

    assert stored is not None
    assert stored.version_id == second != first


def test_an_object_behind_a_delete_marker_is_gone(storage: Storage) -> None:
    storage.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": "Enabled"})
    _put(storage, "cat.jpg")
    storage.s3.delete_object(Bucket=UPLOADS, Key="cat.jpg")

    assert current(storage, [an_upload("cat.jpg")]) == [(None, {})]


def test_answers_come_in_the_order_of_the_uploads(storage: Storage) -> None:
    etags = [_put(storage, f"{n}.jpg", str(n).encode())[1] for n in range(50)]
    asked = [an_upload(f"{n}.jpg") for n in range(50)]

    answers = current(storage, [an_upload("gone.jpg"), *asked])

    assert answers[0] == (None, {})
    assert [stored.etag for stored, _ in answers[1:] if stored] == etags


def test_a_plain_key_costs_one_call(storage: Storage) -> None:
    current(storage, [an_upload("red flower.jpg"), an_upload("naïve.jpg")])

    assert storage.calls.made["HeadObject"] == 2


def test_nothing_to_ask_costs_nothing(storage: Storage) -> None:
    assert current(storage, []) == []
    assert storage.calls.made["HeadObject"] == 0


@pytest.mark.parametrize("exists", [True, False])
def test_an_alias_is_looked_up(storage: Storage, exists: bool) -> None:
    _, etag = _put(storage, "a+b.jpg")
    if exists:
        _put(storage, "a b.jpg")

    ((stored, aliases),) = current(storage, [an_upload("a+b.jpg")])

    assert stored is not None
    assert stored.etag == etag
    assert aliases == {"a b.jpg": exists}


def test_an_alias_that_is_forbidden_may_exist_and_holds_up_nobody(storage: Storage) -> None:
    storage.s3.put_object(Bucket=UPLOADS, Key="private%2Fcat.jpg", Body=b"x")
    storage.calls.answer_next("HeadObject", {}, 403)

    ((stored, aliases),) = current(storage, [an_upload("private%2Fcat.jpg")])

    assert stored is not None
    assert aliases == {"private/cat.jpg": True}


def test_an_alias_that_cannot_be_read_may_exist(storage: Storage) -> None:
    storage.calls.answer_next("HeadObject", {"Error": {"Code": "400", "Message": "Bad Request"}}, 400)

    ((_, aliases),) = current(storage, [an_upload("a+b.jpg")])

    assert aliases == {"a b.jpg": True}


def test_an_object_under_a_customers_own_key_cannot_be_compared(storage: Storage) -> None:
    _put(storage, "cat.jpg")
    storage.calls.answer_next("HeadObject", {"Error": {"Code": "400", "Message": "Bad Request"}}, 400)

    assert current(storage, [an_upload("cat.jpg")]) == [(None, {})]


def test_a_missing_permission_is_raised(storage: Storage) -> None:
    storage.calls.answer_next("HeadObject", {"Error": {"Code": "403", "Message": "Forbidden"}}, 403)

    with pytest.raises(ClientError):
        current(storage, [an_upload("cat.jpg")])


def _approval(upload: Upload, engine: Engine) -> Verdict:
    """An approval of an upload that was claimed long after it was stored, whatever the time is now."""
    return a_verdict(Status.APPROVED, a_claim(upload, claimed_at="2999-01-01T00:00:00.000Z"), engine=engine)


def test_approvals_on_pinned_analyses_are_beyond_doubt_and_cost_nothing(storage: Storage) -> None:
    gone = [_approval(an_upload(f"{n}.jpg", version_id="v1"), Engine.IMAGE) for n in range(3)]

    assert UploadBucket(storage.s3).doubts(gone) == [None] * 3
    assert storage.calls.made["HeadObject"] == 0


@pytest.mark.parametrize("version_id", [None, "null"])
def test_the_image_engine_cannot_pin_what_is_overwritten_in_place(storage: Storage, version_id: str | None) -> None:
    _, etag = _put(storage, "cat.jpg")
    approvals = [
        _approval(an_upload("cat.jpg", version_id=version_id, etag=found), Engine.IMAGE) for found in (etag, "other")
    ]

    doubts = UploadBucket(storage.s3).doubts(approvals)

    assert [failure and failure.code for failure in doubts] == [None, "Superseded"]
    assert storage.calls.made["HeadObject"] == 2


def test_doubts_come_in_the_order_of_the_approvals(storage: Storage) -> None:
    _, etag = _put(storage, "kept.jpg")
    approvals = [
        _approval(an_upload("gone.jpg"), Engine.BULK),
        _approval(an_upload("pinned.jpg", version_id="v1"), Engine.IMAGE),
        _approval(an_upload("kept.jpg", etag=etag), Engine.BULK),
        _approval(an_upload("unpinned by bulk.jpg", version_id="v1"), Engine.BULK),
        _approval(an_upload("kept.jpg", etag="other"), Engine.IMAGE),
    ]

    doubts = UploadBucket(storage.s3).doubts(approvals)

    assert [failure and failure.code for failure in doubts] == ["Superseded", None, None, "NotAnalyzed", "Superseded"]


def test_a_key_counts_as_it_is_for_the_image_engine_and_as_a_manifest_is_read_for_bulk(storage: Storage) -> None:
    _, etag = _put(storage, "a+b.jpg")
    _put(storage, "a b.jpg")
    upload = an_upload("a+b.jpg", etag=etag)

    doubts = UploadBucket(storage.s3).doubts([_approval(upload, engine) for engine in (Engine.IMAGE, Engine.BULK)])

    assert [failure and failure.code for failure in doubts] == [None, "NotAnalyzed"]


def test_the_image_engine_costs_no_look_at_a_keys_aliases(storage: Storage) -> None:
    _, etag = _put(storage, "a+b.jpg")

    UploadBucket(storage.s3).doubts([_approval(an_upload("a+b.jpg", etag=etag), Engine.IMAGE)])

    assert storage.calls.made["HeadObject"] == 1
