import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import boto3
import pytest
from botocore.exceptions import ClientError

from gatehouse.aws import verdict_table
from gatehouse.aws.flag_topic import FlagTopic
from gatehouse.aws.upload_bucket import UploadBucket
from gatehouse.aws.verdict_table import VerdictTableBusyError
from gatehouse.moderation.analysis import ImageError, answer_line, error_line
from gatehouse.moderation.batch import Batch, BatchUpload, index_lines, uploads_key
from gatehouse.moderation.chunk import Chunk
from gatehouse.moderation.claim import Claim
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.failure import Failure
from gatehouse.moderation.flag_publisher import FlagPublisher
from gatehouse.moderation.image_pass import ImagePass
from gatehouse.moderation.lane import Priority
from gatehouse.moderation.moment import iso
from gatehouse.moderation.open_batch import OpenBatch, open_key
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.status import FLAGGED, Status
from gatehouse.moderation.upload import Upload, version_named
from lambdas.results import settlement
from lambdas.results.bulk_run import BulkRun, Location
from lambdas.results.image_run import ImageRun
from lambdas.results.request import Request
from lambdas.results.settlement import Again, Settled, Settlement
from tests.unit.aws_calls import Killed, an_error, canceled
from tests.unit.builders import ADAPTER, a_claim, a_lane, a_policy, a_verdict, an_answer, an_upload, result_line
from tests.unit.conftest import UPLOADS, WORK, Storage, no_pause
from tests.unit.pngs import animated, png

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
        answers: "Mapping[Upload, Mapping[str, float] | ImageError | Straggler]",
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
                elif found is not None:
                    lines.append(answer_line(upload.object, entry.n, an_answer(found, adapter)))
            if lines:
                self.storage.work.write_results(chunk, lines)
        return Request("batch-1", ImageRun(image_pass, len(index), chunks, failures or {}))

    def index(self, image_pass: ImagePass) -> list[BatchUpload]:
        """What the image engine is to go through."""
        settings = self.storage.work.read_settings("batch-1")
        return list(self.storage.work.read_index(settings, image_pass))

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
            FlagPublisher(FlagTopic(sns, self.topic_arn), pause=no_pause),
            self.notify,
            self.retention,
            now=lambda: datetime.now(UTC) + timedelta(hours=1),
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


@pytest.fixture
def court(storage: Storage) -> Court:
    sns, sqs = boto3.client("sns"), boto3.client("sqs")
    topic_arn = sns.create_topic(Name="flags")["TopicArn"]
    queue_url = sqs.create_queue(QueueName="flags")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=queue_arn, Attributes={"RawMessageDelivery": "true"})
    return Court(storage, topic_arn, queue_url)


def test_a_batch_is_judged_flagged_and_finalized(court: Court) -> None:
    clean, review, blocked, lost = (court.upload(f"{n}.jpg") for n in range(4))
    empty = court.upload("4.jpg", b"")
    court.claim([clean, review, blocked, lost, empty])

    settled = court.settle(
        court.answer(
            [result_line(clean.object), result_line(review.object, REVIEWED), result_line(blocked.object, BLOCKED)]
        )
    )

    assert court.statuses() == {
        "0.jpg": "APPROVED",
        "1.jpg": "REVIEW",
        "2.jpg": "BLOCKED",
        "3.jpg": "PENDING",
        "4.jpg": "UNSUPPORTED",
    }
    assert {flag["object"]["key"]: flag["status"] for flag in court.flags()} == {"1.jpg": "REVIEW", "2.jpg": "BLOCKED"}
    assert settled.to_document() == {
        "uploads": 5,
        "approved": 1,
        "review": 1,
        "blocked": 1,
        "unsupported": 1,
        "failed": 0,
        "skipped": 0,
        "again": {"pass": "leftovers", "uploads": 1, "pause_seconds": 0},
    }
    assert (settled.flagged, settled.missing, settled.adapter_ignored) == (2, 0, 0)

    settled = court.settle(court.look({}, ImagePass.LEFTOVERS))

    assert court.statuses()["3.jpg"] == "FAILED"
    assert settled.to_document() == {
        "uploads": 1,
        "approved": 0,
        "review": 0,
        "blocked": 0,
        "unsupported": 0,
        "failed": 1,
        "skipped": 0,
        "again": None,
    }
    assert (settled.flagged, settled.missing, settled.adapter_ignored) == (0, 1, 0)
    assert court.flags() == []


def test_an_approved_item_shows_what_it_speaks_for(court: Court) -> None:
    upload = court.upload("cat.jpg")
    court.claim([upload])

    court.settle(court.answer([result_line(upload.object)]))

    item = court.storage.item(upload)
    assert (item["etag"], item["job_id"], item["policy"]["hash"]) == (upload.etag, "job-1", a_policy().hash)
    assert item["decided_at"] > item["claimed_at"]
    assert "expires_at" not in item


def test_final_verdicts_expire_when_asked_to(court: Court) -> None:
    court.retention = timedelta(days=30)
    upload = court.upload("cat.jpg")
    court.claim([upload])

    court.settle(court.answer([result_line(upload.object)]))

    expected = (datetime.now(UTC) + timedelta(days=30, hours=1)).timestamp()
    assert abs(int(court.storage.item(upload)["expires_at"]) - expected) < 600


@pytest.mark.parametrize("status", [Status.APPROVED, Status.UNSUPPORTED, Status.FAILED])
def test_other_statuses_are_published_when_asked_for(court: Court, status: Status) -> None:
    court.notify = frozenset({status})
    clean, lost, empty, blocked = (
        court.upload(key, body) for key, body in zip("abcd", (b"1", b"1", b"", b"1"), strict=True)
    )
    court.claim([clean, lost, empty, blocked])

    court.settle(court.answer([result_line(clean.object), result_line(blocked.object, BLOCKED)]))
    court.settle(court.look({lost: ImageError("InvalidS3ObjectException", "no")}, ImagePass.LEFTOVERS))

    (flag,) = court.flags()
    assert flag["status"] == status
    assert "PENDING" not in court.statuses().values()


def test_a_batch_without_analyzable_uploads_needs_no_job(court: Court) -> None:
    empty = court.upload("empty.jpg", b"")
    court.claim([empty])

    court.settle(Request("batch-1", BulkRun()))

    assert court.statuses() == {"empty.jpg": "UNSUPPORTED"}


