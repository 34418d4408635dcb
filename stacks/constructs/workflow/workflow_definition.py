"""The analysis workflow's states, from a batch's files to its verdicts.

Variables, set by "Read batch" and updated along the way:

    batchId   id of the batch and name of the execution
    batch     what execution.json says: analyzable, engine, minConfidence, adapter, formats, maxFrames, deadline,
              manifest, output
    attempt   number of the media analysis job, from 1
    waited    seconds waited for this job. The deadline counts them rather than reading a clock, so that a redriven
              execution still has its time
    jobId     of this attempt's job, or null
    status    of the job when last seen
    results, summary   {bucket, key} of what the job wrote, or null
    failure   {code, message} why there is no analysis, of all uploads or of some; or null
    fallback  {code, message, is_refusal} why the image engine took over from bulk, or null
    backlog   chunks in the chunk queue when last seen
    pass      what the image engine goes through, see image_pass: first (all uploads), leftovers (of bulk), stragglers-N
    passSize  how many lines the pass's index has
    images    {pass, uploads, size, failures} of the pass that the image engine has ended, or null
    again     {pass, uploads, pause_seconds} of the pass that Results asks for next, or null
    ahead, more, looks   of backfill, see turn_states
"""

import aws_cdk as cdk
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from gatehouse.moderation.batch import execution_key
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.image_pass import ImagePass
from gatehouse.moderation.lane import Priority
from gatehouse.moderation.rendition import DEFAULT_FRAMES
from stacks.constructs.encryption_key import EncryptionKey
from stacks.constructs.image_analyzer import ImageAnalyzer
from stacks.constructs.results_writer import ResultsWriter
from stacks.constructs.work_bucket import WorkBucket
from stacks.constructs.workflow import turn_states
from stacks.constructs.workflow.bulk_engine_states import BulkEngineStates
from stacks.constructs.workflow.image_engine_states import ImageEngineStates
from stacks.constructs.workflow.turn_states import TurnStates
from stacks.constructs.workflow.workflow_states import NO_JOB, NULL, condition, retry

#: Lambda's transient errors (Step Functions Developer Guide, sfn-best-practices.html, "Handle transient Lambda service
#: exceptions").
LAMBDA_ERRORS = (
    "Lambda.AWSLambdaException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.SdkClientException",
    "Lambda.ServiceException",
    "Lambda.TooManyRequestsException",
)


