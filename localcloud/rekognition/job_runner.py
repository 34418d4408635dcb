"""Running jobs, each on a thread of its own: read the manifest, answer for each image, write the two output files.

Everything is read when the job runs, not when it is started: the manifest (its pinned version, if the request pins
one) and the current version of each image, which a manifest can't pin. A KMS key is accepted and not used.
"""

import json
import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

from gatehouse.moderation.policy.taxonomy import VERSION
from localcloud.rekognition import adapters, manifest
from localcloud.rekognition.errors import ErrorName, ServiceError
from localcloud.rekognition.inspection import Inspector
from localcloud.rekognition.job import FailureCode, Job, JobFailure, JobStatus, Output
from localcloud.rekognition.jobs import Jobs
from localcloud.rekognition.projects import Projects
from localcloud.rekognition.result_file import result_file
from localcloud.rekognition.settings import RekognitionSettings
from localcloud.rekognition.storage import ObjectStorage, ObjectUnreadable, ObjectUnwritable
from localcloud.rekognition.switches import Switches

#: DetectModerationLabels' default; for a job none is documented.
DEFAULT_MIN_CONFIDENCE = 50.0

_LOGGER = logging.getLogger(__name__)


class _JobFailed(Exception):  # noqa: N818 - carries the end of a job, which is an outcome and no error of ours
    def __init__(self, code: FailureCode, message: str) -> None:
        super().__init__(message)
        self.failure = JobFailure(code, message)


class _Closed(Exception):  # noqa: N818 - as above
    """The runner was closed while the job ran."""


class JobRunner:
    """Runs jobs in the background until it is closed."""

    def __init__(
        self,
        jobs: Jobs,
        storage: ObjectStorage,
        inspector: Inspector,
        switches: Switches,
        settings: RekognitionSettings,
        projects: Projects,
    ) -> None:
        self._jobs = jobs
        self._storage = storage
        self._inspector = inspector
        self._switches = switches
        self._settings = settings
        self._projects = projects
        self._closed = threading.Event()

    def start(self, job: Job, failure: JobFailure | None) -> None:
        """Run a job in the background. With a `failure` it does nothing but end with it, after its usual time."""
        threading.Thread(
            target=self._run, args=(job, failure), name=f"rekognition-job-{job.id[:8]}", daemon=True
        ).start()

    def close(self) -> None:
        """Abandon all jobs: they stop at their next step and write nothing any more."""
        self._closed.set()
        self._switches.clear()  # wakes those that are held

    def _run(self, job: Job, failure: JobFailure | None) -> None:
        try:
            output = self._outcome(job, failure)
        except _Closed:
            return
        except _JobFailed as failed:
            self._jobs.fail(job.id, failed.failure)
        except Exception as error:
            _LOGGER.exception("media analysis job %s broke", job.id)
            self._jobs.fail(job.id, JobFailure(FailureCode.INTERNAL_ERROR, f"{type(error).__name__}: {error}"))
        else:
            self._jobs.succeed(job.id, output)

    def _outcome(self, job: Job, failure: JobFailure | None) -> Output:
        self._jobs.advance(job.id, JobStatus.QUEUED)
        self._switches.wait_while_held()
        self._check_not_closed()
        self._jobs.advance(job.id, JobStatus.IN_PROGRESS)
        started = time.monotonic()
        if failure is not None:
            self._wait_until(started + self._switches.job_seconds(self._settings.job_seconds))
            raise _JobFailed(failure.code, failure.message)
        lines = self._read_manifest(job)
        results, errors = self._inspect(job, lines)
        self._wait_until(started + self._duration(len(lines)))
        return self._write(job, results, errors)

    def _read_manifest(self, job: Job) -> tuple[manifest.ImageLine | manifest.InvalidLine, ...]:
        source = job.request["Input"]["S3Object"]
        try:
            stored = self._storage.read(job.caller, source["Bucket"], source["Name"], source.get("Version"))
            return manifest.parse(stored.body)
        except ObjectUnreadable as error:
            code = FailureCode.ACCESS_DENIED if error.access_denied else FailureCode.INVALID_S3_OBJECT
            raise _JobFailed(code, f"The manifest can't be read: {error}") from error
        except manifest.ManifestError as error:
            raise _JobFailed(FailureCode.INVALID_MANIFEST, str(error)) from error

    def _inspect(
        self, job: Job, lines: Sequence[manifest.ImageLine | manifest.InvalidLine]
    ) -> tuple[list[str], list[dict[str, Any]]]:
        """The result lines, and the summary's errors, both in the manifest's order."""
        options = job.request["OperationsConfig"]["DetectModerationLabels"]
        min_confidence = options.get("MinConfidence", DEFAULT_MIN_CONFIDENCE)
        known = self._switches.adapters(self._settings.adapters)
        adapter = adapters.resolve(known, options.get("ProjectVersion"), self._projects.statuses())
        results: list[str] = []
        errors: list[dict[str, Any]] = []
        for line in lines:
            self._check_not_closed()
            number = {self._settings.line_number_key: line.number}
            if isinstance(line, manifest.InvalidLine):
                errors.append({**number, "code": ErrorName.INVALID_MANIFEST, "message": line.problem})
                continue
            try:
                answer = self._inspector.inspect_object(
                    job.caller, line.bucket, line.key, min_confidence=min_confidence, adapter=adapter
                )
            except ServiceError as error:
                errors.append({**number, "source-ref": line.source_ref, "code": error.name, "message": error.message})
            else:
                results.append(_json({"source-ref": line.source_ref, "detect-moderation-labels": answer}))
        return results, errors

    def _write(self, job: Job, results: Sequence[str], errors: Sequence[dict[str, Any]]) -> Output:
        """Write the results, then the summary; each is left out if a switch says so. No switch changes the summary."""
        summary = {
            "version": "1.0",
            "statistics": {
                "total-json-lines": len(results) + len(errors),
                "valid-json-lines": len(results),
                "invalid-json-lines": len(errors),
            },
            "errors": errors,
        }
        prefix = job.request["OutputConfig"].get("S3KeyPrefix", "")
        if prefix and not prefix.endswith("/"):
            prefix += "/"
        results_key, summary_key = f"{prefix}{job.id}-results.jsonl", f"{prefix}{job.id}-manifest-summary.json"
        if not self._switches.take_omitted_results():
            self._write_object(job, results_key, result_file(results, self._switches), "application/jsonl")
        if self._switches.take_omitted_summary():
            return Output(results_key, None, VERSION)
        self._write_object(job, summary_key, _json(summary), "application/json")
        return Output(results_key, summary_key, VERSION)

    def _write_object(self, job: Job, key: str, text: str, content_type: str) -> None:
        bucket = job.request["OutputConfig"]["S3Bucket"]
        self._check_not_closed()
        try:
            self._storage.write(job.caller, bucket, key, text.encode(), content_type)
        except ObjectUnwritable as error:
            code = FailureCode.ACCESS_DENIED if error.access_denied else FailureCode.INVALID_OUTPUT_CONFIG
            raise _JobFailed(code, f"s3://{bucket}/{key} can't be written: {error}") from error

    def _duration(self, lines: int) -> float:
        pace = self._settings.images_per_second
        return max(self._switches.job_seconds(self._settings.job_seconds), lines / pace if pace else 0.0)

    def _wait_until(self, moment: float) -> None:
        self._closed.wait(max(0.0, moment - time.monotonic()))
        self._check_not_closed()

    def _check_not_closed(self) -> None:
        if self._closed.is_set():
            raise _Closed


def _json(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
