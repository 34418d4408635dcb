"""Calls to AWS at full size, where each is answered at once: the numbers the cost page rests on."""

import io
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from math import ceil
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.response import StreamingBody

from lambdas.aws.executions import Executions
from lambdas.aws.flag_topic import FlagTopic
from lambdas.aws.policy_parameters import PolicyParameters
from lambdas.aws.upload_bucket import PARALLEL_HEADS, UploadBucket
from lambdas.aws.verdict_table import VerdictTable
from lambdas.aws.work_bucket import WorkBucket
from lambdas.batcher.active_policies import ActivePolicies
from lambdas.batcher.admission import Admission
from lambdas.batcher.messages import Messages
from lambdas.moderation.policy_pointer import PolicyPointer
from lambdas.moderation.verdict import FLAGGED, Status
from lambdas.results.request import Location, Request
from lambdas.results.settlement import Settlement
from tests.unit.aws_calls import AwsCalls
from tests.unit.builders import NOON, a_batch, a_claim, a_lane, a_policy, result_line, s3_event, sqs_records, uploads

MESSAGES = 4_000
LINES = 10_000
APPROVALS = 1_001

_CONFIG = Config(parameter_validation=False, max_pool_connections=PARALLEL_HEADS)


@pytest.fixture
def calls() -> AwsCalls:
    return AwsCalls()


def _client(calls: AwsCalls, service: Any) -> Any:
    client = boto3.client(service, config=_CONFIG)
    calls.watch(client)
    return client


def test_a_batcher_makes_40_transactions_3_files_and_1_start_of_4000_messages(calls: AwsCalls) -> None:
    for operation in ("TransactWriteItems", "HeadObject", "PutObject", "StartExecution"):
        calls.answer_always(operation, lambda _: {})
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
        now=lambda: NOON,
    )

    def admit() -> Counter[str]:
        calls.made.clear()
        admitted = admission.admit(Messages.read(a_lane(), records).uploads.values(), timeout=NOON - NOON)
        assert admitted.batch is not None
        assert len(admitted.batch.uploads) == MESSAGES
        return Counter(calls.made)

    every_batch = Counter(TransactWriteItems=MESSAGES // 100, PutObject=3, StartExecution=1)
    assert admit() == every_batch + Counter(GetParameters=1, HeadObject=len(policies))  # a new function looks around
    assert admit() == every_batch


class _BatchInProgress:
    """Storage that holds one batch of `LINES` pending uploads and its job's result file."""

    def __init__(self) -> None:
        found = uploads(LINES)
        self.batch = a_batch([*map(a_claim, found)])
        lines = [
            result_line(upload.object, {} if n < APPROVALS else {"Violence": 95.0}) for n, upload in enumerate(found)
        ]
        self._files = {
            "batch.json": self.batch.settings("work"),
            "uploads.jsonl": self.batch.index(),
            "results.jsonl": "\n".join(lines),
            "summary.json": '{"version": "1.0", "errors": []}',
        }

    def get_object(self, request: Mapping[str, Any]) -> dict[str, Any]:
        body = self._files[request["url"].rpartition("/")[2]].encode()
        return {"Body": StreamingBody(io.BytesIO(body), len(body))}

    def head_object(self, _request: Mapping[str, Any]) -> dict[str, Any]:
        modified = datetime(2026, 11, 22, 11, 59, 30, tzinfo=UTC)
        return {"ETag": f'"{self.batch.uploads[0].claim.upload.etag}"', "LastModified": modified}

    def batch_get_item(self, request: Mapping[str, Any]) -> dict[str, Any]:
        ((name, asked),) = json.loads(request["body"])["RequestItems"].items()
        claim = {"status": {"S": "PENDING"}, "batch_id": {"S": "batch-1"}, "claimed_at": {"S": self.batch.created_at}}
        return {"Responses": {name: [key | claim for key in asked["Keys"]]}, "UnprocessedKeys": {}}


@pytest.fixture
def batch(calls: AwsCalls) -> _BatchInProgress:
    batch = _BatchInProgress()
    calls.answer_always("GetObject", batch.get_object)
    calls.answer_always("HeadObject", batch.head_object)
    calls.answer_always("BatchGetItem", batch.batch_get_item)
    calls.answer_always("TransactWriteItems", lambda _: {})
    calls.answer_always("PublishBatch", lambda _: {"Successful": [], "Failed": []})
    return batch


def test_results_makes_a_transaction_a_hundred_and_a_publish_ten_of_10000_lines(
    calls: AwsCalls, batch: _BatchInProgress
) -> None:
    s3 = _client(calls, "s3")
    settlement = Settlement(
        table=VerdictTable(_client(calls, "dynamodb"), "verdicts"),
        work=WorkBucket(s3, "work"),
        uploads=UploadBucket(s3),
        topic=FlagTopic(_client(calls, "sns"), "arn:aws:sns:us-east-1:000000000000:flags"),
        notify=FLAGGED,
        retention=None,
        now=lambda: NOON,
    )

    settled = settlement.settle(
        Request("batch-1", "job-1", Location("work", "results.jsonl"), Location("work", "summary.json"))
    )

    assert settled.counts() == {Status.APPROVED: APPROVALS, Status.BLOCKED: LINES - APPROVALS}
    assert calls.made == Counter(
        BatchGetItem=ceil(LINES / 100),
        TransactWriteItems=ceil(LINES / 100),
        PublishBatch=ceil((LINES - APPROVALS) / 10),
        HeadObject=APPROVALS,
        GetObject=4,
    )
