"""What happens to uploads, in ways that together use every permission there is.

Each scenario says how it ends. With every permission it ends so; where one is missing that it needs, it must not.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from demo.pipeline import DemoUpload
from gatehouse.configuration.policies import compile_policies
from gatehouse.contracts.stack_outputs import BackfillOutput
from gatehouse.moderation.analysis import answer_line
from gatehouse.moderation.change import Cause
from gatehouse.moderation.chunk import CHUNK_FAILED, Chunk
from gatehouse.moderation.confirmation import SUPERSEDED
from gatehouse.moderation.decision import Decision, appeal, decide
from gatehouse.moderation.image_pass import ImagePass
from gatehouse.moderation.listed_version import ListedVersion
from gatehouse.moderation.moment import iso
from gatehouse.moderation.open_batch import OpenBatch
from gatehouse.moderation.policy.policy import Policy
from gatehouse.moderation.policy.policy_pointer import PolicyPointer, policy_key
from gatehouse.moderation.status import Status
from gatehouse.moderation.upload_event import listing_message
from gatehouse.moderation.verdict_item import claim_from_item, verdict_from_item
from lambdas.analyzer.chunk_analysis import CLOSING_SECONDS, MAX_DELIVERIES
from tests.chaos.cloud import listed_now, put_quietly
from tests.chaos.failure_queue import FailureQueue
from tests.chaos.reviewer import Reviewer
from tests.chaos.strikes import FOR_EVER, OUTCOMES
from tests.e2e.events import created_event
from tests.e2e.images import BLOCKED, CLEAN, RENDERED_BLOCKED
from tests.permissions.bench import BULK_UPLOADS, BUS, Bench, NoticedError

_ROOT = Path(__file__).resolve().parents[2]

#: No upload of the same object is later than this.
_LAST_SEQUENCER = "f" * 18
_CLEAN_ANSWER: dict[str, Any] = {"ModerationLabels": [], "ModerationModelVersion": "7.0", "ContentTypes": []}

BLOCKED_BY_IMAGE, APPROVED_BY_IMAGE = (Status.BLOCKED, "image"), (Status.APPROVED, "image")
APPROVED_BY_BULK, BLOCKED_BY_BULK = (Status.APPROVED, "bulk"), (Status.BLOCKED, "bulk")


@dataclass(frozen=True, slots=True)
class Scenario:
    """A way of uploads through the pipeline.

    Attributes:
        needs_bulk: it starts a media analysis job.
    """

    name: str
    run: Callable[[Bench], None]
    needs_bulk: bool = False


def image_by_image(bench: Bench) -> None:
    """A flagged and a clean upload."""
    with bench.pipeline.paused(bench.lane.batcher):
        flagged = bench.pipeline.upload(f"{bench.prefix}flagged.jpg", BLOCKED)
        clean = bench.pipeline.upload(f"{bench.prefix}clean.jpg", CLEAN)
    bench.wait_for_verdicts({flagged: BLOCKED_BY_IMAGE, clean: APPROVED_BY_IMAGE}, flagged=(flagged,))
    bench.wait_for_closing()


def rendered(bench: Bench) -> None:
    """An upload that Rekognition does not read, and that the renderer fetches by a URL."""
    upload = bench.pipeline.upload(f"{bench.prefix}picture.webp", RENDERED_BLOCKED)
    bench.wait_for_verdicts({upload: BLOCKED_BY_IMAGE}, flagged=(upload,))


def announced(bench: Bench) -> None:
    """A verdict that is announced as an event."""
    upload = bench.pipeline.upload(f"{bench.prefix}picture.jpg", CLEAN)
    bench.wait_for_verdicts({upload: APPROVED_BY_IMAGE})
    bench.wait_for_events([upload])


def announced_to_nobody(bench: Bench) -> None:
    """A verdict whose event is kept, because the bus is gone."""
    bench.pipeline.cloud.client("events").delete_event_bus(Name=BUS)
    try:
        upload = bench.pipeline.upload(f"{bench.prefix}picture.jpg", CLEAN)
        bench.wait_for_verdicts({upload: APPROVED_BY_IMAGE})
        bench.wait_until(lambda: bench.pipeline.kept_events(bench.prefix), "event in its queue")
    finally:
        bench.pipeline.listen(BUS)


def bulk_with_a_leftover(bench: Bench) -> None:
    """A job for many uploads, of which one was overwritten before the job read it."""
    with bench.pipeline.paused(bench.lane.batcher):
        overwritten = bench.pipeline.upload(f"{bench.prefix}000.jpg", BLOCKED)
        versions = bench.pipeline.upload_many(
            DemoUpload(f"{bench.prefix}{n:03}.jpg", BLOCKED if n == 1 else CLEAN) for n in range(BULK_UPLOADS)
        )
    flagged = versions[f"{bench.prefix}001.jpg"]
    expected = dict.fromkeys(versions.values(), APPROVED_BY_BULK)
    bench.wait_for_verdicts(
        {**expected, flagged: BLOCKED_BY_BULK, overwritten: BLOCKED_BY_IMAGE},
        flagged=(
            overwritten,
            flagged,
        ),
    )


def without_a_version(bench: Bench) -> None:
    """An upload that no version names, as in a bucket without versioning."""
    key = f"{bench.prefix}picture.jpg"
    named = bench.pipeline.upload(key, CLEAN)
    bench.pipeline.send([_without_version(bench, key)], bench.queue("IngestQueueUrl"))
    bench.wait_for_verdicts({named: APPROVED_BY_IMAGE, "": APPROVED_BY_IMAGE})


def gone_before_it_is_confirmed(bench: Bench) -> None:
    """An upload that no version names was analyzed, and is gone before it can be approved."""
    key = f"{bench.prefix}picture.jpg"
    with bench.pipeline.paused(bench.lane.analyzer):
        bench.pipeline.send([_without_version(bench, key)], bench.queue("IngestQueueUrl"))
        (item,) = bench.wait_for_claims(1)
        line = answer_line(item["object"], 0, _CLEAN_ANSWER)
        _put_work_object(bench, Chunk(item["batch_id"], ImagePass.FIRST, 0, 1).results_key, f"{line}\n")
    bench.wait_for_verdicts({"": (SUPERSEDED, "image")})


def chunk_given_up(bench: Bench) -> None:
    """A chunk that was received ten times without success."""
    queues, url = bench.pipeline.cloud.client("sqs"), bench.pipeline.outputs[bench.queue("ChunkQueueUrl")]
    received = 0

    def received_enough() -> bool:
        nonlocal received
        received += len(queues.receive_message(QueueUrl=url, VisibilityTimeout=0).get("Messages", []))
        return received >= MAX_DELIVERIES

    with bench.pipeline.paused(bench.lane.analyzer):
        upload = bench.pipeline.upload(f"{bench.prefix}picture.jpg", CLEAN)
        bench.wait_until(received_enough, "chunk")
    bench.wait_for_verdicts({upload: (CHUNK_FAILED, "image")})


def chunk_put_back(bench: Bench) -> None:
    """A chunk that an Analyzer has no time for."""
    with bench.configured(bench.lane.analyzer, Timeout=CLOSING_SECONDS):
        upload = bench.pipeline.upload(f"{bench.prefix}picture.jpg", BLOCKED)
        bench.wait_until(
            lambda: any(line.get("outcome") == "put back" for line in bench.logged(bench.lane.analyzer)), "chunk"
        )
    bench.wait_for_verdicts({upload: BLOCKED_BY_IMAGE}, flagged=(upload,))


def straggling(bench: Bench) -> None:
    """An upload that only failed calls come back for, until a later pass."""
    cloud = bench.pipeline.cloud
    error = {"when": "before", "action": "error", "code": "InternalServerError", "status": 500}
    fault = {"caller": bench.lane.analyzer, "call": "rekognition:DetectModerationLabels", **error}
    cloud.faults({**fault, "times": ImagePass.FIRST.tries})
    try:
        upload = bench.pipeline.upload(f"{bench.prefix}picture.jpg", BLOCKED)
        bench.wait_for_verdicts({upload: BLOCKED_BY_IMAGE}, flagged=(upload,))
    finally:
        cloud.clear_faults()


def stopped_and_redriven(bench: Bench) -> None:
    """An execution that somebody stopped, and an event that comes again."""

    def event_comes_again(item: Mapping[str, Any]) -> None:
        bench.pipeline.send([created_event(item)], bench.queue("IngestQueueUrl"))

    _stopped(bench, event_comes_again)


def stopped_and_swept(bench: Bench) -> None:
    """An execution that somebody stopped, and nobody but the sweeper to see it."""
    _stopped(bench, lambda _: bench.sweep())


def forgotten_and_swept(bench: Bench) -> None:
    """A batcher that died before it started the execution, and messages that are gone."""
    cloud = bench.pipeline.cloud
    cloud.faults({"caller": bench.lane.batcher, "call": "states:StartExecution", "when": "before"})
    try:
        upload = bench.pipeline.upload(f"{bench.prefix}picture.jpg", BLOCKED)
        bench.wait_until(lambda: not cloud.armed_faults(), "claim")
    finally:
        cloud.clear_faults()
    cloud.client("sqs").purge_queue(QueueUrl=bench.pipeline.outputs[bench.queue("IngestQueueUrl")])
    bench.sweep()
    bench.wait_for_verdicts({upload: BLOCKED_BY_IMAGE}, flagged=(upload,))


def listed(bench: Bench) -> None:
    """An object from before, under a key with an upload since then, so that S3 has to say which of them is older."""
    before = _put_before(bench)
    later = bench.pipeline.upload(before.key, BLOCKED)
    bench.wait_for_verdicts({later: BLOCKED_BY_IMAGE}, flagged=(later,))
    bench.pipeline.send([listing_message(before)], _backfill_queue(bench))
    bench.wait_for_verdicts({later: BLOCKED_BY_IMAGE, str(before.version_id): APPROVED_BY_IMAGE})


def listed_and_swept(bench: Bench) -> None:
    """An object from before, whose batcher died before it started the execution, and whose message is gone."""
    before, cloud = _put_before(bench), bench.pipeline.cloud
    cloud.faults({"caller": bench.lane.batcher, "call": "states:StartExecution", "when": "before"})
    try:
        bench.pipeline.send([listing_message(before)], _backfill_queue(bench))
        bench.wait_until(lambda: not cloud.armed_faults(), "claim")
    finally:
        cloud.clear_faults()
    cloud.client("sqs").purge_queue(QueueUrl=bench.pipeline.outputs[_backfill_queue(bench)])
    bench.sweep()
    bench.wait_for_verdicts({str(before.version_id): APPROVED_BY_IMAGE})


def left_open_and_swept(bench: Bench) -> None:
    """A batch that is settled, and whose entry in the register was left over."""
    upload = bench.pipeline.upload(f"{bench.prefix}picture.jpg", CLEAN)
    (item,) = bench.wait_for_verdicts({upload: APPROVED_BY_IMAGE})
    bench.wait_for_closing()
    left = OpenBatch(bench.lane.name, item["batch_id"], item["claimed_at"], (claim_from_item(item).upload,))
    _put_work_object(bench, left.key, left.to_text())
    bench.sweep()
    bench.wait_for_closing()


def known_to_the_table_alone(bench: Bench) -> None:
    """An event that comes again, where DynamoDB refuses the claim and does not say what stands in its way."""
    upload = bench.pipeline.upload(f"{bench.prefix}picture.jpg", CLEAN)
    (item,) = bench.wait_for_verdicts({upload: APPROVED_BY_IMAGE})
    cloud = bench.pipeline.cloud
    canceled = {"call": "dynamodb:TransactWriteItems", "action": "cancel", "reasons": ["ConditionalCheckFailed"]}
    cloud.faults({"caller": bench.lane.batcher, **canceled})
    try:
        bench.pipeline.send([created_event(item)], bench.queue("IngestQueueUrl"))
        bench.wait_until(
            lambda: not cloud.armed_faults() and bench.pipeline.queued(bench.queue("IngestQueueUrl")) == 0,
            "end of the message",
        )
    finally:
        cloud.clear_faults()


def changed_and_announced(bench: Bench) -> None:
    """A verdict that its upload's owner appeals against, and whoever subscribes to the topic hears of that."""
    upload = bench.pipeline.upload(f"{bench.prefix}picture.jpg", BLOCKED)
    (item,) = bench.wait_for_verdicts({upload: BLOCKED_BY_IMAGE}, flagged=(upload,))
    _appeal(bench, item)
    bench.wait_until(lambda: _has_appeal(bench.pipeline.flags(bench.prefix)), "flag of the change")

    def has_event() -> bool:
        if bench.pipeline.kept_events(bench.prefix):
            raise NoticedError("event kept")
        return _has_appeal(bench.pipeline.events(bench.prefix))

    bench.wait_until(has_event, "event of the change")


