"""What the operations do."""

from collections.abc import Callable, Mapping
from typing import Any

from localcloud.rekognition import adapters, manifest
from localcloud.rekognition.caller import Caller
from localcloud.rekognition.counters import Counters
from localcloud.rekognition.errors import INVALID_PARAMETERS, SLOW_DOWN, UNREADABLE_OBJECT, ErrorName, ServiceError
from localcloud.rekognition.inspection import Inspector
from localcloud.rekognition.job_runner import DEFAULT_MIN_CONFIDENCE, JobRunner
from localcloud.rekognition.jobs import Jobs
from localcloud.rekognition.operation import MEDIA_ANALYSIS, Operation
from localcloud.rekognition.projects import Projects
from localcloud.rekognition.rate_limit import RateLimit
from localcloud.rekognition.settings import RekognitionSettings
from localcloud.rekognition.storage import ObjectStorage, ObjectUnreadable
from localcloud.rekognition.switches import Switches
from localcloud.rekognition.validation import validate

_MOST_JOBS_ON_A_PAGE = 100


class Operations:
    """What the service can do. Calls may come from several threads."""

    def __init__(
        self,
        storage: ObjectStorage,
        inspector: Inspector,
        jobs: Jobs,
        runner: JobRunner,
        switches: Switches,
        counters: Counters,
        settings: RekognitionSettings,
        projects: Projects,
    ) -> None:
        self._storage = storage
        self._inspector = inspector
        self._jobs = jobs
        self._runner = runner
        self._switches = switches
        self._counters = counters
        self._settings = settings
        self._projects = projects
        self._rate_limit = RateLimit()
        self._operations: Mapping[str, Callable[[Caller, dict[str, Any]], dict[str, Any]]] = {
            Operation.START_MEDIA_ANALYSIS_JOB: self._start_media_analysis_job,
            Operation.GET_MEDIA_ANALYSIS_JOB: self._get_media_analysis_job,
            Operation.LIST_MEDIA_ANALYSIS_JOBS: self._list_media_analysis_jobs,
            Operation.DETECT_MODERATION_LABELS: self._detect_moderation_labels,
            Operation.CREATE_PROJECT: projects.create_project,
            Operation.CREATE_PROJECT_VERSION: projects.create_version,
            Operation.DESCRIBE_PROJECTS: projects.describe_projects,
            Operation.DESCRIBE_PROJECT_VERSIONS: projects.describe_versions,
            Operation.DELETE_PROJECT_VERSION: projects.delete_version,
        }

    def admit(self, operation: str, caller: Caller) -> None:
        """Let a call in. Takes no time: a call that is refused is refused at once.

        Raises:
            ServiceError: the error answer, if it is throttled or refused.
        """
        if operation not in self._operations:
            raise ServiceError(
                ErrorName.UNKNOWN_OPERATION,
                f"{operation!r} is not available locally; these are: {', '.join(self._operations)}",
            )
        if self._switches.take_throttled_call():
            raise ServiceError(ErrorName.THROTTLING, SLOW_DOWN)
        failure = self._switches.take_failing_call(operation)
        if failure is not None:
            raise failure
        rates = self._switches.requests_per_second(self._settings.requests_per_second)
        self._rate_limit.take(operation, caller, rates.get(operation))
        refusal = self._switches.refuse_bulk(self._settings.refuse_bulk)
        if operation in MEDIA_ANALYSIS and refusal is not None:
            raise refusal.error(operation, caller.arn)

    def latency(self, operation: str) -> float:
        """How long an admitted call takes at least, in seconds."""
        if operation != Operation.DETECT_MODERATION_LABELS:
            return 0.0
        return self._switches.detect_seconds(self._settings.detect_seconds)

    def call(self, operation: str, caller: Caller, payload: object) -> dict[str, Any]:
        """The response of an operation that was let in, ready for JSON.

        Raises:
            ServiceError: the operation's error answer.
        """
        return self._operations[operation](caller, validate(operation, payload))

    def _adapter(self, asked: str | None) -> str | None:
        return adapters.resolve(self._switches.adapters(self._settings.adapters), asked, self._projects.statuses())

    def _start_media_analysis_job(self, caller: Caller, request: dict[str, Any]) -> dict[str, Any]:
        options = request["OperationsConfig"].get("DetectModerationLabels")
        if options is None:
            raise ServiceError(
                ErrorName.INVALID_PARAMETER, f"{INVALID_PARAMETERS}: OperationsConfig names no operation"
            )
        source = _s3_object(request["Input"]["S3Object"])
        repeated = self._jobs.find_repeated(caller, request)
        if repeated is not None:
            return {"JobId": repeated.id}
        self._adapter(options.get("ProjectVersion"))
        most_open = self._switches.concurrent_jobs(self._settings.concurrent_jobs)
        self._jobs.check_quota(caller, most_open)
        try:
            manifest.parse(self._storage.read(caller, source["Bucket"], source["Name"], source.get("Version")).body)
        except ObjectUnreadable as error:
            raise ServiceError(ErrorName.INVALID_S3_OBJECT, f"{UNREADABLE_OBJECT} {error}") from error
        except manifest.ManifestError as error:
            raise ServiceError(ErrorName.INVALID_MANIFEST, str(error)) from error
        job, is_new = self._jobs.create(caller, request, most_open)  # looks again: others may have come meanwhile
        if is_new:
            self._counters.count_job()
            self._runner.start(job, self._switches.take_failure())
        return {"JobId": job.id}

    def _get_media_analysis_job(self, caller: Caller, request: dict[str, Any]) -> dict[str, Any]:
        return self._jobs.get(caller, request["JobId"]).description()

    def _list_media_analysis_jobs(self, caller: Caller, request: dict[str, Any]) -> dict[str, Any]:
        most = request.get("MaxResults", _MOST_JOBS_ON_A_PAGE)
        page, next_token = self._jobs.page(caller, request.get("NextToken"), most)
        response: dict[str, Any] = {"MediaAnalysisJobs": [job.description() for job in page]}
        if next_token is not None:
            response["NextToken"] = next_token
        return response

    def _detect_moderation_labels(self, caller: Caller, request: dict[str, Any]) -> dict[str, Any]:
        image = request["Image"]
        if len(image) != 1:
            raise ServiceError(
                ErrorName.INVALID_PARAMETER, f"{INVALID_PARAMETERS}: Image takes either Bytes or an S3Object"
            )
        if "HumanLoopConfig" in request:
            flow = request["HumanLoopConfig"]["FlowDefinitionArn"]
            raise ServiceError(
                ErrorName.RESOURCE_NOT_FOUND, f"The flow definition {flow} does not exist; there is no A2I locally."
            )
        min_confidence = request.get("MinConfidence", DEFAULT_MIN_CONFIDENCE)
        adapter = self._adapter(request.get("ProjectVersion"))
        if "Bytes" in image:
            return self._inspector.inspect_bytes(image["Bytes"], min_confidence=min_confidence, adapter=adapter)
        source = _s3_object(image["S3Object"])
        if self._switches.fails(source["Name"]):
            raise ServiceError(ErrorName.INTERNAL_SERVER, "Told to fail.")
        return self._inspector.inspect_object(
            caller,
            source["Bucket"],
            source["Name"],
            version_id=source.get("Version"),
            min_confidence=min_confidence,
            adapter=adapter,
        )


def _s3_object(source: dict[str, str]) -> dict[str, str]:
    """The model requires neither member, but nothing can be read without them."""
    if not {"Bucket", "Name"} <= set(source):
        raise ServiceError(ErrorName.INVALID_PARAMETER, f"{INVALID_PARAMETERS}: an S3Object needs a Bucket and a Name")
    return source
