"""A run of an engine over a batch that has ended, well or not: what a settlement asks it."""

from collections.abc import Sequence
from typing import Protocol

from gatehouse.aws.work_bucket import WorkBucket
from gatehouse.moderation.batch import BatchSettings, BatchUpload
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.failure import Failure
from gatehouse.moderation.image_pass import ImagePass
from gatehouse.moderation.matching import Answers


class EngineRun(Protocol):
    """One engine's run over a batch, or over a part of it."""

    @property
    def engine(self) -> Engine:
        """Which one it was."""
        ...

    @property
    def failure(self) -> Failure | None:
        """Why the run as a whole gave nothing, or None."""
        ...

    @property
    def image_pass(self) -> ImagePass:
        """The pass whose index lists the run's uploads."""
        ...

    def size(self, settings: BatchSettings) -> int:
        """How many uploads that index has to have."""
        ...

    def answers(self, work: WorkBucket, index: Sequence[BatchUpload]) -> Answers:
        """What it said, read from where it wrote it.

        Raises:
            ClientError: it can't be read now.
        """
        ...

    def next_pass(self, settings: BatchSettings) -> ImagePass | None:
        """The image engine's pass over what may get an answer later; None if what this run said is final."""
        ...