def test_a_failed_job_approves_nothing_even_if_results_exist(court: Court) -> None:
    upload, empty = court.upload("cat.jpg"), court.upload("empty.jpg", b"")
    court.claim([upload, empty])
    answered = court.answer([result_line(upload.object)]).analysis
    assert isinstance(answered, BulkRun)
    failure = Failure("DeadlineExceeded", "too late")

    settled = court.settle(Request("batch-1", replace(answered, failure=failure)))

    assert settled.left == 0
    assert court.statuses() == {"cat.jpg": "FAILED", "empty.jpg": "UNSUPPORTED"}
    assert court.code(upload) == "DeadlineExceeded"


def test_a_failed_job_needs_no_result_file(court: Court) -> None:
    court.claim([court.upload("cat.jpg")])

    failure = Failure("INTERNAL_ERROR", "try later")

    court.settle(Request("batch-1", BulkRun("job-1", Location(WORK, "absent"), None, failure)))

    assert court.statuses() == {"cat.jpg": "FAILED"}


def test_a_job_without_a_result_file_approves_nothing(court: Court) -> None:
    upload = court.upload("cat.jpg")
    court.claim([upload])

    settled = court.settle(Request("batch-1", BulkRun("job-1")))

    assert court.statuses() == {"cat.jpg": "PENDING"}
    assert court.leftovers() == [upload]
    assert (settled.left, settled.missing) == (1, 0)


def test_an_unreadable_result_file_decides_nothing(court: Court) -> None:
    court.claim([court.upload("cat.jpg")])

    with pytest.raises(ClientError):
        court.settle(Request("batch-1", BulkRun("job-1", Location("no-bucket", "results.jsonl"))))
    assert court.statuses() == {"cat.jpg": "PENDING"}


@pytest.mark.parametrize("kept", [0, 1])
def test_a_batch_whose_index_lacks_an_upload_is_not_settled_and_stays_open(court: Court, kept: int) -> None:
    uploads = [court.upload("cat.jpg"), court.upload("dog.jpg")]
    batch = court.claim(uploads)
    court.storage.s3.put_object(
        Bucket=WORK, Key=uploads_key("batch-1"), Body=index_lines(batch.uploads[:kept]).encode()
    )

    with pytest.raises(ValueError, match=f"has {kept} uploads, where 2 are expected"):
        court.settle(court.answer([result_line(upload.object) for upload in uploads]))
    assert set(court.statuses().values()) == {"PENDING"}
    assert court.is_open()


def test_leftovers_that_lack_an_upload_are_not_settled(court: Court) -> None:
    lost = [court.upload("a.jpg"), court.upload("b.jpg")]
    court.claim(lost)
    court.settle(court.answer([]))
    request = court.look(dict.fromkeys(lost, CLEAN), ImagePass.LEFTOVERS)
    court.storage.work.write_index("batch-1", ImagePass.LEFTOVERS, court.index(ImagePass.LEFTOVERS)[:1])

    with pytest.raises(ValueError, match=r"leftovers.jsonl has 1 uploads, where 2 are expected"):
        court.settle(request)
    assert set(court.statuses().values()) == {"PENDING"}
    assert court.is_open()


def test_what_a_job_says_nothing_about_is_counted(court: Court) -> None:
    told, refused, untold = (court.upload(f"{n}.jpg") for n in range(3))
    court.claim([told, refused, untold])
    errors = [{"source-ref": refused.object, "code": "InvalidImageFormatException", "message": "no"}]

    settled = court.settle(court.answer([result_line(told.object)], {"version": "1.0", "errors": errors}))

    assert settled.unanswered == 1


def test_what_a_missing_result_file_should_have_told_is_left_to_the_image_engine(court: Court) -> None:
    upload = court.upload("cat.jpg")
    court.claim([upload])

    settled = court.settle(Request("batch-1", BulkRun("job-1", Location(WORK, "absent.jsonl"))))

    assert (settled.left, court.statuses()) == (1, {"cat.jpg": "PENDING"})
    assert court.leftovers() == [upload]


def test_a_settled_batch_is_open_no_more(court: Court) -> None:
    upload = court.upload("cat.jpg")
    court.claim([upload])

    court.settle(court.answer([result_line(upload.object)]))

    assert not court.is_open()


def test_a_batch_is_open_until_its_leftovers_are_settled(court: Court) -> None:
    upload, lost = court.upload("cat.jpg"), court.upload("lost.jpg")
    court.claim([upload, lost])

    court.settle(court.answer([result_line(upload.object)]))
    assert court.is_open()

    court.settle(court.look({lost: CLEAN}, ImagePass.LEFTOVERS))
    assert not court.is_open()


def test_a_batch_with_a_refused_flag_is_open_until_it_is_published(court: Court) -> None:
    upload = court.upload("cat.jpg")
    court.claim([upload])
    refusal = {"Failed": [{"Id": "0", "Code": "InternalError", "SenderFault": True}], "Successful": []}
    court.storage.calls.answer_next("PublishBatch", refusal)

    assert court.settle(court.answer([result_line(upload.object, BLOCKED)])).refusals
    assert court.is_open()

    court.settle(court.answer([result_line(upload.object, BLOCKED)]))
    assert not court.is_open()


@pytest.mark.parametrize("when", ["before", "after"])
def test_results_that_dies_before_it_closes_a_batch_closes_it_next_time(
    court: Court, when: Literal["before", "after"]
) -> None:
    upload = court.upload("cat.jpg")
    court.claim([upload])
    court.storage.calls.kill("DeleteObject", when)

    with pytest.raises(Killed):
        court.settle(court.answer([result_line(upload.object)]))
    assert court.statuses() == {"cat.jpg": "APPROVED"}

    court.settle(court.answer([result_line(upload.object)]))
    assert not court.is_open()


def test_the_summary_tells_why_an_image_has_no_result(court: Court) -> None:
    upload = court.upload("cat.gif")
    court.claim([upload])
    errors = [{"line-numer": 0, "source-ref": upload.object, "code": "InvalidImageFormatException", "message": "no"}]

    court.settle(court.answer([], {"version": "1.0", "errors": errors}))

    assert court.statuses() == {"cat.gif": "UNSUPPORTED"}
    assert court.code(upload) == "InvalidImageFormatException"


def test_lines_that_contradict_each_other_approve_nothing(court: Court) -> None:
    upload = court.upload("cat.jpg")
    court.claim([upload])

    court.settle(court.answer([result_line(upload.object), result_line(upload.object, BLOCKED)]))

    assert court.statuses() == {"cat.jpg": "PENDING"}
    assert court.leftovers() == [upload]


