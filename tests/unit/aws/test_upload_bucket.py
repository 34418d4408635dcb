from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gatehouse.aws.upload_bucket import UploadBucket
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.png_animation import MOST_PIECES, PIECE_BYTES
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import Upload
from gatehouse.moderation.verdict import Verdict
from tests.unit.aws_calls import an_error
from tests.unit.builders import a_claim, a_verdict, an_upload
from tests.unit.conftest import UPLOADS, Storage, no_pause
from tests.unit.pngs import animated, chunk, png

BULK, IMAGE = Engine.BULK, Engine.IMAGE
LONG = chunk(b"iTXt", bytes(PIECE_BYTES))


@pytest.fixture(params=[True, False], ids=["with animations", "without"])
def finds_animations(request: pytest.FixtureRequest) -> bool:
    """Whether an approval also needs a look at the image."""
    return bool(request.param)


@pytest.fixture
def versioned(storage: Storage) -> Storage:
    storage.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": "Enabled"})
    return storage


def _put(storage: Storage, key: str = "cat.jpg", body: bytes = b"bytes") -> Upload:
    answer = storage.s3.put_object(Bucket=UPLOADS, Key=key, Body=body)
    return an_upload(key, etag=answer["ETag"].strip('"'), version_id=answer.get("VersionId"), size=len(body))


def _approval(upload: Upload, engine: Engine = BULK) -> Verdict:
    """An approval of an upload that was claimed long after it was stored, whatever the time is now."""
    return a_verdict(Status.APPROVED, a_claim(upload, claimed_at="2999-01-01T00:00:00.000Z"), engine=engine)


def _codes(storage: Storage, *approvals: Verdict, finds_animations: bool = True) -> list[str | None]:
    """Why each can't be given. What was called before is forgotten."""
    storage.calls.made.clear()
    doubts = UploadBucket(storage.s3, finds_animations=finds_animations, pause=no_pause).doubts(approvals)
    return [failure.code if failure else None for failure in doubts]


def _cost(storage: Storage) -> tuple[int, int]:
    """GETs and HEADs since then."""
    return storage.calls.made["GetObject"], storage.calls.made["HeadObject"]


def test_a_look_is_a_get_or_where_animations_do_not_matter_a_head(storage: Storage, finds_animations: bool) -> None:
    approvals = [_approval(_put(storage, key)) for key in ("red flower.jpg", "naïve.jpg")]

    assert _codes(storage, *approvals, finds_animations=finds_animations) == [None, None]
    assert _cost(storage) == ((2, 0) if finds_animations else (0, 2))


def test_a_get_reads_no_more_than_it_needs(storage: Storage) -> None:
    upload = _put(storage, body=b"\xff\xd8" + bytes(3 * PIECE_BYTES))
    asked: list[Mapping[str, Any]] = []
    storage.calls.answer_always("GetObject", asked.append)

    assert _codes(storage, _approval(upload)) == [None]
    assert [request["headers"]["Range"] for request in asked] == [f"bytes=0-{PIECE_BYTES - 1}"]


def test_nothing_to_ask_costs_nothing(storage: Storage, finds_animations: bool) -> None:
    assert _codes(storage, finds_animations=finds_animations) == []
    assert _cost(storage) == (0, 0)


def test_an_unversioned_object_is_known_by_its_etag(storage: Storage, finds_animations: bool) -> None:
    upload = _put(storage)
    other = an_upload(upload.key, etag="other")

    approvals = [_approval(each, engine) for each in (upload, other) for engine in (BULK, IMAGE)]

    assert _codes(storage, *approvals, finds_animations=finds_animations) == [None, None, "Superseded", "Superseded"]


def test_an_unversioned_object_that_was_modified_after_the_claim_is_another_one(
    storage: Storage, finds_animations: bool
) -> None:
    claim = a_claim(_put(storage), claimed_at="2001-01-01T00:00:00.000Z")

    approval = a_verdict(Status.APPROVED, claim)

    assert _codes(storage, approval, finds_animations=finds_animations) == ["Superseded"]


