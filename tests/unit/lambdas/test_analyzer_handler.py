import io
import json
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError
from moto.core.models import botocore_stubber

from gatehouse.contracts.function_metrics import AnalyzerMetric
from gatehouse.moderation.analysis import answer_line
from gatehouse.moderation.chunk import Chunk, ChunkLine, ChunkMessage
from gatehouse.moderation.image_pass import ImagePass
from lambdas.analyzer import handler as analyzer
from lambdas.analyzer.chunk_analysis import MAX_DELIVERIES
from tests.emitted_metrics import EMITTED
from tests.unit.aws_calls import AwsCalls, an_error
from tests.unit.builders import a_batch, a_claim, an_answer, an_upload, uploads
from tests.unit.clock import Clock
from tests.unit.conftest import WORK, Storage
from tests.unit.emitted import dimensions_in, metrics_in
from tests.unit.lambda_context import a_context

# A failed invocation reports none.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")

DETECT, HEARTBEAT, SUCCEED, FAIL = "DetectModerationLabels", "SendTaskHeartbeat", "SendTaskSuccess", "SendTaskFailure"
CHUNK = Chunk("batch-1", ImagePass.FIRST, 0, 100)
SECRET = an_upload("secret-name.jpg")
FIVE_MINUTES = 300.0


@dataclass
class Deployed:
    """The deployed function, its log and what it calls."""

    storage: Storage
    queue_url: str
    calls: AwsCalls
    clock: Clock
    log: io.StringIO

    def invoke(self, deliveries: int = 1, seconds: float = FIVE_MINUTES, token: str = "token-1") -> None:
        """Lambda's call for a message of the chunk queue."""
        chunk = {"batch_id": "batch-1", "pass": "first", "first": 0, "size": 100}
        body = json.dumps({"token": token, **chunk, "min_confidence": 30, "adapter": None})
        self.deliver(body, deliveries, seconds)

    def deliver(self, body: str, deliveries: int = 1, seconds: float = FIVE_MINUTES) -> None:
        """Lambda's call for a message with this body."""
        attributes = {"ApproximateReceiveCount": str(deliveries), "SentTimestamp": "1"}
        record = {"messageId": "m0", "body": body, "attributes": attributes, "eventSource": "aws:sqs"}
        analyzer.handler({"Records": [record]}, a_context(seconds))

    def answers(self, answers: Mapping[str, dict[str, Any]]) -> None:
        """What Rekognition says of these keys; it finds nothing in others."""

        def detect(request: Mapping[str, Any]) -> dict[str, Any]:
            key = json.loads(request["body"])["Image"]["S3Object"]["Name"]
            return dict(answers.get(key, an_answer()))

        self.calls.answer_always(DETECT, detect)

    def put_back(self) -> list[ChunkMessage]:
        """The messages in the chunk queue."""
        found = boto3.client("sqs").receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10)
        return [ChunkMessage.parse(message["Body"]) for message in found.get("Messages", [])]

    def waiting(self) -> int:
        """Messages in the chunk queue."""
        attributes = boto3.client("sqs").get_queue_attributes(
            QueueUrl=self.queue_url, AttributeNames=["ApproximateNumberOfMessages"]
        )["Attributes"]
        return int(attributes["ApproximateNumberOfMessages"])


def forget_deployment() -> None:
    """What a new function instance has not read yet."""
    analyzer._analysis.cache_clear()
    analyzer._environment.cache_clear()


@pytest.fixture
def deployed(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployed]:
    queue_url = boto3.client("sqs").create_queue(QueueName="chunks")["QueueUrl"]
    monkeypatch.setenv("CALLS_PER_SECOND", "2.5")
    monkeypatch.setenv("CHUNK_QUEUE_URL", queue_url)
    monkeypatch.setenv("PRIORITY", "live")
    monkeypatch.setenv("RENDERER", "renderer")
    monkeypatch.setenv("WORK_BUCKET", WORK)
    clock, log = Clock(), io.StringIO()
    monkeypatch.setattr(analyzer, "time", clock)
    monkeypatch.setattr(analyzer.logger.registered_handler, "stream", log)
    forget_deployment()
    calls, made = AwsCalls(), boto3.client

    def watched(*args: Any, **kwargs: Any) -> Any:
        client = made(*args, **kwargs)
        calls.watch(client)
        return client

    monkeypatch.setattr(boto3, "client", watched)
    for operation in (HEARTBEAT, SUCCEED, FAIL):
        calls.answer_always(operation, lambda _: {})
    deployed = Deployed(storage, queue_url, calls, clock, log)
    deployed.answers({})
    yield deployed
    forget_deployment()


def test_a_message_becomes_a_result_file(deployed: Deployed) -> None:
    found = uploads(3)
    deployed.storage.work.write(a_batch([*map(a_claim, found)]))

    deployed.invoke()

    assert deployed.storage.work.read_chunk_lines(CHUNK) == {
        n: ChunkLine(answer_line(upload.object, n, an_answer())) for n, upload in enumerate(found)
    }
    assert (deployed.calls.made[DETECT], deployed.calls.made[SUCCEED]) == (3, 1)