class WorkflowDefinition(Construct):
    """The workflow's states for the lanes of one priority; `start` is the first.

    A backfill waits for its turn first.

    Args:
        analyzer: the image engine of the same priority.
        knows_bulk: whether a lane of the priority may use bulk.
        backfill_batches: batches that are analyzed at the same time, where the priority is backfill.
        key: encrypts jobs' data; None for Rekognition's own key.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        work: WorkBucket,
        results: ResultsWriter,
        analyzer: ImageAnalyzer,
        knows_bulk: bool,
        backfill_batches: int,
        key: EncryptionKey | None,
    ) -> None:
        super().__init__(scope, id)
        write = self._write_verdicts(results)
        images = ImageEngineStates(self, "ImageEngine", analyzer=analyzer)
        # One state for both questions: each state costs a transition for every batch.
        engine = sfn.Choice.jsonata(self, "Which engine?").when(condition("$batch.analyzable = 0"), write)
        attempt: sfn.IChainable | None = None
        if knows_bulk:
            bulk = BulkEngineStates(
                self, "BulkEngine", priority=analyzer.priority, key=key, done=write, otherwise=images.start
            )
            attempt = bulk.attempt
            engine.when(condition(f"$batch.engine = '{Engine.BULK}'"), bulk.start)
        engine.otherwise(images.start)
        images.next(write, bulk=attempt)
        self.start = self._read_batch(work)
        if analyzer.priority is Priority.BACKFILL:
            turn = TurnStates(self, "Turn", batches=backfill_batches)
            turn.next(engine)
            self.start.next(turn.start)
        else:
            self.start.next(engine)
        self._end(write, images.start)

    def _end(self, write: sfn.CustomState, images: sfn.IChainable) -> None:
        again = sfn.Wait.jsonata(
            self,
            "Before next pass",
            time=sfn.WaitTime.seconds("{% $again.pause_seconds %}"),
            assign={"pass": "{% $again.pass %}", "passSize": "{% $again.uploads %}"},
        )
        again.next(images)
        failed = sfn.Fail.jsonata(self, "Analysis failed", error="{% $failure.code %}", cause="{% $failure.message %}")
        write.next(
            sfn.Choice.jsonata(self, "Analyzed?")
            .when(condition("$again != null"), again)
            .when(condition("$failure = null"), sfn.Succeed.jsonata(self, "Done"))
            .otherwise(failed)
        )

    def _read_batch(self, work: WorkBucket) -> tasks.CallAwsService:
        batch = (
            "($document := $parse($states.result.Body);"
            " {'analyzable': $document.analyzable, 'engine': $document.engine,"
            " 'minConfidence': $document.min_confidence, 'adapter': $document.adapter,"
            # A batch that was claimed before there was a renderer says nothing of it.
            " 'formats': [$document.formats],"
            f" 'maxFrames': $exists($document.max_frames) ? $document.max_frames : {DEFAULT_FRAMES},"
            " 'deadline': $document.job_deadline_seconds, 'manifest': $document.manifest, 'output': $document.output})"
        )
        task = tasks.CallAwsService.jsonata(
            self,
            "Read batch",
            service="s3",
            action="getObject",
            iam_action="s3:GetObject",
            iam_resources=[work.bucket.arn_for_objects(execution_key("*"))],
            parameters={
                "Bucket": work.bucket.bucket_name,
                "Key": f"{{% {_execution_key()} %}}",
            },
            assign={
                "batchId": "{% $states.input.batch_id %}",
                "batch": f"{{% {batch} %}}",
                "attempt": 1,
                **NO_JOB,
                "fallback": NULL,
                "pass": ImagePass.FIRST.value,
                "passSize": "{% $parse($states.result.Body).uploads %}",
                "images": NULL,
                "again": NULL,
                **turn_states.VARIABLES,
            },
            outputs={},
        )
        retry(task, ["States.TaskFailed"], interval=2, longest=300, attempts=100)
        return task

    def _write_verdicts(self, results: ResultsWriter) -> sfn.CustomState:
        # No catch: an execution that stops here can be redriven, and continues with the missing verdicts. The library's
        # own task would also allow the machine to invoke versions of the function, of which there are none.
        task = sfn.CustomState(
            self,
            "Write verdicts",
            state_json={
                "Type": "Task",
                "Resource": f"arn:{cdk.Aws.PARTITION}:states:::lambda:invoke",
                "Arguments": {
                    "FunctionName": results.function.function_arn,
                    "Payload": {
                        "batch_id": "{% $batchId %}",
                        "job": {
                            "job_id": "{% $jobId %}",
                            "results": "{% $results %}",
                            "summary": "{% $summary %}",
                            "failure": "{% $failure %}",
                        },
                        "images": "{% $images %}",
                        "fallback": "{% $fallback %}",
                    },
                },
                "Assign": {"again": "{% $states.result.Payload.again %}"},
                "Output": "{% $states.result.Payload %}",
                "TimeoutSeconds": results.TIMEOUT.plus(cdk.Duration.minutes(1)).to_seconds(),
            },
        )
        # For hours: recovery from an outage of the table or the topic should need no person.
        retry(task, LAMBDA_ERRORS, interval=2, longest=300, attempts=100)
        retry(task, ["States.TaskFailed", "States.Timeout"], interval=10, longest=300, attempts=100)
        return task


def _execution_key() -> str:
    """JSONata for the key of the batch's execution.json."""
    before, after = execution_key("?").split("?")
    return f"'{before}' & $states.input.batch_id & '{after}'"
