"""What is current, told by a listing where that is cheaper: the same as HeadObject tells, whatever is in the bucket."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st
from moto import mock_aws

from gatehouse.aws.upload_bucket import UploadBucket
from gatehouse.aws.version_listing import HEADS_A_PAGE, VersionListing
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import Upload, version_named
from gatehouse.moderation.verdict import Verdict
from tests.unit.aws_calls import AwsCalls, an_error
from tests.unit.builders import a_claim, a_verdict, an_upload
from tests.unit.conftest import UPLOADS, no_pause
from tests.unit.stored_versions import StoredVersions, Versioning

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

#: The smallest number of keys that are worth a page.
FEW = int(HEADS_A_PAGE) + 1

#: In the order of their UTF-8, which is not that of UTF-16. Keys are built from them, so that many begin alike.
CHARACTERS = ["\x01", " ", "%", "+", "/", "0", "a", "é", "\ue000", "\U0001f600"]

Action = tuple[str, str, bytes]


def _actions(characters: Sequence[str], most: int) -> st.SearchStrategy[list[Action]]:
    keys = st.text(st.sampled_from(characters), min_size=1, max_size=3)
    action = st.tuples(st.sampled_from(["put", "put", "put", "delete"]), keys, st.sampled_from([b"one", b"two"]))
    return st.lists(action, min_size=most // 6, max_size=most)


def _do(bucket: StoredVersions, actions: Sequence[Action]) -> list[Upload]:
    """The uploads among the actions."""
    done = []
    for action, key, body in actions:
        if action == "put":
            done.append(bucket.put(key, body))
        else:
            bucket.delete(key)
    return done


class Looks:
    """Results' looks at a bucket in memory."""

    def __init__(self, bucket: StoredVersions) -> None:
        self.calls = AwsCalls()
        self.s3 = _client(self.calls)
        bucket.answer(self.calls)

    def reasons(self, uploads: Sequence[Upload], *, listed: bool = True) -> list[str | None]:
        """Why each upload can't be approved on what bulk said of it. What was called before is forgotten."""
        self.calls.made.clear()
        current = VersionListing(self.s3).current_of(uploads) if listed else {}
        bucket = UploadBucket(self.s3, finds_animations=False, pause=no_pause)
        doubts = bucket.doubts([_approval(upload) for upload in uploads], current)
        return [failure.message if failure else None for failure in doubts]

    @property
    def cost(self) -> tuple[int, int]:
        """Pages and HEADs since then."""
        return self.calls.made["ListObjectVersions"], self.calls.made["HeadObject"]


def _client(calls: AwsCalls) -> "S3Client":
    session: Any = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing", "region_name": "us-east-1"}
    client = boto3.client("s3", **session)
    calls.watch(client)
    return client


def _approval(upload: Upload) -> Verdict:
    return a_verdict(Status.APPROVED, a_claim(upload, claimed_at="2026-11-22T08:00:30.000Z"), engine=Engine.BULK)


@given(
    parts=st.tuples(_actions(CHARACTERS, 80), _actions(CHARACTERS, 40)),
    versionings=st.tuples(*[st.sampled_from([None, "Enabled", "Suspended"])] * 2),
    page=st.integers(1, 50),
    absent=st.sets(st.text(st.sampled_from(CHARACTERS), min_size=1, max_size=3)),
)
def test_a_listing_tells_what_heads_tell(
    parts: Sequence[Sequence[Action]],
    versionings: Sequence[Versioning | None],
    page: int,
    absent: set[str],
) -> None:
    bucket = StoredVersions(page=page)
    uploads = [an_upload(key) for key in sorted(absent)]
    for part, versioning in zip(parts, versionings, strict=True):
        bucket.versioning = versioning or bucket.versioning  # once it is on, it can only be suspended
        uploads += _do(bucket, part)
    looks = Looks(bucket)

    by_heads = looks.reasons(uploads, listed=False)
    _, heads = looks.cost

    assert looks.reasons(uploads) == by_heads
    pages, rest = looks.cost
    assert HEADS_A_PAGE * pages + rest <= HEADS_A_PAGE + heads  # one page may be in vain


@settings(max_examples=20)
@given(actions=_actions(CHARACTERS[1:], 30), versioning=st.sampled_from([None, "Enabled"]))
def test_the_bucket_in_memory_tells_what_motos_does(actions: list[Action], versioning: Versioning | None) -> None:
    """But for control characters, of which moto makes no XML, and for markers that moto does not make."""
    stored = {key for action, key, _ in actions if action == "put"}
    actions = [("put", key, b"one") for key in sorted(stored)] + actions
    actions = [(action, key, body) for action, key, body in actions if key in stored]
    bucket = StoredVersions(versioning)
    _do(bucket, actions)
    with mock_aws(config={"core": {"reset_boto3_session": False}}):
        moto = _client(AwsCalls())
        moto.create_bucket(Bucket=UPLOADS)
        if versioning:
            moto.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": versioning})
        for action, key, body in actions:
            if action == "put":
                moto.put_object(Bucket=UPLOADS, Key=key, Body=body)
            else:
                moto.delete_object(Bucket=UPLOADS, Key=key)

        assert _told(Looks(bucket).s3) == _told(moto)