def test_an_expired_adapter_approves_nothing(court: Court) -> None:
    court.lane = {"adapter": ADAPTER}
    clean, blocked, adapted = (court.upload(f"{n}.jpg") for n in range(3))
    court.claim([clean, blocked, adapted])

    settled = court.settle(
        court.answer(
            [
                result_line(clean.object),
                result_line(blocked.object, BLOCKED),
                result_line(adapted.object, adapter=ADAPTER),
            ]
        )
    )

    assert court.statuses() == {"0.jpg": "FAILED", "1.jpg": "BLOCKED", "2.jpg": "APPROVED"}
    assert (settled.adapter_ignored, settled.left) == (2, 0)
    assert [court.storage.item(upload)["adapter"]["answered"] for upload in (clean, blocked, adapted)] == [
        None,
        None,
        ADAPTER,
    ]


def test_what_matches_nothing_is_counted(court: Court) -> None:
    upload = court.upload("cat.jpg")
    court.claim([upload])

    settled = court.settle(court.answer([result_line(upload.object), result_line("s3://uploads/other.jpg"), "{"]))

    assert settled.unmatched_lines == 2


def test_overwritten_bytes_are_not_approved_on_their_successors_analysis(court: Court) -> None:
    upload = court.upload("cat.jpg", b"bad")
    court.claim([upload])
    court.upload("cat.jpg", b"clean")

    court.settle(court.answer([result_line(upload.object)]))

    assert court.statuses() == {"cat.jpg": "FAILED"}
    assert court.code(upload) == "Superseded"


def test_bytes_put_back_after_the_claim_are_not_approved(court: Court) -> None:
    upload = court.upload("cat.jpg", b"bad", age=20)
    court.claim([upload], age=10)

    court.settle(court.answer([result_line(upload.object)]))

    assert court.code(upload) == "Superseded"


def test_a_deleted_object_is_not_approved(court: Court) -> None:
    upload = court.upload("cat.jpg")
    court.claim([upload])
    court.storage.s3.delete_object(Bucket=UPLOADS, Key="cat.jpg")

    court.settle(court.answer([result_line(upload.object)]))

    assert court.code(upload) == "Superseded"


def test_in_a_versioned_bucket_only_the_current_version_is_approved(court: Court) -> None:
    court.storage.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": "Enabled"})
    old, kept, hidden = (court.upload(key) for key in ("old.jpg", "kept.jpg", "hidden.jpg"))
    court.claim([old, kept, hidden])
    court.upload("old.jpg")
    court.storage.s3.delete_object(Bucket=UPLOADS, Key="hidden.jpg")

    court.settle(court.answer([result_line(upload.object) for upload in (old, kept, hidden)]))

    assert court.statuses() == {"old.jpg": "PENDING", "kept.jpg": "APPROVED", "hidden.jpg": "PENDING"}
    assert court.leftovers() == [old, hidden]


def test_of_two_uploads_of_an_object_in_one_batch_the_newer_gets_the_answer(court: Court) -> None:
    older, newer = court.upload("cat.jpg", b"first"), court.upload("cat.jpg", b"second")
    court.claim([older, newer])

    settled = court.settle(court.answer([result_line(newer.object)]))

    assert court.code(older) == "Superseded"
    assert court.storage.item(newer)["status"] == "APPROVED"
    assert settled.left == 0


def test_an_older_uploads_late_verdict_leaves_the_newer_one_alone(court: Court) -> None:
    older, newer = court.upload("cat.jpg", b"first"), court.upload("cat.jpg", b"second")
    newer_claim = a_claim(newer, batch_id="batch-2")
    court.storage.table.claim([newer_claim])
    court.storage.table.finalize([a_verdict(Status.BLOCKED, newer_claim)], None)
    court.claim([older])

    court.settle(court.answer([result_line(older.object)]))

    assert court.statuses() == {"cat.jpg": "BLOCKED"}
    assert court.storage.item(older)["status"] == "FAILED"


@pytest.mark.parametrize(("other", "status"), [("a b.jpg", "PENDING"), ("elsewhere.jpg", "APPROVED")])
def test_a_key_that_could_mean_another_object_is_approved_only_if_that_does_not_exist(
    court: Court, other: str, status: str
) -> None:
    court.storage.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": "Enabled"})
    court.upload(other, b"clean")
    upload = court.upload("a+b.jpg")
    court.claim([upload])

    court.settle(court.answer([result_line(upload.object)]))

    assert court.statuses() == {"a+b.jpg": status}


def test_deleting_the_other_object_after_the_job_does_not_hide_it(court: Court) -> None:
    court.storage.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": "Enabled"})
    court.upload("a b.jpg", b"clean")
    upload = court.upload("a+b.jpg", b"bad")
    court.claim([upload])
    court.storage.s3.delete_object(Bucket=UPLOADS, Key="a b.jpg")

    court.settle(court.answer([result_line(upload.object)]))

    assert court.statuses() == {"a+b.jpg": "PENDING"}
    assert court.leftovers() == [upload]


def _no_upload_is_read(request: Mapping[str, Any]) -> None:
    assert f"/{UPLOADS}/" not in request["url"]
    assert f"//{UPLOADS}." not in request["url"]


def test_a_flagged_upload_needs_no_look_at_the_object(court: Court) -> None:
    blocked = court.upload("cat.jpg")
    court.claim([blocked])
    court.storage.s3.delete_object(Bucket=UPLOADS, Key="cat.jpg")

    request = court.answer([result_line(blocked.object, BLOCKED)])
    court.storage.calls.answer_always("GetObject", _no_upload_is_read)

    court.settle(request)

    assert court.statuses() == {"cat.jpg": "BLOCKED"}
    assert court.storage.calls.made["HeadObject"] == 0


def test_a_second_run_changes_and_publishes_nothing(court: Court) -> None:
    found = [court.upload(f"{n}.jpg") for n in range(3)]
    court.claim(found)
    request = court.answer([result_line(upload.object, BLOCKED) for upload in found])
    court.settle(request)
    before = court.storage.items()
    court.flags()

    settled = court.settle(request)

    assert court.storage.items() == before
    assert court.flags() == []
    assert (settled.skipped, settled.verdicts, settled.to_document()["blocked"]) == (3, [], 0)


