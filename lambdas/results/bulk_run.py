"""A run of Bulk Analysis: one media analysis job for the whole batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gatehouse.aws.work_bucket import WorkBucket
from gatehouse.moderation.batch import BatchSettings, BatchUpload
from gatehouse.moderation.document import optional_text, text
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.failure import Failure
from gatehouse.moderation.image_pass import ImagePass
from gatehouse.moderation.matching import BulkAnswers


@dataclass(frozen=True, slots=True)
class Location:
    """An S3 object an engine wrote."""

    bucket: str
    key: str


@dataclass(frozen=True, slots=True)
class BulkRun:
    """A media analysis job that has ended, well or not.

    Attributes:
        job_id: None if none was started.
        results: the result file, as GetMediaAnalysisJob named it.
        summary: the manifest summary, as GetMediaAnalysisJob named it.
        failure: why the job as a whole gave nothing, or None.
    """

    job_id: str | None = None
    results: Location | None = None
    summary: Location | None = None
    failure: Failure | None = None

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> "BulkRun":
        """Read what the workflow says of the job.

        Raises:
            KeyError, TypeError, ValueError: it is not the workflow's.
        """
        failure = document["failure"]
        return cls(
            job_id=optional_text(document["job_id"]),
            results=_location(document["results"]),
            summary=_location(document["summary"]),
            failure=Failure.reported(failure["code"], failure["message"]) if failure else None,
        )

    @property
    def engine(self) -> Engine:
        """Bulk Analysis."""
        return Engine.BULK

    @property
    def image_pass(self) -> ImagePass:
        """All uploads."""
        return ImagePass.FIRST

    def size(self, settings: BatchSettings) -> int:
        """The whole batch."""
        return settings.uploads

    def answers(self, work: WorkBucket, index: Sequence[BatchUpload]) -> BulkAnswers:  # noqa: ARG002 - the file says all
        """What the job's files say.

        Raises:
            ClientError: S3 does not let us read one.
        """
        answers = BulkAnswers(self.job_id, self.failure)
        if self.results and not self.failure:
            # A file that is gone leaves every upload without an answer: the image engine gives them one.
            answers.add_results(work.optional_lines(self.results.bucket, self.results.key))
        if self.summary:
            answers.add_summary(work.read_optional(self.summary.bucket, self.summary.key) or b"")
        return answers

    def next_pass(self, settings: BatchSettings) -> ImagePass:  # noqa: ARG002 - in every lane
        """The leftovers'."""
        return ImagePass.LEFTOVERS


def _location(document: Mapping[str, str] | None) -> Location | None:
    return Location(text(document["bucket"]), text(document["key"])) if document else None
