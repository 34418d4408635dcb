import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatehouse.moderation.analysis import ImageError, answer_line, error_line, parse_result_line
from gatehouse.moderation.batch import index_lines
from gatehouse.moderation.chunk import Chunk, ChunkImage, ChunkLine, ChunkMessage, ChunkMessageError, chunk_lines
from gatehouse.moderation.image_pass import ImagePass
from gatehouse.moderation.rendition import DEFAULT_FRAMES
from gatehouse.moderation.upload import Upload
from tests.unit.builders import ADAPTER, a_batch, a_claim, an_answer, an_upload, result_line, uploads
from tests.unit.moderation.test_upload import JSON, KEYS

BATCH = a_batch(
    [a_claim(upload) for upload in [*uploads(5), an_upload("empty.jpg", size=0), *uploads(2, bucket="b-2")]]
)
MESSAGE: dict[str, Any] = {
    "token": "token-1",
    "batch_id": "batch-1",
    "pass": "first",
    "first": 100,
    "size": 50,
    "min_confidence": 30,
    "adapter": None,
}
FIELDS = st.sampled_from(sorted(MESSAGE))
TEXT = st.text(st.characters())  # half a surrogate pair among others: JSON can escape it
OUTSIDERS = JSON.map(json.dumps) | st.text() | st.integers().map(lambda exponent: f"1{'0' * (exponent % 5000)}")


def _chunk(first: int, size: int, image_pass: ImagePass = ImagePass.FIRST) -> Chunk:
    return Chunk("batch-1", image_pass, first, size)


def _index() -> list[bytes]:
    return BATCH.index().encode().splitlines()


def test_a_passs_chunks_lie_together_each_under_its_first_line() -> None:
    first, leftovers = _chunk(100, 50), _chunk(0, 25, ImagePass.LEFTOVERS)

    assert first.index_key == "batches/batch-1/uploads.jsonl"
    assert first.results_key == "batches/batch-1/analysis/image/first/100.jsonl"
    assert leftovers.index_key == "batches/batch-1/leftovers.jsonl"
    assert leftovers.results_key == "batches/batch-1/analysis/image/leftovers/0.jsonl"


def test_a_chunk_is_a_stretch_of_its_index() -> None:
    images = list(_chunk(1, 2).images(_index()))

    assert images == [ChunkImage(n, BATCH.uploads[n].claim.upload) for n in (1, 2)]


def test_a_refused_upload_is_not_worth_a_call() -> None:
    assert [image.n for image in _chunk(4, 3).images(_index())] == [4, 6]


@pytest.mark.parametrize("version_id", ["null", '"null"'], ids=["no version id", "a text that means none"])
def test_an_older_upload_whose_bytes_are_gone_is_not_worth_one(version_id: str) -> None:
    batch = a_batch([a_claim(an_upload(sequencer=sequencer)) for sequencer in ("2", "1")])
    index = batch.index().replace('"version_id":null', f'"version_id":{version_id}')

    assert [image.n for image in _chunk(0, 2).images(index.encode().splitlines())] == [0]


def test_an_older_version_of_an_object_is_worth_one() -> None:
    batch = a_batch([a_claim(an_upload(sequencer=f"{n}", version_id=f"version-{n}")) for n in range(2)])

    assert [image.n for image in _chunk(0, 2).images(batch.index().encode().splitlines())] == [0, 1]


@given(
    found=st.lists(
        st.builds(
            an_upload,
            st.sampled_from(["cat.jpg", "dog.jpg"]),
            sequencer=st.sampled_from("123456789"),
            version_id=st.sampled_from([None, "version-1"]),
            size=st.sampled_from([0, 1000]),
        ),
        min_size=1,
        max_size=8,
        unique_by=lambda upload: upload.identity,
    )
)
def test_a_chunk_asks_about_the_uploads_that_are_neither_refused_nor_overwritten(found: list[Upload]) -> None:
    batch = a_batch([*map(a_claim, found)])

    images = [image.n for image in _chunk(0, 8).images(batch.index().encode().splitlines())]

    assert images == [entry.n for entry in batch.uploads if not entry.refusal and not entry.is_overwritten]


