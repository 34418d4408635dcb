"""Where a row is played: its lane of the deployed pipeline, its keys, its ledger."""

import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from demo.pipeline import DemoUpload
from gatehouse.contracts.stack_outputs import BackfillOutput
from gatehouse.moderation.listed_version import ListedVersion
from gatehouse.moderation.upload_event import listing_message
from tests.chaos.cloud import batcher_of, lane_output, listed_now, mapping_of, put_quietly
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

    def put_before(self, uploads: Iterable[tuple[str, Kind]]) -> list[ListedVersion]:
        """Put objects that no event tells of, each with a key of its own; returns them as a listing has them."""
        kinds = dict(uploads)
        versions = put_quietly(self.pipeline, [DemoUpload(key, kind.body) for key, kind in kinds.items()])
        for key, version_id in versions.items():
            self.ledger.add(Entry(key, version_id, kinds[key]))
        return [listed_now(self.pipeline, key) for key in versions]

    def list_objects(self, listed: Iterable[ListedVersion]) -> None:
        """Put listed objects into the lane's queue for those from before."""
        self.send(map(listing_message, listed), BackfillOutput.QUEUE_URL.value)

    def pending(self) -> list[dict[str, Any]]:
        """The claims under the prefix."""
        return self.pipeline.pending(self.prefix)

    def send(self, events: Iterable[Mapping[str, Any] | str], queue: str = "IngestQueueUrl") -> None:
        """Put messages into one of the lane's queues, which is named as its output is."""
        url = self.pipeline.outputs[lane_output(self.lane, queue)]
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
