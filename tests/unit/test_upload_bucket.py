import pytest
from botocore.exceptions import ClientError

from lambdas.aws.upload_bucket import UploadBucket
from tests.unit.builders import an_upload
from tests.unit.conftest import UPLOADS, Storage


def _put(storage: Storage, key: str, body: bytes = b"bytes") -> tuple[str | None, str]:
    answer = storage.s3.put_object(Bucket=UPLOADS, Key=key, Body=body)
    return answer.get("VersionId"), answer["ETag"].strip('"')


def test_an_unversioned_object_is_known_by_its_etag_and_age(storage: Storage) -> None:
    version_id, etag = _put(storage, "cat.jpg")

    ((stored, aliases),) = UploadBucket(storage.s3).current([an_upload("cat.jpg")])

    assert stored is not None
    assert (stored.version_id, stored.etag, aliases) == (version_id, etag, {})
    assert stored.last_modified.endswith(".000Z")
    assert version_id is None


def test_of_a_versioned_object_the_current_version_counts(storage: Storage) -> None:
    storage.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": "Enabled"})
    first, _ = _put(storage, "cat.jpg", b"first")
    second, _ = _put(storage, "cat.jpg", b"second")

    ((stored, _),) = UploadBucket(storage.s3).current([an_upload("cat.jpg")])

    assert stored is not None
    assert stored.version_id == second != first


def test_an_object_behind_a_delete_marker_is_gone(storage: Storage) -> None:
    storage.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": "Enabled"})
    _put(storage, "cat.jpg")
    storage.s3.delete_object(Bucket=UPLOADS, Key="cat.jpg")

    assert UploadBucket(storage.s3).current([an_upload("cat.jpg")]) == [(None, {})]


def test_answers_come_in_the_order_of_the_uploads(storage: Storage) -> None:
    etags = [_put(storage, f"{n}.jpg", str(n).encode())[1] for n in range(50)]
    asked = [an_upload(f"{n}.jpg") for n in range(50)]

    answers = UploadBucket(storage.s3).current([an_upload("gone.jpg"), *asked])

    assert answers[0] == (None, {})
    assert [stored.etag for stored, _ in answers[1:] if stored] == etags


def test_a_plain_key_costs_one_call(storage: Storage) -> None:
    UploadBucket(storage.s3).current([an_upload("red flower.jpg"), an_upload("naïve.jpg")])

    assert storage.calls.made["HeadObject"] == 2


def test_nothing_to_ask_costs_nothing(storage: Storage) -> None:
    assert UploadBucket(storage.s3).current([]) == []
    assert storage.calls.made["HeadObject"] == 0


@pytest.mark.parametrize("exists", [True, False])
def test_an_alias_is_looked_up(storage: Storage, exists: bool) -> None:
    _, etag = _put(storage, "a+b.jpg")
    if exists:
        _put(storage, "a b.jpg")

    ((stored, aliases),) = UploadBucket(storage.s3).current([an_upload("a+b.jpg")])

    assert stored is not None
    assert stored.etag == etag
    assert aliases == {"a b.jpg": exists}


def test_an_alias_that_is_forbidden_may_exist_and_holds_up_nobody(storage: Storage) -> None:
    storage.s3.put_object(Bucket=UPLOADS, Key="private%2Fcat.jpg", Body=b"x")
    storage.calls.answer_next("HeadObject", {}, 403)

    ((stored, aliases),) = UploadBucket(storage.s3).current([an_upload("private%2Fcat.jpg")])

    assert stored is not None
    assert aliases == {"private/cat.jpg": True}


def test_an_alias_that_cannot_be_read_may_exist(storage: Storage) -> None:
    storage.calls.answer_next("HeadObject", {"Error": {"Code": "400", "Message": "Bad Request"}}, 400)

    ((_, aliases),) = UploadBucket(storage.s3).current([an_upload("a+b.jpg")])

    assert aliases == {"a b.jpg": True}


def test_an_object_under_a_customers_own_key_cannot_be_compared(storage: Storage) -> None:
    _put(storage, "cat.jpg")
    storage.calls.answer_next("HeadObject", {"Error": {"Code": "400", "Message": "Bad Request"}}, 400)

    assert UploadBucket(storage.s3).current([an_upload("cat.jpg")]) == [(None, {})]


def test_a_missing_permission_is_raised(storage: Storage) -> None:
    storage.calls.answer_next("HeadObject", {"Error": {"Code": "403", "Message": "Forbidden"}}, 403)

    with pytest.raises(ClientError):
        UploadBucket(storage.s3).current([an_upload("cat.jpg")])
