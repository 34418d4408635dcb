"""The work bucket: a batch's files, an engine's results, and every policy that was used."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from gatehouse.moderation.batch import (
    Batch,
    BatchTerms,
    BatchUpload,
    execution_key,
    index_lines,
    manifest_key,
    read_index,
    read_terms,
    terms_key,
    uploads_key,
)
from gatehouse.moderation.chunk import Chunk, ChunkImage, ChunkLine, chunk_lines
from gatehouse.moderation.image_pass import ImagePass
from gatehouse.moderation.line_marks import LineMarks, Stretch
from gatehouse.moderation.open_batch import OPEN_PREFIX, OpenBatch, named_by
from gatehouse.moderation.payload import check_readable
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.policy_pointer import (
    PolicyPointer,
    PolicyPointerError,
    policy_key,
    read_recorded_policy,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef, ObjectTypeDef


#: The metadata of an index that says where its lines begin.
_MARKS = "marks"


class WorkBucket:
    """Reads and writes batches.

    Args:
        client: an S3 client.
        name: of the bucket.
    """

    def __init__(self, client: "S3Client", name: str) -> None:
        self._client = client
        self._name = name

    def write(self, batch: Batch) -> None:
        """Write a batch's files, `batch.json` last: where it exists, the others do.

        Raises:
            PayloadTooLargeError: execution.json is too large for the workflow to read. Nothing was written.
        """
        execution = batch.execution(self._name)
        check_readable(execution_key(batch.batch_id), execution)
        self._put(manifest_key(batch.batch_id), batch.manifest(), "application/jsonlines")
        self._put_index(uploads_key(batch.batch_id), batch.index())
        self._put(execution_key(batch.batch_id), execution, "application/json")
        self._put(terms_key(batch.batch_id), batch.terms(), "application/json")

    def open(self, batch: OpenBatch) -> None:
        """Register a batch as open."""
        self._put(batch.key, batch.to_text(), "application/json")

    def close(self, key: str) -> None:
        """Remove an entry from the register of open batches, if it exists."""
        self._client.delete_object(Bucket=self._name, Key=key)

    def open_since(self, moment: datetime) -> Iterator[tuple[str, str, datetime]]:
        """Lane, id and time of registration of the batches that have been open since `moment` or longer."""
        for entry in self._listed(OPEN_PREFIX):
            named = named_by(entry["Key"])
            if named and entry["LastModified"] <= moment:
                yield *named, entry["LastModified"]

    def read_open(self, key: str) -> OpenBatch | None:
        """Read an entry of the register; None if it is gone.

        Raises:
            ValueError: the object is not an entry.
        """
        text = self.read_optional(self._name, key)
        if text is None:
            return None
        batch = OpenBatch.parse(text)
        if batch.key != key:
            raise ValueError(f"the entry {key} is about another batch")
        return batch

    def has(self, batch_id: str) -> bool:
        """Whether a batch's files are complete."""
        return self._modified(terms_key(batch_id)) is not None

    def read_terms(self, batch_id: str) -> BatchTerms:
        """Read a batch's terms."""
        return read_terms(self._terms(batch_id))

    def read_index(self, terms: BatchTerms, image_pass: ImagePass = ImagePass.FIRST) -> Iterator[BatchUpload]:
        """Stream a batch's uploads: all of them, or those of a later pass of the image engine."""
        return read_index(terms, self.lines(self._name, image_pass.index_key(terms.batch_id)))

    def write_index(self, batch_id: str, image_pass: ImagePass, uploads: Sequence[BatchUpload]) -> None:
        """Write the index of a later pass of the image engine."""
        self._put_index(image_pass.index_key(batch_id), index_lines(uploads))

    def read_images(self, chunk: Chunk) -> list[ChunkImage]:
        """A chunk's uploads: of those after a batch's first, only the bytes about them are read."""
        stretch = self._stretch(chunk) if chunk.first else None
        if stretch is None:
            return list(chunk.images(self.lines(self._name, chunk.index_key)))
        found = self._client.get_object(Bucket=self._name, Key=chunk.index_key, Range=stretch.range)
        return list(chunk.images(found["Body"].read().splitlines(), stretch.line))

    def read_results(self, chunk: Chunk) -> list[bytes]:
        """The lines of a chunk's result file; none if nothing was analyzed yet."""
        return (self.read_optional(self._name, chunk.results_key) or b"").splitlines()

    def read_chunk_lines(self, chunk: Chunk) -> dict[int, ChunkLine]:
        """A chunk's existing result lines, by the uploads' numbers."""
        return chunk_lines(self.read_results(chunk))

    def write_results(self, chunk: Chunk, lines: Iterable[str]) -> None:
        """Write a chunk's whole result file: the lines must include the existing ones."""
        self._put(chunk.results_key, "".join(f"{line}\n" for line in lines), "application/jsonlines")

    def lines(self, bucket: str, key: str) -> Iterator[bytes]:
        """Stream the lines of a JSON Lines object; stopping early skips the rest."""
        with closing(self._client.get_object(Bucket=bucket, Key=key)["Body"]) as body:
            yield from body.iter_lines(chunk_size=64 * 1024)

    def optional_lines(self, bucket: str, key: str) -> Iterator[bytes]:
        """Stream the lines of a JSON Lines object; none if it does not exist."""
        try:
            yield from self.lines(bucket, key)
        except self._client.exceptions.NoSuchKey:
            return

    def read_optional(self, bucket: str, key: str) -> bytes | None:
        """Read a small object that may be absent."""
        found = self._found(bucket, key)
        return None if found is None else found["Body"].read()

    def record_policy(self, policy: Policy) -> datetime | None:
        """Store a policy's document under its hash, unless it is already stored.

        Returns:
            When it was stored, by S3's clock; None if it was stored just now.
        """
        kept = self._modified(policy_key(policy.hash))
        if kept is None:
            self._put(policy_key(policy.hash), policy.to_text(), "application/json")
        return kept

    def find_policy(self, pointer: PolicyPointer) -> Policy | None:
        """Read the recorded policy that a pointer names; None if it was never recorded.

        Raises:
            PolicyPointerError: the stored document is not that policy.
        """
        policy = self._recorded(pointer.hash)
        if policy is not None and policy.name != pointer.name:
            problem = f"which is of policy {policy.name}"
            raise PolicyPointerError(f"policy {pointer.name} points to {policy_key(pointer.hash)}, {problem}")
        return policy

    def _stretch(self, chunk: Chunk) -> Stretch | None:
        """Where a chunk's lines are in its index; None if nobody wrote it down, as before there were marks."""
        metadata = self._client.head_object(Bucket=self._name, Key=chunk.index_key).get("Metadata", {})
        marks = metadata.get(_MARKS)
        return None if marks is None else LineMarks.parse(marks).around(chunk.first, chunk.size)

    def _put_index(self, key: str, text: str) -> None:
        index = text.encode()
        self._client.put_object(
            Bucket=self._name,
            Key=key,
            Body=index,
            ContentType="application/jsonlines",
            Metadata={_MARKS: LineMarks.of(index).to_text()},
        )

    def _recorded(self, policy_hash: str) -> Policy | None:
        text = self.read_optional(self._name, policy_key(policy_hash))
        return None if text is None else read_recorded_policy(text, policy_hash)

    def _terms(self, batch_id: str) -> bytes:
        """The content of batch.json."""
        return self._client.get_object(Bucket=self._name, Key=terms_key(batch_id))["Body"].read()

    def _found(self, bucket: str, key: str) -> "GetObjectOutputTypeDef | None":
        """The answer of S3 about an object that may be absent."""
        try:
            return self._client.get_object(Bucket=bucket, Key=key)
        except self._client.exceptions.NoSuchKey:
            return None

    def _listed(self, prefix: str) -> Iterator["ObjectTypeDef"]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=prefix)
        return (entry for page in pages for entry in page.get("Contents", []))

    def _modified(self, key: str) -> datetime | None:
        """When an object was written; None if there is none."""
        try:
            return self._client.head_object(Bucket=self._name, Key=key)["LastModified"]
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            raise

    def _put(self, key: str, text: str, content_type: str) -> None:
        self._client.put_object(Bucket=self._name, Key=key, Body=text.encode(), ContentType=content_type)
