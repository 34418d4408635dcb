import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatehouse.moderation.batch import (
    MAX_BATCHES_PER_UPLOAD,
    Batch,
    bulk_output_prefix,
    index_lines,
    manifest_key,
    new_batch_id,
    read_index,
    read_terms,
    refusal_for,
    terms_key,
    uploads_key,
)
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.image_format import DEFAULT_FORMATS, ImageFormat
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.rendition import MOST_FILE_BYTES
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import MAX_IMAGE_BYTES, Upload
from tests.unit.builders import ADAPTER, a_batch, a_claim, a_lane, a_policy, an_upload, terms_and_index
from tests.unit.moderation.test_upload import HEX, KEYS

CONFIDENCES = st.integers(0, 200).map(lambda halves: halves / 2)
UPLOADS = st.builds(
    Upload,
    bucket=st.just("uploads"),
    key=KEYS,
    version_id=st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    etag=st.text(st.characters(exclude_categories=["Cs"], exclude_characters='"'), min_size=1, max_size=64),
    size=st.sampled_from([0, 1, MAX_IMAGE_BYTES, MAX_IMAGE_BYTES + 1]),
    sequencer=st.text(HEX, min_size=1, max_size=40),
    uploaded_at=st.just("2026-11-22T12:00:00.000Z"),
)


def test_batch_ids_fit_a_request_token_with_their_attempt() -> None:
    first, second = new_batch_id(), new_batch_id()

    assert first != second
    assert re.fullmatch(r"[A-Za-z0-9-]{1,56}", first)


def test_a_batchs_files_lie_together() -> None:
    assert manifest_key("b") == "batches/b/manifest.jsonl"
    assert uploads_key("b") == "batches/b/uploads.jsonl"
    assert terms_key("b") == "batches/b/batch.json"
    assert bulk_output_prefix("b") == "batches/b/analysis/bulk"


@pytest.mark.parametrize(
    ("size", "attempt", "status", "code"),
    [
        (0, 1, Status.UNSUPPORTED, "EmptyObject"),
        (MOST_FILE_BYTES + 1, 1, Status.UNSUPPORTED, "ImageTooLarge"),
        (1, MAX_BATCHES_PER_UPLOAD + 1, Status.FAILED, "AttemptsExhausted"),
        (0, MAX_BATCHES_PER_UPLOAD + 1, Status.UNSUPPORTED, "EmptyObject"),
    ],
)
def test_an_upload_that_cannot_get_an_analysis_is_refused(size: int, attempt: int, status: Status, code: str) -> None:
    refusal = refusal_for(an_upload(size=size), attempt, DEFAULT_FORMATS)

    assert refusal is not None
    assert (refusal.status, refusal.failure.code) == (status, code)


@pytest.mark.parametrize("size", [1, MAX_IMAGE_BYTES])
def test_an_upload_worth_analyzing_is_not_refused(size: int) -> None:
    assert refusal_for(an_upload(size=size), MAX_BATCHES_PER_UPLOAD) is None


@pytest.mark.parametrize("size", [MAX_IMAGE_BYTES + 1, MOST_FILE_BYTES])
def test_what_is_too_large_for_rekognition_is_refused_where_nothing_is_rendered(size: int) -> None:
    assert refusal_for(an_upload(size=size), 1, DEFAULT_FORMATS) is None
    assert refusal_for(an_upload(size=size), 1) is not None
    lines = [a_batch([a_claim(an_upload(size=size))], a_lane(formats=names)).uploads[0] for names in (["JPEG"], [])]
    assert [line.refusal is None for line in lines] == [True, False]


@given(key=KEYS)
def test_the_manifest_names_each_object_raw_on_one_line(key: str) -> None:
    manifest = a_batch([a_claim(an_upload(key))]).manifest()

    assert manifest.encode().splitlines(keepends=True) == [manifest.encode()]
    assert json.loads(manifest) == {"source-ref": f"s3://uploads/{key}"}


