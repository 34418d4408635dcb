"""Media analysis jobs (Bulk Analysis), joined with the batches that started them.

Limits: ListMediaAnalysisJobs gives 100 jobs a page, newest first, and 5 pages a second; a job's details are kept for a
year (API reference; Developer Guide, to-process-images-in-bulk.html). botocore has no paginator for it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from gatehouse.aws.work_bucket import WorkBucket
from gatehouse.cli.errors import CommandError
from gatehouse.moderation.analysis import ResultLine, ResultLineError, parse_result_line
from gatehouse.moderation.batch import batch_of_manifest
from gatehouse.moderation.manifest_summary import ManifestSummary, parse_summary
from gatehouse.moderation.moment import iso

if TYPE_CHECKING:
    from gatehouse.cli.connection import Connection
    from gatehouse.cli.deployment import Deployment

_JOBS_A_PAGE = 100


@dataclass(frozen=True, slots=True)
class AnalysisJob:
    """A job.

    Attributes:
        status: CREATED, QUEUED, IN_PROGRESS, SUCCEEDED or FAILED.
        batch_id: of the deployment's batch that it is for; None for somebody else's job.
        created_at, completed_at: ISO 8601, UTC.
        failure: code and message of a FAILED job.
        adapter: ARN of the project version that was asked for.
        model_version: of the base model that answered.
        results, summary: bucket and key of the output files.
    """

    id: str
    status: str
    batch_id: str | None
    created_at: str
    completed_at: str | None
    failure: tuple[str, str] | None
    min_confidence: float | None
    adapter: str | None
    model_version: str | None
    manifest: tuple[str, str]
    results: tuple[str, str] | None
    summary: tuple[str, str] | None

    def to_document(self) -> dict[str, Any]:
        """The job for scripts."""
        code, message = self.failure or (None, None)
        return {
            "job_id": self.id,
            "status": self.status,
            "batch_id": self.batch_id,
            "created_at": self.created_at,
            "completed_at": self.completed_at,
            "failure": {"code": code, "message": message} if code else None,
            "min_confidence": self.min_confidence,
            "adapter": self.adapter,
            "model_version": self.model_version,
            "manifest": _uri(self.manifest),
            "results": _uri(self.results),
            "summary": _uri(self.summary),
        }


@dataclass(frozen=True, slots=True)
class AnalysisJobs:
    """The account's jobs, and the files of those that are a deployment's."""

    client: Any
    work: WorkBucket
    work_bucket: str

    @classmethod
    def of(cls, connection: "Connection", deployment: "Deployment") -> "AnalysisJobs":
        """The jobs as a deployment sees them."""
        work = WorkBucket(connection.client("s3"), deployment.work_bucket)
        return cls(connection.client("rekognition"), work, deployment.work_bucket)

    def listed(self, since: str) -> Iterator[AnalysisJob]:
        """Jobs that were created since then, newest first, page by page.

        Args:
            since: ISO 8601, UTC.

        Raises:
            CommandError: Bulk Analysis is not open to this account or caller.
            ClientError: a call failed.
        """
        following: dict[str, str] = {}
        while True:
            try:
                answer = self.client.list_media_analysis_jobs(MaxResults=_JOBS_A_PAGE, **following)
            except ClientError as error:
                raise _closed(error) from error
            for description in answer["MediaAnalysisJobs"]:
                job = self._job(description)
                if job.created_at < since:
                    return
                yield job
            if not answer.get("NextToken"):
                return
            following = {"NextToken": answer["NextToken"]}

    def find(self, job_id: str) -> AnalysisJob:
        """A job by its id.

        Raises:
            CommandError: there is none, or Bulk Analysis is not open to this account or caller.
            ClientError: the call failed.
        """
        try:
            return self._job(self.client.get_media_analysis_job(JobId=job_id))
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                raise CommandError(
                    f"There is no job {job_id} in this account and Region. Jobs are known for a year."
                ) from error
            raise _closed(error) from error

    def summary_of(self, job: AnalysisJob) -> ManifestSummary | None:
        """The job's summary; None if it has none, or none that can be read: it expires with the work bucket's files."""
        body = self.work.read_optional(*job.summary) if job.summary else None
        try:
            return None if body is None else parse_summary(body)
        except ValueError:
            return None

    def results_of(self, job: AnalysisJob) -> Iterator[ResultLine]:
        """The job's results, line by line; lines that can't be read are left out."""
        if job.results:
            for line in self.work.optional_lines(*job.results):
                try:
                    yield parse_result_line(line)
                except ResultLineError:
                    continue

    def _job(self, description: Mapping[str, Any]) -> AnalysisJob:
        options = description.get("OperationsConfig", {}).get("DetectModerationLabels", {})
        source, failure = description["Input"]["S3Object"], description.get("FailureDetails")
        completed: datetime | None = description.get("CompletionTimestamp")
        results = description.get("Results") or {}
        is_ours = source.get("Bucket") == self.work_bucket
        return AnalysisJob(
            id=description["JobId"],
            status=description["Status"],
            batch_id=batch_of_manifest(source.get("Name", "")) if is_ours else None,
            created_at=iso(description["CreationTimestamp"]),
            completed_at=iso(completed) if completed else None,
            failure=(str(failure.get("Code")), str(failure.get("Message", ""))) if failure else None,
            min_confidence=options.get("MinConfidence"),
            adapter=options.get("ProjectVersion"),
            model_version=(results.get("ModelVersions") or {}).get("Moderation"),
            manifest=(source.get("Bucket", ""), source.get("Name", "")),
            results=_place(results),
            summary=_place(description.get("ManifestSummary") or {}),
        )


def _closed(error: ClientError) -> Exception:
    """AWS does not say what an account without Bulk Analysis is answered; a refusal has two readings."""
    if error.response["Error"]["Code"] not in ("AccessDeniedException", "UnknownOperationException"):
        return error
    return CommandError(
        f"Bulk Analysis does not answer ({error.response['Error']['Code']}): you may not ask, or it is closed to this "
        "account, as to all that had not used it before April 30, 2026, or not offered in this Region."
    )


def _place(output: Mapping[str, Any]) -> tuple[str, str] | None:
    stored = output.get("S3Object")
    return (stored["Bucket"], stored["Name"]) if stored else None


def _uri(place: tuple[str, str] | None) -> str | None:
    return f"s3://{place[0]}/{place[1]}" if place else None
