import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from gatehouse.contracts.function_metrics import SweeperMetric
from gatehouse.moderation.claim import Claim
from gatehouse.moderation.moment import iso
from gatehouse.moderation.open_batch import OpenBatch, open_key
from lambdas.sweeper import handler as sweeper
from tests.emitted_metrics import EMITTED
from tests.unit.builders import upload_in, uploads
from tests.unit.conftest import TABLE, WORK, Storage
from tests.unit.emitted import dimensions_in, metrics_in
from tests.unit.lambda_context import a_context

BATCH = "0123456789abcdef" * 2

# A failed invocation reports none.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")


@dataclass
class Deployed:
    """The deployed function, its log, and the queue and the state machine of its one lane."""

    storage: Storage
    log: io.StringIO
    queue_url: str
    state_machine_arn: str

    def invoke(self, seconds_left: float = 900) -> None:
        lane = {"queue_url": self.queue_url, "overdue_hours": 48}
        machines = [self.state_machine_arn]
        # S3 stamps entries with the real time: what is written now is old enough.
        event = {"lanes": {"default": lane}, "state_machine_arns": machines, "min_age_minutes": -1}
        sweeper.handler(event, a_context(seconds_left))

    def logged(self, message: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log.getvalue().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("message") == message]


@pytest.fixture
def deployed(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> Deployed:
    machine = boto3.client("stepfunctions").create_state_machine(
        name="analysis",
        definition='{"StartAt": "End", "States": {"End": {"Type": "Succeed"}}}',
        roleArn="arn:aws:iam::123456789012:role/analysis",
    )["stateMachineArn"]
    monkeypatch.setenv("VERDICT_TABLE", TABLE)
    monkeypatch.setenv("WORK_BUCKET", WORK)
    log = io.StringIO()
    monkeypatch.setattr(sweeper.logger.registered_handler, "stream", log)
    monkeypatch.setattr(sweeper, "_client", boto3.client)
    queue_url = boto3.client("sqs").create_queue(QueueName="ingest")["QueueUrl"]
    return Deployed(storage, log, queue_url, machine)


def an_open_batch(storage: Storage, readmitted: timedelta | None = None) -> None:
    """A batch that was never started, whose events were put back this long ago, if at all."""
    moment = iso(datetime.now(UTC))
    last = iso(datetime.now(UTC) - readmitted) if readmitted else None
    storage.work.open(OpenBatch("default", BATCH, moment, tuple(uploads(2)), int(last is not None), last))
    storage.table.claim([Claim(upload, BATCH, moment, "default") for upload in uploads(2)])


def test_what_is_stuck_goes_back_into_its_lanes_queue(deployed: Deployed) -> None:
    an_open_batch(deployed.storage)

    deployed.invoke()

    messages = boto3.client("sqs").receive_message(QueueUrl=deployed.queue_url, MaxNumberOfMessages=10)["Messages"]
    found = [upload for message in messages if (upload := upload_in(message["Body"]))]
    assert sorted(found, key=lambda upload: upload.key) == uploads(2)
    (line,) = deployed.logged("batch readmitted")
    assert (line["batch_id"], line["uploads"]) == (BATCH, 2)
    assert deployed.logged("batch stuck") == []


def test_metrics_tell_what_was_found(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    an_open_batch(deployed.storage, readmitted=timedelta(hours=3))

    deployed.invoke()

    output = capsys.readouterr().out
    emitted = metrics_in(output)
    assert emitted == {
        SweeperMetric.BATCHES_OLD: [1],
        SweeperMetric.BATCHES_OVERDUE: [0],
        SweeperMetric.BATCHES_REDRIVEN: [0],
        SweeperMetric.UPLOADS_READMITTED: [2],
        SweeperMetric.UPLOADS_STUCK: [2],
    }
    assert emitted.keys() == EMITTED["sweeper"].names
    assert dimensions_in(output) == {EMITTED["sweeper"].dimensions}
    (line,) = deployed.logged("swept")
    assert (line["counts"][SweeperMetric.UPLOADS_READMITTED], line["closed"], line["is_complete"]) == (2, 0, True)


def test_what_is_counted_as_stuck_is_named_in_the_log(deployed: Deployed) -> None:
    an_open_batch(deployed.storage, readmitted=timedelta(hours=3))

    deployed.invoke()

    (line,) = deployed.logged("batch stuck")
    assert (line["batch_id"], line["uploads"], line["level"]) == (BATCH, 2, "ERROR")
    assert "put back" in line["problem"]


def test_an_idle_pipeline_reports_zeros(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    deployed.invoke()

    assert set(map(tuple, metrics_in(capsys.readouterr().out).values())) == {(0,)}


def test_a_batch_that_nothing_can_be_done_about_is_named_in_the_log(deployed: Deployed) -> None:
    deployed.storage.s3.put_object(Bucket=WORK, Key=open_key("default", BATCH), Body=b"damaged")

    deployed.invoke()

    (line,) = deployed.logged("batch stuck")
    assert (line["batch_id"], line["level"]) == (BATCH, "ERROR")
    assert line["problem"]


def test_a_sweep_that_met_an_outage_fails_once_it_has_told_what_it_did(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    an_open_batch(deployed.storage)
    boto3.client("sqs").delete_queue(QueueUrl=deployed.queue_url)

    with pytest.raises(ClientError):
        deployed.invoke()
    assert metrics_in(capsys.readouterr().out)[SweeperMetric.BATCHES_OLD] == [1]
    (line,) = deployed.logged("batch not swept")
    assert line["batch_id"] == BATCH


def test_a_sweep_begins_no_batch_that_it_could_not_end_in_time(deployed: Deployed) -> None:
    an_open_batch(deployed.storage)

    deployed.invoke(seconds_left=200)

    (line,) = deployed.logged("swept")
    assert (line["counts"][SweeperMetric.BATCHES_OLD], line["is_complete"]) == (1, False)
    assert deployed.logged("batch readmitted") == []