def test_a_lost_claim_is_neither_judged_nor_published(court: Court) -> None:
    mine, lost = court.upload("mine.jpg"), court.upload("lost.jpg")
    batch = court.claim([mine, lost])
    other = Claim(lost, "batch-2", iso(datetime.now(UTC)), "default", 2)
    court.storage.table.reclaim([(batch.uploads[1].claim, other)])

    settled = court.settle(court.answer([result_line(upload.object, BLOCKED) for upload in (mine, lost)]))

    assert [flag["object"]["key"] for flag in court.flags()] == ["mine.jpg"]
    assert court.statuses() == {"mine.jpg": "BLOCKED", "lost.jpg": "PENDING"}
    assert settled.skipped == 1


def test_a_claim_lost_at_the_last_moment_is_not_finalized(court: Court) -> None:
    upload = court.upload("cat.jpg")
    batch = court.claim([upload])
    other = Claim(upload, "batch-2", iso(datetime.now(UTC)), "default", 2)
    court.storage.calls.interrupt(
        "PublishBatch", lambda: court.storage.table.reclaim([(batch.uploads[0].claim, other)])
    )

    settled = court.settle(court.answer([result_line(upload.object, BLOCKED)]))

    assert court.statuses() == {"cat.jpg": "PENDING"}
    assert (settled.skipped, settled.verdicts) == (1, [])


def test_a_flag_sns_drops_once_is_published_and_then_finalized(court: Court) -> None:
    upload = court.upload("cat.jpg")
    court.claim([upload])
    failed = {"Id": "0", "Code": "InternalError", "SenderFault": False}
    court.storage.calls.answer_next("PublishBatch", {"Successful": [], "Failed": [failed]})

    court.settle(court.answer([result_line(upload.object, BLOCKED)]))

    assert len(court.flags()) == 1
    assert court.statuses() == {"cat.jpg": "BLOCKED"}


def test_an_upload_whose_flag_is_refused_stays_pending(court: Court) -> None:
    upload, clean = court.upload("cat.jpg"), court.upload("clean.jpg")
    court.claim([upload, clean])
    request = court.answer([result_line(upload.object, BLOCKED), result_line(clean.object)])
    failed = {"Id": "0", "Code": "InvalidParameter", "SenderFault": True}
    court.storage.calls.answer_next("PublishBatch", {"Successful": [], "Failed": [failed]})

    settled = court.settle(request)
    assert [refusal.refused for refusal in settled.refusals] == [{0}]
    assert court.statuses() == {"cat.jpg": "PENDING", "clean.jpg": "APPROVED"}

    court.settle(request)
    assert court.statuses() == {"cat.jpg": "BLOCKED", "clean.jpg": "APPROVED"}
    assert len(court.flags()) == 1


def test_a_refused_flag_holds_up_no_other_upload(court: Court) -> None:
    uploads = [court.upload(f"{n}.jpg") for n in range(25)]
    court.claim(uploads)
    failed = {"Id": "3", "Code": "InvalidParameter", "SenderFault": True}
    court.storage.calls.answer_next("PublishBatch", {"Successful": [], "Failed": [failed]})

    court.settle(court.answer([result_line(upload.object, BLOCKED) for upload in uploads]))

    assert court.statuses() == {f"{n}.jpg": "PENDING" if n == 3 else "BLOCKED" for n in range(25)}


def test_a_conflict_is_settled_by_trying_again(court: Court) -> None:
    upload = court.upload("cat.jpg")
    court.claim([upload])
    court.storage.calls.answer_next("TransactWriteItems", canceled("TransactionConflict"), 400)

    court.settle(court.answer([result_line(upload.object, BLOCKED)]))

    assert court.statuses() == {"cat.jpg": "BLOCKED"}


def test_endless_conflicts_leave_the_rest_for_a_later_run(court: Court) -> None:
    upload = court.upload("cat.jpg")
    court.claim([upload])
    request = court.answer([result_line(upload.object, BLOCKED)])
    for _ in range(8):
        court.storage.calls.answer_next("TransactWriteItems", canceled("TransactionConflict"), 400)

    with pytest.raises(VerdictTableBusyError):
        court.settle(request)
    (first,) = court.flags()
    court.settle(request)

    (second,) = court.flags()
    assert first["id"] == second["id"]
    assert court.statuses() == {"cat.jpg": "BLOCKED"}


def test_published_verdicts_are_final_before_the_next_flags_go_out(
    court: Court, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdict_table, "ITEMS_A_CALL", 5)
    monkeypatch.setattr(settlement, "ITEMS_A_CALL", 5)
    found = [court.upload(f"{n:02}.jpg") for n in range(12)]
    court.claim(found)
    court.storage.calls.kill("PublishBatch", "before", 2)

    with pytest.raises(Killed):
        court.settle(court.answer([result_line(upload.object, BLOCKED) for upload in found]))

    assert list(court.statuses().values()) == ["BLOCKED"] * 10 + ["PENDING"] * 2


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("operation", "nth"),
    [("BatchGetItem", 1), ("GetObject", 5), ("PublishBatch", 1), ("PublishBatch", 2)]
    + [("TransactWriteItems", nth) for nth in (1, 2, 3)],
)
def test_a_crash_anywhere_ends_with_each_verdict_final_and_each_flag_under_one_id(
    court: Court, operation: str, nth: int, when: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verdict_table, "ITEMS_A_CALL", 5)
    monkeypatch.setattr(settlement, "ITEMS_A_CALL", 5)
    clean = [court.upload(f"clean-{n}.jpg") for n in range(3)]
    bad = [court.upload(f"bad-{n:02}.jpg") for n in range(12)]
    court.claim([*clean, *bad])
    request = court.answer(
        [result_line(upload.object) for upload in clean] + [result_line(upload.object, BLOCKED) for upload in bad]
    )
    court.storage.calls.kill(operation, when, nth)
    with pytest.raises(Killed):
        court.settle(request)
    published_at_the_crash = court.flags()
    known = {flag["object"]["key"] for flag in published_at_the_crash}
    final_at_the_crash = {key: status for key, status in court.statuses().items() if status != "PENDING"}
    assert {key for key, status in final_at_the_crash.items() if status == "BLOCKED"} <= known

    court.settle(request)

    assert court.statuses() == {
        **{f"clean-{n}.jpg": "APPROVED" for n in range(3)},
        **{each.key: "BLOCKED" for each in bad},
    }
    flags = published_at_the_crash + court.flags()
    assert {flag["object"]["key"] for flag in flags} == {upload.key for upload in bad}
    assert len({flag["id"] for flag in flags}) == len(bad)