def test_calls_keep_the_pace_of_the_template_from_one_chunk_to_the_next(deployed: Deployed) -> None:
    deployed.storage.work.write(a_batch([a_claim()]))
    moments = []
    for _ in range(3):
        deployed.storage.s3.delete_object(Bucket=WORK, Key=CHUNK.results_key)
        deployed.invoke()
        moments.append(deployed.clock.monotonic())

    assert [later - earlier for earlier, later in pairwise(moments)] == pytest.approx([0.4, 0.4])


def test_metrics_tell_what_became_of_the_images(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    found = uploads(4)
    deployed.storage.work.write(a_batch([*map(a_claim, found)]))
    deployed.storage.work.write_results(CHUNK, [answer_line(found[3].object, 3, an_answer())])
    deployed.answers({found[0].key: an_error("InvalidImageFormatException", "no image")})
    throttled = an_error("ThrottlingException", "slow down")
    deployed.calls.answer_next(DETECT, throttled, 400)
    for code, status in (("InternalServerError", 500), ("AccessDeniedException", 400)):
        deployed.calls.answer_next(DETECT, an_error(code, "later", status))

    deployed.invoke()

    output = capsys.readouterr().out
    emitted = metrics_in(output)
    assert emitted == {
        AnalyzerMetric.IMAGES_ANALYZED: [2],
        AnalyzerMetric.IMAGES_RENDERED: [0],
        AnalyzerMetric.FRAMES_ANALYZED: [0],
        AnalyzerMetric.IMAGES_REFUSED: [1],
        AnalyzerMetric.CALLS_THROTTLED: [1],
        AnalyzerMetric.CALLS_FAILED: [2],
        AnalyzerMetric.CHUNKS_PUT_BACK: [0],
        AnalyzerMetric.CHUNKS_GIVEN_UP: [0],
    }
    assert emitted.keys() == EMITTED["analyzer"].names
    assert dimensions_in(output) == {(*EMITTED["analyzer"].dimensions, "live")}


@pytest.mark.parametrize(("seconds", "calls"), [(34.0, 0), (36.0, 3), (120.0, 3)])
def test_a_run_keeps_time_for_the_last_answers_and_for_the_file(
    deployed: Deployed, capsys: pytest.CaptureFixture[str], seconds: float, calls: int
) -> None:
    deployed.storage.work.write(a_batch([*map(a_claim, uploads(3))]))

    deployed.invoke(seconds=seconds)

    assert deployed.calls.made[DETECT] == calls
    assert deployed.waiting() == (0 if calls else 1)
    counts = metrics_in(capsys.readouterr().out)
    assert (counts[AnalyzerMetric.CHUNKS_PUT_BACK], counts[AnalyzerMetric.IMAGES_ANALYZED]) == (
        [0 if calls else 1],
        [calls],
    )


def test_calls_are_made_until_there_is_only_time_to_close(deployed: Deployed) -> None:
    deployed.storage.work.write(a_batch([a_claim()]))
    deployed.answers({"cat.jpg": an_error("ThrottlingException", "slow down")})
    start = deployed.clock.monotonic()

    deployed.invoke(seconds=120.0)

    assert 84.0 < deployed.clock.monotonic() - start <= 85.0
    assert deployed.put_back() == [ChunkMessage("token-1", CHUNK, 30.0, None)]


def test_a_chunk_that_came_too_often_is_counted(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    deployed.storage.work.write(a_batch([a_claim()]))

    deployed.invoke(deliveries=MAX_DELIVERIES + 1)

    assert (deployed.calls.made[FAIL], deployed.calls.made[DETECT]) == (1, 0)
    assert metrics_in(capsys.readouterr().out)[AnalyzerMetric.CHUNKS_GIVEN_UP] == [1]


def test_one_instance_serves_one_chunk_after_another(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    deployed.storage.work.write(a_batch([*map(a_claim, uploads(2))]))
    deployed.invoke()
    capsys.readouterr()

    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        deployed.invoke(token="token-2")

    output = capsys.readouterr().out
    assert metrics_in(output)[AnalyzerMetric.IMAGES_ANALYZED] == [0]
    assert dimensions_in(output) == {("priority", "service", "live")}


def test_the_log_names_batches_and_neither_objects_nor_labels(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    other = an_upload("secret-2.jpg")
    deployed.storage.work.write(a_batch([a_claim(SECRET), a_claim(other)]))
    deployed.answers(
        {
            SECRET.key: an_answer({"Violence": 95.0, "Weapons": 95.0}),
            other.key: an_error("InvalidS3ObjectException", "Unable to get object metadata of secret-2.jpg"),
        }
    )

    deployed.invoke(token="secret-token")

    written = deployed.log.getvalue()
    (line,) = [json.loads(line) for line in written.splitlines()]
    assert (line["message"], line["batch_id"], line["pass"], line["first"]) == ("chunk", "batch-1", "first", 0)
    assert (line["outcome"], line["known"], line["straggling"]) == ("analyzed", 0, 0)
    assert (line["counts"][AnalyzerMetric.IMAGES_ANALYZED], line["counts"][AnalyzerMetric.IMAGES_REFUSED]) == (1, 1)
    for secret in ("secret", "Weapons", "Violence"):
        assert secret not in written + capsys.readouterr().out


class _Body(io.BytesIO):
    """A response's body as botocore reads it."""

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self.read()


def test_botocore_makes_no_call_that_the_pace_does_not_know_of(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    deployed.storage.work.write(a_batch([a_claim()]))
    sent: list[str] = []

    def fail(request: AWSPreparedRequest, **_: object) -> Any:
        sent.append(request.url)
        body = _Body(b'{"__type": "InternalServerError", "message": "later"}')
        return AWSResponse(request.url, 500, HTTPHeaders(), body)

    deployed.calls.answer_always(DETECT, lambda _: None)
    events = analyzer._analysis().images.moderation.client.meta.events
    moto: Any = botocore_stubber
    events.unregister("before-send", moto)  # it knows no such operation
    events.register("before-send", fail)

    deployed.invoke()

    counts = metrics_in(capsys.readouterr().out)
    assert [len(sent)] == [deployed.calls.made[DETECT]] == counts[AnalyzerMetric.CALLS_FAILED]
    assert len(sent) == ImagePass.FIRST.tries
    assert (counts[AnalyzerMetric.CHUNKS_PUT_BACK], counts[AnalyzerMetric.IMAGES_REFUSED]) == ([0], [0])


def test_an_outage_brings_the_message_back(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    deployed.storage.work.write(a_batch([a_claim()]))
    deployed.calls.answer_always(HEARTBEAT, lambda _: an_error("AccessDeniedException", "no"))

    with pytest.raises(ClientError, match="AccessDenied"):
        deployed.invoke()
    assert metrics_in(capsys.readouterr().out) == {}


def test_something_unforeseen_brings_the_message_back_and_costs_no_other_image(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    found = uploads(3)
    deployed.storage.work.write(a_batch([*map(a_claim, found)]))

    def detect(request: Mapping[str, Any]) -> dict[str, Any]:
        if json.loads(request["body"])["Image"]["S3Object"]["Name"] == found[1].key:
            raise RuntimeError("odd")
        return an_answer()

    deployed.calls.answer_always(DETECT, detect)

    with pytest.raises(RuntimeError, match="odd"):
        deployed.invoke()

    assert set(deployed.storage.work.read_chunk_lines(CHUNK)) == {0, 2}
    assert metrics_in(capsys.readouterr().out) == {}
    assert deployed.waiting() == 0
    deployed.answers({})

    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        deployed.invoke(deliveries=2)

    output = capsys.readouterr().out
    assert metrics_in(output)[AnalyzerMetric.IMAGES_ANALYZED] == [1]
    assert dimensions_in(output) == {("priority", "service", "live")}


@pytest.mark.parametrize(
    "body", ["no chunk", "", "[]", '{"token": "token-1"}', '{"Records": [{"eventName": "ObjectCreated:Put"}]}']
)
def test_a_message_that_is_not_the_workflows_is_dropped_and_told_of(
    deployed: Deployed, capsys: pytest.CaptureFixture[str], body: str
) -> None:
    deployed.deliver(body)

    output = capsys.readouterr().out
    assert metrics_in(output) == {AnalyzerMetric.MESSAGES_MALFORMED: [1]}
    assert dimensions_in(output) == {("priority", "service", "live")}
    (line,) = [json.loads(line) for line in deployed.log.getvalue().splitlines()]
    assert (line["level"], line["message"], line["message_id"]) == ("ERROR", "malformed message", "m0")
    assert line["problem"].startswith("not a message of the workflow")
    assert not deployed.calls.made
    assert deployed.waiting() == 0


def test_a_malformed_message_does_not_keep_the_next_one(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    deployed.storage.work.write(a_batch([a_claim()]))
    deployed.deliver("no chunk")
    capsys.readouterr()

    deployed.invoke()

    counts = metrics_in(capsys.readouterr().out)
    assert counts[AnalyzerMetric.IMAGES_ANALYZED] == [1]
    assert AnalyzerMetric.MESSAGES_MALFORMED not in counts


@pytest.mark.parametrize("name", ["CALLS_PER_SECOND", "CHUNK_QUEUE_URL", "PRIORITY", "WORK_BUCKET"])
def test_a_missing_setting_is_named(deployed: Deployed, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(name)

    with pytest.raises(KeyError, match=name):
        deployed.invoke()
