"""Batches that the image engine has analyzed."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from gatehouse.moderation.analysis import ImageError, answer_line
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.failure import Failure
from gatehouse.moderation.image_format import ImageFormat
from gatehouse.moderation.rendition import Rendition
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import Upload
from lambdas.results.image_run import ImageRun
from tests.unit.aws_calls import an_error
from tests.unit.builders import ADAPTER, an_answer, result_line
from tests.unit.conftest import UPLOADS
from tests.unit.lambdas.court import BLOCKED, CLEAN, REVIEWED, Court, set_versioning
from tests.unit.pngs import animated, png


def test_the_image_engines_answers_end_in_verdicts(court: Court) -> None:
    clean, review, blocked, broken, gone, lost = (court.upload(f"{n}.jpg") for n in range(6))
    empty = court.upload("6.jpg", b"")
    court.claim([clean, review, blocked, broken, gone, lost, empty])

    settled = court.settle(
        court.look(
            {
                clean: CLEAN,
                review: REVIEWED,
                blocked: BLOCKED,
                broken: ImageError("InvalidImageFormatException", "no image"),
                gone: ImageError("InvalidS3ObjectException", "no object"),
            },
            size=2,
        )
    )

    assert list(court.statuses().values()) == [
        "APPROVED",
        "REVIEW",
        "BLOCKED",
        "UNSUPPORTED",
        "FAILED",
        "FAILED",
        "UNSUPPORTED",
    ]
    assert court.storage.item(broken)["error"] == {"code": "InvalidImageFormatException", "message": "no image"}
    assert (court.code(gone), court.code(lost), court.code(empty)) == (
        "InvalidS3ObjectException",
        "NotAnalyzed",
        "EmptyObject",
    )
    assert (settled.left, settled.missing, settled.unmatched_lines) == (0, 1, 0)
    assert {flag["object"]["key"] for flag in court.flags()} == {"1.jpg", "2.jpg"}
    item = court.storage.item(clean)
    assert item["engine"] == "image"
    assert "job_id" not in item


def test_an_approval_on_a_pinned_analysis_needs_no_look_at_what_is_current(court: Court) -> None:
    set_versioning(court)
    overwritten, hidden = court.upload("overwritten.jpg"), court.upload("hidden.jpg")
    court.claim([overwritten, hidden])
    court.upload("overwritten.jpg", b"other")
    court.storage.s3.delete_object(Bucket=UPLOADS, Key="hidden.jpg")
    request = court.look({overwritten: CLEAN, hidden: CLEAN})
    court.storage.calls.made.clear()

    court.settle(request)

    assert court.storage.item(overwritten)["status"] == court.storage.item(hidden)["status"] == "APPROVED"
    assert court.storage.calls.made["HeadObject"] == 0


@pytest.mark.parametrize("engine", [Engine.BULK, Engine.IMAGE])
@pytest.mark.parametrize("versioned", [True, False])
def test_an_animation_is_never_approved_and_needs_no_second_analysis(
    court: Court, engine: Engine, versioned: bool
) -> None:
    court.lane = {"formats": ()}
    court.notify = frozenset({Status.UNSUPPORTED, Status.BLOCKED})
    if versioned:
        set_versioning(court)
    moving, still, bad = (
        court.upload(key, body) for key, body in (("moving.png", animated()), ("still.png", png()), ("bad", animated()))
    )
    court.claim([moving, still, bad])
    found: dict[Upload, Mapping[str, float]] = {moving: CLEAN, still: CLEAN, bad: BLOCKED}
    lines = [result_line(upload.object, labels) for upload, labels in found.items()]

    settled = court.settle(court.answer(lines) if engine is Engine.BULK else court.look({**found}))

    assert court.statuses() == {"moving.png": "UNSUPPORTED", "still.png": "APPROVED", "bad": "BLOCKED"}
    assert court.code(moving) == "Animated"
    assert settled.left == 0
    assert "labels" not in court.storage.item(moving)
    assert {flag["object"]["key"]: flag["status"] for flag in court.flags()} == {
        "moving.png": "UNSUPPORTED",
        "bad": "BLOCKED",
    }


def test_an_animation_that_bulk_approves_is_left_to_the_image_engine_where_it_is_rendered(court: Court) -> None:
    moving = court.upload("moving.png", animated())
    court.claim([moving])

    settled = court.settle(court.answer([result_line(moving.object, CLEAN)]))

    assert (court.statuses(), settled.left) == ({"moving.png": "PENDING"}, 1)
    assert court.leftovers() == [moving]


@pytest.mark.parametrize(("judged", "status"), [(4, "APPROVED"), (3, "REVIEW")])
def test_an_animation_is_approved_if_all_of_its_frames_were_looked_at(court: Court, judged: int, status: str) -> None:
    set_versioning(court)
    moving = court.upload("moving.png", animated())
    court.claim([moving])

    court.settle(court.look({moving: Rendition(ImageFormat.PNG, 80, 80, 1, frames=4, judged=judged)}))

    assert court.statuses() == {"moving.png": status}
    item = court.storage.item(moving)
    assert (item["reasons"], item["frames"]) == ([], {"total": 4, "judged": judged})


def test_an_object_that_was_archived_before_its_approval_fails_and_is_not_analyzed_again(court: Court) -> None:
    archived, other = court.upload("archived.jpg"), court.upload("other.jpg")
    court.claim([archived, other])
    refusal = an_error("InvalidObjectState", status=403)
    court.storage.calls.answer_always("GetObject", lambda asked: refusal if "archived.jpg" in asked["url"] else None)

    settled = court.settle(court.answer([result_line(upload.object) for upload in (archived, other)]))

    assert court.statuses() == {"archived.jpg": "FAILED", "other.jpg": "APPROVED"}
    assert (court.code(archived), settled.left) == ("Archived", 0)


def test_without_the_check_an_animation_is_approved_by_its_first_frame(court: Court) -> None:
    court.finds_animations = False
    upload = court.upload("moving.png", animated())
    court.claim([upload])

    court.settle(court.look({upload: CLEAN}))

    assert court.statuses() == {"moving.png": "APPROVED"}


def test_every_version_of_an_object_gets_a_verdict_of_its_own(court: Court) -> None:
    set_versioning(court)
    first, second, third = (court.upload("cat.jpg", body) for body in (b"1", b"2", b"3"))
    court.claim([third, first, second])

    court.settle(court.look({first: BLOCKED, second: CLEAN, third: REVIEWED}, size=1))

    statuses = [court.storage.item(upload)["status"] for upload in (first, second, third)]
    assert statuses == ["BLOCKED", "APPROVED", "REVIEW"]


@pytest.mark.parametrize("suspended", [False, True])
def test_an_approval_on_an_unpinned_analysis_is_confirmed_by_a_look_at_the_key_as_it_is(
    court: Court, suspended: bool
) -> None:
    if suspended:
        set_versioning(court, "Suspended")
    court.upload("a b.jpg", b"what a manifest could be taken to mean")
    found = [court.upload("a+b.jpg"), court.upload("cat.jpg", b"bad"), court.upload("gone.jpg")]
    found.append(replace(court.upload("large.jpg"), etag="9b2cf535f27731c974343645a3985328-2"))
    court.claim(found)
    court.upload("cat.jpg", b"clean")
    court.storage.s3.delete_object(Bucket=UPLOADS, Key="gone.jpg")

    court.settle(court.look(dict.fromkeys(found, CLEAN)))

    kept, overwritten, gone, multipart = found
    assert court.storage.item(kept)["status"] == "APPROVED"
    assert (court.code(overwritten), court.code(gone), court.code(multipart)) == (
        "Superseded",
        "Superseded",
        "Unconfirmable",
    )


def test_bytes_put_back_after_the_claim_are_not_approved_by_the_image_engine_either(court: Court) -> None:
    upload = court.upload("cat.jpg", age=20)
    court.claim([upload], age=10)

    court.settle(court.look({upload: CLEAN}))

    assert court.code(upload) == "Superseded"


def test_uploads_of_a_chunk_without_a_result_file_fail_alone(court: Court) -> None:
    found = [court.upload(f"{n}.jpg") for n in range(5)]
    court.claim(found)
    request = court.look(dict.fromkeys(found[:2] + found[4:], CLEAN), size=2)

    settled = court.settle(request)

    assert list(court.statuses().values()) == ["APPROVED", "APPROVED", "FAILED", "FAILED", "APPROVED"]
    assert settled.missing == 2


def test_uploads_of_a_failed_chunk_fail_with_its_words_unless_they_had_been_analyzed(court: Court) -> None:
    found = [court.upload(f"{n}.jpg") for n in range(6)]
    court.claim(found)
    answered = dict.fromkeys(found[:3] + found[5:], CLEAN)

    court.settle(court.look(answered, size=3, failures={3: Failure("ChunkFailed", "five runs")}))

    assert list(court.statuses().values()) == ["APPROVED"] * 3 + ["FAILED"] * 2 + ["APPROVED"]
    assert court.storage.item(found[3])["error"] == {"code": "ChunkFailed", "message": "five runs"}


def test_a_chunk_file_that_may_not_be_read_decides_nothing(court: Court) -> None:
    upload = court.upload("cat.jpg")
    court.claim([upload])
    request = court.look({upload: CLEAN})
    denied = an_error("AccessDenied", "Access Denied", 403)
    court.storage.calls.answer_always("GetObject", lambda asked: denied if "analysis/image" in asked["url"] else None)

    with pytest.raises(ClientError):
        court.settle(request)
    assert court.statuses() == {"cat.jpg": "PENDING"}


def test_a_line_of_another_object_under_an_uploads_number_is_not_believed(court: Court) -> None:
    mine, other = court.upload("mine.jpg"), court.upload("other.jpg")
    court.claim([mine, other])
    request = court.look({other: CLEAN})
    assert isinstance(request.analysis, ImageRun)
    (chunk,) = request.analysis.chunks
    court.storage.work.write_results(
        chunk, [answer_line(other.object, 0, an_answer()), answer_line(mine.object, 1, an_answer(BLOCKED))]
    )

    court.settle(request)

    assert court.statuses() == {"mine.jpg": "FAILED", "other.jpg": "FAILED"}
    assert court.flags() == []


def test_lines_that_name_no_upload_are_counted_whichever_engine_wrote_them(court: Court) -> None:
    upload = court.upload("cat.jpg")
    court.claim([upload])
    request = court.look({upload: CLEAN})
    assert isinstance(request.analysis, ImageRun)
    (chunk,) = request.analysis.chunks
    court.storage.work.write_results(chunk, [answer_line(upload.object, 0, an_answer()), "{", result_line("s3://a/b")])

    settled = court.settle(request)

    assert court.statuses() == {"cat.jpg": "APPROVED"}
    assert settled.unmatched_lines == 2


def test_an_adapter_the_image_engine_ignores_approves_nothing(court: Court) -> None:
    court.lane = {"adapter": ADAPTER}
    clean, blocked = court.upload("0.jpg"), court.upload("1.jpg")
    court.claim([clean, blocked])

    settled = court.settle(court.look({clean: CLEAN, blocked: BLOCKED}))

    assert court.statuses() == {"0.jpg": "FAILED", "1.jpg": "BLOCKED"}
    assert court.code(clean) == "AdapterIgnored"
    assert (settled.adapter_ignored, settled.left) == (2, 0)
    for upload in (clean, blocked):
        assert court.storage.item(upload)["adapter"] == {"asked": ADAPTER, "answered": None}


def test_an_adapter_that_answers_the_image_engine_may_approve(court: Court) -> None:
    court.lane = {"adapter": ADAPTER}
    upload = court.upload("cat.jpg")
    court.claim([upload])

    settled = court.settle(court.look({upload: CLEAN}, adapter=ADAPTER))

    assert court.statuses() == {"cat.jpg": "APPROVED"}
    assert settled.adapter_ignored == 0
