"""What bulk leaves to the image engine."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from gatehouse.moderation.analysis import ImageError
from gatehouse.moderation.claim import Claim
from gatehouse.moderation.failure import Failure
from gatehouse.moderation.image_pass import ImagePass
from gatehouse.moderation.moment import iso
from gatehouse.moderation.status import Status
from lambdas.results.request import Request
from tests.unit.aws_calls import Killed
from tests.unit.builders import result_line
from tests.unit.conftest import UPLOADS, WORK
from tests.unit.lambdas.court import BLOCKED, CLEAN, Court, set_versioning


def test_what_bulk_has_no_definite_answer_for_is_left_to_the_image_engine(court: Court) -> None:
    court.lane = {"formats": ()}
    set_versioning(court)
    answered, bad_format, empty = court.upload("answered.jpg"), court.upload("cat.gif"), court.upload("empty.jpg", b"")
    lost, odd, unreadable, aliased = (court.upload(key) for key in ("lost.jpg", "odd.jpg", "unreadable.jpg", "a+b.jpg"))
    older, newer = court.upload("twice.jpg", b"1"), court.upload("twice.jpg", b"2")
    superseded = court.upload("superseded.jpg", b"uploaded")
    court.upload("a b.jpg")
    batch = court.claim([answered, bad_format, empty, lost, odd, unreadable, aliased, older, newer, superseded])
    court.upload("superseded.jpg", b"of a later batch")
    errors = [
        {"source-ref": bad_format.object, "code": "InvalidImageFormatException", "message": "no image"},
        {"source-ref": odd.object, "code": "ERROR_X", "message": "odd"},
    ]

    settled = court.settle(
        court.answer(
            [
                *(result_line(upload.object) for upload in (answered, aliased, newer, superseded)),
                json.dumps({"source-ref": unreadable.object, "detect-moderation-labels": {}}),
            ],
            {"version": "1.0", "errors": errors},
        )
    )

    left = [lost, odd, unreadable, aliased, older, superseded]
    assert court.index(ImagePass.LEFTOVERS) == [entry for entry in batch.uploads if entry.claim.upload in left]
    assert {court.storage.item(upload)["status"] for upload in left} == {"PENDING"}
    assert [court.storage.item(upload)["status"] for upload in (answered, newer)] == ["APPROVED"] * 2
    assert (court.code(bad_format), court.code(empty)) == ("InvalidImageFormatException", "EmptyObject")
    assert (settled.left, settled.missing, settled.to_document()["again"]["uploads"]) == (6, 0, 6)
    assert (settled.to_document()["failed"], settled.skipped) == (0, 0)


def test_what_bulk_refused_is_left_to_the_image_engine_if_its_bytes_are_of_a_format_that_is_rendered(
    court: Court,
) -> None:
    court.lane = {"formats": ("JPEG", "WEBP")}
    bodies = {
        "small.jpg": b"\xff\xd8\xff a photo",
        "photo.jpg": b"RIFF\x10\0\0\0WEBPVP8 ",
        "moving.gif": b"GIF89a",
        "notes.jpg": b"no picture",
    }
    refused = [court.upload(key, body) for key, body in bodies.items()]
    gone = court.upload("gone.jpg", b"no picture")
    court.claim([*refused, gone])
    court.storage.s3.delete_object(Bucket=UPLOADS, Key="gone.jpg")
    errors = [
        {"source-ref": upload.object, "code": "InvalidImageFormatException", "message": "no image"}
        for upload in (*refused, gone)
    ]

    settled = court.settle(court.answer([], {"version": "1.0", "errors": errors}))

    assert court.leftovers() == [*refused[:2], gone]
    assert {court.code(upload) for upload in refused[2:]} == {"InvalidImageFormatException"}
    assert (settled.left, settled.counts()[Status.UNSUPPORTED]) == (3, 2)


def test_the_image_engine_settles_the_leftovers_on_the_uploads_own_bytes(court: Court) -> None:
    set_versioning(court)
    aliased = court.upload("a+b.jpg")
    court.upload("a b.jpg")
    older, newer = court.upload("twice.jpg", b"1"), court.upload("twice.jpg", b"2")
    superseded = court.upload("superseded.jpg", b"uploaded")
    court.claim([aliased, older, newer, superseded])
    court.upload("superseded.jpg", b"of a later batch")
    court.settle(court.answer([result_line(upload.object) for upload in (aliased, newer, superseded)]))

    court.settle(court.look({aliased: CLEAN, older: CLEAN, superseded: BLOCKED}, ImagePass.LEFTOVERS))

    statuses = [court.storage.item(upload)["status"] for upload in (aliased, older, newer, superseded)]
    assert statuses == ["APPROVED", "APPROVED", "APPROVED", "BLOCKED"]
    assert [court.storage.item(upload)["engine"] for upload in (older, newer)] == ["image", "bulk"]
    assert [flag["object"]["version_id"] for flag in court.flags()] == [superseded.version_id]


def test_the_older_of_two_uploads_is_not_approved_on_the_newer_ones_bytes_by_the_image_engine_either(
    court: Court,
) -> None:
    older, newer = court.upload("cat.jpg", b"first"), court.upload("cat.jpg", b"second")
    court.claim([older, newer])

    court.settle(court.look({older: CLEAN, newer: CLEAN}))

    assert court.code(older) == "Superseded"
    assert court.storage.item(older)["status"] == "FAILED"
    assert court.storage.item(newer)["status"] == "APPROVED"


def test_a_key_bulk_cannot_be_trusted_with_is_approved_by_the_image_engine_without_versioning(court: Court) -> None:
    upload = court.upload("a+b.jpg")
    court.claim([upload])
    court.settle(court.answer([result_line(upload.object)]))
    assert court.leftovers() == [upload]

    court.settle(court.look({upload: CLEAN}, ImagePass.LEFTOVERS))

    assert court.statuses() == {"a+b.jpg": "APPROVED"}


def test_what_the_image_engine_says_of_a_leftover_is_final(court: Court) -> None:
    lost, broken, failed = (court.upload(f"{n}.jpg") for n in range(3))
    court.claim([lost, broken, failed])
    court.settle(court.answer([]))
    written = court.storage.calls.made["PutObject"]

    request = court.look(
        {broken: ImageError("ImageTooLargeException", "no"), failed: ImageError("InternalServerError", "five times")},
        ImagePass.LEFTOVERS,
    )
    settled = court.settle(request)

    assert court.statuses() == {"0.jpg": "FAILED", "1.jpg": "UNSUPPORTED", "2.jpg": "FAILED"}
    assert (court.code(lost), court.code(failed)) == ("NotAnalyzed", "InternalServerError")
    assert (settled.uploads, settled.left) == (3, 0)
    assert court.storage.calls.made["PutObject"] == written + 1  # the chunk's file: no more leftovers


def test_a_chunk_of_leftovers_fails_the_uploads_on_its_own_lines(court: Court) -> None:
    found = [court.upload(f"{n}.jpg") for n in range(5)]
    court.claim(found)
    court.settle(court.answer([result_line(found[n].object) for n in (0, 2)]))
    failures = {1: Failure("ChunkFailed", "five runs")}

    court.settle(court.look({found[1]: CLEAN, found[4]: CLEAN}, ImagePass.LEFTOVERS, size=1, failures=failures))

    assert list(court.statuses().values()) == ["APPROVED"] * 3 + ["FAILED", "APPROVED"]
    assert court.code(found[3]) == "ChunkFailed"


def test_a_job_that_answers_for_all_leaves_no_file_of_leftovers(court: Court) -> None:
    found = [court.upload(f"{n}.jpg") for n in range(3)]
    court.claim(found)

    settled = court.settle(court.answer([result_line(upload.object) for upload in found]))

    assert settled.left == 0
    assert court.storage.work.read_optional(WORK, ImagePass.LEFTOVERS.index_key("batch-1")) is None


def test_a_lost_claim_is_not_left_to_the_image_engine(court: Court) -> None:
    mine, lost = court.upload("mine.jpg"), court.upload("lost.jpg")
    batch = court.claim([mine, lost])
    other = Claim(lost, "batch-2", iso(datetime.now(UTC)), "default", 2)
    court.storage.table.reclaim([(batch.uploads[1].claim, other)])

    settled = court.settle(court.answer([]))

    assert court.leftovers() == [mine]
    assert (settled.left, settled.skipped) == (1, 1)


def test_a_second_run_of_either_pass_repeats_nothing(court: Court) -> None:
    found = [court.upload(f"{n}.jpg") for n in range(4)]
    court.claim(found)
    bulk = court.answer([result_line(upload.object, BLOCKED) for upload in found[:2]])
    first = court.settle(bulk)
    items, left = court.storage.items(), court.index(ImagePass.LEFTOVERS)
    assert len(court.flags()) == 2

    again = court.settle(bulk)

    assert court.storage.items() == items
    assert court.index(ImagePass.LEFTOVERS) == left
    assert court.flags() == []
    assert (first.left, again.left, again.skipped, again.verdicts) == (2, 2, 2, [])

    images = court.look({found[2]: BLOCKED, found[3]: CLEAN}, ImagePass.LEFTOVERS)
    court.settle(images)
    items = court.storage.items()
    assert len(court.flags()) == 1

    again = court.settle(images)

    assert court.storage.items() == items
    assert court.flags() == []
    assert (again.uploads, again.skipped, again.verdicts) == (2, 2, [])


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("in_pass", [ImagePass.FIRST, ImagePass.LEFTOVERS])
@pytest.mark.parametrize("operation", ["GetObject", "BatchGetItem", "PutObject", "PublishBatch", "TransactWriteItems"])
def test_a_crash_in_either_pass_loses_no_leftover_and_repeats_no_flag(
    court: Court, in_pass: ImagePass, operation: str, when: Any
) -> None:
    found = [court.upload(f"{n}.jpg") for n in range(6)]
    court.claim(found)
    answered, left = found[:3], found[3:]
    flags: list[dict[str, Any]] = []

    def settle_through_a_crash(request: Request, crashes: bool) -> None:
        if crashes:
            court.storage.calls.kill(operation, when)
            with suppress(Killed):  # the second pass writes no file
                court.settle(request)
            flags.extend(court.flags())
        court.settle(request)
        flags.extend(court.flags())

    bulk = court.answer([result_line(upload.object, BLOCKED) for upload in answered])
    settle_through_a_crash(bulk, in_pass is ImagePass.FIRST)
    assert court.leftovers() == left
    assert list(court.statuses().values()) == ["BLOCKED"] * 3 + ["PENDING"] * 3

    images = court.look({left[0]: BLOCKED, left[1]: CLEAN}, ImagePass.LEFTOVERS)
    settle_through_a_crash(images, in_pass is ImagePass.LEFTOVERS)

    assert list(court.statuses().values()) == ["BLOCKED"] * 4 + ["APPROVED", "FAILED"]
    assert {flag["object"]["key"] for flag in flags} == {"0.jpg", "1.jpg", "2.jpg", "3.jpg"}
    assert len({flag["id"] for flag in flags}) == 4