def changed_and_announced_to_nobody(bench: Bench) -> None:
    """The same, where the change's event is kept, because the bus is gone."""
    upload = bench.pipeline.upload(f"{bench.prefix}picture.jpg", BLOCKED)
    (item,) = bench.wait_for_verdicts({upload: BLOCKED_BY_IMAGE}, flagged=(upload,))
    bench.wait_for_events([upload])
    bench.pipeline.cloud.client("events").delete_event_bus(Name=BUS)
    try:
        _appeal(bench, item)
        bench.wait_until(lambda: _has_appeal(bench.pipeline.kept_events(bench.prefix)), "event in its queue")
    finally:
        bench.pipeline.listen(BUS)


def changed_and_given_up(bench: Bench) -> None:
    """The same, where the topic refuses the flag for longer than Lambda delivers the change."""
    upload = bench.pipeline.upload(f"{bench.prefix}picture.jpg", BLOCKED)
    (item,) = bench.wait_for_verdicts({upload: BLOCKED_BY_IMAGE}, flagged=(upload,))
    failures = FailureQueue(bench.pipeline)
    refused = {"call": "sns:PublishBatch", "matching": bench.prefix, "when": "before", "action": "error"}
    fault = {"caller": OUTCOMES, **refused, "code": "AuthorizationError", "status": 403, "times": FOR_EVER}
    bench.pipeline.cloud.faults(fault)
    try:
        _appeal(bench, item)
        bench.wait_until(lambda: failures.changes(bench.prefix), "message in the failure queue")
    finally:
        bench.pipeline.cloud.clear_faults()


