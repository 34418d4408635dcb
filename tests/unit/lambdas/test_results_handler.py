import io
import json
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

from gatehouse.aws.work_bucket import WorkBucket
from gatehouse.contracts.events_environment import EventsEnvironment
from gatehouse.contracts.function_metrics import ResultsMetric
from gatehouse.moderation.analysis import ImageError, answer_line, error_line
from gatehouse.moderation.chunk import Chunk
from gatehouse.moderation.claim import Claim
from gatehouse.moderation.image_pass import ImagePass
from gatehouse.moderation.moment import iso
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload import Upload
from lambdas.results import handler as results
from tests.emitted_metrics import EMITTED
from tests.unit.builders import a_batch, a_lane, an_answer, an_upload, result_line
from tests.unit.conftest import TABLE, UPLOADS, WORK, Storage
from tests.unit.emitted import dimensions_in, metrics_in
from tests.unit.lambda_context import a_context
from tests.unit.pngs import animated

VERSION_KEY = "ModerationModelVersion"

# A failed invocation reports none.
pytestmark = pytest.mark.filterwarnings("ignore:No application metrics")


@dataclass
class Deployed:
    """The deployed function and its log."""

    storage: Storage
    log: io.StringIO

    def a_batch_of(
        self, *keys: str, batch_id: str = "batch-1", lane: str = "avatars", body: bytes = b"bytes"
    ) -> list[Upload]:
        """Store, claim and write down uploads of these keys."""
        found = []
        for key in keys:
            etag = self.storage.s3.put_object(Bucket=UPLOADS, Key=key, Body=body)["ETag"].strip('"')
            found.append(an_upload(key, etag=etag, uploaded_at=iso(datetime.now(UTC))))
        moment = iso(datetime.now(UTC))
        claims = [Claim(upload, batch_id, moment, lane) for upload in found]
        self.storage.table.claim(claims)
        self.storage.work.write(a_batch(claims, a_lane(name=lane, formats=())))
        return found

    def invoke(self, *lines: str, failure: dict[str, str] | None = None, batch_id: str = "batch-1") -> dict[str, Any]:
        """The workflow's call, once a job wrote these lines."""
        self.storage.s3.put_object(Bucket=WORK, Key="results.jsonl", Body="\n".join(lines).encode())
        job = {
            "job_id": "job-1",
            "results": {"bucket": WORK, "key": "results.jsonl"},
            "summary": None,
            "failure": failure,
        }
        payload = {"batch_id": batch_id, "job": job, "images": None, "fallback": None}
        answer: dict[str, Any] = results.handler(payload, a_context())
        return answer

    def invoke_with_images(
        self,
        *lines: str,
        image_pass: ImagePass = ImagePass.FIRST,
        fallback: dict[str, Any] | None = None,
        failures: Sequence[dict[str, Any]] = (),
    ) -> dict[str, Any]:
        """The workflow's call, once the image engine wrote these lines for its only chunk."""
        self.storage.work.write_results(Chunk("batch-1", image_pass, 0, 100), lines)
        uploads = len(list(self.storage.work.lines(WORK, image_pass.index_key("batch-1"))))
        payload = {
            "batch_id": "batch-1",
            "job": {"job_id": None, "results": None, "summary": None, "failure": None},
            "images": {"pass": image_pass.value, "uploads": uploads, "size": 100, "failures": list(failures)},
            "fallback": fallback,
        }
        answer: dict[str, Any] = results.handler(payload, a_context())
        return answer

    def statuses(self) -> dict[str, str]:
        return {item["key"]: item["status"] for item in self.storage.items().values()}


@pytest.fixture
def deployed(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployed]:
    monkeypatch.setenv("VERDICT_TABLE", TABLE)
    monkeypatch.setenv("WORK_BUCKET", WORK)
    monkeypatch.setenv("FLAG_TOPIC_ARN", boto3.client("sns").create_topic(Name="flags")["TopicArn"])
    monkeypatch.setenv("NOTIFY", "REVIEW,BLOCKED")
    monkeypatch.setenv("VERDICT_RETENTION_DAYS", "")
    monkeypatch.setenv("MODEL_VERSION", "7.0")
    monkeypatch.setenv("ANIMATION_CHECK", "on")
    log = io.StringIO()
    monkeypatch.setattr(results.logger.registered_handler, "stream", log)
    results._settlement.cache_clear()
    yield Deployed(storage, log)
    results._settlement.cache_clear()


