import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Semaphore
from typing import Any, Literal

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError

from gatehouse.aws.chunk_queue import ChunkQueue
from gatehouse.aws.image_moderation import ImageModeration
from gatehouse.aws.presigned_uploads import PresignedUploads
from gatehouse.aws.renderer_function import RendererFunction
from gatehouse.aws.task_tokens import TaskTokens
from gatehouse.aws.upload_head import UploadHeads
from gatehouse.configuration.call_rate import MAX_CHUNK
from gatehouse.moderation.analysis import (
    ImageError,
    ResultLine,
    answer_line,
    error_line,
    parse_answer,
    parse_result_line,
)
from gatehouse.moderation.chunk import Chunk, ChunkMessage, ChunkMessageError
from gatehouse.moderation.image_pass import ImagePass
from gatehouse.moderation.upload import Upload
from lambdas.analyzer import chunk_analysis
from lambdas.analyzer.chunk_analysis import (
    MAX_DELIVERIES,
    PARALLEL_CALLS,
    SLOW_SECONDS,
    ChunkAnalysis,
    ChunkOutcome,
    ChunkRun,
)
from lambdas.analyzer.image_analysis import ImageAnalysis
from lambdas.analyzer.pace import Pace
from tests.unit.aws_calls import Killed, an_error
from tests.unit.builders import ADAPTER, a_batch, a_claim, an_answer, an_upload, uploads
from tests.unit.clock import Clock
from tests.unit.conftest import Storage

DETECT, HEARTBEAT, SUCCEED, FAIL = "DetectModerationLabels", "SendTaskHeartbeat", "SendTaskSuccess", "SendTaskFailure"

CALLS_PER_SECOND = 4.0  # whose interval floating point can add up exactly

#: Enough for everything that does not wait forever.
HOURS = 36_000.0


