"""A media analysis job as the API shows it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from localcloud.rekognition.caller import Caller


class JobStatus(StrEnum):
    """A job's life. There is no canceling and no partial success."""

    CREATED = "CREATED"
    QUEUED = "QUEUED"
    IN_PROGRESS = "IN_PROGRESS"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


class FailureCode(StrEnum):
    """Why a job FAILED: the API model's MediaAnalysisJobFailureCode."""

    INTERNAL_ERROR = "INTERNAL_ERROR"
    INVALID_S3_OBJECT = "INVALID_S3_OBJECT"
    INVALID_MANIFEST = "INVALID_MANIFEST"
    INVALID_OUTPUT_CONFIG = "INVALID_OUTPUT_CONFIG"
    INVALID_KMS_KEY = "INVALID_KMS_KEY"
    ACCESS_DENIED = "ACCESS_DENIED"
    RESOURCE_NOT_FOUND = "RESOURCE_NOT_FOUND"
    RESOURCE_NOT_READY = "RESOURCE_NOT_READY"
    THROTTLED = "THROTTLED"


@dataclass(frozen=True, slots=True)
class JobFailure:
    """A FAILED job's details."""

    code: FailureCode
    message: str


@dataclass(frozen=True, slots=True)
class Output:
    """The keys of a SUCCEEDED job's files in its output bucket, and the model that wrote them.

    Without a `summary_key` the job has no manifest summary.
    """

    results_key: str
    summary_key: str | None
    model_version: str


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it is now. `request` is StartMediaAnalysisJob's, without its token; times are seconds since 1970."""

    id: str
    caller: Caller
    token: str | None
    request: Mapping[str, Any]
    created_at: float
    status: JobStatus = JobStatus.CREATED
    completed_at: float | None = None
    failure: JobFailure | None = None
    output: Output | None = None

    @property
    def is_open(self) -> bool:
        """Whether the job counts against the quota of concurrent jobs. That a waiting one does is an assumption."""
        return self.status not in (JobStatus.SUCCEEDED, JobStatus.FAILED)

    def description(self) -> dict[str, Any]:
        """GetMediaAnalysisJob's response, with times as numbers."""
        bucket = self.request["OutputConfig"]["S3Bucket"]
        description = {"JobId": self.id, **self.request, "Status": self.status, "CreationTimestamp": self.created_at}
        if self.completed_at is not None:
            description["CompletionTimestamp"] = self.completed_at
        if self.failure is not None:
            description["FailureDetails"] = {"Code": self.failure.code, "Message": self.failure.message}
        if self.output is not None:
            description["Results"] = {
                "S3Object": {"Bucket": bucket, "Name": self.output.results_key},
                "ModelVersions": {"Moderation": self.output.model_version},
            }
            if self.output.summary_key is not None:
                description["ManifestSummary"] = {"S3Object": {"Bucket": bucket, "Name": self.output.summary_key}}
        return description

    def document(self) -> dict[str, Any]:
        """The job as JSON, for `from_document`."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Job":
        """The job that `document` described."""
        failure, output = document["failure"], document["output"]
        restored = {
            "caller": Caller(**document["caller"]),
            "status": JobStatus(document["status"]),
            "failure": failure and JobFailure(FailureCode(failure["code"]), failure["message"]),
            "output": output and Output(**output),
        }
        return cls(**{**document, **restored})
