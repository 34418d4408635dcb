import hashlib

import pytest
from botocore.exceptions import ClientError

from gatehouse.moderation.batch import MAX_UPLOADS, execution_key, read_terms, terms_key
from gatehouse.moderation.chunk import Chunk
from gatehouse.moderation.image_pass import ImagePass
from gatehouse.moderation.payload import MAX_PAYLOAD_BYTES, PayloadTooLargeError
from gatehouse.moderation.policy import taxonomy
from gatehouse.moderation.policy.policy_pointer import PolicyPointer
from tests.unit.aws_calls import Killed
from tests.unit.builders import a_batch, a_claim, a_lane, a_policy, an_upload, uploads
from tests.unit.conftest import WORK, Storage

BATCH = a_batch([a_claim(upload) for upload in uploads(3)] + [a_claim(an_upload("\u2028 é\r\n\x85.jpg"))])


def test_a_batch_is_read_back_as_it_was_written(storage: Storage) -> None:
    storage.work.write(BATCH)

    terms = storage.work.read_terms("batch-1")

    assert terms == read_terms(BATCH.terms())
    assert tuple(storage.work.read_index(terms)) == BATCH.uploads
    assert len(list(storage.work.lines(WORK, "batches/batch-1/manifest.jsonl"))) == 4


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_chunks_read_their_own_lines_of_an_index(storage: Storage, size: int) -> None:
    storage.work.write(BATCH)
    chunks = [Chunk("batch-1", ImagePass.FIRST, first, size) for first in range(0, 4, size)]

    read = [image.n for chunk in chunks for image in storage.work.read_images(chunk)]

    assert read == [0, 1, 2, 3]
    assert storage.calls.made["HeadObject"] == len(chunks) - 1


def test_an_index_without_marks_is_read_from_its_beginning(storage: Storage) -> None:
    """One that was written before there were any."""
    storage.s3.put_object(Bucket=WORK, Key="batches/batch-1/uploads.jsonl", Body=BATCH.index().encode())

    assert [image.n for image in storage.work.read_images(Chunk("batch-1", ImagePass.FIRST, 2, 2))] == [2, 3]


def test_what_the_workflow_reads_grows_neither_with_policies_nor_with_uploads(storage: Storage) -> None:
    rules = {label: {"review": 50.125, "block": 90.125} for label in taxonomy.PARENTS}
    overrides = tuple((f"{n:03}/", f"{'p' * 40}-{n:03}") for n in range(100))
    batch = a_batch(
        [a_claim(upload) for upload in uploads(MAX_UPLOADS)],
        a_lane(policy_overrides=overrides, adapter="a" * 512),
        a_policy(rules),
    )

    storage.work.write(batch)

    sizes = {
        name: storage.s3.head_object(Bucket=WORK, Key=key)["ContentLength"]
        for name, key in (("workflow", execution_key("batch-1")), ("results", terms_key("batch-1")))
    }
    assert sizes["results"] > MAX_PAYLOAD_BYTES
    assert sizes["workflow"] < 1500


@pytest.mark.parametrize("text", ["x" * 260_000, '"' * 130_000, "é" * 130_000], ids=["long", "escaped", "two bytes"])
def test_a_batch_that_the_workflow_could_not_read_is_refused_before_anything_is_written(
    storage: Storage, text: str
) -> None:
    batch = a_batch([a_claim()], a_lane(adapter=text))

    with pytest.raises(
        PayloadTooLargeError, match=r"^batches/batch-1/execution\.json takes \d+ bytes as a task's result"
    ):
        storage.work.write(batch)

    assert storage.calls.made["PutObject"] == 0


@pytest.mark.parametrize("nth", [1, 2, 3, 4])
def test_a_batch_exists_once_its_last_file_does(storage: Storage, nth: int) -> None:
    storage.calls.kill("PutObject", "before", nth)

    with pytest.raises(Killed):
        storage.work.write(BATCH)
    assert not storage.work.has("batch-1")

    storage.work.write(BATCH)
    assert storage.work.has("batch-1")


def test_whether_a_batch_exists_is_not_guessed(storage: Storage) -> None:
    storage.calls.answer_next("HeadObject", {"Error": {"Code": "403", "Message": "Forbidden"}}, 403)

    with pytest.raises(ClientError):
        storage.work.has("batch-1")


def test_a_policy_is_found_as_it_was_recorded(storage: Storage) -> None:
    policy = a_policy()
    pointer = PolicyPointer.to_shipped(policy)
    assert storage.work.find_policy(pointer) is None

    storage.work.record_policy(policy)

    assert storage.work.find_policy(pointer) == policy
    body = storage.s3.get_object(Bucket=WORK, Key=f"policies/{policy.hash}.json")["Body"].read()
    assert hashlib.sha256(body).hexdigest() == policy.hash


def test_a_recorded_policy_is_not_written_again(storage: Storage) -> None:
    storage.work.record_policy(a_policy())
    storage.work.record_policy(a_policy())

    assert storage.calls.made["PutObject"] == 1


def test_a_recorded_policy_that_may_not_be_read_is_not_taken_for_absent(storage: Storage) -> None:
    denied = {"Error": {"Code": "AccessDenied", "Message": "Forbidden"}}
    storage.calls.answer_next("GetObject", denied, 403)

    with pytest.raises(ClientError):
        storage.work.find_policy(PolicyPointer.to_shipped(a_policy()))


def test_an_optional_object_may_be_absent(storage: Storage) -> None:
    storage.s3.put_object(Bucket=WORK, Key="there", Body=b"text")

    assert storage.work.read_optional(WORK, "there") == b"text"
    assert storage.work.read_optional(WORK, "not there") is None


def test_an_absent_result_file_is_an_error_and_not_an_empty_one(storage: Storage) -> None:
    with pytest.raises(ClientError):
        list(storage.work.lines(WORK, "not there"))


def test_lines_longer_than_a_read_stay_whole(storage: Storage) -> None:
    lines = [b"a" * 100_000, b"", b"b" * 65_536, b"c"]
    storage.s3.put_object(Bucket=WORK, Key="lines", Body=b"\n".join(lines))

    assert list(storage.work.lines(WORK, "lines")) == lines
