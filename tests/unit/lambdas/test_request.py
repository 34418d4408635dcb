from typing import Any

import pytest

from gatehouse.moderation.chunk import Chunk
from gatehouse.moderation.failure import MAX_CODE, MAX_MESSAGE, Failure
from gatehouse.moderation.image_pass import ImagePass
from lambdas.results.bulk_run import BulkRun, Location
from lambdas.results.image_run import ImageRun
from lambdas.results.request import Fallback, Request

NO_JOB: dict[str, Any] = {"job_id": None, "results": None, "summary": None, "failure": None}


def _parse(**fields: Any) -> Request:
    return Request.parse({"batch_id": "batch-1", "job": NO_JOB, "images": None, "fallback": None, **fields})


def _images(**fields: Any) -> dict[str, Any]:
    return {"pass": "first", "uploads": 250, "size": 100, "failures": [], **fields}


def test_a_job_that_ended_well_tells_where_its_files_are() -> None:
    request = _parse(
        job={
            "job_id": "job-1",
            "results": {"bucket": "work", "key": "results.jsonl"},
            "summary": {"bucket": "work", "key": "summary.json"},
            "failure": None,
        }
    )

    job = BulkRun("job-1", Location("work", "results.jsonl"), Location("work", "summary.json"))
    assert request == Request("batch-1", job)


def test_a_batch_that_needed_no_analysis_has_a_job_of_which_nothing_is_known() -> None:
    assert _parse() == Request("batch-1", BulkRun())


def test_a_job_that_failed_says_why() -> None:
    request = _parse(job=NO_JOB | {"job_id": "job-1", "failure": {"code": "INTERNAL_ERROR", "message": "try later"}})

    assert request.analysis == BulkRun("job-1", failure=Failure("INTERNAL_ERROR", "try later"))


@pytest.mark.parametrize(
    ("uploads", "size", "firsts"),
    [(250, 100, [0, 100, 200]), (200, 100, [0, 100]), (201, 100, [0, 100, 200]), (1, 25, [0]), (3, 1, [0, 1, 2])],
)
@pytest.mark.parametrize("image_pass", ImagePass)
def test_a_pass_of_the_image_engine_is_made_of_the_chunks_the_workflow_cut(
    image_pass: ImagePass, uploads: int, size: int, firsts: list[int]
) -> None:
    request = _parse(images=_images(**{"pass": image_pass.value, "uploads": uploads, "size": size}))

    chunks = tuple(Chunk("batch-1", image_pass, first, size) for first in firsts)
    assert request == Request("batch-1", ImageRun(image_pass, uploads, chunks, {}))


def test_numbers_may_come_as_jsonata_writes_them() -> None:
    failures = [{"first": 100.0, "code": "ChunkFailed", "message": "five runs"}]

    request = _parse(images=_images(uploads=250.0, size=100.0, failures=failures))

    assert isinstance(request.analysis, ImageRun)
    assert [chunk.results_key.rpartition("/")[2] for chunk in request.analysis.chunks] == [
        "0.jsonl",
        "100.jsonl",
        "200.jsonl",
    ]
    assert request.analysis.failures == {100: Failure("ChunkFailed", "five runs")}


def test_chunks_that_were_given_up_are_known_by_their_first_line() -> None:
    failures = [
        {"first": 0, "code": "ChunkFailed", "message": "five runs"},
        {"first": 200, "code": "HeartbeatTimeout", "message": "States.HeartbeatTimeout"},
    ]

    request = _parse(images=_images(failures=failures))

    assert isinstance(request.analysis, ImageRun)
    assert request.analysis.failures == {
        0: Failure("ChunkFailed", "five runs"),
        200: Failure("HeartbeatTimeout", "States.HeartbeatTimeout"),
    }


def test_what_the_image_engine_did_counts_and_not_the_job_before_it() -> None:
    job = NO_JOB | {"job_id": "job-1", "results": {"bucket": "work", "key": "results.jsonl"}}

    request = _parse(job=job, images=_images(**{"pass": "leftovers"}))

    assert isinstance(request.analysis, ImageRun)
    assert request.analysis.image_pass is ImagePass.LEFTOVERS


@pytest.mark.parametrize("is_refusal", [True, False])
def test_a_fallback_says_why_and_whether_a_job_was_even_started(is_refusal: bool) -> None:
    fallback = {"code": "Rekognition.LimitExceededException", "message": "no slot", "is_refusal": is_refusal}

    request = _parse(images=_images(), fallback=fallback)

    assert request.fallback == Fallback(Failure("Rekognition.LimitExceededException", "no slot"), is_refusal)


def test_endless_words_are_cut() -> None:
    endless = {"code": "C" * 1000, "message": "m" * 32_768}

    request = _parse(
        job=NO_JOB | {"failure": endless},
        fallback=endless | {"is_refusal": True},
    )

    cut = Failure("C" * MAX_CODE, "m" * MAX_MESSAGE)
    assert request == Request("batch-1", BulkRun(failure=cut), Fallback(cut, is_refusal=True))


@pytest.mark.parametrize("missing", ["batch_id", "job", "images", "fallback"])
def test_a_payload_that_lacks_something_is_refused(missing: str) -> None:
    payload = {"batch_id": "batch-1", "job": NO_JOB, "images": None, "fallback": None}
    del payload[missing]

    with pytest.raises(ValueError, match=missing):
        Request.parse(payload)


@pytest.mark.parametrize("fields", [{"pass": "second"}, {"size": 0}, {"size": "large"}, {"uploads": "many"}])
def test_a_pass_that_is_not_the_workflows_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        _parse(images=_images(**fields))
