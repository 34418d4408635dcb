"""Where a row is played: its lane of the deployed pipeline, its keys, its ledger."""

import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from tests.chaos.cloud import batcher_of, lane_output, mapping_of
from tests.chaos.ledger import Entry, Kind, Ledger
from tests.chaos.strikes import BATCHER, FOR_EVER, OUTCOMES, Document
from tests.e2e.pipeline import Pipeline

_THREADS = 8
_SQS_BATCH = 10


def upload_all(pipeline: Pipeline, uploads: Iterable[tuple[str, Kind]], ledger: Ledger) -> list[Entry]:
    """Put uploads into the bucket, each with a key of its own, several at a time, and write them down."""

    def put(upload: tuple[str, Kind]) -> Entry:
        key, kind = upload
        return Entry(key, pipeline.upload(key, kind.body), kind)

    with ThreadPoolExecutor(_THREADS) as threads:
        entries = list(threads.map(put, uploads))
    for entry in entries:
        ledger.add(entry)
    return entries


class Stage:
    """What a situation can do. `prefix` is of keys that nothing else uses."""

    def __init__(self, pipeline: Pipeline, lane: str, name: str, faults: Iterable[Document], ledger: Ledger) -> None:
        self.pipeline = pipeline
        self.lane = lane
        self.prefix = f"{lane}/{name}/"
        self.ledger = ledger
        self.batcher = batcher_of(pipeline, lane)
        self.faults = [{**fault, **self._aimed(fault)} for fault in faults]

    def arm(self) -> None:
        """Let the row's faults strike from now on."""
        self.pipeline.cloud.faults(*self.faults)

    def unstruck(self) -> list[str]:
        """The row's faults that have not struck as often as they were to, a sentence each."""
        callers = {fault.get("caller") for fault in self.faults}
        return [
            f"{fault.get('call') or fault.get('delivery')} was struck {fault['fired']} of {fault['times']} times"
            for fault in self.pipeline.cloud.armed_faults()
            if fault.get("caller") in callers and not (fault["times"] == FOR_EVER and fault["fired"])
        ]

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Keep the lane's batcher from looking: what is uploaded meanwhile can be in one batch afterwards."""
        functions, mapping = self.pipeline.cloud.client("lambda"), mapping_of(self.pipeline, self.lane)["UUID"]
        functions.update_event_source_mapping(UUID=mapping, Enabled=False)
        try:
            yield
        finally:
            functions.update_event_source_mapping(UUID=mapping, Enabled=True)

    def upload(self, uploads: Iterable[tuple[str, Kind]]) -> list[Entry]:
        """Put uploads into the bucket, each with a key of its own, several at a time."""

        return upload_all(self.pipeline, uploads, self.ledger)

    def pending(self) -> list[dict[str, Any]]:
        """The claims under the prefix."""
        return self.pipeline.pending(self.prefix)

    def send(self, events: Iterable[Mapping[str, Any] | str]) -> None:
        """Put messages into the lane's queue."""
        url = self.pipeline.outputs[lane_output(self.lane, "IngestQueueUrl")]
        bodies = [event if isinstance(event, str) else json.dumps(event) for event in events]
        for start in range(0, len(bodies), _SQS_BATCH):
            batch = bodies[start : start + _SQS_BATCH]
            entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(batch)]
            answer = self.pipeline.cloud.client("sqs").send_message_batch(QueueUrl=url, Entries=entries)
            assert not answer.get("Failed"), answer["Failed"]

    def drop_messages(self) -> None:
        """Lose all messages of the lane."""
        self.pipeline.cloud.client("sqs").purge_queue(
            QueueUrl=self.pipeline.outputs[lane_output(self.lane, "IngestQueueUrl")]
        )

    def executions(self, status: str = "RUNNING") -> list[str]:
        """ARNs of the executions, those that run or others, of the prefix's claims and verdicts."""
        batches = {item["batch_id"] for item in self.pipeline.verdicts(self.prefix)}
        found = [
            each
            for machine in sorted(name for name in self.pipeline.outputs if name.endswith("StateMachineArn"))
            for each in self.pipeline.executions(status, machine)
        ]
        return [each["executionArn"] for each in found if each["name"] in batches]

    def error(self, execution: str) -> str:
        """What an execution failed with; empty if it runs again."""
        described = self.pipeline.cloud.client("stepfunctions").describe_execution(executionArn=execution)
        return str(described.get("error", ""))

    def start_batcher_anew(self) -> None:
        """The next batcher has no memory of an earlier run."""
        functions = self.pipeline.cloud.client("lambda")
        (function,) = [each for each in functions.list_functions()["Functions"] if self.batcher in each["FunctionName"]]
        functions.update_function_configuration(FunctionName=function["FunctionName"], Timeout=function["Timeout"])

    def forget_policies(self) -> None:
        """Remove the policies that were recorded; batches carry theirs with them."""
        storage, bucket = self.pipeline.cloud.client("s3"), self.pipeline.outputs["WorkBucketName"]
        for each in storage.list_objects_v2(Bucket=bucket, Prefix="policies/").get("Contents", []):
            storage.delete_object(Bucket=bucket, Key=each["Key"])

    def _aimed(self, fault: Document) -> Document:
        if fault.get("caller") == BATCHER:
            return {"caller": self.batcher}
        if fault.get("caller") == OUTCOMES:
            return {"matching": self.prefix + str(fault.get("matching", ""))}
        return {"matching": self.prefix} if "delivery" in fault else {}