def test_the_policy_of_an_uploads_prefix_judges_it(court: Court) -> None:
    strict = a_policy({"Violence": {"block": 40}})
    court.lane = {"policy_overrides": (("kids/", "strict"),)}
    court.policies = {"standard": a_policy(), "strict": strict}
    child, adult = court.upload("kids/1.jpg"), court.upload("1.jpg")
    court.claim([child, adult])

    court.settle(court.answer([result_line(upload.object, REVIEWED) for upload in (child, adult)]))

    assert court.statuses() == {"kids/1.jpg": "BLOCKED", "1.jpg": "REVIEW"}
    assert court.storage.item(child)["policy"]["hash"] == strict.hash
    assert court.storage.item(adult)["policy"]["hash"] == a_policy().hash


def _version(court: Court, status: Literal["Enabled", "Suspended"] = "Enabled") -> None:
    court.storage.s3.put_bucket_versioning(Bucket=UPLOADS, VersioningConfiguration={"Status": status})


def test_the_image_engines_answers_end_in_verdicts(court: Court) -> None:
    clean, review, blocked, broken, gone, lost = (court.upload(f"{n}.jpg") for n in range(6))
    empty = court.upload("6.jpg", b"")
    court.claim([clean, review, blocked, broken, gone, lost, empty])

    settled = court.settle(
        court.look(
            {
                clean: CLEAN,
                review: REVIEWED,
                blocked: BLOCKED,
                broken: ImageError("InvalidImageFormatException", "no image"),
                gone: ImageError("InvalidS3ObjectException", "no object"),
            },
            size=2,
        )
    )

    assert list(court.statuses().values()) == [
        "APPROVED",
        "REVIEW",
        "BLOCKED",
        "UNSUPPORTED",
        "FAILED",
        "FAILED",
        "UNSUPPORTED",
    ]
    assert court.storage.item(broken)["error"] == {"code": "InvalidImageFormatException", "message": "no image"}
    assert (court.code(gone), court.code(lost), court.code(empty)) == (
        "InvalidS3ObjectException",
        "NotAnalyzed",
        "EmptyObject",
    )
    assert (settled.left, settled.missing, settled.unmatched_lines) == (0, 1, 0)
    assert {flag["object"]["key"] for flag in court.flags()} == {"1.jpg", "2.jpg"}
    item = court.storage.item(clean)
    assert item["engine"] == "image"
    assert "job_id" not in item


def test_an_approval_on_a_pinned_analysis_needs_no_look_at_what_is_current(court: Court) -> None:
    _version(court)
    overwritten, hidden = court.upload("overwritten.jpg"), court.upload("hidden.jpg")
    court.claim([overwritten, hidden])
    court.upload("overwritten.jpg", b"other")
    court.storage.s3.delete_object(Bucket=UPLOADS, Key="hidden.jpg")
    request = court.look({overwritten: CLEAN, hidden: CLEAN})
    court.storage.calls.made.clear()

    court.settle(request)

    assert court.storage.item(overwritten)["status"] == court.storage.item(hidden)["status"] == "APPROVED"
    assert court.storage.calls.made["HeadObject"] == 0


@pytest.mark.parametrize("engine", [Engine.BULK, Engine.IMAGE])
@pytest.mark.parametrize("versioned", [True, False])
def test_an_animation_is_never_approved_and_needs_no_second_analysis(
    court: Court, engine: Engine, versioned: bool
) -> None:
    court.notify = frozenset({Status.UNSUPPORTED, Status.BLOCKED})
    if versioned:
        _version(court)
    moving, still, bad = (
        court.upload(key, body) for key, body in (("moving.png", animated()), ("still.png", png()), ("bad", animated()))
    )
    court.claim([moving, still, bad])
    found: dict[Upload, Mapping[str, float]] = {moving: CLEAN, still: CLEAN, bad: BLOCKED}
    lines = [result_line(upload.object, labels) for upload, labels in found.items()]

    settled = court.settle(court.answer(lines) if engine is Engine.BULK else court.look({**found}))

    assert court.statuses() == {"moving.png": "UNSUPPORTED", "still.png": "APPROVED", "bad": "BLOCKED"}
    assert court.code(moving) == "Animated"
    assert settled.left == 0
    assert "labels" not in court.storage.item(moving)
    assert {flag["object"]["key"]: flag["status"] for flag in court.flags()} == {
        "moving.png": "UNSUPPORTED",
        "bad": "BLOCKED",
    }


def test_an_object_that_was_archived_before_its_approval_fails_and_is_not_analyzed_again(court: Court) -> None:
    archived, other = court.upload("archived.jpg"), court.upload("other.jpg")
    court.claim([archived, other])
    refusal = an_error("InvalidObjectState", status=403)
    court.storage.calls.answer_always("GetObject", lambda asked: refusal if "archived.jpg" in asked["url"] else None)

    settled = court.settle(court.answer([result_line(upload.object) for upload in (archived, other)]))

    assert court.statuses() == {"archived.jpg": "FAILED", "other.jpg": "APPROVED"}
    assert (court.code(archived), settled.left) == ("Archived", 0)


def test_without_the_check_an_animation_is_approved_by_its_first_frame(court: Court) -> None:
    court.finds_animations = False
    upload = court.upload("moving.png", animated())
    court.claim([upload])

    court.settle(court.look({upload: CLEAN}))

    assert court.statuses() == {"moving.png": "APPROVED"}


def test_every_version_of_an_object_gets_a_verdict_of_its_own(court: Court) -> None:
    _version(court)
    first, second, third = (court.upload("cat.jpg", body) for body in (b"1", b"2", b"3"))
    court.claim([third, first, second])

    court.settle(court.look({first: BLOCKED, second: CLEAN, third: REVIEWED}, size=1))

    statuses = [court.storage.item(upload)["status"] for upload in (first, second, third)]
    assert statuses == ["BLOCKED", "APPROVED", "REVIEW"]


@pytest.mark.parametrize("suspended", [False, True])
def test_an_approval_on_an_unpinned_analysis_is_confirmed_by_a_look_at_the_key_as_it_is(
    court: Court, suspended: bool
) -> None:
    if suspended:
        _version(court, "Suspended")
    court.upload("a b.jpg", b"what a manifest could be taken to mean")
    found = [court.upload("a+b.jpg"), court.upload("cat.jpg", b"bad"), court.upload("gone.jpg")]
    found.append(replace(court.upload("large.jpg"), etag="9b2cf535f27731c974343645a3985328-2"))
    court.claim(found)
    court.upload("cat.jpg", b"clean")
    court.storage.s3.delete_object(Bucket=UPLOADS, Key="gone.jpg")

    court.settle(court.look(dict.fromkeys(found, CLEAN)))

    kept, overwritten, gone, multipart = found
    assert court.storage.item(kept)["status"] == "APPROVED"
    assert (court.code(overwritten), court.code(gone), court.code(multipart)) == (
        "Superseded",
        "Superseded",
        "Unconfirmable",
    )