def test_of_a_versioned_object_the_current_version_counts(versioned: Storage, finds_animations: bool) -> None:
    first, second = (_put(versioned, body=body) for body in (b"first", b"second"))

    codes = _codes(versioned, _approval(first), _approval(second), finds_animations=finds_animations)

    assert codes == ["NotAnalyzed", None]


@pytest.mark.parametrize("status", ["Enabled", "Suspended"])
def test_an_object_without_a_version_of_its_own_is_confirmed_however_s3_says_so(
    storage: Storage, finds_animations: bool, status: Any
) -> None:
    upload = _put(storage)
    storage.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": status})
    assert storage.s3.head_object(Bucket=UPLOADS, Key=upload.key).get("VersionId") in (None, "null")

    assert _codes(storage, _approval(upload), finds_animations=finds_animations) == [None]


def test_an_object_behind_a_delete_marker_is_gone(versioned: Storage, finds_animations: bool) -> None:
    upload = _put(versioned)
    versioned.s3.delete_object(Bucket=UPLOADS, Key=upload.key)

    assert _codes(versioned, _approval(upload), finds_animations=finds_animations) == ["NotAnalyzed"]


def test_doubts_come_in_the_order_of_the_approvals(storage: Storage, finds_animations: bool) -> None:
    kept = [_put(storage, f"{n}.jpg", str(n).encode()) for n in range(50)]
    approvals = [
        _approval(an_upload("gone.jpg")),
        *map(_approval, kept),
        _approval(an_upload("unpinned by bulk.jpg", version_id="v1")),
        _approval(an_upload("0.jpg", etag="other"), IMAGE),
    ]

    codes = _codes(storage, *approvals, finds_animations=finds_animations)

    assert codes == ["Superseded", *[None] * 50, "NotAnalyzed", "Superseded"]


@pytest.mark.parametrize("exists", [True, False])
def test_a_key_counts_as_it_is_for_the_image_engine_and_as_a_manifest_is_read_for_bulk(
    versioned: Storage, finds_animations: bool, exists: bool
) -> None:
    upload = _put(versioned, "a+b.jpg")
    if exists:
        _put(versioned, "a b.jpg")

    codes = _codes(versioned, _approval(upload, IMAGE), _approval(upload, BULK), finds_animations=finds_animations)

    assert codes == [None, "NotAnalyzed" if exists else None]


def test_an_alias_costs_a_head_and_the_image_engine_asks_for_none(versioned: Storage) -> None:
    upload = _put(versioned, "a+b.jpg")

    _codes(versioned, _approval(upload, BULK))
    assert _cost(versioned) == (1, 1)

    _codes(versioned, _approval(upload, IMAGE))
    assert _cost(versioned) == (1, 0)


@pytest.mark.parametrize("status", [400, 403])
def test_an_alias_that_cannot_be_read_may_exist_and_holds_up_nobody(versioned: Storage, status: int) -> None:
    upload = _put(versioned, "private%2Fcat.jpg")
    versioned.calls.answer_next("HeadObject", an_error(str(status), status=status))

    assert _codes(versioned, _approval(upload)) == ["NotAnalyzed"]


def test_approvals_on_pinned_analyses_are_beyond_doubt_where_animations_do_not_matter(storage: Storage) -> None:
    gone = [_approval(an_upload(f"{n}.jpg", version_id="v1"), IMAGE) for n in range(3)]

    assert _codes(storage, *gone, finds_animations=False) == [None] * 3
    assert _cost(storage) == (0, 0)


def test_a_pinned_analysis_is_of_its_version_whatever_is_current(versioned: Storage) -> None:
    upload = _put(versioned)
    _put(versioned, body=animated())

    assert _codes(versioned, _approval(upload, IMAGE)) == [None]
    assert _cost(versioned) == (1, 0)


