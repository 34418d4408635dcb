"""The cloud that faults are tried on: every kind of lane, and waits so short that hundreds of rows take minutes.

Changed on the local cloud only, after the deployment, because it would be waited for in real time otherwise:

- a batcher may take `BATCHER_SECONDS` and not 60, so that a dead one's claims are taken over sooner;
- a lane's messages come back after a few seconds, often enough for that before they are dead letters;
- an Analyzer makes as many calls a second as it likes, and has `ANALYZER_SECONDS`, so that what it can't do in a few
  seconds is put back; that of backfills has the time for a rendering, too. The workflow still counts on the few calls
  of the settings, which send `auto` to Bulk Analysis.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from demo.pipeline import DemoUpload
from demo.synthesis import synthesize
from gatehouse.moderation.engine import Engine
from gatehouse.moderation.listed_version import ListedVersion
from gatehouse.moderation.moment import iso
from lambdas.analyzer.chunk_analysis import CLOSING_SECONDS
from lambdas.analyzer.image_analysis import RENDER_SECONDS
from localcloud.cloud import LocalCloud
from tests.e2e.pipeline import Pipeline
from tests.e2e.short_waits import with_short_waits

#: Waits of the workflow and of the queues, as parts of AWS's.
TIME_SCALE = 0.002

BATCHER_SECONDS = 8
ANALYZER_SECONDS = CLOSING_SECONDS + 3
_RENDERING_ANALYZER_SECONDS = ANALYZER_SECONDS + RENDER_SECONDS
_COMES_BACK_SECONDS = 3

#: A job takes a moment, not half a second.
ENVIRONMENT = {"GATEHOUSE_REKOGNITION_JOB_SECONDS": "0.1"}
_CALLS_PER_SECOND = 250

#: Lanes alike, so that rows about their batchers can run side by side and each fault finds its own.
BULK_LANES = tuple(f"bulk-{letter}" for letter in "abcdefgh")

#: Uploads that `auto` sends to Bulk Analysis: more than a minute's work at the settings' rate, one call a second.
LARGE = 64

#: Where verdicts are announced, beside the flag topic; `Pipeline.listen` makes it.
BUS = "verdicts"

SETTINGS = "\n".join(
    (
        f"events: {{bus: {BUS}}}",
        "existing_objects: true",
        "gate: {mode: tag}",
        "image_engine: {calls_per_second: 3, shares: {fast: 30, live: 30, backfill: 30}}",
        "lanes:",
        *(f"  {lane}: {{prefixes: [{lane}/], engine: {Engine.BULK}, formats: []}}" for lane in BULK_LANES),
        f"  image: {{prefixes: [image/], engine: {Engine.IMAGE}, formats: []}}",
        f"  auto: {{prefixes: [auto/], engine: {Engine.AUTO}, formats: []}}",
        "  fast: {prefixes: [fast/], priority: fast, formats: []}",
        f"  backfill: {{prefixes: [backfill/], priority: backfill, engine: {Engine.BULK}, formats: []}}",
        f"  rendered: {{prefixes: [rendered/], priority: backfill, engine: {Engine.BULK}, formats: [webp]}}",
    )
)


@contextmanager
def deployed(settings: str = SETTINGS, *, follows_soon: bool = False) -> Iterator[Pipeline]:
    """The pipeline on a cloud of its own, until the block ends.

    Args:
        settings: the text of a settings file.
        follows_soon: whether batchers look at a policy's pointer more often, see `tests.e2e.short_waits`.
    """
    with tempfile.TemporaryDirectory(prefix="gatehouse-chaos-") as folder:
        assembly = synthesized(Path(folder), settings)
        if follows_soon:
            assembly = with_short_waits(assembly, Path(folder))
        with LocalCloud.start(time_scale=TIME_SCALE, environment=ENVIRONMENT) as cloud:
            pipeline = Pipeline(cloud, cloud.deploy(assembly))
            hasten(pipeline)
            pipeline.listen(BUS)
            yield pipeline


def synthesized(folder: Path, settings: str) -> Path:
    """The cloud assembly of the text of a settings file, in a folder that has none yet."""
    file, assembly = folder / "gatehouse.yaml", folder / "cdk.out"
    file.write_text(settings, "utf-8")
    synthesize(assembly, settings=file)
    return assembly


def hasten(pipeline: Pipeline) -> None:
    """Shorten what a deployed pipeline would wait for in real time; see the module."""
    functions = pipeline.cloud.client("lambda")
    pipeline.let_run("Batcher", BATCHER_SECONDS)
    for function in functions.list_functions()["Functions"]:
        if "Analyzer" in function["FunctionName"]:
            faster = function["Environment"]["Variables"] | {"CALLS_PER_SECOND": str(_CALLS_PER_SECOND)}
            renders = "Backfill" in function["FunctionName"]
            functions.update_function_configuration(
                FunctionName=function["FunctionName"],
                Timeout=_RENDERING_ANALYZER_SECONDS if renders else ANALYZER_SECONDS,
                Environment={"Variables": faster},
            )
    visibility = {"VisibilityTimeout": str(round(_COMES_BACK_SECONDS / TIME_SCALE))}
    for url in (*queue_urls(pipeline, "IngestQueueUrl"), *queue_urls(pipeline, "BackfillQueueUrl")):
        pipeline.cloud.client("sqs").set_queue_attributes(QueueUrl=url, Attributes=visibility)


def sweep(pipeline: Pipeline) -> bool:
    """What the sweeper's schedule does, but of batches of any age: S3 stamps them with the real time.

    Returns whether the sweep went through; a schedule has another one a quarter of an hour later.
    """
    events = pipeline.cloud.client("events")
    (rule,) = (rule["Name"] for rule in events.list_rules()["Rules"] if "ScheduleExpression" in rule)
    (target,) = events.list_targets_by_rule(Rule=rule)["Targets"]
    event = json.loads(target["Input"]) | {"min_age_minutes": 0}
    answer = pipeline.cloud.client("lambda").invoke(FunctionName=target["Arn"], Payload=json.dumps(event).encode())
    return "FunctionError" not in answer


def queue_urls(pipeline: Pipeline, output: str) -> list[str]:
    """The queue that an output names, of every lane or priority."""
    return [url for name, url in sorted(pipeline.outputs.items()) if name.endswith(output)]


def lane_output(lane: str, output: str) -> str:
    """What a lane's output is called."""
    return "".join(part.capitalize() for part in lane.split("-")) + output


