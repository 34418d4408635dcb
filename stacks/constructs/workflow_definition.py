"""What the analysis workflow does with a batch, state by state.

Variables, set by "Read batch" and changed as the batch goes on:

    batchId   id of the batch and name of the execution
    batch     what the workflow needs of batch.json: analysable, minConfidence, adapter, deadline, manifest, output
    attempt   number of the media analysis job, from 1
    waited    seconds waited for this job. The deadline counts them rather than reading a clock, so that a redriven
              execution still has its time
    jobId     of this attempt's job, or null
    status    of the job when last seen
    results, summary   {bucket, key} of what the job wrote, or null
    failure   {code, message} why there is no analysis, or null
"""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from lambdas.moderation.batch import batch_prefix, settings_key
from stacks.constructs.results_writer import ResultsWriter
from stacks.constructs.work_bucket import WorkBucket

#: Jobs started for a batch at most.
MAX_JOBS = 3

#: FailureDetails codes that a new job may not run into (Rekognition API model, MediaAnalysisJobFailureCode).
TRANSIENT_FAILURES = ("INTERNAL_ERROR", "THROTTLED", "RESOURCE_NOT_READY")

#: Errors that come back however often the call is made. Step Functions names an SDK's error `<Service>.<Name>`, and the
#: name always ends with Exception, even where the API's does not (Developer Guide, supported-services-awssdk.html).
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

#: A permission that is missing, or was just granted and is not known everywhere yet; or the feature is closed.
DENIED = ("Rekognition.AccessDeniedException",)

#: Errors that pass. RekognitionException is what an error outside the API's model is called.
TRANSIENT_ERRORS = (
    "Rekognition.InternalServerErrorException",
    "Rekognition.ProvisionedThroughputExceededException",
    "Rekognition.RekognitionException",
    "Rekognition.ThrottlingException",
)

#: What Lambda's own trouble is called (Step Functions Developer Guide, sfn-best-practices.html, "Handle transient
#: Lambda service exceptions").
LAMBDA_ERRORS = (
    "Lambda.AWSLambdaException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.SdkClientException",
    "Lambda.ServiceException",
    "Lambda.TooManyRequestsException",
)

#: Seconds until the next look: a quarter of what was waited already, so a long job costs few looks and a short one
#: little time.
_PAUSE = "$min([120, $max([10, $floor($waited / 4)])])"

#: An error as a failure. Not every error has a cause.
_CAUGHT = (
    "{% {'code': $states.errorOutput.Error,"
    " 'message': $states.errorOutput.Cause ? $states.errorOutput.Cause : $states.errorOutput.Error} %}"
)