def test_leftovers_keep_their_numbers_in_the_batch() -> None:
    index = index_lines([BATCH.uploads[n] for n in (1, 3, 7)]).encode().splitlines()

    assert [image.n for image in _chunk(1, 2, ImagePass.LEFTOVERS).images(index)] == [3, 7]


@given(size=st.integers(1, 10))
def test_chunks_of_any_size_cover_a_batch_once(size: int) -> None:
    found = [image.n for first in range(0, 8, size) for image in _chunk(first, size).images(_index())]

    assert found == [entry.n for entry in BATCH.uploads if not entry.refusal]


@pytest.mark.parametrize("adapter", [None, ADAPTER])
def test_the_workflows_message_is_read(adapter: str | None) -> None:
    message = ChunkMessage.parse(json.dumps(MESSAGE | {"adapter": adapter, "min_confidence": 12.5}))

    assert message == ChunkMessage("token-1", _chunk(100, 50), 12.5, adapter)


@given(
    message=st.builds(
        ChunkMessage,
        token=TEXT,
        chunk=st.builds(Chunk, TEXT, st.sampled_from(ImagePass), st.integers(0, 10_000), st.integers(1, 100)),
        min_confidence=st.floats(0, 100),
        adapter=st.none() | TEXT,
    )
)
def test_a_message_survives_being_put_back(message: ChunkMessage) -> None:
    assert ChunkMessage.parse(message.to_body()) == message


def test_a_message_that_is_put_back_says_what_the_workflow_said() -> None:
    said = MESSAGE | {"adapter": ADAPTER, "formats": ["GIF", "WEBP"], "max_frames": 3}

    assert json.loads(ChunkMessage.parse(json.dumps(said)).to_body()) == said


def test_a_workflow_from_before_there_was_a_renderer_has_nothing_rendered() -> None:
    message = ChunkMessage.parse(json.dumps(MESSAGE))

    assert (message.formats, message.max_frames) == (frozenset(), DEFAULT_FRAMES)


@pytest.mark.parametrize(
    "fields",
    [
        {"formats": ["JXL"]},
        {"formats": "WEBP"},
        {"max_frames": 0},
        {"max_frames": 101},
        {"token": None},
        {"token": 1},
        {"batch_id": None},
        {"pass": "second"},
        {"pass": None},
        {"pass": {}},
        {"first": "0"},
        {"first": None},
        {"first": True},
        {"size": 1.5},
        {"size": []},
        {"min_confidence": None},
        {"min_confidence": "much"},
        {"min_confidence": {}},
        {"adapter": 1},
        {"adapter": []},
    ],
)
def test_a_message_with_a_field_of_another_kind_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ChunkMessageError, match="not a message of the workflow"):
        ChunkMessage.parse(json.dumps(MESSAGE | fields))


@pytest.mark.parametrize("missing", sorted(MESSAGE))
def test_a_message_that_lacks_a_field_is_refused(missing: str) -> None:
    with pytest.raises(ChunkMessageError, match=missing):
        ChunkMessage.parse(json.dumps({name: value for name, value in MESSAGE.items() if name != missing}))


@pytest.mark.parametrize("body", ["", "{", "[]", "null", "0", '"text"', "{}", "[" * 100_000, "9" * 5000])
def test_a_message_that_is_none_is_refused(body: str) -> None:
    with pytest.raises(ChunkMessageError):
        ChunkMessage.parse(body)


@given(body=OUTSIDERS)
def test_no_message_raises_anything_but_its_own_error(body: str) -> None:
    with pytest.raises(ChunkMessageError):
        ChunkMessage.parse(body)


@given(field=FIELDS, value=JSON | TEXT)
def test_no_field_of_a_message_raises_anything_but_its_error(field: str, value: object) -> None:
    try:
        message = ChunkMessage.parse(json.dumps(MESSAGE | {field: value}))
    except ChunkMessageError:
        return
    assert isinstance(message.min_confidence, float)


