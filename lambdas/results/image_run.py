"""A run of the image engine: one pass over a batch, chunk by chunk."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from gatehouse.aws.work_bucket import WorkBucket
from gatehouse.moderation.batch import MAX_UPLOADS, BatchSettings, BatchUpload
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
        uploads: how many the pass was to go through.
        chunks: of the pass, in order.
        failures: chunk's first line -> why the chunk was given up.
    """

    image_pass: ImagePass
    uploads: int
    chunks: tuple[Chunk, ...]
    failures: Mapping[int, Failure]

    @classmethod
    def parse(cls, batch_id: str, document: Mapping[str, Any]) -> "ImageRun":
        """Read what the workflow says of the pass.

        Raises:
            KeyError, TypeError, ValueError: it is not the workflow's.
        """
        image_pass, size, uploads = ImagePass(document["pass"]), whole(document["size"]), whole(document["uploads"])
        if uploads > MAX_UPLOADS:
            raise ValueError(f"{uploads} uploads, where a batch has {MAX_UPLOADS} at most")
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
        """A chunk may be given up, and never the pass as a whole."""
        return

    def size(self, settings: BatchSettings) -> int:
        """The whole batch, or what was written down for a later pass."""
        return settings.uploads if self.image_pass is ImagePass.FIRST else self.uploads

    def answers(self, work: WorkBucket, index: Sequence[BatchUpload]) -> ImageAnswers:
        """What the chunks' result files say, and for what they don't, why the chunk was given up.

        Raises:
            ClientError: S3 does not let us read one.
        """
        answers = ImageAnswers()
        with ThreadPoolExecutor(_PARALLEL_READS) as threads:
            for chunk, lines in zip(self.chunks, threads.map(work.read_results, self.chunks), strict=True):
                answers.add_results(lines)
                if failure := self.failures.get(chunk.first):
                    answers.add_failure(index[chunk.first : chunk.first + chunk.size], failure)
        return answers

    def next_pass(self, settings: BatchSettings) -> ImagePass | None:
        """The stragglers' next one; None after the last."""
        return self.image_pass.next_for_stragglers(settings.priority)
