"""Calls to AWS at full size, where each is answered at once: the numbers the cost page rests on."""

import io
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from math import ceil
from threading import Semaphore
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from botocore.response import StreamingBody

from gatehouse.aws.chunk_queue import ChunkQueue
from gatehouse.aws.event_bus import EventBus
from gatehouse.aws.executions import Executions
from gatehouse.aws.flag_topic import FlagTopic
from gatehouse.aws.image_moderation import ImageModeration
from gatehouse.aws.policy_parameters import PolicyParameters
from gatehouse.aws.presigned_uploads import PresignedUploads
from gatehouse.aws.queue_sender import QueueSender
from gatehouse.aws.renderer_function import RendererFunction
from gatehouse.aws.task_tokens import TaskTokens
from gatehouse.aws.upload_bucket import PARALLEL_LOOKS, UploadBucket
from gatehouse.aws.upload_head import UploadHeads
from gatehouse.aws.verdict_table import VerdictTable
from gatehouse.aws.version_listing import VersionListing
from gatehouse.aws.work_bucket import WorkBucket
from gatehouse.moderation.analysis import answer_line
from gatehouse.moderation.chunk import Chunk
from gatehouse.moderation.flag_publisher import FlagPublisher
from gatehouse.moderation.image_pass import ImagePass
from gatehouse.moderation.in_flight import IN_FLIGHT
from gatehouse.moderation.line_marks import LineMarks
from gatehouse.moderation.policy.policy_pointer import PolicyPointer
from gatehouse.moderation.status import FINAL, FLAGGED, Status
from gatehouse.moderation.verdict_events import VerdictEvents
from lambdas.analyzer.chunk_analysis import ChunkAnalysis, ChunkOutcome
from lambdas.analyzer.image_analysis import ImageAnalysis
from lambdas.analyzer.pace import Pace
from lambdas.batcher.active_policies import ActivePolicies
from lambdas.batcher.admission import Admission
from lambdas.batcher.messages import Messages
from lambdas.results.bulk_run import BulkRun, Location
from lambdas.results.image_run import ImageRun
from lambdas.results.request import Request
from lambdas.results.settlement import Settlement
from tests.unit.aws_calls import AwsCalls, an_error
from tests.unit.builders import (
    NOON,
    a_batch,
    a_claim,
    a_lane,
    a_policy,
    an_answer,
    result_line,
    s3_event,
    sqs_records,
    uploads,
)
from tests.unit.clock import Clock

MESSAGES = 4_000
LINES = 2_000
CHUNK = 100
APPROVALS = 1_001

_CONFIG = Config(parameter_validation=False, max_pool_connections=PARALLEL_LOOKS)


@pytest.fixture
def calls() -> AwsCalls:
    return AwsCalls()


def _client(calls: AwsCalls, service: Any) -> Any:
    client = boto3.client(service, config=_CONFIG)
    calls.watch(client)
    return client