def test_bytes_put_back_after_the_claim_are_not_approved_by_the_image_engine_either(court: Court) -> None:
    upload = court.upload("cat.jpg", age=20)
    court.claim([upload], age=10)

    court.settle(court.look({upload: CLEAN}))

    assert court.code(upload) == "Superseded"


def test_uploads_of_a_chunk_without_a_result_file_fail_alone(court: Court) -> None:
    found = [court.upload(f"{n}.jpg") for n in range(5)]
    court.claim(found)
    request = court.look(dict.fromkeys(found[:2] + found[4:], CLEAN), size=2)

    settled = court.settle(request)

    assert list(court.statuses().values()) == ["APPROVED", "APPROVED", "FAILED", "FAILED", "APPROVED"]
    assert settled.missing == 2


def test_uploads_of_a_failed_chunk_fail_with_its_words_unless_they_had_been_analyzed(court: Court) -> None:
    found = [court.upload(f"{n}.jpg") for n in range(6)]
    court.claim(found)
    answered = dict.fromkeys(found[:3] + found[5:], CLEAN)

    court.settle(court.look(answered, size=3, failures={3: Failure("ChunkFailed", "five runs")}))

    assert list(court.statuses().values()) == ["APPROVED"] * 3 + ["FAILED"] * 2 + ["APPROVED"]
    assert court.storage.item(found[3])["error"] == {"code": "ChunkFailed", "message": "five runs"}


def test_a_chunk_file_that_may_not_be_read_decides_nothing(court: Court) -> None:
    upload = court.upload("cat.jpg")
    court.claim([upload])
    request = court.look({upload: CLEAN})
    denied = an_error("AccessDenied", "Access Denied", 403)
    court.storage.calls.answer_always("GetObject", lambda asked: denied if "analysis/image" in asked["url"] else None)

    with pytest.raises(ClientError):
        court.settle(request)
    assert court.statuses() == {"cat.jpg": "PENDING"}


def test_a_line_of_another_object_under_an_uploads_number_is_not_believed(court: Court) -> None:
    mine, other = court.upload("mine.jpg"), court.upload("other.jpg")
    court.claim([mine, other])
    request = court.look({other: CLEAN})
    assert isinstance(request.analysis, ImageRun)
    (chunk,) = request.analysis.chunks
    court.storage.work.write_results(
        chunk, [answer_line(other.object, 0, an_answer()), answer_line(mine.object, 1, an_answer(BLOCKED))]
    )

    court.settle(request)

    assert court.statuses() == {"mine.jpg": "FAILED", "other.jpg": "FAILED"}
    assert court.flags() == []


def test_lines_that_name_no_upload_are_counted_whichever_engine_wrote_them(court: Court) -> None:
    upload = court.upload("cat.jpg")
    court.claim([upload])
    request = court.look({upload: CLEAN})
    assert isinstance(request.analysis, ImageRun)
    (chunk,) = request.analysis.chunks
    court.storage.work.write_results(chunk, [answer_line(upload.object, 0, an_answer()), "{", result_line("s3://a/b")])

    settled = court.settle(request)

    assert court.statuses() == {"cat.jpg": "APPROVED"}
    assert settled.unmatched_lines == 2


def test_an_adapter_the_image_engine_ignores_approves_nothing(court: Court) -> None:
    court.lane = {"adapter": ADAPTER}
    clean, blocked = court.upload("0.jpg"), court.upload("1.jpg")
    court.claim([clean, blocked])

    settled = court.settle(court.look({clean: CLEAN, blocked: BLOCKED}))

    assert court.statuses() == {"0.jpg": "FAILED", "1.jpg": "BLOCKED"}
    assert court.code(clean) == "AdapterIgnored"
    assert (settled.adapter_ignored, settled.left) == (2, 0)
    for upload in (clean, blocked):
        assert court.storage.item(upload)["adapter"] == {"asked": ADAPTER, "answered": None}


def test_an_adapter_that_answers_the_image_engine_may_approve(court: Court) -> None:
    court.lane = {"adapter": ADAPTER}
    upload = court.upload("cat.jpg")
    court.claim([upload])

    settled = court.settle(court.look({upload: CLEAN}, adapter=ADAPTER))

    assert court.statuses() == {"cat.jpg": "APPROVED"}
    assert settled.adapter_ignored == 0


def test_what_bulk_has_no_definite_answer_for_is_left_to_the_image_engine(court: Court) -> None:
    _version(court)
    answered, bad_format, empty = court.upload("answered.jpg"), court.upload("cat.gif"), court.upload("empty.jpg", b"")
    lost, odd, unreadable, aliased = (court.upload(key) for key in ("lost.jpg", "odd.jpg", "unreadable.jpg", "a+b.jpg"))
    older, newer = court.upload("twice.jpg", b"1"), court.upload("twice.jpg", b"2")
    superseded = court.upload("superseded.jpg", b"uploaded")
    court.upload("a b.jpg")
    batch = court.claim([answered, bad_format, empty, lost, odd, unreadable, aliased, older, newer, superseded])
    court.upload("superseded.jpg", b"of a later batch")
    errors = [
        {"source-ref": bad_format.object, "code": "InvalidImageFormatException", "message": "no image"},
        {"source-ref": odd.object, "code": "ERROR_X", "message": "odd"},
    ]

    settled = court.settle(
        court.answer(
            [
                *(result_line(upload.object) for upload in (answered, aliased, newer, superseded)),
                json.dumps({"source-ref": unreadable.object, "detect-moderation-labels": {}}),
            ],
            {"version": "1.0", "errors": errors},
        )
    )

    left = [lost, odd, unreadable, aliased, older, superseded]
    assert court.index(ImagePass.LEFTOVERS) == [entry for entry in batch.uploads if entry.claim.upload in left]
    assert {court.storage.item(upload)["status"] for upload in left} == {"PENDING"}
    assert [court.storage.item(upload)["status"] for upload in (answered, newer)] == ["APPROVED"] * 2
    assert (court.code(bad_format), court.code(empty)) == ("InvalidImageFormatException", "EmptyObject")
    assert (settled.left, settled.missing, settled.to_document()["again"]["uploads"]) == (6, 0, 6)
    assert (settled.to_document()["failed"], settled.skipped) == (0, 0)