def test_a_version_that_is_gone_can_be_approved_no_more(versioned: Storage) -> None:
    upload = _put(versioned)
    versioned.s3.delete_object(Bucket=UPLOADS, Key=upload.key, VersionId=upload.version_id or "")

    assert _codes(versioned, _approval(upload, IMAGE)) == ["Superseded"]


@pytest.mark.parametrize("engine", [BULK, IMAGE])
@pytest.mark.parametrize("is_versioned", [True, False])
def test_an_animation_is_not_approved(storage: Storage, engine: Engine, is_versioned: bool) -> None:
    if is_versioned:
        storage.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": "Enabled"})
    moving, still = _put(storage, "moving.png", animated()), _put(storage, "still.png", png())

    assert _codes(storage, _approval(moving, engine), _approval(still, engine)) == ["Animated", None]
    assert _cost(storage) == (2, 0)
    assert _codes(storage, _approval(moving, engine), finds_animations=False) == [None]


@pytest.mark.parametrize("engine", [BULK, IMAGE])
def test_long_chunks_are_passed_by_further_gets_of_the_same_version(versioned: Storage, engine: Engine) -> None:
    moving = _put(versioned, "moving.png", animated(LONG, LONG))
    still = _put(versioned, "still.png", png(LONG, LONG))
    endless = _put(versioned, "endless.png", png(*[LONG] * MOST_PIECES))

    approvals = [_approval(upload, engine) for upload in (moving, still, endless)]

    assert _codes(versioned, *approvals) == ["Animated", None, "UnreadablePng"]
    assert _cost(versioned) == (3 + 3 + MOST_PIECES, 0)


def test_a_version_is_read_to_its_end_while_another_one_becomes_current(versioned: Storage) -> None:
    upload = _put(versioned, "cat.png", png(LONG))
    versioned.calls.interrupt("GetObject", lambda: _put(versioned, "cat.png", animated()), nth=2)

    assert _codes(versioned, _approval(upload)) == [None]


@pytest.mark.parametrize("engine", [BULK, IMAGE])
def test_pieces_of_two_objects_are_not_taken_for_one(storage: Storage, engine: Engine) -> None:
    upload = _put(storage, "cat.png", animated(LONG))
    storage.calls.made.clear()
    storage.calls.interrupt("GetObject", lambda: _put(storage, "cat.png", png(LONG, LONG)), nth=2)
    bucket = UploadBucket(storage.s3, finds_animations=True)

    (failure,) = bucket.doubts([_approval(upload, engine)])

    assert failure is not None
    assert failure.code == "Superseded"


@pytest.mark.parametrize("engine", [BULK, IMAGE])
def test_an_object_that_disappears_between_two_pieces_is_gone(storage: Storage, engine: Engine) -> None:
    upload = _put(storage, "cat.png", png(LONG))
    storage.calls.made.clear()
    storage.calls.interrupt("GetObject", lambda: storage.s3.delete_object(Bucket=UPLOADS, Key="cat.png"), nth=2)
    bucket = UploadBucket(storage.s3, finds_animations=True)

    (failure,) = bucket.doubts([_approval(upload, engine)])

    assert failure is not None
    assert failure.code == "Superseded"


@pytest.mark.parametrize("status", [400, 403])
def test_an_object_that_took_an_uploads_place_and_may_not_be_read_holds_up_nobody(
    storage: Storage, status: int
) -> None:
    """Such as one that is encrypted with a key of somebody else's."""
    replaced, other = _put(storage, "replaced.jpg"), _put(storage, "other.jpg")
    _put(storage, "replaced.jpg", b"other bytes")
    storage.calls.answer_always(
        "GetObject",
        lambda request: an_error("AccessDenied", status=status) if "replaced" in request["url"] else None,
    )

    assert _codes(storage, _approval(replaced), _approval(other)) == ["Superseded", None]


def test_an_object_under_a_customers_own_key_cannot_be_compared(storage: Storage, finds_animations: bool) -> None:
    upload = _put(storage)
    for operation in ("GetObject", "HeadObject"):
        storage.calls.answer_always(operation, lambda _: an_error("InvalidRequest", status=400))

    assert _codes(storage, _approval(upload), finds_animations=finds_animations) == ["Superseded"]


