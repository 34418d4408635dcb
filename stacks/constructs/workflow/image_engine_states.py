"""The image engine in the workflow: a pass's chunks, one after the other into the chunk queue."""

from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import aws_stepfunctions_tasks as tasks
from constructs import Construct

from gatehouse.configuration.call_rate import LEAST_CHUNK, MAX_CHUNK
from gatehouse.moderation.chunk import CHUNK_FAILED
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.image_pass import ImagePass
from gatehouse.moderation.lane import Priority
from stacks.constructs.image_analyzer import ImageAnalyzer
from stacks.constructs.workflow.workflow_states import ERROR_CODE, ERROR_MESSAGE, condition, give_up, retry

#: `auto` takes the image engine for a batch that it can have done in this time, with what waits before it.
SOON_SECONDS = 60

#: A batch is let in while what waits before it takes no longer than this. So no chunk waits for as long as its
#: heartbeat, and what there is no room for waits as an execution.
ROOM_SECONDS = 3600

#: In a fast lane, a few uploads are split among all workers: the calls that each chunk costs are worth the seconds.
LEAST_FAST_CHUNK = 1

#: Enough of a chunk's error to know it by. Those of the 400 smallest chunks that a batch can have together have to fit
#: the 262,144 bytes of a Map's result.
_LONGEST_MESSAGE = 80

_BACKLOG = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")


class ImageEngineStates(Construct):
    """Cut a pass into chunks, have each analyzed, and remember which were given up.

    A fast lane's batches go to the queue at once. Others look first whether there is room, and where `auto` has not
    tried bulk yet, whether they are soon done; if not, they go back for it.
    """

    def __init__(self, scope: Construct, id: str, *, analyzer: ImageAnalyzer) -> None:
        super().__init__(scope, id)
        least = LEAST_FAST_CHUNK if analyzer.priority is Priority.FAST else LEAST_CHUNK
        # Stragglers are asked about up to six times, after an outage all of a batch's, and an execution has only so
        # many events: a chunk of theirs may take a worker several runs.
        most = f"$contains($pass, 'stragglers') ? {MAX_CHUNK} : {analyzer.rate.chunk_size}"
        #: Uploads in a chunk of this pass, in JSONata.
        self._size = f"$min([{most}, $max([{least}, $ceil($passSize / {analyzer.rate.workers})])])"
        self._analyze = self._analyze_images(analyzer)
        self._choice: sfn.Choice | None = None
        self.start: sfn.IChainable = self._analyze
        if analyzer.priority is not Priority.FAST:
            self._choice, self.start = self._look_first(analyzer)

    def next(self, following: sfn.IChainable, *, bulk: sfn.IChainable | None) -> None:
        """What comes after a pass; and, where there is bulk, what `auto` does first if the image engine takes long."""
        self._analyze.next(following)
        if self._choice is not None:
            if bulk is not None:
                self._choice.when(self._is_long, bulk)
            self._choice.when(self._is_room, self._analyze)

    def _look_first(self, analyzer: ImageAnalyzer) -> tuple[sfn.Choice, sfn.IChainable]:
        rate = analyzer.rate
        # Nobody knows how large the chunks are that wait: as large as ours, for an estimate; or all of the largest.
        soon = f"($backlog * {self._size} + $passSize) / {rate.calls_per_second} <= {SOON_SECONDS}"
        room = f"$backlog * {rate.chunk_size} / {rate.calls_per_second} <= {ROOM_SECONDS}"
        tried = f"$batch.engine != '{Engine.AUTO}' or $pass != '{ImagePass.FIRST}' or $fallback != null"
        self._is_long = condition(f"$not({tried}) and $not({soon})")
        self._is_room = condition(room)
        choice = sfn.Choice.jsonata(self, "How soon?")
        # At random, so that not all that wait find the same room; there is an hour's work meanwhile.
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
        # An earlier pass's stays: its uploads are FAILED, however well a later pass ends.
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
            # Engines differ in what they take for the time of a task with a heartbeat and none of its own.
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