@dataclass
class Workshop:
    """A written batch, a workflow that waits for one of its chunks, and a Rekognition that answers as it is told.

    Attributes:
        answers: key -> what Rekognition says to each call about it; the last one again and again. Else: nothing found.
        starved: keys that are answered when all the others were asked about, and throttled unless `answers` has them.
        asked: what Rekognition was asked about, in order.
        is_waiting: whether the workflow still waits for the chunk.
        ends: what the workflow was told of the chunk's end.
    """

    storage: Storage
    queue_url: str
    clock: Clock = field(default_factory=Clock)
    answers: dict[str, list[dict[str, Any] | BaseException]] = field(default_factory=dict)
    starved: frozenset[str] = frozenset()
    asked: list[dict[str, Any]] = field(default_factory=list)
    is_waiting: bool = True
    ends: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    chunk: Chunk = field(default_factory=lambda: Chunk("batch-1", ImagePass.FIRST, 0, 100))
    _keys: frozenset[str] = frozenset()
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def __post_init__(self) -> None:
        calls = self.storage.calls
        calls.answer_always(DETECT, self._detect)
        calls.answer_always(HEARTBEAT, lambda _: self._step_functions())
        calls.answer_always(SUCCEED, lambda asked: self._step_functions((SUCCEED, json.loads(asked["body"]))))
        calls.answer_always(FAIL, lambda asked: self._step_functions((FAIL, json.loads(asked["body"]))))

    def batch_of(self, found: Sequence[Upload]) -> None:
        """The batch's files are written."""
        self._keys = frozenset(upload.key for upload in found)
        self.storage.work.write(a_batch([*map(a_claim, found)]))
        self.storage.calls.made.clear()

    def pass_of(self, found: Sequence[Upload], image_pass: ImagePass) -> None:
        """The batch's files are written, and the chunk is one of a pass over all of them."""
        self.batch_of(found)
        if image_pass is not ImagePass.FIRST:
            terms = self.storage.work.read_terms("batch-1")
            self.storage.work.write_index("batch-1", image_pass, list(self.storage.work.read_index(terms)))
        self.chunk = Chunk("batch-1", image_pass, 0, 100)

    def message(self, **fields: Any) -> str:
        """The workflow's message for the chunk."""
        document = {
            "token": "token-1",
            "batch_id": self.chunk.batch_id,
            "pass": self.chunk.image_pass.value,
            "first": self.chunk.first,
            "size": self.chunk.size,
            "min_confidence": 30,
            "adapter": None,
        }
        return json.dumps(document | fields)

    def analyze(self, body: str | None = None, deliveries: int = 1, seconds: float = HOURS) -> ChunkRun:
        """One run of the Analyzer, which has this time for its calls."""
        states, sqs = boto3.client("stepfunctions"), boto3.client("sqs")
        rekognition = boto3.client("rekognition", config=Config(retries={"total_max_attempts": 1}))
        functions = boto3.client("lambda", config=Config(retries={"total_max_attempts": 1}))
        self.storage.calls.watch(states, sqs, rekognition, functions)
        clock = self.clock
        return ChunkAnalysis(
            work=self.storage.work,
            tokens=TaskTokens(states),
            queue=ChunkQueue(sqs, self.queue_url),
            images=ImageAnalysis(
                moderation=ImageModeration(rekognition),
                heads=UploadHeads(self.storage.s3),
                uploads=PresignedUploads(self.storage.s3),
                renderer=RendererFunction(functions, "renderer"),
                pace=Pace(CALLS_PER_SECOND, clock.monotonic, clock.sleep),
                clock=clock.monotonic,
                renderings=Semaphore(4),
            ),
            clock=clock.monotonic,
            pause=clock.sleep,
        ).analyze(self.message() if body is None else body, deliveries, clock.monotonic() + seconds)

    def results(self, chunk: Chunk | None = None) -> dict[int, ResultLine]:
        """What the chunk's result file says, by the uploads' numbers."""
        found = [parse_result_line(line) for line in self.storage.work.read_results(chunk or self.chunk)]
        results = {line.n: line for line in found if line.n is not None}
        assert len(results) == len(found)  # one line each
        return results

    def keys_asked(self) -> list[str]:
        """The keys Rekognition was asked about since the last look, sorted."""
        keys = sorted(asked["Image"]["S3Object"]["Name"] for asked in self.asked)
        self.asked.clear()
        return keys

    def put_back(self) -> list[ChunkMessage]:
        """The messages put into the queue since the last look."""
        return [ChunkMessage.parse(body) for body, _ in self.messages()]

    def messages(self) -> list[tuple[str, int]]:
        """The messages put into the queue since the last look: body, and how often each was received by now."""
        sqs = boto3.client("sqs")
        found = sqs.receive_message(
            QueueUrl=self.queue_url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["ApproximateReceiveCount"]
        ).get("Messages", [])
        for message in found:
            sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return [(message["Body"], int(message["Attributes"]["ApproximateReceiveCount"])) for message in found]

    def _detect(self, request: Mapping[str, Any]) -> dict[str, Any]:
        asked = json.loads(request["body"])
        key = asked["Image"]["S3Object"]["Name"]
        with self._changed:
            self.asked.append(asked)
            self._changed.notify_all()
            if key in self.starved:
                assert self._changed.wait_for(self._have_others_answers, timeout=60)
            script = self.answers.get(key, [THROTTLED if key in self.starved else an_answer()])
            answer = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(answer, BaseException):
            raise answer
        return dict(answer)

    def _have_others_answers(self) -> bool:
        return self._keys - self.starved <= {asked["Image"]["S3Object"]["Name"] for asked in self.asked}

    def _step_functions(self, end: tuple[str, dict[str, Any]] | None = None) -> dict[str, Any]:
        if not self.is_waiting:
            return an_error("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
        if end:
            self.ends.append(end)
            self.is_waiting = False
        return {}


@pytest.fixture
def workshop(storage: Storage) -> Workshop:
    return Workshop(storage, boto3.client("sqs").create_queue(QueueName="chunks")["QueueUrl"])


THROTTLED = an_error("ProvisionedThroughputExceededException", "Provisioned rate exceeded")
FAILED = an_error("InternalServerError", "Internal server error", 500)
DENIED = an_error("AccessDeniedException", "User is not authorized to perform this operation")
NOT_READY = an_error("ResourceNotReadyException", "The project version is not ready")
BROKEN = an_error("InvalidImageFormatException", "Request has invalid image format")
TIMEOUT = ReadTimeoutError(endpoint_url="https://rekognition.aws.invalid")
SUCCESS = (SUCCEED, {"taskToken": "token-1", "output": '{"first": 0}'})


def _error(answer: Mapping[str, Any] | Exception) -> ImageError:
    """What a line says of an image that got this answer."""
    if isinstance(answer, Exception):
        return ImageError(type(answer).__name__, str(answer))
    return ImageError(answer["Error"]["Code"], answer["Error"]["Message"])


def test_each_image_of_a_chunk_gets_a_line_of_its_own(workshop: Workshop) -> None:
    found = uploads(3)
    workshop.batch_of(found)
    violent = an_answer({"Violence": 95.0})
    workshop.answers = {found[1].key: [violent], found[2].key: [BROKEN]}

    run = workshop.analyze()

    assert run == ChunkRun(workshop.chunk, ChunkOutcome.ANALYZED, analyzed=2, refused=1)
    assert workshop.results() == {
        0: ResultLine(found[0].object, parse_answer(an_answer()), 0),
        1: ResultLine(found[1].object, parse_answer(violent), 1),
        2: ResultLine(found[2].object, None, 2, _error(BROKEN)),
    }
    assert workshop.ends == [SUCCESS]
    assert workshop.messages() == []


def test_rekognition_is_asked_what_the_message_says_about_the_version_that_was_uploaded(workshop: Workshop) -> None:
    versions = [an_upload(sequencer=f"{n}", version_id=f"version-{n}") for n in range(2)]
    workshop.batch_of([*versions, an_upload("dog.jpg")])

    workshop.analyze(workshop.message(min_confidence=12.5, adapter=ADAPTER))

    images = [asked.pop("Image")["S3Object"] for asked in workshop.asked]
    assert sorted(images, key=lambda image: image.get("Version", "")) == [
        {"Bucket": "uploads", "Name": "dog.jpg"},
        {"Bucket": "uploads", "Name": "cat.jpg", "Version": "version-0"},
        {"Bucket": "uploads", "Name": "cat.jpg", "Version": "version-1"},
    ]
    assert workshop.asked == [{"MinConfidence": 12.5, "ProjectVersion": ADAPTER}] * 3
    assert set(workshop.results()) == {0, 1, 2}


def test_a_chunk_is_its_own_stretch_of_the_batch_without_the_refused(workshop: Workshop) -> None:
    found = uploads(6)
    found[2] = an_upload("empty.jpg", size=0)
    workshop.batch_of(found)
    workshop.chunk = Chunk("batch-1", ImagePass.FIRST, 1, 3)

    run = workshop.analyze()

    assert workshop.keys_asked() == [found[1].key, found[3].key]
    assert set(workshop.results()) == {1, 3}
    assert workshop.ends == [(SUCCEED, {"taskToken": "token-1", "output": '{"first": 1}'})]
    assert run.analyzed == 2


def test_a_chunk_of_refused_uploads_costs_nothing_and_ends(workshop: Workshop) -> None:
    workshop.batch_of(uploads(3, size=0))

    run = workshop.analyze()

    assert run == ChunkRun(workshop.chunk, ChunkOutcome.ANALYZED)
    assert workshop.asked == []
    assert workshop.storage.calls.made["PutObject"] == 0
    assert workshop.ends == [SUCCESS]


def test_an_overwritten_upload_costs_nothing_and_keeps_no_chunk_from_its_end(workshop: Workshop) -> None:
    workshop.batch_of([an_upload(sequencer="1"), an_upload(sequencer="2"), an_upload("dog.jpg")])

    run = workshop.analyze()

    assert workshop.keys_asked() == ["cat.jpg", "dog.jpg"]
    assert set(workshop.results()) == {1, 2}
    assert run == ChunkRun(workshop.chunk, ChunkOutcome.ANALYZED, analyzed=2)


def test_leftovers_are_analyzed_apart_from_the_first_pass(workshop: Workshop) -> None:
    found = uploads(5)
    workshop.batch_of(found)
    terms = workshop.storage.work.read_terms("batch-1")
    left = [entry for entry in workshop.storage.work.read_index(terms) if entry.n in (1, 4)]
    workshop.storage.work.write_index("batch-1", ImagePass.LEFTOVERS, left)
    first = workshop.chunk
    workshop.storage.work.write_results(first, [answer_line(found[1].object, 1, an_answer())])
    workshop.chunk = Chunk("batch-1", ImagePass.LEFTOVERS, 0, 100)

    workshop.analyze()

    assert workshop.keys_asked() == [found[1].key, found[4].key]
    assert set(workshop.results()) == {1, 4}
    assert set(workshop.results(first)) == {1}


def test_a_chunk_that_comes_again_pays_only_for_what_has_no_line(workshop: Workshop) -> None:
    found = uploads(6)
    workshop.batch_of(found)
    violent = an_answer({"Violence": 95.0})
    known = [answer_line(found[4].object, 4, violent), answer_line(found[1].object, 1, an_answer())]
    workshop.storage.work.write_results(workshop.chunk, [*known, '{"source-ref": "s3://uploads/image-00002.jpg", "n"'])

    run = workshop.analyze(deliveries=2)

    assert workshop.keys_asked() == [found[n].key for n in (0, 2, 3, 5)]
    assert set(workshop.results()) == {0, 1, 2, 3, 4, 5}
    assert workshop.results()[4].analysis == parse_answer(violent)
    assert run == ChunkRun(workshop.chunk, ChunkOutcome.ANALYZED, analyzed=4, known=2)


def test_a_chunk_whose_end_was_not_heard_of_ends_without_a_call(workshop: Workshop) -> None:
    workshop.batch_of(uploads(3))
    workshop.storage.calls.kill(SUCCEED, "before")
    with pytest.raises(Killed):
        workshop.analyze()
    assert len(workshop.keys_asked()) == 3
    written = workshop.storage.calls.made["PutObject"]

    run = workshop.analyze(deliveries=2)

    assert workshop.asked == []
    assert workshop.storage.calls.made["PutObject"] == written
    assert run == ChunkRun(workshop.chunk, ChunkOutcome.ANALYZED, known=3)
    assert workshop.ends == [SUCCESS]


def test_a_chunk_nobody_waits_for_costs_nothing(workshop: Workshop) -> None:
    workshop.batch_of(uploads(3))
    workshop.is_waiting = False

    run = workshop.analyze()

    assert run == ChunkRun(workshop.chunk, ChunkOutcome.NOT_AWAITED)
    assert workshop.storage.calls.made == {HEARTBEAT: 1}
    assert workshop.messages() == []


def test_an_outage_of_step_functions_costs_nothing_and_brings_the_message_back(workshop: Workshop) -> None:
    workshop.batch_of(uploads(3))
    workshop.storage.calls.answer_next(HEARTBEAT, an_error("ServiceUnavailable", "later", 400))

    with pytest.raises(ClientError, match="ServiceUnavailable"):
        workshop.analyze()
    assert workshop.asked == []

    assert workshop.analyze(deliveries=2).outcome is ChunkOutcome.ANALYZED


def test_throttling_never_becomes_a_line(workshop: Workshop) -> None:
    found = uploads(3)
    workshop.batch_of(found)
    workshop.answers = {found[1].key: [*[THROTTLED] * 50, an_answer()]}

    run = workshop.analyze()

    assert run == ChunkRun(workshop.chunk, ChunkOutcome.ANALYZED, analyzed=3, throttled=50)
    assert all(line.error is None for line in workshop.results().values())


def test_what_is_throttled_until_time_is_up_goes_on_under_a_new_message(workshop: Workshop) -> None:
    found = uploads(5)
    workshop.batch_of(found)
    workshop.starved = frozenset({found[1].key, found[3].key})
    body = workshop.message()

    run = workshop.analyze(body, deliveries=MAX_DELIVERIES, seconds=600.0)

    assert set(workshop.results()) == {0, 2, 4}
    assert (run.outcome, run.analyzed, run.refused, run.known) == (ChunkOutcome.PUT_BACK, 3, 0, 0)
    assert run.throttled > 2
    assert workshop.ends == []
    ((again, deliveries),) = workshop.messages()
    assert deliveries == 1  # received by nobody before: being slow uses up no deliveries
    assert ChunkMessage.parse(again) == ChunkMessage.parse(body)

    workshop.starved = frozenset()
    workshop.asked.clear()
    run = workshop.analyze(again)

    assert workshop.keys_asked() == [found[1].key, found[3].key]
    assert set(workshop.results()) == {0, 1, 2, 3, 4}
    assert run == ChunkRun(workshop.chunk, ChunkOutcome.ANALYZED, analyzed=2, known=3)
    assert workshop.ends == [SUCCESS]


def test_a_run_without_time_makes_no_call_and_loses_nothing(workshop: Workshop) -> None:
    found = uploads(3)
    workshop.batch_of(found)
    workshop.storage.work.write_results(workshop.chunk, [answer_line(found[0].object, 0, an_answer())])
    written = workshop.storage.calls.made["PutObject"]

    run = workshop.analyze(seconds=-1.0)

    assert run == ChunkRun(workshop.chunk, ChunkOutcome.PUT_BACK, known=1)
    assert workshop.asked == []
    assert workshop.storage.calls.made["PutObject"] == written
    assert set(workshop.results()) == {0}
    assert workshop.put_back() == [ChunkMessage.parse(workshop.message())]


def test_no_call_is_made_after_its_time(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunk_analysis, "PARALLEL_CALLS", 1)  # so that the clock of the test is one of a real time
    workshop.batch_of(uploads(20))
    start = workshop.clock.monotonic()
    calls: list[float] = []

    def detect(_request: Mapping[str, Any]) -> dict[str, Any]:
        calls.append(workshop.clock.monotonic() - start)
        return an_answer()

    workshop.storage.calls.answer_always(DETECT, detect)

    run = workshop.analyze(seconds=2.0)

    assert calls == [n / CALLS_PER_SECOND for n in range(9)]
    assert (run.outcome, run.analyzed) == (ChunkOutcome.PUT_BACK, 9)
    assert set(workshop.results()) == set(range(9))


@pytest.mark.parametrize("seconds", [0.1, 3.0, 1000.0])
def test_a_run_ends_in_time_however_long_it_is_throttled(workshop: Workshop, seconds: float) -> None:
    (upload,) = uploads(1)
    workshop.batch_of([upload])
    workshop.answers = {upload.key: [THROTTLED]}
    until = workshop.clock.monotonic() + seconds

    run = workshop.analyze(seconds=seconds)

    assert workshop.clock.monotonic() <= until
    assert run == ChunkRun(workshop.chunk, ChunkOutcome.PUT_BACK, throttled=len(workshop.asked))
    assert workshop.results() == {}


@pytest.mark.parametrize("failure", [FAILED, TIMEOUT, DENIED, NOT_READY])
@pytest.mark.parametrize("image_pass", ImagePass)
def test_an_image_that_only_fails_is_left_for_the_next_pass_after_its_tries(
    workshop: Workshop, failure: dict[str, Any] | Exception, image_pass: ImagePass
) -> None:
    found = uploads(3)
    workshop.pass_of(found, image_pass)
    workshop.answers = {found[1].key: [failure]}
    tries = image_pass.tries

    run = workshop.analyze()

    assert workshop.keys_asked() == [found[0].key, *[found[1].key] * tries, found[2].key]
    assert run == ChunkRun(workshop.chunk, ChunkOutcome.ANALYZED, analyzed=2, straggling=1, failed=tries)
    assert workshop.results()[1] == ResultLine(found[1].object, None, 1, _error(failure), failed_calls=tries)
    assert workshop.ends == [SUCCESS]
    assert workshop.messages() == []


def test_a_run_ends_without_delay_once_only_failing_images_are_left(workshop: Workshop) -> None:
    found = uploads(25)
    workshop.batch_of(found)
    workshop.answers = {found[24].key: [FAILED]}

    began = workshop.clock.monotonic()
    run = workshop.analyze()

    calls = 24 + ImagePass.FIRST.tries
    assert run == ChunkRun(
        workshop.chunk, ChunkOutcome.ANALYZED, analyzed=24, straggling=1, failed=ImagePass.FIRST.tries
    )
    assert workshop.clock.monotonic() - began < 2 * calls / CALLS_PER_SECOND  # by the test's own clock


def test_failures_of_all_kinds_count_together_and_throttling_does_not(workshop: Workshop) -> None:
    (upload,) = uploads(1)
    workshop.batch_of([upload])
    workshop.answers = {upload.key: [THROTTLED, DENIED, THROTTLED, TIMEOUT, *[THROTTLED] * 20, FAILED, an_answer()]}

    run = workshop.analyze()

    assert run == ChunkRun(workshop.chunk, ChunkOutcome.ANALYZED, straggling=1, throttled=22, failed=3)
    assert workshop.results()[0] == ResultLine(upload.object, None, 0, _error(FAILED), failed_calls=3)


def test_an_error_that_passes_leaves_no_trace(workshop: Workshop) -> None:
    (upload,) = uploads(1)
    workshop.batch_of([upload])
    failed = ImagePass.FIRST.tries - 1
    workshop.answers = {upload.key: [*[FAILED] * failed, an_answer()]}

    run = workshop.analyze()

    assert run == ChunkRun(workshop.chunk, ChunkOutcome.ANALYZED, analyzed=1, failed=failed)
    assert workshop.results() == {0: ResultLine(upload.object, parse_answer(an_answer()), 0)}


@pytest.mark.parametrize(("seconds", "calls"), [(SLOW_SECONDS - 1, 3), (SLOW_SECONDS, 1)])
def test_a_call_that_fails_slowly_uses_up_all_tries(workshop: Workshop, seconds: float, calls: int) -> None:
    (upload,) = uploads(1)
    workshop.batch_of([upload])

    def detect(_request: Mapping[str, Any]) -> dict[str, Any]:
        workshop.asked.append(dict(_request))
        workshop.clock.sleep(seconds)
        raise TIMEOUT

    workshop.storage.calls.answer_always(DETECT, detect)

    run = workshop.analyze()

    assert len(workshop.asked) == calls
    assert run == ChunkRun(workshop.chunk, ChunkOutcome.ANALYZED, straggling=1, failed=calls)


def test_tries_count_across_runs_of_a_chunk(workshop: Workshop) -> None:
    found = uploads(2)
    workshop.batch_of(found)
    workshop.answers = {found[1].key: [FAILED]}
    once = error_line(found[1].object, 1, _error(TIMEOUT), failed_calls=ImagePass.FIRST.tries - 1)
    workshop.storage.work.write_results(workshop.chunk, [once])

    run = workshop.analyze(deliveries=2)

    assert workshop.keys_asked() == [found[0].key, found[1].key]
    assert run == ChunkRun(workshop.chunk, ChunkOutcome.ANALYZED, analyzed=1, straggling=1, failed=1)
    assert workshop.results()[1].failed_calls == ImagePass.FIRST.tries


def test_an_image_that_used_up_its_tries_is_not_asked_about_again_in_its_pass(workshop: Workshop) -> None:
    found = uploads(2)
    workshop.batch_of(found)
    workshop.answers = {found[1].key: [FAILED]}
    workshop.storage.calls.kill(SUCCEED, "before")
    with pytest.raises(Killed):
        workshop.analyze()
    workshop.asked.clear()

    run = workshop.analyze(deliveries=2)

    assert workshop.asked == []
    assert run == ChunkRun(workshop.chunk, ChunkOutcome.ANALYZED, known=2)
    assert workshop.results()[1].failed_calls == ImagePass.FIRST.tries
    assert workshop.ends == [SUCCESS]


def test_a_failure_that_time_did_not_allow_to_repeat_is_counted_and_goes_on_under_a_new_message(
    workshop: Workshop,
) -> None:
    (upload,) = uploads(1)
    workshop.batch_of([upload])
    workshop.answers = {upload.key: [FAILED, an_answer()]}
    body = workshop.message()

    run = workshop.analyze(body, seconds=0.0)

    assert workshop.keys_asked() == [upload.key]
    assert run == ChunkRun(workshop.chunk, ChunkOutcome.PUT_BACK, failed=1)
    assert workshop.results()[0] == ResultLine(upload.object, None, 0, _error(FAILED), failed_calls=1)
    assert workshop.put_back() == [ChunkMessage.parse(body)]

    assert workshop.analyze(body).outcome is ChunkOutcome.ANALYZED
    assert workshop.results()[0] == ResultLine(upload.object, parse_answer(an_answer()), 0)


def test_a_chunk_waits_for_what_is_throttled_and_keeps_what_failed(workshop: Workshop) -> None:
    found = uploads(3)
    workshop.batch_of(found)
    workshop.answers = {found[1].key: [FAILED]}
    workshop.starved = frozenset({found[0].key})

    run = workshop.analyze(seconds=1000.0)

    assert (run.outcome, run.analyzed, run.straggling) == (ChunkOutcome.PUT_BACK, 1, 1)
    assert {n: line.failed_calls for n, line in workshop.results().items()} == {1: 3, 2: 0}
    assert len(workshop.put_back()) == 1


def test_a_count_of_failed_calls_outlives_a_run_that_is_only_throttled(workshop: Workshop) -> None:
    (upload,) = uploads(1)
    workshop.batch_of([upload])
    workshop.storage.work.write_results(workshop.chunk, [error_line(upload.object, 0, _error(FAILED), 2)])
    workshop.answers = {upload.key: [THROTTLED]}

    assert workshop.analyze(seconds=60.0).outcome is ChunkOutcome.PUT_BACK

    assert workshop.results()[0].failed_calls == 2


@pytest.mark.parametrize("unforeseen", [RuntimeError("odd"), Killed("in a thread")])
def test_something_unforeseen_with_one_image_costs_no_other_its_answer(
    workshop: Workshop, unforeseen: BaseException
) -> None:
    found = uploads(40)
    workshop.batch_of(found)
    workshop.storage.work.write_results(workshop.chunk, [answer_line(found[3].object, 3, an_answer())])
    workshop.answers = {found[2].key: [unforeseen], found[5].key: [FAILED, an_answer()], found[39].key: [unforeseen]}

    with pytest.raises(type(unforeseen), match=str(unforeseen)):
        workshop.analyze()

    assert set(workshop.results()) == set(range(40)) - {2, 39}
    assert workshop.ends == []
    assert workshop.messages() == []  # the message itself comes back

    workshop.asked.clear()
    workshop.answers.clear()
    run = workshop.analyze(deliveries=2)

    assert workshop.keys_asked() == [found[2].key, found[39].key]
    assert run == ChunkRun(workshop.chunk, ChunkOutcome.ANALYZED, analyzed=2, known=38)
    assert workshop.ends == [SUCCESS]


def test_something_unforeseen_with_the_only_image_is_raised(workshop: Workshop) -> None:
    (upload,) = uploads(1)
    workshop.batch_of([upload])
    workshop.answers = {upload.key: [RuntimeError("odd")]}

    with pytest.raises(RuntimeError, match="odd"):
        workshop.analyze()

    assert workshop.results() == {}
    assert workshop.ends == []


def test_an_error_about_the_image_itself_costs_one_call(workshop: Workshop) -> None:
    (upload,) = uploads(1)
    workshop.batch_of([upload])
    workshop.answers = {upload.key: [BROKEN]}

    workshop.analyze()

    assert workshop.keys_asked() == [upload.key]


def test_a_chunk_that_came_too_often_is_given_up_with_what_it_has(workshop: Workshop) -> None:
    found = uploads(3)
    workshop.batch_of(found)
    workshop.storage.work.write_results(workshop.chunk, [answer_line(found[0].object, 0, an_answer())])

    run = workshop.analyze(deliveries=MAX_DELIVERIES + 1)

    assert run == ChunkRun(workshop.chunk, ChunkOutcome.GIVEN_UP)
    assert workshop.asked == []
    assert set(workshop.results()) == {0}
    ((operation, end),) = workshop.ends
    assert (operation, end["taskToken"], end["error"]) == (FAIL, "token-1", "ChunkFailed")
    assert f"{MAX_DELIVERIES} runs" in end["cause"]


def test_the_last_delivery_is_still_a_try(workshop: Workshop) -> None:
    workshop.batch_of(uploads(1))

    assert workshop.analyze(deliveries=MAX_DELIVERIES).outcome is ChunkOutcome.ANALYZED


def test_a_chunk_that_came_too_often_and_is_not_awaited_is_dropped(workshop: Workshop) -> None:
    workshop.batch_of(uploads(1))
    workshop.is_waiting = False

    assert workshop.analyze(deliveries=MAX_DELIVERIES + 1).outcome is ChunkOutcome.NOT_AWAITED
    assert workshop.ends == []


@pytest.mark.parametrize("nth", [1, 15, 30])
def test_a_worker_killed_among_its_calls_costs_the_lines_it_had_not_written(workshop: Workshop, nth: int) -> None:
    found = uploads(40)
    workshop.batch_of(found)
    known = {n: answer_line(found[n].object, n, an_answer({"Violence": 95.0})) for n in range(0, 40, 4)}
    workshop.storage.work.write_results(workshop.chunk, known.values())
    workshop.storage.calls.kill(DETECT, "before", nth)
    workshop.storage.calls.kill("PutObject", "before")  # a killed process writes nothing down either

    with pytest.raises(Killed):
        workshop.analyze()

    assert set(workshop.results()) == set(known)
    assert workshop.ends == []
    unknown = sorted(upload.key for n, upload in enumerate(found) if n not in known)
    assert set(workshop.keys_asked()) <= set(unknown)

    run = workshop.analyze(deliveries=2)

    assert workshop.keys_asked() == unknown
    assert run == ChunkRun(workshop.chunk, ChunkOutcome.ANALYZED, analyzed=30, known=10)
    assert set(workshop.results()) == set(range(40))
    assert workshop.results()[4].analysis == parse_answer(an_answer({"Violence": 95.0}))


@pytest.mark.parametrize(
    ("operation", "when", "paid_again"),
    [
        (HEARTBEAT, "after", 0),
        ("PutObject", "before", 3),
        ("PutObject", "after", 0),
        (SUCCEED, "before", 0),
    ],
)
def test_a_worker_killed_anywhere_ends_its_chunk_the_next_time(
    workshop: Workshop, operation: str, when: Literal["before", "after"], paid_again: int
) -> None:
    workshop.batch_of(uploads(3))
    workshop.storage.calls.kill(operation, when)
    with pytest.raises(Killed):
        workshop.analyze()
    paid = len(workshop.keys_asked())
    assert workshop.ends == []

    run = workshop.analyze(deliveries=2)

    assert run.outcome is ChunkOutcome.ANALYZED
    assert paid + len(workshop.keys_asked()) == 3 + paid_again
    assert set(workshop.results()) == {0, 1, 2}
    assert workshop.ends == [SUCCESS]


def test_a_worker_killed_once_the_workflow_knows_leaves_nothing_to_do(workshop: Workshop) -> None:
    workshop.batch_of(uploads(3))
    workshop.storage.calls.kill(SUCCEED, "after")
    with pytest.raises(Killed):
        workshop.analyze()
    workshop.asked.clear()

    assert workshop.analyze(deliveries=2).outcome is ChunkOutcome.NOT_AWAITED
    assert workshop.asked == []
    assert workshop.ends == [SUCCESS]


def test_a_worker_killed_between_file_and_message_is_followed_by_its_own_message(workshop: Workshop) -> None:
    found = uploads(3)
    workshop.batch_of(found)
    workshop.starved = frozenset({found[1].key})
    workshop.storage.calls.kill("SendMessage", "before")
    with pytest.raises(Killed):
        workshop.analyze(seconds=60.0)
    assert set(workshop.results()) == {0, 2}
    assert workshop.messages() == []
    workshop.starved = frozenset()
    workshop.asked.clear()

    workshop.analyze(deliveries=2)

    assert workshop.keys_asked() == [found[1].key]
    assert workshop.ends == [SUCCESS]


@pytest.mark.parametrize("operation", ["PutObject", SUCCEED])
def test_the_workflow_hears_of_nothing_that_is_not_written(workshop: Workshop, operation: str) -> None:
    workshop.batch_of(uploads(3))
    workshop.storage.calls.kill(operation, "before")

    with pytest.raises(Killed):
        workshop.analyze()

    assert workshop.ends == []
    assert set(workshop.results()) == (set() if operation == "PutObject" else {0, 1, 2})


def test_a_file_that_cannot_be_written_brings_the_message_back(workshop: Workshop) -> None:
    workshop.batch_of(uploads(3))
    workshop.storage.calls.answer_next("PutObject", an_error("AccessDenied", "no", 403))

    with pytest.raises(ClientError, match="AccessDenied"):
        workshop.analyze()

    assert workshop.ends == []
    assert workshop.messages() == []


def test_a_file_that_may_not_be_read_is_not_taken_for_absent(workshop: Workshop) -> None:
    workshop.batch_of(uploads(3))
    denied = an_error("AccessDenied", "no", 403)
    workshop.storage.calls.answer_always("GetObject", lambda asked: denied if "analysis" in asked["url"] else None)

    with pytest.raises(ClientError, match="AccessDenied"):
        workshop.analyze()
    assert workshop.asked == []


def test_a_workflow_that_stops_waiting_during_the_run_finds_the_answers_later(workshop: Workshop) -> None:
    found = uploads(3)
    workshop.batch_of(found)
    workshop.storage.calls.interrupt("PutObject", lambda: setattr(workshop, "is_waiting", False))

    run = workshop.analyze()

    assert run == ChunkRun(workshop.chunk, ChunkOutcome.NOT_AWAITED, analyzed=3)
    assert workshop.ends == []
    assert workshop.messages() == []
    workshop.asked.clear()
    workshop.is_waiting = True  # the execution was redriven: another message, another token

    run = workshop.analyze(workshop.message(token="token-2"))

    assert workshop.asked == []
    assert run == ChunkRun(workshop.chunk, ChunkOutcome.ANALYZED, known=3)
    assert workshop.ends == [(SUCCEED, {"taskToken": "token-2", "output": '{"first": 0}'})]


def test_a_rest_nobody_waits_for_any_more_is_not_put_back(workshop: Workshop) -> None:
    found = uploads(3)
    workshop.batch_of(found)
    workshop.starved = frozenset({found[1].key})
    workshop.storage.calls.interrupt("PutObject", lambda: setattr(workshop, "is_waiting", False))

    run = workshop.analyze(seconds=60.0)

    assert (run.outcome, run.analyzed) == (ChunkOutcome.NOT_AWAITED, 2)
    assert set(workshop.results()) == {0, 2}
    assert workshop.messages() == []


def test_two_workers_with_the_same_chunk_end_it_once(workshop: Workshop) -> None:
    workshop.batch_of(uploads(3))
    workshop.storage.calls.interrupt("PutObject", lambda: workshop.analyze(deliveries=2))

    run = workshop.analyze()

    assert run.outcome is ChunkOutcome.NOT_AWAITED
    assert workshop.ends == [SUCCESS]
    assert set(workshop.results()) == {0, 1, 2}


def test_a_worker_out_of_time_loses_no_line_of_another_one_with_the_same_chunk(workshop: Workshop) -> None:
    found = uploads(5)
    workshop.batch_of(found)
    workshop.starved = frozenset({found[1].key, found[3].key})
    line = answer_line(found[1].object, 1, an_answer({"Violence": 95.0}))
    workshop.storage.calls.interrupt(DETECT, lambda: workshop.storage.work.write_results(workshop.chunk, [line]))

    run = workshop.analyze(seconds=60.0)

    assert set(workshop.results()) == {0, 1, 2, 4}
    assert workshop.results()[1].analysis == parse_answer(an_answer({"Violence": 95.0}))
    assert (run.outcome, run.analyzed) == (ChunkOutcome.PUT_BACK, 3)
    assert len(workshop.messages()) == 1


@pytest.mark.parametrize("counted", [0, 1, 2])
def test_a_workers_failures_replace_no_answer_of_another_one_with_the_same_chunk(
    workshop: Workshop, counted: int
) -> None:
    """Whatever is known of the images already, and whether or not this worker has them all settled."""
    found = uploads(2)
    workshop.batch_of(found)
    workshop.answers = {upload.key: [FAILED] for upload in found}
    if counted:
        failures = [error_line(upload.object, n, _error(FAILED), counted) for n, upload in enumerate(found)]
        workshop.storage.work.write_results(workshop.chunk, failures)
    answers = [answer_line(upload.object, n, an_answer({"Violence": 95.0})) for n, upload in enumerate(found)]
    workshop.storage.calls.interrupt(DETECT, lambda: workshop.storage.work.write_results(workshop.chunk, answers))

    run = workshop.analyze()

    assert {n: line.analysis for n, line in workshop.results().items()} == dict.fromkeys(
        range(2), parse_answer(an_answer({"Violence": 95.0}))
    )
    assert run.outcome is ChunkOutcome.ANALYZED


def test_of_two_workers_failures_the_one_that_is_charged_with_more_calls_counts(workshop: Workshop) -> None:
    found = uploads(2)
    workshop.batch_of(found)
    workshop.answers = {found[0].key: [FAILED], found[1].key: [FAILED]}
    twins = [error_line(found[n].object, n, _error(TIMEOUT), calls) for n, calls in ((0, 2), (1, 1))]
    workshop.storage.calls.interrupt(DETECT, lambda: workshop.storage.work.write_results(workshop.chunk, twins))

    workshop.analyze(seconds=0.0)

    assert {n: line.failed_calls for n, line in workshop.results().items()} == {0: 2, 1: 1}


def test_what_another_worker_has_completed_is_not_put_back(workshop: Workshop) -> None:
    found = uploads(3)
    workshop.batch_of(found)
    workshop.starved = frozenset({found[1].key})
    line = answer_line(found[1].object, 1, an_answer())
    workshop.storage.calls.interrupt(DETECT, lambda: workshop.storage.work.write_results(workshop.chunk, [line]))

    run = workshop.analyze(seconds=60.0)

    assert run.outcome is ChunkOutcome.ANALYZED
    assert set(workshop.results()) == {0, 1, 2}
    assert workshop.ends == [SUCCESS]
    assert workshop.messages() == []


@pytest.mark.parametrize("body", ["", "{}", '{"token": "token-1"}'])
def test_a_message_that_is_not_the_workflows_costs_nothing(workshop: Workshop, body: str) -> None:
    with pytest.raises(ChunkMessageError):
        workshop.analyze(body)

    assert workshop.storage.calls.made == {}


def test_a_full_chunk_is_analyzed_whole_however_many_of_its_calls_are_throttled(workshop: Workshop) -> None:
    found = uploads(MAX_CHUNK)
    workshop.batch_of(found)
    workshop.chunk = replace(workshop.chunk, size=MAX_CHUNK)
    workshop.answers = {upload.key: [THROTTLED, an_answer()] for upload in found[::3]}

    run = workshop.analyze()

    assert run == ChunkRun(workshop.chunk, ChunkOutcome.ANALYZED, analyzed=MAX_CHUNK, throttled=len(found[::3]))
    assert workshop.keys_asked() == sorted([upload.key for upload in found] + [upload.key for upload in found[::3]])
    assert len(workshop.results()) == MAX_CHUNK > PARALLEL_CALLS
