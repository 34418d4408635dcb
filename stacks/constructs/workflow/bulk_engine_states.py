"""The bulk engine in the workflow: start a media analysis job and poll it until it ends."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from gatehouse.moderation.engine import Engine
from gatehouse.moderation.lane import Priority
from stacks.constructs.encryption_key import EncryptionKey
from stacks.constructs.workflow.workflow_states import ERROR_CODE, ERROR_MESSAGE, NO_JOB, condition, give_up, retry

#: Maximum number of jobs started for a batch.
MAX_JOBS = 3

#: Retries of a job's start while Rekognition throttles or fails: about twenty minutes if the image engine can take
#: over, and hours if only bulk is allowed.
START_RETRIES = 20
PATIENT_START_RETRIES = 200

#: FailureDetails codes that a new job might avoid (Rekognition API model, MediaAnalysisJobFailureCode).
TRANSIENT_FAILURES = ("INTERNAL_ERROR", "THROTTLED", "RESOURCE_NOT_READY")

#: Errors that no retry can fix. Step Functions names an SDK's error `<Service>.<Name>`, and the name always ends with
#: Exception, even if the API's does not (Developer Guide, supported-services-awssdk.html).
HOPELESS_STARTS = (
    "Rekognition.IdempotentParameterMismatchException",
    "Rekognition.InvalidManifestException",
    "Rekognition.InvalidParameterException",
    "Rekognition.InvalidS3ObjectException",
    "Rekognition.ResourceNotFoundException",
)
HOPELESS_LOOKS = (
    "Rekognition.InvalidParameterException",
    "Rekognition.ResourceNotFoundException",
)

#: A permission is missing, or was just granted and has not propagated; or the feature is closed to the account.
DENIED = ("Rekognition.AccessDeniedException",)

#: Any error outside the API's model, such as an operation that the Region does not offer.
UNKNOWN_ERROR = "Rekognition.RekognitionException"

#: Errors that mean this account, role or Region can't use bulk at all.
REFUSALS = (*DENIED, UNKNOWN_ERROR, "Rekognition.InvalidS3ObjectException")

#: The account's job quota is used up.
NO_SLOT = "Rekognition.LimitExceededException"

#: Transient errors.
TRANSIENT_ERRORS = (
    "Rekognition.InternalServerErrorException",
    "Rekognition.ProvisionedThroughputExceededException",
    "Rekognition.ThrottlingException",
)

#: Seconds until the next poll: half of the time waited so far, and after an hour a 24th of it. So a long job needs few
#: polls, and a short one ends soon. A poll costs three transitions, and nine of an execution's 25,000 events.
_PAUSE = "$max([20, $min([150, $floor($waited / 2)]), $min([600, $floor($waited / 24)])])"

_DEADLINE_EXCEEDED = (
    "{'code': 'DeadlineExceeded', 'message': 'the job ' & $jobId & ' was still ' & $status & ' after '"
    " & $waited & ' seconds'}"
)
_FAILURE = f"{{% {{'code': {ERROR_CODE}, 'message': {ERROR_MESSAGE}}} %}}"
_IS_REFUSAL = f"{ERROR_CODE} in [{', '.join(repr(error) for error in REFUSALS)}]"
_REFUSAL = f"{{% {{'code': {ERROR_CODE}, 'message': {ERROR_MESSAGE}, 'is_refusal': {_IS_REFUSAL}}} %}}"


class BulkEngineStates(Construct):
    """Start a job for the whole manifest, wait for it, and start another one if it failed for a transient reason.

    If the lane's engine is `bulk`, a failed job fails the batch. If it is `auto`, the image engine takes over.

    Attributes:
        start: the first state if the lane's engine is `bulk`.
        attempt: the first state if it is `auto`; it gives up sooner.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        priority: Priority,
        key: EncryptionKey | None,
        done: sfn.IChainable,
        otherwise: sfn.IChainable,
    ) -> None:
        """
        Args:
            key: encrypts jobs' data; None for Rekognition's own key.
            done: the next state after a successful job, or after a failure.
            otherwise: the image engine.
        """
        super().__init__(scope, id)
        self._priority = priority
        self._key = key
        self.start = self._start_job("Start job", is_patient=True)
        self.attempt = self._start_job("Try to start job", is_patient=False)
        wait = self._wait_for_job()
        look = self._get_job()
        ended = sfn.Choice.jsonata(self, "Job done?")
        again = sfn.Choice.jsonata(self, "Start again")

        self.start.add_catch(done, errors=["States.ALL"], assign={"failure": _FAILURE})
        self.attempt.add_catch(otherwise, errors=["States.ALL"], assign={"fallback": _REFUSAL})
        self.start.next(wait)
        self.attempt.next(wait)
        wait.next(look.next(ended))
        # Only a job that can't be found is given up. Any other error while polling stops the execution, and a redrive
        # continues to poll: the job is running, and is paid for.
        look.add_catch(ended, errors=list(HOPELESS_LOOKS), assign={"status": "FAILED", "failure": _FAILURE})

        ended.when(condition("$status = 'SUCCEEDED'"), done)
        failed, late, is_auto = "$status = 'FAILED'", "$waited >= $batch.deadline", f"$batch.engine = '{Engine.AUTO}'"
        ended.when(condition(f"{failed} and {_transient()} and $attempt < {MAX_JOBS}"), self._next_attempt(again))
        ended.when(condition(f"{failed} and {is_auto}"), otherwise, assign=_fall_back("$failure"))
        ended.when(condition(failed), done)
        ended.when(condition(f"{late} and {is_auto}"), otherwise, assign=_fall_back(_DEADLINE_EXCEEDED))
        ended.when(condition(late), done, assign={"failure": f"{{% {_DEADLINE_EXCEEDED} %}}"})
        ended.otherwise(wait)
        again.when(condition(f"$batch.engine = '{Engine.BULK}'"), self.start).otherwise(self.attempt)

    def _start_job(self, name: str, *, is_patient: bool) -> tasks.CallAwsService:
        # Every retry of an attempt uses the same token, so that a second job can't be started and paid for.
        token = "{% $batchId & '-' & $attempt %}"  # noqa: S105 - idempotency, no secret
        moderation = (
            "{% $merge([{'MinConfidence': $batch.minConfidence},"
            " $batch.adapter ? {'ProjectVersion': $batch.adapter} : {}]) %}"
        )
        task = tasks.CallAwsService.jsonata(
            self,
            name,
            service="rekognition",
            action="startMediaAnalysisJob",
            iam_action="rekognition:StartMediaAnalysisJob",
            iam_resources=["*"],
            parameters={
                "ClientRequestToken": token,
                "JobName": token,
                "OperationsConfig": {"DetectModerationLabels": moderation},
                "Input": {"S3Object": {"Bucket": "{% $batch.manifest.bucket %}", "Name": "{% $batch.manifest.key %}"}},
                "OutputConfig": {
                    "S3Bucket": "{% $batch.output.bucket %}",
                    "S3KeyPrefix": "{% $batch.output.prefix %}",
                },
                **({"KmsKeyId": self._key.arn} if self._key else {}),
            },
            assign={"jobId": "{% $states.result.JobId %}"},
            outputs={},
        )
        if is_patient:
            give_up(task, HOPELESS_STARTS)
            retry(task, DENIED, interval=20, longest=60, attempts=3)
        else:  # the image engine can take over at once
            give_up(task, (*HOPELESS_STARTS, *DENIED, UNKNOWN_ERROR))
        self._retry_for_slot(task, is_patient=is_patient)
        passing = [*TRANSIENT_ERRORS, "Rekognition.ResourceNotReadyException"]
        retry(task, passing, interval=2, longest=120, attempts=PATIENT_START_RETRIES if is_patient else START_RETRIES)
        retry(task, ["States.TaskFailed"], interval=5, longest=60, attempts=3)
        return task

    def _retry_for_slot(self, task: sfn.TaskStateBase, *, is_patient: bool) -> None:
        """Wait for one of the account's jobs to end: about an hour, or many hours if only bulk is allowed.

        A live batch tries every few seconds at first, and twice a minute after half an hour. A backfill batch tries
        every ten minutes, and only a few of them at a time, so a free slot usually goes to a live batch.
        """
        if self._priority is Priority.BACKFILL:
            retry(task, [NO_SLOT], interval=1200, longest=1200, attempts=100 if is_patient else 6)
        else:
            retry(task, [NO_SLOT], interval=3, longest=60, attempts=900 if is_patient else 220, growth=1.02)

    def _wait_for_job(self) -> sfn.Wait:
        return sfn.Wait.jsonata(
            self,
            "Wait for job",
            time=sfn.WaitTime.seconds(f"{{% {_PAUSE} %}}"),
            assign={"waited": f"{{% $waited + {_PAUSE} %}}"},
        )

    def _get_job(self) -> tasks.CallAwsService:
        details = "$states.result.FailureDetails"
        failure = (
            "$states.result.Status = 'FAILED' ?"
            f" {{'code': {details}.Code ? {details}.Code : 'Unknown',"
            f" 'message': {details}.Message ? {details}.Message : 'Rekognition gave no reason'}}"
            " : null"
        )
        task = tasks.CallAwsService.jsonata(
            self,
            "Get job",
            service="rekognition",
            action="getMediaAnalysisJob",
            iam_action="rekognition:GetMediaAnalysisJob",
            iam_resources=["*"],
            parameters={"JobId": "{% $jobId %}"},
            assign={
                "status": "{% $states.result.Status %}",
                "results": _object_or_null("$states.result.Results.S3Object"),
                "summary": _object_or_null("$states.result.ManifestSummary.S3Object"),
                "failure": f"{{% {failure} %}}",
            },
            outputs={},
        )
        give_up(task, HOPELESS_LOOKS)
        retry(task, [*TRANSIENT_ERRORS, UNKNOWN_ERROR], interval=2, longest=120, attempts=200)
        # For hours, even if a permission is missing: the job is paid for, and redrives are limited.
        retry(task, [*DENIED, "States.TaskFailed"], interval=5, longest=300, attempts=100)
        return task

    def _next_attempt(self, again: sfn.IChainable) -> sfn.IChainable:
        return sfn.Wait.jsonata(
            self,
            "Next attempt",
            time=sfn.WaitTime.seconds("{% 60 * $attempt %}"),
            assign={"attempt": "{% $attempt + 1 %}", **NO_JOB},
        ).next(again)


def _transient() -> str:
    return f"$failure.code in [{', '.join(repr(code) for code in TRANSIENT_FAILURES)}]"


def _fall_back(failure: str) -> Mapping[str, Any]:
    """Variables that hand the batch to the image engine, without its job."""
    return {**NO_JOB, "fallback": f"{{% $merge([{failure}, {{'is_refusal': false}}]) %}}"}


def _object_or_null(s3_object: str) -> str:
    """A file's location, or null: an unfinished job has none, and JSONata fails on a missing value."""
    return f"{{% $exists({s3_object}) ? {{'bucket': {s3_object}.Bucket, 'key': {s3_object}.Name}} : null %}}"
