"""Situations: what is done to the pipeline in a row, up to the moment when everything that is to strike can strike."""

import time
from collections.abc import Callable
from dataclasses import replace

from tests.chaos.cloud import BUS, LARGE, sweep
from tests.chaos.ledger import Entry, Kind, mixed, to_be_rendered
from tests.chaos.stage import Stage
from tests.e2e.events import created_event

Situation = Callable[[Stage], None]

#: Uploads of a row: two PublishBatch calls' worth of flags, and one chunk of the image engine.
UPLOADS = 24

#: Those of them that an analysis is paid for.
PAID = UPLOADS - 2

#: Objects of a row that are listed.
LISTED = 12

#: Pictures of a row that are rendered, each once.
RENDERED = 9

_NEW_BATCHER_SECONDS = 15
_THROTTLED_SECONDS = 180


def uploaded(stage: Stage) -> None:
    """A batch of every kind of upload."""
    stage.arm()
    with stage.gathered():
        stage.upload(mixed(stage.prefix, UPLOADS))


def uploaded_to_be_rendered(stage: Stage) -> None:
    """A batch of pictures that Rekognition does not read, and a text: all of them are refused by the job."""
    stage.arm()
    with stage.gathered():
        stage.upload(to_be_rendered(stage.prefix, RENDERED + 1))


def listed(stage: Stage) -> None:
    """Objects from before, each under a key with an upload since then, whose verdict is there; then they are listed."""
    before = stage.put_before(mixed(stage.prefix, LISTED))
    stage.upload((each.key, Kind.CLEAN) for each in before)
    stage.pipeline.wait_for_verdicts(LISTED, stage.prefix)
    stage.arm()
    stage.list_objects(before)


def uploaded_without_a_bus(stage: Stage) -> None:
    """A batch, and its verdicts, while the bus is gone that they are announced on."""
    stage.pipeline.cloud.client("events").delete_event_bus(Name=BUS)
    try:
        uploaded_and_decided(stage)
    finally:
        stage.pipeline.listen(BUS)


def uploaded_many(stage: Stage) -> None:
    """A batch that `auto` gives to Bulk Analysis."""
    stage.arm()
    with stage.gathered():
        stage.upload(mixed(stage.prefix, LARGE))


def uploaded_and_decided(stage: Stage) -> None:
    """A batch, and all its verdicts: what keeps going wrong does so until then."""
    uploaded(stage)
    stage.pipeline.wait_for_verdicts(UPLOADS, stage.prefix)


def uploaded_and_throttled(stage: Stage) -> None:
    """A batch whose Analyzers are throttled, run after run. Needs `throttle_calls`; all of them are waited for."""
    uploaded(stage)
    cloud = stage.pipeline.cloud
    stage.pipeline.wait_until(
        lambda: not cloud.rekognition_counters()["switches"]["throttle_calls"],
        _THROTTLED_SECONDS,
        "the last throttled call",
    )


def uploaded_with_a_poisoned_one(stage: Stage) -> None:
    """A batch with an image that Rekognition never has an answer for; the others are final before it is."""
    uploads = list(mixed(stage.prefix, UPLOADS))
    poisoned = next(key for key, kind in uploads if kind is Kind.CLEAN)
    stage.pipeline.cloud.rekognition(fail_images=[poisoned])
    with stage.gathered():
        stage.upload(uploads)
    stage.pipeline.wait_until(
        lambda: (
            len(stage.pipeline.verdicts(stage.prefix)) == UPLOADS
            and [item["key"] for item in stage.pending()] == [poisoned]
        ),
        why="verdicts of all others before that of the poisoned one",
    )
    stage.pipeline.wait_for_verdicts(UPLOADS, stage.prefix)


def uploaded_to_a_new_batcher(stage: Stage) -> None:
    """A batch, where the batcher has to read the policies first, and to record them: nobody else's record lasts."""
    stage.start_batcher_anew()
    uploaded(stage)
    deadline = time.monotonic() + _NEW_BATCHER_SECONDS
    while stage.unstruck() and time.monotonic() < deadline:
        stage.forget_policies()


def uploaded_one_by_one(stage: Stage) -> None:
    """Uploads that come as they come, in whatever batches."""
    stage.arm()
    stage.upload(mixed(stage.prefix, UPLOADS))


def stopped_by_hand(stage: Stage) -> None:
    """A batch whose execution was stopped while its job ran; then its events come once more. Needs `hold_jobs`."""
    _stop(stage, UPLOADS)
    stage.arm()
    _send_again(stage)


def stopped_and_swept(stage: Stage) -> None:
    """A batch whose execution was stopped while its job ran; then the sweeper comes by. Needs `hold_jobs`."""
    _stop(stage, UPLOADS)
    stage.arm()
    _sweep(stage)


def forgotten_and_swept(stage: Stage) -> None:
    """A batch that was written and never started, and whose messages are gone; then the sweeper comes by."""
    death = {"caller": stage.batcher, "call": "states:StartExecution", "when": "before", "action": "kill"}
    stage.pipeline.cloud.faults(death)
    with stage.gathered():
        stage.upload(mixed(stage.prefix, UPLOADS))
    stage.pipeline.wait_until(lambda: not stage.pipeline.cloud.armed_faults(), why="the batcher's death")
    stage.drop_messages()
    stage.arm()
    _sweep(stage)


