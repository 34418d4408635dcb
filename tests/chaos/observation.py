"""Looks at a deployed pipeline from all sides at once, for the invariants."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from gatehouse.aws.version_tags import VersionTags
from gatehouse.contracts.stack_outputs import StorageOutput
from gatehouse.contracts.texts import read_gate
from gatehouse.moderation.change import Cause
from gatehouse.moderation.flag import flag_id
from gatehouse.moderation.gate import tag_in
from gatehouse.moderation.open_batch import OPEN_PREFIX
from gatehouse.moderation.status import FINAL, FLAGGED, Status
from gatehouse.moderation.verdict_item import STATUS
from tests.chaos.cloud import queue_urls, sweep
from tests.chaos.failure_queue import FailureQueue
from tests.chaos.invariants import Observed, gate_follows
from tests.chaos.ledger import Ledger
from tests.chaos.watch import Watch
from tests.e2e.pipeline import Pipeline
from tests.e2e.subscriber import Subscriber

_WAITING = ("IngestQueueUrl", "ChunkQueueUrl", "UndeliveredQueueUrl")
_DELETED_A_CALL = 25
_CLOSING_SECONDS = 30.0


class Observation:
    """What can be seen of a pipeline by its user, and inside it."""

    def __init__(self, pipeline: Pipeline, watch: Watch) -> None:
        self._pipeline = pipeline
        self._watch = watch
        self._changes = Subscriber(pipeline, {"cause": [cause.value for cause in Cause]})
        self._failures = FailureQueue(pipeline)
        self._has_gate = read_gate(pipeline.outputs[StorageOutput.GATE]).sets_tags

    def waiting(self) -> dict[str, int]:
        """Where something waits or is worked on -> how much."""
        found = {output: self._messages(output) for output in _WAITING}
        machines = [name for name in self._pipeline.outputs if name.endswith("StateMachineArn")]
        running = sum(len(self._pipeline.executions("RUNNING", machine)) for machine in machines)
        return {**found, "running executions": running}

    def is_settled(self, prefixes: tuple[str, ...], ledger: Ledger) -> bool:
        """Whether all uploads under the prefixes have their verdicts and flags, and nothing waits anywhere."""
        if any(self.waiting().values()) or self.dead_letters() < ledger.dead_letters:
            return False
        items = self._items(prefixes)
        if len(items) < len(ledger) or any(item[STATUS] not in FINAL for item in items):
            return False
        flagged = sum(item[STATUS] in FLAGGED for item in items)
        if len({flag["id"] for flag in self._flags(prefixes)}) < flagged:
            return False
        told = {flag["id"] for flag in self._changes.flags(prefixes)}
        if not told | set(map(flag_id, self._failures.changes(prefixes))) >= set(map(flag_id, ledger.changes)):
            return False
        stored = self._stored_under(prefixes)
        return not any(gate_follows(Observed(items=items, stored=stored, open=self._open(stored))))

    def is_still(self) -> bool:
        """Whether nothing waits and nothing is worked on: what has no verdict now gets none without the sweeper."""
        return not any(self.waiting().values())

    def tidy(self) -> None:
        """Let the sweeper close what is open without need, as it does each quarter of an hour."""
        if self._open_batches():
            sweep(self._pipeline)

    def of(self, prefixes: tuple[str, ...], unstruck: Sequence[str] = ()) -> Observed:
        """What is seen of the keys under the prefixes, now."""
        analyzed = (Counter(self._pipeline.analyzed()) + Counter(self._pipeline.rendered())).items()
        stored = self._stored_under(prefixes)
        return Observed(
            items=self._items(prefixes),
            flags=self._flags(prefixes),
            announced=self._changes.flags(prefixes),
            given_up=self._failures.changes(prefixes),
            events=self.announced(prefixes),
            waiting=self.waiting() | {"the register of open batches": self._open_batches()},
            dead_letters=self.dead_letters(),
            analyzed={key: count for key, count in analyzed if key.startswith(prefixes)},
            stored=stored,
            open=self._open(stored),
            changed=self._watch.changed(prefixes),
            unstruck=unstruck,
        )

    def dead_letters(self) -> int:
        """Messages in the dead-letter queues of all lanes."""
        return self._messages("IngestDeadLetterQueueUrl")

    def forget(self, prefix: str) -> None:
        """Remove the verdicts under a prefix, which have been looked at: scans take time in proportion to the table."""
        table, client = self._pipeline.outputs["VerdictTableName"], self._pipeline.cloud.client("dynamodb")
        items = self._pipeline.verdicts(prefix)
        for start in range(0, len(items), _DELETED_A_CALL):
            keys = [
                {name: {"S": item[name]} for name in ("object", "version")}
                for item in items[start : start + _DELETED_A_CALL]
            ]
            client.batch_write_item(RequestItems={table: [{"DeleteRequest": {"Key": key}} for key in keys]})
        # The gate closes for what is forgotten, which must not be taken for the next row's work.
        end = time.monotonic() + _CLOSING_SECONDS
        while self._open(self._stored_under((prefix,))) and time.monotonic() < end:
            time.sleep(0.1)

    def clear(self) -> None:
        """End and drop what is left over, so that one row's misfortune is not the next one's."""
        for machine in [name for name in self._pipeline.outputs if name.endswith("StateMachineArn")]:
            self._pipeline.stop_executions(machine)
        storage, bucket = self._pipeline.cloud.client("s3"), self._pipeline.outputs["WorkBucketName"]
        for entry in storage.list_objects_v2(Bucket=bucket, Prefix=OPEN_PREFIX).get("Contents", []):
            storage.delete_object(Bucket=bucket, Key=entry["Key"])
        for output in (*_WAITING, "IngestDeadLetterQueueUrl"):
            for url in queue_urls(self._pipeline, output):
                self._pipeline.cloud.client("sqs").purge_queue(QueueUrl=url)

    def _items(self, prefixes: tuple[str, ...]) -> list[dict[str, Any]]:
        items = [item for item in self._pipeline.verdicts() if item["key"].startswith(prefixes)]
        self._watch.look(items)
        return items

    def _flags(self, prefixes: tuple[str, ...]) -> list[dict[str, Any]]:
        return [flag for flag in self._pipeline.flags() if flag["object"]["key"].startswith(prefixes)]

    def announced(self, prefixes: tuple[str, ...]) -> list[dict[str, Any]]:
        """The documents of events so far, those that the bus delivered and those that are kept."""
        found = [*self._pipeline.events(), *self._pipeline.kept_events()]
        return [event for event in found if event["object"]["key"].startswith(prefixes)]

    def _messages(self, output: str) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        look: Callable[..., dict[str, dict[str, str]]] = self._pipeline.cloud.client("sqs").get_queue_attributes
        found = [look(QueueUrl=url, AttributeNames=names)["Attributes"] for url in queue_urls(self._pipeline, output)]
        return sum(int(attributes[name]) for attributes in found for name in names)

    def _open_batches(self) -> int:
        listed = self._pipeline.cloud.client("s3").list_objects_v2(
            Bucket=self._pipeline.outputs["WorkBucketName"], Prefix=OPEN_PREFIX
        )
        return int(listed["KeyCount"])

    def _stored_under(self, prefixes: tuple[str, ...]) -> frozenset[tuple[str, str]]:
        return frozenset(version for prefix in prefixes for version in self._stored(prefix))

    def _open(self, stored: frozenset[tuple[str, str]]) -> frozenset[tuple[str, str]] | None:
        """The versions with the tag of the gate."""
        if not self._has_gate:
            return None
        tags = VersionTags(self._pipeline.cloud.client("s3"))
        bucket = self._pipeline.upload_bucket
        return frozenset(
            (key, version) for key, version in stored if tag_in(tags.read(bucket, key, version)) == Status.APPROVED
        )

    def _stored(self, prefix: str) -> list[tuple[str, str]]:
        pages = (
            self._pipeline.cloud.client("s3")
            .get_paginator("list_object_versions")
            .paginate(Bucket=self._pipeline.upload_bucket, Prefix=prefix)
        )
        return [(each["Key"], each["VersionId"]) for page in pages for each in page.get("Versions", [])]
