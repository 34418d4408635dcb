"""A completed or failed run of an engine over a batch, as settlement needs it."""

from collections.abc import Sequence
from typing import Protocol

from gatehouse.aws.work_bucket import WorkBucket
from gatehouse.moderation.batch import BatchTerms, BatchUpload
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.failure import Failure
from gatehouse.moderation.image_pass import ImagePass
from gatehouse.moderation.matching import Answers


class EngineRun(Protocol):
    """One engine's run over a batch, or over a part of it."""

    @property
    def engine(self) -> Engine:
        """The engine that ran."""
        ...

    @property
    def failure(self) -> Failure | None:
        """Why the run as a whole failed, or None."""
        ...

    @property
    def image_pass(self) -> ImagePass:
        """The pass whose index lists the run's uploads."""
        ...

    def size(self, terms: BatchTerms) -> int:
        """The number of uploads that the index must have."""
        ...

    def answers(self, work: WorkBucket, index: Sequence[BatchUpload]) -> Answers:
        """The engine's answers, read from its result files.

        Raises:
            ClientError: a file can't be read.
        """
        ...

    def next_pass(self, terms: BatchTerms) -> ImagePass | None:
        """The image engine's pass over uploads that may still get an answer; None if this run's answers are final."""
        ...