def policy_recorded(bench: Bench) -> None:
    """A batcher that begins where nobody has written down the policy yet."""
    key = policy_key(_shipped_policy(bench).hash)
    bench.pipeline.cloud.client("s3").delete_object(Bucket=bench.pipeline.outputs["WorkBucketName"], Key=key)
    bench.restart(bench.lane.batcher)
    upload = bench.pipeline.upload(f"{bench.prefix}picture.jpg", BLOCKED)
    bench.wait_for_verdicts({upload: BLOCKED_BY_IMAGE})
    bench.pipeline.work_object(key)  # fails where it is not


def policy_moved(bench: Bench) -> None:
    """A batcher that begins after the policy was changed by its pointer."""
    parameters = bench.pipeline.cloud.client("ssm")
    name = bench.pipeline.outputs[f"{bench.lane.policy.capitalize()}PolicyParameterName"]
    value = parameters.get_parameters(Names=[name])["Parameters"][0]["Value"]
    pointer = PolicyPointer.from_text(value)
    change = Policy.from_document({**_shipped_policy(bench).to_document(), "version": "tried"})
    _put_work_object(bench, policy_key(change.hash), change.to_text())
    parameters.put_parameter(Name=name, Value=pointer.moved_to(change).to_text(), Overwrite=True)
    try:
        bench.restart(bench.lane.batcher)
        upload = bench.pipeline.upload(f"{bench.prefix}picture.jpg", BLOCKED)
        (verdict,) = bench.wait_for_verdicts({upload: BLOCKED_BY_IMAGE})
        if verdict["policy"]["version"] != "tried":
            raise NoticedError("judged by the policy of before")
    finally:
        parameters.put_parameter(Name=name, Value=value, Overwrite=True)