def test_a_batch_ends_in_verdicts(deployed: Deployed) -> None:
    cat, dog, lost = deployed.a_batch_of("cat.jpg", "dog.jpg", "lost.jpg")

    answer = deployed.invoke(result_line(cat.object), result_line(dog.object, {"Violence": 95}))

    assert answer == {
        "batch_id": "batch-1",
        "uploads": 3,
        "approved": 1,
        "review": 0,
        "blocked": 1,
        "unsupported": 0,
        "failed": 0,
        "skipped": 0,
        "again": {"pass": "leftovers", "uploads": 1, "pause_seconds": 0},
    }
    assert deployed.statuses() == {"cat.jpg": "APPROVED", "dog.jpg": "BLOCKED", "lost.jpg": "PENDING"}

    failed = ImageError("InvalidS3ObjectException", "no object")
    answer = deployed.invoke_with_images(error_line(lost.object, 2, failed), image_pass=ImagePass.LEFTOVERS)

    assert answer == {
        "batch_id": "batch-1",
        "uploads": 1,
        "approved": 0,
        "review": 0,
        "blocked": 0,
        "unsupported": 0,
        "failed": 1,
        "skipped": 0,
        "again": None,
    }
    assert deployed.statuses() == {"cat.jpg": "APPROVED", "dog.jpg": "BLOCKED", "lost.jpg": "FAILED"}


