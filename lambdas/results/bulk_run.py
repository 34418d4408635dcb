"""A run of Bulk Analysis: one media analysis job for the whole batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gatehouse.aws.work_bucket import WorkBucket
from gatehouse.moderation.batch import BatchTerms, BatchUpload
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
    """A media analysis job that has succeeded or failed.

    Attributes:
        job_id: None if none was started.
        results: the result file, as GetMediaAnalysisJob named it.
        summary: the manifest summary, as GetMediaAnalysisJob named it.
        failure: why the job as a whole failed, or None.
    """

    job_id: str | None = None
    results: Location | None = None
    summary: Location | None = None
    failure: Failure | None = None

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> "BulkRun":
        """Read the workflow's description of the job.

        Raises:
            KeyError, TypeError, ValueError: the workflow did not write it.
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

    def size(self, terms: BatchTerms) -> int:
        """The whole batch."""
        return terms.uploads

    def answers(self, work: WorkBucket, index: Sequence[BatchUpload]) -> BulkAnswers:  # noqa: ARG002 - the file says all
        """The job's answers.

        Raises:
            ClientError: a file can't be read.
        """
        answers = BulkAnswers(self.job_id, self.failure)
        if self.results and not self.failure:
            # If a file is missing, no upload has an answer, and the image engine analyzes them.
            answers.add_results(work.optional_lines(self.results.bucket, self.results.key))
        if self.summary:
            answers.add_summary(work.read_optional(self.summary.bucket, self.summary.key) or b"")
        return answers

    def next_pass(self, terms: BatchTerms) -> ImagePass:  # noqa: ARG002 - in every lane
        """The leftovers'."""
        return ImagePass.LEFTOVERS


def _location(document: Mapping[str, str] | None) -> Location | None:
    return Location(text(document["bucket"]), text(document["key"])) if document else None