def opened_and_closed(bench: Bench) -> None:
    """An approved version is tagged, and loses the tag as somebody blocks it."""
    upload = bench.pipeline.upload(f"{bench.prefix}picture.jpg", CLEAN)
    (item,) = bench.wait_for_verdicts({upload: APPROVED_BY_IMAGE})
    bench.wait_until(lambda: _tags(bench, item), "tag")
    reviewer = Reviewer(bench.pipeline, "alice")
    act = decide(Status.BLOCKED, reviewer.person, Decision("context", None), iso(datetime.now(UTC)))
    if not reviewer.write(verdict_from_item(item), act).is_done:
        raise NoticedError("the decision was refused")
    bench.wait_until(lambda: not _tags(bench, item), "tag removed")


def unopened_without_a_version(bench: Bench) -> None:
    """An approved upload without a version id stays closed where other bytes have its place, and that is logged."""
    key = f"{bench.prefix}picture.jpg"
    named = bench.pipeline.upload(key, CLEAN)
    bench.pipeline.send([_without_version(bench, key)], bench.queue("IngestQueueUrl"))
    bench.wait_for_verdicts({named: APPROVED_BY_IMAGE, "": APPROVED_BY_IMAGE})

    def is_logged() -> bool:
        lines = bench.pipeline.logged("Outcomes")
        return any(str(line.get("object", "")).endswith(key) and line.get("problem") == "Replaced" for line in lines)

    bench.wait_until(is_logged, "log of what stays closed")