@pytest.fixture
def kept_url(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> str:
    """The settings name a bus, and nobody has made it; the URL of the queue for what it does not take."""
    url = boto3.client("sqs").create_queue(QueueName="kept")["QueueUrl"]
    for name, value in EventsEnvironment("pictures", url, (Status.APPROVED, Status.BLOCKED)).to_variables().items():
        monkeypatch.setenv(name, value)
    return url


def test_events_that_no_bus_takes_are_kept_and_told(
    deployed: Deployed, kept_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cat, dog = deployed.a_batch_of("cat.jpg", "dog.jpg")

    deployed.invoke(result_line(cat.object), result_line(dog.object, {"Violence": 95}))

    emitted = metrics_in(capsys.readouterr().out)
    assert (emitted[ResultsMetric.EVENTS_SENT], emitted[ResultsMetric.EVENTS_KEPT]) == ([0], [2])
    (line,) = [json.loads(line) for line in deployed.log.getvalue().splitlines() if "events kept" in line]
    assert line["answers"] == ["the bus was given up: it is gone, or may not be looked at"]
    messages = boto3.client("sqs").receive_message(QueueUrl=kept_url, MaxNumberOfMessages=10)["Messages"]
    assert sorted(json.loads(message["Body"])["status"] for message in messages) == ["APPROVED", "BLOCKED"]
    assert deployed.statuses() == {"cat.jpg": "APPROVED", "dog.jpg": "BLOCKED"}


def test_without_a_bus_no_client_of_eventbridge_is_made(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    make, made = boto3.Session.client, list[str]()

    def client(session: boto3.Session, service: Any, **arguments: Any) -> Any:
        made.append(service)
        return make(session, service, **arguments)

    monkeypatch.setattr(boto3.Session, "client", client)
    (cat,) = deployed.a_batch_of("cat.jpg")

    deployed.invoke(result_line(cat.object))

    assert sorted(made) == ["dynamodb", "s3", "sns"]


def test_a_failed_job_fails_its_uploads_with_its_own_words(deployed: Deployed) -> None:
    (cat,) = deployed.a_batch_of("cat.jpg")

    answer = deployed.invoke(failure={"code": "ACCESS_DENIED", "message": "x" * 32_768})

    assert answer["failed"] == 1
    assert deployed.storage.item(cat)["error"] == {"code": "ACCESS_DENIED", "message": "x" * 1024}


def test_metrics_tell_how_the_batch_ended(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    cat, dog, _, bird = deployed.a_batch_of("cat.jpg", "dog.jpg", "lost.jpg", "bird.jpg")
    unknown = {"ModerationLabels": [{"Name": "Strange", "Confidence": 10}]}

    deployed.invoke(
        result_line(cat.object),
        result_line(dog.object, {"Violence": 95}),
        json.dumps({"source-ref": bird.object, "detect-moderation-labels": unknown}),
        result_line("s3://uploads/other.jpg"),
    )

    output = capsys.readouterr().out
    emitted = metrics_in(output)
    waits = emitted.pop(ResultsMetric.UPLOAD_TO_VERDICT)
    assert emitted == {
        ResultsMetric.UPLOADS_JUDGED: [3],
        ResultsMetric.UPLOADS_APPROVED: [2],
        ResultsMetric.UPLOADS_FLAGGED: [1],
        ResultsMetric.UPLOADS_BLOCKED: [1],
        ResultsMetric.UPLOADS_UNSUPPORTED: [0],
        ResultsMetric.UPLOADS_FAILED: [0],
        ResultsMetric.VERDICTS_MISSING: [0],
        ResultsMetric.ADAPTER_IGNORED: [0],
        ResultsMetric.OTHER_MODEL_ANSWERS: [0],
        ResultsMetric.UNKNOWN_LABELS: [1],
        ResultsMetric.UNMATCHED_RESULT_LINES: [1],
        ResultsMetric.UPLOADS_UNANSWERED: [1],
        ResultsMetric.LEFTOVERS: [1],
        ResultsMetric.STRAGGLERS: [0],
        ResultsMetric.IMAGES_ANALYZED_IN_BULK: [4],
        ResultsMetric.BULK_REFUSED: [0],
        ResultsMetric.BULK_FAILED: [0],
    }
    of_events = {ResultsMetric.EVENTS_SENT, ResultsMetric.EVENTS_KEPT}
    assert {*emitted, ResultsMetric.UPLOAD_TO_VERDICT, *of_events} == EMITTED["results"].names
    assert len(waits) == 3
    assert all(0 <= wait < 600_000 for wait in waits)
    assert dimensions_in(output) == {(*EMITTED["results"].dimensions, "avatars")}


def test_metrics_tell_how_the_leftovers_ended(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    cat, lost, _ = deployed.a_batch_of("cat.jpg", "lost.jpg", "lost as well.jpg")
    deployed.invoke(result_line(cat.object))
    capsys.readouterr()

    deployed.invoke_with_images(answer_line(lost.object, 1, an_answer()), image_pass=ImagePass.LEFTOVERS)

    counts = metrics_in(capsys.readouterr().out)
    assert (
        counts[ResultsMetric.UPLOADS_JUDGED],
        counts[ResultsMetric.UPLOADS_APPROVED],
        counts[ResultsMetric.LEFTOVERS],
    ) == ([2], [1], [0])
    assert (counts[ResultsMetric.UPLOADS_FAILED], counts[ResultsMetric.VERDICTS_MISSING]) == ([1], [1])
    assert counts[ResultsMetric.IMAGES_ANALYZED_IN_BULK] == [0]


def test_a_job_that_failed_is_not_paid_for(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    deployed.a_batch_of("cat.jpg")

    deployed.invoke(failure={"code": "INTERNAL_ERROR", "message": "later"})

    assert metrics_in(capsys.readouterr().out)[ResultsMetric.IMAGES_ANALYZED_IN_BULK] == [0]


def warnings_in(log: io.StringIO) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, log.getvalue().splitlines()) if line["level"] == "WARNING"]


def test_another_model_is_counted_and_named(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    cat, dog, bird = deployed.a_batch_of("cat.jpg", "dog.jpg", "bird.jpg")
    answers = {cat: "7.1\nforged", dog: "7.0", bird: None}

    deployed.invoke(
        *(
            json.dumps({"source-ref": upload.object, "detect-moderation-labels": {**an_answer(), VERSION_KEY: version}})
            for upload, version in answers.items()
        )
    )

    assert metrics_in(capsys.readouterr().out)[ResultsMetric.OTHER_MODEL_ANSWERS] == [1]
    (warning,) = warnings_in(deployed.log)
    assert (warning["message"], warning["answers"]) == ("another model answered", {"7.1?forged": 1})
    assert "docs/operations.md#model-version-changed" in warning["problem"]


def test_the_version_the_policies_were_written_for_is_a_setting(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MODEL_VERSION", "8.0")
    (cat,) = deployed.a_batch_of("cat.jpg")

    deployed.invoke(result_line(cat.object))

    assert metrics_in(capsys.readouterr().out)[ResultsMetric.OTHER_MODEL_ANSWERS] == [1]


def test_an_unknown_label_is_named_with_its_parent_and_writes_no_line_of_its_own(deployed: Deployed) -> None:
    (cat,) = deployed.a_batch_of("cat.jpg")
    strange = [
        {"Name": "Spears\u2028{}", "ParentName": "Weapons", "Confidence": 10},
        {"Name": "Violence", "Confidence": 9},
    ]

    deployed.invoke(json.dumps({"source-ref": cat.object, "detect-moderation-labels": {"ModerationLabels": strange}}))

    (warning,) = warnings_in(deployed.log)
    assert (warning["message"], warning["parents"]) == ("unknown labels", {"Spears?{}": "Weapons"})
    assert "docs/operations.md#unknown-label-seen" in warning["problem"]


@pytest.mark.parametrize(
    ("is_refusal", "counted", "words"),
    [(True, ([1], [0]), "closed to this account"), (False, ([0], [1]), "no media analysis job could be started")],
)
def test_a_fallback_is_counted_and_told_in_words_that_help(
    deployed: Deployed, is_refusal: bool, counted: Any, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (cat,) = deployed.a_batch_of("cat.jpg")
    error = {"code": "Rekognition.AccessDeniedException", "message": "not authorized"}

    answer = deployed.invoke_with_images(
        answer_line(cat.object, 0, an_answer()), fallback={**error, "is_refusal": is_refusal}
    )

    assert answer["approved"] == 1
    counts = metrics_in(capsys.readouterr().out)
    assert (counts[ResultsMetric.BULK_REFUSED], counts[ResultsMetric.BULK_FAILED]) == counted
    (warning,) = [line for line in map(json.loads, deployed.log.getvalue().splitlines()) if line["level"] == "WARNING"]
    assert (warning["batch_id"], warning["error"]) == ("batch-1", error)
    assert words in warning["problem"]


def test_a_chunk_that_was_given_up_fails_its_uploads(deployed: Deployed) -> None:
    cat, dog = deployed.a_batch_of("cat.jpg", "dog.jpg")
    failure = {"first": 0, "code": "ChunkFailed", "message": "five runs"}

    answer = deployed.invoke_with_images(answer_line(cat.object, 0, an_answer()), failures=[failure])

    assert (answer["approved"], answer["failed"]) == (1, 1)
    assert deployed.storage.item(dog)["error"] == {"code": "ChunkFailed", "message": "five runs"}


def test_every_upload_of_a_large_batch_has_its_wait_under_its_lane(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    found = deployed.a_batch_of(*(f"{n}.jpg" for n in range(101)))

    deployed.invoke(*(result_line(upload.object) for upload in found))

    output = capsys.readouterr().out
    assert len(metrics_in(output)[ResultsMetric.UPLOAD_TO_VERDICT]) == 101
    assert metrics_in(output)[ResultsMetric.UPLOADS_JUDGED] == [101]
    assert dimensions_in(output) == {("lane", "service", "avatars")}


def test_one_function_serves_several_lanes(deployed: Deployed, capsys: pytest.CaptureFixture[str]) -> None:
    deployed.a_batch_of("cat.jpg")
    deployed.a_batch_of("dog.jpg", batch_id="batch-2", lane="backfill")
    deployed.invoke()
    capsys.readouterr()

    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        deployed.invoke(batch_id="batch-2")

    assert dimensions_in(capsys.readouterr().out) == {("lane", "service", "backfill")}


def test_the_log_names_batches_and_neither_objects_nor_labels(
    deployed: Deployed, capsys: pytest.CaptureFixture[str]
) -> None:
    (upload,) = deployed.a_batch_of("secret-name.jpg")

    deployed.invoke(result_line(upload.object, {"Violence": 95, "Weapons": 95}), result_line("s3://uploads/secret-2"))

    written = deployed.log.getvalue()
    (line,) = [json.loads(line) for line in written.splitlines()]
    assert (line["message"], line["batch_id"], line["lane"]) == ("settled", "batch-1", "avatars")
    assert line["counts"][ResultsMetric.UPLOADS_FLAGGED] == 1
    for secret in ("secret", "Weapons", "Violence"):
        assert secret not in written + capsys.readouterr().out


def test_a_retention_gives_final_verdicts_an_expiry(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERDICT_RETENTION_DAYS", "30")
    (upload,) = deployed.a_batch_of("cat.jpg")

    deployed.invoke(result_line(upload.object))

    assert deployed.storage.item(upload)["expires_at"] > datetime.now(UTC).timestamp() + 29 * 86_400


@pytest.mark.parametrize(
    "name",
    [
        *("VERDICT_TABLE", "WORK_BUCKET", "FLAG_TOPIC_ARN", "NOTIFY", "VERDICT_RETENTION_DAYS", "MODEL_VERSION"),
        "ANIMATION_CHECK",
    ],
)
def test_a_missing_setting_is_named(deployed: Deployed, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(name)
    deployed.a_batch_of("cat.jpg")

    with pytest.raises(KeyError, match=name):
        deployed.invoke()


@pytest.mark.parametrize(("check", "status"), [("on", "UNSUPPORTED"), ("off", "APPROVED")])
def test_animations_are_looked_for_unless_the_setting_says_otherwise(
    deployed: Deployed, check: str, status: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANIMATION_CHECK", check)
    (upload,) = deployed.a_batch_of("moving.png", body=animated())

    deployed.invoke(result_line(upload.object))

    assert deployed.statuses() == {"moving.png": status}


def test_a_check_that_is_neither_on_nor_off_approves_nothing(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANIMATION_CHECK", "true")
    (upload,) = deployed.a_batch_of("cat.jpg")

    with pytest.raises(ValueError, match="'true' is neither on nor off"):
        deployed.invoke(result_line(upload.object))


def test_a_status_that_does_not_exist_cannot_be_notified(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY", "REVIEW,REJECTED")
    deployed.a_batch_of("cat.jpg")

    with pytest.raises(ValueError, match="REJECTED"):
        deployed.invoke()


def test_a_payload_that_is_not_the_workflows_is_refused(deployed: Deployed) -> None:
    with pytest.raises(ValueError, match="workflow"):
        results.handler({"batch_id": "batch-1"}, a_context())


def test_what_fails_is_named_by_its_batch_and_its_metrics_are_out(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A batch that could not be closed is final all the same: nobody would count its verdicts later."""
    (cat,) = deployed.a_batch_of("cat.jpg")

    def refuse(_bucket: WorkBucket, key: str) -> None:
        raise PermissionError(f"{key} may not be deleted")

    monkeypatch.setattr(WorkBucket, "close", refuse)

    with pytest.raises(PermissionError):
        deployed.invoke(result_line(cat.object))

    assert metrics_in(capsys.readouterr().out)[ResultsMetric.UPLOADS_APPROVED] == [1]
    assert deployed.statuses() == {"cat.jpg": "APPROVED"}
    lines = map(json.loads, deployed.log.getvalue().splitlines())
    (line,) = (line for line in lines if line["message"] == "not settled")
    assert (line["batch_id"], "may not be deleted" in line["problem"]) == ("batch-1", True)