def test_the_image_engine_settles_the_leftovers_on_the_uploads_own_bytes(court: Court) -> None:
    _version(court)
    aliased = court.upload("a+b.jpg")
    court.upload("a b.jpg")
    older, newer = court.upload("twice.jpg", b"1"), court.upload("twice.jpg", b"2")
    superseded = court.upload("superseded.jpg", b"uploaded")
    court.claim([aliased, older, newer, superseded])
    court.upload("superseded.jpg", b"of a later batch")
    court.settle(court.answer([result_line(upload.object) for upload in (aliased, newer, superseded)]))

    court.settle(court.look({aliased: CLEAN, older: CLEAN, superseded: BLOCKED}, ImagePass.LEFTOVERS))

    statuses = [court.storage.item(upload)["status"] for upload in (aliased, older, newer, superseded)]
    assert statuses == ["APPROVED", "APPROVED", "APPROVED", "BLOCKED"]
    assert [court.storage.item(upload)["engine"] for upload in (older, newer)] == ["image", "bulk"]
    assert [flag["object"]["version_id"] for flag in court.flags()] == [superseded.version_id]


def test_the_older_of_two_uploads_is_not_approved_on_the_newer_ones_bytes_by_the_image_engine_either(
    court: Court,
) -> None:
    older, newer = court.upload("cat.jpg", b"first"), court.upload("cat.jpg", b"second")
    court.claim([older, newer])

    court.settle(court.look({older: CLEAN, newer: CLEAN}))

    assert court.code(older) == "Superseded"
    assert court.storage.item(older)["status"] == "FAILED"
    assert court.storage.item(newer)["status"] == "APPROVED"


def test_a_key_bulk_cannot_be_trusted_with_is_approved_by_the_image_engine_without_versioning(court: Court) -> None:
    upload = court.upload("a+b.jpg")
    court.claim([upload])
    court.settle(court.answer([result_line(upload.object)]))
    assert court.leftovers() == [upload]

    court.settle(court.look({upload: CLEAN}, ImagePass.LEFTOVERS))

    assert court.statuses() == {"a+b.jpg": "APPROVED"}


def test_what_the_image_engine_says_of_a_leftover_is_final(court: Court) -> None:
    lost, broken, failed = (court.upload(f"{n}.jpg") for n in range(3))
    court.claim([lost, broken, failed])
    court.settle(court.answer([]))
    written = court.storage.calls.made["PutObject"]

    request = court.look(
        {broken: ImageError("ImageTooLargeException", "no"), failed: ImageError("InternalServerError", "five times")},
        ImagePass.LEFTOVERS,
    )
    settled = court.settle(request)

    assert court.statuses() == {"0.jpg": "FAILED", "1.jpg": "UNSUPPORTED", "2.jpg": "FAILED"}
    assert (court.code(lost), court.code(failed)) == ("NotAnalyzed", "InternalServerError")
    assert (settled.uploads, settled.left) == (3, 0)
    assert court.storage.calls.made["PutObject"] == written + 1  # the chunk's file: no more leftovers


def test_a_chunk_of_leftovers_fails_the_uploads_on_its_own_lines(court: Court) -> None:
    found = [court.upload(f"{n}.jpg") for n in range(5)]
    court.claim(found)
    court.settle(court.answer([result_line(found[n].object) for n in (0, 2)]))
    failures = {1: Failure("ChunkFailed", "five runs")}

    court.settle(court.look({found[1]: CLEAN, found[4]: CLEAN}, ImagePass.LEFTOVERS, size=1, failures=failures))

    assert list(court.statuses().values()) == ["APPROVED"] * 3 + ["FAILED", "APPROVED"]
    assert court.code(found[3]) == "ChunkFailed"


def test_a_job_that_answers_for_all_leaves_no_file_of_leftovers(court: Court) -> None:
    found = [court.upload(f"{n}.jpg") for n in range(3)]
    court.claim(found)

    settled = court.settle(court.answer([result_line(upload.object) for upload in found]))

    assert settled.left == 0
    assert court.storage.work.read_optional(WORK, ImagePass.LEFTOVERS.index_key("batch-1")) is None


def test_a_lost_claim_is_not_left_to_the_image_engine(court: Court) -> None:
    mine, lost = court.upload("mine.jpg"), court.upload("lost.jpg")
    batch = court.claim([mine, lost])
    other = Claim(lost, "batch-2", iso(datetime.now(UTC)), "default", 2)
    court.storage.table.reclaim([(batch.uploads[1].claim, other)])

    settled = court.settle(court.answer([]))

    assert court.leftovers() == [mine]
    assert (settled.left, settled.skipped) == (1, 1)


def test_a_second_run_of_either_pass_repeats_nothing(court: Court) -> None:
    found = [court.upload(f"{n}.jpg") for n in range(4)]
    court.claim(found)
    bulk = court.answer([result_line(upload.object, BLOCKED) for upload in found[:2]])
    first = court.settle(bulk)
    items, left = court.storage.items(), court.index(ImagePass.LEFTOVERS)
    assert len(court.flags()) == 2

    again = court.settle(bulk)

    assert court.storage.items() == items
    assert court.index(ImagePass.LEFTOVERS) == left
    assert court.flags() == []
    assert (first.left, again.left, again.skipped, again.verdicts) == (2, 2, 2, [])

    images = court.look({found[2]: BLOCKED, found[3]: CLEAN}, ImagePass.LEFTOVERS)
    court.settle(images)
    items = court.storage.items()
    assert len(court.flags()) == 1

    again = court.settle(images)

    assert court.storage.items() == items
    assert court.flags() == []
    assert (again.uploads, again.skipped, again.verdicts) == (2, 2, [])


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("in_pass", [ImagePass.FIRST, ImagePass.LEFTOVERS])
@pytest.mark.parametrize("operation", ["GetObject", "BatchGetItem", "PutObject", "PublishBatch", "TransactWriteItems"])
def test_a_crash_in_either_pass_loses_no_leftover_and_repeats_no_flag(
    court: Court, in_pass: ImagePass, operation: str, when: Any
) -> None:
    found = [court.upload(f"{n}.jpg") for n in range(6)]
    court.claim(found)
    answered, left = found[:3], found[3:]
    flags: list[dict[str, Any]] = []

    def settle_through_a_crash(request: Request, crashes: bool) -> None:
        if crashes:
            court.storage.calls.kill(operation, when)
            with suppress(Killed):  # the second pass writes no file
                court.settle(request)
            flags.extend(court.flags())
        court.settle(request)
        flags.extend(court.flags())

    bulk = court.answer([result_line(upload.object, BLOCKED) for upload in answered])
    settle_through_a_crash(bulk, in_pass is ImagePass.FIRST)
    assert court.leftovers() == left
    assert list(court.statuses().values()) == ["BLOCKED"] * 3 + ["PENDING"] * 3

    images = court.look({left[0]: BLOCKED, left[1]: CLEAN}, ImagePass.LEFTOVERS)
    settle_through_a_crash(images, in_pass is ImagePass.LEFTOVERS)

    assert list(court.statuses().values()) == ["BLOCKED"] * 4 + ["APPROVED", "FAILED"]
    assert {flag["object"]["key"] for flag in flags} == {"0.jpg", "1.jpg", "2.jpg", "3.jpg"}
    assert len({flag["id"] for flag in flags}) == 4