@pytest.mark.parametrize(("engine", "is_versioned"), [(BULK, True), (BULK, False), (IMAGE, True), (IMAGE, False)])
def test_an_archived_object_is_not_approved_and_not_tried_for_ever(
    storage: Storage, engine: Engine, is_versioned: bool
) -> None:
    """HeadObject answers of it as of any other one; GetObject answers 403 (API reference, GetObject)."""
    if is_versioned:
        storage.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": "Enabled"})
    upload = _put(storage)
    storage.calls.answer_always("GetObject", lambda _: an_error("InvalidObjectState", status=403))

    assert _codes(storage, _approval(upload, engine)) == ["Archived"]


def test_an_empty_object_in_an_uploads_place_is_another_one(storage: Storage) -> None:
    """S3 has no range of it to give (RFC 9110, 416)."""
    upload = _put(storage)
    _put(storage, body=b"")

    assert _codes(storage, _approval(upload)) == ["Superseded"]


@pytest.mark.parametrize("engine", [BULK, IMAGE])
@pytest.mark.parametrize(
    "answer", [("AccessDenied", 403), ("KMS.DisabledException", 400), ("ThrottlingException", 400)]
)
def test_an_uploads_own_object_that_may_not_be_read_is_our_fault_and_raised(
    versioned: Storage, engine: Engine, answer: tuple[str, int]
) -> None:
    upload = _put(versioned)
    versioned.calls.answer_always("GetObject", lambda _: an_error(answer[0], status=answer[1]))

    with pytest.raises(ClientError, match=answer[0]):
        _codes(versioned, _approval(upload, engine))


def test_an_object_that_is_refused_while_others_are_given_holds_up_nobody(
    versioned: Storage, finds_animations: bool
) -> None:
    """Also where HeadObject of it is refused: a version that is gone may look so to those who may not list versions."""
    refused, other = _put(versioned, "refused.jpg"), _put(versioned, "other.jpg")
    for operation in ("GetObject", "HeadObject"):
        versioned.calls.answer_always(
            operation, lambda request: an_error("AccessDenied", status=403) if "refused" in request["url"] else None
        )

    found = _codes(versioned, _approval(refused), _approval(other), finds_animations=finds_animations)

    assert found == ["Forbidden", None]


def test_an_object_that_is_refused_once_and_then_given_is_approved(versioned: Storage, finds_animations: bool) -> None:
    refused, other = _put(versioned, "refused.jpg"), _put(versioned, "other.jpg")
    refusals = iter([an_error("AccessDenied", status=403)] * 2)
    for operation in ("GetObject", "HeadObject"):
        versioned.calls.answer_always(
            operation, lambda request: next(refusals, None) if "refused" in request["url"] else None
        )

    found = _codes(versioned, _approval(refused), _approval(other), finds_animations=finds_animations)

    assert found == [None, None]


def test_an_error_that_passes_is_raised_whatever_else_was_given(storage: Storage, finds_animations: bool) -> None:
    failing, other = _put(storage, "failing.jpg"), _put(storage, "other.jpg")
    for operation in ("GetObject", "HeadObject"):
        storage.calls.answer_always(
            operation, lambda request: an_error("SlowDown", status=503) if "failing" in request["url"] else None
        )

    with pytest.raises(ClientError, match="SlowDown"):
        _codes(storage, _approval(failing), _approval(other), finds_animations=finds_animations)


def test_a_missing_permission_is_raised(storage: Storage, finds_animations: bool) -> None:
    upload = _put(storage)
    for operation in ("GetObject", "HeadObject"):
        storage.calls.answer_always(operation, lambda _: an_error("AccessDenied", status=403))

    with pytest.raises(ClientError, match="AccessDenied"):
        _codes(storage, _approval(upload), finds_animations=finds_animations)