def _told(s3: "S3Client") -> tuple[list[Any], list[Any]]:
    """What the listing says of each version, and HeadObject of each key; ids and times are anybody's."""
    page = s3.list_object_versions(Bucket=UPLOADS)
    listed: list[Any] = [
        (each["Key"], each["IsLatest"], each["ETag"], version_named(each["VersionId"]) is None)
        for each in page.get("Versions", [])
    ]
    listed += [(each["Key"], each["IsLatest"]) for each in page.get("DeleteMarkers", [])]
    return listed, [_head(s3, key) for key in sorted({each[0] for each in listed})]


def _head(s3: "S3Client", key: str) -> Any:
    try:
        answer = s3.head_object(Bucket=UPLOADS, Key=key)
    except ClientError as error:
        answered = error.response["ResponseMetadata"]
        return answered["HTTPStatusCode"], answered["HTTPHeaders"].get("x-amz-delete-marker")
    return answer["ETag"], version_named(answer.get("VersionId")) is None


def test_ten_thousand_uploads_among_few_others_cost_a_page_a_thousand() -> None:
    bucket = StoredVersions("Enabled")
    uploads = [bucket.put(f"photos/{n:05}.jpg", b"bytes") for n in range(10_000)]
    for n in range(500):
        bucket.put(f"other/{n}.jpg", b"bytes")
    looks = Looks(bucket)

    assert set(looks.reasons(uploads)) == {None}
    assert looks.cost == (10, 0)


def test_uploads_among_many_others_cost_a_page_in_a_thousand_heads() -> None:
    bucket = StoredVersions(page=100)
    uploads = []
    for n in range(1_500):
        uploads.append(bucket.put(f"{n:04}/a.jpg", b"bytes"))
        for other in range(20):
            bucket.put(f"{n:04}/b-{other}.jpg", b"bytes")
    looks = Looks(bucket)

    assert set(looks.reasons(uploads)) == {None}
    pages, heads = looks.cost
    assert pages == 2
    assert heads == 1_500 - 2 * 5  # each page told of a few


def test_a_stretch_without_others_behind_one_with_many_is_listed() -> None:
    bucket = StoredVersions(page=1000)
    sparse = []
    for n in range(100):
        sparse.append(bucket.put(f"a/{n:03}/a.jpg", b"bytes"))
        for other in range(200):
            bucket.put(f"a/{n:03}/b-{other}.jpg", b"bytes")
    dense = [bucket.put(f"b/{n:05}.jpg", b"bytes") for n in range(4_000)]
    looks = Looks(bucket)

    assert set(looks.reasons([*sparse, *dense])) == {None}
    assert looks.cost == (1 + 4, 95 + 900)


def test_an_object_with_more_versions_than_a_page_is_asked_about_like_one_among_many_others() -> None:
    bucket = StoredVersions("Enabled", page=100)
    uploads = [bucket.put(f"{n:03}.jpg", b"bytes") for n in range(200)]
    for _ in range(500):
        uploads[100] = bucket.put("100.jpg", b"bytes")
    looks = Looks(bucket)

    assert set(looks.reasons(uploads)) == {None}
    assert looks.cost == (2, 99)


@pytest.mark.parametrize(("count", "cost"), [(FEW - 1, (0, FEW - 1)), (FEW, (1, 0))])
def test_a_few_uploads_are_not_worth_a_page(count: int, cost: tuple[int, int]) -> None:
    bucket = StoredVersions()
    looks = Looks(bucket)

    assert set(looks.reasons([bucket.put(f"{n}.jpg", b"bytes") for n in range(count)])) == {None}
    assert looks.cost == cost


def test_a_key_with_another_reading_costs_a_head_for_that_one() -> None:
    bucket = StoredVersions("Enabled")
    uploads = [bucket.put(f"{n}.jpg", b"bytes") for n in range(FEW)]
    hidden, free = bucket.put("a+b.jpg", b"bytes"), bucket.put("c+d.jpg", b"bytes")
    bucket.put("a b.jpg", b"bytes")
    bucket.delete("a b.jpg")
    looks = Looks(bucket)

    *others, of_hidden, of_free = looks.reasons([*uploads, hidden, free])

    assert {*others, of_free} == {None}
    assert of_hidden is not None
    assert "can also be read as the object 'a b.jpg'" in of_hidden
    assert looks.cost == (1, 2)


def test_a_name_that_a_page_does_not_show_is_asked_about() -> None:
    """A listing that lacks an object, for whatever reason, makes nobody's upload fail."""
    bucket = StoredVersions()
    uploads = [bucket.put(f"{n:02}.jpg", b"bytes") for n in range(2 * FEW)]
    looks = Looks(bucket)
    looks.calls.answer_always(
        "ListObjectVersions", lambda request: bucket.list(request) | {"Versions": bucket.list(request)["Versions"][1:]}
    )

    assert set(looks.reasons(uploads)) == {None}
    assert looks.cost == (1, 1)


def test_a_listing_that_is_refused_is_our_fault_and_raised() -> None:
    bucket = StoredVersions()
    uploads = [bucket.put(f"{n:02}.jpg", b"bytes") for n in range(FEW)]
    looks = Looks(bucket)
    looks.calls.answer_always("ListObjectVersions", lambda _: an_error("AccessDenied", status=403))

    with pytest.raises(ClientError, match="AccessDenied"):
        looks.reasons(uploads)
