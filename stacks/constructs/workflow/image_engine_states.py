"""The image engine in the workflow: sends a pass's chunks to the chunk queue."""

from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from gatehouse.configuration.call_rate import SLOW_CHUNK
from gatehouse.moderation.chunk import CHUNK_FAILED
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.image_pass import ImagePass
from gatehouse.moderation.lane import Priority
from stacks.constructs.image_analyzer import ImageAnalyzer
from stacks.constructs.workflow.workflow_states import ERROR_CODE, ERROR_MESSAGE, condition, give_up, retry

#: `auto` chooses the image engine for a batch that it can finish within this time, including the backlog.
SOON_SECONDS = 60

#: A batch sends its chunks only while the backlog takes no longer than this. So no chunk waits as long as its heartbeat
#: timeout; batches that find no room wait as executions.
ROOM_SECONDS = 3600

#: In a fast lane, even a few uploads are split among all workers: the seconds saved are worth the calls per chunk.
LEAST_FAST_CHUNK = 1

#: Enough of a chunk's error to identify it. The errors of up to 400 chunks together must fit into the 262,144 bytes of
#: a Map's result.
_LONGEST_MESSAGE = 80

_BACKLOG = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")


class ImageEngineStates(Construct):
    """Split a pass into chunks, have each analyzed, and record which were given up.

    A fast lane's batches go to the queue at once. Others first check whether there is room. With `auto`, before bulk
    was tried, they also check whether the image engine would finish soon; if not, they try bulk first.
    """

    def __init__(self, scope: Construct, id: str, *, analyzer: ImageAnalyzer) -> None:
        super().__init__(scope, id)
        least = LEAST_FAST_CHUNK if analyzer.priority is Priority.FAST else analyzer.rate.least_chunk
        # Stragglers are retried in up to six passes, after an outage all of a batch, and an execution's events are
        # limited: so their chunks are large, even if one takes a worker several runs.
        most = f"$contains($pass, 'stragglers') ? {SLOW_CHUNK} : {analyzer.rate.chunk_size}"
        #: Uploads in a chunk of this pass, in JSONata.
        self._size = f"$min([{most}, $max([{least}, $ceil($passSize / {analyzer.rate.workers})])])"
        self._analyze = self._analyze_images(analyzer)
        self._choice: sfn.Choice | None = None
        self.start: sfn.IChainable = self._analyze
        if analyzer.priority is not Priority.FAST:
            self._choice, self.start = self._look_first(analyzer)

    def next(self, following: sfn.IChainable, *, bulk: sfn.IChainable | None) -> None:
        """Set the state after a pass, and, if there is bulk, the state that `auto` tries first for a large batch."""
        self._analyze.next(following)
        if self._choice is not None:
            if bulk is not None:
                self._choice.when(self._is_long, bulk)
            self._choice.when(self._is_room, self._analyze)

    def _look_first(self, analyzer: ImageAnalyzer) -> tuple[sfn.Choice, sfn.IChainable]:
        rate = analyzer.rate
        # The size of waiting chunks is unknown. The estimate assumes ours; the check for room a large one, at most a
        # fifth of the largest there is, with which the hour would be five, and with eight frames an image
        # forty: less than the days that a chunk may wait.
        soon = f"($backlog * {self._size} + $passSize) / {rate.calls_per_second} <= {SOON_SECONDS}"
        room = f"$backlog * $min([{SLOW_CHUNK}, {rate.chunk_size}]) / {rate.calls_per_second} <= {ROOM_SECONDS}"
        tried = f"$batch.engine != '{Engine.AUTO}' or $pass != '{ImagePass.FIRST}' or $fallback != null"
        self._is_long = condition(f"$not({tried}) and $not({soon})")
        self._is_room = condition(room)
        choice = sfn.Choice.jsonata(self, "How soon?")
        # Random, so that waiting batches do not all find the same room; the backlog is an hour's work.
        pause = "{% $ceil(600 + 1200 * $random()) %}"
        wait = sfn.Wait.jsonata(self, "Wait for room", time=sfn.WaitTime.seconds(pause))
        waiting, taken = (f"$number($states.result.Attributes.{name})" for name in _BACKLOG)
        look = tasks.CallAwsService.jsonata(
            self,
            "Look at chunk queue",
            service="sqs",
            action="getQueueAttributes",
            iam_action="sqs:GetQueueAttributes",
            iam_resources=[analyzer.queue.queue_arn],
            parameters={"QueueUrl": analyzer.queue.queue_url, "AttributeNames": list(_BACKLOG)},
            assign={"backlog": f"{{% {waiting} + {taken} %}}"},
            outputs={},
        )
        retry(look, ["States.TaskFailed"], interval=2, longest=300, attempts=100)
        choice.otherwise(wait)
        wait.next(look)
        return choice, look.next(choice)

    def _analyze_images(self, analyzer: ImageAnalyzer) -> sfn.Map:
        chunks = f"($size := {self._size}; [[0..$ceil($passSize / $size) - 1].{{'first': $ * $size, 'size': $size}}])"
        failures = "[$filter($states.result, function($chunk) { $exists($chunk.code) })]"
        images = f"{{'pass': $pass, 'uploads': $passSize, 'size': {self._size}, 'failures': {failures}}}"
        # An earlier pass's failure stays: its uploads are FAILED even if a later pass succeeds.
        first = f"($failures := {failures}; $count($failures) = 0 ? null : $failures[0])"
        failure = f"$failure != null ? $failure : {first}"
        analyze = sfn.Map.jsonata(
            self,
            "Analyze images",
            items=sfn.ProvideItems.jsonata(f"{{% {chunks} %}}"),
            max_concurrency=analyzer.rate.chunks_under_way,
            assign={"images": f"{{% {images} %}}", "failure": f"{{% {failure} %}}"},
            outputs={},
        )
        analyze.item_processor(self._analyze_chunk(analyzer))
        return analyze

    def _analyze_chunk(self, analyzer: ImageAnalyzer) -> sfn.IChainable:
        task = tasks.SqsSendMessage.jsonata(
            self,
            "Analyze chunk",
            queue=analyzer.queue,
            integration_pattern=sfn.IntegrationPattern.WAIT_FOR_TASK_TOKEN,
            # Set explicitly: interpreters differ in the default timeout of a task that has only a heartbeat.
            task_timeout=sfn.Timeout.duration(analyzer.TIMEOUT),
            heartbeat_timeout=sfn.Timeout.duration(analyzer.HEARTBEAT),
            message_body=sfn.TaskInput.from_object(
                {
                    "token": "{% $states.context.Task.Token %}",
                    "batch_id": "{% $batchId %}",
                    "pass": "{% $pass %}",
                    "first": "{% $states.input.first %}",
                    "size": "{% $states.input.size %}",
                    "min_confidence": "{% $batch.minConfidence %}",
                    "adapter": "{% $batch.adapter %}",
                    "formats": "{% [$batch.formats] %}",
                    "max_frames": "{% $batch.maxFrames %}",
                }
            ),
            outputs={},
        )
        give_up(task, [CHUNK_FAILED, "States.HeartbeatTimeout", "States.Timeout"])
        retry(task, ["States.TaskFailed"], interval=2, longest=300, attempts=50)
        given_up = sfn.Pass.jsonata(self, "Chunk given up")
        task.add_catch(
            given_up,
            errors=["States.ALL"],
            outputs={
                "first": "{% $states.input.first %}",
                "code": f"{{% {ERROR_CODE} %}}",
                "message": f"{{% $substring({ERROR_MESSAGE}, 0, {_LONGEST_MESSAGE}) %}}",
            },
        )
        return task