def test_the_newest_upload_of_an_object_alone_is_in_the_manifest() -> None:
    batch = a_batch([a_claim(an_upload(sequencer=sequencer)) for sequencer in ("9", "10", "a")])

    assert [entry.in_manifest for entry in batch.uploads] == [False, True, False]
    assert len(batch.manifest().splitlines()) == 1
    assert [entry.refusal for entry in batch.uploads] == [None, None, None]


@pytest.mark.parametrize(
    ("version_ids", "overwritten"),
    [
        ((None, None, None), [True, False, True]),
        (("version-1", "version-2", "version-3"), [False, False, False]),
    ],
)
def test_an_older_upload_is_overwritten_unless_its_version_is_kept(
    version_ids: tuple[str | None, ...], overwritten: list[bool]
) -> None:
    found = [
        an_upload(sequencer=sequencer, version_id=version_id)
        for sequencer, version_id in zip(("9", "10", "a"), version_ids, strict=True)
    ]
    batch = a_batch([*map(a_claim, found)])

    assert [entry.is_overwritten for entry in batch.uploads] == overwritten
    read = read_index(read_terms(batch.terms()), batch.index().splitlines())
    assert [entry.is_overwritten for entry in read] == overwritten


def test_a_refused_upload_is_not_overwritten() -> None:
    batch = a_batch([a_claim(an_upload(sequencer="1", size=0)), a_claim(an_upload(sequencer="2"))])

    assert [entry.is_overwritten for entry in batch.uploads] == [False, False]


def test_a_refused_upload_does_not_keep_an_older_one_from_its_analysis() -> None:
    batch = a_batch([a_claim(an_upload(sequencer="1")), a_claim(an_upload(sequencer="2", size=0))])

    assert [entry.in_manifest for entry in batch.uploads] == [True, False]


def test_refused_uploads_are_in_the_index_and_not_in_the_manifest() -> None:
    batch = a_batch([a_claim(an_upload("empty.jpg", size=0)), a_claim(an_upload("cat.jpg"))])

    refused, kept = (json.loads(line) for line in batch.index().splitlines())
    assert (refused["n"], refused["key"], refused["status"]) == (0, "empty.jpg", "UNSUPPORTED")
    assert refused["error"] == {"code": "EmptyObject", "message": "the object has no bytes"}
    assert "error" not in kept
    assert [json.loads(line) for line in batch.manifest().splitlines()] == [{"source-ref": "s3://uploads/cat.jpg"}]


def test_the_workflow_and_results_have_a_file_each_with_what_they_need() -> None:
    lane = a_lane(
        name="avatars",
        min_confidence=20.0,
        engine=Engine.BULK,
        adapter=ADAPTER,
        samples=0.25,
        job_deadline_seconds=60,
        policy_overrides=(("kids/", "strict"),),
        formats=(ImageFormat.GIF, ImageFormat.WEBP),
        max_frames=3,
    )
    batch = a_batch([a_claim(an_upload("empty.jpg", size=0)), a_claim()], lane=lane)

    assert json.loads(batch.execution("work")) == {
        "uploads": 2,
        "analyzable": 1,
        "min_confidence": 20.0,
        "engine": "bulk",
        "adapter": ADAPTER,
        "formats": ["GIF", "WEBP"],
        "max_frames": 3,
        "job_deadline_seconds": 60,
        "manifest": {"bucket": "work", "key": "batches/batch-1/manifest.jsonl"},
        "output": {"bucket": "work", "prefix": "batches/batch-1/analysis/bulk"},
    }
    assert json.loads(batch.terms()) == {
        "schema": "gatehouse.batch/4",
        "batch_id": "batch-1",
        "lane": "avatars",
        "created_at": "2026-11-22T12:00:00.000Z",
        "uploads": 2,
        "min_confidence": 20.0,
        "engine": "bulk",
        "priority": "live",
        "adapter": ADAPTER,
        "samples": 0.25,
        "formats": ["GIF", "WEBP"],
        "policy": "standard",
        "policy_overrides": {"kids/": "strict"},
        "policies": {"standard": a_policy().to_document(), "strict": a_policy().to_document()},
    }


