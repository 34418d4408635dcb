"""What parts of the pipeline leave for each other: batches, their indexes, chunk messages, requests to Results."""

import json
from random import Random
from typing import Any

from gatehouse.moderation.batch import read_index, read_terms
from gatehouse.moderation.chunk import Chunk, ChunkMessage, ChunkMessageError
from gatehouse.moderation.failure import Failure
from gatehouse.moderation.image_pass import ImagePass
from gatehouse.moderation.matching import BulkAnswers, judge
from gatehouse.moderation.moment import iso
from gatehouse.moderation.open_batch import OpenBatch
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import MAX_TEXT_BYTES
from gatehouse.moderation.verdict_item import verdict_item
from lambdas.results.image_run import ImageRun
from lambdas.results.request import Request
from tests.fuzz.limits import assert_storable
from tests.fuzz.mutation import encoded, mutated_document, mutated_json, mutated_text, written
from tests.fuzz.parser import Case, Parser
from tests.unit.builders import ADAPTER, NOON, a_batch, a_claim, a_lane, an_analysis, an_upload, terms_and_index

_LANE = a_lane(policy="test", policy_overrides=(("kids/", "strict"),), adapter=ADAPTER)
_BATCH = a_batch(
    [
        *(a_claim(upload) for upload in (an_upload("a.jpg"), an_upload("b.jpg", version_id="v1"), an_upload(size=0))),
        *(a_claim(an_upload("a.jpg", sequencer="00")), a_claim(an_upload("c.jpg"), attempt=4)),
    ],
    _LANE,
)
_TERMS, _INDEX = terms_and_index(_BATCH)
_SETTINGS_DOCUMENT: dict[str, Any] = json.loads(_BATCH.terms())
_LINES: tuple[dict[str, Any], ...] = tuple(json.loads(line) for line in _BATCH.index().splitlines())
_STATUSES = tuple(status.value for status in Status)
_WORDS = (*_SETTINGS_DOCUMENT, *_LINES[0], *_STATUSES, "error", "in_manifest", "code", "message", "first", "leftovers")

_MESSAGE: dict[str, Any] = json.loads(
    ChunkMessage("token", Chunk("batch-1", ImagePass.FIRST, 25, 25), 30.0, ADAPTER).to_body()
)
_JOB = {
    "job_id": "job-1",
    "results": {"bucket": "work", "key": "results.jsonl"},
    "summary": {"bucket": "work", "key": "summary.json"},
    "failure": None,
}
_FAILURE = {"code": "States.TaskFailed", "message": "it failed", "is_refusal": True}
_REQUESTS: tuple[dict[str, Any], ...] = (
    {"batch_id": "batch-1", "job": _JOB, "images": None, "fallback": None},
    {"batch_id": "batch-1", "job": {**_JOB, "results": None, "failure": _FAILURE}, "images": None, "fallback": None},
    {
        "batch_id": "batch-1",
        "job": _JOB,
        "images": {"pass": "first", "uploads": 230, "size": 25, "failures": [{**_FAILURE, "first": 25}]},
        "fallback": _FAILURE,
    },
)


def _draw_terms(random: Random) -> Case:
    return encoded(random, mutated_json(random, _SETTINGS_DOCUMENT, _WORDS, torn=0.1))


def _check_terms(case: Case) -> bool:
    try:
        terms = read_terms(case)
    except ValueError:
        return False
    for key in ("a.jpg", "kids/a.jpg"):
        terms.policy_for(key).judge(an_analysis({"Violence": 97.0}))
    for verdict in judge(terms, _INDEX, BulkAnswers("job-1"), iso(NOON)):
        assert verdict.status is not Status.APPROVED
        assert_storable(verdict_item(verdict, 1))
    return True


def _written_index(random: Random) -> bytes:
    lines = [
        written(random, mutated_document(random, random.choice(_LINES), _WORDS, most=2))
        for _ in range(random.randint(0, 3))
    ]
    text = "\n".join(lines)
    return encoded(random, mutated_text(random, text) if random.random() < 0.1 else text)


def _check_index(case: Case) -> bool:
    assert isinstance(case, bytes)
    try:
        entries = list(read_index(_TERMS, case.splitlines()))
    except ValueError:
        return False
    for verdict in judge(_TERMS, entries, BulkAnswers("job-1"), iso(NOON)):
        assert verdict.status in (Status.UNSUPPORTED, Status.FAILED), "final without an analysis"
        if len(verdict.upload.object.encode()) <= MAX_TEXT_BYTES:  # longer ones the batcher never lists
            assert_storable(verdict_item(verdict, 1))
    return True


def _check_images(case: Case) -> bool:
    assert isinstance(case, bytes)
    chunk = Chunk("batch-1", ImagePass.FIRST, 0, 100)
    try:
        images = list(chunk.images(case.splitlines()))
    except ValueError:
        return False
    for image in images:
        assert type(image.n) is int
        image.upload.object.encode()
    return True


def _draw_message(random: Random) -> Case:
    return mutated_json(random, _MESSAGE, (*_MESSAGE, "first", "leftovers", 0, 25.0, "NaN", "50"), torn=0.1)


def _check_message(case: Case) -> bool:
    assert isinstance(case, str)
    try:
        message = ChunkMessage.parse(case)
    except ChunkMessageError:
        return False
    list(message.chunk.images([]))
    assert 0 <= message.min_confidence <= 100
    assert message.chunk.results_key.encode()
    assert ChunkMessage.parse(message.to_body()) == message
    return True


_OPEN: dict[str, Any] = json.loads(
    OpenBatch("default", "batch-1", iso(NOON), (an_upload(), an_upload("b ü.jpg", version_id="v1"))).to_text()
)


def _draw_open_batch(random: Random) -> Case:
    return encoded(random, mutated_json(random, _OPEN, (*_OPEN, *_LINES[0]), torn=0.1))


def _check_open_batch(case: Case) -> bool:
    try:
        batch = OpenBatch.parse(case)
    except ValueError:
        return False
    assert OpenBatch.parse(batch.to_text().encode()) == batch
    assert len(batch.claims()) == len(batch.uploads)
    return True


def _draw_request(random: Random) -> Case:
    document = random.choice(_REQUESTS)
    words = (*document, "pass", "uploads", "size", "failures", "first", "leftovers", 0, 1, 9999)
    return written(random, mutated_document(random, document, words))


def _check_request(case: Case) -> bool:
    try:
        payload = json.loads(case)
    except (ValueError, RecursionError):
        return False
    if not isinstance(payload, dict):
        return False
    try:
        request = Request.parse(payload)
    except (KeyError, ValueError):
        return False
    analysis = request.analysis
    if isinstance(analysis, ImageRun):
        assert len(analysis.chunks) <= 10_000
        assert all(isinstance(failure, Failure) for failure in analysis.failures.values())
    for failure in (request.fallback and request.fallback.failure, getattr(analysis, "failure", None)):
        if failure:
            (failure.code + failure.message).encode()
    return True


PARSERS = (
    Parser("batch.read_terms", _draw_terms, _check_terms, 8),
    Parser("batch.read_index", _written_index, _check_index),
    Parser("open_batch.OpenBatch.parse", _draw_open_batch, _check_open_batch),
    Parser("chunk.Chunk.images", _written_index, _check_images),
    Parser("chunk.ChunkMessage.parse", _draw_message, _check_message),
    Parser("results.Request.parse", _draw_request, _check_request),
)
