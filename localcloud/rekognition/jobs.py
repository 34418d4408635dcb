"""All media analysis jobs: their life cycle, the concurrency quota, idempotency and pagination.

Jobs live in memory for as long as the local cloud does (on AWS their details last a year).
"""

import base64
import binascii
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from localcloud.rekognition.caller import Caller
from localcloud.rekognition.errors import ErrorName, ServiceError
from localcloud.rekognition.job import FailureCode, Job, JobFailure, JobStatus, Output

_TOKEN = "ClientRequestToken"  # noqa: S105 - the name of a request member


class Jobs:
    """All jobs, kept apart by account and Region. Thread safe."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}  # oldest first

    def find_repeated(self, caller: Caller, request: Mapping[str, Any]) -> Job | None:
        """The job that an earlier request with the same token started, in whatever status it is.

        Raises:
            ServiceError: IdempotentParameterMismatchException if that request had other parameters.
        """
        with self._lock:
            return self._find_repeated(caller, request)

    def create(self, caller: Caller, request: Mapping[str, Any], most_open: int) -> tuple[Job, bool]:
        """A new job and True, or the one that an earlier request with the same token started and False.

        Raises:
            ServiceError: LimitExceededException if `most_open` jobs are open, IdempotentParameterMismatchException as
                for `find_repeated`.
        """
        with self._lock:
            repeated = self._find_repeated(caller, request)
            if repeated is not None:
                return repeated, False
            self._check_quota(caller, most_open)
            job = Job(
                id=secrets.token_hex(32),
                caller=caller,
                token=request.get(_TOKEN),
                request=_without_token(request),
                created_at=self._now(),
            )
            self._jobs[job.id] = job
            return job, True

    def check_quota(self, caller: Caller, most_open: int) -> None:
        """Whether there is room for one more job.

        Raises:
            ServiceError: LimitExceededException if there is not.
        """
        with self._lock:
            self._check_quota(caller, most_open)

    def advance(self, job_id: str, status: JobStatus) -> None:
        """Move an open job on."""
        with self._lock:
            self._jobs[job_id] = replace(self._jobs[job_id], status=status)

    def succeed(self, job_id: str, output: Output) -> None:
        """End a job whose files are written."""
        with self._lock:
            self._jobs[job_id] = replace(
                self._jobs[job_id], status=JobStatus.SUCCEEDED, completed_at=self._now(), output=output
            )

    def fail(self, job_id: str, failure: JobFailure) -> None:
        """End a job that has no result."""
        with self._lock:
            self._jobs[job_id] = replace(
                self._jobs[job_id], status=JobStatus.FAILED, completed_at=self._now(), failure=failure
            )

    def get(self, caller: Caller, job_id: str) -> Job:
        """A job of the caller's account and Region.

        Raises:
            ServiceError: ResourceNotFoundException if there is none of this id.
        """
        with self._lock:
            job = self._jobs.get(job_id)
        if job is None or not _same_scope(job, caller):
            raise ServiceError(ErrorName.RESOURCE_NOT_FOUND, f"The media analysis job {job_id} does not exist.")
        return job

    def page(self, caller: Caller, next_token: str | None, most: int) -> tuple[tuple[Job, ...], str | None]:
        """The next `most` jobs, newest first, and the token for those behind them. A new job disturbs no pagination.

        Raises:
            ServiceError: InvalidPaginationTokenException if the token is not one of ours.
        """
        with self._lock:
            jobs = [job for job in reversed(self._jobs.values()) if _same_scope(job, caller)]
        start = 0
        if next_token is not None:
            last_seen = _read_token(next_token)
            ids = [job.id for job in jobs]
            if last_seen not in ids:
                raise ServiceError(ErrorName.INVALID_PAGINATION_TOKEN, "Invalid Pagination Token")
            start = ids.index(last_seen) + 1
        page = tuple(jobs[start : start + most])
        return page, _write_token(page[-1].id) if start + most < len(jobs) else None

    def document(self) -> list[dict[str, Any]]:
        """All jobs as JSON, oldest first."""
        with self._lock:
            return [job.document() for job in self._jobs.values()]

    def restore(self, document: list[dict[str, Any]]) -> None:
        """Take over what `document` gave. A job that was open then has failed: nothing is left that would run it."""
        with self._lock:
            for entry in document:
                job = Job.from_document(entry)
                if job.is_open:
                    failure = JobFailure(FailureCode.INTERNAL_ERROR, "The local cloud was stopped while the job ran.")
                    job = replace(job, status=JobStatus.FAILED, completed_at=self._now(), failure=failure)
                self._jobs[job.id] = job

    def _find_repeated(self, caller: Caller, request: Mapping[str, Any]) -> Job | None:
        token = request.get(_TOKEN)
        if token is None:
            return None
        for job in self._jobs.values():
            if job.token == token and _same_scope(job, caller):
                if job.request != _without_token(request):
                    raise ServiceError(
                        ErrorName.IDEMPOTENT_PARAMETER_MISMATCH,
                        f"The ClientRequestToken: {token} you have supplied is already in use.",
                    )
                return job
        return None

    def _check_quota(self, caller: Caller, most_open: int) -> None:
        open_jobs = sum(job.is_open and _same_scope(job, caller) for job in self._jobs.values())
        if open_jobs >= most_open:
            raise ServiceError(
                ErrorName.LIMIT_EXCEEDED, f"{open_jobs} open Jobs for User {caller.arn} Maximum limit: {most_open}"
            )

    def _now(self) -> float:
        return round(self._clock(), 3)  # the API's times have milliseconds


def _same_scope(job: Job, caller: Caller) -> bool:
    return (job.caller.account, job.caller.region) == (caller.account, caller.region)


def _without_token(request: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in request.items() if name != _TOKEN}


def _write_token(job_id: str) -> str:
    return base64.urlsafe_b64encode(f"after:{job_id}".encode()).decode()


def _read_token(token: str) -> str:
    try:
        text = base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise ServiceError(ErrorName.INVALID_PAGINATION_TOKEN, "Invalid Pagination Token") from error
    return text.removeprefix("after:")