SCENARIOS = (
    Scenario("image by image", image_by_image),
    Scenario("rendered", rendered),
    Scenario("announced", announced),
    Scenario("announced to nobody", announced_to_nobody),
    Scenario("stopped and redriven", stopped_and_redriven),
    Scenario("stopped and swept", stopped_and_swept),
    Scenario("forgotten and swept", forgotten_and_swept),
    Scenario("listed", listed),
    Scenario("listed and swept", listed_and_swept),
    Scenario("left open and swept", left_open_and_swept),
    Scenario("without a version", without_a_version),
    Scenario("gone before it is confirmed", gone_before_it_is_confirmed),
    Scenario("chunk given up", chunk_given_up),
    Scenario("chunk put back", chunk_put_back),
    Scenario("straggling", straggling),
    Scenario("known to the table alone", known_to_the_table_alone),
    Scenario("changed and announced", changed_and_announced),
    Scenario("changed and announced to nobody", changed_and_announced_to_nobody),
    Scenario("changed and given up", changed_and_given_up),
    Scenario("opened and closed", opened_and_closed),
    Scenario("unopened without a version", unopened_without_a_version),
    Scenario("policy recorded", policy_recorded),
    Scenario("policy moved", policy_moved),
    Scenario("bulk with a leftover", bulk_with_a_leftover, needs_bulk=True),
)


def _tags(bench: Bench, item: Mapping[str, Any]) -> list[Mapping[str, str]]:
    found = bench.pipeline.cloud.client("s3").get_object_tagging(
        Bucket=bench.pipeline.upload_bucket, Key=item["key"], VersionId=item["version_id"]
    )
    return list(found["TagSet"])


def _has_appeal(announced: Iterable[Mapping[str, Any]]) -> bool:
    return any(document["cause"] == Cause.APPEAL for document in announced)


def _appeal(bench: Bench, item: Mapping[str, Any]) -> None:
    reviewer = Reviewer(bench.pipeline, "intake")
    act = appeal(reviewer.person, Decision("context", None), iso(datetime.now(UTC)))
    if not reviewer.write(verdict_from_item(item), act).is_done:
        raise NoticedError("the appeal was refused")


def _stopped(bench: Bench, get_going: Callable[[Mapping[str, Any]], None]) -> None:
    """Stop the execution of an upload's batch; what gets it going again has to resume that one."""
    with bench.pipeline.paused(bench.lane.analyzer):
        upload = bench.pipeline.upload(f"{bench.prefix}picture.jpg", BLOCKED)
        (item,) = bench.wait_for_claims(1)
        (execution,) = [each for each in bench.executions("RUNNING") if each["name"] == item["batch_id"]]
        bench.pipeline.cloud.client("stepfunctions").stop_execution(executionArn=execution["executionArn"])
    get_going(item)
    (verdict,) = bench.wait_for_verdicts({upload: BLOCKED_BY_IMAGE}, flagged=(upload,))
    if verdict["batch_id"] != item["batch_id"]:
        raise NoticedError("another batch took the upload over")


def _shipped_policy(bench: Bench) -> Policy:
    return compile_policies(_ROOT / "policies").policies[bench.lane.policy]


def _without_version(bench: Bench, key: str) -> dict[str, Any]:
    """The event of the last upload of CLEAN under a key, from a bucket without versioning."""
    return created_event(
        {
            "bucket": bench.pipeline.upload_bucket,
            "key": key,
            "size": len(CLEAN),
            "etag": hashlib.md5(CLEAN, usedforsecurity=False).hexdigest(),
            "version_id": "",
            "sequencer": _LAST_SEQUENCER,
            "uploaded_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
    )


def _put_before(bench: Bench) -> ListedVersion:
    """Put an object that no event tells of, as a listing has it."""
    key = f"{bench.prefix}picture.jpg"
    put_quietly(bench.pipeline, [DemoUpload(key, CLEAN)])
    return listed_now(bench.pipeline, key)


def _backfill_queue(bench: Bench) -> str:
    """The name of the output with the queue for the lane's objects from before."""
    return BackfillOutput.QUEUE_URL.of(bench.lane.name)


def _put_work_object(bench: Bench, key: str, text: str) -> None:
    bench.pipeline.cloud.client("s3").put_object(
        Bucket=bench.pipeline.outputs["WorkBucketName"], Key=key, Body=text.encode()
    )
