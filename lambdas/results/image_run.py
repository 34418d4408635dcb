"""A run of the image engine: one pass over a batch, chunk by chunk."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from gatehouse.aws.work_bucket import WorkBucket
from gatehouse.moderation.batch import MAX_UPLOADS, BatchTerms, BatchUpload
from gatehouse.moderation.chunk import Chunk
from gatehouse.moderation.document import whole
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.failure import Failure
from gatehouse.moderation.image_pass import ImagePass
from gatehouse.moderation.matching import ImageAnswers

_PARALLEL_READS = 16


@dataclass(frozen=True, slots=True)
class ImageRun:
    """A pass of the image engine that has ended.

    Attributes:
        uploads: number of uploads in the pass.
        chunks: of the pass, in order.
        failures: chunk's first line -> why the chunk was given up.
    """

    image_pass: ImagePass
    uploads: int
    chunks: tuple[Chunk, ...]
    failures: Mapping[int, Failure]

    @classmethod
    def parse(cls, batch_id: str, document: Mapping[str, Any]) -> "ImageRun":
        """Read the workflow's description of the pass.

        Raises:
            KeyError, TypeError, ValueError: the workflow did not write it.
        """
        image_pass, size, uploads = ImagePass(document["pass"]), whole(document["size"]), whole(document["uploads"])
        if uploads > MAX_UPLOADS:
            raise ValueError(f"{uploads} uploads; a batch has at most {MAX_UPLOADS}")
        return cls(
            image_pass,
            uploads,
            tuple(Chunk(batch_id, image_pass, first, size) for first in range(0, uploads, size)),
            {
                whole(failure["first"]): Failure.reported(failure["code"], failure["message"])
                for failure in document["failures"]
            },
        )

    @property
    def engine(self) -> Engine:
        """The image engine."""
        return Engine.IMAGE

    @property
    def failure(self) -> None:
        """None: chunks can fail, but not the pass as a whole."""
        return

    def size(self, terms: BatchTerms) -> int:
        """The whole batch, or the recorded size of a later pass."""
        return terms.uploads if self.image_pass is ImagePass.FIRST else self.uploads

    def answers(self, work: WorkBucket, index: Sequence[BatchUpload]) -> ImageAnswers:
        """The answers in the chunks' result files; for other uploads, why their chunk was given up.

        Raises:
            ClientError: a file can't be read.
        """
        answers = ImageAnswers()
        with ThreadPoolExecutor(_PARALLEL_READS) as threads:
            for chunk, lines in zip(self.chunks, threads.map(work.read_results, self.chunks), strict=True):
                answers.add_results(lines)
                if failure := self.failures.get(chunk.first):
                    answers.add_failure(index[chunk.first : chunk.first + chunk.size], failure)
        return answers

    def next_pass(self, terms: BatchTerms) -> ImagePass | None:
        """The next pass over stragglers; None after the last."""
        return self.image_pass.next_for_stragglers(terms.priority)