def and_swept(situation: Situation) -> Situation:
    """A situation in which answers that are too large stop executions, and the sweeper, which comes by each time.

    An execution that stopped after its batch's last verdict is left alone: there is nothing to be got going.
    """

    def played(stage: Stage) -> None:
        situation(stage)
        errors: set[str] = set()

        def is_over() -> bool:
            if stopped := stage.executions("FAILED"):
                errors.update(filter(None, map(stage.error, stopped)))
                sweep(stage.pipeline)
            return bool(errors) and not stage.unstruck() and not stage.pending()

        stage.pipeline.wait_until(is_over, why="verdicts by an execution that was stopped")
        assert errors == {"States.DataLimitExceeded"}, f"executions stopped with {', '.join(sorted(errors))}"

    return played


def sent_again(stage: Stage) -> None:
    """Uploads that are final, and whose events come once more."""
    with stage.gathered():
        stage.upload(mixed(stage.prefix, UPLOADS))
    stage.pipeline.wait_for_verdicts(UPLOADS, stage.prefix)
    stage.arm()
    with stage.gathered():
        stage.send(created_event(item) for item in stage.pipeline.verdicts(stage.prefix))


def overwritten(stage: Stage) -> None:
    """Objects that other bytes replace while their job waits: clean ones by flagged ones, and the other way round."""
    _hold(stage, [Kind.CLEAN, Kind.BLOCKED] * 4)
    kinds = [Kind.BLOCKED, Kind.CLEAN] * 4
    stage.upload((f"{stage.prefix}{n}.jpg", kind) for n, kind in enumerate(kinds))
    _wait_for_jobs(stage, 2 * len(kinds))


def texts_overwritten(stage: Stage) -> None:
    """Objects without a picture that pictures replace while their job waits: it reads these, as does another one."""
    entries = _hold(stage, [Kind.TEXT] * 4)
    stage.upload((entry.key, kind) for entry, kind in zip(entries, [Kind.CLEAN, Kind.BLOCKED] * 2, strict=True))
    _wait_for_jobs(stage, 2 * len(entries))


def overwritten_in_a_batch(stage: Stage) -> None:
    """Several versions of each object in one batch."""
    stage.arm()
    with stage.gathered():
        for kind in (Kind.BLOCKED, Kind.CLEAN, Kind.REVIEW, Kind.CLEAN):
            stage.upload((f"{stage.prefix}{n}.jpg", kind) for n in range(6))


def hidden(stage: Stage) -> None:
    """Objects that are deleted, their versions kept, while their job waits."""
    for entry in _hold(stage, [Kind.CLEAN, Kind.BLOCKED] * 4):
        stage.pipeline.cloud.client("s3").delete_object(Bucket=stage.pipeline.upload_bucket, Key=entry.key)


def deleted(stage: Stage) -> None:
    """Objects whose versions are deleted while their job waits: nobody can analyze them any more."""
    for entry in _hold(stage, [Kind.CLEAN, Kind.BLOCKED] * 4):
        stage.pipeline.cloud.client("s3").delete_object(
            Bucket=stage.pipeline.upload_bucket, Key=entry.key, VersionId=entry.version_id
        )
        stage.ledger.add(replace(entry, is_gone=True))


def with_malformed_messages(stage: Stage) -> None:
    """A batch with messages among it that are no S3 events."""
    stage.arm()
    with stage.gathered():
        stage.upload(mixed(stage.prefix, UPLOADS))
        stage.send(["not json", {"source": "aws.s3", "detail-type": "Object Created", "detail": {}}])


def out_of_order(stage: Stage) -> None:
    """Newer uploads that are final before the events of older ones of the same objects come."""
    keys = [f"{stage.prefix}{n}.jpg" for n in range(8)]
    stage.upload((key, Kind.BLOCKED) for key in keys)
    stage.pipeline.wait_for_verdicts(len(keys), stage.prefix)
    stage.upload((key, Kind.CLEAN) for key in keys)
    items = stage.pipeline.wait_for_verdicts(2 * len(keys), stage.prefix)
    stage.arm()
    stage.send(created_event(item) for item in items if item["status"] == "BLOCKED")


def _hold(stage: Stage, kinds: list[Kind]) -> list[Entry]:
    """Upload a batch and wait until its job was started, which reads nothing yet: needs `hold_jobs`."""
    stage.arm()
    with stage.gathered():
        entries = stage.upload((f"{stage.prefix}{n}.jpg", kind) for n, kind in enumerate(kinds))
    _wait_for_jobs(stage, len(kinds))
    return entries


def _stop(stage: Stage, uploads: int) -> None:
    with stage.gathered():
        stage.upload(mixed(stage.prefix, uploads))
    _wait_for_jobs(stage, uploads)
    for execution in stage.executions():
        stage.pipeline.cloud.client("stepfunctions").stop_execution(executionArn=execution)


def _sweep(stage: Stage) -> None:
    """Sweep until a sweep goes through, as a schedule does."""
    stage.pipeline.wait_until(lambda: sweep(stage.pipeline), why="a sweep that goes through")


def _send_again(stage: Stage) -> None:
    events = [created_event(item) for item in stage.pending()]
    with stage.gathered():
        stage.send(events)


def _wait_for_jobs(stage: Stage, uploads: int) -> None:
    """Wait until `uploads` claims belong to batches with a job that was started."""

    def started() -> bool:
        pending = stage.pending()
        jobs = stage.pipeline.cloud.client("rekognition").list_media_analysis_jobs(MaxResults=100)["MediaAnalysisJobs"]
        batches = {job["Input"]["S3Object"]["Name"].split("/")[1] for job in jobs}
        return len(pending) == uploads and all(item["batch_id"] in batches for item in pending)

    stage.pipeline.wait_until(started, why=f"jobs for {uploads} uploads under {stage.prefix}")