@given(
    found=st.lists(UPLOADS, min_size=1, max_size=6, unique_by=lambda upload: upload.identity), attempt=st.integers(1, 4)
)
def test_a_batch_survives_its_files(found: list[Upload], attempt: int) -> None:
    batch = a_batch([a_claim(upload, attempt=attempt) for upload in found])

    terms = read_terms(batch.terms().encode())

    assert terms.policies == batch.policies
    assert terms.policy_for("cat.jpg").hash == a_policy().hash
    assert tuple(read_index(terms, batch.index().encode().splitlines())) == batch.uploads


def test_uploads_keep_their_numbers_and_all_else_among_the_leftovers() -> None:
    older, newer, empty = an_upload(sequencer="1"), an_upload(sequencer="2"), an_upload("empty.jpg", size=0)
    batch = a_batch([a_claim(upload, attempt=2) for upload in (newer, empty, older)])
    leftovers = [batch.uploads[2], batch.uploads[0]]

    lines = index_lines(leftovers).splitlines()

    assert list(read_index(read_terms(batch.terms()), lines)) == leftovers


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema": "gatehouse.batch/1"}', '{"schema": "gatehouse.batch/2"}', b"\xff"]
)
def test_terms_of_another_version_are_refused(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_terms(text)


def test_terms_of_another_version_name_the_one_that_is_read() -> None:
    with pytest.raises(ValueError, match=r"not gatehouse\.batch/4; was this batch written by another"):
        read_terms('{"schema": "gatehouse.batch/1"}')


def _policy(name: str, review: float) -> Policy:
    return Policy.from_document({"name": name, "version": "1", "default": {"review": review}})


@given(
    lane_asks=CONFIDENCES,
    reviews=st.fixed_dictionaries(dict.fromkeys(("permissive", "standard", "strict"), CONFIDENCES)),
    overrides=st.dictionaries(KEYS, st.sampled_from(["permissive", "standard", "strict"]), max_size=4),
    key=KEYS,
)
def test_a_batch_keeps_its_lanes_policies_and_asks_for_the_least_of_their_thresholds(
    lane_asks: float, reviews: dict[str, float], overrides: dict[str, str], key: str
) -> None:
    lane = a_lane(min_confidence=lane_asks, policy_overrides=tuple(overrides.items()))
    policies = {name: _policy(name, review) for name, review in reviews.items()}
    batch = Batch.of("batch-1", lane, policies, "2026-11-22T12:00:00.000Z", [a_claim(an_upload(key))])

    terms = read_terms(batch.terms())

    assert terms.min_confidence == batch.min_confidence
    assert terms.min_confidence == min(lane_asks, 50.0, *(reviews[name] for name in lane.policies))
    assert dict(terms.policies) == {name: policies[name] for name in lane.policies}
    for entry in (key, *overrides, "elsewhere"):
        assert terms.policy_for(entry) == policies[lane.policy_for(entry)]


def test_a_batch_cannot_do_without_a_policy_of_its_lane() -> None:
    with pytest.raises(KeyError, match="strict"):
        Batch.of("batch-1", a_lane(policy="strict"), {"standard": a_policy()}, "2026-11-22T12:00:00.000Z", [a_claim()])


@pytest.mark.parametrize("status", ["APPROVED", "REVIEW", "BLOCKED", "PENDING"])
def test_an_index_can_refuse_an_upload_but_never_approve_one(status: str) -> None:
    batch = a_batch([a_claim(an_upload(size=0))])
    terms, _ = terms_and_index(batch)

    with pytest.raises(ValueError, match=status):
        list(read_index(terms, [batch.index().replace("UNSUPPORTED", status)]))
