"""What the workflow hands to Results."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambdas.moderation.verdict import Failure


@dataclass(frozen=True, slots=True)
class Location:
    """An S3 object an engine wrote."""

    bucket: str
    key: str


@dataclass(frozen=True, slots=True)
class Request:
    """A batch whose analysis has ended, well or not.

    Attributes:
        job_id: of the media analysis job; None if none was started.
        results: the result file, as GetMediaAnalysisJob named it.
        summary: the manifest summary, as GetMediaAnalysisJob named it.
        failure: why the job as a whole gave nothing, or None.
    """

    batch_id: str
    job_id: str | None = None
    results: Location | None = None
    summary: Location | None = None
    failure: Failure | None = None

    @classmethod
    def parse(cls, payload: Mapping[str, Any]) -> "Request":
        """Read the workflow's payload.

        Raises:
            KeyError: the payload is not the workflow's.
        """
        job = payload["job"]
        failure = job["failure"]
        return cls(
            batch_id=payload["batch_id"],
            job_id=job["job_id"],
            results=_location(job["results"]),
            summary=_location(job["summary"]),
            failure=Failure.reported(failure["code"], failure["message"]) if failure else None,
        )


def _location(document: Mapping[str, str] | None) -> Location | None:
    return Location(document["bucket"], document["key"]) if document else None
