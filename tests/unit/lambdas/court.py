"""A batch before Results: its objects, what the engines say of them, and who hears of the verdicts."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import boto3

from gatehouse.aws.flag_topic import FlagTopic
from gatehouse.aws.upload_bucket import UploadBucket
from gatehouse.aws.version_listing import VersionListing
from gatehouse.moderation.analysis import ImageError, answer_line, error_line
from gatehouse.moderation.batch import Batch, BatchUpload
from gatehouse.moderation.chunk import Chunk
from gatehouse.moderation.claim import Claim
from gatehouse.moderation.failure import Failure
from gatehouse.moderation.flag_publisher import FlagPublisher
from gatehouse.moderation.image_pass import ImagePass
from gatehouse.moderation.in_flight import IN_FLIGHT
from gatehouse.moderation.moment import iso
from gatehouse.moderation.open_batch import OpenBatch, open_key
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.rendition import Rendition
from gatehouse.moderation.status import FLAGGED, Status
from gatehouse.moderation.upload import Upload, version_named
from gatehouse.moderation.verdict_events import VerdictEvents
from lambdas.results.bulk_run import BulkRun, Location
from lambdas.results.image_run import ImageRun
from lambdas.results.request import Request
from lambdas.results.settlement import Settled, Settlement
from tests.unit.builders import a_lane, a_policy, an_answer, an_upload
from tests.unit.conftest import UPLOADS, WORK, Storage, no_pause

CLEAN: Mapping[str, float] = {}
REVIEWED, BLOCKED = {"Violence": 60.0}, {"Violence": 95.0}


@dataclass(frozen=True)
class Straggler:
    """What only failed calls came back for; the last one's error."""

    error: ImageError = field(default_factory=lambda: ImageError("InternalServerError", "try later"))


@dataclass
class Court:
    """A batch of real objects, what the engines say of them, and everyone who hears of the verdicts."""

    storage: Storage
    topic_arn: str
    queue_url: str
    notify: frozenset[Status] = FLAGGED
    retention: timedelta | None = None
    lane: dict[str, Any] = field(default_factory=dict)
    policies: Mapping[str, Policy] = field(default_factory=lambda: {"standard": a_policy()})
    finds_animations: bool = True
    events: VerdictEvents | None = None
    sequence: int = 0

    def upload(self, key: str, body: bytes = b"bytes", age: float = 0) -> Upload:
        """Store an object, as a user does; its event is `age` seconds old, and somebody else stored it again since."""
        answer = self.storage.s3.put_object(Bucket=UPLOADS, Key=key, Body=body)
        self.sequence += 1
        return an_upload(
            key,
            f"{self.sequence:x}",
            bucket=UPLOADS,
            etag=answer["ETag"].strip('"'),
            version_id=version_named(answer.get("VersionId")),
            size=len(body),
            uploaded_at=iso(datetime.now(UTC) - timedelta(seconds=age)),
        )

    def claim(self, found: Sequence[Upload], batch_id: str = "batch-1", age: float = 0) -> Batch:
        """Claim uploads, `age` seconds ago, and write their batch."""
        moment = iso(datetime.now(UTC) - timedelta(seconds=age))
        claims = [Claim(upload, batch_id, moment, "default") for upload in found]
        self.storage.table.claim(claims)
        batch = Batch.of(batch_id, a_lane(**self.lane), self.policies, moment, claims)
        self.storage.work.open(OpenBatch("default", batch_id, moment, found))
        self.storage.work.write(batch)
        return batch

    def is_open(self) -> bool:
        """Whether the batch stands in the register of open ones."""
        return self.storage.work.read_open(open_key("default", "batch-1")) is not None

    def answer(self, lines: Sequence[str], summary: Mapping[str, Any] | None = None) -> Request:
        """The job ends with these result lines."""
        self.storage.s3.put_object(Bucket=WORK, Key="results.jsonl", Body="\n".join(lines).encode())
        if summary is not None:
            self.storage.s3.put_object(Bucket=WORK, Key="summary.json", Body=json.dumps(summary).encode())
        return Request("batch-1", BulkRun("job-1", Location(WORK, "results.jsonl"), Location(WORK, "summary.json")))

    def look(
        self,
        answers: "Mapping[Upload, Mapping[str, float] | ImageError | Straggler | Rendition]",
        image_pass: ImagePass = ImagePass.FIRST,
        size: int = 100,
        failures: Mapping[int, Failure] | None = None,
        adapter: str | None = None,
    ) -> Request:
        """The image engine ends a pass with these answers, in chunks of `size`."""
        index = self.index(image_pass)
        chunks = tuple(Chunk("batch-1", image_pass, first, size) for first in range(0, len(index), size))
        for chunk in chunks:
            lines = []
            for entry in index[chunk.first : chunk.first + size]:
                upload = entry.claim.upload
                found = answers.get(upload)
                if isinstance(found, Straggler):
                    lines.append(error_line(upload.object, entry.n, found.error, failed_calls=image_pass.tries))
                elif isinstance(found, ImageError):
                    lines.append(error_line(upload.object, entry.n, found))
                elif isinstance(found, Rendition):
                    lines.append(answer_line(upload.object, entry.n, an_answer(), found))
                elif found is not None:
                    lines.append(answer_line(upload.object, entry.n, an_answer(found, adapter)))
            if lines:
                self.storage.work.write_results(chunk, lines)
        return Request("batch-1", ImageRun(image_pass, len(index), chunks, failures or {}))

    def index(self, image_pass: ImagePass) -> list[BatchUpload]:
        """What the image engine is to go through."""
        terms = self.storage.work.read_terms("batch-1")
        return list(self.storage.work.read_index(terms, image_pass))

    def leftovers(self) -> list[Upload]:
        """The uploads that bulk left to the image engine."""
        return [entry.claim.upload for entry in self.index(ImagePass.LEFTOVERS)]

    def settle(self, request: Request) -> Settled:
        """One run of Results, an hour after the batch was claimed."""
        sns = boto3.client("sns")
        self.storage.calls.watch(sns)
        settlement = Settlement(
            self.storage.table,
            self.storage.work,
            UploadBucket(self.storage.s3, finds_animations=self.finds_animations),
            FlagPublisher(FlagTopic(sns, self.topic_arn), pause=no_pause, calls=IN_FLIGHT),
            self.notify,
            self.retention,
            now=lambda: datetime.now(UTC) + timedelta(hours=1),
            events=self.events,
            versions=None if self.finds_animations else VersionListing(self.storage.s3),
        )
        settled = settlement.settle(request)
        settlement.close(request.batch_id, settled)
        return settled

    def statuses(self) -> dict[str, str]:
        """Key -> status, of the newest upload of each object."""
        return {item["key"]: item["status"] for _, item in sorted(self.storage.items().items())}

    def code(self, upload: Upload) -> str:
        """The code of an upload's failure."""
        code: str = self.storage.item(upload)["error"]["code"]
        return code

    def flags(self) -> list[dict[str, Any]]:
        """Every flag since the last look, in no order."""
        sqs = boto3.client("sqs")
        found: list[dict[str, Any]] = []
        while messages := sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                found.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return found


def no_upload_is_read(request: Mapping[str, Any]) -> None:
    """An answer of S3 that fails the test where an upload is read."""
    assert f"/{UPLOADS}/" not in request["url"]
    assert f"//{UPLOADS}." not in request["url"]


def set_versioning(court: Court, status: Literal["Enabled", "Suspended"] = "Enabled") -> None:
    """Turn versioning of the uploads bucket on, or suspend it."""
    court.storage.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": status})
