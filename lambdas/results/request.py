"""What the workflow hands to Results."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gatehouse.moderation.batch import MAX_UPLOADS
from gatehouse.moderation.chunk import Chunk
from gatehouse.moderation.document import MISSHAPEN, of_kind, optional_text, text, whole
from gatehouse.moderation.failure import Failure
from gatehouse.moderation.image_pass import ImagePass


@dataclass(frozen=True, slots=True)
class Location:
    """An S3 object an engine wrote."""

    bucket: str
    key: str


@dataclass(frozen=True, slots=True)
class Job:
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


@dataclass(frozen=True, slots=True)
class Fallback:
    """Why the image engine took over from Bulk Analysis.

    Attributes:
        is_refusal: the job could not even be started; else it failed.
    """

    failure: Failure
    is_refusal: bool


@dataclass(frozen=True, slots=True)
class Request:
    """A batch whose analysis has ended, by one engine or the other, well or not."""

    batch_id: str
    analysis: Job | ImageRun
    fallback: Fallback | None = None

    @classmethod
    def parse(cls, payload: Mapping[str, Any]) -> "Request":
        """Read the workflow's payload.

        Raises:
            ValueError: the payload is not the workflow's.
        """
        try:
            batch_id, images, fallback = text(payload["batch_id"]), payload["images"], payload["fallback"]
            return cls(
                batch_id=batch_id,
                analysis=_image_run(batch_id, images) if images else _job(payload["job"]),
                fallback=Fallback(_failure(fallback), of_kind(fallback["is_refusal"], bool)) if fallback else None,
            )
        except MISSHAPEN as error:
            raise ValueError(f"not a payload of the workflow: {error!r}") from error


def _image_run(batch_id: str, document: Mapping[str, Any]) -> ImageRun:
    image_pass, size, uploads = ImagePass(document["pass"]), whole(document["size"]), whole(document["uploads"])
    if uploads > MAX_UPLOADS:
        raise ValueError(f"{uploads} uploads, where a batch has {MAX_UPLOADS} at most")
    return ImageRun(
        image_pass,
        uploads,
        tuple(Chunk(batch_id, image_pass, first, size) for first in range(0, uploads, size)),
        {whole(failure["first"]): _failure(failure) for failure in document["failures"]},
    )


def _job(document: Mapping[str, Any]) -> Job:
    return Job(
        job_id=optional_text(document["job_id"]),
        results=_location(document["results"]),
        summary=_location(document["summary"]),
        failure=_failure(document["failure"]) if document["failure"] else None,
    )


def _failure(document: Mapping[str, str]) -> Failure:
    return Failure.reported(document["code"], document["message"])


def _location(document: Mapping[str, str] | None) -> Location | None:
    return Location(text(document["bucket"]), text(document["key"])) if document else None