def test_a_batcher_makes_40_transactions_5_files_and_1_start_of_4000_messages(calls: AwsCalls) -> None:
    for operation in ("TransactWriteItems", "PutObject", "StartExecution"):
        calls.answer_always(operation, lambda _: {})
    calls.answer_always("HeadObject", lambda _: {"LastModified": NOON})
    policies = {name: replace(a_policy(), name=name) for name in ("standard", "strict")}
    pointers = [
        {"Name": f"CFN-{name}", "Value": PolicyPointer.to_shipped(policy).to_text()}
        for name, policy in policies.items()
    ]
    calls.answer_always("GetParameters", lambda _: {"Parameters": pointers})
    work = WorkBucket(_client(calls, "s3"), "work")
    parameters = PolicyParameters(_client(calls, "ssm"), {name: f"CFN-{name}" for name in policies})
    records = sqs_records(s3_event(upload) for upload in uploads(MESSAGES))
    admission = Admission(
        lane=a_lane(),
        policies=ActivePolicies(parameters, work, policies.__getitem__, clock=lambda: 0.0).current,
        table=VerdictTable(_client(calls, "dynamodb"), "verdicts"),
        work=work,
        executions=Executions(_client(calls, "stepfunctions"), "arn:aws:states:us-east-1:0:stateMachine:analysis"),
        other_executions=[Executions(_client(calls, "stepfunctions"), "arn:aws:states:us-east-1:0:stateMachine:fast")],
        now=lambda: NOON,
    )

    def admit() -> Counter[str]:
        calls.made.clear()
        admitted = admission.admit(Messages.read(a_lane(), records).uploads.values(), timeout=NOON - NOON)
        (batch,) = admitted.batches
        assert len(batch.uploads) == MESSAGES
        return Counter(calls.made)

    every_batch = Counter(TransactWriteItems=MESSAGES // 100, PutObject=5, StartExecution=1)
    assert admit() == every_batch + Counter(GetParameters=1, HeadObject=len(policies))  # a new function looks around
    assert admit() == every_batch


class _BatchInProgress:
    """Storage that holds one batch of `LINES` pending uploads and what either engine wrote for it."""

    def __init__(self, version_id: str | None = None) -> None:
        self.uploads = uploads(LINES, version_id=version_id)
        self.batch = a_batch([*map(a_claim, self.uploads)])
        self.bytes_read = 0
        lines = [result_line(upload.object, self.found_in(n)) for n, upload in enumerate(self.uploads)]
        self._files = {
            "batches/batch-1/batch.json": self.batch.terms(),
            "batches/batch-1/uploads.jsonl": self.batch.index(),
            "results.jsonl": "\n".join(lines),
            "summary.json": '{"version": "1.0", "errors": []}',
        }

    @staticmethod
    def found_in(n: int) -> dict[str, float]:
        """What Rekognition finds in the image of this number."""
        return {} if n < APPROVALS else {"Violence": 95.0}

    def add_results(self, chunk: Chunk) -> None:
        """The image engine has analyzed a chunk."""
        stretch = range(chunk.first, chunk.first + chunk.size)
        lines = [answer_line(self.uploads[n].object, n, an_answer(self.found_in(n))) for n in stretch]
        self._files[chunk.results_key] = "\n".join(lines)

    def get_object(self, request: Mapping[str, Any]) -> dict[str, Any]:
        url = urlsplit(request["url"])
        if url.netloc.startswith(f"{self.uploads[0].bucket}."):
            return self.head_object(request) | _body(b"\xff\xd8 a JPEG")
        text = self._files.get(url.path.removeprefix("/"))
        if text is None:
            return an_error("NoSuchKey", "The specified key does not exist.", 404)
        begin, _, end = request["headers"].get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
        content = text.encode()[int(begin) : int(end) + 1 if end else None]
        self.bytes_read += len(content)
        return _body(content)

    def head_object(self, _request: Mapping[str, Any]) -> dict[str, Any]:
        modified = datetime(2026, 11, 22, 11, 59, 30, tzinfo=UTC)
        upload = self.uploads[0]
        marks = LineMarks.of(self.batch.index().encode()).to_text()
        headers = {"ETag": f'"{upload.etag}"', "LastModified": modified, "VersionId": upload.version_id}
        return headers | {"Metadata": {"marks": marks}}

    def list_object_versions(self, request: Mapping[str, Any]) -> dict[str, Any]:
        described = self.head_object(request)
        version = {**described, "VersionId": described["VersionId"] or "null", "IsLatest": True}
        behind = [each.key for each in self.uploads if each.key > request["query_string"].get("key-marker", "")]
        return {"IsTruncated": len(behind) > 1000, "Versions": [{**version, "Key": key} for key in behind[:1000]]}

    def batch_get_item(self, request: Mapping[str, Any]) -> dict[str, Any]:
        ((name, asked),) = json.loads(request["body"])["RequestItems"].items()
        claim = {"status": {"S": "PENDING"}, "batch_id": {"S": "batch-1"}, "claimed_at": {"S": self.batch.created_at}}
        return {"Responses": {name: [key | claim for key in asked["Keys"]]}, "UnprocessedKeys": {}}


def _body(content: bytes) -> dict[str, Any]:
    return {"Body": StreamingBody(io.BytesIO(content), len(content))}


def _answer_from(calls: AwsCalls, batch: _BatchInProgress) -> _BatchInProgress:
    calls.answer_always("GetObject", batch.get_object)
    calls.answer_always("HeadObject", batch.head_object)
    calls.answer_always("ListObjectVersions", batch.list_object_versions)
    calls.answer_always("BatchGetItem", batch.batch_get_item)
    for operation in ("TransactWriteItems", "PutObject", "DeleteObject", "SendTaskHeartbeat", "SendTaskSuccess"):
        calls.answer_always(operation, lambda _: {})
    calls.answer_always("PublishBatch", lambda _: {"Successful": [], "Failed": []})
    calls.answer_always("DetectModerationLabels", lambda _: an_answer())
    return batch


@pytest.fixture
def batch(calls: AwsCalls) -> _BatchInProgress:
    return _answer_from(calls, _BatchInProgress())


def _settlement(calls: AwsCalls, *, finds_animations: bool = True, events: VerdictEvents | None = None) -> Settlement:
    s3 = _client(calls, "s3")
    return Settlement(
        table=VerdictTable(_client(calls, "dynamodb"), "verdicts"),
        work=WorkBucket(s3, "work"),
        uploads=UploadBucket(s3, finds_animations=finds_animations),
        flags=FlagPublisher(
            FlagTopic(_client(calls, "sns"), "arn:aws:sns:us-east-1:000000000000:flags"), calls=IN_FLIGHT
        ),
        notify=FLAGGED,
        retention=None,
        now=lambda: NOON,
        events=events,
        versions=None if finds_animations else VersionListing(s3),
    )


@pytest.mark.parametrize("version_id", [None, "v1"])
@pytest.mark.parametrize(("finds_animations", "gets", "looks"), [(True, APPROVALS, (0, 0)), (False, 0, (1, 1))])
def test_results_makes_a_transaction_a_hundred_a_publish_ten_and_a_look_an_approval_or_a_thousand_of_2000_lines(
    calls: AwsCalls, version_id: str | None, finds_animations: bool, gets: int, looks: tuple[int, int]
) -> None:
    pages, heads = looks
    _answer_from(calls, _BatchInProgress(version_id))
    job = BulkRun("job-1", Location("work", "results.jsonl"), Location("work", "summary.json"))
    settlement = _settlement(calls, finds_animations=finds_animations)
    settled = settlement.settle(Request("batch-1", job))
    settlement.close("batch-1", settled)

    assert settled.counts() == {Status.APPROVED: APPROVALS, Status.BLOCKED: LINES - APPROVALS}
    assert calls.made == Counter(
        BatchGetItem=ceil(LINES / 100),
        TransactWriteItems=ceil(LINES / 100),
        PublishBatch=ceil((LINES - APPROVALS) / 10),
        ListObjectVersions=pages,
        HeadObject=heads,
        GetObject=4 + gets,
        DeleteObject=1,
    )


@pytest.mark.parametrize(("finds_animations", "gets"), [(True, APPROVALS), (False, 0)])
def test_results_reads_a_file_a_chunk_and_a_version_that_was_analyzed_only_to_find_animations(
    calls: AwsCalls, finds_animations: bool, gets: int
) -> None:
    batch = _answer_from(calls, _BatchInProgress(version_id="v1"))
    chunks = tuple(Chunk("batch-1", ImagePass.FIRST, first, CHUNK) for first in range(0, LINES, CHUNK))
    for chunk in chunks:
        batch.add_results(chunk)

    settlement = _settlement(calls, finds_animations=finds_animations)
    settled = settlement.settle(Request("batch-1", ImageRun(ImagePass.FIRST, LINES, chunks, {})))
    settlement.close("batch-1", settled)

    assert settled.counts() == {Status.APPROVED: APPROVALS, Status.BLOCKED: LINES - APPROVALS}
    assert calls.made == Counter(
        BatchGetItem=ceil(LINES / 100),
        TransactWriteItems=ceil(LINES / 100),
        PublishBatch=ceil((LINES - APPROVALS) / 10),
        GetObject=2 + ceil(LINES / CHUNK) + gets,  # settings and index
        DeleteObject=1,
    )


def test_a_bus_costs_a_look_and_a_call_for_ten_verdicts(calls: AwsCalls, batch: _BatchInProgress) -> None:
    made = {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}
    calls.answer_always("PutEvents", lambda _: dict(made))
    calls.answer_always("DescribeEventBus", lambda _: {"Name": "pictures"})
    job = BulkRun("job-1", Location("work", "results.jsonl"), Location("work", "summary.json"))

    def made_with(events: VerdictEvents | None) -> Counter[str]:
        calls.made.clear()
        assert len(_settlement(calls, events=events).settle(Request("batch-1", job)).verdicts) == LINES
        return Counter(calls.made)

    bus, queue = EventBus(_client(calls, "events"), "pictures"), QueueSender(_client(calls, "sqs"), "https://queue")
    more = made_with(VerdictEvents(bus, queue, FINAL)) - made_with(None)

    assert more == Counter(DescribeEventBus=1, PutEvents=LINES // 10)


def test_results_writes_leftovers_down_once(calls: AwsCalls, batch: _BatchInProgress) -> None:
    settled = _settlement(calls).settle(Request("batch-1", BulkRun("job-1")))

    assert settled.left == LINES
    assert calls.made == Counter(BatchGetItem=ceil(LINES / 100), GetObject=2, PutObject=1)


@pytest.mark.parametrize("first", [0, LINES - CHUNK])
def test_an_analyzer_makes_a_call_an_image_and_6_a_chunk(calls: AwsCalls, batch: _BatchInProgress, first: int) -> None:
    chunk = {"batch_id": "batch-1", "pass": "first", "first": first, "size": CHUNK}
    body = json.dumps({"token": "token-1", **chunk, "min_confidence": 30, "adapter": None})
    clock = Clock()
    analysis = ChunkAnalysis(
        work=WorkBucket(_client(calls, "s3"), "work"),
        tokens=TaskTokens(_client(calls, "stepfunctions")),
        queue=ChunkQueue(_client(calls, "sqs"), "https://sqs.us-east-1.amazonaws.com/000000000000/chunks"),
        images=ImageAnalysis(
            moderation=ImageModeration(_client(calls, "rekognition")),
            heads=UploadHeads(_client(calls, "s3")),
            uploads=PresignedUploads(_client(calls, "s3")),
            renderer=RendererFunction(_client(calls, "lambda"), "renderer"),
            pace=Pace(5.0, clock.monotonic, clock.sleep),
            clock=clock.monotonic,
            renderings=Semaphore(4),
        ),
        clock=clock.monotonic,
        pause=clock.sleep,
    )

    run = analysis.analyze(body, deliveries=1, until=float("inf"))

    assert (run.outcome, run.analyzed) == (ChunkOutcome.ANALYZED, CHUNK)
    assert calls.made == Counter(
        SendTaskHeartbeat=1,
        HeadObject=int(first > 0),  # where the chunk's lines are in the index
        GetObject=2,  # the index, of which it reads its own lines, and the result file
        DetectModerationLabels=CHUNK,
        PutObject=1,
        SendTaskSuccess=1,
    )
    assert first == 0 or batch.bytes_read < len(batch.batch.index()) * 1.5 * CHUNK / LINES