# Stragglers


STRAGGLERS = tuple(image_pass for image_pass in ImagePass if image_pass.is_of_stragglers)


def test_a_straggler_holds_up_no_upload_beside_it(court: Court) -> None:
    clean, flagged, poisoned = (court.upload(f"{n}.jpg") for n in range(3))
    court.claim([clean, flagged, poisoned])

    settled = court.settle(court.look({clean: CLEAN, flagged: BLOCKED, poisoned: Straggler()}))

    assert court.statuses() == {"0.jpg": "APPROVED", "1.jpg": "BLOCKED", "2.jpg": "PENDING"}
    assert [flag["object"]["key"] for flag in court.flags()] == ["1.jpg"]
    assert settled.to_document()["again"] == {"pass": "stragglers-1", "uploads": 1, "pause_seconds": 60}
    assert [entry.claim.upload for entry in court.index(ImagePass.STRAGGLERS_1)] == [poisoned]
    assert settled.skipped == 0


@pytest.mark.parametrize(("answer", "status"), [(CLEAN, "APPROVED"), (BLOCKED, "BLOCKED")])
def test_a_straggler_that_is_answered_later_has_its_verdict(
    court: Court, answer: Mapping[str, float], status: str
) -> None:
    poisoned, clean = court.upload("poisoned.jpg"), court.upload("clean.jpg")
    court.claim([poisoned, clean])
    court.settle(court.look({clean: CLEAN, poisoned: Straggler()}))

    settled = court.settle(court.look({poisoned: answer}, ImagePass.STRAGGLERS_1))

    assert court.statuses() == {"poisoned.jpg": status, "clean.jpg": "APPROVED"}
    assert (settled.uploads, settled.again) == (1, None)


@pytest.mark.parametrize(
    ("priority", "passes"),
    [(Priority.LIVE, STRAGGLERS), (Priority.FAST, STRAGGLERS), (Priority.BACKFILL, STRAGGLERS[:3])],
)
def test_what_fails_in_every_pass_ends_with_its_last_error_and_leaves_the_batch_closed(
    court: Court, priority: Priority, passes: tuple[ImagePass, ...]
) -> None:
    court.lane = {"priority": priority}
    poisoned = court.upload("poisoned.jpg")
    court.claim([poisoned])

    gone_through = [ImagePass.FIRST]
    while court.statuses()["poisoned.jpg"] == "PENDING":
        answer = Straggler(ImageError("AccessDeniedException", f"pass {gone_through[-1]}"))
        request = court.look({poisoned: answer}, gone_through[-1])
        settled = court.settle(request)
        if settled.again:
            gone_through.append(settled.again.image_pass)

    assert tuple(gone_through[1:]) == passes
    assert court.statuses() == {"poisoned.jpg": "FAILED"}
    item = court.storage.item(poisoned)
    assert item["error"] == {"code": "AccessDeniedException", "message": f"pass {passes[-1]}"}
    assert settled.again is None


def test_a_straggler_of_the_leftovers_is_asked_about_again_too(court: Court) -> None:
    lost, poisoned = court.upload("lost.jpg"), court.upload("poisoned.jpg")
    court.claim([lost, poisoned])
    court.settle(court.answer([]))

    settled = court.settle(court.look({lost: CLEAN, poisoned: Straggler()}, ImagePass.LEFTOVERS))

    assert court.statuses() == {"lost.jpg": "APPROVED", "poisoned.jpg": "PENDING"}
    assert settled.again == Again(ImagePass.STRAGGLERS_1, 1)


def test_a_batch_is_open_until_its_last_straggler_is_settled(court: Court) -> None:
    poisoned = court.upload("poisoned.jpg")
    court.claim([poisoned])

    court.settle(court.look({poisoned: Straggler()}))
    assert court.is_open()

    court.settle(court.look({poisoned: CLEAN}, ImagePass.STRAGGLERS_1))
    assert not court.is_open()


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("operation", ["GetObject", "BatchGetItem", "PutObject", "PublishBatch", "TransactWriteItems"])
def test_a_crash_loses_no_straggler_and_repeats_no_flag(court: Court, operation: str, when: Any) -> None:
    clean, flagged, poisoned = (court.upload(f"{n}.jpg") for n in range(3))
    court.claim([clean, flagged, poisoned])
    request = court.look({clean: CLEAN, flagged: BLOCKED, poisoned: Straggler()})
    court.storage.calls.kill(operation, when)
    with pytest.raises(Killed):
        court.settle(request)
    flags = court.flags()

    settled = court.settle(request)

    flags += court.flags()
    assert court.statuses() == {"0.jpg": "APPROVED", "1.jpg": "BLOCKED", "2.jpg": "PENDING"}
    assert settled.again == Again(ImagePass.STRAGGLERS_1, 1)
    assert {flag["id"] for flag in flags} == {flags[0]["id"]}


def test_a_straggler_whose_upload_is_in_other_hands_is_not_asked_about_again(court: Court) -> None:
    poisoned = court.upload("poisoned.jpg")
    batch = court.claim([poisoned])
    request = court.look({poisoned: Straggler()})
    other = Claim(poisoned, "batch-2", iso(datetime.now(UTC)), "default")
    court.storage.table.reclaim([(batch.uploads[0].claim, other)])

    assert court.settle(request).again is None