def test_whole_numbers_may_be_written_with_a_point() -> None:
    plain = ChunkMessage.parse(json.dumps(MESSAGE | {"first": 50, "size": 25}))

    assert ChunkMessage.parse(json.dumps(MESSAGE | {"first": 50.0, "size": 25.0})) == plain


def test_a_confidence_too_large_for_a_number_is_refused() -> None:
    with pytest.raises(ChunkMessageError):
        ChunkMessage.parse(json.dumps(MESSAGE | {"min_confidence": 10**400}))


UPLOADS = st.builds(an_upload, KEYS)


@given(found=st.lists(UPLOADS, max_size=5))
def test_every_line_that_was_paid_for_is_found_again_as_it_was(found: list[Upload]) -> None:
    lines = {}
    for n, upload in enumerate(found):
        failed_calls = (0, 0, 0, 3)[n % 4]
        line = answer_line(upload.object, n, an_answer({"Violence": 70.0}))
        if n % 2:
            line = error_line(upload.object, n, ImageError("InternalServerError", "try later"), failed_calls)
        lines[n] = ChunkLine(line, failed_calls)
    written = "".join(f"{line.text}\n" for line in lines.values()).encode()

    again = chunk_lines(written.splitlines())

    assert again == lines
    assert [parse_result_line(line.text).source for line in again.values()] == [upload.object for upload in found]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        answer_line("s3://uploads/cat.jpg", 0, {}),
        json.dumps({"source-ref": "s3://uploads/cat.jpg", "n": 0}),
        json.dumps({"source-ref": "s3://uploads/cat.jpg", "n": 0, "error": {"code": "X"}}),
        json.dumps({"source-ref": "s3://uploads/cat.jpg", "n": "0", "detect-moderation-labels": an_answer()}),
        result_line("s3://uploads/cat.jpg"),
    ],
)
def test_a_line_that_says_nothing_of_a_numbered_upload_is_asked_for_again(line: str) -> None:
    assert chunk_lines([line.encode()]) == {}


def test_half_a_line_costs_no_other() -> None:
    whole = [answer_line(f"s3://uploads/{n}.jpg", n, an_answer()) for n in range(3)]

    assert set(chunk_lines([whole[0].encode(), whole[1].encode()[:-9], whole[2].encode()])) == {0, 2}


@given(lines=st.lists(OUTSIDERS.map(lambda text: text.encode(errors="surrogatepass")) | st.binary()))
def test_no_result_file_raises_or_passes_for_answers(lines: list[bytes]) -> None:
    assert chunk_lines(lines) == {}


@given(
    member=st.sampled_from(["source-ref", "n", "error", "detect-moderation-labels"]),
    value=JSON | TEXT,
    encoding=st.sampled_from(["utf-8", "utf-8-sig"]),
)
def test_no_member_of_a_result_line_raises(member: str, value: object, encoding: str) -> None:
    document = {"source-ref": "s3://uploads/cat.jpg", "n": 0, "detect-moderation-labels": an_answer()}

    found = chunk_lines([json.dumps(document | {member: value}).encode(encoding)])

    assert len(found) <= 1


@pytest.mark.parametrize(("encoding", "text"), [("utf-16", "cat"), ("utf-32", "cat"), ("utf-8", "\ud800")])
def test_a_line_in_another_encoding_does_not_raise(encoding: str, text: str) -> None:
    line = json.dumps({"source-ref": text, "n": 0, "detect-moderation-labels": an_answer()}, ensure_ascii=False)

    assert len(chunk_lines([line.encode(encoding, errors="surrogatepass")])) <= 1


@pytest.mark.parametrize(
    "fields", [{"first": -25}, {"size": -1}, {"size": 10**30}, {"min_confidence": "NaN"}, {"min_confidence": 101}]
)
def test_a_message_that_no_index_or_call_could_follow_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ChunkMessageError):
        ChunkMessage.parse(json.dumps(MESSAGE | fields))