def batcher_of(pipeline: Pipeline, lane: str) -> str:
    """A part of the name of a lane's batcher that no other function's name has."""
    return lane_output(lane, "LaneBatcher")


def mapping_of(pipeline: Pipeline, lane: str) -> dict[str, Any]:
    """The event source mapping between a lane's queue for uploads and its batcher."""
    queue = pipeline.outputs[lane_output(lane, "IngestQueueUrl")].rpartition("/")[2]
    mappings = pipeline.cloud.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    (mapping,) = [each for each in mappings if each["EventSourceArn"].endswith(f":{queue}")]
    return dict(mapping)


def put_quietly(pipeline: Pipeline, uploads: Sequence[DemoUpload]) -> dict[str, str]:
    """Put objects while the bucket sends no events; returns key -> version id."""
    storage, bucket = pipeline.cloud.client("s3"), pipeline.upload_bucket
    storage.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    try:
        return pipeline.upload_many(uploads)
    finally:
        storage.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
        )


def listed_now(pipeline: Pipeline, key: str) -> ListedVersion:
    """The current version of an object, as a listing has it."""
    head = pipeline.cloud.client("s3").head_object(Bucket=pipeline.upload_bucket, Key=key)
    return ListedVersion(
        pipeline.upload_bucket,
        key,
        head["VersionId"],
        head["ETag"].strip('"'),
        head["ContentLength"],
        iso(head["LastModified"]),
    )