class WorkflowDefinition(Construct):
    """The workflow's states; `start` is the first."""

    def __init__(self, scope: Construct, id: str, *, work: WorkBucket, results: ResultsWriter) -> None:
        super().__init__(scope, id)
        read = self._read_batch(work)
        analysable = sfn.Choice.jsonata(self, "Anything to analyse?")
        start = self._start_job()
        wait = self._wait_for_job()
        look = self._get_job()
        done = sfn.Choice.jsonata(self, "Job done?")
        retry = self._next_attempt()
        write = self._write_verdicts(results)

        read.next(analysable)
        analysable.when(_is("$batch.analysable = 0"), write).otherwise(start)
        start.next(wait).next(look).next(done)
        done.when(_is("$status = 'SUCCEEDED'"), write)
        done.when(_is(f"$status = 'FAILED' and {_transient()} and $attempt < {MAX_JOBS}"), retry)
        done.when(_is("$status = 'FAILED'"), write)
        done.when(_is("$waited >= $batch.deadline"), write, assign={"failure": _deadline_exceeded()})
        done.otherwise(wait)
        retry.next(start)
        start.add_catch(write, errors=["States.ALL"], assign={"failure": _CAUGHT})
        # Only a job that can't be found is given up. Whatever else keeps us from looking stops the execution, and a
        # redrive goes on looking: the job is running, and paid.
        look.add_catch(write, errors=list(HOPELESS_LOOKS), assign={"failure": _CAUGHT})
        write.next(
            sfn.Choice.jsonata(self, "Analysed?")
            .when(_is("$failure = null"), sfn.Succeed.jsonata(self, "Done"))
            .otherwise(
                sfn.Fail.jsonata(self, "Analysis failed", error="{% $failure.code %}", cause="{% $failure.message %}")
            )
        )
        self.start = read

    def _read_batch(self, work: WorkBucket) -> tasks.CallAwsService:
        batch = (
            "($document := $parse($states.result.Body);"
            " {'analysable': $document.analysable, 'minConfidence': $document.min_confidence,"
            " 'adapter': $document.adapter, 'deadline': $document.job_deadline_seconds,"
            " 'manifest': $document.manifest, 'output': $document.output})"
        )
        task = tasks.CallAwsService.jsonata(
            self,
            "Read batch",
            service="s3",
            action="getObject",
            iam_action="s3:GetObject",
            iam_resources=[work.bucket.arn_for_objects(batch_prefix("*") + "*")],
            parameters={
                "Bucket": work.bucket.bucket_name,
                "Key": f"{{% {_settings_key()} %}}",
            },
            assign={
                "batchId": "{% $states.input.batch_id %}",
                "batch": f"{{% {batch} %}}",
                "attempt": 1,
                "waited": 0,
                "jobId": "{% null %}",
                "results": "{% null %}",
                "summary": "{% null %}",
                "failure": "{% null %}",
            },
            outputs={},
        )
        _retry(task, ["States.TaskFailed"], interval=2, longest=300, attempts=100)
        return task

    def _start_job(self) -> tasks.CallAwsService:
        # The same token on every try of an attempt: a second job for it can't be started, and can't be paid.
        name = "{% $batchId & '-' & $attempt %}"
        moderation = (
            "{% $merge([{'MinConfidence': $batch.minConfidence},"
            " $batch.adapter ? {'ProjectVersion': $batch.adapter} : {}]) %}"
        )
        task = tasks.CallAwsService.jsonata(
            self,
            "Start job",
            service="rekognition",
            action="startMediaAnalysisJob",
            iam_action="rekognition:StartMediaAnalysisJob",
            iam_resources=["*"],
            parameters={
                "ClientRequestToken": name,
                "JobName": name,
                "OperationsConfig": {"DetectModerationLabels": moderation},
                "Input": {"S3Object": {"Bucket": "{% $batch.manifest.bucket %}", "Name": "{% $batch.manifest.key %}"}},
                "OutputConfig": {
                    "S3Bucket": "{% $batch.output.bucket %}",
                    "S3KeyPrefix": "{% $batch.output.prefix %}",
                },
            },
            assign={"jobId": "{% $states.result.JobId %}"},
            outputs={},
        )
        _give_up(task, HOPELESS_STARTS)
        _retry(task, DENIED, interval=20, longest=60, attempts=3)
        # All of the account's jobs are running: the batch waits its turn here, for a day and a half on average.
        _retry(task, ["Rekognition.LimitExceededException"], interval=10, longest=600, attempts=400)
        _retry(task, [*TRANSIENT_ERRORS, "Rekognition.ResourceNotReadyException"], interval=2, longest=120, attempts=20)
        _retry(task, ["States.TaskFailed"], interval=5, longest=60, attempts=3)
        return task

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
        _give_up(task, HOPELESS_LOOKS)
        _retry(task, DENIED, interval=20, longest=60, attempts=3)
        _retry(task, TRANSIENT_ERRORS, interval=2, longest=120, attempts=200)
        _retry(task, ["States.TaskFailed"], interval=5, longest=60, attempts=10)
        return task

    def _next_attempt(self) -> sfn.Wait:
        return sfn.Wait.jsonata(
            self,
            "Next attempt",
            time=sfn.WaitTime.seconds("{% 60 * $attempt %}"),
            assign={
                "attempt": "{% $attempt + 1 %}",
                "waited": 0,
                "jobId": "{% null %}",
                "results": "{% null %}",
                "summary": "{% null %}",
                "failure": "{% null %}",
            },
        )

    def _write_verdicts(self, results: ResultsWriter) -> tasks.LambdaInvoke:
        # No catch: an execution that stops here can be redriven, and goes on with the verdicts that are missing.
        task = tasks.LambdaInvoke.jsonata(
            self,
            "Write verdicts",
            lambda_function=results.function,
            payload=sfn.TaskInput.from_object(
                {
                    "batch_id": "{% $batchId %}",
                    "job": {
                        "job_id": "{% $jobId %}",
                        "results": "{% $results %}",
                        "summary": "{% $summary %}",
                        "failure": "{% $failure %}",
                    },
                }
            ),
            outputs="{% $states.result.Payload %}",
            task_timeout=sfn.Timeout.duration(results.TIMEOUT.plus(cdk.Duration.minutes(1))),
            retry_on_service_exceptions=False,  # the library's own retries have no jitter
        )
        # Hours: an outage of the table or the topic should end without a person.
        _retry(task, LAMBDA_ERRORS, interval=2, longest=300, attempts=100)
        _retry(task, ["States.TaskFailed", "States.Timeout"], interval=10, longest=300, attempts=100)
        return task


def _settings_key() -> str:
    """The key of batch.json, for the batch the execution was started with."""
    before, after = settings_key("?").split("?")
    return f"'{before}' & $states.input.batch_id & '{after}'"


def _is(expression: str) -> sfn.Condition:
    return sfn.Condition.jsonata(f"{{% {expression} %}}")


def _transient() -> str:
    return f"$failure.code in [{', '.join(repr(code) for code in TRANSIENT_FAILURES)}]"


def _deadline_exceeded() -> str:
    return (
        "{% {'code': 'DeadlineExceeded', 'message': 'the job ' & $jobId & ' was still ' & $status & ' after '"
        " & $waited & ' seconds'} %}"
    )


def _object_or_null(s3_object: str) -> str:
    """Where a file is, or null: a job that is not done has none, and JSONata fails on what is not there."""
    return f"{{% $exists({s3_object}) ? {{'bucket': {s3_object}.Bucket, 'key': {s3_object}.Name}} : null %}}"


def _give_up(task: sfn.TaskStateBase, errors: Sequence[str]) -> None:
    task.add_retry(errors=list(errors), max_attempts=0)


def _retry(task: sfn.TaskStateBase, errors: Sequence[str], *, interval: int, longest: int, attempts: int) -> None:
    """Try again, each time up to twice as long after, `longest` seconds at most; at random, so batches spread out."""
    task.add_retry(
        errors=list(errors),
        interval=cdk.Duration.seconds(interval),
        backoff_rate=2,
        max_delay=cdk.Duration.seconds(longest),
        max_attempts=attempts,
        jitter_strategy=sfn.JitterType.FULL,
    )
